//! All files of a location at once: listing, clearing, sweeping and evicting.
//!
//! Nothing here decides what a lookup answers. A file is judged twice before it is removed, the second
//! time under the lock, so that a writer that came between keeps its entry.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::files::{Absent, Folder};
use super::layout::{Kind, Place};
use super::lock::Lock;
use super::reason::Reason;
use super::shelf::{Seen, Shelf, Site};
use super::{DiskTier, Listed, Namespace, Standing};
use crate::tier::{TierError, TierErrorKind};

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
    /// Removes the file if it is still the one that was seen; whether it was.
    fn remove(&self, site: &Site, wait: Duration) -> Result<bool, Reason> {
        let Some(shelf) = site.shelf(&self.namespace, Absent::Leave)? else {
            return Ok(false);
        };
        let Some(folder) = shelf.sub(self.sub.as_deref(), Absent::Leave)? else {
            return Ok(false);
        };
        let _lock = Lock::take(&folder, wait)?;
        let is_same = folder
            .meta(&self.name)?
            .is_some_and(|meta| (meta.len, meta.modified) == (self.len, self.modified));
        Ok(is_same && folder.remove(&self.name)?)
    }
}

impl DiskTier {
    /// Does the same in every location; the sum, or the first failure when all had their turn. A
    /// location that is refused is left out.
    pub(super) fn everywhere(
        &self,
        work: impl FnMut(&Site) -> Result<u64, Reason>,
    ) -> Result<u64, TierError> {
        self.in_each(work, |reason| reason.is_refusal())
    }

    /// The same for what must reach every entry: of the locations that are refused only those are left
    /// out that hold nothing of ours. Our own, refused for its mode, may be fit for use again later,
    /// with all that is in it.
    pub(super) fn everywhere_ours(
        &self,
        work: impl FnMut(&Site) -> Result<u64, Reason>,
    ) -> Result<u64, TierError> {
        self.in_each(work, Reason::is_not_ours)
    }

    fn in_each(
        &self,
        mut work: impl FnMut(&Site) -> Result<u64, Reason>,
        is_left_out: impl Fn(&Reason) -> bool,
    ) -> Result<u64, TierError> {
        let (mut sum, mut failed) = (0, None);
        for site in &self.sites {
            match work(site) {
                Ok(count) => sum += count,
                Err(reason) => {
                    let is_left_out = is_left_out(&reason);
                    let error = TierError::from(reason).at(&site.location.path);
                    Self::complain(site, &error);
                    if !is_left_out {
                        failed.get_or_insert(error);
                    }
                }
            }
        }
        failed.map_or(Ok(sum), Err)
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
        self.everywhere_ours(|site| {
            if done {
                return Ok(0);
            }
            let Some(shelf) = site.shelf(&shelf_name, Absent::Leave)? else {
                return Ok(0);
            };
            let left_out = shelf.walk(&mut |file| {
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
            left_out.map_or(Ok(0), Err)
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
            // Files of a folder whose lock is held are left for the next time.
            let mut busy = HashSet::new();
            for (sub, name, kind, why) in doomed {
                if busy.contains(&sub) {
                    continue;
                }
                let (sub, name) = (sub.as_deref(), name.as_str());
                let Some(folder) = shelf.sub(sub, Absent::Leave)? else {
                    continue;
                };
                let _lock = match Lock::take(&folder, self.lock_wait) {
                    Ok(lock) => lock,
                    Err(reason) => {
                        let path = folder.path();
                        tracing::debug!(path = %path.display(), %reason, "cache folder not swept");
                        busy.insert(sub.map(str::to_owned));
                        continue;
                    }
                };
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
        self.evict(site, None);
        Ok(removed)
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

    /// Removes the oldest entries of a location until it is within its bound. The entry just written
    /// stays. Never fails: what cannot be removed now is tried again.
    pub(super) fn evict(&self, site: &Site, spared: Option<(&str, &Place)>) {
        // What others write from now on is added to what is counted here.
        site.bytes.store(0, Ordering::Relaxed);
        let mut files = match inventory(site) {
            Ok(files) => files,
            Err(reason) => {
                let path = site.location.path.display();
                tracing::debug!(%path, %reason, "cache location not measured");
                site.bytes.store(u64::MAX, Ordering::Relaxed);
                return;
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
            // Who is writing there now need not be waited for: there are others.
            match file.remove(site, Duration::ZERO) {
                // Else it was replaced or removed meanwhile, by whoever counts that.
                Ok(removed) => {
                    total = total.saturating_sub(file.len);
                    evicted += u64::from(removed);
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
        site.add_bytes(total);
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
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
    let Some(format) = site.current(Absent::Leave)? else {
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
        Shelf::new(folder)
            .walk(&mut |file| {
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
            .map(drop)
    })?;
    Ok(files)
}

/// Removes every entry of a namespace in one location, and its litter; how many entries.
pub(super) fn clear(site: &Site, namespace: &str, wait: Duration) -> Result<u64, Reason> {
    let Some(shelf) = site.shelf(namespace, Absent::Leave)? else {
        return Ok(0);
    };
    let mut doomed: BTreeMap<Option<String>, Vec<(String, Kind)>> = BTreeMap::new();
    let mut failed = shelf.walk(&mut |file| {
        // A lease stays: its holder is still computing.
        if file.kind != Kind::Lease {
            let folder = doomed.entry(file.sub.map(str::to_owned)).or_default();
            folder.push((file.name.to_owned(), file.kind));
        }
        true
    })?;
    let mut removed = 0;
    for (sub, files) in doomed {
        let Some(folder) = shelf.sub(sub.as_deref(), Absent::Leave)? else {
            continue;
        };
        // After one that is held, no other lock is waited for: the wait stays bounded.
        let patience = if failed.is_none() {
            wait
        } else {
            Duration::ZERO
        };
        let _lock = match Lock::take(&folder, patience) {
            Ok(lock) => lock,
            Err(reason) => {
                failed = Some(reason);
                continue;
            }
        };
        for (name, kind) in files {
            match folder.remove(&name) {
                Ok(was_there) => removed += u64::from(was_there && kind == Kind::Entry),
                Err(reason) => failed = Some(reason),
            }
        }
    }
    failed.map_or(Ok(removed), Err)
}
