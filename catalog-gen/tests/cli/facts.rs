//! `catalog-gen facts`: what it writes, prints and refuses.

use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog_recording::facts_from_json;

use crate::{Call, call, committed, package};

/// The small inputs of the tests of the library.
fn golden(name: &str) -> PathBuf {
    let recording = package().with_file_name("catalog-recording");
    recording.join("tests/facts/golden").join(name)
}

fn facts(folder: &Path, words: &[&str]) -> Call {
    let catalog = committed().join("catalog.json");
    let catalog = catalog.to_str().unwrap();
    let common = ["facts", "--catalog", catalog, "--out", "facts.json"];
    call(folder, &[&common[..], words].concat())
}

/// Copies a golden input with a day in its name.
fn dated(folder: &Path, name: &str) -> String {
    let dated = format!("2026-10-09-{name}");
    fs::copy(golden(name), folder.join(&dated)).unwrap();
    dated
}

#[test]
fn coverage_and_disagreements_are_printed_and_the_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let litellm = dated(folder, "litellm.json");
    let quotas = dated(folder, "quotas.csv");
    let cards = golden("cards.json");
    let inputs = [
        "--litellm",
        &litellm,
        "--quotas",
        &quotas,
        "--cards",
        cards.to_str().unwrap(),
        "--as-of",
        "cards=2026-08-22",
    ];
    let made = facts(folder, &[&inputs[..], &["--details"]].concat());
    assert_eq!((made.code, &*made.stderr), (0, ""));
    let of_models = format!(
        "of {} models in the catalog",
        crate::committed_catalog().all_models().len()
    );
    for expected in [
        "context_window",
        &of_models,
        "end_of_life of acme.two: card says 2027-05-01, litellm says 2027-05-02",
        "left out of litellm: acme.rumour",
        "wrote facts.json",
    ] {
        assert!(
            made.stdout.contains(expected),
            "{expected}: {}",
            made.stdout
        );
    }
    let text = fs::read(folder.join("facts.json")).unwrap();
    let document = facts_from_json(&text).unwrap();
    let day = |source: &str| document.sources[source].as_of.to_string();
    assert_eq!(
        (day("card"), day("litellm")),
        ("2026-08-22".into(), "2026-10-09".into())
    );
    // Again, with what it wrote as the facts before.
    let again = facts(folder, &inputs);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(fs::read(folder.join("facts.json")).unwrap() == text);
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("2026-01-01-broken.json"), "{").unwrap();
    fs::write(folder.join("undated.json"), "{}").unwrap();
    for (words, code, expected) in [
        (
            &["--litellm", "2026-01-01-broken.json"][..],
            1,
            "the input litellm is no JSON",
        ),
        (
            &["--litellm", "undated.json"],
            1,
            "--as-of litellm=YYYY-MM-DD",
        ),
        (&["--cards", "missing.json"], 1, "cannot read missing.json"),
        (&["--cards", "."], 1, "cannot read ."),
        (&["--history", "missing"], 1, "cannot read missing"),
        (&["--previous", "undated.json"], 1, "no facts JSON"),
        (&["--as-of", "cards=soon"], 2, "2026-08-22"),
        (
            &["--as-of", "listing=2026-01-01"],
            2,
            "litellm, cards, mantle and quotas",
        ),
    ] {
        let refused = facts(folder, words);
        assert_eq!(refused.code, code, "{words:?} {}", refused.stderr);
        assert!(
            refused.stderr.contains(expected),
            "{expected}: {}",
            refused.stderr
        );
        assert!(!folder.join("facts.json").exists());
    }
}

#[test]
fn a_build_bakes_the_facts_it_is_given() {
    let stage = crate::stage();
    let data = stage.path().join("data");
    let before = fs::read(data.join("src/bundle/facts.rs")).unwrap();
    fs::write(
        stage.path().join("other.json"),
        r#"{"format": 1, "sources": {"me": {"as_of": "2026-11-30", "title": "my own"}},
            "models": [{"id": "amazon.nova-pro-v1:0", "context_window": {"value": 7, "source": "me"}}]}"#,
    )
    .unwrap();
    let words = ["build", "--out", "data", "--facts", "other.json"];
    let check = call(stage.path(), &[&words[..], &["--check"]].concat());
    assert_eq!(check.code, 1);
    assert!(
        check.stdout.contains("facts.json differs"),
        "{}",
        check.stdout
    );
    let built = call(stage.path(), &words);
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(fs::read(data.join("src/bundle/facts.rs")).unwrap() != before);
    let text = fs::read_to_string(data.join("facts.json")).unwrap();
    assert!(text.contains("my own"), "{text}");
    // Without facts of their ends, fewer constants are deprecated.
    let models = fs::read_to_string(data.join("src/bundle/models.rs")).unwrap();
    assert!(!models.contains("AWS model cards"));
    // The catalog itself is the same.
    let catalog = fs::read(data.join("catalog.json")).unwrap();
    assert!(catalog == fs::read(committed().join("catalog.json")).unwrap());
    let again = call(stage.path(), &["build", "--out", "data", "--check"]);
    assert_eq!(again.code, 0, "{}", again.stdout);
}
