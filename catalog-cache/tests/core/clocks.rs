//! Clocks that jump, stand still or are wrong: nothing is fresh for ever, and all of it heals.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::{DAY, HOUR, SECOND, Stage, holding, key, ns, terms};
use bedrock_catalog_cache::{Clock, Horizons, ManualClock, Standing, Tier, TierErrorKind};
use bedrock_catalog_test_support::conformance::entry;

proptest! {
    /// However the clock stands, an entry does not stay fresh, and what is too far ahead is not.
    #[test]
    fn no_clock_makes_an_entry_fresh_for_ever(written in 0..4_000_000_000_u64, now in 0..4_000_000_000_u64, fresh in 0..100_000_000_u64, keep in 0..100_000_000_u64) {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut envelope = entry(ns(), &key(1), "x", at(written), SECOND).envelope().clone();
        envelope.horizons = Horizons { fresh_for: SECOND * fresh as u32, keep_for: SECOND * keep as u32 };
        let standing = envelope.standing(at(now));
        if now > written {
            prop_assert_eq!(standing == Standing::Fresh, now - written < fresh.min(keep));
            prop_assert_eq!(standing == Standing::Expired, now - written >= keep);
        } else if written > now + 300 {
            prop_assert_ne!(standing, Standing::Fresh);
            prop_assert_eq!(standing == Standing::Expired, written - now >= keep);
        }
    }
}

#[test]
fn the_clock_grid() {
    let year = DAY * 365;
    let moments = [
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + DAY,
        ManualClock::new().now() - year * 10,
        ManualClock::new().now() - DAY * 2,
        ManualClock::new().now(),
        ManualClock::new().now() + SECOND * 299,
        ManualClock::new().now() + SECOND * 301,
        ManualClock::new().now() + DAY * 2,
        ManualClock::new().now() + year * 10,
    ];
    for written in moments {
        for read in moments {
            let stage = Stage::new();
            stage.clock.set(written);
            stage.cache.put(&key(1), "x", &holding(DAY, DAY * 30));
            stage.clock.set(read);
            let near = read.duration_since(written).is_ok_and(|age| age < DAY)
                || written
                    .duration_since(read)
                    .is_ok_and(|ahead| ahead <= SECOND * 300);
            assert_eq!(
                stage.cache.get(&key(1)).is_fresh(),
                near,
                "written {written:?}, read {read:?}"
            );
            // The wall clock stands still from here on; time does not.
            stage.clock.advance(DAY);
            stage.clock.set(read);
            // Written again, it heals.
            stage.cache.put(&key(1), "y", &terms());
            assert!(stage.cache.get(&key(1)).is_fresh());
        }
    }
}

#[test]
fn a_clock_that_stands_still_keeps_nothing_fresh_in_memory() {
    let clock = ManualClock::new();
    let cache = super::memory_only(&clock);
    let now = clock.now();
    cache.put(&key(1), "x", &holding(HOUR, DAY));
    for _ in 0..59 {
        clock.advance(SECOND * 60);
        clock.set(now);
        assert!(cache.get(&key(1)).is_fresh());
    }
    clock.advance(SECOND * 60);
    clock.set(now);
    assert!(cache.get(&key(1)).is_stale());
    clock.advance(DAY);
    clock.set(now);
    assert!(cache.get(&key(1)).is_missing());
}

#[test]
fn memory_asks_below_again_after_an_hour() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "mine", &terms());
    stage.clock.advance(SECOND);
    // Another process writes below.
    stage.lower[0]
        .put(&entry(ns(), &key(1), "theirs", stage.clock.now(), DAY * 2))
        .unwrap();
    assert_eq!(stage.data(&key(1)), Some(b"mine".to_vec()));
    stage.clock.advance(HOUR);
    assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
    // Nobody answers below: the copy in memory serves on, and is asked about once an hour only.
    stage
        .lower
        .iter()
        .for_each(|tier| tier.fail(TierErrorKind::Timeout));
    stage.clock.advance(HOUR);
    let calls = stage.lower[0].calls(bedrock_catalog_test_support::Op::Get);
    for _ in 0..10 {
        assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
    }
    assert_eq!(
        stage.lower[0].calls(bedrock_catalog_test_support::Op::Get),
        calls + 1
    );
}
