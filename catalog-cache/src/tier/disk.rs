//! The disk tier: entries as files, in several locations in priority order.
//!
//! # What it promises
//! - **Reading**: the first valid entry wins, so a valid entry in the first location beats a newer one
//!   in a later. A damaged, foreign or unsafe file is skipped, never half read.
//! - **Writing**: the first location that works takes the entry, whole and durable (temporary file, sync,
//!   rename, sync of the folder). What lies before it and is older is removed where it can be, so that
//!   it does not shadow the newer.
//! - **Processes** that share a location order their writes by a lock that is waited for at most
//!   200 ms; an entry never replaces one that was written later.
//! - **Reads and writes are bounded**: one entry by the codec's longest, a location by
//!   [`DiskTier::with_max_bytes`].
//!
//! # Other users of the machine
//! The checksum in an entry finds accidents. It does not stop someone who may write the file: the
//! defence is that every folder and file is verified on its open handle, without following links, to
//! belong to this user, with modes 0700 and 0600 and a single name, and is refused otherwise. Cached data
//! can never run code or widen permissions, whoever wrote it. On platforms other than Unix the
//! defence is that the platform's cache folder is the user's own.
//!
//! This room alone touches cache files. It may not know what the bytes mean.

mod entry;
pub(super) mod files;
mod health;
mod layout;
mod locations;
pub(super) mod lock;
mod reason;
mod shelf;
mod steps;
mod sweep;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use self::files::Absent;
use self::layout::{Format, Place};
use self::lock::HeldLease;
use self::shelf::Site;
use super::{
    Found, Health, Lease, LeaseOutcome, Listed, Receipt, Size, Tier, TierError, TierErrorKind,
};
use crate::{Clock, Codec, Entry, Key, Namespace, Standing, SystemClock};

pub use self::health::{LocationHealth, LocationState};
pub use self::locations::{Locations, check_guess};
pub use self::reason::Reason;
pub use self::steps::Step;

/// The longest wait for the lock of a folder.
pub const LOCK_WAIT: Duration = Duration::from_millis(200);

/// The default of [`DiskTier::with_max_bytes`], in bytes.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

/// Entries as files, in several folders in priority order. See the [module](self) for what it
/// promises.
///
/// ```
/// use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};
/// use bedrock_catalog_cache::{Codec, Entry, Envelope, Horizons, Key, Namespace, Tier};
/// use std::time::{Duration, SystemTime};
///
/// # let folder = tempfile::tempdir()?;
/// let disk = DiskTier::new(Locations::given([folder.path()]), Codec::new("0.1.0"));
/// let namespace = Namespace::of(["example"]);
/// let key = Key::new("greeting", "get", "world");
/// let entry = Entry::new(
///     Envelope {
///         key: key.clone(),
///         namespace,
///         written_at: SystemTime::now(),
///         horizons: Horizons {
///             fresh_for: Duration::from_secs(60),
///             keep_for: Duration::from_secs(3_600),
///         },
///         source: "example".into(),
///         package_version: "0.1.0".into(),
///     },
///     r#""hello""#.into(),
/// );
/// disk.put(&entry)?;
/// let found = disk.get(&namespace, &key)?.expect("just written");
/// assert_eq!(found.entry, entry);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DiskTier {
    sites: Vec<Site>,
    /// What is read, newest first; the first is what is written.
    formats: Vec<Format>,
    codec: Codec,
    clock: Arc<dyn Clock>,
    well_known: Option<(Key, String)>,
    max_bytes: u64,
    lock_wait: Duration,
    evictions: AtomicU64,
}

impl DiskTier {
    /// A disk tier in these locations. Touches no file; folders are made when something is written.
    #[must_use]
    pub fn new(locations: Locations, codec: Codec) -> Self {
        let formats = Format::all_of(&codec);
        let current = formats.first().cloned();
        let site = |location| Some(Site::new(location, current.clone()?));
        Self {
            sites: locations.list.into_iter().filter_map(site).collect(),
            formats,
            codec,
            clock: Arc::new(SystemClock),
            well_known: None,
            max_bytes: DEFAULT_MAX_BYTES,
            lock_wait: LOCK_WAIT,
            evictions: AtomicU64::new(0),
        }
    }

    /// Reads the time from this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Gives the file of one key a name for people: `NAME.jsonl`. Of the name, what is not a letter, a
    /// digit, `-` or `_` is left out; nothing left means no name.
    #[must_use]
    pub fn with_well_known(mut self, key: Key, name: &str) -> Self {
        let name: String = name
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .take(64)
            .collect();
        self.well_known = (!name.is_empty()).then_some((key, name));
        self
    }

    /// The most that one location holds, in bytes; the oldest files make room. 64 MiB by default.
    #[must_use]
    pub fn with_max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// The longest wait for another process's write. 200 ms by default, which is also the most.
    #[must_use]
    pub fn with_lock_wait(mut self, wait: Duration) -> Self {
        self.lock_wait = wait.min(LOCK_WAIT);
        self
    }

    /// What each location is good for, first choice first. Opens each, and makes and removes an empty
    /// file where there is one; makes no folder.
    #[must_use]
    pub fn locations(&self) -> Vec<LocationHealth> {
        self.sites.iter().map(health::of_location).collect()
    }

    fn place(&self, key: &Key) -> Place {
        Place::of(key, self.well_known.as_ref())
    }

    fn cap(&self) -> u64 {
        self.codec.max_len() as u64
    }
}

impl Tier for DiskTier {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError> {
        let place = self.place(key);
        let folder = namespace.to_string();
        let mut expired = None;
        // What is said where nothing was found: an entry that cannot be used, or no location.
        let (mut damaged, mut unusable, mut usable) = (None, None, false);
        for format in &self.formats {
            for site in &self.sites {
                let path = site.path_of(format, &folder, &place);
                let shelf = match site.shelf_of(format, &folder, Absent::Leave) {
                    Ok(shelf) => shelf,
                    Err(reason) => {
                        let error = TierError::from(reason).at(&site.location.path);
                        Self::complain(site, &error);
                        unusable.get_or_insert(error);
                        continue;
                    }
                };
                usable = true;
                let read =
                    shelf.map_or(Ok(None), |shelf| self.read(&shelf, &place, namespace, key));
                match read {
                    Ok(None) => tracing::debug!(path = %path.display(), "cache miss"),
                    Ok(Some(entry)) => {
                        let now = self.clock.now();
                        if entry.envelope().standing(now) == Standing::Expired {
                            tracing::debug!(path = %path.display(), "cache entry expired");
                            expired.get_or_insert(Found::new(entry, Some(path.into())));
                            continue;
                        }
                        site.warned.store(false, Ordering::Relaxed);
                        tracing::debug!(path = %path.display(), "cache entry read");
                        return Ok(Some(Found::new(entry, Some(path.into()))));
                    }
                    Err(error) if error.kind() == TierErrorKind::Foreign => {
                        tracing::debug!(path = %path.display(), %error, "cache entry skipped");
                        damaged.get_or_insert(error.at(path));
                    }
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "cache entry skipped");
                        damaged.get_or_insert(error.at(path));
                    }
                }
            }
        }
        match (expired, damaged, unusable) {
            (Some(found), _, _) => Ok(Some(found)),
            (None, Some(error), _) => Err(error),
            (None, None, Some(error)) if !usable => Err(error),
            _ => Ok(None),
        }
    }

    fn put(&self, entry: &Entry) -> Result<Receipt, TierError> {
        let place = self.place(&entry.envelope().key);
        let namespace = entry.envelope().namespace.to_string();
        let encoded = self.codec.encode(entry)?;
        let bytes = encoded.bytes.len() as u64;
        if bytes > self.max_bytes {
            return Err(Reason::TooLarge(bytes).into());
        }
        let mut failed = Vec::new();
        for (index, site) in self.sites.iter().enumerate() {
            let path = site.path(&namespace, &place);
            let superseded_by = match self.write_to(site, &place, entry, &encoded.bytes) {
                Ok(superseded_by) => superseded_by,
                // Another process is writing, or holds the lock for ever: the write is left out.
                Err(Reason::Busy) => return Err(TierError::from(Reason::Busy).at(path)),
                Err(reason) => {
                    failed.push(TierError::from(reason).at(path));
                    continue;
                }
            };
            site.warned.store(false, Ordering::Relaxed);
            if superseded_by.is_some() {
                tracing::debug!(path = %path.display(), "a newer cache entry is already there");
            }
            self.unshadow(self.sites.get(..index).unwrap_or_default(), &place, entry);
            return Ok(Receipt {
                path: Some(path),
                bytes,
                saved: encoded.saved,
                failed,
                superseded_by,
                removed_since: false,
            });
        }
        // One error is the answer; what happened before it is told here.
        let error = failed.pop().unwrap_or_else(|| {
            TierError::new(
                TierErrorKind::Unavailable,
                "there is no usable cache folder",
            )
        });
        for error in &failed {
            let path = error.path().unwrap_or(std::path::Path::new("")).display();
            tracing::warn!(%path, %error, "cache entry not written here");
        }
        Err(error)
    }

    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError> {
        let place = self.place(key);
        let folder = namespace.to_string();
        self.everywhere_ours(|site| {
            let Some(shelf) = site.shelf(&folder, Absent::Leave)? else {
                return Ok(0);
            };
            shelf.remove(&place).map(u64::from)
        })
        .map(|removed| removed > 0)
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        self.list(namespace, prefix, visit)
    }

    fn clear(&self, namespace: &Namespace) -> Result<u64, TierError> {
        let folder = namespace.to_string();
        self.everywhere_ours(|site| sweep::clear(site, &folder, self.lock_wait))
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        self.everywhere(|site| self.sweep(site, now))
    }

    fn size(&self) -> Result<Size, TierError> {
        let mut size = Size::default();
        self.everywhere(|site| {
            for file in sweep::inventory(site)? {
                size.entries += 1;
                size.bytes += file.len;
            }
            Ok(0)
        })?;
        Ok(size)
    }

    fn health(&self) -> Health {
        health::of_all(&self.locations())
    }

    fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        wait: Duration,
        lease: Duration,
    ) -> Result<LeaseOutcome, TierError> {
        let place = self.place(key);
        let folder = namespace.to_string();
        let mut failed = None;
        for site in &self.sites {
            let taken = site
                .shelf(&folder, Absent::Make)
                .and_then(|shelf| shelf.ok_or(Reason::Missing)?.make_for(&place))
                .and_then(|folder| {
                    HeldLease::take(folder, &place.lease(), wait, self.clock.now(), lease)
                });
            match taken {
                Ok(None) => return Ok(LeaseOutcome::Busy),
                Ok(Some(held)) => {
                    let token = held.token();
                    return Ok(LeaseOutcome::Held(Lease::new(held, Some(token))));
                }
                Err(reason) => {
                    let is_busy = matches!(reason, Reason::Busy);
                    let error = TierError::from(reason).at(&site.location.path);
                    if is_busy {
                        return Err(error);
                    }
                    tracing::debug!(path = %site.location.path.display(), %error, "no lease here");
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(LeaseOutcome::Unsupported), Err)
    }
}

/// Does the work of a test while no file can be made.
#[cfg(test)]
pub(crate) fn on_a_full_disk<T>(work: impl FnOnce() -> T) -> T {
    const ENOSPC: i32 = 28;
    steps::probe::failing(|_, step| (step == Step::Create).then_some(ENOSPC), work)
}
