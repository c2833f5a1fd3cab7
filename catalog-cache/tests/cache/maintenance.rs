//! Cleanup, warming, listings and health.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bedrock_catalog_cache::{Clock, Deadline, Key, Tier, TierErrorKind};
use bedrock_catalog_test_support::Op;

use crate::stage::{DAY, HOUR, SECOND, Stage, entry, key, ns, options, ttl};

#[test]
fn cleanup_runs_in_the_background_until_it_is_dropped() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "x", &ttl(SECOND, SECOND));
    stage.clock.advance(SECOND);
    let cleaned = std::sync::Arc::new(Barrier::new(2));
    let (seen, once) = (std::sync::Arc::clone(&cleaned), AtomicBool::new(true));
    stage.lower[1].after(move |op| {
        if op == Op::Cleanup && once.swap(false, Ordering::SeqCst) {
            seen.wait();
        }
    });
    let cleaner = stage.cache.cleanup_every(Duration::ZERO).unwrap();
    cleaned.wait();
    assert!(!stage.lower[1].holds(&ns(), &key(1)));
    drop(cleaner);
}

#[test]
fn a_cleanup_that_fails_is_counted() {
    let stage = Stage::new();
    stage.lower[0].plan(|op| (op == Op::Cleanup).then_some(TierErrorKind::Unavailable));
    stage.cache.cleanup();
    let incomplete = stage
        .cache
        .statistics()
        .tiers
        .iter()
        .map(|tier| tier.incomplete)
        .collect::<Vec<_>>();
    assert_eq!(incomplete, [0, 1, 0]);
}

#[test]
fn every_tier_gets_the_newest_entry_that_any_has() {
    let stage = Stage::new();
    stage.lower[0].insert(&entry(&stage, 1, "older", HOUR));
    stage.lower[1].insert(&entry(&stage, 1, "newer", HOUR / 2));
    stage.lower[1].insert(&entry(&stage, 2, "only here", HOUR));
    stage.lower[1].insert(&entry(&stage, 3, "expired", 2 * DAY));
    let keys: Vec<Key> = (1..5).map(key).collect();
    assert_eq!(stage.cache.warm(&keys), 4);
    for tier in 0..2 {
        assert_eq!(stage.below(tier, &key(1)), Some(b"newer".to_vec()));
        assert_eq!(stage.below(tier, &key(2)), Some(b"only here".to_vec()));
    }
    assert_eq!(stage.tier_of(&key(1)), Some("memory"));
    let hit = stage.cache.get(&key(1)).into_hit().unwrap();
    assert_eq!(hit.age(), HOUR / 2, "as it is");
    assert!(!stage.lower[0].holds(&ns(), &key(3)));
    assert_eq!(stage.cache.warm(&keys), 0);
    // A tier that lacks it and fails.
    stage.lower[0].insert(&entry(&stage, 4, "only here", HOUR));
    stage.lower[1].plan(|op| (op == Op::Put).then_some(TierErrorKind::Full));
    stage.cache.warm(&keys);
    assert_eq!(
        stage.cache.statistics().tier("bottom").unwrap().incomplete,
        1
    );
    // A damaged entry is replaced.
    stage.lower[1].plan(|op| (op == Op::Get).then_some(TierErrorKind::Corrupt));
    stage.lower[1].forget(&ns(), &key(4));
    assert!(stage.cache.warm(&keys) > 0);
    assert!(stage.lower[1].holds(&ns(), &key(4)));
}

#[test]
fn a_listing_shows_each_entry_once_the_latest_first() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "x", &options());
    stage.clock.advance(SECOND);
    stage.cache.put(&key(2), "x", &options());
    stage.clock.advance(SECOND);
    stage.lower[1].insert(&entry(&stage, 3, "only here", HOUR));
    let _ = stage.cache.get(&key(1));
    let recent = stage.cache.recent(10);
    let listed: Vec<_> = recent
        .iter()
        .map(|entry| (entry.key.clone(), entry.tier))
        .collect();
    assert_eq!(
        listed,
        [(key(1), "memory"), (key(2), "memory"), (key(3), "bottom")]
    );
    assert_eq!((recent[0].accesses, recent[2].accesses), (Some(1), None));
    assert_eq!(recent[0].last_access, Some(stage.clock.now()));
    assert_eq!(recent[2].path, Some(stage.lower[1].path_of(&key(3))));
    assert_eq!(stage.cache.recent(1).len(), 1);
    let oldest = |tier| stage.cache.oldest_in(tier);
    assert_eq!(oldest("bottom"), Some(stage.clock.now() - HOUR));
    assert_eq!(oldest("memory"), Some(stage.clock.now() - SECOND * 2));
    assert_eq!(oldest("no such tier"), None);
}

#[test]
fn the_health_shows_what_the_tiers_report_and_their_last_failure() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "x", &options());
    stage.lower[1].fail(TierErrorKind::TooLarge);
    let _ = stage.cache.get(&key(2));
    stage.lower[1].heal();
    let health = stage.cache.health();
    let names: Vec<_> = health.iter().map(|tier| tier.name).collect();
    assert_eq!(names, ["memory", "middle", "bottom"]);
    assert!(
        health
            .iter()
            .all(|tier| tier.status.ok && tier.status.entries == Some(1))
    );
    assert_eq!(health[1].failure, None);
    assert!(
        health[2]
            .failure
            .as_ref()
            .unwrap()
            .contains("the test's fault")
    );
    assert!(
        stage.lower[0]
            .get(&ns(), &key(1), Deadline::NONE)
            .unwrap()
            .is_some()
    );
}
