//! Clocks that jump, stand still or are wrong: nothing is fresh for ever, and the next write heals it.

use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{Clock, ManualClock, Ttl};
use bedrock_catalog_test_support::conformance;
use proptest::prelude::*;

use crate::stage::{DAY, HOUR, SECOND, Stage, key, memory_only, ns, options, ttl};

proptest! {
    #[test]
    fn no_clock_makes_an_entry_fresh_for_ever(written in 0..4_000_000_000_u64, now in 0..4_000_000_000_u64, fresh in 0..100_000_000_u64, keep in 0..100_000_000_u64) {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let entry = conformance::entry(ns(), &key(1), "x", at(written), SECOND);
        let mut envelope = entry.envelope().clone();
        envelope.ttl = Ttl { fresh_for: Duration::from_secs(fresh), keep_for: Duration::from_secs(keep) };
        let (is_fresh, is_expired) = (envelope.is_fresh(at(now)), envelope.is_expired(at(now)));
        if now > written {
            prop_assert_eq!(is_fresh, now - written < fresh.min(keep));
            prop_assert_eq!(is_expired, now - written >= keep);
        } else if written > now + 300 {
            prop_assert!(!is_fresh);
            prop_assert_eq!(is_expired, written - now >= keep);
        }
    }
}

#[test]
fn the_clock_grid() {
    let (now, year) = (ManualClock::new().now(), DAY * 365);
    let moments = [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + DAY,
        now - year * 10,
        now - DAY * 2,
        now,
        now + SECOND * 299,
        now + SECOND * 301,
        now + DAY * 2,
        now + year * 10,
    ];
    for written in moments {
        for read in moments {
            let stage = Stage::new();
            stage.clock.set(written);
            stage.cache.put(&key(1), "x", &ttl(DAY, DAY * 30));
            stage.clock.set(read);
            let age = read.duration_since(written);
            let ahead = written.duration_since(read);
            let is_near =
                age.is_ok_and(|age| age < DAY) || ahead.is_ok_and(|ahead| ahead <= SECOND * 300);
            let is_fresh = stage.cache.get(&key(1)).is_fresh();
            assert_eq!(is_fresh, is_near, "written {written:?}, read {read:?}");
            // Written again, it heals.
            stage.cache.put(&key(1), "y", &options());
            assert!(stage.cache.get(&key(1)).is_fresh());
        }
    }
}

#[test]
fn a_clock_that_stands_still_keeps_nothing_fresh_in_memory() {
    let clock = ManualClock::new();
    let cache = memory_only(&clock);
    let now = clock.now();
    cache.put(&key(1), "x", &ttl(HOUR, DAY));
    let pass = |time: Duration| {
        clock.advance(time);
        clock.set(now);
    };
    for _ in 0..59 {
        pass(SECOND * 60);
        assert!(cache.get(&key(1)).is_fresh());
    }
    pass(SECOND * 60);
    assert!(cache.get(&key(1)).is_stale());
    pass(DAY);
    assert!(cache.get(&key(1)).is_missing());
    assert_eq!(cache.cleanup(), 1);
}
