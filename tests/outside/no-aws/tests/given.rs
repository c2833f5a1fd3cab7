//! With `live` alone, and with the defaults: a catalog that is given as JSON is served.

use bedrock_catalog::cache::{EntryOptions, Key};
use bedrock_catalog::{
    CacheMode, CatalogErrorKind, LiveCatalog, Overlay, Policy, catalog_from_json, catalog_to_json,
};
use futures_lite::future::block_on;

/// The committed catalog, as somebody would ship it.
fn json() -> Vec<u8> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../catalog-data/catalog.json"
    );
    std::fs::read(path).unwrap()
}

#[test]
fn a_catalog_given_as_json_answers() {
    let catalog = catalog_from_json(&json()).unwrap();
    let route = catalog
        .route(
            "anthropic.claude-sonnet-4-6",
            "eu-central-1",
            Policy::Geography,
        )
        .unwrap();
    assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
    assert!(catalog.models().count() > 100);
    assert!(catalog_from_json(b"{}").is_err());
}

#[test]
fn a_live_catalog_serves_the_json_it_was_given() {
    let own = br#"{"models": [{"id": "acme.private-v1", "name": "Private",
        "access": [{"inference_types": ["ON_DEMAND"], "regions": ["eu-west-1"]}]}]}"#;
    let live = LiveCatalog::builder()
        .cache_mode(CacheMode::Memory)
        .bundled_fallback(false)
        .overlay(Overlay::from_json(own).unwrap())
        .build()
        .unwrap();
    let error = block_on(live.load()).unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
    let error = block_on(live.refresh()).unwrap_err().to_string();
    assert!(error.contains("no feature `aws`"), "{error}");

    // As the cache would have it.
    let given = catalog_to_json(&catalog_from_json(&json()).unwrap());
    block_on(live.cache()).put(
        &Key::new("catalog", "get", "all"),
        given,
        &EntryOptions::source("given"),
    );
    let snapshot = block_on(live.load()).unwrap();
    let status = live.status();
    assert_eq!(
        (status.source, status.tier.as_deref()),
        ("cache", Some("memory"))
    );
    assert!(!status.degraded, "{:?}", status.error);
    for (model, id) in [
        (
            "anthropic.claude-sonnet-4-6",
            "eu.anthropic.claude-sonnet-4-6",
        ),
        ("acme.private-v1", "acme.private-v1"),
    ] {
        let route = snapshot
            .route(model, "eu-west-1", Policy::Geography)
            .unwrap();
        assert_eq!(route.inference_id(), id);
    }
    let lists = block_on(live.discovery().models("eu-west-1"));
    assert!(lists.unwrap_err().to_string().contains("no feature `aws`"));
}

/// Without a bundle and a cache there is nothing to serve: said at once.
#[cfg(not(feature = "defaults"))]
#[test]
fn what_can_never_serve_is_refused_at_build() {
    let nothing = LiveCatalog::builder()
        .offline(true)
        .cache_mode(CacheMode::None);
    let error = nothing.build().unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::InvalidConfiguration);
}
