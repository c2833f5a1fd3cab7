//! The SQLite tier against the suite of all tiers, and against its own promises.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{
    Acquired, Clock, Codec, Deadline, Entry, Envelope, Key, LeaseGuard, ManualClock, Pattern,
    SqliteOptions, SqliteTier, Tier, TierErrorKind, Written,
};
use bedrock_catalog_test_support::conformance;
use bytes::Bytes;
use proptest::prelude::*;
use rusqlite::Connection;
use support::{HOUR, count, get, namespace, put, remove};

const VERSION: &str = env!("CARGO_PKG_VERSION");

struct Stage {
    clock: ManualClock,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self {
            clock: ManualClock::new(),
            folder: support::fast_tempdir(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("cache.sqlite")
    }

    fn tier(&self) -> SqliteTier {
        self.tier_of(VERSION)
    }

    fn tier_of(&self, version: &str) -> SqliteTier {
        self.tier_with(SqliteOptions::new(self.path()), Codec::new(version))
    }

    fn tier_with(&self, options: SqliteOptions, codec: Codec) -> SqliteTier {
        SqliteTier::new(&options, codec, Arc::new(self.clock.clone()))
    }

    fn entry(&self, n: usize, payload: impl Into<Bytes>) -> Entry {
        conformance::entry(namespace(), &key(n), payload, self.clock.now(), HOUR)
    }

    /// The file, as another program opens it.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let count = format!("SELECT count(*) FROM {table}");
        self.raw().query_row(&count, (), |row| row.get(0)).unwrap()
    }

    /// The names in the folder.
    fn files(&self) -> Vec<String> {
        let items = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = items
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    fn is_set_aside(&self) -> bool {
        self.files().contains(&"cache.sqlite.damaged".to_owned())
    }

    /// Fills a file with entries, all of them in the main file.
    fn fill(&self) -> Vec<u8> {
        let tier = self.tier();
        for n in 0..20 {
            put(&tier, &self.entry(n, vec![b'x'; 3_000])).unwrap();
        }
        tier.cleanup(self.clock.now()).unwrap();
        drop(tier);
        fs::read(self.path()).unwrap()
    }

    /// Replaces the content of the file, and keeps its owner and mode.
    fn plant(&self, bytes: &[u8]) {
        for end in ["-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(format!("{}{end}", self.path().display()));
        }
        fs::write(self.path(), bytes).unwrap();
    }

    /// The next start works, after a cleanup has looked at the whole file.
    fn heals(&self, what: &str) {
        let tier = self.tier();
        let _ = get(&tier, &key(1));
        tier.cleanup(self.clock.now()).unwrap();
        put(&tier, &self.entry(1, "new")).unwrap();
        assert_eq!(payload(&tier, 1).unwrap(), "new", "{what}");
        assert!(tier.status().ok, "{what}");
    }
}

fn key(n: usize) -> Key {
    Key::new("sqlite", "test", &n.to_string())
}

fn payload(tier: &SqliteTier, n: usize) -> Option<Bytes> {
    let found = get(tier, &key(n)).unwrap()?;
    Some(found.entry.payload().clone())
}

fn lease(tier: &SqliteTier, n: usize) -> Acquired {
    let leases = tier.coordinator().unwrap();
    leases
        .try_lease(&namespace(), &key(n), HOUR, Deadline::NONE)
        .unwrap()
}

fn held(tier: &SqliteTier, n: usize) -> LeaseGuard {
    match lease(tier, n) {
        Acquired::Held(guard) => guard,
        Acquired::Busy => panic!("the lease is not free"),
    }
}

fn is_busy(tier: &SqliteTier, n: usize) -> bool {
    matches!(lease(tier, n), Acquired::Busy)
}

#[test]
fn the_sqlite_tier_conforms() {
    let clock = ManualClock::new();
    let folder = support::fast_tempdir();
    let number = std::cell::Cell::new(0);
    conformance::check(&clock, &|| {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("{}.sqlite", number.get()));
        let clock = Arc::new(clock.clone());
        Arc::new(SqliteTier::new(
            &SqliteOptions::new(path),
            Codec::new(VERSION),
            clock,
        ))
    });
}

#[test]
fn nothing_is_created_before_the_first_write() {
    let stage = Stage::new();
    let path = stage.folder.path().join("new").join("cache.sqlite");
    let tier = stage.tier_with(SqliteOptions::new(&path), Codec::new(VERSION));
    assert_eq!(payload(&tier, 1), None);
    assert_eq!(remove(&tier, &Pattern::all()).unwrap(), 0);
    assert_eq!(tier.cleanup(stage.clock.now()).unwrap(), 0);
    let visit = &mut |_| panic!("there is nothing");
    tier.scan(&namespace(), "", Deadline::NONE, visit).unwrap();
    let status = tier.status();
    assert!(status.ok && status.entries == Some(0), "{status:?}");
    assert!(status.message.contains("not created yet"), "{status:?}");
    assert!(stage.files().is_empty(), "{:?}", stage.files());

    put(&tier, &stage.entry(1, "{}")).unwrap();
    assert!(path.is_file());
    let status = tier.status();
    assert!(status.ok && status.message.contains("usable"), "{status:?}");
}

#[cfg(all(unix, not(portable_files)))]
#[test]
fn files_are_private_under_any_umask() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let tier = stage.tier();
    put(&tier, &stage.entry(1, "{}")).unwrap();
    let names = stage.files();
    assert!(names.contains(&"cache.sqlite-wal".to_owned()), "{names:?}");
    for name in names {
        let meta = stage.folder.path().join(&name).metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o600, "{name}");
    }
}

#[test]
fn versions_share_a_file_and_no_row() {
    let stage = Stage::new();
    let (old, new) = (stage.tier_of("7.1.0"), stage.tier_of("7.2.3"));
    let entry = |version: &str| {
        let (envelope, payload) = stage.entry(1, version.to_owned()).into_parts();
        let envelope = Envelope {
            package_version: version.into(),
            ..(*envelope).clone()
        };
        Entry::new(envelope, payload)
    };
    put(&old, &entry("7.1.0")).unwrap();
    assert_eq!(payload(&new, 1), None);
    put(&new, &entry("7.2.3")).unwrap();
    assert_eq!(payload(&old, 1).unwrap(), "7.1.0");
    assert_eq!(payload(&new, 1).unwrap(), "7.2.3");
    assert_eq!(remove(&new, &Pattern::all()).unwrap(), 1);
    assert_eq!(payload(&old, 1).unwrap(), "7.1.0");
}

#[test]
fn the_oldest_entries_are_evicted() {
    let stage = Stage::new();
    let options = SqliteOptions::new(stage.path()).max_bytes(100_000);
    let tier = stage.tier_with(options, Codec::new(VERSION));
    for n in 0..40 {
        put(&tier, &stage.entry(n, vec![1; 10_000])).unwrap();
        stage.clock.advance(Duration::from_secs(1));
    }
    let status = tier.status();
    // Above the bound by the writes between two checks.
    assert!(status.bytes.unwrap() <= 100_000 + 2 * 11_000, "{status:?}");
    assert_eq!(tier.evictions() + status.entries.unwrap(), 40);
    assert!(payload(&tier, 39).is_some() && payload(&tier, 0).is_none());
    let error = put(&tier, &stage.entry(1, vec![1; 100_001])).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
}

#[test]
fn a_file_with_a_lower_bound_than_before_shrinks() {
    let stage = Stage::new();
    let tier = stage.tier();
    for n in 0..200 {
        put(&tier, &stage.entry(n, vec![1; 40_000])).unwrap();
        stage.clock.advance(Duration::from_millis(1));
    }
    tier.cleanup(stage.clock.now()).unwrap();
    let len = || fs::metadata(stage.path()).unwrap().len();
    assert!(len() > 8_000_000);
    let options = SqliteOptions::new(stage.path()).max_bytes(100_000);
    let small = stage.tier_with(options, Codec::new(VERSION));
    small.cleanup(stage.clock.now()).unwrap();
    assert!(len() < 1_000_000, "{}", len());
    assert!(payload(&small, 199).is_some());
}

#[test]
fn a_scan_lets_others_write_meanwhile() {
    let stage = Stage::new();
    let tier = stage.tier();
    for n in 0..300 {
        put(&tier, &stage.entry(n, "{}")).unwrap();
    }
    let mut seen = std::collections::BTreeSet::new();
    let visit = &mut |info: bedrock_catalog_cache::EntryInfo| {
        put(&tier, &stage.entry(1_000, "{}")).unwrap();
        assert!(seen.insert(info.envelope.key.clone()), "listed twice");
        ControlFlow::Continue(())
    };
    tier.scan(&namespace(), "sqlite:test:", Deadline::NONE, visit)
        .unwrap();
    assert!((0..300).all(|n| seen.contains(&key(n))));
    let removed = remove(&tier, &Pattern::glob("sqlite:test:1*")).unwrap();
    assert_eq!(removed, 112);
}

#[test]
fn the_file_may_vanish_while_it_is_open() {
    let stage = Stage::new();
    let tier = stage.tier();
    put(&tier, &stage.entry(1, "1")).unwrap();
    for name in stage.files() {
        fs::remove_file(stage.folder.path().join(name)).unwrap();
    }
    assert_eq!(payload(&tier, 1), None);
    put(&tier, &stage.entry(2, "2")).unwrap();
    assert_eq!(payload(&tier, 2).unwrap(), "2");
    assert_eq!(payload(&stage.tier(), 2).unwrap(), "2");
    // The whole folder.
    fs::remove_dir_all(stage.folder.path()).unwrap();
    assert_eq!(payload(&tier, 2), None);
    put(&tier, &stage.entry(3, "3")).unwrap();
    assert_eq!(payload(&tier, 3).unwrap(), "3");
}

#[test]
fn each_thread_of_a_crowd_waits_once_and_no_longer_than_its_deadline() {
    let stage = Stage::new();
    let tier = stage.tier();
    put(&tier, &stage.entry(1, "1")).unwrap();
    let other = stage.raw();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let entry = stage.entry(2, "2");
    let timed = |deadline: Deadline| {
        let start = Instant::now();
        let error = tier.put(&entry, deadline).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Timeout, "{error}");
        start.elapsed()
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let took = timed(Deadline::NONE);
                // 200 ms, with slack for a busy machine: not eight times as long.
                assert!(took < Duration::from_millis(1_000), "{took:?}");
            });
        }
    });
    assert!(timed(Deadline::NONE) >= Duration::from_millis(190));
    let took = timed(Deadline::after(Duration::from_millis(20)));
    assert!(took < Duration::from_millis(190), "{took:?}");
    // Readers do not wait for a writer.
    assert_eq!(payload(&tier, 1).unwrap(), "1");
    other.execute_batch("ROLLBACK").unwrap();
    put(&tier, &entry).unwrap();
}

#[test]
fn a_lease_expires_and_its_token_grows() {
    let stage = Stage::new();
    let (one, other) = (stage.tier(), stage.tier());
    let first = held(&one, 1);
    assert!(is_busy(&other, 1));
    stage.clock.advance(HOUR);
    let second = held(&other, 1);
    assert!(second.token() > first.token());
    // The end of the first lease is not the end of the second.
    drop(first);
    assert!(is_busy(&one, 1));
    let token = second.token();
    drop(second);
    let third = held(&other, 1);
    assert!(third.token() > token);
    // A clock that steps back does not make it last.
    stage.clock.set(stage.clock.now() - HOUR);
    assert!(held(&other, 1).token() > third.token());
}

#[test]
fn a_holder_stores_after_its_lease_expired_unless_a_later_one_has_stored() {
    let stage = Stage::new();
    let tier = stage.tier();
    let leases = tier.coordinator().unwrap();
    let put = |entry: &Entry, guard: &LeaseGuard| {
        let token = guard.token().unwrap();
        leases.put_if_current(entry, token, Deadline::NONE).unwrap()
    };
    let early = held(&tier, 1);
    stage.clock.advance(HOUR);
    let late = held(&tier, 1);
    // Else a value that takes longer than a lease would never be stored.
    let written = put(&stage.entry(1, "early"), &early);
    assert!(matches!(written, Written::Stored { .. }));
    stage.clock.advance(Duration::from_secs(1));
    let written = put(&stage.entry(1, "late"), &late);
    assert!(matches!(written, Written::Stored { .. }));
    stage.clock.advance(Duration::from_secs(1));
    let written = put(&stage.entry(1, "early again"), &early);
    assert!(matches!(written, Written::Superseded(_)));
    assert_eq!(payload(&tier, 1).unwrap(), "late");
}

#[test]
fn an_ended_lease_is_remembered_for_an_hour() {
    let stage = Stage::new();
    let tier = stage.tier();
    drop(held(&tier, 1));
    let open = held(&tier, 2);
    assert_eq!(stage.count("lease"), 2);
    tier.cleanup(stage.clock.now() + HOUR * 59 / 60).unwrap();
    assert_eq!(stage.count("lease"), 2);
    tier.cleanup(stage.clock.now() + HOUR).unwrap();
    assert_eq!(stage.count("lease"), 1, "the open one lasts an hour longer");
    tier.cleanup(stage.clock.now() + 2 * HOUR).unwrap();
    assert_eq!(stage.count("lease"), 0);
    drop(open);
}

#[test]
fn a_damaged_file_is_renamed_and_rebuilt() {
    let stage = Stage::new();
    let whole = stage.fill();
    let mut page = whole.clone();
    page[100..4_096].fill(0xff);
    let other = b"not a database, but something else".repeat(100);
    for bytes in [&other[..], &whole[..whole.len() / 2], &page] {
        stage.plant(bytes);
        stage.heals("damaged");
        let aside = stage.folder.path().join("cache.sqlite.damaged");
        assert_eq!(fs::read(&aside).unwrap(), bytes);
        fs::remove_file(aside).unwrap();
    }
    // A reader does it too.
    stage.plant(&[7; 5_000]);
    assert_eq!(payload(&stage.tier(), 1), None);
    assert!(stage.is_set_aside());
}

#[test]
fn a_file_damaged_under_open_connections_heals() {
    let stage = Stage::new();
    let mut damaged = stage.fill();
    let (ours, theirs) = (stage.tier(), stage.tier());
    assert!(payload(&ours, 1).is_some() && payload(&theirs, 1).is_some());
    damaged[4_096..].fill(0xff);
    stage.plant(&damaged);
    for tier in [&ours, &theirs] {
        let _ = get(tier, &key(1));
        let _ = tier.cleanup(stage.clock.now());
    }
    for tier in [&ours, &theirs] {
        stage.clock.advance(Duration::from_secs(1));
        put(tier, &stage.entry(1, "new")).unwrap();
        assert_eq!(payload(tier, 1).unwrap(), "new");
    }
    assert_eq!(payload(&ours, 1).unwrap(), "new");
}

#[test]
fn another_programs_database_is_left_as_it_is() {
    for schema in [
        "CREATE TABLE bookmarks (url TEXT)",
        "PRAGMA user_version = 7",
        "PRAGMA application_id = 99",
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, data BLOB)",
        "CREATE VIEW entry AS SELECT 1 AS id",
    ] {
        let stage = Stage::new();
        put(&stage.tier(), &stage.entry(1, "{}")).unwrap();
        stage.plant(b"");
        stage.raw().execute_batch(schema).unwrap();
        let before = fs::read(stage.path()).unwrap();
        let tier = stage.tier();
        let error = put(&tier, &stage.entry(1, "{}")).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Unsafe, "{schema}");
        assert_eq!(error.path(), Some(stage.path().as_path()));
        assert!(get(&tier, &key(1)).is_err());
        let status = tier.status();
        assert!(!status.ok && status.message.contains("another program"));
        assert_eq!(fs::read(stage.path()).unwrap(), before, "{schema}");
        assert!(!stage.is_set_aside());
    }
}

#[test]
fn a_newer_format_is_left_as_it_is_and_an_older_one_rebuilt() {
    let stage = Stage::new();
    stage.fill();
    let format = |number: i32| {
        let raw = stage.raw();
        raw.pragma_update(None, "user_version", number).unwrap();
    };
    format(2);
    let before = fs::read(stage.path()).unwrap();
    let tier = stage.tier();
    let error = put(&tier, &stage.entry(1, "{}")).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Unavailable);
    assert!(error.to_string().contains("format 2"), "{error}");
    assert!(!tier.status().ok);
    assert_eq!(fs::read(stage.path()).unwrap(), before);
    format(0);
    stage.heals("older");
    assert!(stage.is_set_aside());
}

#[test]
fn a_file_of_ours_with_another_schema_is_rebuilt() {
    for tampering in [
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
        "CREATE TABLE more (a)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON entry (key)",
        "DROP INDEX entry_by_age",
        "ALTER TABLE entry ADD COLUMN g INTEGER AS (bytes + 1)",
        "ALTER TABLE lease RENAME COLUMN until TO upto",
        "DROP TABLE lease; CREATE VIEW lease AS SELECT 1 AS token",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'BLOB', 'ANY')",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = CAST(sql AS BLOB) WHERE name = 'entry_by_age'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 2 WHERE rootpage > 0",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'entry_by_age'",
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'CREATE TABLE x (y')",
    ] {
        let stage = Stage::new();
        stage.fill();
        stage.raw().execute_batch(tampering).unwrap();
        stage.heals(tampering);
        assert!(stage.is_set_aside(), "{tampering}");
    }
}

#[test]
fn a_poisoned_row_is_refused_and_replaced() {
    for poison in [
        // Another entry's bytes, no entry, one beyond the bounds, one with a changed byte.
        "UPDATE entry SET data = (SELECT data FROM entry WHERE rowid = 2) WHERE rowid = 1",
        "UPDATE entry SET data = x'7b7d' WHERE rowid = 1",
        "UPDATE entry SET data = zeroblob(40000000) WHERE rowid = 1",
        "UPDATE entry SET data = CAST(replace(data, 'xxxx', 'xxyx') AS BLOB) WHERE rowid = 1",
    ] {
        let stage = Stage::new();
        stage.fill();
        stage.raw().execute_batch(poison).unwrap();
        let tier = stage.tier();
        let error = get(&tier, &key(0)).unwrap_err();
        assert!(!error.is_tier_failure(), "{poison}: {error}");
        put(&tier, &stage.entry(0, "new")).unwrap();
        assert_eq!(payload(&tier, 0).unwrap(), "new", "{poison}");
        assert!(!stage.is_set_aside(), "{poison}");
    }
    for poison in [
        "UPDATE entry SET namespace = '00000000000000000000000000000000' WHERE rowid = 1",
        "UPDATE entry SET written_at = 9223372036854775807, expires_at = 9223372036854775807 WHERE rowid = 1",
        "UPDATE entry SET bytes = 9223372036854775807 WHERE rowid < 4",
        "UPDATE entry SET key = char(0) || 'x' WHERE rowid = 1",
    ] {
        let stage = Stage::new();
        stage.fill();
        stage.raw().execute_batch(poison).unwrap();
        use_all(&stage, 3);
        stage.heals(poison);
        assert!(!stage.is_set_aside(), "{poison}");
    }
}

#[cfg(all(unix, not(portable_files)))]
#[test]
fn a_folder_or_a_file_that_others_can_change_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let stage = Stage::new();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = |what: &str| {
        let tier = stage.tier();
        let error = put(&tier, &stage.entry(1, "{}")).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Unsafe, "{what}: {error}");
        assert!(get(&tier, &key(1)).is_err(), "{what}");
        assert!(!tier.status().ok, "{what}");
    };
    stage.fill();
    mode(&stage.path(), 0o644);
    refused("a file that others may read");
    mode(&stage.path(), 0o600);
    mode(stage.folder.path(), 0o777);
    refused("a folder that others may write to");
    let trusting = SqliteOptions::new(stage.path()).trust_folder();
    let trusting = stage.tier_with(trusting, Codec::new(VERSION));
    assert!(payload(&trusting, 1).is_some(), "the operator trusts it");
    mode(stage.folder.path(), 0o700);
    let second = stage.folder.path().join("second");
    fs::hard_link(stage.path(), &second).unwrap();
    refused("a file with a second name");
    fs::remove_file(&second).unwrap();
    fs::rename(stage.path(), &second).unwrap();
    symlink(&second, stage.path()).unwrap();
    refused("a link");
    fs::remove_file(stage.path()).unwrap();
    fs::create_dir(stage.path()).unwrap();
    refused("a folder in the file's place");
    fs::remove_dir(stage.path()).unwrap();
    let path = stage.path();
    assert!(support::works(
        "mkfifo",
        &["-m", "600", path.to_str().unwrap()]
    ));
    refused("a FIFO in the file's place");
}

#[test]
fn an_oversized_file_is_used_all_the_same() {
    let stage = Stage::new();
    stage.fill();
    let file = fs::File::options().write(true).open(stage.path()).unwrap();
    file.set_len(10 << 30).unwrap();
    let tier = stage.tier();
    assert!(payload(&tier, 1).is_some());
    stage.clock.advance(Duration::from_secs(1));
    put(&tier, &stage.entry(1, "new")).unwrap();
    tier.cleanup(stage.clock.now()).unwrap();
    assert_eq!(payload(&tier, 1).unwrap(), "new");
}

/// Makes every call. A value that comes back is one that was written.
fn use_all(stage: &Stage, n: usize) {
    let tier = stage.tier();
    for n in 0..20 {
        if let Ok(Some(found)) = get(&tier, &key(n)) {
            let written = vec![b'x'; 3_000];
            assert_eq!(found.entry.payload(), &written, "another value");
        }
    }
    let visit = &mut |_| ControlFlow::Continue(());
    let _ = tier.scan(&namespace(), "", Deadline::NONE, visit);
    let _ = remove(&tier, &Pattern::glob("sqlite:test:1*"));
    let leases = tier.coordinator().unwrap();
    drop(leases.try_lease(&namespace(), &key(n), HOUR, Deadline::NONE));
    let _ = put(&tier, &stage.entry(n, vec![b'x'; 3_000]));
    let _ = tier.cleanup(stage.clock.now());
    let _ = tier.status();
}

#[test]
fn mutated_files_cause_no_panic_and_no_wrong_answer() {
    let rounds = usize::try_from(support::figure(10_000, 200)).unwrap();
    let stage = Stage::new();
    let whole = stage.fill();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    let (mut set_aside, mut left, mut slowest) = (0, 0, Duration::ZERO);
    for round in 0..rounds {
        let mut bytes = whole.clone();
        match round % 4 {
            // Bits anywhere; in the heads of pages, where they do most; a stretch; the end gone.
            0 => (0..=next(8)).for_each(|_| {
                let at = next(bytes.len());
                bytes[at] ^= 1 << next(8);
            }),
            1 => (0..=next(8)).for_each(|_| {
                let page = next(bytes.len() / 4_096) * 4_096;
                let at = page + next(if page == 0 { 200 } else { 64 });
                bytes[at] = u8::try_from(next(256)).unwrap();
            }),
            2 => {
                let (from, to) = (next(bytes.len()), next(bytes.len()));
                let length = next(5_000).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + length, to);
            }
            _ => bytes.truncate(next(bytes.len())),
        }
        let _ = fs::remove_file(stage.folder.path().join("cache.sqlite.damaged"));
        stage.plant(&bytes);
        let start = Instant::now();
        use_all(&stage, round % 20);
        slowest = slowest.max(start.elapsed());
        // The next start heals, unless the file now says that it is another program's, or of a newer
        // format, ours or SQLite's: such a file is left as it is.
        if let Err(error) = put(&stage.tier(), &stage.entry(5, vec![b'x'; 3_000])) {
            let is_left = error.kind() == TierErrorKind::Unsafe
                || ["newer", "unsupported file format"]
                    .iter()
                    .any(|why| error.to_string().contains(why));
            assert!(is_left, "{error}");
            left += 1;
        }
        set_aside += usize::from(stage.is_set_aside());
        if !stage.path().exists() {
            stage.plant(&whole);
        }
    }
    let counts = format!(
        "{rounds} files, {set_aside} set aside, {left} left as they were, slowest {slowest:?}"
    );
    count("sqlite, files mutated", counts);
}

#[derive(Debug, Clone)]
enum Call {
    Put(usize, u8, Vec<u8>),
    Remove(&'static str),
    Pass(u64),
    Cleanup,
    Reopen,
}

const GLOBS: [&str; 5] = [
    "*",
    "sqlite:test:1*",
    "sqlite:test:?",
    "s*:2",
    "sqlite:test:3",
];

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => (0..15_usize, 0..100_u8, proptest::collection::vec(any::<u8>(), 0..6_000))
            .prop_map(|(n, minutes, bytes)| Call::Put(n, minutes, bytes)),
        2 => proptest::sample::select(&GLOBS[..]).prop_map(Call::Remove),
        1 => (0..90_u64).prop_map(Call::Pass),
        1 => Just(Call::Cleanup),
        1 => Just(Call::Reopen),
    ]
}

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(support::figure(500, 40) as u32)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_history_is_that_of_a_map(calls in proptest::collection::vec(call(), 1..40)) {
        let stage = Stage::new();
        let mut tier = stage.tier();
        let mut map: BTreeMap<Key, Entry> = BTreeMap::new();
        for call in calls {
            let now = stage.clock.now();
            match call {
                Call::Put(n, age, bytes) => {
                    let written_at = now - Duration::from_secs(60) * age.into();
                    let entry = conformance::entry(namespace(), &key(n), bytes, written_at, HOUR);
                    let newer = map.get(&key(n)).filter(|stored| {
                        stored.envelope().supersedes(entry.envelope(), now)
                    });
                    match (put(&tier, &entry).unwrap(), newer) {
                        (Written::Stored { .. }, None) => drop(map.insert(key(n), entry)),
                        (Written::Superseded(by), Some(newer)) => prop_assert_eq!(&by, newer),
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                Call::Remove(glob) => {
                    let pattern = Pattern::glob(glob);
                    let before = map.len();
                    map.retain(|key, _| !pattern.matches(key));
                    let removed = remove(&tier, &pattern).unwrap();
                    prop_assert_eq!(removed, (before - map.len()) as u64);
                }
                Call::Pass(minutes) => stage.clock.advance(Duration::from_secs(60 * minutes)),
                Call::Cleanup => {
                    let before = map.len();
                    map.retain(|_, entry| !entry.envelope().is_expired(now));
                    prop_assert_eq!(tier.cleanup(now).unwrap(), (before - map.len()) as u64);
                }
                Call::Reopen => tier = stage.tier(),
            }
            for n in 0..15 {
                let found = get(&tier, &key(n)).unwrap().map(|found| found.entry);
                prop_assert_eq!(found.as_ref(), map.get(&key(n)));
            }
            prop_assert_eq!(tier.status().entries, Some(map.len() as u64));
        }
    }

    #[test]
    fn keys_are_values_and_never_sql(parts in proptest::array::uniform3("\\PC{0,120}"), glob in "[\\PC*?]{0,20}") {
        let stage = Stage::new();
        let tier = stage.tier();
        let key = Key::new(&parts[0], &parts[1], &parts[2]);
        let entry = conformance::entry(namespace(), &key, "{}", stage.clock.now(), HOUR);
        put(&tier, &entry).unwrap();
        prop_assert_eq!(get(&tier, &key).unwrap().map(|found| found.entry), Some(entry));
        let pattern = Pattern::glob(&glob);
        let removed = remove(&tier, &pattern).unwrap();
        prop_assert_eq!(removed, u64::from(pattern.matches(&key)));
    }
}
