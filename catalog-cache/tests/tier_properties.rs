//! The numbered properties of seed 004 over the tiers that a machine's processes share.
#![cfg(all(feature = "files", feature = "sqlite"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;

use bedrock_catalog_cache::{
    Codec, FileTier, FilesOptions, ManualClock, SqliteOptions, SqliteTier, Tier,
};

/// A new path for each tier, in one folder.
fn in_a_folder(
    make: impl Fn(PathBuf, Codec, ManualClock) -> Arc<dyn Tier>,
) -> impl Fn(&ManualClock) -> Arc<dyn Tier> {
    let root = support::fast_tempdir();
    let made = Cell::new(0);
    move |clock| {
        made.set(made.get() + 1);
        let path = root.path().join(made.get().to_string());
        make(path, Codec::new(env!("CARGO_PKG_VERSION")), clock.clone())
    }
}

bedrock_catalog_test_support::tier_properties!(
    files,
    in_a_folder(|path, codec, clock| {
        let options = FilesOptions::in_folders([path]);
        Arc::new(FileTier::new(&options, codec, Arc::new(clock)))
    })
);

bedrock_catalog_test_support::tier_properties!(
    sqlite,
    in_a_folder(|path, codec, clock| {
        let options = SqliteOptions::new(path.join("cache.sqlite"));
        Arc::new(SqliteTier::new(&options, codec, Arc::new(clock)))
    })
);
