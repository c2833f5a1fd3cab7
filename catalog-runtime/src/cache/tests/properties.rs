use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::conformance::entry;
use super::super::{
    Clock, Codec, Freshness, Horizons, Key, ManualClock, MemoryLimits, Namespace, Pattern,
    Standing, Tier, TierErrorKind,
};
use super::{DAY, HOUR, SECOND, Stage, holding, key, memory_tier, ns, terms};

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
    fn seed_004_property_1_consistency_of_what_is_derived_from_a_file(content in vec(any::<u8>(), 0..200), made in vec(any::<u8>(), 0..50), purpose in any::<String>()) {
        let stage = Stage::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, content).unwrap();
        prop_assert!(stage.cache.get_for_file(&file, &purpose).is_missing());
        stage.cache.put_for_file(&file, &purpose, made.clone(), &terms());
        let hit = stage.cache.get_for_file(&file, &purpose).into_hit();
        prop_assert_eq!(hit.map(|hit| hit.data.to_vec()), Some(made));
        let other_purpose = purpose + "!";
        prop_assert!(stage.cache.get_for_file(&file, &other_purpose).is_missing());
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
        let memory = stage.cache.inner.levels[0].tier.get(&ns(), &key(n)).unwrap();
        prop_assert_eq!(memory.map(|found| found.entry), Some(entry.clone()));
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

    #[test]
    fn seed_004_property_3_a_file_that_changes_is_forgotten_in_every_tier(one in vec(any::<u8>(), 0..100), two in vec(any::<u8>(), 0..100)) {
        prop_assume!(one != two);
        let stage = Stage::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, &one).unwrap();
        let before = stage.cache.file_key(&file, "size");
        stage.cache.put(&before, "made of one", &terms());
        std::fs::write(&file, &two).unwrap();
        prop_assert!(stage.cache.get_for_file(&file, "size").is_missing());
        prop_assert!(stage.cache.get(&before).is_missing());
        prop_assert!(stage.lower.iter().all(|tier| !tier.holds(&ns(), &before)));
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
        // At rest all tiers agree, and no watch is left.
        for n in 0..6 {
            let of = |tier: &dyn Tier| tier.get(&ns(), &name(n)).unwrap().map(|found| found.entry);
            let (middle, bottom) = (of(&stage.lower[0]), of(&stage.lower[1]));
            prop_assert_eq!(&middle, &bottom);
            let memory = of(stage.cache.inner.levels[0].tier.as_ref());
            prop_assert!(memory.is_none() || memory == bottom);
        }
        prop_assert_eq!(stage.cache.inner.order.watched_now(), 0);
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

    #[test]
    fn seed_004_property_7_compression_round_trip(data in prop_oneof![vec(any::<u8>(), 0..3000), vec(0..3_u8, 0..3000)], above in proptest::option::of(0..2000_usize)) {
        let entry = entry(ns(), &key(1), data.clone(), SystemTime::UNIX_EPOCH + DAY, HOUR);
        let codec = Codec::new(env!("CARGO_PKG_VERSION")).with_compression_above(above);
        let encoded = codec.encode(&entry).unwrap();
        prop_assert_eq!(codec.decode(encoded.bytes.clone().into(), &ns(), &key(1)).unwrap(), entry.clone());
        // Without compression it is never larger than this.
        let plain = Codec::new(env!("CARGO_PKG_VERSION")).encode(&entry).unwrap();
        if encoded.saved == 0 {
            prop_assert_eq!(plain.bytes, encoded.bytes);
        } else {
            prop_assert!(cfg!(feature = "compression") && above.is_some_and(|above| data.len() > above));
        }
    }

    #[test]
    fn a_mutated_entry_is_refused(data in vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), mutation in 0..4_u8, byte in any::<u8>(), above in proptest::option::of(Just(0))) {
        let codec = Codec::new(env!("CARGO_PKG_VERSION")).with_compression_above(above);
        let whole = codec.encode(&entry(ns(), &key(1), data, SystemTime::UNIX_EPOCH + DAY, HOUR)).unwrap().bytes;
        let (mut mutated, at) = (whole.clone(), at.index(whole.len()));
        match mutation {
            0 => mutated[at] ^= 1 << (byte % 8),
            1 => mutated.truncate(at),
            2 => mutated.insert(at, byte),
            _ => mutated.extend_from_slice(&whole[at..]),
        }
        prop_assume!(mutated != whole);
        let error = codec.decode(mutated.into(), &ns(), &key(1)).unwrap_err();
        prop_assert!(!error.is_tier_failure());
    }

    /// moka's order against a plain list, one step at a time.
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
        let limits = MemoryLimits { entries: 1000, bytes: 10_000, ..MemoryLimits::default() };
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
            let copy = stage.cache.inner.levels[0]
                .tier
                .get(&ns(), &key(1))
                .unwrap();
            assert!(copy.is_none_or(|found| found.held >= DAY));
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
    let calls = stage.lower[0].calls(super::super::testing::Op::Get);
    for _ in 0..10 {
        assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
    }
    assert_eq!(
        stage.lower[0].calls(super::super::testing::Op::Get),
        calls + 1
    );
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

#[test]
fn entries_of_other_formats_versions_and_owners_are_not_ours() {
    let codec = Codec::new("1.4.2");
    let mut envelope = entry(ns(), &key(1), "x", SystemTime::UNIX_EPOCH + DAY, HOUR)
        .envelope()
        .clone();
    let mut decode = |version: &str, reader: &Codec, namespace: &Namespace, key: &Key| {
        envelope.package_version = version.into();
        let bytes = codec
            .encode(&super::super::Entry::new(
                envelope.clone(),
                Bytes::from_static(b"x"),
            ))
            .unwrap()
            .bytes;
        reader
            .decode(bytes.into(), namespace, key)
            .map_err(|error| error.kind())
    };
    assert!(
        decode("1.4.0", &codec, &ns(), &key(1)).is_ok(),
        "a patch update keeps the cache"
    );
    assert!(decode("1.4.99", &codec, &ns(), &key(1)).is_ok());
    for other in ["1.5.0", "1.3.9", "2.4.2", "", "1", "1.4", "x.y.z"] {
        assert_eq!(
            decode(other, &codec, &ns(), &key(1)).unwrap_err(),
            TierErrorKind::Foreign,
            "{other}"
        );
    }
    assert!(decode("1.3.9", &codec.clone().also_reads(["1.3"]), &ns(), &key(1)).is_ok());
    assert_eq!(
        decode("1.4.2", &codec, &Namespace::of(["x"]), &key(1)).unwrap_err(),
        TierErrorKind::Foreign
    );
    assert_eq!(
        decode("1.4.2", &codec, &ns(), &key(2)).unwrap_err(),
        TierErrorKind::Foreign
    );
    assert_eq!(
        decode("1.4.2", &codec.clone().with_max_len(100), &ns(), &key(1)).unwrap_err(),
        TierErrorKind::TooLarge
    );
}

#[test]
fn the_two_lines_are_json() {
    let codec = Codec::new("0.1.0");
    let bytes = codec
        .encode(&entry(
            ns(),
            &key("a b"),
            r#"{"models":[]}"#,
            SystemTime::UNIX_EPOCH + DAY,
            HOUR,
        ))
        .unwrap()
        .bytes;
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["format"], 1);
    assert_eq!(lines[0]["key"], "things:get:a%20b");
    assert_eq!(lines[0]["written_at"], 86_400_000);
    assert_eq!(lines[0]["fresh_for"], 1_800_000);
    assert_eq!(lines[0]["keep_for"], 3_600_000);
    assert_eq!(lines[0]["length"], 13);
    assert_eq!(lines[0]["namespace"], ns().to_string());
    for field in ["source", "package_version", "checksum"] {
        assert!(lines[0][field].is_string());
    }
    assert_eq!(
        Arc::new(codec.peek(text.as_bytes()).unwrap()).key,
        key("a b")
    );
}
