//! The three cache modes: what each keeps, and where the catalog comes from at the next start.
//!
//! Run it as `docs/examples.md` says.

use aws_config::SdkConfig;
use bedrock_catalog::fetch::sdk_config_from_env;
use bedrock_catalog::{CacheMode, CatalogError, LiveCatalog, LiveCatalogBuilder};

/// For programs that start often: in memory, and in files that the next start reads.
pub(crate) fn file(aws: &SdkConfig) -> LiveCatalogBuilder {
    LiveCatalog::builder()
        .sdk_config(aws)
        .cache_mode(CacheMode::File)
}

/// For long-running programs: in memory only. No file is touched.
pub(crate) fn memory(aws: &SdkConfig) -> LiveCatalogBuilder {
    LiveCatalog::builder()
        .sdk_config(aws)
        .cache_mode(CacheMode::Memory)
}

/// For tools that must have what AWS says now: nothing is kept but the catalog in use.
pub(crate) fn none(aws: &SdkConfig) -> LiveCatalogBuilder {
    LiveCatalog::builder()
        .sdk_config(aws)
        .cache_mode(CacheMode::None)
}

/// Where the catalog comes from at a first start, and at the next one.
pub(crate) async fn two_starts(
    mode: impl Fn() -> LiveCatalogBuilder,
) -> Result<[String; 2], CatalogError> {
    let first = mode().build()?.load().await?.source().to_string();
    let next = mode().build()?.load().await?.source().to_string();
    Ok([first, next])
}

#[tokio::main]
async fn main() -> Result<(), CatalogError> {
    let aws = sdk_config_from_env().await;
    let modes = [
        ("file", file as fn(&SdkConfig) -> LiveCatalogBuilder),
        ("memory", memory),
        ("none", none),
    ];
    for (name, mode) in modes {
        let [first, next] = two_starts(|| mode(&aws)).await?;
        println!("{name}: from {first}, then from {next}");
    }
    Ok(())
}
