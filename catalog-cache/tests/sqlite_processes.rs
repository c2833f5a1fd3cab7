//! Many processes on one SQLite file, and their effect on each other. The full figures run with
//! `BEDROCK_CATALOG_LONG=1`.
#![cfg(all(unix, feature = "sqlite"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;
use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{
    Acquired, Codec, Deadline, ManualClock, SqliteOptions, SqliteTier, Tier, TierErrorKind,
};
use support::{at, child, count, entry, figure, generation, get, key, namespace, put, skip};

/// The longest wait of a write for another process.
const BUSY_WAIT: Duration = Duration::from_millis(200);

fn tier_in(folder: &Path) -> SqliteTier {
    tier_at(folder, 0)
}

/// The same, this many seconds later.
fn tier_at(folder: &Path, seconds: u64) -> SqliteTier {
    let clock = ManualClock::at(at(1_000_000) + Duration::from_secs(seconds));
    let options = SqliteOptions::new(folder.join("cache.sqlite"));
    SqliteTier::new(&options, Codec::new(support::VERSION), Arc::new(clock))
}

/// A read that times out on a busy machine is skipped.
fn try_read(tier: &SqliteTier) -> Option<Option<u64>> {
    match get(tier, &key()) {
        Ok(found) => Some(found.map(|found| generation(&found.entry))),
        Err(error) => {
            assert_eq!(error.kind(), TierErrorKind::Timeout, "{error}");
            None
        }
    }
}

fn read(tier: &SqliteTier) -> Option<u64> {
    try_read(tier).expect("no other process is writing")
}

/// A write that times out while another process writes is no failure.
fn write(tier: &SqliteTier, generation: u64, len: usize) -> bool {
    match put(tier, &entry(generation, len)) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), TierErrorKind::Timeout, "{error}");
            false
        }
    }
}

/// The job of a child process.
#[test]
fn actor() {
    let Some((job, folder)) = support::job() else {
        return;
    };
    let (job, number) = job.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let tier = tier_in(&folder);
    match job {
        "write-for-ever" => {
            for generation in number.. {
                write(&tier, generation, 20_000);
            }
        }
        "write" => {
            for round in 0..figure(200, 20) {
                write(&tier, round * 64 + number + 1, 4_000);
            }
        }
        "read" => {
            let mut last = 0;
            for _ in 0..number {
                if let Some(now) = try_read(&tier) {
                    let now = now.unwrap_or(0);
                    assert!(now >= last, "generation {now} after {last}");
                    last = now;
                }
            }
        }
        // Reports that it holds the file, and holds it until it is killed.
        "exclusive" => {
            let file = rusqlite::Connection::open(folder.join("cache.sqlite")).unwrap();
            file.execute_batch("BEGIN EXCLUSIVE").unwrap();
            fs::write(folder.join("held"), "").unwrap();
            let _ = std::io::stdin().lock().lines().next();
        }
        "refused" | "unavailable" => {
            let error = put(&tier, &entry(1, 4_000)).unwrap_err();
            let kind = if job == "refused" {
                TierErrorKind::Unsafe
            } else {
                TierErrorKind::Unavailable
            };
            assert_eq!(error.kind(), kind, "{error}");
            assert!(
                error
                    .path()
                    .is_some_and(|path| path.ends_with("cache.sqlite"))
            );
        }
        "lease" => {
            let lease = lease(&tier, number);
            assert!(matches!(lease, Acquired::Held(_)));
            fs::write(folder.join("held"), "").unwrap();
            let _ = std::io::stdin().lock().lines().next();
        }
        other => panic!("unknown job {other}"),
    }
}

/// Starts a child and waits until it holds the file or the lease.
fn holding(job: &str, folder: &Path) -> std::process::Child {
    let process = child(job, folder).stdin(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !folder.join("held").exists() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "the child does not begin"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    process
}

#[test]
fn killed_at_any_moment_an_entry_is_whole_and_never_goes_back() {
    let root = tempfile::tempdir().unwrap();
    put(&tier_in(root.path()), &entry(1, 20_000)).unwrap();
    let rounds = figure(2_000, 40);
    let mut last = 1;
    for round in 0..rounds {
        let job = format!("write-for-ever {}", last + 1);
        let mut process = child(&job, root.path()).spawn().unwrap();
        // Up to 40 ms: the start of the process, opening, and then any moment of any write.
        std::thread::sleep(Duration::from_micros(round * 7_919 % 40_000));
        process.kill().unwrap();
        process.wait().unwrap();
        let now = read(&tier_in(root.path())).expect("there is always one");
        assert!(now >= last, "went back from {last} to {now}");
        last = now;
    }
    assert!(
        fs::read_dir(root.path())
            .unwrap()
            .flatten()
            .all(|item| { !item.file_name().to_string_lossy().contains("damaged") })
    );
    let counts = format_args!("{rounds} kills, {last} generations");
    count("sqlite, killed at random", counts);
}

#[test]
fn every_read_of_many_processes_is_one_whole_generation() {
    let root = tempfile::tempdir().unwrap();
    let (processes, reads) = (figure(64, 4), figure(15_625, 500));
    let start = |job: String| {
        let mut command = child(&job, root.path());
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut children = Vec::new();
    for number in 0..processes {
        children.push(start(format!("write {number}")));
        children.push(start(format!("read {reads}")));
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "a child saw a mix, or time go back, or failed: {said}"
        );
    }
    let counts = format_args!(
        "{processes} writers, {processes} readers, {} reads",
        processes * reads
    );
    count("sqlite, processes in parallel", counts);
}

#[test]
fn a_file_that_another_process_holds_costs_200_ms_and_reads_go_on() {
    let root = tempfile::tempdir().unwrap();
    let tier = tier_in(root.path());
    put(&tier, &entry(1, 4_000)).unwrap();
    let mut holder = holding("exclusive 0", root.path());
    let mut took = Vec::new();
    for _ in 0..figure(40, 4) {
        for tier in [&tier, &tier_in(root.path())] {
            let start = Instant::now();
            let error = put(tier, &entry(2, 4_000)).unwrap_err();
            took.push(start.elapsed());
            assert_eq!(error.kind(), TierErrorKind::Timeout, "{error}");
            // With a write-ahead log no reader waits.
            assert_eq!(read(tier), Some(1));
        }
    }
    took.sort_unstable();
    let (fastest, middle) = (took[0], took[took.len() / 2]);
    // A write waits once: twice would be longer.
    assert!(fastest < 2 * BUSY_WAIT, "{took:?}");
    if support::long() {
        // Half of them: other programs run on the machine.
        assert!(middle <= Duration::from_millis(250 + 100), "{took:?}");
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    put(&tier, &entry(2, 4_000)).unwrap();
    assert_eq!(read(&tier), Some(2));
    let counts = format!("{} writes left out, half within {middle:?}", took.len());
    count("sqlite, held by another process", counts);
}

fn lease(tier: &SqliteTier, seconds: u64) -> Acquired {
    let leases = tier.coordinator().unwrap();
    let ttl = Duration::from_secs(seconds);
    leases
        .try_lease(&namespace(), &key(), ttl, Deadline::NONE)
        .unwrap()
}

#[test]
fn the_lease_of_a_killed_process_expires() {
    let root = tempfile::tempdir().unwrap();
    let mut holder = holding("lease 30", root.path());
    let take = |after: u64| lease(&tier_at(root.path(), after), 30);
    assert!(matches!(take(0), Acquired::Busy));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(matches!(take(29), Acquired::Busy));
    assert!(matches!(take(30), Acquired::Held(_)));
}

/// As another user: root can write anywhere.
#[test]
fn in_a_folder_that_cannot_be_written_it_reads_and_fails_by_name() {
    let name = "sqlite, read-only folder";
    if !support::is_root() || !support::works("setpriv", &["--version"]) {
        return skip(name, "needs root and setpriv");
    }
    let root = tempfile::tempdir().unwrap();
    let (folder, program) = (root.path().join("theirs"), root.path().join("actor"));
    fs::create_dir(&folder).unwrap();
    // A copy of this program that the other user can run.
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    for path in [root.path(), &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let give = |mode: u32| {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        assert!(support::shell(&format!(
            "chown -R 1234:1234 {}",
            folder.display()
        )));
    };
    let as_user = |job: &str| {
        let output = std::process::Command::new("setpriv")
            .args(["--reuid=1234", "--regid=1234", "--clear-groups"])
            .arg(&program)
            .args(["actor", "--exact", "--test-threads=1"])
            .env(support::JOB, job)
            .env(support::FOLDER, &folder)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{job}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    };
    give(0o700);
    as_user("write 0");
    give(0o500);
    as_user("read 3");
    // Neither an existing file nor a new one.
    fs::set_permissions(
        folder.join("cache.sqlite"),
        fs::Permissions::from_mode(0o400),
    )
    .unwrap();
    as_user("refused 0");
    give(0o700);
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    give(0o500);
    as_user("unavailable 0");
}
