//! The cache modes: where the catalog comes from, what was asked, and which files there are.

use std::path::Path;

use bedrock_catalog::LiveCatalogBuilder;

use super::{ONE_ASKING, REGIONS, aws, bedrock};

#[path = "../../examples/cache_modes.rs"]
#[allow(dead_code)]
mod example;

/// The same mode, of the regions of these tests, with a folder it may use.
fn in_folder(mode: LiveCatalogBuilder, folder: &Path) -> LiveCatalogBuilder {
    mode.regions(REGIONS).cache_dirs([folder])
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().unwrap().next().is_none()
}

#[tokio::test]
async fn files_serve_the_next_start() {
    let (fake, folder) = (bedrock(), tempfile::tempdir().unwrap());
    let aws = aws(&fake);
    let mode = || in_folder(example::file(&aws), folder.path());
    assert_eq!(example::two_starts(mode).await.unwrap(), ["api", "cache"]);
    assert_eq!(fake.stage().requests(), ONE_ASKING);
    assert!(!is_empty(folder.path()));
}

#[tokio::test]
async fn memory_serves_one_start_and_touches_no_file() {
    let (fake, folder) = (bedrock(), tempfile::tempdir().unwrap());
    let aws = aws(&fake);
    let mode = || in_folder(example::memory(&aws), folder.path());
    assert_eq!(example::two_starts(mode).await.unwrap(), ["api", "api"]);
    assert_eq!(fake.stage().requests(), 2 * ONE_ASKING);
    // What was listed for the catalog is there for other questions.
    let live = mode().build().unwrap();
    live.load().await.unwrap();
    let asked = fake.stage().requests();
    assert!(
        !live
            .discovery()
            .models("sa-east-1")
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(fake.stage().requests(), asked);
    assert!(is_empty(folder.path()));
}

#[tokio::test]
async fn none_keeps_nothing() {
    let (fake, folder) = (bedrock(), tempfile::tempdir().unwrap());
    let aws = aws(&fake);
    let mode = || in_folder(example::none(&aws), folder.path());
    assert_eq!(example::two_starts(mode).await.unwrap(), ["api", "api"]);
    assert_eq!(fake.stage().requests(), 2 * ONE_ASKING);
    assert!(is_empty(folder.path()));
}
