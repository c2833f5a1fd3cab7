//! Who of all processes works at a key: one lease of each tier that has them, taken in one loop and
//! given back in one place. This file may not know what is done meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::Freshness;
use super::core::Inner;
use super::level::Mark;
use super::others::Begins;
use super::search::Search;
use super::tier::{Lease, LeaseOutcome};
use super::{Cache, Key};

/// The leases of a key in all tiers that have them, given back where this is dropped.
#[doc(hidden)]
#[derive(Debug)]
pub struct Leases {
    inner: Arc<Inner>,
    key: Key,
    /// By level.
    held: Vec<(usize, Lease)>,
    /// Whether who drops them may block. If not, as where a future is dropped, it is left to another
    /// thread.
    may_block: bool,
}

impl Leases {
    /// From now on they belong to a future.
    pub(super) fn in_a_future(mut self) -> Self {
        self.may_block = false;
        self
    }

    /// Gives them back, and waits until they are: a process that ends may not come to it otherwise.
    #[doc(hidden)]
    pub async fn give_back(mut self) {
        if !self.held.is_empty() {
            blocking::unblock(move || self.give_back_here(|_| false)).await;
        }
    }

    /// The same on this thread, which may block. Those of levels that are not to be asked run out by
    /// themselves.
    pub(super) fn give_back_here(&mut self, is_left: impl Fn(usize) -> bool) {
        for (index, lease) in self.held.drain(..) {
            match self.inner.levels.get(index) {
                Some(level) if !is_left(index) => level.give_back(&self.key, lease),
                _ => lease.leave(),
            }
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        if self.may_block || self.held.is_empty() {
            return self.give_back_here(|_| false);
        }
        let mut left = Self {
            inner: Arc::clone(&self.inner),
            key: self.key.clone(),
            held: std::mem::take(&mut self.held),
            may_block: true,
        };
        blocking::unblock(move || left.give_back_here(|_| false)).detach();
    }
}

/// Why this process is not the one that works at a key.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Others {
    /// Another one is.
    Work,
    /// A tier did not answer in time who is.
    MayWork,
}

/// The right to compute.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) leases: Leases,
    pub(super) begins: Begins,
}

impl Claim {
    /// From now on it belongs to a future.
    pub(super) fn in_a_future(self) -> Self {
        Self {
            leases: self.leases.in_a_future(),
            ..self
        }
    }
}

/// What a tier answered to who wants its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Held,
    /// Another process has it, and had it all the time that was waited.
    Busy,
}

/// What to do then.
#[derive(Debug)]
pub(super) enum Then<R> {
    /// Go on to the next tier; without this one's lease, where it is busy.
    GoOn,
    /// Ask the same tier again.
    Again,
    /// Give back what was taken: this is the end.
    Stop(R),
}

impl Cache {
    /// Takes the leases of a key, the nearest tier's first: of the processes of a machine one stands for
    /// all in the queue of the fleet. Each is waited for `wait` long; a tier that cannot be asked, or has
    /// no leases, holds nobody up, and one that was late since the call began is not asked. May block.
    pub(super) fn claim<R>(
        &self,
        key: &Key,
        wait: Duration,
        since: Mark,
        mut then: impl FnMut(Asked) -> Then<R>,
    ) -> Result<Claim, R> {
        let lasting = self.settings().lease;
        let mut claim = Claim {
            leases: Leases {
                inner: Arc::clone(&self.inner),
                key: key.clone(),
                held: Vec::new(),
                may_block: true,
            },
            begins: self.begins(),
        };
        for (index, level) in self.inner.levels.iter().enumerate() {
            while !level.was_late_since(since) {
                let asked = level.call("lease", key, |tier| {
                    tier.try_lease(&self.namespace, key, wait, lasting)
                });
                let token = match asked {
                    None | Some(LeaseOutcome::Unsupported) => break,
                    // Without the lease, the number alone: what is stored in the end is still in order.
                    Some(LeaseOutcome::Overrun) => self.begin_in(index, key),
                    Some(LeaseOutcome::Held(lease)) => {
                        let token = lease.token();
                        claim.leases.held.push((index, lease));
                        if let Then::Stop(end) = then(Asked::Held) {
                            return Err(end);
                        }
                        token
                    }
                    Some(LeaseOutcome::Busy) => match then(Asked::Busy) {
                        Then::Again => continue,
                        Then::GoOn => self.begin_in(index, key),
                        Then::Stop(end) => return Err(end),
                    },
                };
                let tokens = &mut claim.begins.tokens;
                tokens.extend(token.map(|token| (index, token)));
                break;
            }
        }
        // From here on others may store what is newer than what is computed now.
        claim.begins.at = self.inner.clock.now();
        let levels = self.inner.levels.iter().enumerate();
        let late = levels.filter(|(_, level)| level.was_late_since(since));
        claim.begins.late.extend(late.map(|(index, _)| index));
        Ok(claim)
    }

    /// Tries for `wait` to become the one process that works at this key.
    #[doc(hidden)]
    pub async fn try_lease(&self, key: &Key, wait: Duration) -> Result<Leases, Others> {
        let key = key.clone();
        self.off_thread(move |cache| {
            let since = cache.inner.lates.mark();
            let claim = cache.claim(&key, wait, since, |asked| match asked {
                Asked::Held => Then::GoOn,
                Asked::Busy => Then::Stop(Others::Work),
            })?;
            match claim.begins.late.is_empty() {
                true => Ok(claim.leases.in_a_future()),
                false => Err(Others::MayWork),
            }
        })
        .await
    }

    /// What the tiers have that processes share, whatever memory holds. Not counted as a question.
    #[doc(hidden)]
    pub fn get_shared(&self, key: &Key) -> Freshness {
        self.ask_below(key, Search::default(), false)
    }

    /// The same, and whether all of them answered in time.
    #[doc(hidden)]
    pub fn get_shared_in_time(&self, key: &Key) -> (Freshness, bool) {
        let since = self.inner.lates.mark();
        let shared = self.get_shared(key);
        let mut levels = self.inner.levels.iter();
        (shared, !levels.any(|level| level.was_late_since(since)))
    }
}
