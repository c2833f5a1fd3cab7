//! The numbered properties of a tiered cache (seed 004) that need faults, or concern memory alone. The
//! others run over every tier in `tests/tier_properties.rs`.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use bedrock_catalog_cache::{
    Clock, Deadline, ManualClock, MemoryLimits, MemoryTier, Pattern, Tier, TierErrorKind,
};
use bedrock_catalog_test_support::{FaultyTier, conformance};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::stage::{HOUR, SECOND, Stage, key, ns, options, rounds};

#[derive(Debug, Clone)]
enum Step {
    Put(usize, Vec<u8>),
    Get(usize),
    Remove(usize),
    Clear,
    Cleanup,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_usize, vec(any::<u8>(), 0..20)).prop_map(|(n, data)| Step::Put(n, data)),
        6 => (0..6_usize).prop_map(Step::Get),
        1 => (0..6_usize).prop_map(Step::Remove),
        1 => Just(Step::Clear),
        1 => Just(Step::Cleanup),
    ]
}

fn memory_tier(clock: &ManualClock, limits: MemoryLimits) -> MemoryTier {
    MemoryTier::new(limits, Arc::new(clock.clone()))
}

proptest! {
    /// The tiers below memory fail at random: every answer is the last value written. Afterwards, without
    /// memory, no older value appears.
    #[test]
    fn property_004_5_error_recovery(steps in vec((step(), 0..4_u8, any::<bool>()), 1..60)) {
        let (stage, mut model) = (Stage::new(), HashMap::new());
        for (step, broken, advance) in steps {
            for (index, tier) in stage.lower.iter().enumerate() {
                if broken & (1 << index) > 0 { tier.fail(TierErrorKind::Unavailable) } else { tier.heal() }
            }
            if advance {
                stage.clock.advance(SECOND * 30);
            }
            match step {
                Step::Put(n, data) => {
                    stage.cache.put(&key(n), data.clone(), &options());
                    model.insert(n, data);
                }
                Step::Get(n) => prop_assert_eq!(stage.data(&key(n)), model.get(&n).cloned()),
                Step::Remove(n) => {
                    stage.cache.remove(&key(n));
                    model.remove(&n);
                }
                Step::Clear => {
                    stage.cache.invalidate(&Pattern::under(["things"]));
                    model.clear();
                }
                Step::Cleanup => drop(stage.cache.cleanup()),
            }
        }
        stage.lower.iter().for_each(FaultyTier::heal);
        stage.clock.advance(SECOND * 60);
        stage.forget();
        for n in 0..6 {
            let found = stage.data(&key(n));
            prop_assert!(found.is_none() || found == model.get(&n).cloned());
        }
    }

    /// The order of the memory tier against a plain list, step by step.
    #[test]
    fn property_004_8_lru(room in 1..6_usize, steps in vec((0..10_usize, any::<bool>()), 1..60)) {
        let clock = ManualClock::new();
        let limits = MemoryLimits { entries: room as u64, ..MemoryLimits::default() };
        let (tier, mut model, mut evicted) = (memory_tier(&clock, limits), Vec::new(), 0);
        for (n, write) in steps {
            let held = model.iter().position(|held| *held == n).map(|at| model.remove(at));
            if write {
                let entry = conformance::entry(ns(), &key(n), "x", clock.now(), HOUR);
                tier.put(&entry, Deadline::NONE).unwrap();
                model.push(n);
                if model.len() > room {
                    model.remove(0);
                    evicted += 1;
                }
            } else {
                let found = tier.get(&ns(), &key(n), Deadline::NONE).unwrap();
                prop_assert_eq!(found.is_some(), held.is_some());
                model.extend(held);
            }
            prop_assert_eq!(tier.status().entries, Some(model.len() as u64));
            let mut listed = HashSet::new();
            tier.scan(&ns(), "", Deadline::NONE, &mut |info| {
                listed.insert(info.envelope.key.clone());
                ControlFlow::Continue(())
            }).unwrap();
            prop_assert_eq!(listed, model.iter().map(key).collect::<HashSet<_>>());
        }
        prop_assert_eq!(tier.evictions(), evicted);
    }

    #[test]
    fn property_004_8_the_bytes_are_bounded_too(sizes in vec(0..3000_usize, 1..40)) {
        let clock = ManualClock::new();
        let tier = memory_tier(&clock, MemoryLimits { entries: 1000, bytes: 10_000 });
        let entry = |n, size| conformance::entry(ns(), &key(n), vec![0; size], clock.now(), HOUR);
        let holds = |n: usize| tier.get(&ns(), &key(n), Deadline::NONE).unwrap().is_some();
        for (n, size) in sizes.iter().enumerate() {
            tier.put(&entry(n, *size), Deadline::NONE).unwrap();
            prop_assert!(tier.status().bytes.unwrap() <= 10_000);
            prop_assert!(holds(n), "the newest is there");
        }
        prop_assert!(tier.put(&entry(0, 10_000), Deadline::NONE).is_err());
        prop_assert!(!holds(0), "nor an older one in its place");
    }
}

bedrock_catalog_test_support::tier_properties!(custom, |clock: &ManualClock| -> Arc<dyn Tier> {
    Arc::new(FaultyTier::on_clock("custom", clock.clone()).with_leases())
});

#[test]
fn property_004_10_statistics_are_exact_under_threads() {
    let stage = Stage::new();
    stage.cache.put(&key(0), "x", &options());
    let rounds = rounds(500) as u64;
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
    let half = 4 * rounds / 2;
    assert_eq!((statistics.hits(), statistics.misses), (half, half));
    let recent = stage.cache.recent(5);
    assert_eq!((recent.len(), recent[0].accesses), (1, Some(2 * rounds)));
}
