use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::breaker::{Breaker, Pass};
use super::super::testing::Op;
use super::super::{BreakerLimits, BreakerState, TierErrorKind};
use super::{SECOND, Stage, key, terms};

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
        crate::say::leave_out(name, "of the long lane");
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
    crate::say::count("the breaker", "1000000 histories");
}

#[test]
fn a_tier_that_hangs_or_fails_is_left_alone_for_a_minute() {
    let stage = Stage::new();
    stage.lower[0].fail(TierErrorKind::Timeout);
    for n in 0..20 {
        let _ = stage.cache.get(&key(n));
    }
    assert_eq!(stage.lower[0].calls(Op::Get), 5);
    let breakers = || {
        stage
            .cache
            .health()
            .iter()
            .map(|tier| tier.breaker)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        breakers(),
        [
            BreakerState::Closed,
            BreakerState::Open,
            BreakerState::Closed
        ],
        "only its own"
    );
    stage.clock.advance(SECOND * 60);
    let _ = stage.cache.get(&key(1));
    let _ = stage.cache.get(&key(2));
    assert_eq!(stage.lower[0].calls(Op::Get), 6, "one probe");
    stage.lower[0].heal();
    stage.clock.advance(SECOND * 60);
    let _ = stage.cache.get(&key(3));
    assert_eq!(breakers(), [BreakerState::Closed; 3]);
    let statistics = stage.cache.statistics();
    let middle = statistics.tier("middle").unwrap();
    assert_eq!((middle.errors, middle.skipped), (6, 16));
}

#[test]
fn damaged_entries_do_not_open_the_breaker() {
    let stage = Stage::new();
    stage.lower[0].fail(TierErrorKind::Corrupt);
    for n in 0..20 {
        stage.cache.put(&key(n), "x", &terms());
        let _ = stage.cache.get(&key(n));
    }
    assert_eq!(stage.cache.health()[1].breaker, BreakerState::Closed);
}

#[test]
fn limits_change_while_it_runs() {
    let stage = Stage::new();
    let mut settings = stage.cache.settings();
    settings.breaker = BreakerLimits {
        failures: 1,
        pause: SECOND,
    };
    stage.cache.reconfigure(settings).unwrap();
    stage.lower[0].fail(TierErrorKind::Timeout);
    let _ = (stage.cache.get(&key(1)), stage.cache.get(&key(2)));
    assert_eq!(stage.lower[0].calls(Op::Get), 1);
    stage.clock.advance(SECOND);
    let _ = stage.cache.get(&key(1));
    assert_eq!(stage.lower[0].calls(Op::Get), 2);
}

#[test]
fn when_memory_asks_below_changes_while_it_runs() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "x", &super::terms());
    let mut settings = stage.cache.settings();
    settings.ask_below_after = SECOND;
    stage.cache.reconfigure(settings).unwrap();
    let asked = |stage: &Stage| {
        let _ = stage.cache.get(&key(1));
        stage.lower[0].calls(Op::Get)
    };
    assert_eq!(asked(&stage), 0);
    stage.clock.advance(SECOND);
    assert_eq!(asked(&stage), 1);
}

#[test]
fn cleanup_runs_in_the_background_and_ends_with_the_cache() {
    let stage = Stage::new();
    stage
        .cache
        .put(&key(1), "x", &super::holding(SECOND, SECOND));
    stage.clock.advance(SECOND);
    let cleaned = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        let cleaned = std::sync::Arc::new(cleaned);
        let seen = std::sync::Arc::clone(&cleaned);
        let once = std::sync::atomic::AtomicBool::new(true);
        stage.lower[1].after(move |op| {
            if op == Op::Cleanup && once.swap(false, std::sync::atomic::Ordering::SeqCst) {
                seen.wait();
            }
        });
        let cleaner = stage.cache.cleanup_every(Duration::ZERO).unwrap();
        cleaned.wait();
        assert!(!stage.lower[1].holds(&super::ns(), &key(1)));
        scope.spawn(move || drop(cleaner));
    });
}
