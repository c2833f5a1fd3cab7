//! Faults of files and processes, on real files and real processes.
//!
//! The full figures run with `BEDROCK_CATALOG_LONG=1`. Power cuts, mounts and errors of the system are in
//! `disk_privileged.rs`, oversized and malformed files in `disk_bombs.rs`.
#![cfg(all(unix, feature = "files"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;
use std::io::{BufRead, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedrock_catalog_cache::{
    Acquired, Deadline, Entry, FileTier, FilesOptions, ManualClock, Pattern, Tier,
};
use proptest::prelude::*;
use support::{
    HOUR, at, child, count, entry, figure, file_in, files, get, key, namespace, put, read, remove,
    stored, tier_of, tier_on, tier_with,
};

/// The job of a child process.
#[test]
fn actor() {
    let Some((job, folder)) = support::job() else {
        return;
    };
    let (job, number) = job.split_once(' ').unwrap();
    let number: u64 = number.parse().unwrap();
    let tier = tier_of(&[&folder]);
    match job {
        "write-for-ever" => {
            for generation in number.. {
                let _ = put(&tier, &entry(generation, 20_000));
            }
        }
        // Each writer has its own generations, modulo 64.
        "write" => {
            for round in 0..figure(200, 20) {
                let _ = put(&tier, &entry(round * 64 + number + 1, 4_000));
            }
        }
        "read" => {
            let mut last = 0;
            for _ in 0..number {
                // A mix panics; the parent sees the exit code.
                let now = read(&tier).unwrap_or(0);
                assert!(now >= last, "generation {now} after {last}");
                last = now;
            }
        }
        "clean" => {
            for _ in 0..number {
                tier.cleanup(at(1_000_000)).unwrap_or(0);
            }
        }
        // Holds the lease until it is killed.
        "lease" => {
            let _held = lease(&tier);
            fs::write(folder.join("held"), "").unwrap();
            let _ = std::io::stdin().lock().lines().next();
        }
        other => panic!("unknown job {other}"),
    }
}

fn lease(tier: &FileTier) -> Acquired {
    let leases = tier.coordinator().unwrap();
    leases
        .try_lease(&namespace(), &key(), HOUR, Deadline::NONE)
        .unwrap()
}

fn filled() -> (tempfile::TempDir, FileTier) {
    let root = tempfile::tempdir().unwrap();
    let tier = tier_of(&[root.path()]);
    put(&tier, &entry(1, 4_000)).unwrap();
    (root, tier)
}

/// Puts bytes where the entry lies, as a file that passes every check but those of its content.
fn plant(folder: &Path, bytes: &[u8]) {
    let mut file = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file_in(folder))
        .unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn killed_at_random_an_entry_is_old_or_new_and_the_litter_is_removed() {
    let (root, tier) = filled();
    let rounds = figure(2_000, 40);
    let mut last = 1;
    for round in 0..rounds {
        let mut process = child(&format!("write-for-ever {}", last + 1), root.path())
            .spawn()
            .unwrap();
        // Up to 30 ms: the start of the process, and then any moment of any write.
        std::thread::sleep(Duration::from_micros(round * 7_919 % 30_000));
        process.kill().unwrap();
        process.wait().unwrap();
        let now = read(&tier).expect("there is always one");
        assert!(now >= last, "went back from {last} to {now}");
        last = now;
    }
    let litter = files(root.path(), ".tmp").len();
    tier.cleanup(SystemTime::now() + Duration::from_secs(7_200))
        .unwrap();
    assert!(files(root.path(), ".tmp").is_empty());
    let counts = format!("{rounds} kills, {last} generations, {litter} temporary files removed");
    count("files, killed at random", counts);
}

#[test]
fn many_processes_see_whole_generations_that_never_go_back() {
    let (root, tier) = filled();
    let (writers, readers) = if support::long() { (64, 64) } else { (6, 4) };
    let reads = figure(1_000_000 / 64 + 1, 500);
    let spawn = |job: String| child(&job, root.path()).spawn().unwrap();
    let mut all: Vec<_> = (0..writers).map(|n| spawn(format!("write {n}"))).collect();
    all.extend((0..readers).map(|_| spawn(format!("read {reads}"))));
    all.push(spawn(format!("clean {}", figure(500, 20))));
    for mut process in all {
        assert!(
            process.wait().unwrap().success(),
            "a process saw a mix or a step back"
        );
    }
    assert!(read(&tier).is_some());
    assert!(files(root.path(), ".tmp").is_empty());
    let counts = format_args!(
        "{writers} writers, {readers} readers, 1 cleaner, {} reads",
        readers * reads
    );
    count("files, processes in parallel", counts);
}

#[test]
fn the_lease_of_a_killed_process_is_free_at_once() {
    let (root, tier) = filled();
    let mut command = child("lease 0", root.path());
    let mut holder = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    while !root.path().join("held").exists() {
        assert!(holder.try_wait().unwrap().is_none(), "the child failed");
        std::thread::yield_now();
    }
    assert!(matches!(lease(&tier), Acquired::Busy));
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(matches!(lease(&tier), Acquired::Held(_)));
}

#[test]
fn no_flipped_bit_is_accepted() {
    let (root, tier) = filled();
    let whole = entry(1, figure(65_536, 1_000) as usize);
    put(&tier, &whole).unwrap();
    let path = file_in(root.path());
    let bytes = fs::read(&path).unwrap();
    // In place, so that each flip is one small write.
    let file = fs::File::options().write(true).open(&path).unwrap();
    let mut flips = 0;
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let at = index as u64;
            std::os::unix::fs::FileExt::write_all_at(&file, &[bytes[index] ^ (1 << bit)], at)
                .unwrap();
            assert!(
                get(&tier, &key()).is_err(),
                "bit {bit} of byte {index} of {} was accepted",
                bytes.len()
            );
            flips += 1;
        }
        std::os::unix::fs::FileExt::write_all_at(&file, &bytes[index..=index], index as u64)
            .unwrap();
    }
    assert_eq!(get(&tier, &key()).unwrap().unwrap().entry, whole);
    count("files, bits flipped", format_args!("{flips} flips"));
}

#[test]
fn no_truncated_file_is_accepted() {
    let (root, tier) = filled();
    let bytes = fs::read(file_in(root.path())).unwrap();
    for len in 0..bytes.len() {
        plant(root.path(), &bytes[..len]);
        assert!(get(&tier, &key()).is_err(), "the first {len} bytes");
    }
    for tail in ["\n", " ", "{}", "\0"] {
        plant(root.path(), &[&bytes, tail.as_bytes()].concat());
        assert!(get(&tier, &key()).is_err(), "{tail:?} behind the end");
    }
}

/// `PROPTEST_CASES` overrides the number of cases, except in the long lane.
fn cases() -> ProptestConfig {
    let asked = ProptestConfig::default();
    if support::long() || std::env::var_os("PROPTEST_CASES").is_none() {
        return ProptestConfig::with_cases(figure(10_000, 100) as u32);
    }
    asked
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn no_mutated_file_is_accepted_and_none_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..20),
    ) {
        let (root, tier) = filled();
        let whole = fs::read(file_in(root.path())).unwrap();
        let mut bytes = whole.clone();
        for (index, byte, how) in edits {
            let index = index.index(bytes.len().max(1));
            match how {
                0 if index < bytes.len() => bytes[index] = byte,
                1 if index < bytes.len() => drop(bytes.remove(index)),
                _ => bytes.insert(index.min(bytes.len()), byte),
            }
        }
        plant(root.path(), &bytes);
        let found = get(&tier, &key());
        prop_assert_eq!(found.is_ok_and(|found| found.is_some()), bytes == whole);
        // An unusable file does not stay for ever.
        tier.cleanup(at(1_000)).unwrap();
        put(&tier, &entry(2, 100)).unwrap();
        prop_assert_eq!(read(&tier), Some(2));
    }
}

#[test]
fn no_clock_makes_an_entry_last() {
    // Nine times of writing against nine times of reading.
    let day = Duration::from_secs(86_400);
    let base = at(0);
    let times = [
        UNIX_EPOCH,
        base - 2 * day,
        base - Duration::from_secs(3_601),
        base - Duration::from_secs(299),
        base,
        base + Duration::from_secs(299),
        base + Duration::from_secs(301),
        base + 2 * day,
        base + 3_650 * day,
    ];
    for written in times {
        for now in times {
            let root = tempfile::tempdir().unwrap();
            let clock = ManualClock::at(written);
            let tier = tier_on(&clock, &[root.path()]);
            let mut envelope = entry(1, 100).envelope().clone();
            envelope.written_at = written;
            let whole = Entry::new(envelope, "1".into());
            put(&tier, &whole).unwrap();
            clock.set(now);
            let found = get(&tier, &key()).unwrap().unwrap();
            let envelope = found.entry.envelope();
            if envelope.is_fresh(now) {
                match now.duration_since(written) {
                    Ok(age) => assert!(age < HOUR),
                    Err(ahead) => assert!(ahead.duration() <= Duration::from_secs(300)),
                }
            }
            if envelope.is_expired(now) {
                assert_eq!(tier.cleanup(now).unwrap(), 1, "an expired entry stays");
            }
            // The next write is served, unless it is earlier than this one by less than the clock skew.
            let mut envelope = whole.envelope().clone();
            envelope.written_at = now;
            let next = Entry::new(envelope, "2".into());
            put(&tier, &next).unwrap();
            let served = get(&tier, &key()).unwrap().unwrap().entry;
            let between = written
                .duration_since(now)
                .is_ok_and(|ahead| !ahead.is_zero() && ahead <= Duration::from_secs(300));
            assert_eq!(served, if between { whole } else { next });
        }
    }
    let counts = format_args!("a grid of {0} x {0}", times.len());
    count("clocks, injected", counts);
}

#[test]
fn another_version_in_the_same_folder_is_left_alone() {
    let (root, ours) = filled();
    let options = FilesOptions::in_folders([root.path()]);
    let theirs = tier_with(&ManualClock::at(at(1_000_000)), options, "0.9.0");
    let before = fs::read(file_in(root.path())).unwrap();
    assert!(get(&theirs, &key()).unwrap().is_none());
    let mut envelope = entry(3, 100).envelope().clone();
    envelope.package_version = "0.9.0".into();
    let newer = Entry::new(envelope, "theirs".into());
    put(&theirs, &newer).unwrap();
    assert_eq!(theirs.cleanup(at(1_000)).unwrap(), 0);
    assert_eq!(fs::read(file_in(root.path())).unwrap(), before);
    assert_eq!(read(&ours), Some(1));
    assert!(get(&theirs, &key()).unwrap().is_some());
    // A folder of a format to come.
    let later = root.path().join("v2").join(namespace().to_string());
    fs::create_dir_all(&later).unwrap();
    fs::write(later.join("catalog.jsonl"), "of another format").unwrap();
    put(&ours, &entry(2, 100)).unwrap();
    remove(&ours, &Pattern::all()).unwrap();
    ours.cleanup(at(1_000_000_000)).unwrap();
    assert_eq!(
        fs::read(later.join("catalog.jsonl")).unwrap(),
        b"of another format"
    );
}

#[test]
fn a_read_leaves_nothing_behind_and_opens_nothing_for_good() {
    let (root, tier) = filled();
    let open = || fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let listing = files(root.path(), "").len();
    let missing = tempfile::tempdir().unwrap();
    let nowhere = tier_of(&[missing.path().join("cache")]);
    let before = open();
    for _ in 0..200 {
        assert!(read(&tier).is_some());
        assert_eq!(read(&nowhere), None);
        put(&tier, &entry(2, 100)).unwrap();
        drop(lease(&tier));
        let _ = tier.status();
    }
    if let (Some(before), Some(after)) = (before, open()) {
        // The other tests of this binary run beside this one; a leak would be hundreds.
        assert!(after < before + 100, "{before} handles became {after}");
    }
    assert_eq!(files(root.path(), "").len(), listing);
    assert!(
        !missing.path().join("cache").exists(),
        "a read makes no folder"
    );
}

#[test]
fn a_folder_that_takes_no_writes_leaves_the_next_location() {
    let root = tempfile::tempdir().unwrap();
    let (first, second) = (root.path().join("first"), root.path().join("second"));
    fs::create_dir(&first).unwrap();
    fs::set_permissions(&first, fs::Permissions::from_mode(0o500)).unwrap();
    let tier = tier_of(&[&first, &second]);
    let written = put(&tier, &entry(1, 100)).unwrap();
    if support::is_root() {
        support::leave_out(
            "a folder of mode 0500",
            "root writes anywhere; see the read-only mount",
        );
    } else {
        let (path, failed) = stored(written);
        assert!(path.starts_with(&second));
        assert_eq!(failed.len(), 1);
    }
    assert_eq!(read(&tier), Some(1));
}
