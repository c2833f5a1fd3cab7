//! Who computes, and in what order what is computed is stored.

use std::time::Duration;

use super::super::lease::SIGN_OF_LIFE;
use super::super::*;
use super::{HOUR, Stage, key, ns, payload};

#[test]
fn computations_are_numbered_and_without_a_number_the_clock_has_to_do() {
    let stage = Stage::new();
    let tier = stage.tier();
    let number = || tier.begin(&ns(), &key(1)).unwrap().unwrap();
    let (first, second) = (number(), number());
    assert!(first < second);
    let begun = |token| Begun {
        token,
        at: stage.clock.now(),
    };
    // Removed in the same millisecond: rather forgotten than brought back.
    let early = begun(None);
    tier.remove(&ns(), &key(1)).unwrap();
    let receipt = tier.put_begun(&stage.entry(1, "old"), &early).unwrap();
    assert!(receipt.removed_since);
    stage.clock.advance(Duration::from_millis(1));
    let receipt = tier.put_begun(&stage.entry(1, "new"), &begun(None));
    assert!(!receipt.unwrap().removed_since);
    assert_eq!(payload(&tier, 1).unwrap(), "new");
    // A number whose counter is gone, as with a file that was set aside, says nothing.
    let early = begun(Some(number()));
    stage.raw().execute("DELETE FROM lease", ()).unwrap();
    stage.clock.advance(Duration::from_millis(1));
    let newer = stage.entry(1, "newer");
    tier.put(&newer).unwrap();
    stage.clock.advance(Duration::from_millis(1));
    let receipt = tier.put_begun(&stage.entry(1, "older"), &early).unwrap();
    assert_eq!(receipt.superseded_by, Some(newer));
    // Nor does what a clock that was wrong wrote stay for ever.
    stage.clock.advance(24 * HOUR);
    tier.put(&stage.entry(2, "ahead")).unwrap();
    stage.clock.set(stage.clock.now() - 24 * HOUR);
    let token = tier.begin(&ns(), &key(2)).unwrap();
    let receipt = tier.put_begun(&stage.entry(2, "right"), &begun(token));
    assert!(receipt.unwrap().superseded_by.is_none());
    assert_eq!(payload(&tier, 2).unwrap(), "right");
}

#[test]
fn a_counter_goes_a_day_after_its_last_use() {
    let stage = Stage::new();
    let tier = stage.tier();
    let counters = || -> i64 {
        let count = "SELECT count(*) FROM lease";
        stage.raw().query_row(count, (), |row| row.get(0)).unwrap()
    };
    // Who removes what is not there keeps none.
    tier.put(&stage.entry(2, "v")).unwrap();
    tier.remove(&ns(), &key(1)).unwrap();
    tier.invalidate(&ns(), &Pattern::glob("*:3")).unwrap();
    assert_eq!(counters(), 0);
    tier.begin(&ns(), &key(1)).unwrap();
    tier.clear(&ns()).unwrap();
    assert_eq!(counters(), 2);
    tier.cleanup(stage.clock.now() + 23 * HOUR).unwrap();
    assert_eq!(counters(), 2);
    tier.cleanup(stage.clock.now() + 25 * HOUR).unwrap();
    assert_eq!(counters(), 0);
}

/// A lease of an hour, whose holder is killed or lives.
#[test]
fn a_lease_lives_by_signs_of_life() {
    let stage = Stage::new();
    let (one, other) = (stage.tier(), stage.tier());
    let take = |tier: &SqliteTier| {
        tier.try_lease(&ns(), &key(1), Duration::ZERO, HOUR)
            .unwrap()
    };
    let LeaseOutcome::Held(first) = take(&one) else {
        panic!("nobody has it")
    };
    for _ in 0..10 {
        stage.clock.advance(SIGN_OF_LIFE * 4 / 5);
        one.store.keeper.give_signs(&one.store);
        assert!(matches!(take(&other), LeaseOutcome::Busy));
    }
    stage.clock.advance(SIGN_OF_LIFE);
    let LeaseOutcome::Held(second) = take(&other) else {
        panic!("there was no sign of life")
    };
    // Who has lost it does not get it back by a late sign.
    one.store.keeper.give_signs(&one.store);
    assert!(matches!(take(&one), LeaseOutcome::Busy));
    drop(second);
    let LeaseOutcome::Held(third) = take(&other) else {
        panic!("it was given back")
    };
    // No sign makes it longer than it was to be, nor after it was given back.
    stage.clock.advance(SIGN_OF_LIFE / 2);
    drop(third);
    other.store.keeper.give_signs(&other.store);
    assert!(matches!(take(&one), LeaseOutcome::Held(_)));
    drop(first);
    let short = Duration::from_secs(6);
    let taken = one.try_lease(&ns(), &key(2), Duration::ZERO, short);
    assert!(matches!(taken, Ok(LeaseOutcome::Held(_))));
}

/// The signs come by themselves, from a thread that ends with the leases.
#[test]
fn a_lease_lasts_no_longer_than_it_was_to_and_its_thread_ends_with_the_tier() {
    let stage = Stage::new();
    let (one, other) = (stage.tier(), stage.tier());
    let lease = Duration::from_secs(6);
    let take = |tier: &SqliteTier| {
        tier.try_lease(&ns(), &key(1), Duration::ZERO, lease)
            .unwrap()
    };
    let LeaseOutcome::Held(first) = take(&one) else {
        panic!("nobody has it")
    };
    stage.clock.advance(Duration::from_secs(4));
    one.store.keeper.give_signs(&one.store);
    stage.clock.advance(Duration::from_secs(2));
    one.store.keeper.give_signs(&one.store);
    assert!(matches!(take(&other), LeaseOutcome::Held(_)), "longer");
    let thread = one.store.keeper.thread().unwrap();
    drop((first, one));
    let start = std::time::Instant::now();
    while !thread.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(60), "it stays");
        std::thread::yield_now();
    }
}

#[test]
fn a_lease_runs_out_and_its_token_grows() {
    let stage = Stage::new();
    let (one, other) = (stage.tier(), stage.tier());
    let take = |tier: &SqliteTier| {
        tier.try_lease(&ns(), &key(1), Duration::ZERO, HOUR)
            .unwrap()
    };
    let LeaseOutcome::Held(first) = take(&one) else {
        panic!("nobody has it")
    };
    assert!(matches!(take(&other), LeaseOutcome::Busy));
    stage.clock.advance(HOUR);
    let LeaseOutcome::Held(second) = take(&other) else {
        panic!("it has run out")
    };
    assert!(second.token() > first.token());
    // The first one's end does not give the second one's back.
    drop(first);
    assert!(matches!(take(&one), LeaseOutcome::Busy));
    let token = second.token();
    drop(second);
    let LeaseOutcome::Held(third) = take(&one) else {
        panic!("it was given back")
    };
    assert!(third.token() > token);
    // A clock that was set back does not make it last.
    stage.clock.set(stage.clock.now() - HOUR);
    assert!(matches!(take(&other), LeaseOutcome::Held(_)));
}

/// Every miss draws a number, also where the answer is kept nowhere: they make room like entries.
#[test]
fn counters_make_room_and_held_leases_stay() {
    let stage = Stage::new();
    let tier = stage.tier().with_max_bytes(1 << 20);
    let lease = |n| {
        let taken = tier.try_lease(&ns(), &key(n), Duration::ZERO, HOUR);
        taken.unwrap()
    };
    let held = lease(0);
    assert!(matches!(held, LeaseOutcome::Held(_)));
    let in_use = tier.begin(&ns(), &key(1)).unwrap();
    for n in 2..4_000 {
        if n % 2 == 0 {
            tier.begin(&ns(), &key(n)).unwrap();
        } else if let LeaseOutcome::Held(lease) = lease(n) {
            lease.give_back().unwrap();
        }
        if n % 500 == 0 {
            // In use: it is the oldest, and not the longest unused.
            assert!(tier.begin(&ns(), &key(1)).unwrap() > in_use);
        }
    }
    let there = |what: &str| -> i64 {
        let count = format!("SELECT count(*) FROM lease WHERE {what}");
        stage.raw().query_row(&count, (), |row| row.get(0)).unwrap()
    };
    assert!(there("1") <= 1_024 + 257, "{} rows", there("1"));
    assert_eq!(there("key IN ('sqlite:test:0', 'sqlite:test:1')"), 2);
    assert!(matches!(lease(0), LeaseOutcome::Busy));
}

/// As an earlier version left it.
#[test]
fn a_file_full_of_counters_is_made_small_again() {
    let stage = Stage::new();
    let tier = || stage.tier().with_max_bytes(1 << 20);
    tier().put(&stage.entry(1, "v")).unwrap();
    let mut raw = stage.raw();
    let all = raw.transaction().unwrap();
    let long = "x".repeat(150);
    for n in 0..60_000 {
        let insert = "INSERT INTO lease VALUES ('1.0', 'n', ?1, 1, 1, 1, 0, 0, 0)";
        all.execute(insert, [format!("{long}{n}")]).unwrap();
    }
    all.commit().unwrap();
    drop(raw);
    let len = || std::fs::metadata(stage.path()).unwrap().len();
    let tier = tier();
    let rows = || -> i64 {
        let count = "SELECT count(*) FROM lease";
        stage.raw().query_row(count, (), |row| row.get(0)).unwrap()
    };
    assert_eq!(payload(&tier, 1).unwrap(), "v");
    tier.put(&stage.entry(2, "v")).unwrap();
    assert!(rows() > 50_000, "one write does a part");
    let before = len();
    assert!(before > 18 << 20, "{before}");
    tier.cleanup(stage.clock.now()).unwrap();
    tier.cleanup(stage.clock.now()).unwrap();
    assert!(rows() <= 1_024 && len() < 2 << 20, "{} bytes", len());
    assert_eq!(payload(&tier, 2).unwrap(), "v");
}

/// Those that match are found by the index, the shortened ones too, whose hidden part may decide.
#[test]
fn a_removal_looks_only_at_the_counters_and_entries_that_may_match() {
    let stage = Stage::new();
    let tier = stage.tier();
    let long = "x".repeat(300);
    let keys = [
        Key::new("things", "get", "1"),
        Key::new("things", "get", &long),
        Key::new("things", &long, "1"),
        Key::new(&long, "get", "1"),
        Key::new("thingsy", "get", "1"),
        Key::new("other", "get", "1"),
        Key::new("other", "get", &long),
    ];
    let patterns = [
        Pattern::all(),
        Pattern::under(["things"]),
        Pattern::under(["things", "get"]),
        Pattern::under(["things", "get", "1"]),
        Pattern::glob("things:*:1"),
        Pattern::glob("?ther:get:*"),
        Pattern::exact(&keys[1]),
        Pattern::any([Pattern::under(["things"]), Pattern::under(["thingsy"])]),
        Pattern::any([Pattern::glob("*:1"), Pattern::under(["other"])]),
    ];
    for pattern in patterns {
        let drawn = keys.each_ref().map(|key| {
            let token = tier.begin(&ns(), key).unwrap();
            let at = stage.clock.now();
            Begun { token, at }
        });
        tier.invalidate(&ns(), &pattern).unwrap();
        for (key, begun) in keys.iter().zip(&drawn) {
            let entry = super::entry(ns(), key, "v", stage.clock.now(), HOUR);
            let refused = tier.put_begun(&entry, begun).unwrap().removed_since;
            assert_eq!(refused, pattern.matches(key), "{pattern} {key}");
        }
    }
    tier.begin(&ns(), &keys[0]).unwrap();
    let raw = stage.raw();
    for which in [super::super::order::COUNTED, super::super::order::STORED] {
        let plan = format!("EXPLAIN QUERY PLAN {which}");
        let how: String = raw
            .query_row(&plan, ["l", "n", "a", "b"], |row| row.get(3))
            .unwrap();
        assert!(how.contains("key>? AND key<?"), "{how}");
    }
}
