//! A verified folder, and safe operations on the files in it.
//!
//! The operations of the system are in two modules with the same functions. `unix` works on handles
//! (`openat`, `O_NOFOLLOW`, `fstat`) and checks owner and mode; `portable` uses the standard library alone,
//! for platforms where a user's folders are private by default. The crate `tempfile` opens by path, not
//! relative to a verified handle, so temporary files are created here.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::error;
use crate::TierError;

#[cfg(any(not(unix), portable_files))]
mod portable;
#[cfg(all(unix, not(portable_files)))]
mod unix;

#[cfg(any(not(unix), portable_files))]
use self::portable as sys;
#[cfg(all(unix, not(portable_files)))]
use self::unix as sys;

pub(crate) use self::sys::user_suffix;

/// The checks that the folder of a location has to pass. The folders and files in it belong to this user in
/// any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrustCheck {
    /// A given folder or the platform's cache folder: owned by this user, and neither writable nor
    /// replaceable by others. Missing parents are created.
    Own,
    /// A folder in the temp directory: as `Own`, with mode 0700. Its parent is never created.
    Private,
    /// A folder that the operator vouches for, such as a container's volume: its owner and all modes are
    /// accepted.
    Trusted,
}

/// The treatment of a missing folder or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// Create it: this is a write.
    Create,
    /// Leave it missing: this is a read.
    Leave,
}

/// The metadata of a name, read without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileInfo {
    /// A regular file: no link, folder, FIFO or device.
    pub(crate) is_file: bool,
    pub(crate) len: u64,
    /// The time of the last change, by the file system's clock.
    pub(crate) modified: SystemTime,
}

/// A verified file for SQLite, which opens files by path.
#[cfg(feature = "sqlite")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VerifiedFile {
    /// The path, without links.
    pub(crate) path: PathBuf,
    /// Device and inode; 0 where the platform has none.
    pub(crate) identity: (u64, u64),
}

/// The suffix of a file during its write.
pub(crate) const TEMPORARY: &str = ".tmp";

/// An open, verified folder.
#[derive(Debug)]
pub(crate) struct Folder {
    handle: sys::Handle,
    path: PathBuf,
    check: TrustCheck,
}

impl Folder {
    /// Opens and verifies the folder of a location; `None` if it is missing and not to be created.
    pub(crate) fn open(
        path: &Path,
        check: TrustCheck,
        if_missing: IfMissing,
    ) -> Result<Option<Self>, TierError> {
        let handle = sys::open_location(path, check, if_missing)?;
        let path = path.to_path_buf();
        Ok(handle.map(|handle| Self {
            handle,
            path,
            check,
        }))
    }

    /// Opens and verifies the folder `name` in this one.
    pub(crate) fn child(
        &self,
        name: &str,
        if_missing: IfMissing,
    ) -> Result<Option<Self>, TierError> {
        let (path, check) = (self.path.join(name), self.check);
        let handle = sys::open_child(&self.handle, name, check, if_missing)?;
        Ok(handle.map(|handle| Self {
            handle,
            path,
            check,
        }))
    }

    /// Another handle to the same folder.
    pub(crate) fn try_clone(&self) -> Result<Self, TierError> {
        let (path, check) = (self.path.clone(), self.check);
        let handle = self.handle.try_clone();
        let handle = handle.map_err(error::io("opening the folder"))?;
        Ok(Self {
            handle,
            path,
            check,
        })
    }

    /// The path of the folder, for logs only.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of at most `cap` bytes. Its size is checked before anything is allocated, and again
    /// because it may grow.
    pub(crate) fn read(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>, TierError> {
        let Some(file) = sys::open_file(&self.handle, name, self.check, false)? else {
            return Ok(None);
        };
        let len = file
            .metadata()
            .map_err(error::io("reading the size"))?
            .len();
        if len > cap {
            return Err(error::too_large(len));
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(len).unwrap_or(usize::MAX))
            .map_err(|_| error::too_large(len))?;
        let read = file.take(cap.saturating_add(1)).read_to_end(&mut bytes);
        match read.map_err(error::io("reading"))? as u64 {
            len if len > cap => Err(error::too_large(len)),
            _ => Ok(Some(bytes)),
        }
    }

    /// Reads at most the first `count` bytes of a file.
    pub(crate) fn read_head(&self, name: &str, count: u64) -> Result<Option<Vec<u8>>, TierError> {
        let Some(file) = sys::open_file(&self.handle, name, self.check, false)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = file.take(count).read_to_end(&mut bytes);
        read.map_err(error::io("reading"))?;
        Ok(Some(bytes))
    }

    /// Writes a whole file: its name leads to the old content or to the new one, also after a power cut.
    /// A failure leaves the old content and no temporary file.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), TierError> {
        let temporary = temporary_name(name);
        let written = self.write_temporary(&temporary, bytes).and_then(|()| {
            sys::rename(&self.handle, &temporary, name).map_err(error::io("renaming"))
        });
        if written.is_err() {
            // Best effort: the cleanup removes a file that stays.
            let _ = sys::remove(&self.handle, &temporary);
            return written;
        }
        sys::sync(&self.handle).map_err(error::io("syncing the folder"))
    }

    fn write_temporary(&self, name: &str, bytes: &[u8]) -> Result<(), TierError> {
        let mut file = self
            .create_new(name)
            .map_err(error::io("creating a file"))?;
        file.write_all(bytes).map_err(error::io("writing"))?;
        let len = file
            .metadata()
            .map_err(error::io("reading the size"))?
            .len();
        if len != bytes.len() as u64 {
            return Err(error::io("writing")(io::Error::from(
                io::ErrorKind::WriteZero,
            )));
        }
        file.sync_all().map_err(error::io("syncing the file"))
    }

    fn create_new(&self, name: &str) -> io::Result<File> {
        sys::create_new(&self.handle, name)
    }

    /// Opens the lock file `name`, created if missing and never truncated.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, TierError> {
        // Another process may create or remove it between the two steps.
        for _ in 0..2 {
            if let Some(file) = sys::open_file(&self.handle, name, self.check, true)? {
                return Ok(file);
            }
            match self.create_new(name) {
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.map_err(error::io("creating a file")),
            }
        }
        Err(error::busy())
    }

    /// Removes a file, or the link in its place; whether there was one.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, TierError> {
        Ok(found(sys::remove(&self.handle, name), "removing")?.is_some())
    }

    /// The metadata of a name; a link is not followed.
    pub(crate) fn info(&self, name: &str) -> Result<Option<FileInfo>, TierError> {
        found(sys::info(&self.handle, name), "reading the metadata")
    }

    /// The names in the folder, in no order. A name that is not UTF-8 is not one of ours.
    pub(crate) fn names(&self) -> Result<Vec<String>, TierError> {
        sys::names(&self.handle).map_err(error::io("listing the folder"))
    }

    /// Checks that a file can be created: creates one and removes it.
    pub(crate) fn probe(&self) -> Result<(), TierError> {
        let name = temporary_name("probe");
        let created = self.create_new(&name);
        created.map_err(error::io("creating a file"))?;
        self.remove(&name).map(drop)
    }

    /// The verified file `name`, created with mode 0600 on request.
    ///
    /// SQLite gets a path instead of a handle, so every folder above has to be one in which nobody else can
    /// rename. An existing file is not opened here: closing a handle to it would release the locks that
    /// SQLite holds in this process.
    #[cfg(feature = "sqlite")]
    pub(crate) fn verified_file(
        &self,
        name: &str,
        if_missing: IfMissing,
    ) -> Result<Option<VerifiedFile>, TierError> {
        // Another process may create it between the two steps.
        for _ in 0..2 {
            let file = sys::verified_file(&self.handle, &self.path, name, self.check)?;
            if file.is_some() || if_missing == IfMissing::Leave {
                return Ok(file);
            }
            match self.create_new(name) {
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                created => drop(created.map_err(error::io("creating a file"))?),
            }
        }
        Err(error::busy())
    }
}

/// A missing file is an answer, not an error.
fn found<T>(result: io::Result<T>, operation: &'static str) -> Result<Option<T>, TierError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(error::io(operation)(source)),
    }
}

/// An unpredictable name for a temporary file beside `name`.
fn temporary_name(name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(name);
    format!("{name}.{}.{random:016x}{TEMPORARY}", std::process::id())
}
