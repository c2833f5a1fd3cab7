//! The numbered properties of seed 000, a cache with fallback locations, on the file tier. Each runs 100
//! cases, in the long lane 1,000, and `PROPTEST_CASES` where it is set.
#![cfg(all(unix, not(portable_files), feature = "files"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bedrock_catalog_cache::{
    Clock, Codec, Entry, FileTier, FilesOptions, ManualClock, Namespace, Tier,
};
use proptest::prelude::*;
use support::{
    HOUR, file_in, get, key, logs, put, read_text, stored, text_entry, tier_on, tier_with,
};

fn cases() -> ProptestConfig {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return ProptestConfig::default();
    }
    ProptestConfig::with_cases(support::figure(1_000, 100) as u32)
}

struct Stage {
    _root: tempfile::TempDir,
    folders: Vec<PathBuf>,
    clock: ManualClock,
    tier: FileTier,
}

impl Stage {
    fn new(count: usize) -> Self {
        let root = support::fast_tempdir();
        let folder = |index: usize| root.path().join(format!("location-{index}"));
        let folders: Vec<_> = (0..count).map(folder).collect();
        let clock = ManualClock::new();
        let tier = tier_on(&clock, &folders);
        Self {
            _root: root,
            folders,
            clock,
            tier,
        }
    }

    fn only(&self, index: usize) -> FileTier {
        tier_on(&self.clock, &self.folders[index..=index])
    }

    fn entry(&self, text: &str) -> Entry {
        text_entry(&key(), text, self.clock.now())
    }

    /// The location that a path is in.
    fn location_of(&self, path: &Path) -> usize {
        let is_in = |folder: &PathBuf| path.starts_with(folder);
        self.folders.iter().position(is_in).unwrap()
    }
}

/// The entry in a location before the test.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    Nothing,
    Valid,
    CutOff,
    Flipped,
    Expired,
    OtherNamespace,
    OtherVersion,
    Empty,
}

fn any_stored() -> impl Strategy<Value = Stored> {
    prop_oneof![
        Just(Stored::Nothing),
        Just(Stored::Valid),
        Just(Stored::CutOff),
        Just(Stored::Flipped),
        Just(Stored::Expired),
        Just(Stored::OtherNamespace),
        Just(Stored::OtherVersion),
        Just(Stored::Empty),
    ]
}

fn invalid() -> impl Strategy<Value = Stored> {
    any_stored().prop_filter("invalid", |stored| *stored != Stored::Valid)
}

/// Prepares a location.
fn prepare(stage: &Stage, index: usize, state: Stored, text: &str) {
    let written_at = match state {
        Stored::Expired => stage.clock.now() - 25 * HOUR,
        _ => stage.clock.now(),
    };
    let entry = text_entry(&key(), text, written_at);
    let (path, _) = stored(put(&stage.only(index), &entry).unwrap());
    let bytes = fs::read(&path).unwrap();
    match state {
        Stored::Valid | Stored::Expired => {}
        Stored::Nothing => fs::remove_file(&path).unwrap(),
        Stored::Empty => fs::write(&path, "").unwrap(),
        Stored::CutOff => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
        Stored::Flipped => {
            let mut bytes = bytes;
            let last = bytes.len() - 2;
            bytes[last] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
        Stored::OtherNamespace | Stored::OtherVersion => {
            let (mut envelope, payload) = (entry.envelope().clone(), entry.payload().clone());
            if state == Stored::OtherNamespace {
                envelope.namespace = Namespace::of(["other"]);
            } else {
                envelope.package_version = "0.2.0".into();
            }
            let other = Entry::new(envelope, payload);
            let bytes = Codec::new("0.2.0").encode(&other).unwrap().bytes;
            fs::write(&path, bytes).unwrap();
        }
    }
}

/// An obstacle to a write in a location.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Obstacle {
    None,
    /// A file in the place of the location.
    File,
    /// The location is open to other users.
    Mode,
    /// A folder in the place of the lock: the system refuses to open it.
    Lock,
    /// A folder in the place of the entry: the system refuses to rename.
    Entry,
}

fn obstacle() -> impl Strategy<Value = Obstacle> {
    prop_oneof![
        Just(Obstacle::None),
        Just(Obstacle::File),
        Just(Obstacle::Mode),
        Just(Obstacle::Lock),
        Just(Obstacle::Entry),
    ]
}

fn obstruct(folder: &Path, obstacle: Obstacle) {
    let inner = file_in(folder).parent().unwrap().to_path_buf();
    let private = |path: &Path| {
        for folder in path
            .ancestors()
            .take_while(|path| *path != folder.parent().unwrap())
        {
            fs::set_permissions(folder, Permissions::from_mode(0o700)).unwrap();
        }
    };
    match obstacle {
        Obstacle::None => {}
        Obstacle::File => fs::write(folder, "").unwrap(),
        Obstacle::Mode => {
            fs::create_dir(folder).unwrap();
            fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
        }
        Obstacle::Lock => {
            fs::create_dir_all(inner.join("lock")).unwrap();
            private(&inner);
        }
        Obstacle::Entry => {
            fs::create_dir_all(file_in(folder)).unwrap();
            private(&inner);
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn property_000_1_write_location_priority(count in 1_usize..5, text in "[a-z]{0,40}") {
        let stage = Stage::new(count);
        let (path, failed) = stored(put(&stage.tier, &stage.entry(&text)).unwrap());
        prop_assert_eq!(stage.location_of(&path), 0);
        prop_assert!(failed.is_empty());
        for folder in &stage.folders[1..] {
            prop_assert!(!folder.exists(), "the others are not touched");
        }
    }

    #[test]
    fn property_000_2_read_location_priority(states in prop::collection::vec(any_stored(), 1..5)) {
        let stage = Stage::new(states.len());
        for (index, state) in states.iter().enumerate() {
            prepare(&stage, index, *state, &format!("from {index}"));
        }
        let found = get(&stage.tier, &key());
        match states.iter().position(|state| *state == Stored::Valid) {
            Some(first) => {
                let found = found.unwrap().unwrap();
                prop_assert_eq!(stage.location_of(&found.path.unwrap()), first);
                prop_assert_eq!(found.entry, stage.entry(&format!("from {first}")));
            }
            // The cache judges an expired entry.
            None => if let Ok(Some(found)) = found {
                prop_assert!(found.entry.envelope().is_expired(stage.clock.now()));
            },
        }
    }

    #[test]
    fn property_000_3_read_failure_is_a_miss(states in prop::collection::vec(invalid(), 0..5)) {
        let stage = Stage::new(states.len());
        for (index, state) in states.iter().enumerate() {
            prepare(&stage, index, *state, "invalid");
        }
        let (found, lines) = logs::captured(|| get(&stage.tier, &key()));
        if let Ok(Some(found)) = found {
            prop_assert!(found.entry.envelope().is_expired(stage.clock.now()));
        }
        let misses = lines.iter().filter(|line| line.level == tracing::Level::DEBUG).count();
        prop_assert_eq!(misses, states.len(), "one line per location: {:?}", lines);
    }

    #[test]
    fn property_000_8_a_later_patch_reads_the_file(patch in 0_u32..1_000, text in any::<String>()) {
        let stage = Stage::new(1);
        let written = stage.entry(&text);
        put(&stage.tier, &written).unwrap();
        let options = FilesOptions::in_folders(&stage.folders);
        let later = tier_with(&stage.clock, options, &format!("0.1.{patch}"));
        prop_assert_eq!(get(&later, &key()).unwrap().unwrap().entry, written);
        prop_assert!(file_in(&stage.folders[0]).is_file(), "the path is part of the format");
    }

    #[test]
    fn property_000_9_primary_location_wins(newer_by in 1_u64..80_000) {
        let stage = Stage::new(2);
        put(&stage.only(0), &stage.entry("primary")).unwrap();
        stage.clock.advance(std::time::Duration::from_secs(newer_by));
        put(&stage.only(1), &stage.entry("newer fallback")).unwrap();
        let (found, lines) = logs::captured(|| read_text(&stage.tier));
        prop_assert_eq!(found.as_deref(), Some("primary"));
        prop_assert_eq!(lines.len(), 1, "the fallback is not read: {:?}", lines);
    }

    #[test]
    fn property_000_10_log_messages_include_paths(
        states in prop::collection::vec((any_stored(), obstacle()), 1..4),
    ) {
        let stage = Stage::new(states.len());
        for (index, (state, obstacle)) in states.iter().enumerate() {
            match obstacle {
                Obstacle::None => prepare(&stage, index, *state, "x"),
                _ => obstruct(&stage.folders[index], *obstacle),
            }
        }
        let ((), lines) = logs::captured(|| {
            let _ = get(&stage.tier, &key());
            let _ = put(&stage.tier, &stage.entry("new"));
            let _ = stage.tier.cleanup(stage.clock.now());
            let _ = get(&stage.tier, &key());
        });
        prop_assert!(!lines.is_empty());
        for line in &lines {
            let path = line.path.as_deref().unwrap_or_default();
            let is_known = stage.folders.iter().any(|folder| path.starts_with(folder.to_str().unwrap()));
            prop_assert!(is_known, "{line:?}");
            prop_assert!(!line.text.contains(key().as_str()), "the key is not logged: {line:?}");
        }
    }

    #[test]
    fn property_000_11_a_write_never_panics_and_names_what_failed(
        obstacles in prop::collection::vec(obstacle(), 0..5),
    ) {
        let stage = Stage::new(obstacles.len());
        for (folder, obstacle) in stage.folders.iter().zip(&obstacles) {
            obstruct(folder, *obstacle);
        }
        match put(&stage.tier, &stage.entry("new")) {
            Ok(written) => {
                let (path, failed) = stored(written);
                let first = obstacles.iter().position(|obstacle| *obstacle == Obstacle::None);
                prop_assert_eq!(Some(stage.location_of(&path)), first);
                prop_assert_eq!(read_text(&stage.tier), Some("new".to_owned()));
                prop_assert!(failed.iter().all(|error| error.path().is_some()));
            }
            Err(error) => {
                prop_assert!(!obstacles.contains(&Obstacle::None));
                prop_assert!(error.path().is_some() || obstacles.is_empty());
            }
        }
    }

    #[test]
    fn property_000_12_file_system_failures_are_reported(
        obstacle in obstacle().prop_filter("one", |obstacle| *obstacle != Obstacle::None),
    ) {
        let stage = Stage::new(2);
        obstruct(&stage.folders[0], obstacle);
        let (path, failed) = stored(put(&stage.tier, &stage.entry("new")).unwrap());
        prop_assert_eq!(stage.location_of(&path), 1);
        prop_assert_eq!(failed.len(), 1);
        prop_assert!(failed[0].path().unwrap().starts_with(&stage.folders[0]));
        let cause = match obstacle {
            Obstacle::None => unreachable!(),
            Obstacle::File => "it is not a folder",
            Obstacle::Mode => "its mode is 0777",
            Obstacle::Lock => "it is not a regular file",
            Obstacle::Entry => "os error",
        };
        prop_assert!(failed[0].to_string().contains(cause), "{}", failed[0]);
    }

    #[test]
    fn property_000_13_the_fallback_chain_continues(blocked in prop::collection::vec(any::<bool>(), 1..6)) {
        let stage = Stage::new(blocked.len());
        for (folder, blocked) in stage.folders.iter().zip(&blocked) {
            if *blocked {
                obstruct(folder, Obstacle::File);
            }
        }
        let (result, lines) = logs::captured(|| put(&stage.tier, &stage.entry("new")));
        match blocked.iter().position(|blocked| !blocked) {
            Some(first) => {
                let (path, failed) = stored(result.unwrap());
                prop_assert_eq!(failed.len(), first);
                prop_assert_eq!(stage.location_of(&path), first);
                for (folder, blocked) in stage.folders.iter().zip(&blocked).skip(first + 1) {
                    prop_assert!(*blocked || !folder.exists(), "nothing after the first success");
                }
            }
            None => {
                prop_assert!(result.is_err());
                prop_assert_eq!(lines.len(), blocked.len() - 1, "one line for each but the result: {:?}", lines);
            }
        }
    }
}
