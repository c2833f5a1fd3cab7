//! The cache over real files: what one bad moment of a disk may not do.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{DAY, HOUR, SECOND, key, ns, terms};
use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog_cache::{Cache, Codec, Entry, MemoryLimits, Tier};
use bedrock_catalog_test_support::conformance::entry;

fn disk(folder: &std::path::Path) -> DiskTier {
    let codec = Codec::new(env!("CARGO_PKG_VERSION"));
    DiskTier::new(Locations::given([folder]), codec).with_well_known(key(1), "one")
}

#[test]
fn a_write_that_finds_the_lock_held_keeps_the_old_file() {
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(Arc::new(disk(root.path())) as Arc<dyn Tier>)
        .build()
        .unwrap();
    let stored = cache.put(&key(1), "good", &terms());
    let path = stored.path.unwrap();
    let held = std::fs::File::open(path.with_file_name("lock")).unwrap();
    held.lock().unwrap();
    // another process, holding the lock, writes something newer
    let before = std::fs::read(&path).unwrap();
    assert_eq!(cache.put(&key(1), "x", &terms()).tiers, ["memory"]);
    drop(held);
    assert_eq!(std::fs::read(&path).ok(), Some(before), "old value kept");
}

#[test]
fn evictions_are_not_expirations() {
    let root = tempfile::tempdir().unwrap();
    let write = |max| {
        Cache::builder()
            .namespace(ns())
            .tier(Arc::new(disk(root.path()).with_max_bytes(max)) as Arc<dyn Tier>)
            .build()
            .unwrap()
    };
    for n in 0..10 {
        write(1 << 20).put(&key(n), "x".repeat(1000), &terms());
    }
    let small = write(5000);
    small.cleanup();
    let s = small.statistics();
    assert_eq!(
        (s.tiers[0].evictions > 0, s.tiers[0].expirations),
        (true, 0),
        "{s:?}"
    );
}

#[cfg(unix)]
#[test]
fn an_invalidation_that_a_folder_refused_is_not_forgotten() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(Arc::new(disk(root.path())) as Arc<dyn Tier>)
        .build()
        .unwrap();
    cache.put(&key(1), "old", &terms());
    let v1 = root.path().join("v1");
    std::fs::set_permissions(&v1, std::fs::Permissions::from_mode(0o755)).unwrap();
    cache.remove(&key(1));
    std::fs::set_permissions(&v1, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(cache.get(&key(1)).is_missing());
}

#[test]
fn two_minor_versions_of_one_format_leave_each_other_alone() {
    let root = tempfile::tempdir().unwrap();
    let tier = |v: &str| {
        DiskTier::new(Locations::given([root.path()]), Codec::new(v)).with_well_known(key(1), "one")
    };
    let (a, b) = (tier("0.1.0"), tier("0.2.0"));
    let e = |v: &str| {
        let x = entry(ns(), &key(1), "x", SystemTime::now(), HOUR);
        let mut env = x.envelope().clone();
        env.package_version = v.into();
        Entry::new(env, "x".into())
    };
    a.put(&e("0.1.0")).unwrap();
    b.put(&e("0.2.0")).unwrap();
    assert!(
        a.get(&ns(), &key(1)).is_ok_and(|f| f.is_some()),
        "neither touches the other's"
    );
}

#[cfg(unix)]
#[test]
fn a_given_folder_under_one_that_others_write_to_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let root = tempfile::tempdir().unwrap();
    let (open, victim) = (root.path().join("open"), root.path().join("victim"));
    std::fs::create_dir(&open).unwrap();
    std::fs::create_dir(&victim).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    symlink(&victim, open.join("app")).unwrap();
    let one = disk(&open.join("cache"))
        .put(&entry(ns(), &key(1), "x", SystemTime::now(), HOUR))
        .is_err();
    let two = disk(&open.join("app/cache"))
        .put(&entry(ns(), &key(1), "x", SystemTime::now(), HOUR))
        .is_err();
    assert_eq!(
        (one, two, victim.join("cache").exists()),
        (true, true, false)
    );
}

#[test]
fn a_superseded_write_is_not_reported_as_stored() {
    let root = tempfile::tempdir().unwrap();
    disk(root.path())
        .put(&entry(
            ns(),
            &key(1),
            "newer",
            SystemTime::now() + SECOND * 60,
            HOUR,
        ))
        .unwrap();
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(Arc::new(disk(root.path())) as Arc<dyn Tier>)
        .build()
        .unwrap();
    let stored = cache.put(&key(1), "mine", &terms());
    let s = cache.statistics();
    assert_eq!(
        (
            stored.tiers,
            s.tiers[1].writes,
            cache.get(&key(1)).into_hit().unwrap().data
        ),
        (vec!["memory"], 0, "newer".into())
    );
}

#[test]
fn a_busy_folder_does_not_end_the_sweep() {
    let root = tempfile::tempdir().unwrap();
    let tier = disk(root.path()).with_lock_wait(Duration::ZERO);
    let old = SystemTime::now() - DAY;
    for n in 0..40 {
        tier.put(&entry(ns(), &key(n), "x", old, HOUR)).unwrap();
    }
    let path = tier.get(&ns(), &key(7)).unwrap().unwrap().path.unwrap();
    let held = std::fs::File::open(path.with_file_name("lock")).unwrap();
    held.lock().unwrap();
    let cleaned = tier.cleanup(SystemTime::now());
    drop(held);
    let left = tier.size().unwrap().entries;
    assert!(cleaned.is_ok() && left <= 2, "{cleaned:?}, left {left}");
}
