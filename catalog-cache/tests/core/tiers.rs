use std::sync::Arc;
use std::time::SystemTime;

use super::{HOUR, key, memory_tier, ns, terms};
use bedrock_catalog_cache::{
    Cache, Entry, Key, ManualClock, MemoryLimits, MemoryTier, Namespace, Pattern, Tier, TierError,
    tier,
};
use bedrock_catalog_test_support::conformance::entry;
use bedrock_catalog_test_support::{FaultyTier, conformance};

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
#[cfg(feature = "files")]
#[test]
fn a_cache_with_files_survives_a_restart_and_the_lack_of_any_place() {
    use bedrock_catalog_cache::Codec;
    use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    let start = |store: &'static str| {
        let mut builder = Cache::builder().namespace(ns());
        if store != "none" {
            builder = builder.memory(MemoryLimits::default());
        }
        if store == "file" {
            let codec = Codec::new(env!("CARGO_PKG_VERSION"));
            let disk = DiskTier::new(Locations::given([&place]), codec);
            builder = builder.tier(Arc::new(disk) as Arc<dyn bedrock_catalog_cache::Tier>);
        }
        builder.build().unwrap()
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

#[test]
fn the_memory_bound_in_bytes_holds_for_large_entries() {
    let clock = ManualClock::new();
    let tier = memory_tier(
        &clock,
        MemoryLimits {
            entries: 1000,
            bytes: 1 << 20,
        },
    );
    let mut worst = 0;
    for n in 0..200 {
        tier.put(&entry(
            ns(),
            &key(n),
            vec![0; 500_000],
            SystemTime::now(),
            HOUR,
        ))
        .unwrap();
        let mut held = 0;
        tier.scan(&ns(), "", &mut |l| {
            held += l.bytes;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        worst = worst.max(held);
    }
    assert!(worst <= 2 << 20, "bound 1 MiB, held {worst}");
}

#[test]
fn a_tier_in_memory_below_another_is_promoted_from() {
    let clock = ManualClock::new();
    #[derive(Debug)]
    struct Second(MemoryTier);
    impl Tier for Second {
        fn name(&self) -> &'static str {
            "second"
        }
        fn is_instant(&self) -> bool {
            true
        }
        fn get(&self, n: &Namespace, k: &Key) -> Result<Option<tier::Found>, TierError> {
            self.0.get(n, k)
        }
        fn put(&self, e: &Entry) -> Result<tier::Receipt, TierError> {
            self.0.put(e)
        }
        fn remove(&self, n: &Namespace, k: &Key) -> Result<bool, TierError> {
            self.0.remove(n, k)
        }
        fn scan(
            &self,
            n: &Namespace,
            p: &str,
            v: &mut dyn FnMut(tier::Listed) -> std::ops::ControlFlow<()>,
        ) -> Result<(), TierError> {
            self.0.scan(n, p, v)
        }
        fn cleanup(&self, t: SystemTime) -> Result<u64, TierError> {
            self.0.cleanup(t)
        }
        fn size(&self) -> Result<tier::Size, TierError> {
            self.0.size()
        }
        fn health(&self) -> tier::Health {
            self.0.health()
        }
    }
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(Arc::new(Second(memory_tier(&clock, MemoryLimits::default()))) as Arc<dyn Tier>)
        .clock(clock.clone())
        .build()
        .unwrap();
    cache.put(&key(1), "x", &terms());
    cache.invalidate_in("memory", &Pattern::all());
    let _ = cache.get(&key(1));
    assert_eq!(
        cache.get(&key(1)).into_hit().unwrap().tier(),
        Some("memory")
    );
}
