//! What a write does to the cache: entries are dropped before it goes out and after it came back, and where
//! its caller did not wait for that, until it is done they are not believed. This file may not know what
//! any write changes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::client::{Plan, Shared};
use crate::cache::{Key, Namespace, Pattern};

impl Shared {
    /// Drops these entries; how many.
    pub(super) async fn drop_entries(&self, namespaces: &[Namespace], patterns: &[Pattern]) -> u64 {
        let mut dropped = 0;
        for namespace in namespaces {
            let cache = self.cache.in_namespace(*namespace);
            for pattern in patterns {
                dropped += cache.invalidate_async(pattern).await;
            }
        }
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
    namespaces: Vec<Namespace>,
    patterns: Vec<Pattern>,
    dropped: u64,
    settled: bool,
}

impl Pending {
    /// Drops what the write is going to change. Should this process end in the middle of it, the tiers
    /// that others read hold nothing old.
    pub(super) async fn begin(
        shared: Arc<Shared>,
        plan: Arc<Plan>,
        namespaces: Vec<Namespace>,
        patterns: Vec<Pattern>,
    ) -> Self {
        let mut pending = Self {
            shared,
            plan,
            namespaces,
            patterns,
            dropped: 0,
            settled: true,
        };
        pending.drop_entries().await;
        pending.settled = false;
        pending
    }

    /// The service refused: nothing has changed.
    pub(super) fn refused(mut self) -> u64 {
        self.settled = true;
        self.dropped
    }

    /// It was done, or may have been: what was read meanwhile is dropped too.
    pub(super) async fn done(mut self) -> u64 {
        self.drop_entries().await;
        self.settled = true;
        tracing::debug!(
            service = self.plan.service,
            operation = self.plan.operation,
            dropped = self.dropped,
            "a write dropped cache entries"
        );
        self.dropped
    }

    async fn drop_entries(&mut self) {
        self.dropped += self
            .shared
            .drop_entries(&self.namespaces, &self.patterns)
            .await;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        self.shared.counts.in_doubt.one();
        let shared = Arc::clone(&self.shared);
        let namespaces = std::mem::take(&mut self.namespaces);
        let patterns = std::mem::take(&mut self.patterns);
        let doubt = shared.doubtful.add(namespaces, patterns);
        // Tiers may block, and this may be an async thread.
        blocking::unblock(move || {
            let mut dropped = 0;
            for namespace in &doubt.namespaces {
                let cache = shared.cache.in_namespace(*namespace);
                dropped += doubt
                    .patterns
                    .iter()
                    .map(|pattern| cache.invalidate(pattern))
                    .sum::<u64>();
            }
            shared.counts.dropped.add(dropped);
            shared.doubtful.remove(&doubt);
        })
        .detach();
    }
}

/// What is going to be dropped, and not to be believed until then.
#[derive(Debug, Default)]
pub(super) struct Doubtful {
    count: AtomicUsize,
    doubts: Mutex<Vec<Arc<Doubt>>>,
}

#[derive(Debug)]
struct Doubt {
    namespaces: Vec<Namespace>,
    patterns: Vec<Pattern>,
}

impl Doubtful {
    /// Whether this entry is not to be believed.
    pub(super) fn covers(&self, namespace: Namespace, key: &Key) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.lock().iter().any(|doubt| {
                doubt.namespaces.contains(&namespace)
                    && doubt.patterns.iter().any(|pattern| pattern.matches(key))
            })
    }

    fn add(&self, namespaces: Vec<Namespace>, patterns: Vec<Pattern>) -> Arc<Doubt> {
        let doubt = Arc::new(Doubt {
            namespaces,
            patterns,
        });
        let mut doubts = self.lock();
        doubts.push(Arc::clone(&doubt));
        self.count.store(doubts.len(), Ordering::Release);
        doubt
    }

    fn remove(&self, doubt: &Arc<Doubt>) {
        let mut doubts = self.lock();
        doubts.retain(|other| !Arc::ptr_eq(other, doubt));
        self.count.store(doubts.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Doubt>>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
