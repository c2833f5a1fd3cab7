//! `check` and `build --check` fail for old, edited and incomplete bundles.

use std::fs;
use std::path::Path;

use bedrock_catalog_data::Timestamp;
use serde_json::Value;

use crate::{call, committed_catalog, contents, stage};

const DAY: i64 = 86_400;

/// The time of the recording plus some seconds.
fn after(seconds: i64) -> String {
    let observed_at = committed_catalog().observed_at().unix();
    Timestamp::from_unix(observed_at + seconds)
        .unwrap()
        .to_string()
}

/// The exit code of `check`, the kinds of problems, and the JSON document.
fn verdict(folder: &Path, words: &[&str]) -> (i32, Vec<String>, Value) {
    let call = call(
        folder,
        &[&["check", "--out", "data", "--json"], words].concat(),
    );
    let document: Value = serde_json::from_str(&call.stdout).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["age_seconds", "observed_at", "ok", "problems"]);
    assert_eq!(document["ok"] == true, call.code == 0);
    let problems = document["problems"].as_array().unwrap().iter();
    let kinds = problems.map(|problem| {
        assert!(!problem["message"].as_str().unwrap().is_empty());
        problem["kind"].as_str().unwrap().to_owned()
    });
    (call.code, kinds.collect(), document)
}

#[test]
fn the_age_is_measured_to_the_second() {
    let stage = stage();
    for (age, words, kinds) in [
        (0, &[][..], &[][..]),
        (29 * DAY + 23 * 3600, &[], &[]),
        (30 * DAY, &[], &[]),
        (30 * DAY + 1, &[], &["age"]),
        (-1, &[], &["future"]),
        (12 * 3600 + 1, &["--max-age", "12h"], &["age"]),
        (91, &["--max-age", "90s"], &["age"]),
    ] {
        let now = after(age);
        let (code, found, document) = verdict(stage.path(), &[&["--now", &now], words].concat());
        assert_eq!(found, kinds, "{age}");
        assert_eq!(code, i32::from(!kinds.is_empty()), "{age}");
        assert_eq!(document["age_seconds"], age);
        assert_eq!(document["observed_at"], after(0));
    }
}

#[test]
fn text_and_json_report_the_same_problems() {
    let stage = stage();
    let told = |age: i64| {
        call(
            stage.path(),
            &["check", "--out", "data", "--now", &after(age)],
        )
    };
    let fresh = told(29 * DAY);
    assert_eq!((fresh.code, &*fresh.stderr), (0, ""));
    assert!(fresh.stdout.starts_with("ok: "), "{}", fresh.stdout);
    let stale = told(31 * DAY);
    assert_eq!(stale.code, 1);
    assert!(stale.stderr.contains("cargo gen fetch"), "{}", stale.stderr);
}

#[test]
fn a_date_that_is_missing_or_edited_in_one_file_fails() {
    let now = after(0);
    let edit = |file: &str, from: &str, to: &str| {
        let stage = stage();
        let path = stage.path().join("data").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let before = contents(stage.path());
        let (code, kinds, _) = verdict(stage.path(), &["--now", &now]);
        assert_eq!(code, 1, "{file}: {from} → {to}");
        assert!(contents(stage.path()) == before, "a check writes nothing");
        kinds
    };
    let date = format!("  \"observed_at\": \"{now}\",\n");
    assert_eq!(edit("catalog.json", &date, ""), ["structure"]);
    assert_eq!(edit("catalog.json", &now, "soon"), ["structure"]);
    let later = after(DAY);
    assert!(edit("catalog.json", &now, &later).contains(&"future".to_owned()));
    let earlier = after(-DAY);
    // The tables and the three files of constants.
    assert_eq!(edit("catalog.json", &now, &earlier), ["digest"; 4]);
    let seconds = committed_catalog().observed_at().unix().to_string();
    assert_eq!(edit("src/bundle/tables.rs", &now, &earlier), ["digest"]);
    assert_eq!(edit("src/bundle/tables.rs", &seconds, "0"), ["digest"]);
    assert_eq!(edit("src/bundle/models.rs", &now, &earlier), ["digest"]);
    assert_eq!(edit("fingerprints.csv", ",", ";"), ["digest"]);
    assert_eq!(edit("catalog.json", "{", ""), ["structure"]);
}

#[test]
fn a_missing_or_binary_file_fails() {
    let now = after(0);
    for file in ["catalog.json", "src/bundle/tables.rs", "fingerprints.csv"] {
        for bytes in [None, Some(b"\xff\xfe".as_slice())] {
            let stage = stage();
            let path = stage.path().join("data").join(file);
            match bytes {
                None => fs::remove_file(path).unwrap(),
                Some(bytes) => fs::write(path, bytes).unwrap(),
            }
            let (code, kinds, _) = verdict(stage.path(), &["--now", &now]);
            let kind = if file == "catalog.json" {
                "structure"
            } else {
                "digest"
            };
            assert_eq!(
                (code, kinds),
                (1, vec![kind.to_owned()]),
                "{file} {bytes:?}"
            );
        }
    }
}

/// Each file is replaced by a pipe without a writer, and by a device without an end.
#[cfg(unix)]
#[test]
fn pipes_and_devices_do_not_block() {
    let now = after(0);
    for file in ["catalog.json", "src/bundle/tables.rs"] {
        let stage = stage();
        let path = stage.path().join("data").join(file);
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let (code, kinds, document) = verdict(stage.path(), &["--now", &now]);
        assert_eq!((code, kinds), (1, vec!["structure".to_owned()]), "{file}");
        let message = document["problems"][0]["message"].as_str().unwrap();
        assert!(message.contains("no regular file"), "{message}");

        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let (code, kinds, _) = verdict(stage.path(), &["--now", &now]);
        assert_eq!((code, kinds), (1, vec!["structure".to_owned()]), "{file}");
    }
}

#[test]
fn build_check_shows_the_difference_and_the_command() {
    let stage = stage();
    let check = || call(stage.path(), &["build", "--out", "data", "--check"]);
    assert_eq!(check().code, 0);
    let path = stage.path().join("data/src/bundle/models.rs");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("pub const", "pub  const", 1)).unwrap();
    let before = contents(stage.path());
    let stale = check();
    assert_eq!(stale.code, 1);
    for part in [
        "models.rs differs",
        "- pub  const",
        "+ pub const",
        "cargo gen build",
    ] {
        assert!(stale.stdout.contains(part), "{part} in {}", stale.stdout);
    }
    assert!(contents(stage.path()) == before, "a check writes nothing");
}

#[test]
fn a_wrong_command_line_exits_2() {
    let stage = stage();
    for words in [
        &[][..],
        &["bake"],
        &["check", "--max-age", "30"],
        &["check", "--max-age", "d"],
        &["check", "--max-age", "30dd"],
        &["check", "--max-age", "+30d"],
        &["check", "--color", "sometimes"],
        &["build", "--out", "data", "--accept-shrink"],
        &["build", "--out", "data", "--require-all-regions"],
        &["build", "--out", "data", "--previous", "none"],
        &["check", "--now", "today"],
        &["build", "--observed-at", "2026-08-22T00:00:00Z"],
    ] {
        let call = call(stage.path(), words);
        assert_eq!((call.code, &*call.stdout), (2, ""), "{words:?}");
    }
}

#[test]
fn build_without_a_catalog_fails_with_advice() {
    let stage = stage();
    let call = call(
        stage.path(),
        &["build", "--out", "data", "--previous", "none"],
    );
    assert!(
        call.stderr.contains("give a --recording"),
        "{}",
        call.stderr
    );
}

#[test]
fn a_failure_with_json_is_a_document() {
    // Outside of a project.
    let stage = stage();
    let failed = call(stage.path(), &["check", "--json", "--color", "always"]);
    assert_eq!(failed.code, 1);
    let document: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(document["error"]["kind"], "failed");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains("--out DIR"), "{message}");
    assert_eq!(document["error"]["suggestions"], serde_json::json!([]));
    assert!(failed.stderr.contains("\u{1b}["), "{}", failed.stderr);
    let failed = call(stage.path(), &["check", "--color", "never"]);
    assert_eq!((failed.code, &*failed.stdout), (1, ""));
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
}
