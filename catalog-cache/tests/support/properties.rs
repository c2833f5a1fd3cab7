//! The numbered properties of the tiered cache that this project took over, of a cache over any one tier: memory
//! above, and below it whatever `make` gives. Those that need tiers that fail when told to, or are of memory alone,
//! are with the cache's own tests.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{
    Cache, Clock, Freshness, Hit, Horizons, Key, ManualClock, MemoryLimits, Namespace, Pattern,
    Terms, Tier,
};
use bedrock_catalog_test_support::conformance::entry;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A new, empty tier on this clock.
type Make<'a> = &'a dyn Fn(&ManualClock) -> Arc<dyn Tier>;

/// Checks all of them, each in so many cases.
///
/// # Panics
/// One does not hold.
pub(crate) fn check(make: Make<'_>, cases: u32) {
    let steps = || vec(step(), 1..40);
    hold(cases, steps(), |steps| property_1_consistency(make, steps));
    let stored = (vec(any::<u8>(), 0..50), any::<bool>(), any::<bool>());
    hold(cases, stored, |stored| property_2_promotion(make, stored));
    let part = || "[ab]{1,2}";
    let keys = vec((part(), part(), "[ab:*]{0,3}"), 1..20);
    let swept = (keys, vec(part(), 1..3));
    hold(cases, swept, |swept| property_3_invalidation(make, swept));
    let threads = vec(steps(), 2..4);
    hold(cases, threads, |all| property_4_threads(make, all));
    // Minutes: a server has a clock of its own, which goes on meanwhile.
    let kept = (vec(1..100_u32, 1..20), 0..120_u32);
    hold(cases, kept, |kept| property_9_expiration(make, kept));
    hold(cases, steps(), |steps| property_10_statistics(make, steps));
}

fn hold<V: Debug>(
    cases: u32,
    values: impl Strategy<Value = V>,
    test: impl Fn(V) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let held = TestRunner::new(config).run(&values, test);
    held.unwrap_or_else(|error| panic!("{error}"));
}

/// What is done to a cache; keys are few, so that they meet.
#[derive(Debug, Clone)]
enum Do {
    Put(u8, u8),
    PutMany(Vec<(u8, u8)>),
    Get(u8),
    GetMany(Vec<u8>),
    Remove(u8),
    InvalidateEven,
    ForgetInMemory,
    Cleanup,
    Wait,
}

fn step() -> impl Strategy<Value = Do> {
    let pair = || (0..6_u8, any::<u8>());
    prop_oneof![
        4 => pair().prop_map(|(n, tag)| Do::Put(n, tag)),
        1 => vec(pair(), 0..5).prop_map(Do::PutMany),
        6 => (0..6_u8).prop_map(Do::Get),
        1 => vec(0..6_u8, 0..5).prop_map(Do::GetMany),
        1 => (0..6_u8).prop_map(Do::Remove),
        1 => Just(Do::InvalidateEven),
        2 => Just(Do::ForgetInMemory),
        1 => Just(Do::Cleanup),
        1 => Just(Do::Wait),
    ]
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

/// Each value says whose it is, over and over: a torn one would contradict itself.
fn value(n: u8, tag: u8) -> Vec<u8> {
    [n, tag].repeat(20)
}

fn terms() -> Terms {
    Terms::source("test")
}

fn one_of(n: u8, data: &[u8]) -> bool {
    data.len() == 40 && data[0] == n && data.chunks(2).all(|pair| pair == &data[..2])
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

    /// Does it; what was asked for, by key, with the answers.
    fn follow(&self, step: &Do) -> Vec<(u8, Option<Vec<u8>>)> {
        let cache = &self.cache;
        let data = |answer: bedrock_catalog_cache::Freshness| {
            answer.into_hit().map(|hit| hit.data.to_vec())
        };
        match step {
            Do::Put(n, tag) => drop(cache.put(&key(*n), value(*n, *tag), &terms())),
            Do::PutMany(all) => {
                let all: Vec<(Key, Vec<u8>)> = all
                    .iter()
                    .map(|(n, tag)| (key(*n), value(*n, *tag)))
                    .collect();
                let all = all.iter().map(|(key, value)| (key, value.clone()));
                cache.put_many(all, &terms());
            }
            Do::Get(n) => return vec![(*n, data(cache.get(&key(*n))))],
            Do::GetMany(all) => {
                let keys: Vec<Key> = all.iter().map(|n| key(*n)).collect();
                let answers = cache.get_many(&keys).into_iter().map(data);
                return all.iter().copied().zip(answers).collect();
            }
            Do::Remove(n) => drop(cache.remove(&key(*n))),
            Do::InvalidateEven => drop(cache.invalidate(&Pattern::under(["even"]))),
            Do::ForgetInMemory => drop(cache.invalidate_in("memory", &Pattern::all())),
            Do::Cleanup => drop(cache.cleanup()),
            Do::Wait => self.clock.advance(SECOND),
        }
        Vec::new()
    }

    fn below(&self, key: &Key) -> Option<Vec<u8>> {
        let found = self.tier.get(&ns(), key).unwrap();
        found.map(|found| found.entry.payload().to_vec())
    }
}

/// What a plain map would have after a step.
fn model(map: &mut HashMap<u8, Vec<u8>>, step: &Do) {
    match step {
        Do::Put(n, tag) => drop(map.insert(*n, value(*n, *tag))),
        Do::PutMany(all) => map.extend(all.iter().map(|(n, tag)| (*n, value(*n, *tag)))),
        Do::Remove(n) => drop(map.remove(n)),
        Do::InvalidateEven => map.retain(|n, _| n % 2 == 1),
        Do::Get(_) | Do::GetMany(_) | Do::ForgetInMemory | Do::Cleanup | Do::Wait => {}
    }
}

fn property_1_consistency(make: Make<'_>, steps: Vec<Do>) -> Result<(), TestCaseError> {
    let (stage, mut map) = (Stage::new(make), HashMap::new());
    for step in steps {
        let answers = stage.follow(&step);
        model(&mut map, &step);
        for (n, answer) in answers {
            prop_assert_eq!(answer, map.get(&n).cloned());
        }
    }
    for n in 0..6 {
        prop_assert_eq!(stage.below(&key(n)), map.get(&n).cloned(), "below");
    }
    Ok(())
}

fn property_2_promotion(
    make: Make<'_>,
    (data, stale, batch): (Vec<u8>, bool, bool),
) -> Result<(), TestCaseError> {
    let stage = Stage::new(make);
    let age = if stale { HOUR } else { Duration::ZERO };
    let written_at = stage.clock.now() - age;
    let (key, name) = (key(1), stage.tier.name());
    let entry = entry(ns(), &key, data.clone(), written_at, HOUR * 2);
    stage.tier.put(&entry).unwrap();
    let ask = || match batch {
        true => stage.cache.get_many(std::slice::from_ref(&key)).remove(0),
        false => stage.cache.get(&key),
    };
    for from in [name, "memory"] {
        let is_there = |answer: &Freshness| answer.hit().and_then(Hit::tier) == Some(from);
        // A tier that begins to listen at this moment keeps an entry from being copied up, once or twice.
        let mut asked = (0..3).map(|_| ask());
        let answer = asked.find(is_there).unwrap_or_else(ask);
        prop_assert_eq!(answer.is_stale(), stale);
        let hit = answer.into_hit().unwrap();
        prop_assert_eq!((hit.tier(), hit.written_at()), (Some(from), written_at));
        prop_assert_eq!(hit.data.to_vec(), data.clone());
    }
    stage.cache.remove(&key);
    prop_assert!(ask().is_missing() && stage.below(&key).is_none());
    Ok(())
}

fn property_3_invalidation(
    make: Make<'_>,
    (keys, parts): (Vec<(String, String, String)>, Vec<String>),
) -> Result<(), TestCaseError> {
    let stage = Stage::new(make);
    let keys: BTreeSet<Key> = keys.iter().map(|(a, b, c)| Key::new(a, b, c)).collect();
    let all = keys.iter().map(|key| (key, "x"));
    stage.cache.put_many(all, &terms());
    let pattern = Pattern::under(parts.iter().map(String::as_str));
    let gone = keys.iter().filter(|key| pattern.matches(key)).count();
    prop_assert_eq!(stage.cache.invalidate(&pattern), gone as u64);
    for key in &keys {
        let is_gone = pattern.matches(key);
        prop_assert_eq!(stage.cache.get(key).is_missing(), is_gone, "{}", key);
        prop_assert_eq!(stage.below(key).is_none(), is_gone, "{} below", key);
    }
    Ok(())
}

/// Readers see whole values of the key they asked for; at rest both tiers agree.
fn property_4_threads(make: Make<'_>, all: Vec<Vec<Do>>) -> Result<(), TestCaseError> {
    let stage = Stage::new(make);
    std::thread::scope(|scope| {
        for steps in &all {
            let stage = &stage;
            scope.spawn(move || {
                for (n, answer) in steps.iter().flat_map(|step| stage.follow(step)) {
                    let whole = answer.as_ref().is_none_or(|data| one_of(n, data));
                    assert!(whole, "{n}: {answer:?}");
                }
            });
        }
    });
    for n in 0..6 {
        let below = stage.below(&key(n));
        let answer = stage.cache.get(&key(n)).into_hit();
        let answer = answer.map(|hit| hit.data.to_vec());
        prop_assert_eq!(answer, below, "{}", n);
    }
    Ok(())
}

fn property_9_expiration(
    make: Make<'_>,
    (keeps, passed): (Vec<u32>, u32),
) -> Result<(), TestCaseError> {
    let stage = Stage::new(make);
    let name = |n: usize| Key::new("kept", "n", &n.to_string());
    for (n, keep) in keeps.iter().enumerate() {
        let horizons = Horizons {
            fresh_for: SECOND,
            keep_for: MINUTE * *keep,
        };
        stage.cache.put(&name(n), "x", &terms().holding(horizons));
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
}

/// The counters against what was done.
fn property_10_statistics(make: Make<'_>, steps: Vec<Do>) -> Result<(), TestCaseError> {
    let stage = Stage::new(make);
    let (mut writes, mut requests, mut hits) = (0, 0, 0);
    for step in steps {
        writes += match &step {
            Do::Put(..) => 1,
            Do::PutMany(all) => all.len() as u64,
            _ => 0,
        };
        let answers = stage.follow(&step);
        requests += answers.len() as u64;
        hits += answers
            .iter()
            .filter(|(_, answer)| answer.is_some())
            .count() as u64;
    }
    let statistics = stage.cache.statistics();
    prop_assert_eq!(
        (statistics.requests(), statistics.hits(), statistics.misses),
        (requests, hits, requests - hits)
    );
    let exact = |tier: &bedrock_catalog_cache::TierStatistics| {
        (tier.writes, tier.errors, tier.skipped) == (writes, 0, 0)
    };
    prop_assert!(statistics.tiers.iter().all(exact), "{:?}", statistics.tiers);
    Ok(())
}
