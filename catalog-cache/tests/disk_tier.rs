//! The file tier against the suite of all tiers, and against its own promises.
#![cfg(feature = "files")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{
    Acquired, Clock, Deadline, FileTier, FilesOptions, Key, ManualClock, Namespace, Pattern, Tier,
    TierErrorKind,
};
use bedrock_catalog_test_support::conformance;
use support::{
    HOUR, VERSION, files, get, key, namespace, put, read_text, remove, stored, text_entry, tier_on,
    tier_with,
};

/// A tier in these locations, on a clock that the test moves.
struct Stage {
    _root: tempfile::TempDir,
    folders: Vec<PathBuf>,
    clock: ManualClock,
    tier: FileTier,
}

impl Stage {
    /// `count` locations that do not exist yet.
    fn new(count: usize) -> Self {
        let root = support::fast_tempdir();
        let folder = |index: usize| root.path().join(format!("location-{index}"));
        let folders: Vec<_> = (0..count).map(folder).collect();
        let clock = ManualClock::new();
        let tier = tier_on(&clock, &folders);
        Self {
            _root: root,
            folders,
            clock,
            tier,
        }
    }

    /// A tier in one of the locations alone.
    fn only(&self, index: usize) -> FileTier {
        tier_on(&self.clock, &self.folders[index..=index])
    }

    fn put(&self, tier: &FileTier, key: &Key, text: &str) -> PathBuf {
        let entry = text_entry(key, text, self.clock.now());
        stored(put(tier, &entry).unwrap()).0
    }

    fn entries(&self) -> u64 {
        self.tier.status().entries.unwrap()
    }
}

fn keys(count: usize) -> Vec<Key> {
    let key = |n: usize| Key::new("models", "list", &n.to_string());
    (0..count).map(key).collect()
}

#[test]
fn the_file_tier_conforms() {
    let root = support::fast_tempdir();
    let clock = ManualClock::new();
    let made = std::cell::Cell::new(0);
    conformance::check(&clock, &|| {
        made.set(made.get() + 1);
        Arc::new(tier_on(&clock, &[root.path().join(made.get().to_string())]))
    });
}

#[test]
fn cleanup_removes_expired_damaged_and_orphaned_files_and_counts_entries() {
    let stage = Stage::new(1);
    let keys = keys(4);
    let paths: Vec<_> = keys
        .iter()
        .map(|key| stage.put(&stage.tier, key, "x"))
        .collect();
    stage.put(&stage.tier, &key(), "catalog");
    // One is cut off, one is in another's place, one is orphaned, and one is another program's.
    let bytes = fs::read(&paths[0]).unwrap();
    fs::write(&paths[0], &bytes[..bytes.len() - 3]).unwrap();
    fs::rename(&paths[1], &paths[2]).unwrap();
    let folder = paths[0].parent().unwrap();
    fs::write(folder.join("x.jsonl.1.2.tmp"), "").unwrap();
    fs::write(folder.join("README"), "another program's").unwrap();

    assert_eq!(stage.tier.cleanup(stage.clock.now()).unwrap(), 2);
    assert!(get(&stage.tier, &keys[3]).unwrap().is_some());
    // Orphans are known by the file system's clock.
    let later = SystemTime::now() + 2 * HOUR;
    stage.tier.cleanup(later).unwrap();
    assert!(files(&stage.folders[0], ".tmp").is_empty());
    stage.tier.cleanup(stage.clock.now() + 25 * HOUR).unwrap();
    assert!(files(&stage.folders[0], ".jsonl").is_empty());
    assert_eq!(files(&stage.folders[0], "README").len(), 1);
}

#[test]
fn a_cleanup_leaves_a_write_in_progress_and_a_held_lease() {
    let stage = Stage::new(1);
    let path = stage.put(&stage.tier, &key(), "x");
    let temporary = path.with_file_name("catalog.jsonl.1.2.tmp");
    fs::write(&temporary, "").unwrap();
    let lease = lease(&stage.tier, &key());
    stage.tier.cleanup(SystemTime::now()).unwrap();
    assert!(temporary.exists());
    stage
        .tier
        .cleanup(SystemTime::now() + 1_000 * HOUR)
        .unwrap();
    assert!(!temporary.exists());
    let lease_file = path.with_file_name("catalog.lease");
    assert!(lease_file.exists() && matches!(lease, Acquired::Held(_)));
    std::mem::drop(lease);
    assert!(!lease_file.exists(), "a release leaves no file");
}

#[test]
fn the_oldest_entries_are_evicted_and_the_newest_stays() {
    let stage = Stage::new(1);
    let options = FilesOptions::in_folders(&stage.folders).max_bytes(5_000);
    let small = tier_with(&stage.clock, options, VERSION);
    let keys = keys(8);
    for (age, key) in keys.iter().enumerate() {
        let path = stage.put(&small, key, &"x".repeat(1_000));
        let file = fs::File::options().write(true).open(path).unwrap();
        let back = Duration::from_secs(1_000 - age as u64);
        file.set_modified(SystemTime::now() - back).unwrap();
        assert!(small.status().bytes.unwrap() <= 5_000);
    }
    let status = small.status();
    let entries = status.entries.unwrap();
    assert!(entries >= 2, "{status:?}");
    assert_eq!(small.evictions(), 8 - entries);
    assert!(get(&small, &keys[0]).unwrap().is_none());
    assert!(get(&small, &keys[7]).unwrap().is_some());
    // An entry above the bound is refused, and nothing is evicted for it.
    let large = text_entry(&keys[0], &"x".repeat(6_000), stage.clock.now());
    let error = put(&small, &large).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
    assert_eq!(small.status(), status);
}

#[test]
fn a_scan_lists_each_key_once_and_a_removal_reaches_every_location() {
    let stage = Stage::new(2);
    let keys = keys(3);
    for key in &keys {
        stage.put(&stage.only(0), key, "first");
        stage.put(&stage.only(1), key, "second");
    }
    stage.put(&stage.tier, &key(), "catalog");
    let mut seen = BTreeSet::new();
    let visit = &mut |info: bedrock_catalog_cache::EntryInfo| {
        assert!(info.path.unwrap().starts_with(&stage.folders[0]));
        assert!(seen.insert(info.envelope.key.clone()), "listed twice");
        ControlFlow::Continue(())
    };
    let all = Deadline::NONE;
    stage
        .tier
        .scan(&namespace(), "models:", all, visit)
        .unwrap();
    assert!(seen.iter().eq(&keys));

    let other = Namespace::of(["other"]);
    let all_keys = Pattern::all();
    assert_eq!(stage.tier.remove(&other, &all_keys, all).unwrap(), 0);
    let exact = Pattern::exact(&keys[0]);
    assert_eq!(remove(&stage.tier, &exact).unwrap(), 1);
    assert_eq!(remove(&stage.tier, &exact).unwrap(), 0);
    assert!(get(&stage.tier, &keys[0]).unwrap().is_none());
    assert_eq!(remove(&stage.tier, &all_keys).unwrap(), 3);
    assert_eq!(stage.entries(), 0);
}

#[test]
fn a_passed_deadline_ends_a_scan_and_a_removal() {
    let stage = Stage::new(1);
    stage.put(&stage.tier, &key(), "x");
    let over = Deadline::after(Duration::ZERO);
    let visit = &mut |_| ControlFlow::Continue(());
    let error = stage.tier.scan(&namespace(), "", over, visit).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Timeout);
    assert!(
        stage
            .tier
            .remove(&namespace(), &Pattern::all(), over)
            .is_err()
    );
    assert_eq!(stage.entries(), 1);
}

fn lease(tier: &FileTier, key: &Key) -> Acquired {
    let leases = tier.coordinator().unwrap();
    leases
        .try_lease(&namespace(), key, HOUR, Deadline::NONE)
        .unwrap()
}

#[test]
fn a_lease_belongs_to_one_holder_until_it_is_released() {
    let stage = Stage::new(1);
    let other = stage.only(0);
    let Acquired::Held(first) = lease(&stage.tier, &key()) else {
        panic!("the first acquires it");
    };
    assert_eq!(first.token(), None, "it ends with the process");
    assert!(matches!(lease(&other, &key()), Acquired::Busy));
    // Neither the clock nor a write of the key ends it.
    stage.clock.advance(100 * HOUR);
    stage.put(&other, &key(), "x");
    assert!(matches!(lease(&other, &key()), Acquired::Busy));
    drop(first);
    let Acquired::Held(_second) = lease(&other, &key()) else {
        panic!("it was released");
    };
    assert!(matches!(lease(&stage.tier, &key()), Acquired::Busy));
}

#[test]
fn many_threads_that_release_at_once_never_hold_a_lease_together() {
    let stage = Stage::new(1);
    let holders = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    if let Acquired::Held(guard) = lease(&stage.tier, &key()) {
                        let before = holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert_eq!(before, 0, "two holders");
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(guard);
                    }
                }
            });
        }
    });
}

#[test]
fn the_status_says_how_each_location_is() {
    let stage = Stage::new(2);
    let status = stage.tier.status();
    assert!(status.ok);
    assert_eq!(status.message.matches("not created yet").count(), 2);
    assert!(!stage.folders[0].exists());
    fs::write(&stage.folders[0], "a file").unwrap();
    stage.put(&stage.tier, &key(), "x");
    let status = stage.tier.status();
    let (first, second) = status.message.split_once("; ").unwrap();
    let usable = format!("{}: usable", stage.folders[1].display());
    assert!(first.contains("not used") && first.ends_with("it is not a folder"));
    assert!(status.ok && second == usable, "{status:?}");
    assert!(files(&stage.folders[1], ".tmp").is_empty());

    let none = tier_on(&stage.clock, &[] as &[&Path]);
    assert!(!none.status().ok);
    assert!(put(&none, &text_entry(&key(), "x", stage.clock.now())).is_err());
    assert!(get(&none, &key()).unwrap().is_none());
    assert_eq!(read_text(&none), None);
}
