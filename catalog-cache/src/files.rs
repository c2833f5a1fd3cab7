//! The file tier: one file per entry, in several locations in priority order.
//!
//! - **Reads** return the first valid entry by priority, even if a later location has a newer one. A
//!   damaged, foreign or unsafe file is skipped, and never read in part.
//! - **Writes** go to the first location that works, whole and durable: temporary file, sync, rename, sync
//!   of the folder. Older entries in the locations before it are removed where possible.
//! - **Processes** that share a location order their writes by a lock that one call waits for at most
//!   200 ms. A process holds a lease until it releases it or ends; another one does not wait for it.
//! - **Bounds**: an entry has at most the codec's largest size, a location the size of
//!   [`FilesOptions::max_bytes`].
//!
//! The checksum of an entry detects accidents, not a user who may write the file. The protection against
//! other users is that every folder and file is verified on its open handle, without following links: this
//! user's, with modes 0700 and 0600, and without a second name. Cached data never runs code and never
//! widens permissions. On platforms other than Unix the platform's cache folder has to be the user's own.

mod cleanup;
pub(crate) mod error;
pub(crate) mod folder;
mod layout;
pub(crate) mod location;
pub(crate) mod lock;
mod namespace_dir;
mod options;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use self::folder::IfMissing;
use self::layout::EntryPath;
use self::location::Location;
use self::lock::{LeaseFile, Lock};
use self::namespace_dir::{NamespaceDir, open_format};
use crate::{
    Acquired, Clock, Codec, Coordinator, Deadline, Entry, EntryInfo, FencingToken, Found, Key,
    LeaseGuard, Namespace, Pattern, Tier, TierError, TierErrorKind, TierStatus, Written,
};

pub use self::options::FilesOptions;

/// The longest time that one call waits for locks.
pub(crate) const LOCK_WAIT: Duration = Duration::from_millis(200);

/// Entries as files, in several locations in priority order.
///
/// [`CacheBuilder::files`](crate::CacheBuilder::files) adds it to a cache. Its lease is a file lock: one per
/// machine, without a time limit and without a token, released at the latest when the process ends.
#[derive(Debug)]
pub struct FileTier {
    locations: Vec<Location>,
    /// The folder of this version in a location.
    format: String,
    codec: Codec,
    clock: Arc<dyn Clock>,
    /// The key with a readable file name.
    named: Option<(Key, String)>,
    max_bytes: u64,
    evictions: AtomicU64,
}

impl FileTier {
    /// A tier in these locations. No file is touched; the first write creates the folders.
    #[must_use]
    pub fn new(options: &FilesOptions, codec: Codec, clock: Arc<dyn Clock>) -> Self {
        Self {
            locations: options.locations(),
            format: layout::format_folder(&codec),
            codec,
            clock,
            named: options.named.clone(),
            max_bytes: options.max_bytes,
            evictions: AtomicU64::new(0),
        }
    }

    fn entry_path(&self, key: &Key) -> EntryPath {
        EntryPath::of(key, self.named.as_ref())
    }

    /// The path of an entry's file in a location, for logs and answers.
    fn file(&self, location: &Location, namespace: &Namespace, path: &EntryPath) -> PathBuf {
        let mut file = location.path.join(&self.format);
        file.push(namespace.to_string());
        file.push(path.path());
        file
    }

    fn namespace_dir(
        &self,
        location: &Location,
        namespace: &Namespace,
        if_missing: IfMissing,
    ) -> Result<Option<NamespaceDir>, TierError> {
        NamespaceDir::open(location, &self.format, namespace, if_missing)
    }

    /// Reads and verifies the entry of a key.
    fn read(
        &self,
        dir: &NamespaceDir,
        path: &EntryPath,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Entry>, TierError> {
        match dir.read(path, self.codec.max_len() as u64) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => {
                let entry = self.codec.decode(Bytes::from(bytes), namespace, key);
                entry.map(Some)
            }
            // An unsafe file is a damaged entry, not a failure of the location.
            Err(error) if error.kind() == TierErrorKind::Unsafe => {
                let kind = TierErrorKind::Corrupt;
                Err(TierError::new(kind, "the cache entry cannot be used").with_source(error))
            }
            Err(error) => Err(error),
        }
    }

    fn get_in(
        &self,
        location: &Location,
        namespace: &Namespace,
        key: &Key,
        path: &EntryPath,
    ) -> Result<Option<Entry>, TierError> {
        match self.namespace_dir(location, namespace, IfMissing::Leave) {
            Ok(Some(dir)) => {
                let entry = self.read(&dir, path, namespace, key);
                entry.map_err(|error| error.at(self.file(location, namespace, path)))
            }
            Ok(None) => Ok(None),
            Err(error) => Err(error.at(&location.path)),
        }
    }

    /// The stored entry that supersedes `entry`.
    fn superseding(&self, dir: &NamespaceDir, path: &EntryPath, entry: &Entry) -> Option<Entry> {
        let envelope = entry.envelope();
        let stored = self.read(dir, path, &envelope.namespace, &envelope.key);
        let now = self.clock.now();
        let stored = stored.ok().flatten();
        stored.filter(|stored| stored.envelope().supersedes(envelope, now))
    }

    /// Writes to one location; the entry that supersedes this one, if there is one.
    fn write(
        &self,
        location: &Location,
        path: &EntryPath,
        entry: &Entry,
        bytes: &[u8],
        deadline: Deadline,
    ) -> Result<Option<Entry>, TierError> {
        let namespace = &entry.envelope().namespace;
        let dir = self
            .namespace_dir(location, namespace, IfMissing::Create)?
            .ok_or_else(error::missing)?;
        let folder = dir.create_folder_of(path)?;
        let lock = Lock::acquire(&folder, deadline)?;
        let superseding = self.superseding(&dir, path, entry);
        if superseding.is_some() {
            return Ok(superseding);
        }
        folder.write(&path.entry(), bytes)?;
        drop(lock);
        if location.add_bytes(bytes.len() as u64) > self.max_bytes {
            self.evict(location, Some(&path.entry()));
        }
        Ok(None)
    }

    /// Removes the entries that `entry` replaces from the locations before the one that stores it.
    fn remove_shadowed(
        &self,
        locations: &[Location],
        path: &EntryPath,
        entry: &Entry,
        deadline: Deadline,
    ) {
        let namespace = &entry.envelope().namespace;
        for location in locations {
            let file = self.file(location, namespace, path);
            let file = file.display();
            match self.remove_older(location, path, entry, deadline) {
                Ok(false) => {}
                Ok(true) => tracing::debug!(path = %file, "older cache entry removed"),
                Err(error) => {
                    tracing::debug!(path = %file, %error, "an older cache entry may shadow the newer");
                }
            }
        }
    }

    fn remove_older(
        &self,
        location: &Location,
        path: &EntryPath,
        entry: &Entry,
        deadline: Deadline,
    ) -> Result<bool, TierError> {
        let namespace = &entry.envelope().namespace;
        let Some(dir) = self.namespace_dir(location, namespace, IfMissing::Leave)? else {
            return Ok(false);
        };
        let Some(folder) = dir.folder(path.folder(), IfMissing::Leave)? else {
            return Ok(false);
        };
        if folder.info(&path.entry())?.is_none() {
            return Ok(false);
        }
        let _lock = Lock::acquire(&folder, deadline)?;
        let is_newer = self.superseding(&dir, path, entry).is_some();
        Ok(!is_newer && folder.remove(&path.entry())?)
    }

    fn lease_in(
        &self,
        location: &Location,
        namespace: &Namespace,
        path: &EntryPath,
    ) -> Result<Option<LeaseFile>, TierError> {
        let dir = self
            .namespace_dir(location, namespace, IfMissing::Create)?
            .ok_or_else(error::missing)?;
        LeaseFile::try_acquire(dir.create_folder_of(path)?, path.lease())
    }
}

/// Logs the failures that are not the result of a call: damaged entries as a warning each, failed locations
/// as one warning until they work again.
fn report(failed: Vec<(&Location, TierError)>) {
    for (location, error) in failed {
        if error.is_tier_failure() {
            location.warn_once(&error);
        } else if error.kind() != TierErrorKind::Foreign {
            let path = error.path().unwrap_or(&location.path).display();
            tracing::warn!(%path, %error, "cache entry skipped");
        }
    }
}

impl Tier for FileTier {
    fn name(&self) -> &'static str {
        "files"
    }

    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        _deadline: Deadline,
    ) -> Result<Option<Found>, TierError> {
        let path = self.entry_path(key);
        let (mut expired, mut is_usable, mut failed) = (None, false, Vec::new());
        for location in &self.locations {
            let file = self.file(location, namespace, &path);
            let shown = file.display();
            match self.get_in(location, namespace, key, &path) {
                Ok(None) => {
                    tracing::debug!(path = %shown, "cache miss");
                    is_usable = true;
                }
                Ok(Some(entry)) if entry.envelope().is_expired(self.clock.now()) => {
                    tracing::debug!(path = %shown, "cache entry expired");
                    expired.get_or_insert(Found::new(entry, Some(file.into())));
                }
                Ok(Some(entry)) => {
                    tracing::debug!(path = %shown, "cache entry read");
                    location.works();
                    report(failed);
                    return Ok(Some(Found::new(entry, Some(file.into()))));
                }
                Err(error) => {
                    tracing::debug!(path = %shown, %error, "cache entry skipped");
                    is_usable |= !error.is_tier_failure();
                    failed.push((location, error));
                }
            }
        }
        // One failure is the result, and logged by the cache: of an entry, or of the only location.
        let is_result = |error: &TierError| !(error.is_tier_failure() && is_usable);
        let result = match expired {
            Some(_) => None,
            None => failed.iter().position(|(_, error)| is_result(error)),
        };
        let result = result.map(|index| failed.remove(index).1);
        report(failed);
        result.map_or(Ok(expired), Err)
    }

    fn put(&self, entry: &Entry, deadline: Deadline) -> Result<Written, TierError> {
        let namespace = &entry.envelope().namespace;
        let path = self.entry_path(&entry.envelope().key);
        let encoded = self.codec.encode(entry)?;
        let bytes = encoded.bytes.len() as u64;
        if bytes > self.max_bytes {
            return Err(error::too_large(bytes));
        }
        // One budget for all locks of this call.
        let deadline = Deadline::after(deadline.at_most(LOCK_WAIT));
        let mut failed = Vec::new();
        for (index, location) in self.locations.iter().enumerate() {
            let file = self.file(location, namespace, &path);
            let superseding = match self.write(location, &path, entry, &encoded.bytes, deadline) {
                Ok(superseding) => superseding,
                // The location works, and another process is writing to it: the next one is no better.
                Err(error) if error.kind() == TierErrorKind::Timeout => return Err(error.at(file)),
                Err(error) => {
                    failed.push((location, error.at(file)));
                    continue;
                }
            };
            location.works();
            let before = self.locations.get(..index).unwrap_or_default();
            self.remove_shadowed(before, &path, entry, deadline);
            return Ok(match superseding {
                Some(newer) => Written::Superseded(newer),
                None => Written::Stored {
                    path: Some(file),
                    bytes,
                    saved: encoded.saved,
                    fallback_from: failed.into_iter().map(|(_, error)| error).collect(),
                },
            });
        }
        // One failure is the result, and logged by the cache.
        let result = failed.pop().map(|(_, error)| error);
        report(failed);
        Err(result.unwrap_or_else(error::no_location))
    }

    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        deadline: Deadline,
    ) -> Result<u64, TierError> {
        let mut keys = BTreeSet::new();
        let listed = match pattern.as_exact() {
            Some(key) => {
                keys.insert(key.clone());
                Ok(())
            }
            None => self.scan(namespace, pattern.prefix(), deadline, &mut |info| {
                let key = &info.envelope.key;
                if pattern.matches(key) {
                    keys.insert(key.clone());
                }
                ControlFlow::Continue(())
            }),
        };
        // From every location: a later one must not bring a removed entry back.
        let mut removed = BTreeSet::new();
        let result = self.in_each_location(|location| {
            let Some(dir) = self.namespace_dir(location, namespace, IfMissing::Leave)? else {
                return Ok(());
            };
            let mut result = Ok(());
            for key in &keys {
                match dir.remove(&self.entry_path(key)) {
                    Ok(true) => drop(removed.insert(key)),
                    Ok(false) => {}
                    Err(error) => result = Err(error),
                }
            }
            result
        });
        listed.and(result).map(|()| removed.len() as u64)
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        self.visit_entries(namespace, prefix, deadline, visit)
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let mut removed = 0;
        self.in_each_location(|location| {
            removed += self.clean(location, now)?;
            Ok(())
        })
        .map(|()| removed)
    }

    fn status(&self) -> TierStatus {
        let mut states = Vec::new();
        let (mut ok, mut entries, mut bytes) = (false, 0, 0);
        for location in &self.locations {
            let folder = open_format(location, &self.format, IfMissing::Leave);
            let (works, state) = match folder.map(|folder| folder.map(|folder| folder.probe())) {
                Ok(None) => (true, "not created yet".to_owned()),
                Ok(Some(Ok(()))) => (true, "usable".to_owned()),
                Ok(Some(Err(error))) => (false, format!("read only: {error}")),
                Err(error) => (false, format!("not used: {error}")),
            };
            ok |= works;
            states.push(format!("{}: {state}", location.path.display()));
            for file in self.inventory(location).unwrap_or_default() {
                entries += 1;
                bytes += file.info.len;
            }
        }
        if states.is_empty() {
            states.push("there is no cache folder".to_owned());
        }
        TierStatus {
            ok,
            message: states.join("; "),
            entries: Some(entries),
            bytes: Some(bytes),
        }
    }

    fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    fn coordinator(&self) -> Option<&dyn Coordinator> {
        Some(self)
    }
}

impl Coordinator for FileTier {
    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        _ttl: Duration,
        _deadline: Deadline,
    ) -> Result<Acquired, TierError> {
        let path = self.entry_path(key);
        let mut failed = None;
        for location in &self.locations {
            match self.lease_in(location, namespace, &path) {
                Ok(Some(lease)) => {
                    return Ok(Acquired::Held(LeaseGuard::new(None, move || drop(lease))));
                }
                Ok(None) => return Ok(Acquired::Busy),
                Err(error) => {
                    let error = error.at(&location.path);
                    tracing::debug!(path = %location.path.display(), %error, "no lease here");
                    failed.get_or_insert(error);
                }
            }
        }
        Err(failed.unwrap_or_else(error::no_location))
    }

    fn put_if_current(
        &self,
        entry: &Entry,
        _token: FencingToken,
        deadline: Deadline,
    ) -> Result<Written, TierError> {
        self.put(entry, deadline)
    }
}
