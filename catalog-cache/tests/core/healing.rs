//! What a tier missed is made up for when it answers again, without a cleanup.

use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use super::{SECOND, Stage, key, ns, terms};
use bedrock_catalog_cache::{Pattern, TierErrorKind};
use bedrock_catalog_test_support::Op;

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
        stage.clock.advance(SECOND * 60);
        let _ = stage.cache.get(&key(3));
        assert!(start.elapsed() < 60 * SECOND, "never again");
    }
    assert!(!stage.lower[1].holds(&ns(), &key(1)));
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
