//! Work on all files of a location: scans, removal of expired files, eviction.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::folder::{FileInfo, Folder, IfMissing};
use super::layout::{EntryPath, FileKind};
use super::location::Location;
use super::lock::{LeaseFile, Lock};
use super::namespace_dir::each_namespace;
use super::{FileTier, LOCK_WAIT, error, layout};
use crate::codec::MAX_ENVELOPE;
use crate::{Deadline, EntryInfo, Namespace, TierError, TierErrorKind};

/// The age at which a temporary file has no writer any more.
const ORPHANED_AFTER: Duration = Duration::from_secs(3_600);
/// The age at which an unlocked lease file is removed.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3_600);

impl FileTier {
    /// Does the same in every location, and returns the first error at the end. A location that is not
    /// used is left out: its entries are not served either.
    pub(super) fn in_each_location(
        &self,
        mut work: impl FnMut(&Location) -> Result<(), TierError>,
    ) -> Result<(), TierError> {
        let mut result = Ok(());
        for location in &self.locations {
            match work(location).map_err(|error| error.at(&location.path)) {
                Err(error) if error.kind() == TierErrorKind::Unsafe => location.warn_once(&error),
                done => result = result.and(done),
            }
        }
        result
    }

    /// Visits the entries of a namespace, each key once: the location that a read prefers is listed.
    pub(super) fn visit_entries(
        &self,
        namespace: &Namespace,
        prefix: &str,
        deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let mut seen = HashSet::new();
        let mut flow = ControlFlow::Continue(());
        self.in_each_location(|location| {
            let Some(dir) = self.namespace_dir(location, namespace, IfMissing::Leave)? else {
                return Ok(());
            };
            dir.walk(&mut |folder| {
                if deadline.is_over() {
                    return Err(error::busy());
                }
                for name in folder.names()? {
                    if flow.is_continue()
                        && let Some(info) = self.peek(folder, &name, namespace)
                        && info.envelope.key.starts_with(prefix)
                        && seen.insert(info.envelope.key.clone())
                    {
                        flow = visit(info);
                    }
                }
                Ok(())
            })
        })
    }

    /// The envelope of a file; `None` if it is not a readable entry of the namespace in its own place.
    fn peek(&self, folder: &Folder, name: &str, namespace: &Namespace) -> Option<EntryInfo> {
        if FileKind::of(name) != FileKind::Entry {
            return None;
        }
        let info = folder.info(name).ok()??;
        let head = folder.read_head(name, MAX_ENVELOPE as u64).ok()??;
        let envelope = self.codec.peek(&head).ok()?;
        let is_in_place =
            envelope.namespace == *namespace && self.entry_path(&envelope.key).entry() == name;
        let path = folder.path().join(name);
        is_in_place.then(|| EntryInfo::new(Arc::new(envelope), info.len, Some(path)))
    }

    /// Removes the expired, damaged and orphaned files of a location, then enforces its bound; the number
    /// of removed entries.
    pub(super) fn clean(&self, location: &Location, now: SystemTime) -> Result<u64, TierError> {
        let mut removed = 0;
        let deadline = Deadline::after(LOCK_WAIT);
        let result = each_namespace(location, &self.format, &mut |namespace, dir| {
            dir.walk(&mut |folder| {
                removed += self.clean_folder(namespace, folder, now, deadline)?;
                Ok(())
            })
        });
        self.evict(location, None);
        result.map(|()| removed)
    }

    fn clean_folder(
        &self,
        namespace: Namespace,
        folder: &Folder,
        now: SystemTime,
        deadline: Deadline,
    ) -> Result<u64, TierError> {
        let mut names = folder.names()?;
        names.retain(|name| self.mark_expired(namespace, folder, name, now).is_some());
        if names.is_empty() {
            return Ok(0);
        }
        // While another process writes here, the files are left for the next cleanup.
        let Ok(_lock) = Lock::acquire(folder, deadline) else {
            return Ok(0);
        };
        let mut removed = 0;
        for name in names {
            // Again, under the lock: a writer may have replaced it.
            if let Some(why) = self.mark_expired(namespace, folder, &name, now)
                && folder.remove(&name)?
            {
                let path = folder.path().join(&name);
                tracing::debug!(path = %path.display(), why, "cache file removed");
                removed += u64::from(FileKind::of(&name) == FileKind::Entry);
            }
        }
        Ok(removed)
    }

    /// The reason to remove a file, if there is one.
    fn mark_expired(
        &self,
        namespace: Namespace,
        folder: &Folder,
        name: &str,
        now: SystemTime,
    ) -> Option<String> {
        let is_older = |limit: Duration| {
            let modified = folder.info(name).ok()??.modified;
            let age = now
                .duration_since(modified)
                .unwrap_or_else(|ahead| ahead.duration());
            (age > limit).then_some(())
        };
        match FileKind::of(name) {
            FileKind::Other => return None,
            FileKind::Temporary => {
                return is_older(ORPHANED_AFTER).map(|()| "its writer was killed".to_owned());
            }
            FileKind::Lease => {
                is_older(ABANDONED_AFTER)?;
                let free = LeaseFile::try_acquire(folder.try_clone().ok()?, name.to_owned());
                return matches!(free, Ok(Some(_))).then(|| "no process holds it".to_owned());
            }
            FileKind::Entry => {}
        }
        let bytes = match folder.read(name, self.codec.max_len() as u64) {
            Ok(bytes) => Bytes::from(bytes?),
            // A failure of the system says nothing about the file.
            Err(error) if error.is_transient() => return None,
            Err(error) => return Some(error.to_string()),
        };
        let entry = match self.codec.decode_any(bytes) {
            Ok(entry) => entry,
            // Of another version of the package.
            Err(error) if error.kind() == TierErrorKind::Foreign => return None,
            Err(error) => return Some(error.to_string()),
        };
        let envelope = entry.envelope();
        // The readable name of a key may differ between processes.
        let is_in_place = envelope.namespace == namespace
            && (layout::folder_of(name).is_none()
                || EntryPath::of(&envelope.key, None).entry() == name);
        if !is_in_place {
            return Some("it belongs to another key or namespace".to_owned());
        }
        envelope
            .is_expired(now)
            .then(|| "it has expired".to_owned())
    }

    /// Removes the oldest entries of a location, but not the file `spared`, until it is within its bound.
    /// A file that cannot be removed now is left for the next time.
    pub(super) fn evict(&self, location: &Location, spared: Option<&str>) {
        // Bytes written by others from now on are added to this count.
        location.set_bytes(0);
        let path = location.path.display();
        let mut files = match self.inventory(location) {
            Ok(files) => files,
            Err(error) => {
                tracing::debug!(%path, %error, "cache location not measured");
                return location.set_bytes(u64::MAX);
            }
        };
        let mut total: u64 = files.iter().map(|file| file.info.len).sum();
        files.sort_by_key(|file| file.info.modified);
        let mut evicted = 0;
        for file in files {
            if total <= self.max_bytes {
                break;
            }
            if spared == Some(&file.name) {
                continue;
            }
            match self.evict_file(location, &file) {
                // One that is gone or replaced was counted by another writer.
                Ok(removed) => {
                    total = total.saturating_sub(file.info.len);
                    evicted += u64::from(removed);
                }
                Err(error) => {
                    tracing::debug!(%path, name = %file.name, %error, "cache entry not evicted");
                }
            }
        }
        if evicted > 0 {
            tracing::debug!(%path, evicted, "oldest cache entries evicted");
        }
        location.add_bytes(total);
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
    }

    /// Removes a file that is still the one of the inventory; whether it was.
    fn evict_file(&self, location: &Location, file: &EntryFile) -> Result<bool, TierError> {
        let Some(dir) = self.namespace_dir(location, &file.namespace, IfMissing::Leave)? else {
            return Ok(false);
        };
        let Some(folder) = dir.folder(layout::folder_of(&file.name), IfMissing::Leave)? else {
            return Ok(false);
        };
        Ok(folder.info(&file.name)? == Some(file.info) && folder.remove(&file.name)?)
    }

    /// The files of all entries in a location.
    pub(super) fn inventory(&self, location: &Location) -> Result<Vec<EntryFile>, TierError> {
        let mut files = Vec::new();
        each_namespace(location, &self.format, &mut |namespace, dir| {
            dir.walk(&mut |folder| {
                for name in folder.names()? {
                    if FileKind::of(&name) == FileKind::Entry
                        && let Ok(Some(info)) = folder.info(&name)
                        && info.is_file
                    {
                        files.push(EntryFile {
                            namespace,
                            name,
                            info,
                        });
                    }
                }
                Ok(())
            })
        })?;
        Ok(files)
    }
}

/// The file of an entry, as an inventory found it.
#[derive(Debug)]
pub(super) struct EntryFile {
    namespace: Namespace,
    name: String,
    pub(super) info: FileInfo,
}
