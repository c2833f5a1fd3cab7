//! Single flight: of all who miss one name, one computes and the others wait. This file may not know
//! what is computed. A flight is a lock: "lock, look again, compute"; a leader who is cancelled or
//! panics drops the lock like any other, and the next one leads.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use foldhash::quality::RandomState;

use super::sync::{LeadGuard, LeadMutex, Mutex, lock};

/// So many names are kept track of before those that are over are looked for; beyond, failures are
/// forgotten at once.
const MAX_FAILURES: usize = 1024;
/// So long after a look that found little to forget.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The names in flight, and those that failed a moment ago.
#[derive(Debug)]
pub(super) struct Flights<N, V> {
    lanes: Mutex<Lanes<N, V>>,
}

#[derive(Debug)]
struct Lanes<N, V> {
    by_name: HashMap<N, Lane<V>, RandomState>,
    /// When those that are over were last looked for, in steady time, and how many stayed.
    looked: (Duration, usize),
    /// How many were looked at in all.
    #[cfg(test)]
    seen: usize,
}

#[derive(Debug)]
struct Lane<V> {
    /// So many hold a ticket. Counted under the lock: an `Arc`'s own count goes down too late.
    joined: usize,
    /// The number of the next ticket.
    next: u64,
    lead: Arc<LeadMutex<Landed<V>>>,
}

impl<V> Default for Lane<V> {
    fn default() -> Self {
        Self {
            joined: 0,
            next: 0,
            lead: Arc::new(LeadMutex::default()),
        }
    }
}

/// What the leaders so far leave for those who come after them.
#[derive(Debug)]
struct Landed<V> {
    failure: Option<Failure>,
    /// The last answer, for the tickets below this number: who joined later may want a newer one.
    answer: Option<(u64, V)>,
}

impl<V> Default for Landed<V> {
    fn default() -> Self {
        Self {
            failure: None,
            answer: None,
        }
    }
}

impl<V> Lane<V> {
    /// Whether it can go, now that nobody has joined.
    fn is_over(&self, now: Option<Duration>) -> bool {
        let remembers = |failure: &Failure| now.is_none_or(|now| now < failure.until);
        self.joined == 0
            && !self
                .lead
                .try_lock()
                .is_some_and(|landed| landed.failure.as_ref().is_some_and(remembers))
    }
}

/// A failure, while it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) message: String,
    /// Steady time.
    pub(super) until: Duration,
}

impl<N: Hash + Eq + Clone, V: Clone> Flights<N, V> {
    pub(super) fn new() -> Self {
        Self {
            lanes: Mutex::new(Lanes {
                by_name: HashMap::default(),
                looked: (Duration::ZERO, 0),
                #[cfg(test)]
                seen: 0,
            }),
        }
    }

    /// Joins the flight of a name; take the lock to lead. At `now`, a steady time.
    pub(super) fn join(&self, name: &N, now: Duration) -> Ticket<'_, N, V> {
        let mut lanes = lock(&self.lanes);
        let (looked, stayed) = lanes.looked;
        let held = lanes.by_name.len();
        // Not at every join: with very many names in flight that would be all the work there is.
        if held >= MAX_FAILURES
            && (held > 2 * stayed || now.saturating_sub(looked) >= LOOK_AGAIN_AFTER)
        {
            lanes.by_name.retain(|_, lane| !lane.is_over(Some(now)));
            lanes.looked = (now, lanes.by_name.len());
            #[cfg(test)]
            {
                lanes.seen += held;
            }
        }
        let lane = lanes.by_name.entry(name.clone()).or_default();
        lane.joined += 1;
        let number = lane.next;
        lane.next += 1;
        let lead = Arc::clone(&lane.lead);
        Ticket {
            flights: self,
            name: name.clone(),
            number,
            lead,
        }
    }

    /// The number above those of all who have joined the flight of a name by now; `None` where nobody but
    /// the leader has.
    pub(super) fn joined_by_now(&self, name: &N) -> Option<u64> {
        let lanes = lock(&self.lanes);
        let lane = lanes.by_name.get(name)?;
        (lane.joined > 1).then_some(lane.next)
    }

    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn seen(&self) -> usize {
        lock(&self.lanes).seen
    }

    /// How many have joined, in all lanes.
    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn joined(&self) -> usize {
        lock(&self.lanes).by_name.values().map(|l| l.joined).sum()
    }

    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn len(&self) -> usize {
        lock(&self.lanes).by_name.len()
    }
}

/// A place in a flight. The lane is gone when the last one leaves, unless it remembers a failure.
#[derive(Debug)]
pub(super) struct Ticket<'a, N: Hash + Eq + Clone, V> {
    flights: &'a Flights<N, V>,
    name: N,
    number: u64,
    lead: Arc<LeadMutex<Landed<V>>>,
}

impl<N: Hash + Eq + Clone, V: Clone> Ticket<'_, N, V> {
    /// Waits, blocking the thread, until this caller leads.
    pub(super) fn lead_blocking(&self) -> Lead<'_, N, V> {
        Lead {
            ticket: self,
            landed: self.lead.lock_blocking(),
        }
    }

    /// Waits until this caller leads.
    pub(super) async fn lead(&self) -> Lead<'_, N, V> {
        Lead {
            ticket: self,
            landed: self.lead.lock().await,
        }
    }
}

impl<N: Hash + Eq + Clone, V> Drop for Ticket<'_, N, V> {
    fn drop(&mut self) {
        let mut lanes = lock(&self.flights.lanes);
        let full = lanes.by_name.len() > MAX_FAILURES;
        if let Some(lane) = lanes.by_name.get_mut(&self.name) {
            lane.joined = lane.joined.saturating_sub(1);
            if lane.joined == 0 && (full || lane.is_over(None)) {
                lanes.by_name.remove(&self.name);
            }
        }
    }
}

/// The one who computes, until dropped.
#[derive(Debug)]
pub(super) struct Lead<'a, N: Hash + Eq + Clone, V> {
    ticket: &'a Ticket<'a, N, V>,
    landed: LeadGuard<'a, Landed<V>>,
}

impl<N: Hash + Eq + Clone, V: Clone> Lead<'_, N, V> {
    /// The answer of a leader who was not done yet when this caller joined.
    pub(super) fn answer(&self) -> Option<V> {
        let (below, answer) = self.landed.answer.as_ref()?;
        (self.ticket.number < *below).then(|| answer.clone())
    }

    /// The failure of an earlier leader, while it is remembered.
    pub(super) fn recent_failure(&mut self, now: Duration) -> Option<Failure> {
        self.landed.failure.take_if(|failure| now >= failure.until);
        self.landed.failure.clone()
    }

    /// Remembers a failure.
    pub(super) fn failed(&mut self, failure: Failure) {
        *self.landed = Landed {
            failure: Some(failure),
            answer: None,
        };
    }

    /// Forgets failures, and leaves the answer, if it is theirs too, to those below this number; see
    /// [`Flights::joined_by_now`].
    pub(super) fn succeeded(&mut self, answer: Option<(u64, V)>) {
        *self.landed = Landed {
            failure: None,
            answer,
        };
    }
}
