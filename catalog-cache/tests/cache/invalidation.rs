//! Invalidation, and tiers that missed one.

use std::sync::atomic::{AtomicBool, Ordering};

use bedrock_catalog_cache::{Cache, Clock, Key, MemoryLimits, Namespace, Pattern, TierErrorKind};
use bedrock_catalog_test_support::{FaultyTier, Op};

use crate::stage::{DAY, HOUR, Stage, data, entry, key, ns, ok, options, rounds};

#[test]
fn a_tier_that_missed_an_invalidation_does_not_answer_with_older_entries() {
    for (pattern, also) in [(Pattern::exact(&key(1)), false), (Pattern::all(), true)] {
        let stage = Stage::new();
        stage.cache.put(&key(1), "old", &options());
        stage.cache.put(&key(2), "old", &options());
        stage.lower[1].fail(TierErrorKind::Unavailable);
        stage.cache.invalidate(&pattern);
        assert_eq!(stage.cache.statistics().tiers[2].incomplete, 1);
        stage.lower[1].heal();
        assert!(stage.lower[1].holds(&ns(), &key(1)), "the fault worked");
        assert!(stage.cache.get(&key(1)).is_missing());
        assert_eq!(stage.cache.get(&key(2)).is_missing(), also);
        // Written again, it is served from there; cleanup removes the rest.
        stage.cache.put(&key(1), "new", &options());
        stage.forget();
        assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
        stage.cache.cleanup();
        assert_eq!(stage.below(1, &key(1)), Some(b"new".to_vec()));
        assert_eq!(stage.lower[1].holds(&ns(), &key(2)), !also);
    }
}

#[test]
fn a_tier_with_an_open_breaker_misses_an_invalidation_too() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &options());
    stage.lower[1].fail(TierErrorKind::Unavailable);
    for n in 2..10 {
        let _ = stage.cache.get(&key(n));
    }
    stage.lower[1].heal();
    stage.cache.remove(&key(1));
    assert_eq!(stage.lower[1].calls(Op::Remove), 0);
    stage.clock.advance(HOUR);
    assert!(stage.cache.get(&key(1)).is_missing());
    stage.cache.cleanup();
    assert!(!stage.lower[1].holds(&ns(), &key(1)));
}

#[test]
fn a_tier_that_missed_a_write_does_not_answer_with_the_older_entry() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &options());
    for tier in &stage.lower {
        tier.fail(TierErrorKind::Full);
    }
    stage.clock.advance(HOUR / 3600);
    stage.cache.put(&key(1), "new", &options());
    stage.lower.iter().for_each(FaultyTier::heal);
    assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
    stage.forget();
    assert!(
        stage.cache.get(&key(1)).is_missing(),
        "nothing rather than the older"
    );
    stage.cache.cleanup();
    assert!(stage.cache.get(&key(1)).is_missing());
    assert!(
        stage.lower[1].holds(&ns(), &key(1)),
        "kept for other processes"
    );
    // Another process's newer entry is served, and ends it.
    stage.clock.advance(HOUR);
    stage.lower[1].insert(&entry(&stage, 1, "theirs", HOUR / 3600));
    assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
}

#[test]
fn very_many_missed_invalidations_are_remembered_and_made_up_for() {
    let stage = Stage::new();
    let many = 1500;
    for n in 0..many {
        stage.cache.put(&key(n), "old", &options());
    }
    stage.lower[1].fail(TierErrorKind::Unavailable);
    for n in 0..many {
        stage.cache.remove(&key(n));
    }
    stage.lower[1].heal();
    stage.clock.advance(HOUR);
    assert!((0..many).all(|n| stage.cache.get(&key(n)).is_missing()));
    stage.cache.cleanup();
    assert!((0..many).all(|n| !stage.lower[1].holds(&ns(), &key(n))));
    stage.lower[1].insert(&entry(&stage, 9999, "theirs", DAY));
    assert!(!stage.cache.get(&key(9999)).is_missing(), "made up for");
}

#[test]
fn a_cleanup_during_a_read_restores_nothing() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &options());
    for tier in &stage.lower {
        tier.fail(TierErrorKind::Unavailable);
    }
    stage.cache.remove(&key(1));
    stage.lower.iter().for_each(FaultyTier::heal);
    let (cache, once) = (stage.cache.clone(), AtomicBool::new(true));
    stage.lower[1].after(move |op| {
        if op == Op::Get && once.swap(false, Ordering::SeqCst) {
            cache.cleanup();
        }
    });
    let _ = stage.cache.get(&key(1));
    stage.lower[1].unhook();
    assert!(stage.cache.get(&key(1)).is_missing());
}

/// Among many entries, while the map below moves them, none is missed.
#[test]
fn an_invalidation_by_prefix_reaches_every_entry() {
    let limits = MemoryLimits {
        entries: 20_000,
        ..MemoryLimits::default()
    };
    let cache = Cache::builder().memory(limits).build().unwrap();
    let name = |n: usize| Key::new(["even", "odd"][n % 2], "n", &n.to_string());
    let keys: Vec<Key> = (0..10_000).map(name).collect();
    for _ in 0..rounds(2) {
        for key in &keys {
            cache.put(key, "x", &options());
        }
        assert_eq!(cache.invalidate(&Pattern::under(["even"])), 5_000);
        let is_right = |(n, key): (usize, &Key)| cache.get(key).is_missing() == (n % 2 == 0);
        assert!(keys.iter().enumerate().all(is_right));
    }
}

#[test]
fn an_invalidation_of_several_namespaces_reaches_each() {
    let stage = Stage::new();
    let namespaces = [ns(), Namespace::of(["second"]), Namespace::of(["third"])];
    let caches = namespaces.map(|of| stage.cache.in_namespace(of));
    for cache in &caches {
        cache.put(&key(1), "x", &options());
    }
    assert_eq!(
        stage.cache.invalidate_in(&namespaces[..2], &Pattern::all()),
        2
    );
    let is_missing = |cache: &Cache| cache.get(&key(1)).is_missing();
    assert_eq!(caches.each_ref().map(is_missing), [true, true, false]);
    assert_eq!(stage.cache.statistics().invalidated, 2);
}

#[test]
fn the_generation_grows_with_every_invalidation_and_no_write() {
    let stage = Stage::new();
    let before = stage.cache.generation();
    stage.cache.put(&key(1), "x", &options());
    assert_eq!(stage.cache.generation(), before);
    stage.cache.remove(&key(1));
    stage.cache.in_namespace(Namespace::of(["other"])).clear();
    assert_eq!(stage.cache.generation(), before + 2);
}

#[test]
fn a_value_fetched_before_a_change_is_not_stored() {
    let stage = Stage::new();
    let token = stage.cache.load_token(&key(1));
    stage.cache.put(&key(2), "of another key", &options());
    stage.cache.in_namespace(Namespace::of(["other"])).clear();
    let stored = stage.cache.put_if_current(&token, "first", &options());
    assert!(stored.is_some());
    for change in [
        |cache: &Cache| cache.put(&key(1), "newer", &options()).bytes,
        |cache: &Cache| u64::from(cache.remove(&key(1))),
        |cache: &Cache| cache.invalidate(&Pattern::under(["things"])),
    ] {
        let token = stage.cache.load_token(&key(1));
        change(&stage.cache);
        let stored = stage.cache.put_if_current(&token, "older", &options());
        assert!(stored.is_none());
        assert_ne!(stage.data(&key(1)), Some(b"older".to_vec()));
    }
    assert_eq!(stage.cache.statistics().superseded, 3);
}

#[test]
fn a_load_during_an_invalidation_is_returned_but_not_stored() {
    let stage = Stage::new();
    let answer = stage.cache.get_or_load(&key(1), &options(), || {
        stage.cache.invalidate(&Pattern::under(["things"]));
        ok("outdated")
    });
    assert_eq!(data(answer), "outdated");
    assert!(stage.cache.get(&key(1)).is_missing());
    assert!(stage.lower.iter().all(|tier| !tier.holds(&ns(), &key(1))));
    assert_eq!(stage.cache.statistics().superseded, 1);
}

/// Clocks that step back: later writes are served although their wall time is earlier.
#[test]
fn a_clock_set_back_hides_no_later_write() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &options());
    stage.lower[1].fail(TierErrorKind::Unavailable);
    stage.cache.remove(&key(1));
    stage.lower[1].heal();
    let now = stage.clock.now();
    stage.clock.set(now - HOUR / 60);
    stage.cache.put(&key(1), "new", &options());
    stage.forget();
    assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
}
