//! Parts for the tests of the file and SQLite tiers: tiers, entries, child processes, log lines.
#![allow(dead_code, unreachable_pub, unused_imports)] // Each test binary uses some of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod logs;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedrock_catalog_cache::{
    Codec, Deadline, Entry, Envelope, FileTier, FilesOptions, Found, Key, ManualClock, Namespace,
    Pattern, Tier, TierError, Ttl, Written,
};
pub use bedrock_catalog_test_support::{count, leave_out, skip};

/// The version that writes test entries.
pub const VERSION: &str = "0.1.0";
pub const HOUR: Duration = Duration::from_secs(3_600);

/// The variable with the job of a child process.
pub const JOB: &str = "DISK_TEST_JOB";
/// The variable with its folder.
pub const FOLDER: &str = "DISK_TEST_FOLDER";

/// Whether this is the long lane, with the full figures.
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

/// A temporary folder in memory where the system has one, for tests that write much and cut no power.
pub fn fast_tempdir() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

pub fn namespace() -> Namespace {
    Namespace::of(["test"])
}

pub fn key() -> Key {
    Key::new("catalog", "whole", "test")
}

/// The time of a generation: N milliseconds into 2026.
pub fn at(generation: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_225_600) + Duration::from_millis(generation)
}

/// An entry of one day that repeats its generation every 16 bytes, so that a mix shows.
pub fn entry(generation: u64, len: usize) -> Entry {
    let word = format!("{generation:015}\n");
    let text = word.repeat(len / 16 + 1);
    Entry::new(
        Envelope {
            key: key(),
            namespace: namespace(),
            written_at: at(generation),
            ttl: Ttl {
                fresh_for: Duration::from_secs(3_600),
                keep_for: Duration::from_secs(86_400),
            },
            source: "test".into(),
            package_version: VERSION.into(),
        },
        text.into_bytes().into(),
    )
}

/// The generation of an entry. Panics on a mix of two.
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

/// A file tier in these folders, an hour into 2026.
pub fn tier_of<P: AsRef<Path>>(folders: &[P]) -> FileTier {
    tier_on(&ManualClock::at(at(1_000_000)), folders)
}

pub fn tier_on<P: AsRef<Path>>(clock: &ManualClock, folders: &[P]) -> FileTier {
    tier_with(clock, FilesOptions::in_folders(folders), VERSION)
}

pub fn tier_with(clock: &ManualClock, options: FilesOptions, version: &str) -> FileTier {
    let options = options.file_key(key(), "catalog");
    FileTier::new(&options, Codec::new(version), Arc::new(clock.clone()))
}

pub fn get(tier: &dyn Tier, key: &Key) -> Result<Option<Found>, TierError> {
    tier.get(&namespace(), key, Deadline::NONE)
}

pub fn put(tier: &dyn Tier, entry: &Entry) -> Result<Written, TierError> {
    tier.put(entry, Deadline::NONE)
}

pub fn remove(tier: &dyn Tier, pattern: &Pattern) -> Result<u64, TierError> {
    tier.remove(&namespace(), pattern, Deadline::NONE)
}

/// The path and the failed locations of a write that was stored.
pub fn stored(written: Written) -> (PathBuf, Vec<TierError>) {
    match written {
        Written::Stored {
            path,
            fallback_from,
            ..
        } => (path.unwrap(), fallback_from),
        other => panic!("not stored: {other:?}"),
    }
}

/// The generation that the tier has now, if any.
pub fn read(tier: &dyn Tier) -> Option<u64> {
    let found = get(tier, &key()).ok()??;
    Some(generation(&found.entry))
}

pub fn read_text(tier: &dyn Tier) -> Option<String> {
    let found = get(tier, &key()).ok()??;
    Some(String::from_utf8(found.entry.payload().to_vec()).unwrap())
}

/// An entry of this text, written at a time and kept for a day.
pub fn text_entry(key: &Key, text: &str, written_at: SystemTime) -> Entry {
    let mut envelope = entry(0, 0).envelope().clone();
    envelope.key = key.clone();
    envelope.written_at = written_at;
    Entry::new(envelope, text.to_owned().into())
}

/// The path of the entry in a location.
pub fn file_in(folder: &Path) -> PathBuf {
    folder
        .join("v1")
        .join(namespace().to_string())
        .join("catalog.jsonl")
}

/// A child process: the test `actor` of this binary does the job.
pub fn child(job: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    as_actor(&mut command, job, folder);
    command
}

/// The same, run by the command `prefix`, such as a tracer.
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
        // Cargo's, with which the start of a process searches many folders.
        .env_remove("LD_LIBRARY_PATH")
        .env(FOLDER, folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
}

/// The job of this process, if it is a child.
pub fn job() -> Option<(String, PathBuf)> {
    Some((std::env::var(JOB).ok()?, std::env::var_os(FOLDER)?.into()))
}

/// Every file in a folder, at any depth, whose name ends so.
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
