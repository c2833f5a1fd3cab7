//! The command `catalog-gen` as a process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod check;
mod diff;
#[cfg(feature = "fetch")]
mod fetch;
mod guards;
mod rebuild;
mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bedrock_catalog_data::Catalog;
use bedrock_catalog_recording::{Recording, catalog_from_json};
use bedrock_catalog_tests::leave_out;

/// The result of one call.
struct Call {
    code: i32,
    stdout: String,
    stderr: String,
}

/// The command in a folder outside of the project.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catalog-gen"));
    command.current_dir(folder);
    command
}

fn call(folder: &Path, words: &[&str]) -> Call {
    let output = command(folder).args(words).output().unwrap();
    Call {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The folder of this package at run time.
fn package() -> PathBuf {
    let now = std::env::var_os("CARGO_MANIFEST_DIR");
    now.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// The committed data crate.
fn committed() -> PathBuf {
    let beside = package().with_file_name("catalog-data");
    match beside.is_dir() {
        true => beside,
        false => Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("catalog-data"),
    }
}

fn committed_catalog() -> Catalog {
    catalog_from_json(&fs::read(committed().join("catalog.json")).unwrap()).unwrap()
}

/// A folder with a copy of the committed bundle in `data`.
fn stage() -> tempfile::TempDir {
    let stage = tempfile::tempdir().unwrap();
    for file in FILES {
        let to = stage.path().join("data").join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(committed().join(file), to).unwrap();
    }
    stage
}

/// The generated files.
const FILES: [&str; 7] = [
    "catalog.json",
    "catalog.schema.json",
    "fingerprints.csv",
    "src/bundle/models.rs",
    "src/bundle/profiles.rs",
    "src/bundle/regions.rs",
    "src/bundle/tables.rs",
];

/// The bytes of every file below a folder, by path.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let bytes = fs::read(&path).unwrap();
                    found.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
                }
            }
        }
    }
    found
}

/// Writes a changed recording of the committed catalog to a folder.
fn recording(folder: &Path, change: impl FnOnce(&mut Recording)) {
    let mut recording = Recording::of_catalog(&committed_catalog());
    change(&mut recording);
    recording.write(folder).unwrap();
}

#[cfg(not(feature = "fetch"))]
#[test]
fn fetch_without_the_feature_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["fetch"][..],
        &["fetch", "--out", "x", "--regions", "us-east-1"],
    ] {
        let refused = call(folder.path(), words);
        assert_eq!((refused.code, &*refused.stdout), (2, ""));
        assert!(
            refused.stderr.contains("feature `fetch`"),
            "{}",
            refused.stderr
        );
    }
}
