//! The numbered properties of the tiered cache that this project took over, of the cache as a whole; those of
//! keys, files and formats are with these. `tests/support/properties.rs` has what is of any tier over real ones.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{HOUR, SECOND, Stage, holding, key, memory_tier, ns, terms};
use bedrock_catalog_cache::{
    Clock, Freshness, Key, ManualClock, MemoryLimits, Pattern, Tier, TierErrorKind,
};
use bedrock_catalog_test_support::conformance::entry;

/// What is done to a cache; keys are few, so that they meet.
#[derive(Debug, Clone)]
enum Do {
    Put(u8, Vec<u8>),
    Get(u8),
    GetMany(Vec<u8>),
    PutMany(Vec<(u8, Vec<u8>)>),
    Remove(u8),
    InvalidateEven,
    ForgetInMemory,
    Cleanup,
}

fn step() -> impl Strategy<Value = Do> {
    let data = || vec(any::<u8>(), 0..20);
    prop_oneof![
        4 => (0..6_u8, data()).prop_map(|(n, data)| Do::Put(n, data)),
        6 => (0..6_u8).prop_map(Do::Get),
        1 => vec(0..6_u8, 0..5).prop_map(Do::GetMany),
        1 => vec((0..6_u8, data()), 0..5).prop_map(Do::PutMany),
        1 => (0..6_u8).prop_map(Do::Remove),
        1 => Just(Do::InvalidateEven),
        2 => Just(Do::ForgetInMemory),
        1 => Just(Do::Cleanup),
    ]
}

fn name(n: u8) -> Key {
    Key::new(
        if n.is_multiple_of(2) { "even" } else { "odd" },
        "n",
        &n.to_string(),
    )
}

/// Does it, to the cache and to a plain map; the answers are the map's.
fn follow(
    stage: &Stage,
    model: &mut HashMap<u8, Vec<u8>>,
    step: Do,
    requests: &mut u64,
) -> Result<(), TestCaseError> {
    let cache = &stage.cache;
    match step {
        Do::Put(n, data) => {
            cache.put(&name(n), data.clone(), &terms());
            model.insert(n, data);
        }
        Do::PutMany(all) => {
            let named: Vec<(Key, Vec<u8>)> = all
                .iter()
                .map(|(n, data)| (name(*n), data.clone()))
                .collect();
            cache.put_many(
                named.iter().map(|(key, data)| (key, data.clone())),
                &terms(),
            );
            model.extend(all);
        }
        Do::Get(n) => {
            *requests += 1;
            prop_assert_eq!(stage.data(&name(n)), model.get(&n).cloned());
        }
        Do::GetMany(all) => {
            *requests += all.len() as u64;
            let keys: Vec<Key> = all.iter().map(|n| name(*n)).collect();
            let answers: Vec<_> = cache
                .get_many(&keys)
                .into_iter()
                .map(|a| a.into_hit().map(|hit| hit.data.to_vec()))
                .collect();
            prop_assert_eq!(
                answers,
                all.iter()
                    .map(|n| model.get(n).cloned())
                    .collect::<Vec<_>>()
            );
        }
        Do::Remove(n) => {
            cache.remove(&name(n));
            model.remove(&n);
        }
        Do::InvalidateEven => {
            cache.invalidate(&Pattern::under(["even"]));
            model.retain(|n, _| n % 2 == 1);
        }
        Do::ForgetInMemory => {
            cache.invalidate_in("memory", &Pattern::all());
        }
        Do::Cleanup => {
            cache.cleanup();
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn seed_004_property_1_consistency(steps in vec(step(), 1..60)) {
        let (stage, mut model) = (Stage::new(), HashMap::new());
        for step in steps {
            follow(&stage, &mut model, step, &mut 0)?;
        }
    }

    #[test]
    fn seed_004_property_2_promotion(n in any::<u32>(), data in vec(any::<u8>(), 0..50), below in 0_usize..2, stale in any::<bool>(), batch in any::<bool>()) {
        let stage = Stage::new();
        let written_at = stage.clock.now() - if stale { HOUR } else { Duration::ZERO };
        let entry = entry(ns(), &key(n), data, written_at, HOUR * 2);
        stage.lower[below].put(&entry).unwrap();
        let answer = if batch { stage.cache.get_many(&[key(n)]).remove(0) } else { stage.cache.get(&key(n)) };
        prop_assert_eq!(answer.is_stale(), stale);
        prop_assert_eq!(answer.hit().unwrap().tier(), Some(["middle", "bottom"][below]));
        // Every tier above has it now, with its own age and horizons; the next question stops there.
        let middle = stage.lower[0].get(&ns(), &key(n)).unwrap();
        prop_assert_eq!(middle.map(|found| found.entry), Some(entry));
        prop_assert_eq!(stage.cache.get(&key(n)).hit().unwrap().tier(), Some("memory"));
        // And invalidation reaches every one of them.
        stage.cache.remove(&key(n));
        prop_assert!(stage.cache.get(&key(n)).is_missing());
        prop_assert!(stage.lower.iter().all(|tier| !tier.holds(&ns(), &key(n))));
    }

    #[test]
    fn seed_004_property_3_invalidation_completeness(keys in vec(("[ab]{1,2}", "[ab]{1,2}", "[ab:*]{0,3}"), 1..20), parts in vec("[ab]{1,2}", 1..3)) {
        let stage = Stage::new();
        let keys: BTreeSet<Key> = keys.iter().map(|(a, b, c)| Key::new(a, b, c)).collect();
        stage.cache.put_many(keys.iter().map(|key| (key, "x")), &terms());
        let pattern = Pattern::under(parts.iter().map(String::as_str));
        let gone = keys.iter().filter(|key| pattern.matches(key)).count();
        prop_assert_eq!(stage.cache.invalidate(&pattern), gone as u64);
        for key in &keys {
            prop_assert_eq!(stage.cache.get(key).is_missing(), pattern.matches(key));
            prop_assert!(stage.lower.iter().all(|tier| tier.holds(&ns(), key) != pattern.matches(key)));
        }
    }

    /// Each value says whose it is: readers see whole values of the key they asked for.
    #[test]
    fn seed_004_property_4_thread_safety(all in vec(vec((step(), any::<u8>()), 1..15), 2..4)) {
        let stage = Stage::new();
        let tagged = |n: u8, tag: u8| vec![n, tag, n, tag, n];
        std::thread::scope(|scope| {
            for steps in all {
                let (stage, tagged) = (&stage, &tagged);
                scope.spawn(move || for (step, tag) in steps {
                    let check = |n: u8, answer: Freshness| if let Some(hit) = answer.into_hit() {
                        assert!(hit.data.len() == 5 && hit.data[0] == n && hit.data[..2] == hit.data[2..4], "{:?}", hit.data);
                    };
                    match step {
                        Do::Put(n, _) => drop(stage.cache.put(&name(n), tagged(n, tag), &terms())),
                        Do::PutMany(all) => {
                            let keys: Vec<(Key, u8)> = all.iter().map(|(n, _)| (name(*n), *n)).collect();
                            stage.cache.put_many(keys.iter().map(|(key, n)| (key, tagged(*n, tag))), &terms());
                        }
                        Do::Get(n) => check(n, stage.cache.get(&name(n))),
                        Do::GetMany(all) => {
                            let keys: Vec<Key> = all.iter().map(|n| name(*n)).collect();
                            all.iter().zip(stage.cache.get_many(&keys)).for_each(|(n, answer)| check(*n, answer));
                        }
                        Do::Remove(n) => drop(stage.cache.remove(&name(n))),
                        Do::InvalidateEven => drop(stage.cache.invalidate(&Pattern::under(["even"]))),
                        Do::ForgetInMemory => drop(stage.cache.invalidate_in("memory", &Pattern::all())),
                        Do::Cleanup => drop(stage.cache.cleanup()),
                    }
                });
            }
        });
        // At rest all tiers agree.
        for n in 0..6 {
            let of = |tier: &dyn Tier| tier.get(&ns(), &name(n)).unwrap().map(|found| found.entry);
            let (middle, bottom) = (of(&stage.lower[0]), of(&stage.lower[1]));
            prop_assert_eq!(&middle, &bottom);
        }
    }

    /// The tiers below memory fail as they like; every answer is still the last value written.
    #[test]
    fn seed_004_property_5_error_recovery(steps in vec((step(), 0..4_u8, any::<bool>()), 1..60)) {
        let (stage, mut model) = (Stage::new(), HashMap::new());
        for (step, broken, advance) in steps {
            for (index, tier) in stage.lower.iter().enumerate() {
                if broken & (1 << index) > 0 { tier.fail(TierErrorKind::Unavailable) } else { tier.heal() }
            }
            if advance {
                stage.clock.advance(SECOND * 30);
            }
            // With both down, what memory is told to forget is rightly gone.
            if matches!(step, Do::ForgetInMemory) {
                continue;
            }
            follow(&stage, &mut model, step, &mut 0)?;
        }
        // Without memory: an older value never comes up, in whatever state the tiers were left.
        stage.lower.iter().for_each(super::FaultyTier::heal);
        stage.clock.advance(SECOND * 60);
        stage.cache.invalidate_in("memory", &Pattern::all());
        for n in 0..6 {
            let found = stage.data(&name(n));
            prop_assert!(found.is_none() || found == model.get(&n).cloned());
        }
    }

    /// The tier's order against a plain list, one step at a time.
    #[test]
    fn seed_004_property_8_lru(room in 1..6_usize, steps in vec((0..10_u8, any::<bool>()), 1..60)) {
        let clock = ManualClock::new();
        let limits = MemoryLimits { entries: room as u64, ..MemoryLimits::default() };
        let (tier, mut model) = (memory_tier(&clock, limits), Vec::<u8>::new());
        let mut evicted = 0;
        for (n, write) in steps {
            let held = model.iter().position(|held| *held == n).map(|at| model.remove(at));
            if write {
                tier.put(&entry(ns(), &name(n), "x", clock.now(), HOUR)).unwrap();
                model.push(n);
                if model.len() > room {
                    model.remove(0);
                    evicted += 1;
                }
            } else {
                prop_assert_eq!(tier.get(&ns(), &name(n)).unwrap().is_some(), held.is_some());
                model.extend(held);
            }
            prop_assert_eq!(tier.size().unwrap().entries, model.len() as u64);
            let mut listed = HashSet::new();
            tier.scan(&ns(), "", &mut |entry| { listed.insert(entry.envelope.key.clone()); std::ops::ControlFlow::Continue(()) }).unwrap();
            prop_assert_eq!(listed, model.iter().map(|n| name(*n)).collect::<HashSet<_>>());
        }
        prop_assert_eq!(tier.evictions(), evicted);
    }

    #[test]
    fn seed_004_property_8_bytes_are_bounded_too(sizes in vec(0..3000_usize, 1..40)) {
        let clock = ManualClock::new();
        let limits = MemoryLimits { entries: 1000, bytes: 10_000 };
        let tier = memory_tier(&clock, limits);
        for (n, size) in sizes.iter().enumerate() {
            tier.put(&entry(ns(), &key(n), vec![0; *size], clock.now(), HOUR)).unwrap();
            prop_assert!(tier.size().unwrap().bytes <= 10_000);
            prop_assert!(tier.get(&ns(), &key(n)).unwrap().is_some(), "the newest is there");
        }
        prop_assert!(tier.put(&entry(ns(), &key(0), vec![0; 10_000], clock.now(), HOUR)).is_err());
        prop_assert!(tier.get(&ns(), &key(0)).unwrap().is_none(), "nor an older one in its place");
    }

    #[test]
    fn seed_004_property_9_expiration(keeps in vec(1..100_u64, 1..20), passed in 0..120_u64) {
        let stage = Stage::new();
        for (n, keep) in keeps.iter().enumerate() {
            stage.cache.put(&key(n), "x", &holding(SECOND, SECOND * u32::try_from(*keep).unwrap()));
        }
        stage.clock.advance(Duration::from_secs(passed));
        let expired = keeps.iter().filter(|keep| passed >= **keep).count() as u64;
        prop_assert_eq!(stage.cache.cleanup(), 3 * expired, "in each of three tiers");
        for (n, keep) in keeps.iter().enumerate() {
            let kept = passed < *keep;
            prop_assert!(stage.lower.iter().all(|tier| tier.holds(&ns(), &key(n)) == kept));
            prop_assert_eq!(!stage.cache.get(&key(n)).is_missing(), kept);
        }
        let statistics = stage.cache.statistics();
        prop_assert!(statistics.tiers.iter().all(|tier| tier.expirations == expired));
    }

    /// The counters against what was done, and against the tiers' own counts.
    #[test]
    fn seed_004_property_10_statistics(steps in vec(step(), 1..60)) {
        let (stage, mut model, mut requests, mut writes, mut hits) = (Stage::new(), HashMap::new(), 0, 0_u64, 0_u64);
        for step in steps {
            match &step {
                Do::Put(..) => writes += 1,
                Do::PutMany(all) => writes += all.len() as u64,
                Do::Get(n) => hits += u64::from(model.contains_key(n)),
                Do::GetMany(all) => hits += all.iter().filter(|n| model.contains_key(*n)).count() as u64,
                _ => {}
            }
            follow(&stage, &mut model, step, &mut requests)?;
        }
        let statistics = stage.cache.statistics();
        prop_assert_eq!((statistics.requests(), statistics.hits(), statistics.stale), (requests, hits, 0));
        prop_assert_eq!(statistics.hits() + statistics.misses, requests);
        prop_assert!(statistics.tiers.iter().all(|tier| tier.writes == writes && tier.errors == 0 && tier.skipped == 0));
        // Every hit below memory was promoted to it, once, unless a batch asked for it twice.
        prop_assert!(statistics.tiers[0].promotions <= statistics.tiers[1].hits + statistics.tiers[2].hits);
        prop_assert!((0.0..=1.0).contains(&statistics.hit_rate()));
    }

}

#[test]
fn statistics_are_exact_under_threads() {
    let stage = Stage::new();
    stage.cache.put(&key(0), "x", &terms());
    let rounds = super::rounds(500) as u64;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..rounds {
                    let _ = stage.cache.get(&key(n % 2));
                }
            });
        }
    });
    let statistics = stage.cache.statistics();
    assert_eq!(
        (statistics.hits(), statistics.misses),
        (4 * rounds / 2, 4 * rounds / 2)
    );
    let recent = stage.cache.recent(5);
    assert_eq!((recent.len(), recent[0].accesses), (1, Some(2 * rounds)));
}
