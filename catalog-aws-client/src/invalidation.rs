//! Invalidation by writes: the entries that a write changes are removed before it is sent and after it
//! has returned. If its outcome is uncertain, the service may do it later. Then reads of these entries go
//! past the cache for a few seconds, and the entries are removed once more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bedrock_catalog_cache::{Clock, Key, Namespace, Pattern};

use crate::client::Shared;

/// The time after which a write with an uncertain outcome is done, or never will be.
const UNCERTAIN_FOR: Duration = Duration::from_secs(5);

/// The most uncertain writes that wait. Beyond it the oldest are over at once.
pub(crate) const MOST_UNCERTAIN: usize = 256;

/// The entries that a write invalidates.
#[derive(Debug)]
pub(crate) struct Invalidation {
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) pattern: Pattern,
}

impl Shared {
    /// Removes the entries; their number.
    pub(crate) async fn invalidate(&self, invalidation: &Invalidation) -> u64 {
        let Invalidation {
            namespaces,
            pattern,
        } = invalidation;
        let removed = self.cache.invalidate_in_async(namespaces, pattern).await;
        self.counts.invalidated.add(removed);
        removed
    }

    /// Removes the entries of uncertain writes whose time is over.
    pub(crate) async fn finish_uncertain_writes(&self) {
        for invalidation in self.uncertain.over(self.cache.clock().steady()) {
            self.invalidate(&invalidation).await;
            self.uncertain.remove(&invalidation);
        }
    }

    fn add_uncertain(&self, invalidation: &Arc<Invalidation>) {
        self.counts.uncertain_writes.one();
        let over_at = self.cache.clock().steady().saturating_add(UNCERTAIN_FOR);
        self.uncertain.add(invalidation, over_at);
    }
}

/// A write that is sent. If its future is dropped before it returns, its outcome is uncertain.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    shared: Arc<Shared>,
    invalidation: Arc<Invalidation>,
    removed: u64,
    is_settled: bool,
}

impl PendingWrite {
    /// Invalidates before the write is sent: if this process dies before the write returns, the tiers of
    /// other processes have no old entry.
    pub(crate) async fn begin(shared: Arc<Shared>, invalidation: Invalidation) -> Self {
        shared.counts.writes.one();
        let invalidation = Arc::new(invalidation);
        let removed = shared.invalidate(&invalidation).await;
        Self {
            shared,
            invalidation,
            removed,
            is_settled: false,
        }
    }

    /// The service refused the write: nothing has changed.
    pub(crate) fn refused(mut self) -> u64 {
        self.is_settled = true;
        self.removed
    }

    /// The service did the write, or its outcome is uncertain. The entries that were read meanwhile are
    /// removed.
    pub(crate) async fn done(mut self, is_uncertain: bool) -> u64 {
        if is_uncertain {
            self.shared.add_uncertain(&self.invalidation);
            self.is_settled = true;
        }
        self.removed += self.shared.invalidate(&self.invalidation).await;
        self.is_settled = true;
        self.removed
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        if self.is_settled {
            return;
        }
        self.shared.add_uncertain(&self.invalidation);
        // Tiers may block, and this may be an async thread.
        let (cache, it) = (self.shared.cache.clone(), Arc::clone(&self.invalidation));
        drop(bedrock_catalog_cache::spawn_blocking(move || {
            cache.invalidate_in(&it.namespaces, &it.pattern)
        }));
    }
}

/// The writes with an uncertain outcome, each with the steady time at which it is over.
#[derive(Debug, Default)]
pub(crate) struct UncertainWrites {
    added: AtomicU64,
    writes: Mutex<Vec<(Arc<Invalidation>, Duration)>>,
}

impl UncertainWrites {
    /// The number of uncertain writes so far.
    pub(crate) fn added(&self) -> u64 {
        self.added.load(Ordering::Acquire)
    }

    /// Whether an entry may be changed by one of them.
    pub(crate) fn cover(&self, namespace: Namespace, key: &Key) -> bool {
        let writes = self.lock();
        writes
            .iter()
            .any(|(write, _)| write.namespaces.contains(&namespace) && write.pattern.matches(key))
    }

    pub(crate) fn add(&self, write: &Arc<Invalidation>, over_at: Duration) {
        self.lock().push((Arc::clone(write), over_at));
        self.added.fetch_add(1, Ordering::AcqRel);
    }

    /// Those that are over, and the oldest beyond the bound.
    pub(crate) fn over(&self, now: Duration) -> Vec<Arc<Invalidation>> {
        let writes = self.lock();
        let excess = writes.len().saturating_sub(MOST_UNCERTAIN);
        let writes = writes.iter().enumerate();
        let over = writes.filter(|(index, (_, over_at))| *index < excess || *over_at <= now);
        over.map(|(_, (write, _))| Arc::clone(write)).collect()
    }

    pub(crate) fn remove(&self, write: &Arc<Invalidation>) {
        self.lock().retain(|(it, _)| !Arc::ptr_eq(it, write));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<Invalidation>, Duration)>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
