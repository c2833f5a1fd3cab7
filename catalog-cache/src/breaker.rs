//! The circuit breaker of a tier.
//!
//! ```text
//!            failures in a row            pause over: one probe
//!   Closed ────────────────────▶ Open ─────────────────────────▶ Half-open
//!     ▲                           ▲                                │    │
//!     │                           └──────── the probe fails ───────┘    │
//!     └──────────────────────────────────── the probe succeeds ─────────┘
//! ```

use std::time::Duration;

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// The number of failures in a row that open it. Default 5; zero counts as one.
    pub failures: u32,
    /// The time without calls after it opened. Default 60 s.
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

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// The tier is called.
    Closed,
    /// The tier is not called.
    Open,
    /// One call, the probe, decides whether the tier works again. There are no others.
    HalfOpen,
}

#[derive(Debug)]
pub(crate) struct Breaker {
    /// Closed without a failure: the common case, which needs no lock.
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
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Self {
            calm: AtomicBool::new(true),
            state: Mutex::new(State {
                limits,
                now: Phase::Closed { failures: 0 },
            }),
        }
    }

    /// Sets the limits for later failures and calls.
    pub(crate) fn set_limits(&self, limits: BreakerLimits) {
        lock(&self.state).limits = limits;
    }

    pub(crate) fn state(&self) -> BreakerState {
        match lock(&self.state).now {
            Phase::Closed { .. } => BreakerState::Closed,
            Phase::Open { .. } => BreakerState::Open,
            Phase::HalfOpen => BreakerState::HalfOpen,
        }
    }

    /// Permission for one call at `now`, a steady time; `None` while the tier is not called.
    pub(crate) fn admit(&self, now: impl FnOnce() -> Duration) -> Option<Pass<'_>> {
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
        // A call that was admitted before the breaker opened does not count any more.
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

/// Permission for one call. A probe that is dropped without a result, as by a panic, counts as failed.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    /// The time at which the probe was admitted.
    probe: Option<Duration>,
}

impl Pass<'_> {
    pub(crate) fn succeeded(mut self) {
        let probe = self.probe.take().is_some();
        self.breaker.report(probe, None);
    }

    pub(crate) fn failed(mut self, now: Duration) {
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

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        /// Seconds pass.
        Wait(u64),
        Admit,
        /// One of the calls under way succeeds, fails, or is dropped.
        End(usize, Option<bool>),
    }

    /// The rules again, in the plainest form.
    enum Model {
        Closed(u32),
        Open(u64),
        /// The time at which the probe began.
        Probing(u64),
    }

    fn history() -> impl Strategy<Value = Vec<Step>> {
        let end = prop_oneof![3 => Just(Some(false)), 1 => Just(Some(true)), 1 => Just(None)];
        let end = (any::<usize>(), end).prop_map(|(n, how)| Step::End(n, how));
        let step =
            prop_oneof![1 => (0..40_u64).prop_map(Step::Wait), 3 => Just(Step::Admit), 3 => end];
        vec(step, 1..60)
    }

    /// Compares the breaker with the model after every step.
    fn check(failures: u32, history: impl IntoIterator<Item = Step>) {
        let breaker = Breaker::new(BreakerLimits {
            failures,
            pause: Duration::from_secs(30),
        });
        let (mut model, mut now) = (Model::Closed(0), 0_u64);
        let mut admitted: Vec<(Pass<'_>, bool)> = Vec::new();
        for step in history {
            match step {
                Step::Wait(seconds) => now += seconds,
                Step::Admit => {
                    let is_probe = matches!(model, Model::Open(since) if now - since >= 30);
                    let expected = is_probe || matches!(model, Model::Closed(_));
                    let pass = breaker.admit(|| Duration::from_secs(now));
                    assert_eq!(pass.is_some(), expected);
                    if is_probe {
                        model = Model::Probing(now);
                    }
                    admitted.extend(pass.map(|pass| (pass, is_probe)));
                }
                Step::End(which, how) if !admitted.is_empty() => {
                    let (pass, is_probe) = admitted.swap_remove(which % admitted.len());
                    match how {
                        Some(true) => pass.succeeded(),
                        Some(false) => pass.failed(Duration::from_secs(now)),
                        None => drop(pass),
                    }
                    model = match (model, how) {
                        (Model::Probing(_), Some(true)) if is_probe => Model::Closed(0),
                        (Model::Probing(_), Some(false)) if is_probe => Model::Open(now),
                        (Model::Probing(since), None) if is_probe => Model::Open(since),
                        (Model::Closed(_), Some(true)) => Model::Closed(0),
                        (Model::Closed(n), Some(false)) if n + 1 >= failures.max(1) => {
                            Model::Open(now)
                        }
                        (Model::Closed(n), Some(false)) => Model::Closed(n + 1),
                        (model, _) => model,
                    };
                }
                Step::End(..) => {}
            }
            let state = match model {
                Model::Closed(_) => BreakerState::Closed,
                Model::Open(_) => BreakerState::Open,
                Model::Probing(_) => BreakerState::HalfOpen,
            };
            assert_eq!(breaker.state(), state);
            assert!(admitted.iter().filter(|(_, is_probe)| *is_probe).count() <= 1);
        }
    }

    proptest! {
        #[test]
        fn the_breaker_follows_its_rules(failures in 0..4_u32, history in history()) {
            check(failures, history);
        }
    }

    /// A million histories in the long lane, from a generator that costs nothing.
    #[test]
    fn the_breaker_follows_its_rules_in_very_many_histories() {
        let is_long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1");
        let histories = if is_long { 1_000_000 } else { 10_000 };
        for number in 0..histories {
            let mut state: u64 = number;
            // SplitMix64.
            let mut random = move |below: u64| {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (z ^ (z >> 31)) % below
            };
            let (failures, steps) = (random(4) as u32, 1 + random(60));
            let step = |_| match random(7) {
                0 => Step::Wait(random(40)),
                1..=3 => Step::Admit,
                _ => {
                    let how = [Some(false), Some(false), Some(false), Some(true), None];
                    Step::End(random(1 << 20) as usize, how[random(5) as usize])
                }
            };
            check(failures, (0..steps).map(step).collect::<Vec<_>>());
        }
    }
}
