//! Builds are deterministic: equal recordings give equal bytes, in any folder and order.

use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog_recording::Recording;

use crate::{
    FILES, call, command, committed, committed_catalog, contents, package, recording, stage,
};

/// A deterministic random number generator for shuffles.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.next(last + 1));
        }
    }
}

/// Shuffles every list. Regions are folders, in the order of the file system.
fn shuffle(recording: &mut Recording, dice: &mut Dice) {
    for answers in recording.regions.values_mut() {
        dice.shuffle(&mut answers.models);
        dice.shuffle(&mut answers.profiles);
        for row in &mut answers.models {
            let lists = [
                &mut row.input_modalities,
                &mut row.output_modalities,
                &mut row.customizations_supported,
                &mut row.inference_types_supported,
            ];
            lists
                .into_iter()
                .flatten()
                .for_each(|list| dice.shuffle(list));
        }
        answers
            .profiles
            .iter_mut()
            .for_each(|row| dice.shuffle(&mut row.models));
    }
}

fn assert_committed(data: &Path) {
    let built = contents(data);
    let files: Vec<&Path> = built.keys().map(PathBuf::as_path).collect();
    assert_eq!(files, FILES.map(Path::new));
    for (file, bytes) in &built {
        assert!(
            *bytes == fs::read(committed().join(file)).unwrap(),
            "{}",
            file.display()
        );
    }
}

#[test]
fn twenty_shuffled_builds_are_the_committed_bytes() {
    let mut dice = Dice(22);
    for round in 0..20 {
        let stage = tempfile::tempdir().unwrap();
        // Folders with different depths and names.
        let folder = stage.path().join("ü x".repeat(round % 3 + 1));
        fs::create_dir(&folder).unwrap();
        recording(&folder.join("r"), |recording| shuffle(recording, &mut dice));
        fs::create_dir_all(folder.join("before")).unwrap();
        fs::copy(
            committed().join("catalog.json"),
            folder.join("before/catalog.json"),
        )
        .unwrap();
        let (language, zone) = [
            ("C", "UTC"),
            ("tr_TR.UTF-8", "Pacific/Kiritimati"),
            ("de_DE.UTF-8", "America/St_Johns"),
            ("ar_SA.UTF-8", "Asia/Kathmandu"),
        ][round % 4];
        let output = command(&folder)
            .args(["build", "--recording", "r", "--out", "data"])
            .args(["--previous", "before/catalog.json"])
            .env("LANG", language)
            .env("LC_ALL", language)
            .env("TZ", zone)
            .env("HOME", &folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_committed(&folder.join("data"));
    }
}

#[test]
fn baking_again_changes_nothing() {
    let stage = stage();
    let data = stage.path().join("data");
    let before = contents(&data);
    for _ in 0..2 {
        let built = call(stage.path(), &["build", "--out", "data"]);
        assert_eq!(built.code, 0, "{}", built.stderr);
        assert!(built.stdout.contains("nothing changed"), "{}", built.stdout);
        assert!(contents(&data) == before);
    }
    // A deleted file is restored.
    fs::remove_file(data.join("src/bundle/tables.rs")).unwrap();
    assert_eq!(call(stage.path(), &["build", "--out", "data"]).code, 0);
    assert!(contents(&data) == before);
}

#[test]
fn building_a_changed_recording_twice_changes_nothing() {
    let stage = stage();
    recording(&stage.path().join("r"), |recording| {
        recording.observed_at = "2099-01-01T00:00:00Z".parse().unwrap();
        recording.regions.remove("eu-west-1");
        recording
            .failures
            .insert("eu-west-1".to_owned(), "denied".to_owned());
        for answers in recording.regions.values_mut() {
            answers
                .models
                .retain(|row| !row.model_id.starts_with("cohere."));
        }
    });
    let build = || {
        let built = call(
            stage.path(),
            &["build", "--recording", "r", "--out", "data"],
        );
        assert_eq!(built.code, 0, "{}", built.stderr);
        contents(&stage.path().join("data"))
    };
    let first = build();
    assert!(first == build());
}

#[test]
fn catalog_to_recording_to_catalog_is_equal() {
    let stage = tempfile::tempdir().unwrap();
    recording(&stage.path().join("r"), |_| ());
    let words = ["build", "--recording", "r", "--out", "data", "--previous"];
    let previous = committed().join("catalog.json");
    let built = call(
        stage.path(),
        &[&words[..], &[previous.to_str().unwrap()]].concat(),
    );
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert_committed(&stage.path().join("data"));
}

#[test]
fn the_real_recordings_give_the_bundle() {
    const TEST: &str = "the_recordings_give_the_bundle";
    // The one before, of which the retired models are kept, and the bundle's own.
    const RECORDINGS: [(&str, &str, &str); 2] = [
        (
            "2026-08-22",
            "2026-08-22T00:52:43Z",
            "150 models, 123 profiles, 31 regions, 1309 access rows",
        ),
        (
            "2026-10-07",
            "2026-10-07T09:36:03Z",
            "155 models, 155 profiles, 31 regions, 1661 access rows",
        ),
    ];
    let package = package();
    let shared = package.ancestors().nth(2).unwrap();
    let shared = shared.join("shared/recordings");
    let stage = tempfile::tempdir().unwrap();
    let mut previous = "none".to_owned();
    for (name, observed_at, counts) in RECORDINGS {
        let folder = shared.join(name);
        if !folder.is_dir() {
            crate::leave_out(TEST, format_args!("{} is absent", folder.display()));
            return;
        }
        let folder = folder.to_str().unwrap();
        let words = [
            "build",
            "--recording",
            folder,
            "--previous",
            &previous,
            "--out",
            name,
        ];
        if !Path::new(folder).join("recording.json").is_file() {
            let unsaid = call(stage.path(), &words);
            assert_eq!(unsaid.code, 1);
            assert!(unsaid.stderr.contains("--observed-at"), "{}", unsaid.stderr);
        }
        let built = call(
            stage.path(),
            &[&words[..], &["--observed-at", observed_at]].concat(),
        );
        assert_eq!((built.code, &*built.stderr), (0, ""));
        assert!(built.stdout.starts_with(counts), "{}", built.stdout);
        previous = format!("{name}/catalog.json");
    }
    let (name, observed_at, _) = RECORDINGS[1];
    match committed_catalog().observed_at().to_string() == observed_at {
        true => assert_committed(&stage.path().join(name)),
        false => crate::leave_out(TEST, "from here: the bundle is of another recording"),
    }
}
