//! `diff`: recordings and catalogs, three formats, exit codes.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{Call, call, committed, recording};

fn diff(folder: &Path, old: &str, new: &str, format: &str) -> Call {
    call(folder, &["diff", old, new, "--format", format])
}

#[test]
fn a_recording_compares_like_its_catalog() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = committed().join("catalog.json");
    let catalog = catalog.to_str().unwrap();
    recording(&folder.path().join("same"), |_| {});
    recording(&folder.path().join("other"), |recording| {
        for answers in recording.regions.values_mut() {
            answers
                .models
                .retain(|row| row.model_id != "amazon.nova-pro-v1:0");
            answers
                .profiles
                .retain(|row| row.inference_profile_id != "us.amazon.nova-pro-v1:0");
        }
    });
    // Without retired models and other history of the previous catalog.
    let words = [
        "build",
        "--recording",
        "same",
        "--previous",
        "none",
        "--out",
        "alone",
    ];
    assert_eq!(call(folder.path(), &words).code, 0);
    let alone = "alone/catalog.json";
    for (old, new) in [
        (catalog, "same"),
        (catalog, catalog),
        (alone, "same"),
        ("same", alone),
    ] {
        let same = diff(folder.path(), old, new, "text");
        assert_eq!((same.code, &*same.stderr), (0, ""));
        assert!(
            same.stdout.ends_with("Nothing has changed.\n"),
            "{}",
            same.stdout
        );
    }
    for old in [catalog, "same"] {
        let text = diff(folder.path(), old, "other", "text").stdout;
        assert!(
            text.contains("\nProfiles gone (1)\n  us.amazon.nova-pro-v1:0; serves"),
            "{text}"
        );
        let markdown = diff(folder.path(), old, "other", "markdown").stdout;
        assert!(
            markdown.contains("\n### Profiles gone (1)\n\n- `us.amazon.nova-pro-v1:0`; serves"),
            "{markdown}"
        );
        let json = diff(folder.path(), old, "other", "json").stdout;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["profiles_gone"][0]["id"], "us.amazon.nova-pro-v1:0");
    }
    // A catalog file carries nothing over: missing models are gone, not retired.
    assert_eq!(diff(folder.path(), "other", catalog, "text").code, 0);
}

#[test]
fn a_failed_region_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    recording(&folder.path().join("part"), |recording| {
        recording.regions.remove("us-east-1").unwrap();
        recording
            .failures
            .insert("us-east-1".to_owned(), "denied: no".to_owned());
    });
    let catalog = committed().join("catalog.json");
    let json = diff(folder.path(), catalog.to_str().unwrap(), "part", "json").stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["regions_stale"][0]["id"], "us-east-1");
    for list in [
        "models_gone",
        "models_retired",
        "models_changed",
        "profiles_gone",
        "profiles_changed",
    ] {
        assert_eq!(json[list], Value::Array(Vec::new()), "{list}");
    }
}

#[test]
fn what_cannot_be_read_exits_1_and_a_wrong_command_line_2() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.json"), "{").unwrap();
    fs::create_dir(folder.path().join("empty")).unwrap();
    for side in ["absent", "broken.json", "empty"] {
        let failed = diff(folder.path(), side, side, "json");
        assert_eq!((failed.code, &*failed.stdout), (1, ""), "{side}");
        assert!(failed.stderr.contains("error: "), "{}", failed.stderr);
    }
    for words in [
        &["diff"][..],
        &["diff", "a"],
        &["diff", "a", "b", "c"],
        &["diff", "a", "b", "--format", "html"],
    ] {
        assert_eq!(call(folder.path(), words).code, 2, "{words:?}");
    }
}
