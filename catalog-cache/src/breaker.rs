//! When to stop asking a tier that fails. This file may not know what a tier is, nor the time: the
//! caller says how late it is by the steady clock.
//!
//! ```text
//!            failures in a row            pause over, one asks
//!   Closed ────────────────────▶ Open ─────────────────────────▶ Half-open
//!     ▲                           ▲                                │    │
//!     │                           └──────── the probe fails ───────┘    │
//!     └──────────────────────────────────── the probe succeeds ─────────┘
//! ```

use std::time::Duration;

use super::sync::{AtomicBool, Mutex, Ordering, lock};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// So many failures in a row open it. Default 5; zero counts as one.
    pub failures: u32,
    /// So long nothing is asked after it opened. Default 60 s.
    pub pause: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(60),
        }
    }
}

/// What a breaker does with the next question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The tier is asked.
    Closed,
    /// The tier is not asked.
    Open,
    /// One caller asks on probation, all others do not.
    HalfOpen,
}

#[derive(Debug)]
pub(super) struct Breaker {
    /// Closed without a failure: the common case, answered without the lock.
    calm: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: BreakerLimits,
    now: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed { failures: u32 },
    Open { since: Duration },
    HalfOpen,
}

impl Breaker {
    pub(super) fn new(limits: BreakerLimits) -> Self {
        Self {
            calm: AtomicBool::new(true),
            state: Mutex::new(State {
                limits,
                now: Phase::Closed { failures: 0 },
            }),
        }
    }

    /// New limits, from the next failure or question on.
    pub(super) fn set_limits(&self, limits: BreakerLimits) {
        lock(&self.state).limits = limits;
    }

    pub(super) fn state(&self) -> BreakerState {
        match lock(&self.state).now {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Permission to ask at `now`, a steady time; `None` while the tier is not to be asked.
    pub(super) fn admit(&self, now: impl FnOnce() -> Duration) -> Option<Pass<'_>> {
        if self.calm.load(Ordering::Acquire) {
            return Some(Pass {
                breaker: self,
                probe: None,
            });
        }
        let now = now();
        let mut state = lock(&self.state);
        let probe = match state.now {
            Phase::Closed { .. } => None,
            Phase::Open { since } if now.saturating_sub(since) >= state.limits.pause => {
                state.now = Phase::HalfOpen;
                Some(now)
            }
            Phase::Open { .. } | Phase::HalfOpen => return None,
        };
        Some(Pass {
            breaker: self,
            probe,
        })
    }

    fn report(&self, probe: bool, failed_at: Option<Duration>) {
        if failed_at.is_none() && !probe && self.calm.load(Ordering::Acquire) {
            return;
        }
        let mut state = lock(&self.state);
        // Who was admitted before the breaker opened has no say any more.
        state.now = match (state.now, failed_at) {
            (Phase::HalfOpen, None) if probe => Phase::Closed { failures: 0 },
            (Phase::HalfOpen, Some(since)) if probe => Phase::Open { since },
            (Phase::Closed { .. }, None) => Phase::Closed { failures: 0 },
            (Phase::Closed { failures }, Some(since)) => {
                let failures = failures.saturating_add(1);
                if failures >= state.limits.failures.max(1) {
                    Phase::Open { since }
                } else {
                    Phase::Closed { failures }
                }
            }
            (unchanged, _) => unchanged,
        };
        self.calm.store(
            matches!(state.now, Phase::Closed { failures: 0 }),
            Ordering::Release,
        );
    }
}

/// Permission to ask once. Dropped without a word, as after a panic, a probe counts as failed.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    /// When it was given, where it is the probe.
    probe: Option<Duration>,
}

impl Pass<'_> {
    pub(super) fn succeeded(mut self) {
        let probe = self.probe.take().is_some();
        self.breaker.report(probe, None);
    }

    pub(super) fn failed(mut self, now: Duration) {
        let probe = self.probe.take().is_some();
        self.breaker.report(probe, Some(now));
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(since) = self.probe.take() {
            self.breaker.report(true, Some(since));
        }
    }
}
