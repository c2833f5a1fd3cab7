//! Clients of the caller's own making, which do not say who asks, nor where.

use std::path::Path;
use std::sync::Arc;

use bedrock_catalog::cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog::cache::{Codec, Tier};
use bedrock_catalog::{CacheMode, CatalogErrorKind, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_tests::fake_bedrock::Memory;
use tracing::Level;

use crate::stage::*;

/// A live catalog that asks with clients made here.
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

fn tiers(live: &LiveCatalog) -> Vec<&'static str> {
    let tiers = live.cache().health();
    tiers.iter().map(|tier| tier.name).collect()
}

/// Two processes, or accounts, would take each other's entries of the default folder for their own.
#[tokio::test]
async fn without_a_name_only_memory_caches() {
    let wire = wire();
    let (lines, _guard) = Lines::listen();
    let live = made(&wire).build().unwrap();
    assert_eq!(tiers(&live), ["memory"]);
    let said = lines.at(Level::DEBUG);
    assert!(
        said.iter().any(|line| line.contains("namespace")),
        "{said:?}"
    );
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
    assert_eq!(live.own_cache().await.namespace(), live.cache().namespace());
    assert_eq!(wire.stage().requests(), 4);

    // An SDK configuration beside it does not say whose its clients are.
    let live = made(&wire).sdk_config(&wire.sdk_config()).build().unwrap();
    assert_eq!(tiers(&live), ["memory"]);
    let live = made(&wire).cache_mode(CacheMode::None).build().unwrap();
    assert!(tiers(&live).is_empty());
}

#[tokio::test]
async fn what_others_may_see_needs_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let wire = wire();
    let disk: Arc<dyn Tier> = Arc::new(DiskTier::new(
        Locations::given([folder.path()]),
        Codec::new("0.1.0"),
    ));
    for builder in [
        made(&wire).cache_dirs([folder.path()]),
        made(&wire).cache_mode(CacheMode::Memory).tier(disk),
        made(&wire).offline(true).cache_dirs([folder.path()]),
    ] {
        let error = builder.clone().build().unwrap_err();
        assert_eq!(error.kind(), CatalogErrorKind::InvalidConfiguration);
        let said = error.to_string();
        assert!(
            said.contains("namespace") && said.contains("client_factory"),
            "{said}"
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
    // Nor are they those of who asks with a configuration, and names no account.
    let wire = wire();
    let live = in_files(&wire, &clock(), folder.path()).build().unwrap();
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
}

/// They name no account wherever they are asked: without a runtime too what is cached is that of the name.
#[test]
fn what_is_cached_under_a_name_is_served_without_a_runtime() {
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
