//! Partitions other than the bundle's, and bundles other than the built-in one.

use std::sync::LazyLock;

use bedrock_catalog::{CacheMode, Catalog, LiveCatalog, Timestamp, catalog_to_json};
use bedrock_catalog_recording::transform;
use bedrock_catalog_tests::synthetic;

use crate::stage::*;

fn gov() -> LiveCatalog {
    let live = LiveCatalog::builder().partition("aws-us-gov").offline(true);
    let live = live.cache_mode(CacheMode::Memory).clock(clock());
    live.build().unwrap()
}

#[tokio::test]
async fn the_bundle_does_not_serve_another_partition() {
    let live = gov();
    let before = live.snapshot();
    assert_eq!(before.source().as_str(), "nothing");
    assert_eq!(before.partition(), "aws-us-gov");
    assert_eq!(before.models().count(), 0);
    assert!(before.is_degraded());
    let error = live.load().await.unwrap_err().to_string();
    for tried in [
        "cache: nothing usable",
        "AWS: nothing is fetched offline",
        "bundle: of partition aws, not aws-us-gov",
    ] {
        assert!(error.contains(tried), "{error}");
    }
    assert_eq!(live.status().partition, "aws-us-gov");
}

/// A bundle of another partition is no measure for the age of a cached catalog.
#[tokio::test]
async fn a_catalog_older_than_the_bundle_of_another_partition_serves() {
    let live = gov();
    let mut recording = synthetic::recording(&["us-gov-west-1"], 4, 3);
    recording.partition = "aws-us-gov".to_owned();
    let bundle = Catalog::bundled().observed_at().unix();
    recording.observed_at = Timestamp::from_unix(bundle - 1).unwrap();
    let catalog = Catalog::from_document(&transform(&recording, None).0).unwrap();
    live.cache()
        .await
        .put(&catalog_key(), catalog_to_json(&catalog), &options());
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert_eq!(**snapshot, catalog);
}

/// A catalog that the caller's own build script baked.
static OWN: LazyLock<Catalog> = LazyLock::new(|| {
    let mut recording = synthetic::recording(&["us-gov-west-1"], 4, 3);
    recording.partition = "aws-us-gov".to_owned();
    recording.observed_at = timestamp(later() - 10 * DAY);
    Catalog::from_document(&transform(&recording, None).0).unwrap()
});

/// A bundle of the caller's own takes the place of the built-in one: it serves, decides the partition, and
/// is newer than older cached catalogs.
#[tokio::test]
async fn a_bundle_of_the_callers_own_is_the_fallback() {
    let build = || {
        let live = LiveCatalog::builder().bundle(&OWN).offline(true);
        live.cache_mode(CacheMode::Memory)
            .clock(clock())
            .build()
            .unwrap()
    };
    let live = build();
    assert_eq!(live.snapshot().partition(), "aws-us-gov");
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "bundle");
    assert_eq!(**snapshot, *OWN);
    let mut recording = synthetic::recording(&["us-gov-west-1"], 2, 1);
    recording.partition = "aws-us-gov".to_owned();
    for (observed_at, source) in [(later() - 11 * DAY, "bundle"), (later() - 9 * DAY, "cache")] {
        recording.observed_at = timestamp(observed_at);
        let catalog = Catalog::from_document(&transform(&recording, None).0).unwrap();
        let live = build();
        live.cache()
            .await
            .put(&catalog_key(), catalog_to_json(&catalog), &options());
        assert_eq!(live.load().await.unwrap().source().as_str(), source);
    }
    // It serves no other partition.
    let other = LiveCatalog::builder()
        .bundle(&OWN)
        .partition("aws")
        .offline(true);
    let error = other.build().unwrap().load().await.unwrap_err().to_string();
    assert!(
        error.contains("bundle: of partition aws-us-gov, not aws"),
        "{error}"
    );
}
