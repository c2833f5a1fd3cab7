//! The guards of `build`, and `--accept-shrink`.

use std::fs;
use std::path::Path;

use bedrock_catalog_recording::{ModelSummary, Recording, RegionAnswers};

use crate::{Call, call, committed_catalog, contents, recording, stage};

/// Builds a changed recording over the committed bundle.
fn build(stage: &Path, name: &str, words: &[&str], change: impl FnOnce(&mut Recording)) -> Call {
    recording(&stage.join(name), change);
    call(
        stage,
        &[&["build", "--recording", name, "--out", "data"], words].concat(),
    )
}

/// Asserts that a build fails with this reason and writes nothing.
fn is_stopped(reason: &str, change: impl FnOnce(&mut Recording)) {
    let stage = stage();
    let data = stage.path().join("data");
    let before = contents(&data);
    let stopped = build(stage.path(), "recording", &[], change);
    assert_eq!(stopped.code, 1, "{reason}: {}", stopped.stdout);
    for part in [reason, "--accept-shrink"] {
        assert!(
            stopped.stderr.contains(part),
            "{part} in {}",
            stopped.stderr
        );
    }
    assert!(contents(&data) == before, "{reason}: nothing is written");
}

#[test]
fn accept_shrink_passes_every_guard() {
    let stage = stage();
    let change = |recording: &mut Recording| {
        percent_gone(50)(recording);
        two_rows(recording);
        recording.regions.remove("eu-west-1");
    };
    let built = build(stage.path(), "recording", &["--accept-shrink"], change);
    assert_eq!(built.code, 0, "{}", built.stderr);
    for part in [
        "gone or renamed",
        "duplicate id",
        "eu-west-1 answers nothing",
    ] {
        assert!(built.stderr.contains(part), "{part} in {}", built.stderr);
    }
    let json = fs::read(stage.path().join("data/catalog.json")).unwrap();
    let catalog = bedrock_catalog_recording::catalog_from_json(&json).unwrap();
    assert_eq!(
        catalog.all_models().len(),
        committed_catalog().all_models().len()
    );
    assert!(catalog.models().any(|model| model.regions().len() == 0));
    // With a failed region the recording is incomplete, and no model is retired.
    let before = committed_catalog();
    for model in catalog.all_models().filter(|model| model.is_retired()) {
        assert!(before.model(model.id()).unwrap().is_retired());
    }
}

/// Keeps the models at these positions, in every region.
fn keep(recording: &mut Recording, stays: impl Fn(usize) -> bool) {
    let catalog = committed_catalog();
    let ids: Vec<String> = catalog
        .models()
        .map(|model| model.id().to_owned())
        .collect();
    let gone: Vec<&String> = ids
        .iter()
        .enumerate()
        .filter(|&(place, _)| !stays(place))
        .map(|(_, id)| id)
        .collect();
    let is_gone = |id: &str| gone.iter().any(|gone| *gone == id);
    for answers in recording.regions.values_mut() {
        answers.models.retain(|row| !is_gone(&row.model_id));
        for profile in &mut answers.profiles {
            profile.models.retain(|model| {
                let id = model.model_arn.split_once("foundation-model/").unwrap().1;
                !is_gone(id)
            });
        }
        answers
            .profiles
            .retain(|profile| !profile.models.is_empty());
    }
}

fn percent_gone(percent: usize) -> impl Fn(&mut Recording) {
    // Of about 150 models: rounded so that the share is above the percentage.
    let count = committed_catalog().models().count();
    let gone = match percent {
        10 => count / 10,
        percent => (count * percent).div_ceil(100),
    };
    move |recording| keep(recording, |place| place >= gone)
}

#[test]
fn no_models_at_all() {
    is_stopped("no models at all", |recording| {
        for answers in recording.regions.values_mut() {
            (answers.models, answers.profiles) = Default::default();
        }
    });
}

#[test]
fn a_region_with_empty_answers() {
    is_stopped("eu-west-1 answers nothing", |recording| {
        let answers = recording.regions.get_mut("eu-west-1").unwrap();
        (answers.models, answers.profiles) = Default::default();
    });
}

#[test]
fn a_region_that_is_missing_without_a_failure() {
    is_stopped("eu-west-1 answers nothing", |recording| {
        recording.regions.remove("eu-west-1");
    });
}

#[test]
fn a_fifth_of_the_models_gone() {
    is_stopped("gone or renamed", percent_gone(21));
}

#[test]
fn half_of_the_models_gone() {
    is_stopped("gone or renamed", percent_gone(50));
}

#[test]
fn a_mass_rename() {
    is_stopped("gone or renamed", |recording| {
        for row in recording
            .regions
            .values_mut()
            .flat_map(|answers| &mut answers.models)
        {
            row.model_name = row.model_name.take().map(|name| name + " (new)");
        }
    });
}

#[test]
fn ten_times_as_many() {
    is_stopped("×10 or more", |recording| {
        let count = committed_catalog().models().count();
        let answers = recording.regions.get_mut("us-east-1").unwrap();
        answers
            .models
            .extend((0..9 * count).map(|n| ModelSummary::new(format!("somebody.model-{n}"))));
    });
}

fn two_rows(recording: &mut Recording) {
    let answers = recording.regions.get_mut("us-east-1").unwrap();
    let mut row = answers.models[0].clone();
    row.model_name = Some("another".to_owned());
    answers.models.push(row);
}

#[test]
fn two_different_rows_with_one_id() {
    is_stopped("duplicate id", two_rows);
}

#[test]
fn an_older_recording() {
    is_stopped("before the catalog's", |recording| {
        recording.observed_at = "2020-01-01T00:00:00Z".parse().unwrap();
    });
}

#[test]
fn a_region_without_its_profiles() {
    is_stopped("answers no inference profile", |recording| {
        let answers = recording.regions.get_mut("eu-west-1").unwrap();
        answers.profiles.clear();
    });
}

/// `--accept-shrink` does not help: a catalog has one partition.
#[test]
fn another_partition() {
    let stage = stage();
    let data = stage.path().join("data");
    let before = contents(&data);
    let other = |recording: &mut Recording| {
        recording.partition = "aws-us-gov".to_owned();
        for answers in recording.regions.values_mut() {
            answers
                .models
                .iter_mut()
                .for_each(|row| row.model_arn = None);
            let models = answers
                .profiles
                .iter_mut()
                .flat_map(|profile| &mut profile.models);
            models.for_each(|m| m.model_arn = m.model_arn.replace("arn:aws:", "arn:aws-us-gov:"));
        }
    };
    let stopped = build(stage.path(), "recording", &["--accept-shrink"], other);
    assert_eq!(stopped.code, 1, "{}", stopped.stdout);
    for part in ["partition aws-us-gov", "--previous none"] {
        assert!(stopped.stderr.contains(part), "{}", stopped.stderr);
    }
    assert!(contents(&data) == before, "nothing is written");
}

#[test]
fn a_tenth_of_the_models_gone_passes_and_becomes_retired() {
    let stage = stage();
    let built = build(stage.path(), "recording", &[], percent_gone(10));
    assert_eq!(built.code, 0, "{}", built.stderr);
    let json = fs::read(stage.path().join("data/catalog.json")).unwrap();
    let catalog = bedrock_catalog_recording::catalog_from_json(&json).unwrap();
    let before = committed_catalog();
    let retired = |catalog: &bedrock_catalog_data::Catalog| {
        catalog
            .all_models()
            .filter(|model| model.is_retired())
            .count()
    };
    assert_eq!(
        catalog.all_models().len(),
        before.all_models().len(),
        "none vanishes"
    );
    assert_eq!(
        retired(&catalog) - retired(&before),
        before.models().count() / 10
    );
    // Every constant stays.
    let constants = |folder: &Path| -> Vec<String> {
        let text = fs::read_to_string(folder.join("src/bundle/models.rs")).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("pub const"));
        lines
            .map(|line| line.split(':').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        constants(&stage.path().join("data")),
        constants(&crate::committed())
    );
}

#[test]
fn a_failed_region_keeps_its_rows_unless_all_are_required() {
    let fail = |recording: &mut Recording| {
        recording.regions.remove("eu-west-1");
        recording
            .failures
            .insert("eu-west-1".to_owned(), "denied\u{1b}[2J".to_owned());
        recording.observed_at = "2099-01-01T00:00:00Z".parse().unwrap();
    };
    let stage = stage();
    let data = stage.path().join("data");
    let before = contents(&data);
    let stopped = build(stage.path(), "recording", &["--require-all-regions"], fail);
    assert_eq!(stopped.code, 1);
    assert!(
        stopped.stderr.contains("no answer of eu-west-1"),
        "{}",
        stopped.stderr
    );
    assert!(contents(&data) == before);

    let built = build(stage.path(), "again", &[], fail);
    assert_eq!(built.code, 0, "{}", built.stderr);
    assert!(
        built.stdout.contains("kept the rows of eu-west-1"),
        "{}",
        built.stdout
    );
    assert!(!built.stderr.contains('\u{1b}'), "{}", built.stderr);
    let json = fs::read(data.join("catalog.json")).unwrap();
    let catalog = bedrock_catalog_recording::catalog_from_json(&json).unwrap();
    let region = catalog.region("eu-west-1").unwrap();
    assert_eq!(
        region.stale_since(),
        Some(committed_catalog().observed_at())
    );
    let before = committed_catalog();
    assert!(catalog.all_models().eq_by_id(before.all_models()));
    let rows = |catalog: &bedrock_catalog_data::Catalog| catalog.accesses().len();
    assert_eq!(rows(&catalog), rows(&before));
}

trait ById<'a> {
    fn eq_by_id(self, other: impl Iterator<Item = bedrock_catalog_data::Model<'a>>) -> bool;
}

impl<'a, I: Iterator<Item = bedrock_catalog_data::Model<'a>>> ById<'a> for I {
    fn eq_by_id(self, other: impl Iterator<Item = bedrock_catalog_data::Model<'a>>) -> bool {
        self.map(|model| model.id())
            .eq(other.map(|model| model.id()))
    }
}

#[test]
fn nothing_is_written_for_broken_input() {
    let stage = stage();
    let data = stage.path().join("data");
    let before = contents(&data);
    let folder = stage.path().join("recording");
    recording(&folder, |_| ());
    let build = || {
        call(
            stage.path(),
            &["build", "--recording", "recording", "--out", "data"],
        )
    };
    let file = folder.join("us-east-1/list-foundation-models.json");
    let whole = fs::read(&file).unwrap();
    let cut = &whole[..whole.len() / 2];
    for bytes in [
        cut,
        b"",
        b"[]",
        b"{}",
        b"<html>",
        b"{\"modelSummaries\":{}}",
    ] {
        fs::write(&file, bytes).unwrap();
        let broken = build();
        assert_eq!(broken.code, 1);
        assert!(
            broken.stderr.contains("list-foundation-models.json"),
            "{}",
            broken.stderr
        );
        assert!(contents(&data) == before);
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(build().code, 1);
    assert!(contents(&data) == before);
}

#[test]
fn a_malformed_row_is_reported_and_skipped() {
    let stage = stage();
    let folder = stage.path().join("recording");
    recording(&folder, |_| ());
    let file = folder.join("us-east-1/list-foundation-models.json");
    let text = fs::read_to_string(&file).unwrap();
    let rows = "{\n  \"modelSummaries\": [\n    {\"modelId\": 7},\n    {\"modelId\": \"\"},";
    let text = text.replacen("{\n  \"modelSummaries\": [", rows, 1);
    fs::write(&file, text).unwrap();
    let built = call(
        stage.path(),
        &["build", "--recording", "recording", "--out", "data"],
    );
    assert_eq!(built.code, 0, "{}", built.stderr);
    for index in [0, 1] {
        let place = format!("us-east-1/list-foundation-models.json: row {index} is left out: ");
        assert!(built.stderr.contains(&place), "{}", built.stderr);
    }
    assert!(built.stdout.contains("nothing changed"), "{}", built.stdout);
}

/// A skipped row is unknown, not gone.
#[test]
fn a_model_whose_row_is_malformed_is_kept_and_not_retired() {
    let stage = stage();
    let folder = stage.path().join("recording");
    recording(&folder, |_| ());
    let id = "ai21.jamba-1-5-large-v1:0";
    let file = folder.join("us-east-1/list-foundation-models.json");
    let mut answer: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for row in answer["modelSummaries"].as_array_mut().unwrap() {
        if row["modelId"] == id {
            row["modelLifecycle"]["endOfLifeTime"] = "soon".into();
        }
    }
    fs::write(&file, answer.to_string()).unwrap();
    let built = call(
        stage.path(),
        &["build", "--recording", "recording", "--out", "data"],
    );
    assert_eq!(built.code, 0, "{}", built.stderr);
    let json = fs::read(stage.path().join("data/catalog.json")).unwrap();
    let catalog = bedrock_catalog_recording::catalog_from_json(&json).unwrap();
    assert!(!catalog.model(id).unwrap().is_retired());
    assert!(catalog.access(id, "us-east-1").is_ok());
    assert!(catalog.region("us-east-1").unwrap().stale_since().is_some());
}

/// One page of several is not a recording.
#[test]
fn one_page_of_several_is_refused() {
    let stage = stage();
    let folder = stage.path().join("recording");
    recording(&folder, |_| ());
    let file = folder.join("us-east-1/list-inference-profiles.json");
    let mut answer: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    answer["nextToken"] = "more".into();
    fs::write(&file, answer.to_string()).unwrap();
    let built = call(
        stage.path(),
        &["build", "--recording", "recording", "--out", "data"],
    );
    assert_eq!(built.code, 1);
    assert!(
        built.stderr.contains("one page of several"),
        "{}",
        built.stderr
    );
}

#[test]
fn control_characters_of_a_recording_are_escaped() {
    let hostile = "a\u{1b}[2J\u{202e}\u{9b}b";
    let stage = stage();
    let catalog = committed_catalog();
    // A catalog with hostile regions and models, and a recording without them.
    let mut document = catalog.to_document();
    document.models.truncate(1);
    document.profiles.clear();
    document.regions = vec![hostile.to_owned().into()];
    document.models[0].id = hostile.to_owned().into();
    document.models[0].access.truncate(1);
    document.models[0].access[0].regions = vec![hostile.to_owned().into()];
    let json = serde_json::to_string(&document).unwrap();
    fs::write(stage.path().join("before.json"), json).unwrap();
    let told = |name: &str, words: &[&str], change: &dyn Fn(&mut Recording)| {
        let words = [&["--previous", "before.json"], words].concat();
        let call = build(stage.path(), name, &words, change);
        let told = [call.stdout, call.stderr].concat();
        let raw = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!told.contains(raw), "{told:?}");
        assert!(told.contains("\\u{202e}"), "the id is named: {told}");
        call.code
    };
    // A region without an answer, without and with a failure; a skipped row; a missing id.
    assert_eq!(told("unheard", &[], &|_| ()), 1);
    let fail = |recording: &mut Recording| {
        recording
            .failures
            .insert(hostile.to_owned(), hostile.to_owned());
    };
    assert_eq!(told("failed", &[], &fail), 0);
    assert_eq!(told("required", &["--require-all-regions"], &fail), 1);
    let answer = |recording: &mut Recording| {
        let mut row = ModelSummary::new("another");
        row.model_arn = Some(hostile.to_owned());
        let answers = RegionAnswers::new(vec![row], Vec::new());
        recording.regions.insert(hostile.to_owned(), answers);
    };
    assert_eq!(told("answered", &[], &answer), 1);
}
