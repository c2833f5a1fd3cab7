//! All files of a location at once: listing, clearing, sweeping and evicting.
//!
//! Nothing here decides what a lookup answers. A file is judged twice before it is removed, the second
//! time under the lock, so that a writer that came between keeps its entry.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::files::{Absent, Folder};
use super::layout::{Format, Kind, Place};
use super::lock::Lock;
use super::reason::Reason;
use super::shelf::{Seen, Shelf, Site};
use super::{DiskTier, Listed, Namespace, Standing};
use crate::cache::tier::{TierError, TierErrorKind};

/// A temporary file this old has no writer any more.
const ORPHANED_AFTER: Duration = Duration::from_secs(3_600);
/// A lease file this old is of no use.
const LEASE_KEPT_FOR: Duration = Duration::from_secs(86_400);
/// An envelope is never longer, in bytes.
const HEAD: u64 = 4_096;

/// One entry's file.
#[derive(Debug)]
pub(super) struct Filed {
    namespace: String,
    sub: Option<String>,
    name: String,
    pub(super) len: u64,
    modified: SystemTime,
}

impl Filed {
    fn remove(&self, site: &Site) -> Result<bool, Reason> {
        let shelf = site.shelf(Format::CURRENT, &self.namespace, Absent::Leave)?;
        match shelf.map(|shelf| shelf.sub(self.sub.as_deref(), Absent::Leave)) {
            Some(folder) => folder?.map_or(Ok(false), |folder| folder.remove(&self.name)),
            None => Ok(false),
        }
    }
}

impl DiskTier {
    /// Does the same in every location; the sum, or the first failure when all had their turn.
    pub(super) fn everywhere(
        &self,
        mut work: impl FnMut(&Site) -> Result<u64, Reason>,
    ) -> Result<u64, TierError> {
        let (mut sum, mut failed) = (0, None);
        for site in &self.sites {
            match work(site) {
                Ok(count) => sum += count,
                Err(reason) => {
                    let error = TierError::from(reason).at(&site.location.path);
                    Self::complain(site, &error);
                    failed.get_or_insert(error);
                }
            }
        }
        match failed {
            // A location that is refused holds nothing of ours.
            Some(error) if error.kind() != TierErrorKind::Unsafe => Err(error),
            _ => Ok(sum),
        }
    }

    /// Shows the entries of a namespace, each key once: the location that wins a read wins here.
    pub(super) fn list(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let shelf_name = namespace.to_string();
        let mut seen = HashSet::new();
        let mut done = false;
        self.everywhere(|site| {
            if done {
                return Ok(0);
            }
            let Some(shelf) = site.shelf(Format::CURRENT, &shelf_name, Absent::Leave)? else {
                return Ok(0);
            };
            shelf.walk(&mut |file| {
                if file.kind != Kind::Entry {
                    return true;
                }
                let Some(listed) = self.peek(file) else {
                    return true;
                };
                let envelope = &listed.envelope;
                if envelope.namespace == *namespace
                    && envelope.key.starts_with(prefix)
                    && self.place(&envelope.key).entry() == file.name
                    && seen.insert(envelope.key.clone())
                {
                    done = visit(listed).is_break();
                }
                !done
            })?;
            Ok(0)
        })
        .map(drop)
    }

    /// The envelope alone; `None` for what cannot be read.
    fn peek(&self, file: &Seen<'_>) -> Option<Listed> {
        let Seen { folder, name, .. } = file;
        let meta = folder.meta(name).ok()??;
        let head = folder.read_head(name, HEAD).ok()??;
        let envelope = self.codec.peek(&head).ok()?;
        Some(Listed {
            envelope: Arc::new(envelope),
            bytes: meta.len,
            path: Some(folder.path().join(name)),
            accesses: None,
            last_access: None,
        })
    }

    /// Removes what has expired, is damaged or orphaned in one location, then enforces its bound.
    pub(super) fn sweep(&self, site: &Site, now: SystemTime) -> Result<u64, Reason> {
        let mut removed = 0;
        each_shelf(site, &mut |namespace, folder| {
            let shelf = Shelf::new(folder);
            let mut doomed = Vec::new();
            shelf.walk(&mut |file| {
                if let Some(why) = self.doom(namespace, file, now) {
                    doomed.push((
                        file.sub.map(str::to_owned),
                        file.name.to_owned(),
                        file.kind,
                        why,
                    ));
                }
                true
            })?;
            for (sub, name, kind, why) in doomed {
                let (sub, name) = (sub.as_deref(), name.as_str());
                let Some(folder) = shelf.sub(sub, Absent::Leave)? else {
                    continue;
                };
                let _lock = Lock::take(&folder, self.lock_wait)?;
                let file = Seen {
                    folder: &folder,
                    sub,
                    name,
                    kind,
                };
                if self.doom(namespace, &file, now).is_some() && folder.remove(name)? {
                    let path = folder.path().join(name);
                    tracing::debug!(path = %path.display(), reason = %why, "cache file swept");
                    removed += 1;
                }
            }
            Ok(())
        })?;
        Ok(removed + self.evict(site, None))
    }

    /// Why a file is to go, if it is.
    fn doom(&self, namespace: &str, file: &Seen<'_>, now: SystemTime) -> Option<Reason> {
        match file.kind {
            Kind::Other => return None,
            Kind::Temporary => return older(file, now, ORPHANED_AFTER),
            Kind::Lease => return older(file, now, LEASE_KEPT_FOR),
            Kind::Entry => {}
        }
        let bytes = match file.folder.read(file.name, self.cap()) {
            Ok(bytes) => Bytes::from(bytes?),
            // The system's no is not the file's fault.
            Err(Reason::Io { .. }) => return None,
            Err(reason) => return Some(reason),
        };
        let entry = match self.codec.decode_any(bytes) {
            Ok(entry) => entry,
            // Of another version of the package: not ours to judge.
            Err(error) if error.kind() == TierErrorKind::Foreign => return None,
            Err(error) => return Some(Reason::Corrupt(error.to_string())),
        };
        let envelope = entry.envelope();
        let is_lost = envelope.namespace.to_string() != namespace
            || file.sub.is_some() && Place::of(&envelope.key, None).entry() != file.name;
        if is_lost {
            return Some(Reason::OtherKey);
        }
        (envelope.standing(now) == Standing::Expired).then_some(Reason::Expired)
    }

    /// Removes the oldest entries of a location until it is within its bound; how many. The entry
    /// just written stays. Never fails: what cannot be removed now is tried again.
    pub(super) fn evict(&self, site: &Site, spared: Option<(&str, &Place)>) -> u64 {
        let mut files = match inventory(site) {
            Ok(files) => files,
            Err(reason) => {
                let path = site.location.path.display();
                tracing::debug!(%path, %reason, "cache location not measured");
                return 0;
            }
        };
        let mut total: u64 = files.iter().map(|file| file.len).sum();
        files.sort_by(|a, b| (a.modified, &a.name).cmp(&(b.modified, &b.name)));
        let mut evicted = 0;
        for file in files {
            if total <= self.max_bytes {
                break;
            }
            let is_spared = spared.is_some_and(|(namespace, place)| {
                file.namespace == namespace && file.name == place.entry()
            });
            if is_spared {
                continue;
            }
            match file.remove(site) {
                Ok(was_there) => {
                    total = total.saturating_sub(file.len);
                    evicted += u64::from(was_there);
                }
                Err(reason) => {
                    let path = site.location.path.display();
                    let name = &file.name;
                    tracing::debug!(%path, name, %reason, "cache entry not evicted");
                }
            }
        }
        if evicted > 0 {
            let path = site.location.path.display();
            tracing::debug!(%path, evicted, "oldest cache entries removed to make room");
        }
        site.bytes.store(total, Ordering::Relaxed);
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
        evicted
    }
}

/// Whether a file's last change is further from `now` than `limit`, before or after.
fn older(file: &Seen<'_>, now: SystemTime, limit: Duration) -> Option<Reason> {
    let modified = file.folder.meta(file.name).ok()??.modified;
    let apart = now
        .duration_since(modified)
        .unwrap_or_else(|ahead| ahead.duration());
    (apart > limit).then_some(Reason::Expired)
}

/// Shows every namespace's folder of a location.
fn each_shelf(
    site: &Site,
    visit: &mut dyn FnMut(&str, Folder) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let Some(format) = site.format(Format::CURRENT, Absent::Leave)? else {
        return Ok(());
    };
    for name in format.names()? {
        if name.parse::<Namespace>().is_err() {
            continue;
        }
        match format.child(&name, Absent::Leave) {
            Ok(Some(folder)) => visit(&name, folder)?,
            Ok(None) => {}
            Err(reason) => {
                let path = format.path().join(&name);
                tracing::debug!(path = %path.display(), %reason, "cache folder left out");
            }
        }
    }
    Ok(())
}

/// Every entry's file in a location.
pub(super) fn inventory(site: &Site) -> Result<Vec<Filed>, Reason> {
    let mut files = Vec::new();
    each_shelf(site, &mut |namespace, folder| {
        Shelf::new(folder).walk(&mut |file| {
            if file.kind == Kind::Entry
                && let Ok(Some(meta)) = file.folder.meta(file.name)
                && meta.is_file
            {
                files.push(Filed {
                    namespace: namespace.to_owned(),
                    sub: file.sub.map(str::to_owned),
                    name: file.name.to_owned(),
                    len: meta.len,
                    modified: meta.modified,
                });
            }
            true
        })
    })?;
    Ok(files)
}

/// Removes every entry of a namespace in one location, and its litter; how many entries.
pub(super) fn clear(site: &Site, namespace: &str) -> Result<u64, Reason> {
    let Some(shelf) = site.shelf(Format::CURRENT, namespace, Absent::Leave)? else {
        return Ok(0);
    };
    let (mut removed, mut failed) = (0, None);
    shelf.walk(&mut |file| {
        // A lease stays: its holder is still computing.
        if file.kind != Kind::Lease {
            match file.folder.remove(file.name) {
                Ok(was_there) => removed += u64::from(was_there && file.kind == Kind::Entry),
                Err(reason) => failed = Some(reason),
            }
        }
        true
    })?;
    failed.map_or(Ok(removed), Err)
}
