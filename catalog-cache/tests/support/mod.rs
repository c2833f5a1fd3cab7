//! What the disk tests share: tiers, entries, child processes, and saying aloud what was skipped.
#![allow(dead_code, unreachable_pub)] // Each test binary uses its part.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog_cache::{Codec, Entry, Envelope, Horizons, Key, ManualClock, Namespace, Tier};

#[allow(unused_imports)] // As above.
pub(crate) use bedrock_catalog_test_support::{count, leave_out, skip};

/// Test entries are written by this version.
pub const VERSION: &str = "0.1.0";

/// The environment variable that makes a test binary act as a child.
pub const JOB: &str = "DISK_TEST_JOB";
/// The folder a child works in.
pub const FOLDER: &str = "DISK_TEST_FOLDER";

/// Whether the full figures are asked for; else a slice runs.
pub fn long() -> bool {
    std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1")
}

/// The full figure in the long lane, the slice otherwise.
pub fn figure(full: u64, slice: u64) -> u64 {
    if long() { full } else { slice }
}

/// Whether this machine runs a command successfully.
pub fn works(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .output()
        .is_ok_and(|output| output.status.success())
}

pub fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Runs a shell script and says whether it worked.
pub fn shell(script: &str) -> bool {
    works("sh", &["-ec", script])
}

pub fn namespace() -> Namespace {
    Namespace::of(["test"])
}

pub fn key() -> Key {
    Key::new("catalog", "whole", "test")
}

/// Generations stand for time: generation N is written N milliseconds into 2026.
pub fn at(generation: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600) + Duration::from_millis(generation)
}

/// An entry that tells a mix: the generation stands in every 16 bytes.
pub fn entry(generation: u64, len: usize) -> Entry {
    let word = format!("{generation:015}\n");
    let text = word.repeat(len / 16 + 1);
    Entry::new(
        Envelope {
            key: key(),
            namespace: namespace(),
            written_at: at(generation),
            horizons: Horizons {
                fresh_for: Duration::from_secs(3_600),
                keep_for: Duration::from_secs(86_400),
            },
            source: "test".into(),
            package_version: VERSION.into(),
        },
        text.into_bytes().into(),
    )
}

/// The generation of an entry; panics where two are mixed.
pub fn generation(entry: &Entry) -> u64 {
    let words: Vec<_> = entry.payload().chunks(16).collect();
    assert!(
        words.iter().all(|word| *word == words[0]),
        "a mix of two generations"
    );
    std::str::from_utf8(&words[0][..15])
        .unwrap()
        .parse()
        .unwrap()
}

pub fn tier_of<P: AsRef<Path>>(folders: &[P]) -> DiskTier {
    DiskTier::new(Locations::given(folders), Codec::new(VERSION))
        .with_clock(Arc::new(ManualClock::at(at(1_000_000))))
        .with_well_known(key(), "catalog")
}

pub fn read(tier: &DiskTier) -> Option<u64> {
    let found = tier.get(&namespace(), &key()).ok()??;
    Some(generation(&found.entry))
}

/// The path of the entry in a location.
pub fn file_in(folder: &Path) -> PathBuf {
    folder
        .join("v1")
        .join(namespace().to_string())
        .join("catalog.jsonl")
}

/// This test binary once more, doing one job: the test named `actor`.
pub fn child(job: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    as_actor(&mut command, job, folder);
    command
}

/// The same under a tracer or another user: `prefix` is the command that runs it.
pub fn child_under(prefix: &[&str], job: &str, folder: &Path) -> Command {
    let mut command = Command::new(prefix[0]);
    command
        .args(&prefix[1..])
        .arg(std::env::current_exe().unwrap());
    as_actor(&mut command, job, folder);
    command
}

fn as_actor(command: &mut Command, job: &str, folder: &Path) {
    command
        .args(["actor", "--exact", "--quiet", "--test-threads=1"])
        .env(JOB, job)
        // Cargo's, which would have the start of the process look in many folders.
        .env_remove("LD_LIBRARY_PATH")
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
}

/// The job of this process, where it is a child.
pub fn job() -> Option<(String, PathBuf)> {
    Some((std::env::var(JOB).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Every file below a folder whose name ends so.
pub fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = item.path();
            match item.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if path.to_string_lossy().ends_with(end) => found.push(path),
                _ => {}
            }
        }
    }
    found
}
