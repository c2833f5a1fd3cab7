//! The tier against the suite of all tiers, and against its own promises.

mod hostile;
mod leases;
mod properties;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{Envelope, Horizons, ManualClock};

const HOUR: Duration = Duration::from_secs(3600);

struct Stage {
    clock: ManualClock,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        Self {
            clock: ManualClock::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("cache.sqlite")
    }

    fn tier(&self) -> SqliteTier {
        self.tier_of(env!("CARGO_PKG_VERSION"))
    }

    fn tier_of(&self, version: &str) -> SqliteTier {
        SqliteTier::new(self.path(), Codec::new(version)).with_clock(Arc::new(self.clock.clone()))
    }

    fn entry(&self, n: usize, payload: impl Into<Bytes>) -> Entry {
        entry(ns(), &key(n), payload, self.clock.now(), HOUR)
    }

    /// The file, as another program opens it.
    fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// The names in the folder.
    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|item| item.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }
}

fn ns() -> Namespace {
    Namespace::of(["sqlite"])
}

fn key(n: usize) -> Key {
    Key::new("sqlite", "test", &n.to_string())
}

fn entry(
    namespace: Namespace,
    key: &Key,
    payload: impl Into<Bytes>,
    written_at: SystemTime,
    keep_for: Duration,
) -> Entry {
    let horizons = Horizons {
        fresh_for: keep_for / 2,
        keep_for,
    };
    let envelope = Envelope {
        key: key.clone(),
        namespace,
        written_at,
        horizons,
        source: "suite".into(),
        package_version: env!("CARGO_PKG_VERSION").into(),
    };
    Entry::new(envelope, payload.into())
}

fn payload(tier: &SqliteTier, n: usize) -> Option<Bytes> {
    let found = tier.get(&ns(), &key(n)).unwrap()?;
    Some(found.entry.payload().clone())
}

#[test]
fn nothing_is_made_before_something_is_written() {
    let stage = Stage::new();
    let path = stage.folder.path().join("new").join("cache.sqlite");
    let tier = SqliteTier::new(&path, Codec::new(env!("CARGO_PKG_VERSION")));
    assert_eq!(payload(&tier, 1), None);
    assert_eq!(tier.size().unwrap(), Size::default());
    assert_eq!(tier.clear(&ns()).unwrap(), 0);
    assert_eq!(tier.cleanup(stage.clock.now()).unwrap(), 0);
    tier.scan(&ns(), "", &mut |_| panic!("there is nothing"))
        .unwrap();
    assert!(
        tier.get_many(&ns(), &[key(1)])[0]
            .as_ref()
            .unwrap()
            .is_none()
    );
    let health = tier.health();
    assert!(
        health.ok && health.message.contains("not yet made"),
        "{health:?}"
    );
    assert!(stage.files().is_empty(), "{:?}", stage.files());

    tier.put(&stage.entry(1, "{}")).unwrap();
    assert!(path.is_file());
    let health = tier.health();
    assert!(
        health.ok && health.message.contains("write-ahead"),
        "{health:?}"
    );
}

#[cfg(unix)]
#[test]
fn files_are_private_whatever_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new();
    let tier = stage.tier();
    tier.put(&stage.entry(1, "{}")).unwrap();
    let names = stage.files();
    assert!(names.contains(&"cache.sqlite-wal".to_owned()), "{names:?}");
    for name in names {
        let meta = stage.folder.path().join(&name).metadata().unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o600, "{name}");
    }
}

#[test]
fn what_was_written_later_stays() {
    let stage = Stage::new();
    let (ours, theirs) = (stage.tier(), stage.tier());
    let older = stage.entry(1, "older");
    stage.clock.advance(Duration::from_secs(1));
    let newer = stage.entry(1, "newer");
    theirs.put(&newer).unwrap();
    let receipt = ours.put(&older).unwrap();
    assert_eq!(receipt.superseded_by, Some(newer));
    assert_eq!(payload(&ours, 1).unwrap(), "newer");
    // One from too far ahead is not believed.
    stage.clock.advance(HOUR / 4);
    theirs.put(&stage.entry(1, "the future")).unwrap();
    stage.clock.set(stage.clock.now() - HOUR / 4);
    assert!(
        ours.put(&stage.entry(1, "now"))
            .unwrap()
            .superseded_by
            .is_none()
    );
    assert_eq!(payload(&ours, 1).unwrap(), "now");
}

#[test]
fn versions_share_a_file_and_no_row() {
    let stage = Stage::new();
    let (old, new) = (stage.tier_of("7.1.0"), stage.tier_of("7.2.3"));
    let entry = |version: &str| {
        let entry = stage.entry(1, version.to_owned());
        let (envelope, payload) = entry.into_parts();
        let envelope = crate::Envelope {
            package_version: version.into(),
            ..(*envelope).clone()
        };
        Entry::new(envelope, payload)
    };
    old.put(&entry("7.1.0")).unwrap();
    assert_eq!(payload(&new, 1), None);
    new.put(&entry("7.2.3")).unwrap();
    assert_eq!(payload(&old, 1).unwrap(), "7.1.0");
    assert_eq!(payload(&new, 1).unwrap(), "7.2.3");
    assert_eq!(new.clear(&ns()).unwrap(), 1);
    assert_eq!(payload(&old, 1).unwrap(), "7.1.0");
    let reads_both = SqliteTier::new(stage.path(), Codec::new("7.2.0").also_reads(["7.1"]));
    assert_eq!(payload(&reads_both, 1).unwrap(), "7.1.0");
    // Who reads it may forget it.
    assert!(reads_both.remove(&ns(), &key(1)).unwrap());
    assert_eq!(payload(&old, 1), None);
}

#[test]
fn the_oldest_make_room() {
    let stage = Stage::new();
    let tier = stage.tier().with_max_bytes(100_000);
    for n in 0..40 {
        tier.put(&stage.entry(n, vec![1; 10_000])).unwrap();
        stage.clock.advance(Duration::from_secs(1));
    }
    let size = tier.size().unwrap();
    // Over the bound by what may be written between two looks.
    assert!(size.bytes <= 100_000 + 2 * 11_000, "{size:?}");
    assert_eq!(tier.evictions() + size.entries, 40);
    assert!(payload(&tier, 39).is_some() && payload(&tier, 0).is_none());
    let error = tier.put(&stage.entry(1, vec![1; 100_001])).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
    assert_eq!(
        stage
            .raw()
            .query_row("SELECT count(*) FROM value", (), |row| row.get::<_, i64>(0))
            .unwrap(),
        i64::try_from(size.entries).unwrap()
    );
}

#[test]
fn one_entry_too_large_does_not_hold_up_the_others() {
    let stage = Stage::new();
    let tier = SqliteTier::new(
        stage.path(),
        Codec::new(env!("CARGO_PKG_VERSION")).with_max_len(2_000),
    );
    let put = tier.put_many(&[
        stage.entry(1, "1"),
        stage.entry(2, vec![0; 3_000]),
        stage.entry(3, "3"),
    ]);
    assert!(put[0].is_ok() && put[2].is_ok());
    assert_eq!(put[1].as_ref().unwrap_err().kind(), TierErrorKind::TooLarge);
    assert!(
        payload(&tier, 1).is_some() && payload(&tier, 2).is_none() && payload(&tier, 3).is_some()
    );
}

#[test]
fn reads_are_counted_and_told_to_other_processes() {
    let stage = Stage::new();
    let tier = stage.tier();
    tier.put(&stage.entry(1, "1")).unwrap();
    stage.clock.advance(Duration::from_secs(5));
    for _ in 0..3 {
        assert!(payload(&tier, 1).is_some());
    }
    let read_at = stage.clock.now();
    drop(tier);
    let mut seen = Vec::new();
    let visit = &mut |listed: Listed| {
        seen.push((listed.accesses, listed.last_access));
        ControlFlow::Continue(())
    };
    stage.tier().scan(&ns(), "", visit).unwrap();
    assert_eq!(seen, [(Some(3), Some(read_at))]);
    // A new value has not been read yet.
    let tier = stage.tier();
    tier.put(&stage.entry(1, "2")).unwrap();
    tier.scan(&ns(), "", &mut |listed| {
        assert_eq!((listed.accesses, listed.last_access), (Some(0), None));
        ControlFlow::Continue(())
    })
    .unwrap();
}

#[test]
fn a_scan_of_many_lets_others_write_meanwhile() {
    let stage = Stage::new();
    let tier = stage.tier();
    let entries: Vec<_> = (0..600).map(|n| stage.entry(n, "{}")).collect();
    assert!(tier.put_many(&entries).iter().all(Result::is_ok));
    let mut seen = std::collections::BTreeSet::new();
    tier.scan(&ns(), "sqlite:test:", &mut |listed| {
        tier.put(&stage.entry(1_000, "{}")).unwrap();
        assert!(seen.insert(listed.envelope.key.clone()), "twice");
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(
        entries
            .iter()
            .all(|entry| seen.contains(&entry.envelope().key))
    );
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::glob("sqlite:test:1*"))
            .unwrap(),
        112
    );
}

#[test]
fn the_file_may_vanish_or_be_replaced_while_it_is_open() {
    let stage = Stage::new();
    let tier = stage.tier();
    tier.put(&stage.entry(1, "1")).unwrap();
    for name in stage.files() {
        std::fs::remove_file(stage.folder.path().join(name)).unwrap();
    }
    assert_eq!(payload(&tier, 1), None);
    tier.put(&stage.entry(2, "2")).unwrap();
    assert_eq!(payload(&tier, 2).unwrap(), "2");
    assert_eq!(payload(&stage.tier(), 2).unwrap(), "2");
    // The whole folder.
    std::fs::remove_dir_all(stage.folder.path()).unwrap();
    assert_eq!(payload(&tier, 2), None);
    tier.put(&stage.entry(3, "3")).unwrap();
    assert_eq!(payload(&tier, 3).unwrap(), "3");
}

#[test]
fn a_crowd_of_threads_is_told_no_in_time() {
    let stage = Stage::new();
    let tier = stage.tier();
    tier.put(&stage.entry(1, "1")).unwrap();
    let other = stage.raw();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let entry = stage.entry(2, "2");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let start = std::time::Instant::now();
                let error = tier.put(&entry).unwrap_err();
                assert_eq!(error.kind(), TierErrorKind::Timeout, "{error}");
                // 200 ms, and slack for a busy machine: not eight times as long.
                assert!(
                    start.elapsed() < Duration::from_millis(1_000),
                    "{:?}",
                    start.elapsed()
                );
            });
        }
    });
    // Readers do not wait for a writer.
    assert_eq!(payload(&tier, 1).unwrap(), "1");
    other.execute_batch("ROLLBACK").unwrap();
    tier.put(&entry).unwrap();
}
