use std::time::SystemTime;

use super::Stage;

#[test]
fn a_small_file_cannot_be_written_that_has_the_key_of_a_large_one() {
    let folder = tempfile::tempdir().unwrap();
    let (big, small) = (folder.path().join("big"), folder.path().join("small"));
    std::fs::write(&big, vec![7; 2 << 20]).unwrap();
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
    std::fs::write(&small, content).unwrap();
    let stage = Stage::new();
    assert_ne!(
        stage.cache.file_key(&big, "p"),
        stage.cache.file_key(&small, "p")
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_has_a_key_and_nobody_waits_for_its_other_end() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let (pipe, other) = (folder.path().join("pipe"), folder.path().join("file"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    std::fs::write(&other, "x").unwrap();
    let key = stage.cache.file_key(&pipe, "p");
    assert_ne!(key, stage.cache.file_key(&other, "p"));
    assert_eq!(key, stage.cache.file_key(&pipe, "p"), "path and time serve");
    // Swapped for one another all the time: in whatever moment, no opening waits.
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
                    std::fs::rename(from, to).unwrap();
                }
            }
        });
        while !swapper.is_finished() {
            let _ = stage.cache.file_key(&pipe, "p");
        }
    });
}

#[test]
fn a_question_about_a_file_counts_once() {
    let stage = Stage::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f");
    std::fs::write(&file, "x").unwrap();
    let _ = stage.cache.get_for_file(&file, "p");
    assert_eq!(stage.cache.statistics().requests(), 1);
}
