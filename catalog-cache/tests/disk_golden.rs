//! The files of every released format load for ever.
//!
//! `tests/golden/v1` is a location with an entry of a readable name and a hashed one. These files never
//! change; a new format gets a folder beside them. The writer is deterministic, so it writes the same bytes
//! today. With `BEDROCK_CATALOG_BLESS=1` the test writes the files of a format that has none yet.
#![cfg(feature = "files")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog_cache::{Entry, FilesOptions, ManualClock, Tier};
use support::{at, files, get, key, put, tier_of, tier_with};

const TEXT: &str = r#"{"text":"grüße, 世界","number":9007199254740992,"list":[1,null,true]}"#;

/// Copies the files to a location with the modes of a user's: the repository keeps none.
fn laid_out(golden: &Path) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("cache");
    for file in files(golden, ".jsonl") {
        let to = folder.join("v1").join(file.strip_prefix(golden).unwrap());
        make_private(to.parent().unwrap());
        fs::copy(&file, &to).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    (root, folder)
}

fn make_private(folder: &Path) {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder).unwrap();
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// The entries in the golden files.
fn entries() -> [Entry; 2] {
    let named = support::entry(1, 100);
    let mut envelope = named.envelope().clone();
    envelope.key = key().sub("über uns");
    envelope.written_at = at(1_234);
    [named, Entry::new(envelope, TEXT.into())]
}

#[test]
fn the_released_files_load() {
    let (_root, folder) = laid_out(&golden());
    // As this build reads them, not the version that wrote them.
    let clock = ManualClock::at(at(1_000_000));
    let options = FilesOptions::in_folders([&folder]);
    let tier = tier_with(&clock, options, env!("CARGO_PKG_VERSION"));
    for entry in entries() {
        let found = get(&tier, &entry.envelope().key).unwrap().unwrap();
        assert_eq!(found.entry, entry);
    }
    assert_eq!(tier.status().entries, Some(2));
}

#[test]
fn the_writer_still_writes_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let tier = tier_of(&[root.path()]);
    for entry in entries() {
        put(&tier, &entry).unwrap();
    }
    let bless = std::env::var_os("BEDROCK_CATALOG_BLESS").is_some();
    for file in files(root.path(), ".jsonl") {
        let name = file
            .strip_prefix(root.path().join("v1"))
            .unwrap()
            .to_path_buf();
        let kept = golden().join(&name);
        if bless && !kept.exists() {
            fs::create_dir_all(kept.parent().unwrap()).unwrap();
            fs::copy(&file, &kept).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            fs::read_to_string(&kept).unwrap_or_default(),
            "the format changed: {}",
            name.display()
        );
    }
}
