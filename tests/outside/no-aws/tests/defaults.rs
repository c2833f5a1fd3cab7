//! With the default features: the bundle, and what another program left in the cache.
#![cfg(feature = "defaults")]

use bedrock_catalog::cache::{EntryOptions, Key};
use bedrock_catalog::{Catalog, LiveCatalog, LiveCatalogBuilder, catalog_to_json};
use futures_lite::future::block_on;

#[test]
fn the_bundle_serves() {
    let folder = tempfile::tempdir().unwrap();
    let live = LiveCatalog::builder()
        .cache_dirs([folder.path()])
        .build()
        .unwrap();
    let snapshot = block_on(live.load()).unwrap();
    assert_eq!(snapshot.source().as_str(), "bundle");
    assert_eq!(**snapshot, *Catalog::bundled());
    assert!(
        !live.is_degraded(),
        "no way to AWS: {:?}",
        live.status()
    );
}

#[test]
fn a_cached_catalog_serves_the_next_program() {
    let folder = tempfile::tempdir().unwrap();
    let build = || -> LiveCatalogBuilder { LiveCatalog::builder().cache_dirs([folder.path()]) };
    // What a program with the feature `aws` would have left.
    let mut newer = Catalog::bundled().to_document();
    newer.observed_at =
        bedrock_catalog::Timestamp::from_unix(newer.observed_at.unix() + 60).unwrap();
    let newer = Catalog::from_document(&newer).unwrap();
    let first = build().build().unwrap();
    let key = Key::new("catalog", "get", "all");
    let stored = block_on(first.cache())
        .put(&key, catalog_to_json(&newer), &EntryOptions::source("api"));
    assert!(stored.tiers.contains(&"files"), "{stored:?}");

    let next = build().build().unwrap();
    let snapshot = block_on(next.load()).unwrap();
    let status = next.status();
    assert_eq!(
        (status.source, status.tier.as_deref()),
        ("cache", Some("files"))
    );
    assert_eq!(status.path.as_deref(), stored.path.unwrap().to_str());
    assert_eq!(**snapshot, newer);
    // Offline says the same, and a broken entry is no error.
    std::fs::write(status.path.unwrap(), "broken").unwrap();
    let offline = build().offline(true).build().unwrap();
    assert_eq!(
        block_on(offline.load()).unwrap().source().as_str(),
        "bundle"
    );
}
