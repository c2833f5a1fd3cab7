//! Files that are damaged, tampered with, another program's or another version's.

use std::fs;

use super::*;

fn damaged_files(stage: &Stage) -> Vec<String> {
    let mut names = stage.files();
    names.retain(|name| name.contains("damaged"));
    names
}

/// A file with entries, all of it in the main file.
fn filled(stage: &Stage) -> Vec<u8> {
    let tier = stage.tier();
    for n in 0..20 {
        tier.put(&stage.entry(n, vec![b'x'; 3_000])).unwrap();
    }
    tier.cleanup(stage.clock.now()).unwrap();
    drop(tier);
    fs::read(stage.path()).unwrap()
}

fn plant(stage: &Stage, bytes: &[u8]) {
    for end in ["-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(format!("{}{end}", stage.path().display()));
    }
    // Over what is there, so that owner and mode stay.
    fs::write(stage.path(), bytes).unwrap();
}

/// Every call, on whatever is there; a value that comes back is one that was written.
fn use_all(stage: &Stage, n: usize) {
    let tier = stage.tier();
    for n in 0..20 {
        if let Ok(Some(found)) = tier.get(&ns(), &key(n)) {
            assert_eq!(
                found.entry.payload(),
                &vec![b'x'; 3_000],
                "accepted what was not written"
            );
        }
    }
    let _ = tier.scan(&ns(), "", &mut |_| ControlFlow::Continue(()));
    let _ = tier.invalidate(&ns(), &Pattern::glob("sqlite:test:1*"));
    let _ = tier.try_lease(&ns(), &key(n), Duration::ZERO, HOUR);
    let _ = tier.put(&stage.entry(n, vec![b'x'; 3_000]));
    let _ = tier.cleanup(stage.clock.now());
    let _ = tier.size();
    let _ = tier.health();
}

/// After the tier has looked at all of the file.
fn heals(stage: &Stage, what: &str) {
    let tier = stage.tier();
    let _ = tier.get(&ns(), &key(1));
    tier.cleanup(stage.clock.now()).unwrap();
    tier.put(&stage.entry(1, "new")).unwrap();
    assert_eq!(payload(&tier, 1).unwrap(), "new", "{what}");
    assert!(tier.health().ok, "{what}");
}

#[test]
fn a_damaged_file_is_set_aside_and_made_anew() {
    let stage = Stage::new();
    let whole = filled(&stage);
    let mut page = whole.clone();
    page[100..4_096].fill(0xff);
    let something_else = b"not a database, but something else".repeat(100);
    let all = [&something_else[..], &whole[..whole.len() / 2], &page];
    for (n, bytes) in all.into_iter().enumerate() {
        plant(&stage, bytes);
        heals(&stage, &n.to_string());
        assert_eq!(damaged_files(&stage).len(), n + 1);
    }
    // A bounded number is kept.
    for n in 0..3 {
        plant(&stage, &something_else);
        heals(&stage, &n.to_string());
    }
    assert_eq!(damaged_files(&stage).len(), place::KEPT);
}

#[test]
fn a_reader_sets_a_damaged_file_aside_too() {
    let stage = Stage::new();
    filled(&stage);
    plant(&stage, &[7; 5_000]);
    assert_eq!(payload(&stage.tier(), 1), None);
    assert_eq!(damaged_files(&stage), ["cache.sqlite.damaged-1"]);
    let kept = stage.folder.path().join("cache.sqlite.damaged-1");
    assert_eq!(fs::read(kept).unwrap(), [7; 5_000]);
}

#[test]
fn a_file_damaged_under_open_connections_heals() {
    let stage = Stage::new();
    let mut damaged = filled(&stage);
    let (ours, theirs) = (stage.tier(), stage.tier());
    assert!(payload(&ours, 1).is_some() && payload(&theirs, 1).is_some());
    damaged[4_096..].fill(0xff);
    plant(&stage, &damaged);
    for tier in [&ours, &theirs] {
        let _ = tier.get(&ns(), &key(1));
        let _ = tier.cleanup(stage.clock.now());
    }
    for tier in [&ours, &theirs] {
        tier.put(&stage.entry(1, "new")).unwrap();
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
        stage.tier().put(&stage.entry(1, "{}")).unwrap();
        plant(&stage, b"");
        stage.raw().execute_batch(schema).unwrap();
        let before = fs::read(stage.path()).unwrap();
        let tier = stage.tier();
        let error = tier.put(&stage.entry(1, "{}")).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Unsafe, "{schema}");
        assert_eq!(error.path(), Some(stage.path().as_path()));
        assert!(tier.get(&ns(), &key(1)).is_err());
        let health = tier.health();
        assert!(
            !health.ok && health.message.contains("another program"),
            "{health:?}"
        );
        assert_eq!(fs::read(stage.path()).unwrap(), before, "{schema}");
        assert_eq!(damaged_files(&stage).len(), 0);
    }
}

#[test]
fn a_newer_format_is_left_as_it_is_and_an_older_one_set_aside() {
    let stage = Stage::new();
    filled(&stage);
    let format = |number| {
        stage
            .raw()
            .pragma_update(None, "user_version", number)
            .unwrap()
    };
    format(schema::FORMAT + 1);
    let before = fs::read(stage.path()).unwrap();
    let tier = stage.tier();
    let error = tier.put(&stage.entry(1, "{}")).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Unavailable);
    let newer = format!("format {}", schema::FORMAT + 1);
    assert!(error.to_string().contains(&newer), "{error}");
    assert!(!tier.health().ok);
    assert_eq!(fs::read(stage.path()).unwrap(), before);
    format(0);
    heals(&stage, "older");
    assert_eq!(damaged_files(&stage).len(), 1);
}

/// What calls itself ours and has anything else in it is not used.
#[test]
fn a_schema_that_is_not_ours_to_the_letter_is_set_aside() {
    for tampering in [
        "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
        "CREATE TABLE more (a)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE INDEX i ON entry (key)",
        "DROP INDEX entry_by_age",
        "ALTER TABLE value ADD COLUMN g INTEGER AS (id + 1)",
        "ALTER TABLE lease RENAME COLUMN until TO upto",
        "DROP TABLE value; CREATE VIEW value AS SELECT 1 AS id, x'00' AS data",
        "DROP TABLE value; CREATE VIRTUAL TABLE value USING fts5(id, data)",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'BLOB', 'ANY')",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = CAST(sql AS BLOB) WHERE name = 'entry_by_age'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 2 WHERE rootpage > 0",
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'entry_by_age'",
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 0, 'CREATE TABLE x (y')",
    ] {
        let stage = Stage::new();
        filled(&stage);
        stage.raw().execute_batch(tampering).unwrap();
        heals(&stage, tampering);
        assert_eq!(damaged_files(&stage).len(), 1, "{tampering}");
    }
}

#[test]
fn a_poisoned_row_is_refused_and_cleaned_up() {
    for poison in [
        // Another entry's bytes, no entry at all, one beyond every bound, one with a changed byte.
        "UPDATE value SET data = (SELECT data FROM value WHERE id = 2) WHERE id = 1",
        "UPDATE value SET data = x'7b7d' WHERE id = 1",
        "UPDATE value SET data = zeroblob(40000000) WHERE id = 1",
        "UPDATE value SET data = CAST(replace(data, 'xxxx', 'xxyx') AS BLOB) WHERE id = 1",
        "DELETE FROM value WHERE id = 1",
        "UPDATE entry SET namespace = '00000000000000000000000000000000' WHERE id = 1",
        "UPDATE entry SET written_at = 9223372036854775807, expires_at = 9223372036854775807 WHERE id = 1",
        "UPDATE entry SET bytes = 9223372036854775807 WHERE id < 4",
        "UPDATE entry SET key = char(0) || 'x' WHERE id = 1",
    ] {
        let stage = Stage::new();
        filled(&stage);
        let raw = stage.raw();
        raw.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
        raw.execute_batch(poison).unwrap();
        drop(raw);
        use_all(&stage, 3);
        heals(&stage, poison);
        assert_eq!(damaged_files(&stage).len(), 0, "{poison}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_or_a_file_that_others_may_touch_is_not_used() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let stage = Stage::new();
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = |what: &str| {
        let tier = stage.tier();
        let error = tier.put(&stage.entry(1, "{}")).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Unsafe, "{what}: {error}");
        assert!(tier.get(&ns(), &key(1)).is_err(), "{what}");
        assert!(!tier.health().ok, "{what}");
    };
    filled(&stage);
    mode(&stage.path(), 0o644);
    refused("a file that others may read");
    mode(&stage.path(), 0o600);
    mode(stage.folder.path(), 0o777);
    refused("a folder that others may write to");
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
}

#[cfg(unix)]
#[test]
fn a_pipe_in_the_files_place_is_refused_at_once() {
    let stage = Stage::new();
    let mut mkfifo = std::process::Command::new("mkfifo");
    let made = mkfifo.args(["-m", "600"]).arg(stage.path()).status();
    if !made.is_ok_and(|status| status.success()) {
        let name = "a_pipe_in_the_files_place_is_refused_at_once";
        bedrock_catalog_test_support::skip(name, "there is no mkfifo");
        return;
    }
    assert!(stage.tier().put(&stage.entry(1, "{}")).is_err());
}

#[test]
fn a_file_beyond_the_bound_is_used_all_the_same() {
    let stage = Stage::new();
    filled(&stage);
    let file = fs::File::options().write(true).open(stage.path()).unwrap();
    file.set_len(10 << 30).unwrap();
    let tier = stage.tier();
    assert!(payload(&tier, 1).is_some());
    tier.put(&stage.entry(1, "new")).unwrap();
    tier.cleanup(stage.clock.now()).unwrap();
    assert_eq!(payload(&tier, 1).unwrap(), "new");
}

#[test]
fn mutated_files_never_panic_and_never_lie() {
    let long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1");
    let rounds = if long { 10_000 } else { 300 };
    let stage = Stage::new();
    let whole = filled(&stage);
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
        for name in damaged_files(&stage) {
            fs::remove_file(stage.folder.path().join(name)).unwrap();
        }
        plant(&stage, &bytes);
        let start = std::time::Instant::now();
        use_all(&stage, round % 20);
        slowest = slowest.max(start.elapsed());
        if round % 1_000 == 999 {
            println!("{} mutated files, slowest {slowest:?}", round + 1);
        }
        // The next start heals, unless the file now says that it is another program's, or of a newer
        // format, ours or SQLite's own: such a file is left as it is, and a person is told.
        if let Err(error) = stage.tier().put(&stage.entry(5, vec![b'x'; 3_000])) {
            let is_left = error.kind() == TierErrorKind::Unsafe
                || ["newer", "unsupported file format"]
                    .iter()
                    .any(|why| error.to_string().contains(why));
            assert!(is_left, "{error}");
            left += 1;
        }
        set_aside += damaged_files(&stage).len();
        if !stage.path().exists() {
            plant(&stage, &whole);
        }
    }
    let told = format!(
        "{rounds} files, {set_aside} set aside, {left} left as they were, slowest {slowest:?}"
    );
    bedrock_catalog_test_support::count("sqlite, files mutated", told);
}
