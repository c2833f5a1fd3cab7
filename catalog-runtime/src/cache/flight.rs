//! Single flight: of all who miss one name, one computes and the others wait. This file may not know
//! what is computed. A flight is a lock: "lock, look again, compute"; a leader who is cancelled or
//! panics drops the lock like any other, and the next one leads.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use async_lock::{Mutex as AsyncMutex, MutexGuard};

use super::sync::{Mutex, lock};

/// So many failures are remembered at once; beyond, failures are forgotten at once.
const MAX_FAILURES: usize = 1024;

/// The names in flight, and those that failed a moment ago.
#[derive(Debug)]
pub(super) struct Flights<N> {
    lanes: Mutex<HashMap<N, Arc<Lane>>>,
}

type Lane = AsyncMutex<Option<Failure>>;

/// A failure, while it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Steady time.
    pub(super) until: Duration,
}

impl<N: Hash + Eq + Clone> Flights<N> {
    pub(super) fn new() -> Self {
        Self {
            lanes: Mutex::new(HashMap::new()),
        }
    }

    /// Joins the flight of a name; take the lock to lead. At `now`, a steady time.
    pub(super) fn join(&self, name: &N, now: Duration) -> Ticket<'_, N> {
        let mut lanes = lock(&self.lanes);
        if lanes.len() > MAX_FAILURES {
            lanes.retain(|_, lane| {
                Arc::strong_count(lane) > 1
                    || lane
                        .try_lock()
                        .is_none_or(|f| is_remembered(f.as_ref(), now))
            });
        }
        let lane = Arc::clone(lanes.entry(name.clone()).or_default());
        Ticket {
            flights: self,
            name: name.clone(),
            lane,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.lanes).len()
    }
}

fn is_remembered(failure: Option<&Failure>, now: Duration) -> bool {
    failure.is_some_and(|failure| now < failure.until)
}

/// A place in a flight. The lane is gone when the last one leaves, unless it remembers a failure.
#[derive(Debug)]
pub(super) struct Ticket<'a, N: Hash + Eq + Clone> {
    flights: &'a Flights<N>,
    name: N,
    lane: Arc<Lane>,
}

impl<N: Hash + Eq + Clone> Ticket<'_, N> {
    /// Waits, blocking the thread, until this caller leads.
    pub(super) fn lead_blocking(&self) -> Lead<'_> {
        Lead(self.lane.lock_blocking())
    }

    /// Waits until this caller leads.
    pub(super) async fn lead(&self) -> Lead<'_> {
        Lead(self.lane.lock().await)
    }
}

impl<N: Hash + Eq + Clone> Drop for Ticket<'_, N> {
    fn drop(&mut self) {
        let mut lanes = lock(&self.flights.lanes);
        // Two: the map's and this one. Nobody can join meanwhile: joining takes the same lock.
        let last = Arc::strong_count(&self.lane) <= 2;
        let empty = self
            .lane
            .try_lock()
            .is_some_and(|failure| failure.is_none());
        if last && (empty || lanes.len() > MAX_FAILURES) {
            lanes.remove(&self.name);
        }
    }
}

/// The one who computes, until dropped.
#[derive(Debug)]
pub(super) struct Lead<'a>(MutexGuard<'a, Option<Failure>>);

impl Lead<'_> {
    /// The failure of an earlier leader, while it is remembered.
    pub(super) fn recent_failure(&mut self, now: Duration) -> Option<Failure> {
        if !is_remembered(self.0.as_ref(), now) {
            *self.0 = None;
        }
        self.0.clone()
    }

    /// Remembers a failure.
    pub(super) fn failed(&mut self, failure: Failure) {
        *self.0 = Some(failure);
    }

    /// Forgets.
    pub(super) fn succeeded(&mut self) {
        *self.0 = None;
    }
}
