use std::time::Duration;

use super::{SECOND, Stage, key, terms};
use bedrock_catalog_cache::{BreakerLimits, BreakerState, TierErrorKind};
use bedrock_catalog_test_support::Op;

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
