use std::sync::Arc;

use super::super::testing::{FaultyTier, conformance};
use super::super::{ManualClock, MemoryLimits};
use super::memory_tier;

#[test]
fn the_memory_tier_keeps_every_promise() {
    let clock = ManualClock::new();
    conformance::check(&clock, &|| {
        Arc::new(memory_tier(&clock, MemoryLimits::default()))
    });
}

#[test]
fn the_faulty_tier_keeps_every_promise_while_it_works() {
    conformance::check(&ManualClock::new(), &|| FaultyTier::new("faulty").into());
    let leases = Arc::default();
    conformance::check(&ManualClock::new(), &|| {
        let tier = FaultyTier::new("faulty");
        tier.share_leases(&leases);
        tier.into()
    });
}

/// Memory over files, as most will have it: across a restart, without a place to write, and with none.
#[cfg(feature = "disk")]
#[test]
fn a_cache_with_files_survives_a_restart_and_the_lack_of_any_place() {
    use super::super::tier::disk::{DiskTier, Locations};
    use super::super::{Cache, CacheConfig, Codec, Environment};
    use super::{key, ns, terms};

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    let start = |store: &'static str| {
        let place = place.clone();
        let env = Environment::new("APP", move |name| match name {
            "APP_CACHE" => Some(store.into()),
            "APP_CACHE_DIR" => Some(place.clone().into()),
            _ => None,
        });
        let files = |config: &CacheConfig| {
            let locations = Locations::given(config.locations.as_deref().unwrap_or_default());
            Arc::new(DiskTier::new(
                locations,
                Codec::new(env!("CARGO_PKG_VERSION")),
            )) as Arc<dyn super::super::Tier>
        };
        let config = CacheConfig::from_env(&env).unwrap();
        Cache::builder()
            .namespace(ns())
            .config(&config, files)
            .build()
            .unwrap()
    };
    for store in ["none", "memory"] {
        let cache = start(store);
        cache.put(&key(1), "x", &terms());
        cache.cleanup();
        cache.clear();
        assert!(!place.exists(), "{store} touches no file");
    }
    let stored = start("file").put(&key(1), "\"kept\"", &terms());
    assert_eq!(stored.tiers, ["memory", "disk"]);
    let again = start("file");
    let hit = again.get(&key(1)).into_hit().unwrap();
    assert_eq!(
        (hit.data.as_ref(), hit.tier(), hit.path()),
        (b"\"kept\"".as_ref(), Some("disk"), stored.path.as_deref())
    );
    assert_eq!(
        again.get(&key(1)).into_hit().unwrap().tier(),
        Some("memory")
    );
    assert!(again.remove(&key(1)) && start("file").get(&key(1)).is_missing());
    // A file where the folder should be: memory alone goes on.
    std::fs::remove_dir_all(&place).unwrap();
    std::fs::write(&place, "in the way").unwrap();
    let cache = start("file");
    assert_eq!(cache.put(&key(2), "x", &terms()).tiers, ["memory"]);
    assert!(cache.get(&key(2)).is_fresh());
}
