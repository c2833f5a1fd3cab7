//! What a write does to the cache: entries are dropped before it goes out and after it came back, and where
//! its caller did not wait for that, until it is done they are not believed. This file may not know what
//! any write changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::{Plan, Shared};
use crate::cache::{Cache, Key, Namespace, Pattern};

/// Entries to drop, of these namespaces.
#[derive(Debug)]
pub(super) struct Drops {
    pub(super) namespaces: Vec<Namespace>,
    pub(super) pattern: Pattern,
}

impl Shared {
    /// Drops these entries; how many. `again`: a moment ago it was tried already.
    pub(super) async fn drop_entries(self: &Arc<Self>, drops: &Arc<Drops>, again: bool) -> u64 {
        let (shared, drops) = (Arc::clone(self), Arc::clone(drops));
        let work = move |_: &Cache| shared.drop_now(&drops, again);
        self.cache.off_thread(work).await
    }

    /// The same here. Tiers may block.
    fn drop_now(&self, drops: &Drops, again: bool) -> u64 {
        let Drops {
            namespaces,
            pattern,
        } = drops;
        let dropped = self.cache.invalidate_of(namespaces, pattern, again);
        self.counts.dropped.add(dropped);
        dropped
    }
}

/// A write under way. Dropped before it is settled, because the caller gave up or the future was
/// cancelled, it may have reached the service or not: what it changes is not believed from that moment on.
#[derive(Debug)]
pub(super) struct Pending {
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    drops: Arc<Drops>,
    dropped: u64,
    settled: bool,
}

impl Pending {
    /// Drops what the write is going to change. Should this process end in the middle of it, the tiers
    /// that others read hold nothing old.
    pub(super) async fn begin(shared: Arc<Shared>, plan: Arc<Plan>, drops: Drops) -> Self {
        let drops = Arc::new(drops);
        let dropped = shared.drop_entries(&drops, false).await;
        Self {
            shared,
            plan,
            drops,
            dropped,
            settled: false,
        }
    }

    /// The service refused: nothing has changed.
    pub(super) fn refused(mut self) -> u64 {
        self.settled = true;
        self.dropped
    }

    /// It was done, or may have been: what was read meanwhile is dropped too.
    pub(super) async fn done(mut self) -> u64 {
        self.dropped += self.shared.drop_entries(&self.drops, true).await;
        self.settled = true;
        tracing::debug!(
            service = self.plan.service,
            operation = self.plan.operation,
            dropped = self.dropped,
            "a write dropped cache entries"
        );
        self.dropped
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.shared.counts.in_doubt.one();
        let (shared, doubt) = (Arc::clone(&self.shared), Arc::clone(&self.drops));
        shared.doubtful.add(&doubt);
        // Tiers may block, and this may be an async thread.
        blocking::unblock(move || {
            shared.drop_now(&doubt, false);
            shared.doubtful.remove(&doubt);
        })
        .detach();
    }
}

/// What is going to be dropped, and not to be believed until then.
#[derive(Debug, Default)]
pub(super) struct Doubtful {
    count: AtomicUsize,
    doubts: Mutex<Vec<Arc<Drops>>>,
}

impl Doubtful {
    /// Whether this entry is not to be believed.
    pub(super) fn covers(&self, namespace: Namespace, key: &Key) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self
                .lock()
                .iter()
                .any(|doubt| doubt.namespaces.contains(&namespace) && doubt.pattern.matches(key))
    }

    fn add(&self, doubt: &Arc<Drops>) {
        let mut doubts = self.lock();
        doubts.push(Arc::clone(doubt));
        self.count.store(doubts.len(), Ordering::Release);
    }

    fn remove(&self, doubt: &Arc<Drops>) {
        let mut doubts = self.lock();
        doubts.retain(|other| !Arc::ptr_eq(other, doubt));
        self.count.store(doubts.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Drops>>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
