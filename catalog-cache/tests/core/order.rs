use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{DAY, HOUR, SECOND, Stage, key, ns, terms};
use bedrock_catalog_cache::{Clock, Namespace, Pattern, Tier, TierErrorKind};
use bedrock_catalog_test_support::conformance::entry;
use bedrock_catalog_test_support::{FaultyTier, Op};

/// Runs `race` once, in the middle of the next read of the middle tier, after it got its answer.
fn during_the_next_read(stage: &Stage, race: impl Fn(&super::Cache) + Send + Sync + 'static) {
    let (cache, once) = (stage.cache.clone(), AtomicBool::new(true));
    stage.lower[0].after(move |op| {
        if op == Op::Get && once.swap(false, Ordering::SeqCst) {
            race(&cache);
        }
    });
}

fn only_below(stage: &Stage) {
    stage.cache.put(&key(1), "old", &terms());
    stage.cache.invalidate_in("memory", &Pattern::all());
}

#[test]
fn a_slow_read_does_not_bring_back_what_was_invalidated() {
    let patterns = [
        Pattern::exact(&key(1)),
        Pattern::under(["things"]),
        Pattern::glob("*:get:?"),
        Pattern::all(),
    ];
    for pattern in patterns {
        let stage = Stage::new();
        only_below(&stage);
        during_the_next_read(&stage, move |cache| {
            cache.invalidate(&pattern);
        });
        let _ = stage.cache.get(&key(1));
        stage.lower[0].unhook();
        assert!(stage.cache.get(&key(1)).is_missing());
    }
}

/// Removes the things; whether `work` is done by another thread while the last tier is at it.
fn is_done_during_a_sweep(
    stage: &Stage,
    work: impl Fn(&super::Cache) + Send + Sync + 'static,
) -> bool {
    let (cache, once, work) = (stage.cache.clone(), AtomicBool::new(true), Arc::new(work));
    let is_done = Arc::new(AtomicBool::new(false));
    let was_done = Arc::clone(&is_done);
    stage.lower[1].before(move |op| {
        if op == Op::Scan && once.swap(false, Ordering::SeqCst) {
            let (done, wait) = std::sync::mpsc::channel();
            let (cache, work) = (cache.clone(), work.clone());
            std::thread::spawn(move || {
                work(&cache);
                let _ = done.send(());
            });
            was_done.store(wait.recv_timeout(5 * SECOND).is_ok(), Ordering::SeqCst);
        }
    });
    stage.cache.invalidate(&Pattern::under(["things"]));
    is_done.load(Ordering::SeqCst)
}

#[test]
fn while_many_are_invalidated_other_keys_are_written_and_promoted() {
    let stage = Stage::new();
    let other = |n: usize| super::Key::new("others", "get", &n.to_string());
    stage.cache.put(&key(1), "v", &terms());
    stage.cache.put(&other(0), "v", &terms());
    stage.cache.invalidate_in("memory", &Pattern::all());
    // More than there are stripes, and one that is only read.
    let in_time = is_done_during_a_sweep(&stage, move |cache| {
        (1..200).for_each(|n| drop(cache.put(&other(n), "v", &terms())));
        let _ = cache.get(&other(0));
        let again = cache.get(&other(0)).into_hit().unwrap();
        assert_eq!(again.tier(), Some("memory"));
    });
    assert!(in_time, "other keys had to wait");
    assert!(stage.cache.get(&key(1)).is_missing());
}

/// The end of the removal overtakes it in any case.
#[test]
fn a_miss_does_not_wait_for_a_removal_that_it_has_lost_to() {
    let stage = Stage::new();
    let in_time = is_done_during_a_sweep(&stage, |cache| {
        let compute = || Ok::<_, String>("computed".into());
        let answer = cache.get_or_compute(&key(1), &terms(), compute);
        assert!(answer.unwrap().is_fresh());
    });
    assert!(in_time, "it had to wait");
    assert!(stage.cache.get(&key(1)).is_missing());
}

#[test]
fn while_they_are_invalidated_nothing_of_them_is_promoted() {
    let stage = Stage::new();
    only_below(&stage);
    // The last tier is told last: until then it is asked, and still answers.
    stage.lower[0].invalidate(&ns(), &Pattern::all()).unwrap();
    let cache = stage.cache.clone();
    stage.lower[1].before(move |op| {
        if op == Op::Scan {
            let _ = cache.get(&key(1));
        }
    });
    stage.cache.invalidate(&Pattern::under(["things"]));
    stage.lower[1].unhook();
    assert!(stage.cache.get(&key(1)).is_missing());
}

#[test]
fn a_slow_read_does_not_replace_what_was_written() {
    let stage = Stage::new();
    only_below(&stage);
    during_the_next_read(&stage, |cache| {
        cache.put(&key(1), "new", &terms());
    });
    let _ = stage.cache.get(&key(1));
    assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
}

#[test]
fn a_slow_batch_does_neither() {
    let stage = Stage::new();
    only_below(&stage);
    stage.cache.put(&key(2), "stays", &terms());
    stage.cache.invalidate_in("memory", &Pattern::all());
    during_the_next_read(&stage, |cache| {
        cache.remove(&key(1));
    });
    let answers = stage.cache.get_many(&[key(1), key(2)]);
    assert!(answers[1].is_fresh());
    assert!(stage.cache.get(&key(1)).is_missing());
    assert_eq!(
        stage.cache.get(&key(2)).into_hit().unwrap().tier(),
        Some("memory"),
        "the other was promoted"
    );
}

#[test]
fn a_value_fetched_before_something_newer_came_is_not_stored() {
    let stage = Stage::new();
    let watched = stage.cache.watch(&key(1));
    stage.cache.put(&key(2), "of another key", &terms());
    assert!(
        stage
            .cache
            .put_unless_overtaken(&watched, "first", &terms())
            .is_some()
    );
    assert!(
        stage
            .cache
            .put_unless_overtaken(&watched, "second", &terms())
            .is_none(),
        "its own write counts"
    );
    let other = stage.cache.in_namespace(Namespace::of(["other"]));
    let watched = stage.cache.watch(&key(1));
    other.clear();
    assert!(
        stage
            .cache
            .put_unless_overtaken(&watched, "third", &terms())
            .is_some(),
        "another namespace does not"
    );
}

/// What a tier was not told because it failed, or because its breaker was open, it does not say later.
#[test]
fn a_tier_that_missed_an_invalidation_is_not_believed() {
    for (pattern, also) in [(Pattern::exact(&key(1)), false), (Pattern::all(), true)] {
        let stage = Stage::new();
        stage.cache.put(&key(1), "old", &terms());
        stage.cache.put(&key(2), "old", &terms());
        stage.lower[1].fail(TierErrorKind::Unavailable);
        stage.cache.invalidate(&pattern);
        stage.lower[1].heal();
        assert!(stage.lower[1].holds(&ns(), &key(1)), "the fault worked");
        assert!(stage.cache.get(&key(1)).is_missing());
        assert_eq!(stage.cache.get(&key(2)).is_missing(), also);
        // Written anew, it is believed; cleanup makes up for the rest.
        stage.cache.put(&key(1), "new", &terms());
        stage.cache.invalidate_in("memory", &Pattern::all());
        stage.cache.invalidate_in("middle", &Pattern::all());
        assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
        stage.cache.cleanup();
        assert!(!also || !stage.lower[1].holds(&ns(), &key(2)));
    }
}

#[test]
fn a_tier_that_missed_a_write_does_not_answer_with_the_older() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &terms());
    stage.lower[1].fail(TierErrorKind::Full);
    stage.cache.put(&key(1), "new", &terms());
    stage.lower[1].heal();
    for tier in ["memory", "middle", "memory"] {
        assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
        stage.cache.invalidate_in(tier, &Pattern::all());
    }
    assert!(
        stage.cache.get(&key(1)).is_missing(),
        "nothing rather than the older"
    );
}

#[test]
fn very_many_missed_invalidations_are_still_kept() {
    let stage = Stage::new();
    for n in 0..600 {
        stage.cache.put(&key(n), "old", &terms());
    }
    stage.lower[1].fail(TierErrorKind::Unavailable);
    for n in 0..600 {
        stage.cache.remove(&key(n));
    }
    stage.lower[1].heal();
    stage.clock.advance(super::HOUR / 30);
    assert!((0..600).all(|n| stage.cache.get(&key(n)).is_missing()));
}

/// One writer counts up and tells how far it is; readers, evictions and faults race it.
#[test]
fn generations_never_go_back() {
    let stage = Arc::new(Stage::new());
    let written = AtomicU64::new(0);
    stage.cache.put(&key(1), "0", &terms());
    let rounds = super::rounds(300) as u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for generation in 1..=rounds {
                stage.cache.put(&key(1), generation.to_string(), &terms());
                written.store(generation, Ordering::SeqCst);
                if generation % 7 == 0 {
                    stage.cache.invalidate_in("memory", &Pattern::all());
                }
            }
            written.store(u64::MAX, Ordering::SeqCst);
        });
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                loop {
                    let at_least = written.load(Ordering::SeqCst);
                    if at_least == u64::MAX {
                        return;
                    }
                    let read: u64 = String::from_utf8(stage.data(&key(1)).unwrap())
                        .unwrap()
                        .parse()
                        .unwrap();
                    assert!(read >= at_least, "read {read} after {at_least} was written");
                    assert!(read >= last, "read {read} after {last}");
                    last = read;
                }
            });
        }
    });
}

/// Among many entries, while the library below moves them about, none is missed.
#[test]
fn invalidating_by_prefix_reaches_every_entry() {
    let limits = super::MemoryLimits {
        entries: 20_000,
        ..super::MemoryLimits::default()
    };
    let cache = super::Cache::builder().memory(limits).build().unwrap();
    let keys: Vec<_> = (0..10_000)
        .map(|n| super::Key::new(["even", "odd"][n % 2], "n", &n.to_string()))
        .collect();
    for _ in 0..super::rounds(3).min(200) {
        for key in &keys {
            cache.put(key, "x", &terms());
        }
        assert_eq!(cache.invalidate(&Pattern::under(["even"])), 5_000);
        assert!(
            keys.iter()
                .step_by(2)
                .all(|key| cache.get(key).is_missing())
        );
        assert!(
            keys.iter()
                .skip(1)
                .step_by(2)
                .all(|key| cache.get(key).is_fresh())
        );
    }
}

#[test]
fn a_slower_promotion_does_not_replace_what_another_process_wrote() {
    let stage = Stage::new();
    let t0 = stage.clock.now();
    stage.lower[0]
        .put(&entry(ns(), &key(1), "gen1", t0, DAY))
        .unwrap();
    let (cache, once, tier) = (
        stage.cache.clone(),
        AtomicBool::new(true),
        stage.lower[0].clone(),
    );
    stage.lower[0].after(move |op| {
        if op == Op::Get && once.swap(false, Ordering::SeqCst) {
            // another process writes; another thread here reads it
            tier.put(&entry(ns(), &key(1), "gen2", t0 + SECOND, DAY))
                .unwrap();
            assert_eq!(cache.get(&key(1)).into_hit().unwrap().data, "gen2");
        }
    });
    let _ = stage.cache.get(&key(1));
    stage.lower[0].unhook();
    assert_eq!(stage.data(&key(1)), Some(b"gen2".to_vec()));
}

#[test]
fn healing_during_a_read_brings_nothing_invalidated_back() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &terms());
    stage
        .lower
        .iter()
        .for_each(|t| t.fail(TierErrorKind::Unavailable));
    stage.cache.remove(&key(1));
    stage.lower.iter().for_each(FaultyTier::heal);
    assert!(stage.cache.get(&key(1)).is_missing());
    let (cache, once) = (stage.cache.clone(), AtomicBool::new(true));
    stage.lower[1].after(move |op| {
        if op == Op::Get && once.swap(false, Ordering::SeqCst) {
            cache.cleanup();
        }
    });
    let first = stage.cache.get(&key(1)).is_missing();
    stage.lower[1].unhook();
    let second = stage.cache.get(&key(1)).is_missing();
    assert_eq!((first, second), (true, true), "first, later");
}

#[test]
fn very_many_doubts_are_healed() {
    let stage = Stage::new();
    stage.lower[1].fail(TierErrorKind::Unavailable);
    for n in 0..300 {
        stage.cache.remove(&key(n));
    }
    stage.lower[1].heal();
    stage.clock.advance(HOUR);
    for _ in 0..3 {
        stage.cache.cleanup();
    }
    stage.lower[1]
        .put(&entry(
            ns(),
            &key("another process"),
            "x",
            stage.clock.now(),
            DAY,
        ))
        .unwrap();
    assert!(!stage.cache.get(&key("another process")).is_missing());
}

/// A missed write says nothing of what another process writes later, and takes nothing away.
#[test]
fn a_tier_that_missed_writes_is_believed_for_what_is_newer() {
    for keys in [1, 300] {
        let stage = Stage::new();
        stage.cache.put(&key(0), "old", &terms());
        stage.lower[1].fail(TierErrorKind::Full);
        for n in 0..keys {
            stage.cache.put(&key(n), "new", &terms());
        }
        stage.lower[1].heal();
        stage.clock.advance(HOUR);
        stage.cache.cleanup();
        assert!(stage.lower[1].holds(&ns(), &key(0)), "the last good one");
        stage.cache.invalidate_in("memory", &Pattern::all());
        stage.cache.invalidate_in("middle", &Pattern::all());
        assert!(stage.cache.get(&key(0)).is_missing(), "but it is the older");
        for n in [0, 1000] {
            let newer = entry(ns(), &key(n), "newer", stage.clock.now(), DAY);
            stage.lower[1].put(&newer).unwrap();
            assert_eq!(stage.data(&key(n)), Some(b"newer".to_vec()));
        }
        stage.cache.cleanup();
        let before = entry(ns(), &key(2000), "x", stage.clock.now() - 2 * HOUR, DAY);
        stage.lower[1].put(&before).unwrap();
        assert!(!stage.cache.get(&key(2000)).is_missing(), "healed");
    }
}
