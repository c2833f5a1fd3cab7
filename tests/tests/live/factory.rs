//! Clients that the caller makes, which name neither account nor endpoint.

use std::path::Path;

use bedrock_catalog::{CacheMode, CatalogErrorKind, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_test_support::FaultyTier;
use bedrock_catalog_tests::fake_bedrock::Memory;
use tracing::Level;

use crate::stage::*;

/// A live catalog with clients made here.
fn made(wire: &Memory) -> LiveCatalogBuilder {
    let config = wire.sdk_config();
    LiveCatalog::builder()
        .regions(REGIONS)
        .clock(clock())
        .client_factory(move |region| {
            let region = aws_sdk_bedrock::config::Region::new(region.to_owned());
            let builder = aws_sdk_bedrock::config::Builder::from(&config).region(region);
            aws_sdk_bedrock::Client::from_conf(builder.build())
        })
}

async fn tiers(live: &LiveCatalog) -> Vec<&'static str> {
    let tiers = live.cache().await.health();
    tiers.iter().map(|tier| tier.name).collect()
}

/// In the default folder, two accounts would share entries.
#[tokio::test]
async fn without_a_name_only_memory_caches() {
    let wire = wire();
    let (lines, _guard) = Lines::listen();
    let live = made(&wire).build().unwrap();
    assert_eq!(tiers(&live).await, ["memory"]);
    let lines = lines.at(Level::DEBUG);
    assert!(
        lines.iter().any(|line| line.contains("namespace")),
        "{lines:?}"
    );
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
    assert_eq!(wire.stage().requests(), 4);

    // An SDK configuration beside it does not name the clients' account.
    let live = made(&wire).sdk_config(&wire.sdk_config()).build().unwrap();
    assert_eq!(tiers(&live).await, ["memory"]);
    let live = made(&wire).cache_mode(CacheMode::None).build().unwrap();
    assert!(tiers(&live).await.is_empty());
}

#[tokio::test]
async fn a_shared_cache_needs_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let wire = wire();
    for builder in [
        made(&wire).cache_dirs([folder.path()]),
        made(&wire)
            .cache_mode(CacheMode::Memory)
            .tier(FaultyTier::new("shared")),
        made(&wire).offline(true).cache_dirs([folder.path()]),
    ] {
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::InvalidConfiguration);
        let error = error.to_string();
        assert!(
            error.contains("namespace") && error.contains("client_factory"),
            "{error}"
        );
        builder.namespace("mine").build().unwrap();
    }
}

#[tokio::test]
async fn names_keep_factories_apart() {
    let folder = tempfile::tempdir().unwrap();
    let load = async |name: &str, folder: &Path| {
        let wire = wire();
        let live = made(&wire).cache_dirs([folder]).namespace(name);
        let live = live.build().unwrap();
        live.load().await.unwrap().source().as_str()
    };
    assert_eq!(load("one", folder.path()).await, "api");
    assert_eq!(load("other", folder.path()).await, "api");
    assert_eq!(load("one", folder.path()).await, "cache");
    // Nor are they those of a configuration whose credentials name no account.
    let wire = wire();
    let live = in_files(&wire, &clock(), folder.path()).build().unwrap();
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
}

/// The namespace needs no credentials, so its entries serve outside of Tokio, too.
#[test]
fn entries_under_a_name_are_served_outside_of_tokio() {
    let (folder, wire) = (tempfile::tempdir().unwrap(), wire());
    let build = || {
        let named = made(&wire).namespace("ours");
        named.cache_dirs([folder.path()]).build().unwrap()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(build().load()).unwrap();
    let cached = futures_lite::future::block_on(build().load()).unwrap();
    assert_eq!(cached.source().as_str(), "cache");
}

/// A fetch needs Tokio, also where the clients are made here.
#[test]
fn outside_of_tokio_the_bundle_serves() {
    let wire = wire();
    let live = made(&wire).cache_mode(CacheMode::None).build().unwrap();
    let loaded = futures_lite::future::block_on(live.load()).unwrap();
    assert_eq!(loaded.source().as_str(), "bundle");
    assert!(loaded.error().unwrap().contains("Tokio"));
    let lists = live.discovery();
    let error = futures_lite::future::block_on(lists.models("us-east-1")).unwrap_err();
    assert!(error.to_string().contains("Tokio"), "{error}");
    assert_eq!(wire.stage().requests(), 0);
}
