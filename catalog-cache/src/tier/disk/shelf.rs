//! One namespace's entries in one location: bytes in and out of their places, one at a time.
//!
//! A shelf knows the layout and the lock. It does not know what other locations hold, nor the time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::files::{Absent, Folder};
use super::layout::{ENTRIES, Format, Kind, Place, is_entries_folder};
use super::locations::Location;
use super::lock::Lock;
use super::reason::Reason;

/// A location, and what the tier remembers of it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) location: Location,
    /// A warning was given since it last worked: the next is a DEBUG line.
    pub(crate) warned: AtomicBool,
    /// An upper bound on what it holds, in bytes: counted at the last look, plus what was written
    /// since. `u64::MAX` before the first look.
    pub(crate) bytes: AtomicU64,
    /// What is written here.
    current: Format,
}

impl Site {
    pub(crate) fn new(location: Location, current: Format) -> Self {
        Self {
            location,
            current,
            warned: AtomicBool::new(false),
            bytes: AtomicU64::new(u64::MAX),
        }
    }

    /// Counts bytes that were written.
    pub(crate) fn add_bytes(&self, bytes: u64) -> u64 {
        let add = |held: u64| Some(held.saturating_add(bytes));
        let before = self
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        before.unwrap_or(u64::MAX).saturating_add(bytes)
    }

    /// The folder of the format that is written, in this location.
    pub(crate) fn current(&self, absent: Absent) -> Result<Option<Folder>, Reason> {
        self.format(&self.current, absent)
    }

    fn format(&self, format: &Format, absent: Absent) -> Result<Option<Folder>, Reason> {
        match self.location.open(absent)? {
            None => Ok(None),
            Some(folder) => folder.child(format.folder(), absent),
        }
    }

    /// The shelf of a namespace in this location, of the format that is written.
    pub(crate) fn shelf(&self, namespace: &str, absent: Absent) -> Result<Option<Shelf>, Reason> {
        self.shelf_of(&self.current, namespace, absent)
    }

    /// The same of a format.
    pub(crate) fn shelf_of(
        &self,
        format: &Format,
        namespace: &str,
        absent: Absent,
    ) -> Result<Option<Shelf>, Reason> {
        match self.format(format, absent)? {
            None => Ok(None),
            Some(folder) => Ok(folder.child(namespace, absent)?.map(Shelf::new)),
        }
    }

    /// The path of an entry that is written, for logs.
    pub(crate) fn path(&self, namespace: &str, place: &Place) -> PathBuf {
        self.path_of(&self.current, namespace, place)
    }

    /// The same of a format.
    pub(crate) fn path_of(&self, format: &Format, namespace: &str, place: &Place) -> PathBuf {
        let mut path = self.location.path.join(format.folder());
        path.push(namespace);
        path.push(place.path());
        path
    }
}

/// A file met on a walk. Its folder is open only during the visit.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) folder: &'a Folder,
    /// The folder of hashed entries it is in, if it is.
    pub(crate) sub: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
}

/// The open folder of one namespace.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: Folder,
}

impl Shelf {
    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder }
    }

    /// The folder itself, or that of hashed entries `sub`; `None` where it is missing and stays so.
    pub(crate) fn sub(&self, sub: Option<&str>, absent: Absent) -> Result<Option<Folder>, Reason> {
        match sub {
            None => self.folder.same().map(Some),
            Some(name) => match self.folder.child(ENTRIES, absent)? {
                None => Ok(None),
                Some(entries) => entries.child(name, absent),
            },
        }
    }

    /// The bytes of an entry; `None` where there is none.
    pub(crate) fn read(&self, place: &Place, cap: u64) -> Result<Option<Vec<u8>>, Reason> {
        match place.folder() {
            None => self.folder.read(&place.entry(), cap),
            Some(_) => match self.sub(place.folder(), Absent::Leave)? {
                None => Ok(None),
                Some(folder) => folder.read(&place.entry(), cap),
            },
        }
    }

    /// Takes the lock of a place and answers its folder with it. Locks are per folder, so that writers
    /// of different keys seldom wait for each other.
    pub(crate) fn lock(&self, place: &Place, wait: Duration) -> Result<(Folder, Lock), Reason> {
        let folder = self.make_for(place)?;
        let lock = Lock::take(&folder, wait)?;
        Ok((folder, lock))
    }

    /// The folder of a place, made where it is missing.
    pub(crate) fn make_for(&self, place: &Place) -> Result<Folder, Reason> {
        // Not missing after it was made, unless someone removes it under us.
        self.sub(place.folder(), Absent::Make)?
            .ok_or(Reason::Missing)
    }

    /// Removes an entry; whether there was one.
    pub(crate) fn remove(&self, place: &Place) -> Result<bool, Reason> {
        match self.sub(place.folder(), Absent::Leave)? {
            None => Ok(false),
            Some(folder) => folder.remove(&place.entry()),
        }
    }

    /// Removes an entry, under the lock, if `is_to_go` says so then; whether it did.
    pub(crate) fn remove_if(
        &self,
        place: &Place,
        wait: Duration,
        is_to_go: impl FnOnce() -> bool,
    ) -> Result<bool, Reason> {
        let Some(folder) = self.sub(place.folder(), Absent::Leave)? else {
            return Ok(false);
        };
        if folder.meta(&place.entry())?.is_none() {
            return Ok(false);
        }
        let _lock = Lock::take(&folder, wait)?;
        Ok(is_to_go() && folder.remove(&place.entry())?)
    }

    /// Shows every file of a kind we know, until `visit` answers false.
    /// A folder that cannot be opened is left out, with a DEBUG line; the answer says why.
    pub(crate) fn walk(
        &self,
        visit: &mut dyn FnMut(&Seen<'_>) -> bool,
    ) -> Result<Option<Reason>, Reason> {
        let mut left_out = None;
        if !each_file(&self.folder, None, visit)? {
            return Ok(left_out);
        }
        let Some(entries) = self.folder.child(ENTRIES, Absent::Leave)? else {
            return Ok(left_out);
        };
        for name in entries.names()? {
            if !is_entries_folder(&name) {
                continue;
            }
            match entries.child(&name, Absent::Leave) {
                Ok(Some(folder)) => {
                    if !each_file(&folder, Some(&name), visit)? {
                        return Ok(left_out);
                    }
                }
                Ok(None) => {}
                Err(reason) => {
                    let path = entries.path().join(&name);
                    tracing::debug!(path = %path.display(), %reason, "cache folder left out");
                    left_out = Some(reason);
                }
            }
        }
        Ok(left_out)
    }
}

/// Whether to go on.
fn each_file(
    folder: &Folder,
    sub: Option<&str>,
    visit: &mut dyn FnMut(&Seen<'_>) -> bool,
) -> Result<bool, Reason> {
    for name in folder.names()? {
        let kind = Kind::of(&name);
        let name = name.as_str();
        let seen = Seen {
            folder,
            sub,
            name,
            kind,
        };
        if kind != Kind::Other && !visit(&seen) {
            return Ok(false);
        }
    }
    Ok(true)
}
