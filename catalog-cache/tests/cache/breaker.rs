//! Breakers in the cache; `src/breaker.rs` has their rules.

use bedrock_catalog_cache::{BreakerLimits, BreakerState, TierErrorKind};
use bedrock_catalog_test_support::Op;

use crate::stage::{SECOND, Stage, key, options};

fn breakers(stage: &Stage) -> [BreakerState; 3] {
    let health = stage.cache.health();
    [health[0].breaker, health[1].breaker, health[2].breaker]
}

#[test]
fn a_tier_that_fails_is_skipped_for_a_minute() {
    let stage = Stage::new();
    stage.lower[0].fail(TierErrorKind::Timeout);
    for n in 0..20 {
        let _ = stage.cache.get(&key(n));
    }
    assert_eq!(stage.lower[0].calls(Op::Get), 5);
    let (closed, open) = (BreakerState::Closed, BreakerState::Open);
    assert_eq!(breakers(&stage), [closed, open, closed], "only its own");
    stage.clock.advance(SECOND * 60);
    let _ = stage.cache.get(&key(1));
    let _ = stage.cache.get(&key(2));
    assert_eq!(stage.lower[0].calls(Op::Get), 6, "one probe");
    stage.lower[0].heal();
    stage.clock.advance(SECOND * 60);
    let _ = stage.cache.get(&key(3));
    assert_eq!(breakers(&stage), [closed; 3]);
    let statistics = stage.cache.statistics();
    let middle = statistics.tier("middle").unwrap();
    assert_eq!((middle.errors, middle.skipped), (6, 16));
}

#[test]
fn damaged_entries_do_not_open_the_breaker() {
    let stage = Stage::new();
    stage.lower[0].fail(TierErrorKind::Corrupt);
    for n in 0..20 {
        stage.cache.put(&key(n), "x", &options());
    }
    assert_eq!(breakers(&stage), [BreakerState::Closed; 3]);
}

#[test]
fn settings_change_while_the_cache_runs() {
    let stage = Stage::new();
    let mut settings = stage.cache.settings();
    settings.breaker = BreakerLimits {
        failures: 1,
        pause: SECOND,
    };
    settings.revalidate_after = SECOND;
    stage.cache.reconfigure(settings).unwrap();
    stage.cache.put(&key(1), "x", &options());
    let gets = |stage: &Stage| {
        let _ = stage.cache.get(&key(1));
        stage.lower[0].calls(Op::Get)
    };
    assert_eq!(gets(&stage), 0);
    stage.clock.advance(SECOND);
    assert_eq!(gets(&stage), 1, "revalidated");
    stage.lower[0].fail(TierErrorKind::Timeout);
    let _ = (stage.cache.get(&key(2)), stage.cache.get(&key(3)));
    assert_eq!(stage.lower[0].calls(Op::Get), 2);
    stage.clock.advance(SECOND);
    let _ = stage.cache.get(&key(2));
    assert_eq!(stage.lower[0].calls(Op::Get), 3);
}
