//! Cleanup: expired entries, and removals that failed before.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::cache::Inner;
use crate::invalidation::{Record, Stamp};
use crate::tier_slot::{Call, TierSlot};
use crate::{Cache, Key};

/// The shortest interval of the background cleanup.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

impl Cache {
    /// Removes expired and unusable entries from every tier, in all namespaces, and returns their number.
    /// Repeats removals that a tier missed.
    pub fn cleanup(&self) -> u64 {
        self.inner.cleanup()
    }

    /// [`Cache::cleanup`] for async callers.
    pub async fn cleanup_async(&self) -> u64 {
        self.run_blocking(Self::cleanup).await
    }

    /// Cleans up at this interval, at least 100 ms, on a thread of its own. It ends when the [`Cleaner`] or
    /// the last clone of the cache is dropped.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn cleanup_every(&self, interval: Duration) -> std::io::Result<Cleaner> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let interval = interval.max(MIN_INTERVAL);
        let (cache, seen) = (Arc::downgrade(&self.inner), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("cache-cleanup".into())
            .spawn(move || run(&cache, &seen, interval))?;
        Ok(Cleaner {
            stop,
            thread: Some(thread),
        })
    }
}

impl Inner {
    fn cleanup(&self) -> u64 {
        for record in self.log.pending() {
            let slots = self.slots.iter();
            for slot in slots.filter(|slot| record.pending.contains(slot.index)) {
                if self.remove_older(&record, slot, &mut Call::remove()) {
                    self.log.done(&record, slot.index);
                }
            }
        }
        let now = self.clock.now();
        let mut all = 0;
        for slot in &self.slots {
            let cleanup =
                slot.call_all_keys("cleanup", &mut Call::remove(), |tier, _| tier.cleanup(now));
            if cleanup.is_none() {
                slot.counts.incomplete.one();
            }
            let removed = cleanup.unwrap_or(0);
            slot.counts.expirations.add(removed);
            all += removed;
        }
        tracing::debug!(removed = all, "cache cleaned up");
        all
    }

    /// Removes the entries in a tier that a change concerns; whether none is left. After a write that the
    /// tier missed, the older entry stays: it may be the last one of other processes.
    pub(crate) fn remove_older(&self, record: &Record, slot: &TierSlot, call: &mut Call) -> bool {
        let keys = match record.pattern.as_exact() {
            Some(key) => Some(vec![key.clone()]),
            None => matching(record, slot, call),
        };
        let mut remove = |key: Key| {
            let id = (record.namespace, key);
            let _lock = self.locks.lock(&id);
            slot.remove_before(&id, record.stamp, record.change, call)
        };
        keys.is_some_and(|keys| keys.into_iter().all(&mut remove))
    }
}

/// The keys in a tier that a change concerns.
fn matching(record: &Record, slot: &TierSlot, call: &mut Call) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    slot.call_all_keys("scan", call, |tier, deadline| {
        let prefix = record.pattern.prefix();
        tier.scan(&record.namespace, prefix, deadline, &mut |info| {
            let envelope = &info.envelope;
            let is_older = Stamp::of_write(envelope.written_at) < record.stamp;
            if is_older && record.pattern.matches(&envelope.key) {
                keys.push(envelope.key.clone());
            }
            ControlFlow::Continue(())
        })
    })?;
    Some(keys)
}

/// A cleanup thread. Dropping this stops the thread, and blocks until a running cleanup ends.
pub struct Cleaner {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

fn run(cache: &Weak<Inner>, stop: &(Mutex<bool>, Condvar), interval: Duration) {
    let (is_over, wake) = stop;
    loop {
        let guard = is_over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, interval, |is_over| !*is_over);
        let (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let Some(cache) = cache.upgrade().filter(|_| !*guard) else {
            return;
        };
        drop(guard);
        cache.cleanup();
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cleaner")
    }
}
