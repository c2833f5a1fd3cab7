//! What a write does to the cache: entries are dropped before it goes out and after it came back. Where
//! nobody knows whether it was done, it may be done later, after somebody read again: then they are not
//! believed for a while, and dropped once more. This file may not know what any write changes.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::client::{Plan, Shared};
use bedrock_catalog_cache::{Cache, Clock, Key, Namespace, Pattern};

/// So long after its end a write in doubt may still be on its way to the service, or at work there.
const ON_ITS_WAY: Duration = Duration::from_secs(5);
/// So many doubts wait for their end; beyond, the oldest come to it at once.
const WAITING: usize = 256;

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

    /// The same on another thread: tiers may block, and this may be an async one. In doubt they are until
    /// then, or for a while longer.
    fn drop_in_doubt(self: &Arc<Self>, drops: Arc<Drops>, is_last: bool) {
        self.doubtful.later.fetch_add(1, Ordering::AcqRel);
        let shared = Arc::clone(self);
        blocking::unblock(move || {
            shared.drop_now(&drops, false);
            match is_last {
                true => shared.doubtful.remove(&drops),
                false => shared.doubt_for_a_while(&drops),
            }
        })
        .detach();
    }

    fn doubt_for_a_while(&self, drops: &Arc<Drops>) {
        let due = self.cache.clock().steady().saturating_add(ON_ITS_WAY);
        self.doubtful.until(drops, due);
    }

    /// What was in doubt for long enough is dropped for the last time.
    fn drop_what_is_due(self: &Arc<Self>) {
        if self.doubtful.is_empty() {
            return;
        }
        for drops in self.doubtful.take_due(self.cache.clock().steady()) {
            self.drop_in_doubt(drops, true);
        }
    }

    /// Where this entry is not to be believed, how often some were dropped so far, by whomever: another
    /// number after each drop.
    pub(super) fn in_doubt(self: &Arc<Self>, namespace: Namespace, key: &Key) -> Option<u64> {
        self.drop_what_is_due();
        let is_doubtful = !self.doubtful.is_empty() && self.doubtful.covers(namespace, key);
        is_doubtful.then(|| {
            let later = self.doubtful.later.load(Ordering::Acquire);
            later.wrapping_add(self.cache.removals())
        })
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
        // Also where nobody reads in this process: others may.
        shared.drop_what_is_due();
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

    /// It was done, or where nobody is `sure`, may have been: what was read meanwhile is dropped too.
    pub(super) async fn done(mut self, sure: bool) -> u64 {
        if !sure {
            self.shared.doubtful.add(&self.drops);
        }
        self.dropped += self.shared.drop_entries(&self.drops, true).await;
        self.settled = true;
        if !sure {
            self.shared.counts.in_doubt.one();
            self.shared.doubt_for_a_while(&self.drops);
        }
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
        self.shared.doubtful.add(&self.drops);
        self.shared.drop_in_doubt(Arc::clone(&self.drops), false);
    }
}

/// What is going to be dropped, and not to be believed until then.
///
/// Unlike a doubt of the cache it is not about what a tier missed but about what the service may still do:
/// no tier is believed, nothing that is stored ends it, and only time does.
#[derive(Debug, Default)]
pub(super) struct Doubtful {
    count: AtomicUsize,
    /// How often dropping was left to another thread, counted before its caller goes on.
    later: AtomicU64,
    doubts: Mutex<Vec<Doubt>>,
}

#[derive(Debug)]
struct Doubt {
    drops: Arc<Drops>,
    /// When to drop it for the last time, by steady time. `None` while it is being dropped.
    due: Option<Duration>,
}

impl Doubtful {
    fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    fn covers(&self, namespace: Namespace, key: &Key) -> bool {
        self.lock().iter().any(|Doubt { drops, .. }| {
            drops.namespaces.contains(&namespace) && drops.pattern.matches(key)
        })
    }

    /// It is being dropped, from now on.
    fn add(&self, drops: &Arc<Drops>) {
        let mut doubts = self.lock();
        if !doubts.iter().any(|doubt| Arc::ptr_eq(&doubt.drops, drops)) {
            let drops = Arc::clone(drops);
            doubts.push(Doubt { drops, due: None });
            self.count.store(doubts.len(), Ordering::Release);
        }
    }

    /// It was dropped, and is to be once more.
    fn until(&self, drops: &Arc<Drops>, due: Duration) {
        let mut doubts = self.lock();
        let mut of = doubts.iter_mut();
        if let Some(doubt) = of.find(|doubt| Arc::ptr_eq(&doubt.drops, drops)) {
            doubt.due = Some(due);
        }
    }

    /// Those whose time has come, or for which there is no room; they are being dropped from now on.
    fn take_due(&self, now: Duration) -> Vec<Arc<Drops>> {
        let mut doubts = self.lock();
        let excess = doubts.len().saturating_sub(WAITING);
        let waiting = doubts.iter_mut().enumerate();
        let due = waiting.filter_map(|(index, Doubt { drops, due })| {
            due.take_if(|due| *due <= now || index < excess)?;
            Some(Arc::clone(drops))
        });
        due.collect()
    }

    fn remove(&self, drops: &Arc<Drops>) {
        let mut doubts = self.lock();
        doubts.retain(|doubt| !Arc::ptr_eq(&doubt.drops, drops));
        self.count.store(doubts.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Doubt>> {
        self.doubts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_ends_after_its_time_and_where_there_are_too_many_the_oldest_before_it() {
        let doubtful = Doubtful::default();
        let (namespace, key) = (Namespace::of(["x"]), Key::new("a", "b", "c"));
        let second = Duration::from_secs(1);
        let all: Vec<_> = (0..WAITING + 2)
            .map(|_| {
                Arc::new(Drops {
                    namespaces: vec![namespace],
                    pattern: Pattern::exact(&key),
                })
            })
            .collect();
        for drops in &all {
            doubtful.add(drops);
            doubtful.add(drops);
            assert!(doubtful.take_due(second).is_empty(), "it is being dropped");
        }
        all.iter().for_each(|drops| doubtful.until(drops, second));
        let early = doubtful.take_due(Duration::ZERO);
        let oldest = early.iter().zip(&all);
        assert!(oldest.clone().all(|(one, other)| Arc::ptr_eq(one, other)));
        assert_eq!(early.len(), 2);
        assert_eq!(doubtful.take_due(second).len(), WAITING);
        assert!(doubtful.covers(namespace, &key), "until they are dropped");
        all.iter().for_each(|drops| doubtful.remove(drops));
        assert!(doubtful.is_empty() && !doubtful.covers(namespace, &key));
    }
}
