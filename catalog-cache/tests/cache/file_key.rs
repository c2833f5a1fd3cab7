//! Entries made from a file: valid while the file is unchanged, removed from every tier when it changes.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::stage::{DAY, Stage, ns, options};

/// The size from which a file is no longer hashed whole.
const LARGE: u64 = 1 << 20;

/// The content of a file: a few bytes, or one byte in very many.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Content {
    Small(Vec<u8>),
    Large { size: u64, at: u64, byte: u8 },
}

fn content() -> impl Strategy<Value = Content> {
    let large = (LARGE + 1..LARGE * 2, 0..4_u64, 1..=u8::MAX).prop_map(|(size, part, byte)| {
        // In the first, the middle or the last chunk, the ends included.
        let at = [0, size / 2, size / 2 + 1_000, size - 1][part as usize];
        Content::Large { size, at, byte }
    });
    prop_oneof![vec(any::<u8>(), 0..100).prop_map(Content::Small), large]
}

impl Content {
    /// Writes it, with a modification time on this day of 2026.
    fn write(&self, path: &Path, day: u32) {
        let mut file = File::create(path).unwrap();
        match self {
            Self::Small(bytes) => file.write_all(bytes).unwrap(),
            Self::Large { size, at, byte } => {
                file.set_len(*size).unwrap();
                file.seek(SeekFrom::Start(*at)).unwrap();
                file.write_all(&[*byte]).unwrap();
            }
        }
        let time = SystemTime::UNIX_EPOCH + DAY * (20_454 + day);
        file.set_modified(time).unwrap();
    }
}

proptest! {
    #[test]
    fn property_004_1_consistency_of_values_made_from_a_file(content in content(), made in vec(any::<u8>(), 0..50), purpose in any::<String>()) {
        let stage = Stage::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        content.write(&file, 1);
        prop_assert!(stage.cache.get_for_file(&file, &purpose).is_missing());
        stage.cache.put_for_file(&file, &purpose, made.clone(), &options());
        let hit = stage.cache.get_for_file(&file, &purpose).into_hit();
        prop_assert_eq!(hit.map(|hit| hit.data.to_vec()), Some(made.clone()));
        // Written again as it was, it is unchanged.
        content.write(&file, 1);
        let hit = stage.cache.get_for_file(&file, &purpose).into_hit();
        prop_assert_eq!(hit.map(|hit| hit.data.to_vec()), Some(made));
        let other_purpose = purpose + "!";
        prop_assert!(stage.cache.get_for_file(&file, &other_purpose).is_missing());
    }

    #[test]
    fn property_004_3_a_changed_file_is_forgotten_in_every_tier(one in content(), two in content()) {
        prop_assume!(one != two);
        let stage = Stage::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        one.write(&file, 1);
        let before = stage.cache.file_key(&file, "size");
        stage.cache.put(&before, "made of one", &options());
        two.write(&file, 1);
        prop_assert!(stage.cache.get_for_file(&file, "size").is_missing());
        prop_assert!(stage.cache.get(&before).is_missing());
        prop_assert!(stage.lower.iter().all(|tier| !tier.holds(&ns(), &before)));
    }

    /// A large file is not read whole, so its modification time counts, too.
    #[test]
    fn property_004_3_a_touched_large_file_is_forgotten(size in LARGE + 1..LARGE * 2, day in 2..300_u32) {
        let stage = Stage::new();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let content = Content::Large { size, at: 0, byte: 1 };
        content.write(&file, 1);
        stage.cache.put_for_file(&file, "p", "made", &options());
        let before = stage.cache.file_key(&file, "p");
        content.write(&file, day);
        prop_assert!(stage.cache.get_for_file(&file, "p").is_missing());
        prop_assert!(stage.lower.iter().all(|tier| !tier.holds(&ns(), &before)));
    }

    #[test]
    fn property_004_6_files_and_purposes_have_keys_of_their_own(
        one in content(), two in content(), purposes in ("[ab:]{0,3}", "[ab:]{0,3}"), days in (1..3_u32, 1..3_u32),
    ) {
        let stage = Stage::new();
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        one.write(&first, days.0);
        two.write(&second, days.1);
        let key = |file: &Path, purpose: &str| stage.cache.file_key(file, purpose);
        let is_large = matches!(one, Content::Large { .. });
        let same = one == two && purposes.0 == purposes.1 && (!is_large || days.0 == days.1);
        prop_assert_eq!(key(&first, &purposes.0) == key(&second, &purposes.1), same);
    }
}

#[test]
fn a_small_file_cannot_be_written_that_has_the_key_of_a_large_one() {
    let folder = tempfile::tempdir().unwrap();
    let (big, small) = (folder.path().join("big"), folder.path().join("small"));
    fs::write(&big, vec![7; 2 << 20]).unwrap();
    let meta = big.metadata().unwrap();
    let mut content = meta.len().to_le_bytes().to_vec();
    content.extend(
        meta.modified()
            .unwrap()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_nanos()
            .to_le_bytes(),
    );
    content.extend(vec![7; 3 * (64 << 10)]);
    fs::write(&small, content).unwrap();
    let stage = Stage::new();
    assert_ne!(
        stage.cache.file_key(&big, "p"),
        stage.cache.file_key(&small, "p")
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_has_a_key_without_waiting_for_its_other_end() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let (pipe, other) = (folder.path().join("pipe"), folder.path().join("file"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    fs::write(&other, "x").unwrap();
    let key = stage.cache.file_key(&pipe, "p");
    assert_ne!(key, stage.cache.file_key(&other, "p"));
    assert_eq!(key, stage.cache.file_key(&pipe, "p"), "its path and time");
    // Swapped all the time: no opening waits at any moment.
    let spare = folder.path().join("spare");
    std::thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            for _ in 0..2_000 {
                for (from, to) in [
                    (&pipe, &spare),
                    (&other, &pipe),
                    (&pipe, &other),
                    (&spare, &pipe),
                ] {
                    fs::rename(from, to).unwrap();
                }
            }
        });
        while !swapper.is_finished() {
            let _ = stage.cache.file_key(&pipe, "p");
        }
    });
}

/// A file that cannot be read has a key of its path, so two such files do not share one.
#[test]
fn files_of_equal_content_share_an_entry_and_missing_files_do_not() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let [one, other, gone, away] = ["one", "other", "gone", "away"].map(|f| folder.path().join(f));
    fs::write(&one, "x").unwrap();
    fs::write(&other, "x").unwrap();
    stage.cache.put_for_file(&one, "p", "made", &options());
    assert!(stage.cache.get_for_file(&other, "p").is_fresh());
    fs::write(&one, "y").unwrap();
    assert!(stage.cache.get_for_file(&one, "p").is_missing());
    assert!(stage.cache.get_for_file(&other, "p").is_missing());
    stage.cache.put_for_file(&gone, "p", "made", &options());
    assert!(stage.cache.get_for_file(&gone, "p").is_fresh());
    assert!(stage.cache.get_for_file(&away, "p").is_missing());
}

#[test]
fn a_read_for_a_file_counts_once() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    fs::write(&file, "x").unwrap();
    let _ = stage.cache.get_for_file(&file, "p");
    assert_eq!(stage.cache.statistics().requests(), 1);
}
