//! Changes by other processes, as tiers report them: the tiers above follow, and listeners are called.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock, Weak};

use crate::cache::Inner;
use crate::entry::CLOCK_SKEW;
use crate::invalidation::{Change, Record, Stamp, TierSet};
use crate::sync::{Mutex, lock};
use crate::tier::Listener;
use crate::tier_slot::Call;
use crate::{Cache, ChangeEvent, Namespace, Pattern};

/// The number of events that wait. Beyond, they are replaced by a gap.
const MAX_EVENTS: usize = 1024;

type ChangeListener = Arc<dyn Fn(&ChangeEvent) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Notifications {
    queue: Mutex<Queue>,
    listeners: RwLock<Vec<ChangeListener>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// With the index of the tier.
    events: VecDeque<(usize, ChangeEvent)>,
    /// Whether a thread works the queue off.
    is_worked: bool,
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queue.fmt(f)
    }
}

impl Cache {
    /// Calls the listener for every change by another process that a tier reports, after this cache
    /// follows it. Listeners run on a thread for blocking work.
    pub fn on_change(&self, listener: impl Fn(&ChangeEvent) + Send + Sync + 'static) {
        let listeners = self.inner.notifications.listeners.write();
        let mut listeners = listeners.unwrap_or_else(PoisonError::into_inner);
        listeners.push(Arc::new(listener));
    }
}

impl Inner {
    /// The listener of a tier. It does not keep the cache alive.
    pub(crate) fn listener(self: &Arc<Self>, tier: usize) -> Listener {
        let weak: Weak<Self> = Arc::downgrade(self);
        Arc::new(move |event| {
            if let Some(inner) = weak.upgrade() {
                inner.notify(tier, event);
            }
        })
    }

    /// Queues an event. Does not block: the rest waits for writes that are under way.
    fn notify(self: &Arc<Self>, tier: usize, event: ChangeEvent) {
        let mut queue = lock(&self.notifications.queue);
        if queue.events.len() >= MAX_EVENTS {
            queue.events.clear();
            queue.events.push_back((tier, ChangeEvent::Gap));
        }
        queue.events.push_back((tier, event));
        let is_worked = std::mem::replace(&mut queue.is_worked, true);
        // Without a thread, the work below runs on this one and takes the lock.
        drop(queue);
        if !is_worked {
            let inner = Arc::clone(self);
            drop(crate::spawn_blocking(move || inner.work_off()));
        }
    }

    fn work_off(&self) {
        loop {
            let next = {
                let mut queue = lock(&self.notifications.queue);
                let next = queue.events.pop_front();
                queue.is_worked = next.is_some();
                next
            };
            let Some((tier, event)) = next else { return };
            // A listener that panics must not end the notifications.
            let follow = AssertUnwindSafe(|| self.follow(tier, &event));
            if catch_unwind(follow).is_err() {
                tracing::warn!("a listener for cache changes panicked");
            }
        }
    }

    /// Removes from the tiers above what another process changed in this one.
    fn follow(&self, tier: usize, event: &ChangeEvent) {
        match event {
            ChangeEvent::Removed { namespace, pattern } => {
                let stamp = self.stamps.invalidation(self.clock.now());
                self.follow_change(tier, *namespace, pattern, Change::Removed, stamp);
            }
            ChangeEvent::Written {
                namespace,
                key,
                written_at,
            } => {
                // A message may not hide what this process writes from now on.
                let now = self.clock.now();
                let latest = now.checked_add(CLOCK_SKEW).unwrap_or(now);
                let stamp = Stamp::of_write(*written_at.min(&latest));
                let pattern = Pattern::exact(key);
                self.follow_change(tier, *namespace, &pattern, Change::Written, stamp);
            }
            ChangeEvent::Gap => {
                if let Some(memory) = self.memory.as_ref().filter(|_| tier > 0) {
                    memory.gap();
                }
            }
        }
        tracing::debug!(tier, ?event, "another process changed cache entries");
        let listeners = self.notifications.listeners.read();
        let listeners = listeners.unwrap_or_else(PoisonError::into_inner).clone();
        for listener in listeners {
            listener(event);
        }
    }

    fn follow_change(
        &self,
        tier: usize,
        namespace: Namespace,
        pattern: &Pattern,
        change: Change,
        stamp: Stamp,
    ) {
        let above = TierSet::above(tier);
        let record = self
            .log
            .append(namespace, pattern.clone(), change, stamp, above);
        self.flights
            .detach(|((of, key), _)| *of == namespace && pattern.matches(key));
        if pattern.as_exact().is_none() {
            self.locks.barrier();
        }
        // The tier below has the newer entry, so the tiers above need not keep theirs.
        let removal = Record {
            change: Change::Removed,
            ..record.clone()
        };
        for slot in self.slots.iter().take(tier) {
            if self.remove_older(&removal, slot, &mut Call::remove()) {
                self.log.done(&record, slot.index);
            }
        }
    }
}
