//! The examples of this package, driven: their own source, against the fake Bedrock.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod cache_modes;
mod converse;
mod lambda;
#[cfg(target_os = "linux")]
mod sandbox;
mod service;

use aws_config::{Region, SdkConfig};
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{CacheMode, Catalog, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_tests::fake_bedrock::{self, FakeBedrock, Stage};

/// Only inference profiles serve it.
const SONNET: &str = "anthropic.claude-sonnet-4-6";
/// The regions the tests ask; all would do, and take longer.
const REGIONS: [&str; 2] = ["eu-central-1", "sa-east-1"];
/// The requests of one asking of these: two lists each.
const ONE_ASKING: usize = 4;

/// A Bedrock that answers as the bundle was recorded.
fn bedrock() -> FakeBedrock {
    FakeBedrock::start(stage()).unwrap()
}

fn stage() -> Stage {
    Stage::new(Recording::of_catalog(Catalog::bundled()))
}

/// How to reach it from Frankfurt.
fn aws(fake: &FakeBedrock) -> SdkConfig {
    fake_bedrock::sdk_config()
        .into_builder()
        .region(Region::new("eu-central-1"))
        .endpoint_url(fake.url())
        .build()
}

/// A live catalog that asks it, and keeps nothing.
fn live(fake: &FakeBedrock) -> LiveCatalogBuilder {
    LiveCatalog::builder()
        .sdk_config(&aws(fake))
        .regions(REGIONS)
        .cache_mode(CacheMode::None)
}
