//! Single flight: of all who miss one name, one computes and the others wait. This file may not know
//! what is computed. A flight is a lock: "lock, look again, compute"; a leader who is cancelled or
//! panics drops the lock like any other, and the next one leads.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use super::sync::{LeadGuard, LeadMutex, Mutex, lock};

/// So many failures are remembered at once; beyond, failures are forgotten at once.
const MAX_FAILURES: usize = 1024;

/// The names in flight, and those that failed a moment ago.
#[derive(Debug)]
pub(super) struct Flights<N> {
    lanes: Mutex<HashMap<N, Lane>>,
}

#[derive(Debug, Default)]
struct Lane {
    /// So many hold a ticket. Counted under the lock: an `Arc`'s own count goes down too late.
    joined: usize,
    lead: Arc<LeadMutex<Option<Failure>>>,
}

impl Lane {
    /// Whether it can go, now that nobody has joined.
    fn is_over(&self, now: Option<Duration>) -> bool {
        let remembers = |failure: &Failure| now.is_none_or(|now| now < failure.until);
        self.joined == 0
            && !self
                .lead
                .try_lock()
                .is_some_and(|failure| failure.as_ref().is_some_and(remembers))
    }
}

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

    /// Joins the flight of a name; take the lock to lead. At `now`, a steady time. In the broken
    /// build everyone flies alone: the tests must notice.
    pub(super) fn join(&self, name: &N, now: Duration) -> Ticket<'_, N> {
        if cfg!(broken = "no-single-flight") {
            return Ticket {
                flights: self,
                name: name.clone(),
                lead: Arc::default(),
            };
        }
        let mut lanes = lock(&self.lanes);
        if lanes.len() > MAX_FAILURES {
            lanes.retain(|_, lane| !lane.is_over(Some(now)));
        }
        let lane = lanes.entry(name.clone()).or_default();
        lane.joined += 1;
        let lead = Arc::clone(&lane.lead);
        Ticket {
            flights: self,
            name: name.clone(),
            lead,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.lanes).len()
    }
}

/// A place in a flight. The lane is gone when the last one leaves, unless it remembers a failure.
#[derive(Debug)]
pub(super) struct Ticket<'a, N: Hash + Eq + Clone> {
    flights: &'a Flights<N>,
    name: N,
    lead: Arc<LeadMutex<Option<Failure>>>,
}

impl<N: Hash + Eq + Clone> Ticket<'_, N> {
    /// Waits, blocking the thread, until this caller leads.
    pub(super) fn lead_blocking(&self) -> Lead<'_> {
        Lead(self.lead.lock_blocking())
    }

    /// Waits until this caller leads.
    pub(super) async fn lead(&self) -> Lead<'_> {
        Lead(self.lead.lock().await)
    }
}

impl<N: Hash + Eq + Clone> Drop for Ticket<'_, N> {
    fn drop(&mut self) {
        let mut lanes = lock(&self.flights.lanes);
        let full = lanes.len() > MAX_FAILURES;
        if let Some(lane) = lanes.get_mut(&self.name) {
            lane.joined = lane.joined.saturating_sub(1);
            if lane.joined == 0 && (full || lane.is_over(None)) {
                lanes.remove(&self.name);
            }
        }
    }
}

/// The one who computes, until dropped.
#[derive(Debug)]
pub(super) struct Lead<'a>(LeadGuard<'a, Option<Failure>>);

impl Lead<'_> {
    /// The failure of an earlier leader, while it is remembered.
    pub(super) fn recent_failure(&mut self, now: Duration) -> Option<Failure> {
        self.0.take_if(|failure| now >= failure.until);
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
