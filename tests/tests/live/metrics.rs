//! Counters and log lines: every fallback is counted, and a load or refresh has one INFO line.

use bedrock_catalog::{CacheMode, LiveCatalog};
use bedrock_catalog_test_support::Counters;
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};
use tracing::Level;

use crate::stage::*;

fn broken() -> Fault {
    Fault::Raw(400, "text/plain".into(), b"no".to_vec())
}

#[tokio::test]
async fn served_catalogs_and_failures_are_counted() {
    let counters = Counters::default();
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let build = |wire: &Memory| {
        let builder = in_files(wire, &clock, folder.path());
        metrics::with_local_recorder(&counters, || builder.build().unwrap())
    };
    // Served from the API, the cache, the bundle; degraded; failed regions; failed fetches.
    let counted = || {
        [
            "catalog_served_total api",
            "catalog_served_total cache",
            "catalog_served_total bundle",
            "catalog_degraded_total",
            "catalog_regions_failed_total",
            "catalog_fetch_failures_total",
        ]
        .map(|name| counters.read(name))
    };
    let silent = Memory::new(stage().rule(Rule::new(broken())));
    build(&silent).load().await.unwrap();
    assert_eq!(counted(), [0, 0, 1, 1, 0, 1]);

    clock.advance(HOUR);
    let one_fails = stage().rule(Rule::new(broken()).region("us-east-1"));
    let live = build(&Memory::new(one_fails));
    live.load().await.unwrap();
    assert_eq!(counted(), [1, 0, 0, 1, 1, 0]);
    let live = build(&wire());
    live.load().await.unwrap();
    assert_eq!(counted(), [0, 1, 0, 1, 1, 0]);
    live.refresh().await.unwrap();
    assert_eq!(counted(), [1, 1, 0, 1, 1, 0]);
    let failing = build(&silent);
    failing.load().await.unwrap();
    failing.refresh().await.unwrap_err();
    assert_eq!(counted()[5], 1);

    // Without a way to AWS, nothing failed.
    let offline = LiveCatalog::builder().offline(true);
    let offline = offline.cache_mode(CacheMode::None);
    let offline = metrics::with_local_recorder(&counters, || offline.build().unwrap());
    offline.load().await.unwrap();
    assert_eq!(counted(), [0, 0, 1, 0, 0, 0]);
}

/// One INFO line for each load and refresh: the source, counts, the age, and what was written where.
#[tokio::test]
async fn a_load_and_a_refresh_log_one_line_each() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
    let (lines, _guard) = Lines::listen();
    let line = |words: &[&str]| {
        let (infos, warnings) = (lines.at(Level::INFO), lines.at(Level::WARN));
        assert_eq!(
            (infos.len(), warnings.len()),
            (1, 0),
            "{infos:?} {warnings:?}"
        );
        for word in words {
            assert!(infos[0].contains(word), "{word}: {infos:?}");
        }
        lines.clear();
    };
    let here = folder.path().to_str().unwrap();
    let live = build();
    live.load().await.unwrap();
    line(&[
        "catalog loaded",
        "source=api",
        "models=4",
        "regions=2",
        "failed=0",
        "age_seconds=0",
        "entries=3",
        "bytes=",
        here,
    ]);
    clock.advance(HOUR);
    live.refresh().await.unwrap();
    line(&["source=api", "entries=3", "age_seconds=0", here]);
    clock.advance(HOUR);
    build().load().await.unwrap();
    line(&["source=cache", "age_seconds=3600", "entries=0", here]);
    LiveCatalog::builder()
        .offline(true)
        .cache_mode(CacheMode::None)
        .build()
        .unwrap()
        .load()
        .await
        .unwrap();
    line(&["source=bundle", "entries=0"]);
}

/// One WARN line for each fault.
#[tokio::test]
async fn a_fault_is_one_warning() {
    let (clock, failing) = (clock(), Rule::new(broken()).region("us-east-1"));
    let wire = Memory::new(stage().rule(failing));
    let (lines, _guard) = Lines::listen();
    in_memory(&wire, &clock)
        .build()
        .unwrap()
        .load()
        .await
        .unwrap();
    let (infos, warnings) = (lines.at(Level::INFO), lines.at(Level::WARN));
    assert_eq!(
        (infos.len(), warnings.len()),
        (1, 1),
        "{infos:?} {warnings:?}"
    );
    assert!(
        infos[0].contains("failed=1") && warnings[0].contains("us-east-1 (failed"),
        "{warnings:?}"
    );
}
