//! Tests that see the single steps, or make them fail. What can be shown from outside is in
//! `catalog-cache/tests/disk_*.rs`.

mod faults;
mod logs;
mod properties;

use std::path::Path;

use super::*;
use crate::{Envelope, Horizons, ManualClock};

const VERSION: &str = "0.1.0";
const HOUR: Duration = Duration::from_secs(3_600);

/// A tier over these folders, on a clock that the test moves.
struct Stage {
    _root: tempfile::TempDir,
    folders: Vec<std::path::PathBuf>,
    clock: ManualClock,
    tier: DiskTier,
}

impl Stage {
    /// `count` locations, none of which is there yet.
    fn new(count: usize) -> Self {
        let root = tempfile::tempdir().unwrap();
        let folders: Vec<_> = (0..count)
            .map(|index| root.path().join(format!("location-{index}")))
            .collect();
        let clock = ManualClock::new();
        let tier = tier(&folders, &clock);
        Self {
            _root: root,
            folders,
            clock,
            tier,
        }
    }

    /// A tier of one of the locations alone.
    fn only(&self, index: usize) -> DiskTier {
        tier(&self.folders[index..=index], &self.clock)
    }

    fn entry(&self, payload: &str) -> Entry {
        entry(&key(), payload, self.clock.now())
    }

    fn payload(&self) -> Option<String> {
        payload(&self.tier)
    }

    /// Every file in the location whose name ends so.
    fn files(&self, index: usize, end: &str) -> Vec<std::path::PathBuf> {
        fn walk(folder: &Path, end: &str, into: &mut Vec<std::path::PathBuf>) {
            for item in std::fs::read_dir(folder).into_iter().flatten() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    walk(&path, end, into);
                } else if path.to_str().unwrap().ends_with(end) {
                    into.push(path);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.folders[index], end, &mut found);
        found
    }
}

fn tier(folders: &[std::path::PathBuf], clock: &ManualClock) -> DiskTier {
    DiskTier::new(Locations::given(folders), Codec::new(VERSION))
        .with_clock(Arc::new(clock.clone()))
        .with_well_known(key(), "catalog")
        .with_lock_wait(Duration::ZERO)
}

/// Whether the full figures are asked for.
fn long() -> bool {
    std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1")
}

fn cases() -> proptest::test_runner::Config {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return proptest::test_runner::Config::default();
    }
    proptest::test_runner::Config::with_cases(if long() { 1_000 } else { 100 })
}

fn namespace() -> Namespace {
    Namespace::of(["test"])
}

fn key() -> Key {
    Key::new("catalog", "whole", "test")
}

fn entry(key: &Key, payload: &str, written_at: SystemTime) -> Entry {
    Entry::new(
        Envelope {
            key: key.clone(),
            namespace: namespace(),
            written_at,
            horizons: Horizons {
                fresh_for: HOUR,
                keep_for: 24 * HOUR,
            },
            source: "test".into(),
            package_version: VERSION.into(),
        },
        bytes::Bytes::copy_from_slice(payload.as_bytes()),
    )
}

fn payload(tier: &DiskTier) -> Option<String> {
    payload_of(tier.get(&namespace(), &key()))
}

fn payload_of(found: Result<Option<Found>, TierError>) -> Option<String> {
    let found = found.ok()??;
    Some(String::from_utf8(found.entry.payload().to_vec()).unwrap())
}

#[test]
fn an_entry_that_replaces_another_removes_what_would_shadow_it() {
    let stage = Stage::new(2);
    stage.tier.put(&stage.entry("old")).unwrap();
    stage.clock.advance(HOUR);
    // The first location takes no new files, and lets old ones go.
    let newer = stage.entry("new");
    let mut hit = false;
    let receipt = steps::probe::failing(
        move |_, step| (step == Step::Create && !std::mem::replace(&mut hit, true)).then_some(28),
        || stage.tier.put(&newer),
    );
    let receipt = receipt.unwrap();
    assert!(receipt.path.unwrap().starts_with(&stage.folders[1]));
    assert_eq!(receipt.failed.len(), 1);
    assert_eq!(receipt.failed[0].kind(), TierErrorKind::Full);
    assert_eq!(stage.payload().as_deref(), Some("new"));
    assert!(stage.files(0, ".jsonl").is_empty());
}

#[test]
fn a_later_write_is_never_replaced_by_an_earlier_one() {
    let stage = Stage::new(1);
    let early = stage.entry("early");
    stage.clock.advance(Duration::from_secs(10));
    stage.tier.put(&stage.entry("late")).unwrap();
    stage.tier.put(&early).unwrap();
    assert_eq!(stage.payload().as_deref(), Some("late"));

    // What was written further ahead than clocks differ is not believed.
    stage.clock.set(stage.clock.now() - 2 * HOUR);
    stage.tier.put(&stage.entry("now")).unwrap();
    assert_eq!(stage.payload().as_deref(), Some("now"));
}

#[test]
fn an_older_format_is_read_last_and_never_written() {
    let stage = Stage::new(2);
    stage.tier.put(&stage.entry("old format")).unwrap();
    std::fs::rename(stage.folders[0].join("v1"), stage.folders[0].join("v0")).unwrap();
    assert_eq!(stage.payload().as_deref(), Some("old format"));
    let before = std::fs::read(&stage.files(0, ".jsonl")[0]).unwrap();

    // Also when the new one is in a later location.
    stage.clock.advance(HOUR);
    stage.only(1).put(&stage.entry("new format")).unwrap();
    assert_eq!(stage.payload().as_deref(), Some("new format"));

    stage.tier.remove(&namespace(), &key()).unwrap();
    stage.tier.clear(&namespace()).unwrap();
    stage
        .tier
        .cleanup(stage.clock.now() + 1_000 * HOUR)
        .unwrap();
    assert_eq!(std::fs::read(&stage.files(0, ".jsonl")[0]).unwrap(), before);
}

#[test]
fn cleanup_removes_the_expired_the_damaged_and_the_orphaned_and_counts_them() {
    let stage = Stage::new(1);
    let keys: Vec<_> = (0..4).map(|i| key().sub(&i.to_string())).collect();
    for key in &keys {
        stage.tier.put(&entry(key, "x", stage.clock.now())).unwrap();
    }
    stage.tier.put(&stage.entry("catalog")).unwrap();
    // One is cut off, one is moved to another's place, one temporary file is left over, one is
    // being written (now, by the file system's clock), and one file is not ours.
    let path = |key: &Key| {
        stage
            .tier
            .get(&namespace(), key)
            .unwrap()
            .unwrap()
            .path
            .unwrap()
    };
    let damaged = path(&keys[0]);
    let bytes = std::fs::read(&damaged).unwrap();
    std::fs::write(&damaged, &bytes[..bytes.len() - 3]).unwrap();
    std::fs::rename(path(&keys[1]), path(&keys[2])).unwrap();
    let folder = damaged.parent().unwrap();
    std::fs::write(folder.join("x.jsonl.1.2.tmp"), "").unwrap();
    std::fs::write(folder.join("README"), "not ours").unwrap();

    let real = SystemTime::now();
    let removed = stage.tier.cleanup(stage.clock.now()).unwrap();
    // The test's clock may be more than an hour from the file system's: then the temporary file
    // counts as orphaned at once.
    let apart = real
        .duration_since(stage.clock.now())
        .unwrap_or_else(|ahead| ahead.duration());
    assert_eq!(removed, if apart > HOUR { 3 } else { 2 });
    assert!(stage.tier.get(&namespace(), &keys[3]).unwrap().is_some());
    stage.tier.cleanup(real + 2 * HOUR).unwrap();
    assert!(stage.files(0, ".tmp").is_empty());
    stage.tier.cleanup(stage.clock.now() + 25 * HOUR).unwrap();
    assert!(stage.files(0, ".jsonl").is_empty());
    assert_eq!(stage.files(0, "README").len(), 1);
}

#[test]
fn the_oldest_make_room_and_the_newest_stays() {
    let stage = Stage::new(1);
    let small = tier(&stage.folders, &stage.clock).with_max_bytes(5_000);
    let keys: Vec<_> = (0..8).map(|i| key().sub(&i.to_string())).collect();
    for (age, key) in keys.iter().enumerate() {
        small
            .put(&entry(key, &"x".repeat(1_000), stage.clock.now()))
            .unwrap();
        let path = payload_path(&small, key);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let back = Duration::from_secs(1_000 - age as u64);
        file.set_modified(SystemTime::now() - back).unwrap();
        assert!(small.size().unwrap().bytes <= 5_000);
    }
    let size = small.size().unwrap();
    assert!(size.entries >= 2, "{size:?}");
    assert_eq!(small.evictions(), 8 - size.entries);
    assert!(small.get(&namespace(), &keys[0]).unwrap().is_none());
    assert!(small.get(&namespace(), &keys[7]).unwrap().is_some());
    // One that is larger than all the room is refused, and nothing is pushed out for it.
    assert!(
        small
            .put(&entry(&keys[0], &"x".repeat(6_000), stage.clock.now()))
            .is_err()
    );
    assert_eq!(small.size().unwrap(), size);
}

fn payload_path(tier: &DiskTier, key: &Key) -> std::path::PathBuf {
    tier.get(&namespace(), key)
        .unwrap()
        .unwrap()
        .path
        .unwrap()
        .to_path_buf()
}

#[test]
fn scan_clear_and_remove_see_every_location_and_one_namespace() {
    let stage = Stage::new(2);
    let keys: Vec<_> = (0..3)
        .map(|i| Key::new("models", "list", &i.to_string()))
        .collect();
    for key in &keys {
        stage
            .only(0)
            .put(&entry(key, "first", stage.clock.now()))
            .unwrap();
        stage
            .only(1)
            .put(&entry(key, "second", stage.clock.now()))
            .unwrap();
    }
    stage.tier.put(&stage.entry("catalog")).unwrap();
    let mut seen = Vec::new();
    stage
        .tier
        .scan(&namespace(), "models:", &mut |listed| {
            assert!(listed.path.unwrap().starts_with(&stage.folders[0]));
            seen.push(listed.envelope.key.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    seen.sort();
    assert_eq!(seen, keys);
    let mut first = 0;
    let once = &mut |_| {
        first += 1;
        ControlFlow::Break(())
    };
    stage.tier.scan(&namespace(), "", once).unwrap();
    assert_eq!(first, 1);

    assert!(stage.tier.remove(&namespace(), &keys[0]).unwrap());
    assert!(!stage.tier.remove(&namespace(), &keys[0]).unwrap());
    assert!(stage.tier.get(&namespace(), &keys[0]).unwrap().is_none());
    assert!(
        stage
            .tier
            .get(&Namespace::of(["other"]), &keys[1])
            .unwrap()
            .is_none()
    );
    assert_eq!(stage.tier.clear(&Namespace::of(["other"])).unwrap(), 0);
    assert_eq!(stage.tier.clear(&namespace()).unwrap(), 5);
    assert_eq!(stage.tier.size().unwrap(), Size::default());
}

#[test]
fn a_lease_is_given_to_one_until_it_is_dropped_or_over() {
    let stage = Stage::new(1);
    let other = stage.only(0);
    let ask = |tier: &DiskTier| {
        tier.try_lease(&namespace(), &key(), Duration::ZERO, HOUR)
            .unwrap()
    };
    let (first, steps) = steps::probe::seen(|| ask(&stage.tier));
    let LeaseOutcome::Held(first) = first else {
        panic!("the first gets it");
    };
    // A crowd waits for the lock meanwhile, and a sync waits for the whole disk.
    let syncs = [steps::Step::SyncFile, steps::Step::SyncFolder];
    assert!(!steps.iter().any(|step| syncs.contains(step)), "{steps:?}");
    assert!(matches!(ask(&other), LeaseOutcome::Busy));
    drop(first);
    let LeaseOutcome::Held(second) = ask(&other) else {
        panic!("it was given back");
    };
    // The holder hangs.
    stage.clock.advance(HOUR);
    let LeaseOutcome::Held(third) = ask(&stage.tier) else {
        panic!("it is over");
    };
    assert!(third.token() > second.token());
    // It comes back too late, and must not take the lease of the other away.
    drop(second);
    assert!(matches!(ask(&other), LeaseOutcome::Busy));
    // A clock that steps back makes no lease last.
    stage.clock.set(stage.clock.now() - 24 * HOUR);
    assert!(matches!(ask(&other), LeaseOutcome::Held(_)));
}

#[test]
fn locations_say_what_they_are_good_for() {
    let stage = Stage::new(2);
    let states = stage.tier.locations();
    assert!(
        states
            .iter()
            .all(|l| matches!(l.state, LocationState::NotYetMade))
    );
    assert!(!stage.folders[0].exists());
    std::fs::write(&stage.folders[0], "a file").unwrap();
    stage.tier.put(&stage.entry("x")).unwrap();
    let states = stage.tier.locations();
    assert!(matches!(
        states[0].state,
        LocationState::Refused(Reason::NotAFolder) | LocationState::Refused(Reason::Io { .. })
    ));
    assert!(matches!(states[1].state, LocationState::Usable));
    let health = stage.tier.health();
    assert!(
        health.ok && health.message.contains("not used"),
        "{}",
        health.message
    );
    assert!(stage.files(1, ".tmp").is_empty());
    let none = DiskTier::new(Locations::default(), Codec::new(VERSION));
    assert!(!none.health().ok);
    assert!(none.put(&stage.entry("x")).is_err());
    assert!(none.get(&namespace(), &key()).unwrap().is_none());
}

#[test]
fn a_write_to_a_full_disk_keeps_the_old_file() {
    let root = tempfile::tempdir().unwrap();
    let cache = crate::Cache::builder()
        .namespace(namespace())
        .memory(crate::MemoryLimits::default())
        .tier(Arc::new(tier(&[root.path().to_owned()], &ManualClock::new())) as Arc<dyn Tier>)
        .build()
        .unwrap();
    let terms = crate::Terms::source("test");
    let path = cache.put(&key(), "good", &terms).path.unwrap();
    on_a_full_disk(|| {
        cache.put(&key(), "x", &terms);
    });
    assert!(path.exists(), "ENOSPC: old value kept");
}
