//! The numbered properties of the seeds.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bedrock_catalog::{
    CacheMode, Catalog, LiveCatalog, PartialPolicy, catalog_from_json, catalog_to_json,
};
use bedrock_catalog_recording::transform;
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule, Stage};
use bedrock_catalog_tests::synthetic;
use proptest::prelude::*;

use crate::stage::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(work)
}

fn mode() -> impl Strategy<Value = CacheMode> {
    prop::sample::select(vec![CacheMode::File, CacheMode::Memory, CacheMode::None])
}

/// Folders that can store nothing: below a file, a device and `/proc`.
fn unusable() -> impl Strategy<Value = Vec<PathBuf>> {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let some = vec![
        file.join("a"),
        "/dev/null/b".into(),
        "/proc/nowhere/c".into(),
    ];
    prop::sample::subsequence(some, 1..=3)
}

fn fault() -> impl Strategy<Value = Option<Fault>> {
    prop::sample::select(vec![
        None,
        Some(Fault::access_denied()),
        Some(Fault::html()),
        Some(Fault::Empty),
        Some(Fault::UnknownWords),
        Some(Fault::json("{}")),
        Some(Fault::json("[]")),
        Some(Fault::Reset(3)),
    ])
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn seed_000_property_4_retrieved_data_always_used(
        models in 1usize..12, profiles in 0usize..6, folders in unusable(), forced: bool,
    ) {
        let wire = Memory::new(Stage::new(synthetic::recording(&REGIONS, models, profiles.min(models))));
        let builder = in_memory(&wire, &clock()).cache_mode(CacheMode::File).cache_dirs(folders);
        let live = builder.force_refresh(forced).build().unwrap();
        let loaded = run(live.load()).unwrap();
        let mut recording = wire.stage().recording().clone();
        recording.observed_at = timestamp(later());
        let (expected, _) = transform(&recording, None);
        prop_assert_eq!(loaded.to_document(), expected, "the retrieved catalog is returned");
        prop_assert!(**live.snapshot() == **loaded, "and is in service");
        prop_assert_eq!(loaded.source().as_str(), "api");
    }

    #[test]
    fn seed_000_property_5_no_bundled_fallback_when_retrieval_succeeds(
        folders in unusable(), mode in mode(), fallback: bool, refreshes in 0u32..3,
    ) {
        let (clock, wire) = (clock(), wire());
        let (lines, _guard) = Lines::listen();
        let builder = in_memory(&wire, &clock).cache_mode(mode).cache_dirs(folders);
        let live = builder.bundled_fallback(fallback).build().unwrap();
        run(async {
            live.load().await.unwrap();
            for _ in 0..refreshes {
                clock.advance(HOUR);
                live.refresh().await.unwrap();
            }
        });
        prop_assert_eq!(live.snapshot().source().as_str(), "api");
        prop_assert!(live.snapshot().model("amazon.nova-pro-v1:0").is_none(), "no row of the bundle");
        prop_assert!(lines.all().iter().all(|line| !line.contains("bundled")));
    }

    #[test]
    fn seed_002_property_1_initialization_always_succeeds_with_bundled_data(
        mode in mode(), folders in unusable(), usable: bool, fault in fault(), given: bool, offline: bool,
        forced: bool, all: bool, hours in 1u64..1000, deadline in 1u64..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let folders = if usable { vec![folder.path().to_owned()] } else { folders };
        let stage = fault.into_iter().fold(stage(), |stage, fault| stage.rule(Rule::new(fault)));
        let wire = Memory::new(stage);
        let mut builder = LiveCatalog::builder();
        if given {
            builder = builder.sdk_config(&wire.sdk_config()).regions(REGIONS);
        }
        let live = builder
            .cache_mode(mode)
            .cache_dirs(folders)
            .clock(clock())
            .offline(offline)
            .force_refresh(forced)
            .partial(if all { PartialPolicy::RequireAllRegions } else { PartialPolicy::Merge })
            .fresh_for(HOUR * u32::try_from(hours).unwrap())
            .deadline(Duration::from_secs(deadline))
            .build()
            .unwrap();
        prop_assert!(live.snapshot().models().count() > 100, "before loading");
        let loaded = run(live.load());
        prop_assert!(loaded.is_ok_and(|snapshot| snapshot.models().count() > 0));
    }

    #[test]
    fn seed_002_property_2_cache_mode_determines_file_system_usage(mode in mode(), loads in 1usize..4) {
        let folder = tempfile::tempdir().unwrap();
        let (clock, wire) = (clock(), wire());
        for _ in 0..loads {
            let live = in_files(&wire, &clock, folder.path()).cache_mode(mode).build().unwrap();
            run(async {
                live.load().await.unwrap();
                live.discovery().models("eu-west-1").await.unwrap();
            });
        }
        let expected = match mode {
            // One fetch serves all.
            CacheMode::File => 4,
            _ => 4 * loads,
        };
        prop_assert_eq!(files(folder.path()).is_empty(), mode != CacheMode::File);
        prop_assert!(wire.stage().requests() >= expected);
        prop_assert!(mode != CacheMode::File || wire.stage().requests() == 4);
    }

    #[test]
    fn seed_002_property_3_api_data_freshness(mode in mode()) {
        let wire = wire();
        let folder = tempfile::tempdir().unwrap();
        let live = LiveCatalog::builder()
            .sdk_config(&wire.sdk_config())
            .regions(REGIONS)
            .cache_mode(mode)
            .cache_dirs([folder.path()])
            .build()
            .unwrap();
        let snapshot = run(live.load()).unwrap();
        let now = timestamp(SystemTime::now());
        prop_assert_eq!(snapshot.source().as_str(), "api");
        prop_assert!(snapshot.age(now) < Duration::from_secs(60));
        prop_assert!(snapshot.observed_at() <= now);
        prop_assert!((0..60).contains(&live.status().age_seconds));
    }

    #[test]
    fn seed_002_property_4_model_availability_consistency(
        model in any::<prop::sample::Index>(), region in any::<prop::sample::Index>(), synthetic: bool,
    ) {
        let (clock, wire) = (clock(), wire());
        let live = in_memory(&wire, &clock).offline(!synthetic).build().unwrap();
        let snapshot = run(live.load()).unwrap();
        let models: Vec<_> = snapshot.models().collect();
        let regions: Vec<_> = snapshot.regions().collect();
        let (model, region) = (models[model.index(models.len())], regions[region.index(regions.len())]);
        let access = model.access(region.id());
        let available = region.accesses().any(|access| access.model().id() == model.id());
        prop_assert_eq!(access.is_some(), available, "{} in {}", model.id(), region.id());
        if let Some(access) = access {
            prop_assert_eq!(access.model().id(), model.id());
            prop_assert!(snapshot.model(model.id()).is_some());
        }
    }

    #[test]
    fn seed_002_property_5_cache_round_trip_consistency(models in 1usize..12, profiles in 0usize..12) {
        let folder = tempfile::tempdir().unwrap();
        let (clock, wire) = (clock(), Memory::new(Stage::new(synthetic::recording(&REGIONS, models, profiles.min(models)))));
        let load = || {
            let live = in_files(&wire, &clock, folder.path()).build().unwrap();
            run(live.load()).unwrap()
        };
        let (saved, loaded) = (load(), load());
        prop_assert_eq!((saved.source().as_str(), loaded.source().as_str()), ("api", "cache"));
        let (saved, loaded): (&Catalog, &Catalog) = (&saved, &loaded);
        prop_assert_eq!(saved, loaded);
        prop_assert_eq!(catalog_to_json(saved), catalog_to_json(loaded));
        prop_assert_eq!(&catalog_from_json(catalog_to_json(saved).as_bytes()).unwrap(), loaded);
    }
}

/// One example per mode: the files, and the source of a second process.
#[test]
fn each_mode_uses_files_as_it_says() {
    for (mode, names, second) in [
        (CacheMode::File, true, "cache"),
        (CacheMode::Memory, false, "api"),
        (CacheMode::None, false, "api"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (clock, wire) = (clock(), wire());
        let load = || {
            let live = in_files(&wire, &clock, folder.path())
                .cache_mode(mode)
                .build()
                .unwrap();
            run(live.load()).unwrap().source().as_str()
        };
        assert_eq!((load(), load()), ("api", second), "{mode:?}");
        let has = |name: &str| files(folder.path()).iter().any(|path| path.ends_with(name));
        assert_eq!(has("catalog.jsonl"), names, "{mode:?}");
    }
}
