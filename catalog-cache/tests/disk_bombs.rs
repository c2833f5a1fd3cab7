//! Oversized and malformed files: refused by size or depth before anything is allocated for them, each
//! within 50 ms and 16 MiB in a process of its own.
//!
//! A writer of such a file can compute its checksum, so these files have a valid one where a reader comes
//! that far.
#![cfg(all(unix, feature = "files"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{Cache, Deadline, ManualClock, Tier, TierErrorKind};
use support::{at, child, count, entry, file_in, get, key, namespace, put, read, tier_of};
use twox_hash::XxHash3_128;

/// The job of a child process.
#[test]
fn actor() {
    let Some((job, folder)) = support::job() else {
        return;
    };
    let tier = tier_of(&[&folder]);
    let (before, start) = (peak_kib(), Instant::now());
    match job.as_str() {
        "refuse" => {
            let error = get(&tier, &key()).unwrap_err();
            assert!(!error.is_tier_failure(), "{error}");
        }
        "refuse-size" => {
            let error = get(&tier, &key()).unwrap_err();
            assert_eq!(error.kind(), TierErrorKind::TooLarge);
        }
        "read-as-json" => {
            let cache = Cache::builder()
                .namespace(namespace())
                .clock(ManualClock::at(at(1_000_000)))
                .tier(tier)
                .build()
                .unwrap();
            assert!(cache.get_json::<serde_json::Value>(&key()).is_missing());
        }
        other => panic!("unknown job {other}"),
    }
    let most = Duration::from_millis(if support::long() { 50 } else { 1_000 });
    assert!(start.elapsed() <= most, "{:?}", start.elapsed());
    if let (Some(before), Some(after)) = (before, peak_kib()) {
        assert!(after - before <= 16 << 10, "{} KiB", after - before);
    }
}

/// Peak memory of this process, in KiB, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
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

/// An entry of this envelope, without its braces, and payload, with the checksum they have.
fn sealed(envelope: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("{{{envelope},\"checksum\":\"");
    let tail = [b"\"}\n", payload, b"\n"].concat();
    let mut sum = XxHash3_128::new();
    sum.write(head.as_bytes());
    sum.write(&tail);
    let digits = format!("{:032x}", sum.finish_128());
    [head.as_bytes(), digits.as_bytes(), &tail].concat()
}

/// The writer's fields, with these in place of `length`.
fn envelope(length: &str) -> String {
    let (key, namespace) = (key(), namespace());
    format!(
        "\"format\":1,\"key\":\"{key}\",\"namespace\":\"{namespace}\",\"written_at\":1767225600001,\
         \"fresh_for\":3600000,\"keep_for\":86400000,\"source\":\"test\",\"package_version\":\"0.1.0\",{length}"
    )
}

/// Reads the file in a process of its own, where nothing else takes memory; then a cleanup removes it, and
/// a write replaces it.
fn goes_off(what: &str, job: &str, folder: &Path, is_removed: bool) {
    assert!(child(job, folder).status().unwrap().success(), "{what}");
    let tier = tier_of(&[folder]);
    let visit = &mut |_| ControlFlow::Continue(());
    let listing = tier.scan(&namespace(), "", Deadline::NONE, visit);
    assert!(listing.is_ok(), "{what}");
    assert_eq!(
        tier.cleanup(at(1_000)).unwrap(),
        u64::from(is_removed),
        "{what}"
    );
    put(&tier, &entry(2, 100)).unwrap();
    assert_eq!(read(&tier), Some(2), "{what} heals");
}

fn folder() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    put(&tier_of(&[root.path()]), &entry(1, 100)).unwrap();
    root
}

#[test]
fn the_sealed_files_are_like_the_writers() {
    let root = folder();
    plant(
        root.path(),
        &sealed(&envelope("\"length\":16"), b"000000000000009\n"),
    );
    assert_eq!(read(&tier_of(&[root.path()])), Some(9));
}

#[test]
fn a_file_that_is_too_large_is_refused_by_its_size() {
    for (what, size) in [
        ("10 GiB", 10_u64 << 30),
        ("just above the cap", (16 << 20) + 1),
    ] {
        let root = folder();
        let file = fs::File::options()
            .write(true)
            .open(file_in(root.path()))
            .unwrap();
        if file.set_len(size).is_err() {
            support::skip(what, "the file system takes no sparse file of this size");
            continue;
        }
        goes_off(what, "refuse-size", root.path(), true);
    }
}

#[test]
fn an_envelope_that_is_too_deep_or_says_things_twice_is_refused() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let bombs = [
        (
            "a megabyte of brackets",
            format!("{0}\n{0}\n", "[".repeat(1 << 20)).into_bytes(),
        ),
        (
            "no end of objects",
            format!("{0}\n{0}\n", r#"{"a":"#.repeat(500)).into_bytes(),
        ),
        (
            "sealed brackets",
            sealed(&envelope(&format!("\"length\":{}", deep(1_600))), b"1"),
        ),
        (
            "sealed objects",
            sealed(
                &envelope(&format!(
                    "\"length\":{}1{}",
                    "{\"a\":".repeat(500),
                    "}".repeat(500)
                )),
                b"1",
            ),
        ),
        (
            "duplicate keys",
            sealed(
                &envelope(&("\"format\":1,".repeat(100) + "\"length\":1")),
                b"1",
            ),
        ),
        (
            "a second length",
            sealed(&envelope("\"length\":1,\"length\":1"), b"1"),
        ),
        (
            "a huge length",
            sealed(&envelope("\"length\":18446744073709551615"), b"1"),
        ),
        (
            "a huge number",
            sealed(&envelope("\"length\":18446744073709551616"), b"1"),
        ),
        (
            "an endless number",
            sealed(
                &envelope(&format!("\"length\":1e{}", "9".repeat(3_000))),
                b"1",
            ),
        ),
    ];
    let number = bombs.len();
    for (what, bytes) in bombs {
        let root = folder();
        plant(root.path(), &bytes);
        goes_off(what, "refuse", root.path(), true);
    }
    count("bombs in the envelope", format_args!("{number} bombs"));
}

#[test]
fn a_payload_that_is_too_deep_is_no_json() {
    let root = folder();
    let payload = "[".repeat(256 << 10);
    let length = format!("\"length\":{}", payload.len());
    plant(root.path(), &sealed(&envelope(&length), payload.as_bytes()));
    goes_off("a deep payload", "read-as-json", root.path(), false);
}

#[cfg(feature = "compression")]
#[test]
fn a_compressed_bomb_is_refused_before_it_unpacks() {
    let packed = lz4_flex::block::compress(&vec![0; 64 << 20]);
    for (what, job, plain) in [
        ("names its true size", "refuse-size", 64_u64 << 20),
        ("names an impossible size", "refuse-size", u64::MAX),
        ("names a small size", "refuse", 1_000),
        ("names the largest allowed size", "refuse", 16 << 20),
    ] {
        let root = folder();
        let how = format!(
            "\"compression\":\"lz4\",\"plain_length\":{plain},\"length\":{}",
            packed.len()
        );
        plant(root.path(), &sealed(&envelope(&how), &packed));
        goes_off(what, job, root.path(), true);
    }
    // A few bytes with a large size.
    let root = folder();
    let how = "\"compression\":\"lz4\",\"plain_length\":16000000,\"length\":4";
    plant(root.path(), &sealed(&envelope(how), &[0x10, b'a', 0, 0]));
    goes_off("a false size", "refuse", root.path(), true);
}
