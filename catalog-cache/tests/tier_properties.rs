//! The numbered properties of the tiered cache, over each tier that is kept on a machine; `tests/` has Redis.
#![cfg(all(feature = "files", feature = "sqlite"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "support/properties.rs"]
mod properties;

use std::sync::Arc;

use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog_cache::tier::sqlite::SqliteTier;
use bedrock_catalog_cache::{Codec, ManualClock, Tier};

fn codec() -> Codec {
    Codec::new(env!("CARGO_PKG_VERSION"))
}

/// 200 of each in the long lane.
fn cases() -> u32 {
    let long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1");
    if long { 200 } else { 15 }
}

/// Each of the six properties, over tiers that are each given a path of their own.
fn check(name: &str, make: impl Fn(&ManualClock, std::path::PathBuf) -> Arc<dyn Tier>) {
    let root = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    let next = |clock: &ManualClock| {
        made.set(made.get() + 1);
        make(clock, root.path().join(made.get().to_string()))
    };
    properties::check(&next, cases());
    let told = format_args!("6 properties, {} cases", made.get());
    bedrock_catalog_test_support::count(&format!("the cache over {name}"), told);
}

#[test]
fn seed_004_over_files() {
    check("files", |clock, path| {
        let tier = DiskTier::new(Locations::given([path]), codec());
        Arc::new(tier.with_clock(Arc::new(clock.clone())))
    });
}

#[test]
fn seed_004_over_sqlite() {
    check("SQLite", |clock, path| {
        let tier = SqliteTier::new(path.join("cache.sqlite"), codec());
        Arc::new(tier.with_clock(Arc::new(clock.clone())))
    });
}
