//! What LiveCatalog costs beside the bundle, as ratios of one run: `cargo bench --bench live`; a part of it
//! by its name, `hot`, `load` or `refresh`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_precision_loss
)]

mod ratio;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedrock_catalog::cache::{
    Codec, Deadline, FileTier, FilesOptions, Key, ManualClock, SystemClock, Tier,
};
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{
    CacheMode, Catalog, LiveCatalog, Policy, catalog_from_json, catalog_to_json, models, regions,
};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule, Stage};
use ratio::{compare, contender};

/// Questions in one run, to be far above the clock's step.
const TIMES: usize = 20_000;

fn main() {
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("hot") {
        hot_path();
    }
    if wanted("load") {
        load();
    }
    if wanted("refresh") {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(refresh());
    }
}

fn hot_path() {
    let bundle = Catalog::bundled();
    let live = LiveCatalog::builder()
        .offline(true)
        .cache_mode(CacheMode::None)
        .build()
        .unwrap();
    let mut reader = live.reader();
    let ask = |catalog: &Catalog| {
        let route = catalog.route(
            black_box(models::ANTHROPIC_CLAUDE_SONNET_4_6),
            black_box(regions::EU_CENTRAL_1),
            Policy::Geography,
        );
        black_box(route.is_ok());
    };
    let best = compare(
        "one route by constants",
        TIMES,
        vec![
            contender("the bundle", || {
                (0..TIMES).for_each(|_| ask(black_box(bundle)))
            }),
            contender("a reader of LiveCatalog", || {
                (0..TIMES).for_each(|_| ask(black_box(&mut reader).snapshot()));
            }),
            contender("LiveCatalog::snapshot()", || {
                (0..TIMES).for_each(|_| ask(&black_box(&live).snapshot()));
            }),
        ],
    );
    println!("  reader: +{:.1} ns (goal: at most +3)", best[1] - best[0]);
    println!(
        "  snapshot(): +{:.1} ns (goal: at most +20)",
        best[2] - best[0]
    );
}

/// The file is read, checked and made a catalog: by the file tier alone; and by a whole LiveCatalog, which
/// is built for it and has threads between it and the disk.
fn load() {
    let folder = tempfile::tempdir().unwrap();
    let wire = Memory::new(Stage::new(Recording::of_catalog(Catalog::bundled())));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let build = || {
        LiveCatalog::builder()
            .sdk_config(&wire.sdk_config())
            .cache_dirs([folder.path()])
            .build()
            .unwrap()
    };
    let filled = runtime.block_on(build().load()).unwrap();
    let json = catalog_to_json(&filled);
    let key = Key::new("catalog", "get", "all");
    let (live, options) = (build(), FilesOptions::in_folders([folder.path()]));
    let namespace = runtime.block_on(live.cache()).namespace();
    let options = options.file_key(key.clone(), "catalog");
    let disk = FileTier::new(
        &options,
        Codec::new(live.status().version),
        Arc::new(SystemClock),
    );
    let best = compare(
        &format!("a catalog from {} bytes of JSON", json.len()),
        1,
        vec![
            contender("a bare parse of the bytes", || {
                serde_json::from_str::<bedrock_catalog::Document<'_>>(&json)
                    .unwrap()
                    .models
                    .len()
            }),
            contender("catalog_from_json, checks included", || {
                catalog_from_json(json.as_bytes()).unwrap().models().count()
            }),
            contender("the same from the file, its checks included", || {
                let found = disk.get(&namespace, &key, Deadline::NONE).unwrap().unwrap();
                let (_, json) = found.entry.into_parts();
                catalog_from_json(&json).unwrap().models().count()
            }),
            contender("LiveCatalog: build, and load from the file", || {
                let live = build();
                let snapshot = runtime.block_on(live.load()).unwrap();
                assert_eq!(snapshot.source().as_str(), "cache");
            }),
        ],
    );
    println!(
        "  from the file: {:.2}× (goal: at most 1.8×), {:.1}× as fast as the peer's 5.5 ms, a constant that no run here measures (goal: 12×)",
        best[2] / best[0],
        5_500_000.0 / best[2]
    );
}

/// 31 regions, of which one answers slower than the others.
async fn refresh() {
    let slowest = Duration::from_millis(400);
    let stage = Stage::new(Recording::of_catalog(Catalog::bundled()))
        .latency(Duration::from_millis(50))
        .rule(Rule::new(Fault::Latency(slowest - Duration::from_millis(50))).region("ap-south-1"));
    let wire = Memory::new(stage);
    let live = LiveCatalog::builder()
        .sdk_config(&wire.sdk_config())
        .cache_mode(CacheMode::Memory)
        .clock(ManualClock::at(std::time::SystemTime::now()))
        .build()
        .unwrap();
    let mut best = f64::INFINITY;
    let mut chain = 0.0;
    for _ in 0..5 {
        let begun = Instant::now();
        live.refresh().await.unwrap();
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        if took < best {
            best = took;
            let latencies = live.discovery().latencies().await;
            chain = latencies
                .values()
                .map(|region| region.millis)
                .max()
                .unwrap() as f64;
        }
    }
    println!("\na refresh of 31 regions, the slowest list {slowest:?}");
    println!("  the slowest region's own chain {chain:>9.1} ms");
    println!(
        "  the refresh                    {best:>9.1} ms   {:.2}× (goal: at most 1.3×)",
        best / chain
    );
}
