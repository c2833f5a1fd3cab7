//! One storage layer of the cache, and the coordination between processes that some layers offer.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{Deadline, Entry, Envelope, Key, Namespace, Pattern, TierError};

/// One storage layer: memory, files, SQLite, Redis, or one of your own.
///
/// Methods may block up to their deadline; the cache keeps them off async threads. A tier returns
/// what it holds, fresh or not: the cache judges freshness. It returns only whole entries of the
/// requested namespace and key. It is called from many threads and never panics.
pub trait Tier: fmt::Debug + Send + Sync + 'static {
    /// A short name for logs and statistics, such as `files`. Unique among the tiers of a cache.
    fn name(&self) -> &'static str;

    /// Whether every method returns without I/O. Local tiers are read on the caller's thread.
    fn is_local(&self) -> bool {
        false
    }

    /// The entry of this key. A damaged or foreign copy is skipped where the tier has another one.
    ///
    /// # Errors
    /// The storage failed, or the only copy cannot be used.
    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        deadline: Deadline,
    ) -> Result<Option<Found>, TierError>;

    /// Stores the entry, unless the tier holds one of the same key with a later `written_at` that is
    /// not expired ([`Written::Superseded`]). After an error the old entry is there, whole, or none.
    ///
    /// # Errors
    /// The entry is not stored.
    fn put(&self, entry: &Entry, deadline: Deadline) -> Result<Written, TierError>;

    /// Removes the entries of the namespace that match, and returns their number.
    ///
    /// # Errors
    /// Some may be left.
    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        deadline: Deadline,
    ) -> Result<u64, TierError>;

    /// Visits the entries of the namespace whose key [starts with](Key::starts_with) the prefix, in
    /// no particular order, without their payloads.
    ///
    /// # Errors
    /// Some may not have been visited.
    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError>;

    /// Removes expired and unusable entries of all namespaces, and returns their number.
    ///
    /// # Errors
    /// Some may be left.
    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError>;

    /// Whether the tier works, and how much it holds.
    fn status(&self) -> TierStatus;

    /// The number of entries removed for room since the tier was made.
    fn evictions(&self) -> u64 {
        0
    }

    /// The coordination between processes, where the tier offers it.
    fn coordinator(&self) -> Option<&dyn Coordinator> {
        None
    }
}

impl<T: Tier + ?Sized> Tier for Arc<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn is_local(&self) -> bool {
        (**self).is_local()
    }

    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        deadline: Deadline,
    ) -> Result<Option<Found>, TierError> {
        (**self).get(namespace, key, deadline)
    }

    fn put(&self, entry: &Entry, deadline: Deadline) -> Result<Written, TierError> {
        (**self).put(entry, deadline)
    }

    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        deadline: Deadline,
    ) -> Result<u64, TierError> {
        (**self).remove(namespace, pattern, deadline)
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        (**self).scan(namespace, prefix, deadline, visit)
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        (**self).cleanup(now)
    }

    fn status(&self) -> TierStatus {
        (**self).status()
    }

    fn evictions(&self) -> u64 {
        (**self).evictions()
    }

    fn coordinator(&self) -> Option<&dyn Coordinator> {
        (**self).coordinator()
    }
}

/// Coordination of the processes that share a tier: one refreshes, the others wait or serve stale.
pub trait Coordinator: Send + Sync {
    /// Tries to acquire the lease of a key once, without waiting for its holder. It lasts until it is
    /// released, at most for `ttl`, or until the process ends where the tier notices that. A tier whose
    /// leases end with the process may ignore `ttl`.
    ///
    /// # Errors
    /// The storage failed.
    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        ttl: Duration,
        deadline: Deadline,
    ) -> Result<Acquired, TierError>;

    /// Stores the entry unless a later holder of the lease has stored one, or the key was removed
    /// since the token was issued. Tiers whose leases end with the process leave this as it is.
    ///
    /// # Errors
    /// As [`Tier::put`].
    fn put_if_current(
        &self,
        entry: &Entry,
        token: FencingToken,
        deadline: Deadline,
    ) -> Result<Written, TierError>;

    /// Calls the listener for changes that other processes make, as far as the tier is notified. The
    /// listener must not block.
    fn subscribe(&self, _listener: Listener) {}
}

/// A tier's answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// The file that holds it, where the tier has files.
    pub path: Option<Arc<Path>>,
    /// How long this copy has been in this process, by the steady clock; zero for one just read. It
    /// bounds an entry's life where the wall clock stands still or steps back.
    pub resident: Duration,
    /// Whether a reader must look for a newer entry in the tiers below before it serves this copy.
    pub revalidate: bool,
}

impl Found {
    /// An entry just read.
    #[must_use]
    pub fn new(entry: Entry, path: Option<Arc<Path>>) -> Self {
        Self {
            entry,
            path,
            resident: Duration::ZERO,
            revalidate: false,
        }
    }
}

/// The outcome of a write in one tier.
#[derive(Debug)]
#[non_exhaustive]
pub enum Written {
    /// The entry is stored.
    Stored {
        /// The file that holds it, where the tier has files.
        path: Option<PathBuf>,
        /// Its size as stored, in bytes.
        bytes: u64,
        /// The bytes that compression saved.
        saved: u64,
        /// Locations that were tried first and failed, in order.
        fallback_from: Vec<TierError>,
    },
    /// Not stored: this entry was written later, or by a later holder of the lease.
    Superseded(Entry),
    /// Not stored: the key was removed after the token was issued.
    Removed,
}

/// A number that grows with each lease of a key. A write with an older token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FencingToken(pub u64);

/// The outcome of [`Coordinator::try_lease`].
#[derive(Debug)]
pub enum Acquired {
    /// This process refreshes; the lease is released when the guard is dropped.
    Held(LeaseGuard),
    /// Another process holds the lease.
    Busy,
}

/// The right to refresh a key, released when dropped.
pub struct LeaseGuard {
    token: Option<FencingToken>,
    release: Option<Box<dyn FnOnce() + Send + Sync>>,
}

impl LeaseGuard {
    /// A lease that `release` gives up. A tier whose leases can expire unnoticed issues a token.
    #[must_use]
    pub fn new(
        token: Option<FencingToken>,
        release: impl FnOnce() + Send + Sync + 'static,
    ) -> Self {
        Self {
            token,
            release: Some(Box::new(release)),
        }
    }

    /// The fencing token, where the tier issues one.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.token
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        if let Some(release) = self.release.take() {
            release();
        }
    }
}

impl fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseGuard")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// A change that another process made to a shared tier.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeEvent {
    /// An entry was written.
    Written {
        /// Its namespace.
        namespace: Namespace,
        /// Its key.
        key: Key,
        /// The time of the write, by that process's clock.
        written_at: SystemTime,
    },
    /// The entries that match were removed.
    Removed {
        /// Their namespace.
        namespace: Namespace,
        /// Which keys.
        pattern: Pattern,
    },
    /// Notifications may have been lost up to now; copies in memory must be revalidated.
    Gap,
}

/// A receiver of change events.
pub type Listener = Arc<dyn Fn(ChangeEvent) + Send + Sync>;

/// One entry of a scan.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EntryInfo {
    /// What is known beside the payload.
    pub envelope: Arc<Envelope>,
    /// Its size as stored, in bytes.
    pub bytes: u64,
    /// The file that holds it, where the tier has files.
    pub path: Option<PathBuf>,
    /// The number of reads since it came to this tier, where the tier counts.
    pub accesses: Option<u64>,
    /// The time of the last read, where the tier knows.
    pub last_access: Option<SystemTime>,
}

impl EntryInfo {
    /// An entry of a tier that counts no reads.
    #[must_use]
    pub fn new(envelope: Arc<Envelope>, bytes: u64, path: Option<PathBuf>) -> Self {
        Self {
            envelope,
            bytes,
            path,
            accesses: None,
            last_access: None,
        }
    }
}

/// The state of a tier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TierStatus {
    /// Whether it can serve and store.
    pub ok: bool,
    /// A sentence for people: what is wrong, or where it stores.
    pub message: String,
    /// The number of entries, where it could be counted.
    pub entries: Option<u64>,
    /// Their bytes as stored.
    pub bytes: Option<u64>,
}
