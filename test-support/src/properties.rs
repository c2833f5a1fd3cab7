//! The numbered properties of a tiered cache (seed 004), for a cache of memory over any tier.
//!
//! [`tier_properties!`](crate::tier_properties) makes a test of each, so a failure names the property and
//! the tier.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{
    Cache, Clock, Deadline, EntryOptions, Freshness, Hit, Key, ManualClock, MemoryLimits,
    Namespace, Pattern, Tier, TierStatistics, Ttl,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::conformance::entry;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Returns a new, empty tier on this clock.
pub type Make<'a> = &'a dyn Fn(&ManualClock) -> Arc<dyn Tier>;

/// A module of tests, one per property. `$make` is a closure as [`Make`], evaluated in each test; it may
/// own what the tiers need, such as a folder.
#[macro_export]
macro_rules! tier_properties {
    ($tier:ident, $make:expr) => {
        mod $tier {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn property_004_1_consistency() {
                $crate::properties::consistency(&$make);
            }

            #[test]
            fn property_004_2_promotion() {
                $crate::properties::promotion(&$make);
            }

            #[test]
            fn property_004_3_invalidation_completeness() {
                $crate::properties::invalidation_completeness(&$make);
            }

            #[test]
            fn property_004_4_thread_safety() {
                $crate::properties::thread_safety(&$make);
            }

            #[test]
            fn property_004_9_expiration() {
                $crate::properties::expiration(&$make);
            }

            #[test]
            fn property_004_10_statistics() {
                $crate::properties::statistics(&$make);
            }
        }
    };
}

/// Cases of each property: 200 in the long lane.
fn cases() -> u32 {
    let is_long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1");
    if is_long { 200 } else { 15 }
}

fn hold<V: Debug>(values: impl Strategy<Value = V>, test: impl Fn(V) -> Result<(), TestCaseError>) {
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    };
    let held = TestRunner::new(config).run(&values, test);
    held.unwrap_or_else(|error| panic!("{error}"));
}

/// A call of the cache. Keys are few, so that they meet.
#[derive(Debug, Clone)]
enum Step {
    Put(u8, u8),
    Get(u8),
    /// Without memory.
    GetShared(u8),
    Remove(u8),
    InvalidateEven,
    Cleanup,
    Wait,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..6_u8, any::<u8>()).prop_map(|(n, tag)| Step::Put(n, tag)),
        6 => (0..6_u8).prop_map(Step::Get),
        3 => (0..6_u8).prop_map(Step::GetShared),
        1 => (0..6_u8).prop_map(Step::Remove),
        1 => Just(Step::InvalidateEven),
        1 => Just(Step::Cleanup),
        1 => Just(Step::Wait),
    ];
    vec(step, 1..40)
}

struct Stage {
    clock: ManualClock,
    tier: Arc<dyn Tier>,
    cache: Cache,
}

fn ns() -> Namespace {
    Namespace::of(["properties"])
}

fn key(n: u8) -> Key {
    Key::new(["even", "odd"][usize::from(n % 2)], "n", &n.to_string())
}

/// Each value repeats its key and a tag: a torn one contradicts itself.
fn value(n: u8, tag: u8) -> Vec<u8> {
    [n, tag].repeat(20)
}

fn is_value_of(n: u8, data: &[u8]) -> bool {
    data.len() == 40 && data[0] == n && data.chunks(2).all(|pair| pair == &data[..2])
}

fn options() -> EntryOptions {
    EntryOptions::source("test")
}

fn data(answer: Freshness) -> Option<Vec<u8>> {
    answer.into_hit().map(|hit| hit.data.to_vec())
}

impl Stage {
    fn new(make: Make<'_>) -> Self {
        let clock = ManualClock::new();
        let tier = make(&clock);
        let cache = Cache::builder()
            .namespace(ns())
            .memory(MemoryLimits::default())
            .tier(Arc::clone(&tier))
            .clock(clock.clone())
            .build()
            .unwrap();
        Self { clock, tier, cache }
    }

    /// The key that was read, with the answer.
    fn follow(&self, step: &Step) -> Option<(u8, Option<Vec<u8>>)> {
        let cache = &self.cache;
        match step {
            Step::Put(n, tag) => drop(cache.put(&key(*n), value(*n, *tag), &options())),
            Step::Get(n) => return Some((*n, data(cache.get(&key(*n))))),
            Step::GetShared(n) => return Some((*n, data(cache.get_shared(&key(*n))))),
            Step::Remove(n) => drop(cache.remove(&key(*n))),
            Step::InvalidateEven => drop(cache.invalidate(&Pattern::under(["even"]))),
            Step::Cleanup => drop(cache.cleanup()),
            Step::Wait => self.clock.advance(SECOND),
        }
        None
    }

    fn below(&self, key: &Key) -> Option<Vec<u8>> {
        let found = self.tier.get(&ns(), key, Deadline::NONE).unwrap();
        found.map(|found| found.entry.payload().to_vec())
    }
}

/// The same step on a plain map.
fn model(map: &mut HashMap<u8, Vec<u8>>, step: &Step) {
    match step {
        Step::Put(n, tag) => drop(map.insert(*n, value(*n, *tag))),
        Step::Remove(n) => drop(map.remove(n)),
        Step::InvalidateEven => map.retain(|n, _| n % 2 == 1),
        Step::Get(_) | Step::GetShared(_) | Step::Cleanup | Step::Wait => {}
    }
}

/// A read returns what was written last.
///
/// # Panics
/// The property does not hold; so for each function here.
pub fn consistency(make: Make<'_>) {
    hold(steps(), |steps| {
        let (stage, mut map) = (Stage::new(make), HashMap::new());
        for step in steps {
            let answer = stage.follow(&step);
            model(&mut map, &step);
            if let Some((n, answer)) = answer {
                prop_assert_eq!(answer, map.get(&n).cloned());
            }
        }
        for n in 0..6 {
            prop_assert_eq!(stage.below(&key(n)), map.get(&n).cloned(), "below");
        }
        Ok(())
    });
}

/// An entry found below is copied to the tiers above, as it is.
pub fn promotion(make: Make<'_>) {
    hold(
        (vec(any::<u8>(), 0..50), any::<bool>()),
        |(stored, stale)| {
            let stage = Stage::new(make);
            let age = if stale { HOUR } else { Duration::ZERO };
            let written_at = stage.clock.now() - age;
            let (key, name) = (key(1), stage.tier.name());
            let entry = entry(ns(), &key, stored.clone(), written_at, HOUR * 2);
            stage.tier.put(&entry, Deadline::NONE).unwrap();
            for from in [name, "memory"] {
                let is_there = |answer: &Freshness| answer.hit().and_then(Hit::tier) == Some(from);
                let ask = || stage.cache.get(&key);
                // A tier that subscribes at this moment reports a gap, which defers the promotion.
                let answer = (0..3).map(|_| ask()).find(is_there).unwrap_or_else(ask);
                prop_assert_eq!(answer.is_stale(), stale);
                let hit = answer.into_hit().unwrap();
                prop_assert_eq!((hit.tier(), hit.written_at()), (Some(from), written_at));
                prop_assert_eq!(hit.data.to_vec(), stored.clone());
            }
            stage.cache.remove(&key);
            prop_assert!(stage.cache.get(&key).is_missing() && stage.below(&key).is_none());
            Ok(())
        },
    );
}

/// An invalidation removes what matches from every tier, and nothing else.
pub fn invalidation_completeness(make: Make<'_>) {
    let part = || "[ab]{1,2}";
    let keys = vec((part(), part(), "[ab:*]{0,3}"), 1..20);
    hold((keys, vec(part(), 1..3)), |(keys, parts)| {
        let stage = Stage::new(make);
        let keys: BTreeSet<Key> = keys.iter().map(|(a, b, c)| Key::new(a, b, c)).collect();
        for key in &keys {
            stage.cache.put(key, "x", &options());
        }
        let pattern = Pattern::under(parts.iter().map(String::as_str));
        let gone = keys.iter().filter(|key| pattern.matches(key)).count();
        prop_assert_eq!(stage.cache.invalidate(&pattern), gone as u64);
        for key in &keys {
            let is_gone = pattern.matches(key);
            prop_assert_eq!(stage.cache.get(key).is_missing(), is_gone, "{}", key);
            prop_assert_eq!(stage.below(key).is_none(), is_gone, "{} below", key);
        }
        Ok(())
    });
}

/// Readers see whole values of the key they read; at rest both tiers agree.
pub fn thread_safety(make: Make<'_>) {
    hold(vec(steps(), 2..4), |all| {
        let stage = Stage::new(make);
        std::thread::scope(|scope| {
            for steps in &all {
                let stage = &stage;
                scope.spawn(move || {
                    for (n, answer) in steps.iter().filter_map(|step| stage.follow(step)) {
                        let is_whole = answer.as_ref().is_none_or(|data| is_value_of(n, data));
                        assert!(is_whole, "{n}: {answer:?}");
                    }
                });
            }
        });
        for n in 0..6 {
            let below = stage.below(&key(n));
            // A range invalidation beside a write may remove its copy below; memory has it then.
            let answer = data(stage.cache.get(&key(n)));
            prop_assert!(below.is_none() || answer == below, "{}: {:?}", n, answer);
        }
        Ok(())
    });
}

/// Cleanup removes what is past its `keep_for` from every tier.
pub fn expiration(make: Make<'_>) {
    // Minutes: a server has a clock of its own, which goes on meanwhile.
    hold((vec(1..100_u32, 1..20), 0..120_u32), |(keeps, passed)| {
        let stage = Stage::new(make);
        let name = |n: usize| Key::new("kept", "n", &n.to_string());
        for (n, keep) in keeps.iter().enumerate() {
            let ttl = Ttl {
                fresh_for: SECOND,
                keep_for: MINUTE * *keep,
            };
            stage.cache.put(&name(n), "x", &options().ttl(ttl));
        }
        stage.clock.advance(MINUTE * passed);
        let is_past = |keep: &u32| passed >= *keep;
        let past = keeps.iter().filter(|keep| is_past(keep)).count() as u64;
        prop_assert_eq!(stage.cache.cleanup(), 2 * past, "in each of two tiers");
        for (n, keep) in keeps.iter().enumerate() {
            prop_assert_eq!(stage.below(&name(n)).is_none(), is_past(keep));
            prop_assert_eq!(stage.cache.get(&name(n)).is_missing(), is_past(keep));
        }
        let statistics = stage.cache.statistics();
        prop_assert!(statistics.tiers.iter().all(|tier| tier.expirations == past));
        Ok(())
    });
}

/// The counters agree with the calls.
pub fn statistics(make: Make<'_>) {
    hold(steps(), |steps| {
        let stage = Stage::new(make);
        let (mut writes, mut requests, mut hits) = (0, 0, 0);
        for step in steps {
            writes += u64::from(matches!(step, Step::Put(..)));
            let answer = stage.follow(&step);
            if let (Step::Get(_), Some((_, answer))) = (step, answer) {
                requests += 1;
                hits += u64::from(answer.is_some());
            }
        }
        let statistics = stage.cache.statistics();
        prop_assert_eq!(
            (statistics.requests(), statistics.hits(), statistics.misses),
            (requests, hits, requests - hits)
        );
        let exact =
            |tier: &TierStatistics| (tier.writes, tier.errors, tier.skipped) == (writes, 0, 0);
        prop_assert!(statistics.tiers.iter().all(exact), "{:?}", statistics.tiers);
        Ok(())
    });
}
