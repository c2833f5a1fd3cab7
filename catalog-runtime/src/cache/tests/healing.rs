//! What a tier missed is made up for when it answers again, without a cleanup.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::super::doubt::Missed;
use super::super::healing::AGAIN_AFTER;
use super::super::testing::Op;
use super::super::{Namespace, Pattern, TierErrorKind};
use super::{SECOND, Stage, key, ns, terms};

/// Tells of each removal in the last tier once it has had its answer.
fn removals(stage: &Stage) -> Receiver<()> {
    let (told, removed) = channel();
    stage.lower[1].after(move |op| {
        if op == Op::Remove {
            let _ = told.send(());
        }
    });
    removed
}

#[test]
fn a_missed_removal_is_made_up_for_when_the_tier_answers_again() {
    for pattern in [Pattern::exact(&key(1)), Pattern::glob("*:1")] {
        let stage = Stage::new();
        stage.cache.put(&key(1), "old", &terms());
        stage.cache.put(&key(2), "stays", &terms());
        stage.lower[1].fail(TierErrorKind::Unavailable);
        stage.cache.invalidate(&pattern);
        stage.lower[1].heal();
        let removed = removals(&stage);
        assert!(stage.cache.get(&key(3)).is_missing(), "the tier answers");
        removed.recv_timeout(5 * SECOND).unwrap();
        assert!(!stage.lower[1].holds(&ns(), &key(1)));
        assert!(stage.lower[1].holds(&ns(), &key(2)));
    }
}

#[test]
fn what_is_missed_while_others_are_made_up_for_does_not_wait() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &terms());
    stage.cache.put(&key(2), "old", &terms());
    stage.lower[1].fail(TierErrorKind::Unavailable);
    stage.cache.remove(&key(1));
    stage.lower[1].heal();
    let (told, removed) = channel();
    let (inner, once) = (Arc::downgrade(&stage.cache.inner), AtomicBool::new(true));
    stage.lower[1].after(move |op| {
        if op == Op::Remove {
            if let Some(inner) = inner.upgrade()
                && once.swap(false, Ordering::SeqCst)
            {
                let level = &inner.levels[2];
                let second = Pattern::exact(&key(2));
                level.doubts.add(ns(), second, Missed::Removal);
                level.owed.missed();
            }
            let _ = told.send(());
        }
    });
    assert!(stage.cache.get(&key(3)).is_missing(), "the tier answers");
    for _ in 0..2 {
        removed.recv_timeout(5 * SECOND).unwrap();
    }
    assert!(!stage.lower[1].holds(&ns(), &key(2)));
}

#[test]
fn a_tier_that_cannot_remove_is_not_told_at_every_call() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &terms());
    stage.lower[1].plan(|op| (op == Op::Remove).then_some(TierErrorKind::Other));
    stage.cache.remove(&key(1));
    let removed = removals(&stage);
    for _ in 0..100 {
        let _ = stage.cache.get(&key(3));
    }
    removed.recv_timeout(5 * SECOND).unwrap();
    for _ in 0..100 {
        let _ = stage.cache.get(&key(3));
    }
    assert_eq!(removed.try_iter().count(), 0);
    stage.lower[1].heal();
    let start = Instant::now();
    while removed.try_recv().is_err() {
        // Whether the first try is over on its thread is not to be seen from here.
        stage.clock.advance(AGAIN_AFTER);
        let _ = stage.cache.get(&key(3));
        assert!(start.elapsed() < 60 * SECOND, "never again");
    }
    assert!(!stage.lower[1].holds(&ns(), &key(1)));
}

/// How often the last tier was asked to remove by a pattern, and how often only to disown.
fn asked(stage: &Stage) -> (u64, u64) {
    let tier = &stage.lower[1];
    (tier.calls(Op::Scan), tier.calls(Op::Disown))
}

#[test]
fn a_tier_that_could_not_remove_is_not_waited_for_in_full_again() {
    for (kind, first, second) in [
        // It answers: the others are told at least.
        (TierErrorKind::TooLarge, (1, 0), (1, 2)),
        // It hangs: it is waited for once in each call.
        (TierErrorKind::Timeout, (1, 0), (1, 1)),
    ] {
        let stage = Stage::new();
        stage.cache.inner.levels[2].owed.never();
        let of = [ns(), Namespace::of(["another"])];
        let caches = of.map(|namespace| stage.cache.in_namespace(namespace));
        for cache in &caches {
            cache.put(&key(1), "old", &terms());
        }
        stage.lower[1].plan(move |op| match (op, kind) {
            (Op::Scan, _) | (Op::Disown, TierErrorKind::Timeout) => Some(kind),
            _ => None,
        });
        let things = Pattern::under(["things"]);
        assert_eq!(stage.cache.invalidate_of(&of, &things, false), 2);
        assert_eq!(asked(&stage), first, "{kind:?}");
        // Read before the write was done, and believed: until the write is done.
        for cache in &caches {
            assert!(cache.get(&key(1)).is_missing(), "{kind:?}");
            cache.put(&key(1), "still old", &terms());
        }
        stage.cache.invalidate_of(&of, &things, true);
        assert_eq!(asked(&stage), second, "{kind:?}");
        for cache in &caches {
            assert!(cache.get(&key(1)).is_missing(), "{kind:?}");
        }
        stage.lower[1].heal();
        stage.cache.cleanup();
        assert!(of.iter().all(|of| !stage.lower[1].holds(of, &key(1))));
    }
    // A tier that owes nothing is asked in full.
    let stage = Stage::new();
    stage
        .cache
        .invalidate_of(&[ns()], &Pattern::under(["things"]), true);
    assert_eq!(asked(&stage), (1, 0));
}

/// As a sweep that came to no end: the tier is well, and yet it was not done.
#[test]
fn a_tier_that_is_well_says_why_it_did_not_do_what_was_asked() {
    let stage = Stage::new();
    let failure = || stage.cache.health()[2].failure.clone();
    assert_eq!(failure(), None);
    stage.lower[1].fail(TierErrorKind::TooLarge);
    stage.cache.invalidate(&Pattern::glob("*:1"));
    stage.lower[1].heal();
    let health = &stage.cache.health()[2].health;
    assert!(health.ok, "{health:?}");
    let why = failure().unwrap();
    assert!(why.contains("told to fail"), "{why}");
}
