//! One storage layer of the cache, and what every one of them can do. A tier may not know the other
//! tiers, nor what the bytes mean; the order, promotion, freshness, breaker, statistics and logs are
//! the cache's.

#[cfg(feature = "files")]
pub mod disk;
mod error;
mod memory;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Entry, Envelope, Key, Namespace, Pattern};

pub use error::{TierError, TierErrorKind};
pub use memory::{MemoryLimits, MemoryTier};

/// One storage layer: memory, disk, or one of your own.
///
/// Calls may block; the cache keeps them off async threads. A tier answers what it has, fresh or
/// not: expiry is judged by the cache. It answers only entries of the asked namespace and key, whole
/// and of a version it reads. It is used from many threads at once and never panics, and it never
/// calls the cache it is part of.
///
/// The cache logs hits, writes and errors, with the paths that [`Found`], [`Receipt`] and
/// [`TierError`] name. A tier with several places logs only what these do not say: each place it
/// looked at in vain (`DEBUG`) or will not use (`WARN`), with the path.
pub trait Tier: fmt::Debug + Send + Sync + 'static {
    /// A short word for logs and statistics, such as `disk`. Unique among the tiers of a cache.
    fn name(&self) -> &'static str;

    /// The entry of this key. What is damaged or foreign is skipped where the tier has another copy,
    /// else it is the error.
    ///
    /// # Errors
    /// The tier could not be asked, or what it holds cannot be used.
    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError>;

    /// The same at `now`, a steady time that the cache has read already; for tiers that want one.
    ///
    /// # Errors
    /// As [`Tier::get`].
    fn get_at(
        &self,
        namespace: &Namespace,
        key: &Key,
        _now: Duration,
    ) -> Result<Option<Found>, TierError> {
        self.get(namespace, key)
    }

    /// Stores the entry in place of what was there; a tier that processes share may keep an entry
    /// there that was written later, as if this one had come just before it, and says so in
    /// [`Receipt::superseded_by`]. After an error either the old entry is there, whole, or none.
    ///
    /// # Errors
    /// The entry is not stored.
    fn put(&self, entry: &Entry) -> Result<Receipt, TierError>;

    /// Stores an entry that took time to compute. A tier that processes share refuses it where, since
    /// the computation began, a later one was stored ([`Receipt::superseded_by`]) or the key was
    /// removed ([`Receipt::removed_since`]): who lost its lease cannot overwrite newer data.
    ///
    /// # Errors
    /// As [`Tier::put`].
    fn put_begun(&self, entry: &Entry, _begun: &Begun) -> Result<Receipt, TierError> {
        self.put(entry)
    }

    /// Numbers a computation that begins now: a later one gets a larger number, in whatever process.
    /// `None` where the tier does not count; [`Tier::try_lease`] numbers too.
    ///
    /// # Errors
    /// The tier could not be asked.
    fn begin(&self, _namespace: &Namespace, _key: &Key) -> Result<Option<u64>, TierError> {
        Ok(None)
    }

    /// Tells the listener what other processes do to the entries, as far as the tier notices, and where
    /// it may have missed some. To be called before the tier is used; starts nothing by itself. The listener must not block.
    fn on_change(&self, _listener: Listener) {}

    /// Removes the entry of this key, all copies of it; whether there was one.
    ///
    /// # Errors
    /// A copy may be left.
    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError>;

    /// Shows each entry of the namespace whose key [starts with](Key::starts_with) the prefix, in no
    /// order, until the visitor breaks. Entries are shown without their payload and need not be
    /// verified; what cannot be read is left out. Holds no lock that `get` or `put` waits for.
    ///
    /// # Errors
    /// The tier could not be scanned to the end.
    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError>;

    /// Removes every entry of the namespace, also what cannot be read; how many. Override where that is
    /// more than what a scan shows.
    ///
    /// # Errors
    /// Some may be left.
    fn clear(&self, namespace: &Namespace) -> Result<u64, TierError> {
        self.remove_matching(namespace, &Pattern::all())
    }

    /// Removes, in every namespace, entries that have expired at `now` and whatever else is of no
    /// use any more (damaged entries, litter of interrupted writes), and enforces the tier's bounds;
    /// how many entries and files. What goes for want of room is not among them: that is
    /// [`Tier::evictions`].
    ///
    /// # Errors
    /// The tier could not be looked through.
    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError>;

    /// How much the tier holds, in all namespaces.
    ///
    /// # Errors
    /// The tier could not be asked.
    fn size(&self) -> Result<Size, TierError>;

    /// Whether the tier works, and what it says of itself. Asks the storage, cheaply.
    fn health(&self) -> Health;

    /// Whether reads cost next to nothing and never block, so that async callers may ask in place.
    fn is_instant(&self) -> bool {
        false
    }

    /// How many entries the tier has pushed out for want of room since it was made.
    fn evictions(&self) -> u64 {
        0
    }

    /// The entries of these keys, in their order. Override where one request can ask for many.
    fn get_many(
        &self,
        namespace: &Namespace,
        keys: &[Key],
    ) -> Vec<Result<Option<Found>, TierError>> {
        keys.iter().map(|key| self.get(namespace, key)).collect()
    }

    /// Stores these entries, each as [`Tier::put`] does. Override where one request can store many.
    fn put_many(&self, entries: &[Entry]) -> Vec<Result<Receipt, TierError>> {
        entries.iter().map(|entry| self.put(entry)).collect()
    }

    /// Removes the entries that match; how many.
    ///
    /// # Errors
    /// Some may be left.
    fn invalidate(&self, namespace: &Namespace, pattern: &Pattern) -> Result<u64, TierError> {
        match pattern.as_exact() {
            Some(key) => self.remove(namespace, key).map(u64::from),
            None if *pattern == Pattern::all() => self.clear(namespace),
            None => self.remove_matching(namespace, pattern),
        }
    }

    /// Removes what matches of each of these, as [`Tier::invalidate`] does; how many of each, and an entry
    /// that several match is the first one's. Where the answers are fewer, the others failed as the last
    /// did. Override where one pass can do all of it, or where it may take long: `is_brief` is said by who
    /// has no time for it, because a moment ago the tier could not do it; then others who share the tier may
    /// be told in place of it that what matches is not to be believed, and the answer is `None`.
    fn invalidate_many(
        &self,
        what: &[(Namespace, Pattern)],
        _is_brief: bool,
    ) -> Vec<Result<Option<u64>, TierError>> {
        one_by_one(what, |of, pattern| self.invalidate(of, pattern).map(Some))
    }

    /// Removes what matches, where that is more than one key. Override where the tier can do it in one pass.
    ///
    /// # Errors
    /// Some may be left.
    fn remove_matching(&self, namespace: &Namespace, pattern: &Pattern) -> Result<u64, TierError> {
        let mut keys = Vec::new();
        let scanned = self.scan(namespace, pattern.prefix(), &mut |listed| {
            if pattern.matches(&listed.envelope.key) {
                keys.push(listed.envelope.key.clone());
            }
            ControlFlow::Continue(())
        });
        // What was seen goes, also where not all could be seen.
        let mut removed = 0;
        for key in keys {
            removed += u64::from(self.remove(namespace, &key)?);
        }
        scanned.map(|()| removed)
    }

    /// Tries to become the one process that computes this key's value. Waits at most `wait`; what it
    /// grants holds until dropped, at the latest for `lease`. Tiers that are not shared between
    /// processes leave this as it is.
    ///
    /// # Errors
    /// The tier could not be asked; the cache then computes without a lease.
    fn try_lease(
        &self,
        _namespace: &Namespace,
        _key: &Key,
        _wait: Duration,
        _lease: Duration,
    ) -> Result<LeaseOutcome, TierError> {
        Ok(LeaseOutcome::Unsupported)
    }
}

/// Each in its turn, until one does not end in time: the others would take as long.
#[doc(hidden)]
pub fn one_by_one<R>(
    what: &[(Namespace, Pattern)],
    mut one: impl FnMut(&Namespace, &Pattern) -> Result<R, TierError>,
) -> Vec<Result<R, TierError>> {
    let mut done: Vec<Result<R, TierError>> = Vec::new();
    for (of, pattern) in what {
        let is_late = |error: &TierError| error.kind() == TierErrorKind::Timeout;
        if done
            .last()
            .is_some_and(|last| last.as_ref().is_err_and(is_late))
        {
            break;
        }
        done.push(one(of, pattern));
    }
    done
}

/// A tier's answer.
#[derive(Debug, Clone)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// Where it lay, where the tier has paths.
    pub path: Option<Arc<std::path::Path>>,
    /// How long this copy has been in this process by the steady clock; zero for one just read. It
    /// keeps an entry from staying fresh while the wall clock stands or steps back.
    pub held: Duration,
    /// The copy is usable, but the tiers below should be asked whether they have a newer one.
    pub ask_below: bool,
}

impl Found {
    /// An entry just read, at this path.
    #[must_use]
    pub fn new(entry: Entry, path: Option<Arc<std::path::Path>>) -> Self {
        Self {
            entry,
            path,
            held: Duration::ZERO,
            ask_below: false,
        }
    }
}

/// What became of a write.
#[derive(Debug, Default)]
pub struct Receipt {
    /// Where the entry lies, where the tier has paths.
    pub path: Option<PathBuf>,
    /// What the entry takes there, in bytes.
    pub bytes: u64,
    /// How many bytes compression saved.
    pub saved: u64,
    /// The places that were tried first and failed, in order: the write is a fallback.
    pub failed: Vec<TierError>,
    /// Nothing was written: this entry, written or computed later, was there and stays.
    pub superseded_by: Option<Entry>,
    /// Nothing was written: the key was removed after the value's computation began.
    pub removed_since: bool,
}

/// The beginning of a computation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Its number, where the tier gave it one.
    pub token: Option<u64>,
    /// When it began by this process's clock, for tiers that gave none.
    pub at: SystemTime,
}

/// What a tier hears of other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// One of them changed entries.
    Changed(Changed),
    /// Up to now it may not have heard what they changed; from now on it does.
    Gap,
}

/// What another process did to entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Whose entries.
    pub namespace: Namespace,
    /// Which of them: one, or where they were removed, all that match.
    pub pattern: Pattern,
    /// What became of them.
    pub change: Change,
}

/// What became of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Written, at this time by that process's clock.
    Written(SystemTime),
    /// Removed from the tier, and to be removed above it.
    Removed,
    /// The same, but that process could not get to the end: the tier may still hold some.
    PartlyRemoved,
}

/// Who is told of them.
pub type Listener = Arc<dyn Fn(News) + Send + Sync>;

/// One entry of a scan.
#[derive(Debug, Clone)]
pub struct Listed {
    /// What is known of it.
    pub envelope: Arc<Envelope>,
    /// What it takes, in bytes.
    pub bytes: u64,
    /// Where it lies, where the tier has paths.
    pub path: Option<PathBuf>,
    /// How often it was read since it came to this tier, where the tier counts.
    pub accesses: Option<u64>,
    /// When it was last read, where the tier knows.
    pub last_access: Option<SystemTime>,
}

/// How much a tier holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Entries.
    pub entries: u64,
    /// Bytes, as stored.
    pub bytes: u64,
}

/// What a tier says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it can serve and store.
    pub ok: bool,
    /// A sentence for people: what is wrong, or where it stores.
    pub message: String,
}

/// The answer to [`Tier::try_lease`].
#[derive(Debug)]
pub enum LeaseOutcome {
    /// This process computes; others wait until the lease is dropped.
    Held(Lease),
    /// Another process is computing.
    Busy,
    /// Another process took longer than its lease, or died holding it, and the tier cannot take it
    /// away: compute without one.
    Overrun,
    /// The tier has no leases.
    Unsupported,
}

/// The right to compute, given back when dropped.
pub struct Lease {
    token: Option<u64>,
    /// `None` once it is given back.
    held: Option<Box<dyn Held>>,
}

/// What a [`Lease`] is made of. Dropped without being given back, it runs out by itself, and must not be
/// kept alive any longer.
pub trait Held: Send + Sync + 'static {
    /// Gives it back.
    ///
    /// # Errors
    /// The tier could not be asked; the lease runs out by itself.
    fn give_back(self: Box<Self>) -> Result<(), TierError>;
}

impl Lease {
    /// A lease of a tier. A tier whose leases can run out unnoticed gives each a growing number, the
    /// fencing token.
    #[must_use]
    pub fn new(held: impl Held, token: Option<u64>) -> Self {
        Self {
            token,
            held: Some(Box::new(held)),
        }
    }

    /// The fencing token, where the tier has them.
    #[must_use]
    pub fn token(&self) -> Option<u64> {
        self.token
    }

    /// Gives it back, as dropping it does, and says whether that went well. May block.
    ///
    /// # Errors
    /// The tier could not be asked; the lease runs out by itself.
    pub fn give_back(mut self) -> Result<(), TierError> {
        self.held.take().map_or(Ok(()), Held::give_back)
    }

    /// Leaves it to run out by itself, without asking the tier.
    pub fn leave(mut self) {
        self.held = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            // It runs out by itself.
            let _ = held.give_back();
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
