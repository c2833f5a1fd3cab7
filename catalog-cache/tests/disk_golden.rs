//! Files of every format version ever released load for ever.
//!
//! `tests/golden/v1` is a location as it was first written, with SHA-256 for a checksum: an entry with a name
//! and a hashed one; `v1-xxh3` is the same as it is written now. Never change these files; a new format gets a folder of its own beside them. The writer is
//! deterministic, so what it writes today must be these bytes: where it is not, the test says so and, with
//! `BEDROCK_CATALOG_BLESS=1`, writes the files of a format that has none yet.
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

use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog_cache::{Codec, Entry, Tier};
use support::{at, files, key, namespace, tier_of};

const TEXT: &str = r#"{"text":"grüße, 世界","number":9007199254740992,"list":[1,null,true]}"#;

/// The repository keeps no modes: the files are laid out anew, as a user would have them.
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

const FIRST: &str = "v1";
const NOW: &str = "v1-xxh3";

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// What the golden files hold.
fn entries() -> [Entry; 2] {
    let named = support::entry(1, 100);
    let mut envelope = named.envelope().clone();
    envelope.key = key().sub("über uns");
    envelope.written_at = at(1_234);
    [named, Entry::new(envelope, TEXT.into())]
}

#[test]
fn files_of_every_format_load() {
    for name in [FIRST, NOW] {
        loads(&golden(name));
    }
}

fn loads(golden: &Path) {
    let (_root, folder) = laid_out(golden);
    // As this build reads them, not as the version that wrote them would.
    let codec = Codec::new(env!("CARGO_PKG_VERSION"));
    let clock = std::sync::Arc::new(bedrock_catalog_cache::ManualClock::at(at(1_000_000)));
    let tier = DiskTier::new(Locations::given([&folder]), codec)
        .with_clock(clock)
        .with_well_known(key(), "catalog");
    for entry in entries() {
        let found = tier
            .get(&namespace(), &entry.envelope().key)
            .unwrap()
            .unwrap();
        assert_eq!(found.entry, entry);
    }
    assert_eq!(tier.size().unwrap().entries, 2);
}

#[test]
fn the_format_of_now_is_still_written_the_same() {
    let root = tempfile::tempdir().unwrap();
    let tier = tier_of(&[root.path()]);
    for entry in entries() {
        tier.put(&entry).unwrap();
    }
    let bless = std::env::var_os("BEDROCK_CATALOG_BLESS").is_some();
    for file in files(root.path(), ".jsonl") {
        let name = file
            .strip_prefix(root.path().join("v1"))
            .unwrap()
            .to_path_buf();
        let kept = golden(NOW).join(&name);
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
