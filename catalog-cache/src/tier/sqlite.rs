//! The SQLite tier: one file that the processes of a machine share.
//!
//! # What it promises
//! - **One file**, made with mode 0600 when something is first written. Its folder must be the user's own
//!   and closed to other writers, as the [disk tier](super::disk)'s; nothing else is used. The file has
//!   to be on a local disk: SQLite's locks do not hold over a network.
//! - **Waiting is bounded**: for other processes and threads together at most 200 ms, then the call fails
//!   and the cache goes on without this tier; with its own work a call takes some 250 ms at most.
//! - **Writes are whole**: each is a transaction; a process that is killed leaves the old entry or the
//!   new. An entry never replaces one that was written later, nor, where it was computed, one that was
//!   computed later or removed meanwhile, whatever the clock says.
//! - **A lease is short**: whoever holds one gives a sign of life, on a thread that is there meanwhile; 5 s
//!   after the last another process takes over.
//! - **A damaged file is set aside**, renamed to `NAME.damaged-1` and so on (three are kept), and a new
//!   one is made; one line of the log names both. Another program's database is refused and left as it
//!   is, and so is one of a newer format.
//! - **Entries are checked** like those of the disk tier, by the same [`Codec`]: a row that was tampered
//!   with by accident is refused. The checksum does not stop someone who may write the file; the
//!   owner and mode of file and folder are the defence.
//!
//! Versions of this package share the file and never a row: each row names the `MAJOR.MINOR` that wrote
//! it. A process that forks must not have used the tier before; in the fork it answers with an error.
//!
//! This room may not know what the bytes mean.

mod fault;
mod lease;
mod order;
mod place;
mod rows;
mod schema;
mod store;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rusqlite::{Connection, Transaction};

use self::fault::Fault;
use self::order::Order;
use self::place::Place;
use self::rows::Access;
use self::store::Store;
use super::disk::files::Absent;
use super::{
    Begun, Found, Health, Lease, LeaseOutcome, Listed, Receipt, Size, Tier, TierError,
    TierErrorKind,
};
use crate::entry::to_millis;
use crate::{Clock, Codec, Entry, Key, Namespace, Pattern, SystemClock};

/// The longest wait for other processes and threads.
pub const BUSY_WAIT: Duration = Duration::from_millis(200);

/// The default of [`SqliteTier::with_max_bytes`], in bytes.
pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

/// How long one call's own work may take, beside the waiting.
const WORK: Duration = Duration::from_millis(250);
/// The same where all rows are looked at.
const LONG_WORK: Duration = Duration::from_secs(10);
/// How many reads are counted in memory before they are written down.
const READS: u64 = 64;
/// The smallest part of the bound after which it is looked at again.
const SLACK: u64 = 16;
/// What a counter takes, about, in bytes.
const COUNTER: u64 = 256;
/// The part of the bound that counters may take; a few are always kept.
const COUNTERS: u64 = 4;
/// See [`COUNTERS`].
const MIN_COUNTERS: u64 = 1024;

/// Entries in one SQLite file. See the [module](self) for what it promises.
///
/// ```
/// use bedrock_catalog_cache::tier::sqlite::SqliteTier;
/// use bedrock_catalog_cache::{Cache, Codec, Key, Terms, Tier};
/// use std::sync::Arc;
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("cache.sqlite");
/// let tier = SqliteTier::new(&path, Codec::new("0.1.0"));
/// let cache = Cache::builder().package_version("0.1.0").tier(Arc::new(tier) as Arc<dyn Tier>).build()?;
/// let key = Key::new("greeting", "get", "world");
/// cache.put(&key, "hello", &Terms::source("example"));
/// let hit = cache.get(&key).into_hit().ok_or("just written")?;
/// assert_eq!(hit.data, "hello");
/// assert_eq!(hit.tier(), Some("sqlite"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteTier {
    store: Arc<Store>,
    /// What Found names.
    path: Arc<Path>,
    codec: Codec,
    /// The `MAJOR.MINOR` lines that are read; the first is also what is written.
    lines: Vec<String>,
    clock: Arc<dyn Clock>,
    max_bytes: u64,
    evictions: AtomicU64,
    /// Bytes written since the bound was looked at; of the first write, all that may be there.
    unsettled: AtomicU64,
    reads: Mutex<Reads>,
}

/// Reads that are not written down yet, by row.
#[derive(Debug, Default)]
struct Reads {
    count: u64,
    rows: HashMap<i64, Access>,
}

impl SqliteTier {
    /// A tier in this file. Touches nothing: the file is opened by the first read and made by the
    /// first write.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, codec: Codec) -> Self {
        Self::with(path.into(), codec, DEFAULT_MAX_BYTES, BUSY_WAIT)
    }

    fn with(path: PathBuf, codec: Codec, max_bytes: u64, busy: Duration) -> Self {
        let mut lines: Vec<String> = codec.lines().map(str::to_owned).collect();
        if lines.is_empty() {
            lines.push("other".to_owned());
        }
        let place = Place::new(path.clone(), codec.max_len());
        Self {
            store: Arc::new(Store::new(place, busy)),
            path: path.into(),
            codec,
            lines,
            clock: Arc::new(SystemClock),
            max_bytes,
            evictions: AtomicU64::new(0),
            unsettled: AtomicU64::new(u64::MAX),
            reads: Mutex::default(),
        }
    }

    /// Reads the time from this clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The most that the entries take, in bytes; the oldest make room. 64 MiB by default. The file
    /// may be twice as large, and 16 MiB more; one that is larger still, as with a lower bound than
    /// before, is made smaller by and by, and by a cleanup at once.
    #[must_use]
    pub fn with_max_bytes(self, max_bytes: u64) -> Self {
        let clock = Arc::clone(&self.clock);
        let path = self.path.to_path_buf();
        Self::with(path, self.codec.clone(), max_bytes, BUSY_WAIT).with_clock(clock)
    }

    fn line(&self) -> &str {
        self.lines.first().map_or("", String::as_str)
    }

    fn now(&self) -> i64 {
        signed(to_millis(self.clock.now()))
    }

    /// The entry as it lies there, whole and of this key, and its row.
    fn find(
        &self,
        connection: &Connection,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Found>, Fault> {
        let mut damaged = None;
        for line in &self.lines {
            let Some(row) = rows::get(connection, line, namespace, key)? else {
                continue;
            };
            match self.codec.decode(Bytes::from(row.data), namespace, key) {
                Ok(entry) => {
                    self.count_read(row.id);
                    return Ok(Some(Found::new(entry, Some(Arc::clone(&self.path)))));
                }
                Err(error) => {
                    damaged.get_or_insert(error);
                }
            }
        }
        damaged.map_or(Ok(None), |error| Err(error.into()))
    }

    fn reads(&self) -> MutexGuard<'_, Reads> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_read(&self, id: i64) {
        let now = self.now();
        let mut reads = self.reads();
        reads.count += 1;
        let access = reads.rows.entry(id).or_default();
        access.count += 1;
        access.last = now;
    }

    /// Writes the counted reads down, where enough have come together.
    fn settle_reads(&self, at_least: u64) {
        let reads = {
            let mut reads = self.reads();
            if reads.count < at_least {
                return;
            }
            std::mem::take(&mut *reads)
        };
        self.store.write_at_once(|work| {
            reads
                .rows
                .iter()
                .try_for_each(|(id, access)| rows::accessed(work, *id, *access))
        });
    }

    /// Removes the oldest entries and counters, if it is time to look and they are too many; never the
    /// one just written, which is the newest that this process knows.
    fn make_room(&self, work: &Transaction<'_>, written: u64) -> Result<(), Fault> {
        let unsettled = self
            .unsettled
            .load(Ordering::Relaxed)
            .saturating_add(written);
        self.unsettled.store(unsettled, Ordering::Relaxed);
        if unsettled <= self.max_bytes / SLACK {
            return Ok(());
        }
        if self.evict(work)? {
            self.unsettled.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether there is room now: of very many only some go at once.
    fn evict(&self, work: &Transaction<'_>) -> Result<bool, Fault> {
        let evicted = rows::evict(work, self.max_bytes)?;
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
        let most = (self.max_bytes / COUNTERS / COUNTER).max(MIN_COUNTERS);
        let forgotten = rows::forget_counters(work, most, self.now())?;
        Ok(evicted < rows::AT_ONCE && forgotten < rows::AT_ONCE)
    }
}

/// Times and tokens are far below what SQLite's signed numbers hold.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// One error for each of several calls that failed together.
fn for_all<T>(error: TierError, count: usize) -> Vec<Result<T, TierError>> {
    let (kind, message) = (error.kind(), error.to_string());
    let mut all: Vec<_> = (1..count)
        .map(|_| Err(TierError::new(kind, message.clone())))
        .collect();
    if count > 0 {
        all.push(Err(error));
    }
    all
}

impl Tier for SqliteTier {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError> {
        let find = |connection: &mut Connection| self.find(connection, namespace, key);
        let found = self
            .store
            .with(Absent::Leave, Duration::ZERO, find)?
            .flatten();
        self.settle_reads(READS);
        Ok(found)
    }

    fn get_many(
        &self,
        namespace: &Namespace,
        keys: &[Key],
    ) -> Vec<Result<Option<Found>, TierError>> {
        let asked = self.store.with(Absent::Leave, WORK, |connection| {
            // One view of the file for all of them.
            let view = connection.transaction()?;
            let mut answers = Vec::with_capacity(keys.len());
            for key in keys {
                answers.push(match self.find(&view, namespace, key) {
                    Err(Fault::Tier(error)) if !error.is_tier_failure() => Err(error),
                    answer => Ok(answer?),
                });
            }
            Ok(answers)
        });
        self.settle_reads(READS);
        match asked {
            Ok(answers) => answers.unwrap_or_else(|| keys.iter().map(|_| Ok(None)).collect()),
            Err(error) => for_all(error, keys.len()),
        }
    }

    fn put(&self, entry: &Entry) -> Result<Receipt, TierError> {
        let mut receipts = self.put_all(std::slice::from_ref(entry), None);
        receipts.pop().unwrap_or_else(|| Ok(Receipt::default()))
    }

    fn put_many(&self, entries: &[Entry]) -> Vec<Result<Receipt, TierError>> {
        self.put_all(entries, None)
    }

    fn put_begun(&self, entry: &Entry, begun: &Begun) -> Result<Receipt, TierError> {
        let mut receipts = self.put_all(std::slice::from_ref(entry), Some(begun));
        receipts.pop().unwrap_or_else(|| Ok(Receipt::default()))
    }

    fn begin(&self, namespace: &Namespace, key: &Key) -> Result<Option<u64>, TierError> {
        let subject = self.subject(namespace, key.as_str());
        let draw = |work: &Transaction<'_>| {
            let number = order::draw(work, &subject, self.now())?;
            self.make_room(work, COUNTER)?;
            Ok(number)
        };
        self.store.write(Absent::Make, WORK, draw)
    }

    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError> {
        let remove = |work: &Transaction<'_>| self.remove_one(work, namespace, key);
        let removed = self.store.write(Absent::Leave, WORK, remove)?;
        Ok(removed.is_some_and(|removed| removed > 0))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        self.settle_reads(1);
        for line in &self.lines {
            // The connection is free between two pages.
            let mut after = String::new();
            loop {
                let page = self.store.with(Absent::Leave, LONG_WORK, |connection| {
                    rows::page(
                        connection,
                        line,
                        namespace,
                        prefix,
                        &after,
                        self.codec.max_len(),
                    )
                })?;
                let Some(last) = page.as_ref().and_then(|page| page.last()) else {
                    break;
                };
                after.clone_from(&last.key);
                for row in page.into_iter().flatten() {
                    let Some(listed) = row.listed(&self.codec, namespace, &self.path) else {
                        continue;
                    };
                    if listed.envelope.key.starts_with(prefix) && visit(listed).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    fn remove_matching(&self, namespace: &Namespace, pattern: &Pattern) -> Result<u64, TierError> {
        let remove = |work: &Transaction<'_>| self.remove_all_of(work, namespace, pattern);
        let removed = self.store.write(Absent::Leave, LONG_WORK, remove)?;
        Ok(removed.unwrap_or(0))
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let now = signed(to_millis(now));
        // First, so that there is the less to look through; others write in between.
        let evict = |work: &Transaction<'_>| self.evict(work);
        while self.store.write(Absent::Leave, LONG_WORK, evict)? == Some(false) {}
        let removed = self.store.write(Absent::Leave, LONG_WORK, |work| {
            rows::check(work)?;
            Ok(rows::remove_expired(work, now)?
                + rows::remove_damaged(work, self.line(), &self.codec)?)
        })?;
        let tidied = self.store.with(Absent::Leave, LONG_WORK, |connection| {
            rows::tidy(connection)
        });
        if let Err(error) = tidied {
            tracing::debug!(path = %self.path.display(), %error, "free pages are not given back now");
        }
        Ok(removed.unwrap_or(0))
    }

    fn size(&self) -> Result<Size, TierError> {
        let size = self.store.with(Absent::Leave, LONG_WORK, |connection| {
            rows::size(connection)
        })?;
        Ok(size.unwrap_or_default())
    }

    fn health(&self) -> Health {
        self.store.health()
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
        let subject = self.subject(namespace, key.as_str());
        let room = |work: &Transaction<'_>| self.make_room(work, COUNTER);
        let taken = lease::take(&self.store, subject, wait, &self.clock, lease, &room)?;
        Ok(taken.map_or(LeaseOutcome::Busy, |held| {
            let token = held.token;
            LeaseOutcome::Held(Lease::new(held, Some(token)))
        }))
    }
}

impl SqliteTier {
    fn put_all(&self, entries: &[Entry], begun: Option<&Begun>) -> Vec<Result<Receipt, TierError>> {
        let encoded: Vec<_> = entries.iter().map(|entry| self.encode(entry)).collect();
        if !encoded.iter().any(Result::is_ok) {
            return encoded
                .into_iter()
                .map(|failed| failed.map(|_| Receipt::default()))
                .collect();
        }
        let stored = self.store.write(Absent::Make, WORK, |work| {
            let mut stored = Vec::with_capacity(entries.len());
            let mut written = 0;
            for (entry, encoded) in entries.iter().zip(&encoded) {
                let Ok(encoded) = encoded else {
                    stored.push(Order::Stored);
                    continue;
                };
                let order = self.store_one(work, entry, &encoded.bytes, begun)?;
                written += encoded.bytes.len() as u64;
                stored.push(order);
            }
            self.make_room(work, written)?;
            Ok(stored)
        });
        let stored = match stored {
            Ok(stored) => stored.unwrap_or_default(),
            Err(error) => return for_all(error, entries.len()),
        };
        self.settle_reads(READS);
        let receipt = |encoded: crate::Encoded, order| match order {
            Order::Stored => Receipt {
                path: Some(self.path.to_path_buf()),
                bytes: encoded.bytes.len() as u64,
                saved: encoded.saved,
                ..Receipt::default()
            },
            Order::Superseded(there) => Receipt {
                superseded_by: Some(there),
                ..Receipt::default()
            },
            Order::Removed => Receipt {
                removed_since: true,
                ..Receipt::default()
            },
        };
        let done = encoded.into_iter().zip(stored);
        done.map(|(encoded, order)| Ok(receipt(encoded?, order)))
            .collect()
    }

    fn encode(&self, entry: &Entry) -> Result<crate::Encoded, TierError> {
        let encoded = self.codec.encode(entry)?;
        let bytes = encoded.bytes.len() as u64;
        if bytes > self.max_bytes {
            let message = format!(
                "the entry has {bytes} bytes, the tier holds {}",
                self.max_bytes
            );
            return Err(TierError::new(TierErrorKind::TooLarge, message));
        }
        Ok(encoded)
    }
}

impl Drop for SqliteTier {
    fn drop(&mut self) {
        self.settle_reads(1);
    }
}
