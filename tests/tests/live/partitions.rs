//! Another partition than that of the bundle: what serves there is of that partition, or nothing does.

use bedrock_catalog::cache::{Horizons, Key, Terms};
use bedrock_catalog::{CacheMode, Catalog, LiveCatalog, Timestamp, catalog_to_json, transform};
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
        "AWS: nobody is asked offline",
        "bundle: of partition aws, not aws-us-gov",
    ] {
        assert!(error.contains(tried), "{error}");
    }
    assert_eq!(live.status().partition, "aws-us-gov");
}

/// Which of the two was observed later says nothing: they are of different partitions.
#[tokio::test]
async fn a_catalog_older_than_the_bundle_of_another_partition_serves() {
    let live = gov();
    let mut recording = synthetic::recording(&["us-gov-west-1"], 4, 3);
    recording.partition = "aws-us-gov".to_owned();
    let bundle = Catalog::bundled().observed_at().unix();
    recording.observed_at = Timestamp::from_unix(bundle - 1).unwrap();
    let catalog = Catalog::from_document(&transform(&recording, None).0).unwrap();
    let terms = Terms::source("api").holding(Horizons {
        fresh_for: DAY,
        keep_for: 30 * DAY,
    });
    let key = Key::new("catalog", "get", "all");
    live.cache().put(&key, catalog_to_json(&catalog), &terms);
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert_eq!(**snapshot, catalog);
}
