//! The breaker against its rules, said once more.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::breaker::{Breaker, Pass};
use crate::{BreakerLimits, BreakerState};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
enum Do {
    Wait(u64),
    Ask,
    /// The n-th question under way ends: well, badly, or without a word.
    End(usize, Option<bool>),
}

/// The rules once more, as plainly as they can be said.
enum Model {
    Closed(u32),
    Open(u64),
    /// Since when the probe is under way.
    Probing(u64),
}

fn history() -> impl Strategy<Value = Vec<Do>> {
    let end = (
        any::<usize>(),
        prop_oneof![3 => Just(Some(false)), 1 => Just(Some(true)), 1 => Just(None)],
    );
    vec(
        prop_oneof![1 => (0..40_u64).prop_map(Do::Wait), 3 => Just(Do::Ask), 3 => end.prop_map(|(n, how)| Do::End(n, how))],
        1..60,
    )
}

/// Lets a breaker and the model live through a history, and compares them after every step.
fn live_through(failures: u32, history: impl IntoIterator<Item = Do>) {
    let breaker = Breaker::new(BreakerLimits {
        failures,
        pause: SECOND * 30,
    });
    let (mut model, mut now) = (Model::Closed(0), 0_u64);
    let mut asked: Vec<(Pass<'_>, bool)> = Vec::new();
    for step in history {
        match step {
            Do::Wait(seconds) => now += seconds,
            Do::Ask => {
                let probe = matches!(model, Model::Open(since) if now - since >= 30);
                let expected = probe || matches!(model, Model::Closed(_));
                let pass = breaker.admit(|| Duration::from_secs(now));
                assert_eq!(pass.is_some(), expected);
                if probe {
                    model = Model::Probing(now);
                }
                asked.extend(pass.map(|pass| (pass, probe)));
            }
            Do::End(which, how) if !asked.is_empty() => {
                let (pass, probe) = asked.swap_remove(which % asked.len());
                match how {
                    Some(true) => pass.succeeded(),
                    Some(false) => pass.failed(Duration::from_secs(now)),
                    None => drop(pass),
                }
                model = match (model, how) {
                    (Model::Probing(_), Some(true)) if probe => Model::Closed(0),
                    (Model::Probing(_), Some(false)) if probe => Model::Open(now),
                    (Model::Probing(since), None) if probe => Model::Open(since),
                    (Model::Closed(_), Some(true)) => Model::Closed(0),
                    (Model::Closed(n), Some(false)) if n + 1 >= failures.max(1) => Model::Open(now),
                    (Model::Closed(n), Some(false)) => Model::Closed(n + 1),
                    (model, _) => model,
                };
            }
            Do::End(..) => {}
        }
        let state = match model {
            Model::Closed(_) => BreakerState::Closed,
            Model::Open(_) => BreakerState::Open,
            Model::Probing(_) => BreakerState::HalfOpen,
        };
        assert_eq!(breaker.state(), state);
        assert!(asked.iter().filter(|(_, probe)| *probe).count() <= 1);
    }
}

proptest! {
    #[test]
    fn the_breaker_follows_its_rules(failures in 0..4_u32, history in history()) {
        live_through(failures, history);
    }
}

/// The long lane's figure, from a generator that costs nothing; the number of a history is its seed.
#[test]
fn the_breaker_follows_its_rules_a_million_times() {
    if std::env::var_os("BEDROCK_CATALOG_LONG").is_none() {
        let name = "the_breaker_follows_its_rules_a_million_times";
        bedrock_catalog_test_support::leave_out(name, "of the long lane");
        return;
    }
    for number in 0..1_000_000_u64 {
        let mut state = number;
        // SplitMix64.
        let mut random = move |below: u64| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % below
        };
        let (failures, steps) = (random(4) as u32, 1 + random(60));
        live_through(
            failures,
            (0..steps).map(|_| match random(7) {
                0 => Do::Wait(random(40)),
                1..=3 => Do::Ask,
                _ => {
                    let how = [Some(false), Some(false), Some(false), Some(true), None];
                    Do::End(random(1 << 20) as usize, how[random(5) as usize])
                }
            }),
        );
    }
    bedrock_catalog_test_support::count("the breaker", "1000000 histories");
}
