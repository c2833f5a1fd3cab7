//! Single flight: concurrent callers of one key share one computation.
//!
//! Each key in flight has one lock. Its holder is the leader: it computes, and leaves the result behind the
//! lock for the waiters. If a leader is cancelled or panics, the next waiter leads.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::sync::{Mutex, SharedMutex, SharedMutexGuard, lock};

/// Which computation a caller may share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// One that is running already.
    Running,
    /// Only one that starts after this call. All callers that wait for a running computation share the
    /// next one, so a crowd costs two.
    Next,
}

/// Runs one computation per key at a time and shares its result.
///
/// Callers may be async or blocking, mixed on one key. A result is shared only with callers that arrive
/// before it is there; nothing is kept afterwards. The work must not call for its own key: it would wait
/// for itself.
///
/// ```
/// use bedrock_catalog_cache::{Join, SingleFlight};
///
/// let flight = SingleFlight::new();
/// let answer = flight.run_blocking("everything", Join::Running, || 42);
/// assert_eq!(answer, 42);
/// ```
pub struct SingleFlight<K, V> {
    flights: Mutex<HashMap<K, InFlight<V>, RandomState>>,
}

/// A key with at least one caller.
struct InFlight<V> {
    callers: usize,
    /// The number of the next caller, in the order of arrival.
    next_arrival: u64,
    /// Callers from this arrival on do not share the running computation.
    detached_at: Option<u64>,
    result: Arc<SharedMutex<Option<Outcome<V>>>>,
}

/// The result of the last leader.
struct Outcome<V> {
    value: V,
    /// Callers with a smaller arrival came before the computation began, or before it was over.
    began: u64,
    ended: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> SingleFlight<K, V> {
    /// No key is in flight.
    #[must_use]
    pub fn new() -> Self {
        Self {
            flights: Mutex::new(HashMap::default()),
        }
    }

    /// Returns the value of `work`, or of another caller's work for the same key.
    ///
    /// Dropping the future of a leader lets a waiting caller lead.
    pub async fn run(&self, key: K, join: Join, work: impl Future<Output = V>) -> V {
        let waiter = self.join(key);
        let result = waiter.result.lock().await;
        match waiter.lead(result, join) {
            Ok(leader) => leader.finish(work.await),
            Err(shared) => shared,
        }
    }

    /// The same for threads.
    pub fn run_blocking(&self, key: K, join: Join, work: impl FnOnce() -> V) -> V {
        let waiter = self.join(key);
        let result = waiter.result.lock_blocking();
        match waiter.lead(result, join) {
            Ok(leader) => leader.finish(work()),
            Err(shared) => shared,
        }
    }

    /// Lets no later caller share the computations that run now for matching keys.
    pub fn detach(&self, matches: impl Fn(&K) -> bool) {
        for (key, flight) in lock(&self.flights).iter_mut() {
            if matches(key) {
                flight.detached_at.get_or_insert(flight.next_arrival);
            }
        }
    }

    /// The number of callers, over all keys.
    #[must_use]
    pub fn callers(&self) -> usize {
        let flights = lock(&self.flights);
        flights.values().map(|flight| flight.callers).sum()
    }

    fn join(&self, key: K) -> Waiter<'_, K, V> {
        let mut flights = lock(&self.flights);
        let flight = flights.entry(key.clone()).or_insert_with(|| InFlight {
            callers: 0,
            next_arrival: 0,
            detached_at: None,
            result: Arc::default(),
        });
        flight.callers += 1;
        let arrival = flight.next_arrival;
        flight.next_arrival += 1;
        let result = Arc::clone(&flight.result);
        drop(flights);
        Waiter {
            flight: self,
            key,
            arrival,
            result,
        }
    }

    fn with<R>(&self, key: &K, with: impl FnOnce(&mut InFlight<V>) -> R) -> Option<R> {
        lock(&self.flights).get_mut(key).map(with)
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> fmt::Debug for SingleFlight<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight")
            .field("keys", &lock(&self.flights).len())
            .finish()
    }
}

/// A caller. The key leaves the map with its last caller.
struct Waiter<'a, K: Hash + Eq + Clone, V: Clone> {
    flight: &'a SingleFlight<K, V>,
    key: K,
    arrival: u64,
    result: Arc<SharedMutex<Option<Outcome<V>>>>,
}

impl<K: Hash + Eq + Clone, V: Clone> Waiter<'_, K, V> {
    /// The leader, or the value of an earlier one.
    fn lead<'a>(
        &'a self,
        result: SharedMutexGuard<'a, Option<Outcome<V>>>,
        join: Join,
    ) -> Result<Leader<'a, K, V>, V> {
        if let Some(outcome) = result.as_ref() {
            let before = match join {
                Join::Running => outcome.ended,
                Join::Next => outcome.began,
            };
            if self.arrival < before {
                return Err(outcome.value.clone());
            }
        }
        let began = self.flight.with(&self.key, |flight| {
            // A detachment concerns the computation before this one.
            flight.detached_at = None;
            flight.next_arrival
        });
        Ok(Leader {
            waiter: self,
            result,
            began: began.unwrap_or(0),
        })
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Drop for Waiter<'_, K, V> {
    fn drop(&mut self) {
        let mut flights = lock(&self.flight.flights);
        if let Some(flight) = flights.get_mut(&self.key) {
            flight.callers -= 1;
            if flight.callers == 0 {
                flights.remove(&self.key);
            }
        }
    }
}

/// The one caller that computes.
struct Leader<'a, K: Hash + Eq + Clone, V: Clone> {
    waiter: &'a Waiter<'a, K, V>,
    result: SharedMutexGuard<'a, Option<Outcome<V>>>,
    began: u64,
}

impl<K: Hash + Eq + Clone, V: Clone> Leader<'_, K, V> {
    fn finish(mut self, value: V) -> V {
        let ended = self.waiter.flight.with(&self.waiter.key, |flight| {
            let is_shared = flight.callers > 1;
            let end = flight.detached_at.take().unwrap_or(flight.next_arrival);
            is_shared.then_some(end)
        });
        if let Some(ended) = ended.flatten() {
            *self.result = Some(Outcome {
                value: value.clone(),
                began: self.began,
                ended,
            });
        }
        value
    }
}
