//! `access --all` against the recording, read with another path: loose JSON and text splitting.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog::{Catalog, recording::Recording};
use serde_json::{Value, json};

use crate::{call, is_known_bundle};

type Pairs = BTreeMap<(String, String), Value>;

/// What the answers in a recording folder say of every pair.
fn read(folder: &Path) -> Pairs {
    let mut pairs = Pairs::new();
    for entry in fs::read_dir(folder).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let region = folder.file_name().unwrap().to_str().unwrap();
        let rows = |file: &str, list: &str| {
            let text = fs::read_to_string(folder.join(file)).unwrap();
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            let Value::Array(rows) = answer[list].take() else {
                panic!("{file} has no {list}");
            };
            rows
        };
        for row in rows("list-foundation-models.json", "modelSummaries") {
            let pair = (
                row["modelId"].as_str().unwrap().to_owned(),
                region.to_owned(),
            );
            let answer = match row["inferenceTypesSupported"].as_array() {
                None => listing(&pair, Value::Null, Value::Null, Value::Null),
                Some(types) => {
                    let types: BTreeSet<&str> = types.iter().map(|t| t.as_str().unwrap()).collect();
                    let has = |word| json!(types.contains(word));
                    listing(&pair, has("ON_DEMAND"), has("PROVISIONED"), json!(types))
                }
            };
            assert!(pairs.insert(pair, answer).is_none(), "listed twice");
        }
        for row in rows("list-inference-profiles.json", "inferenceProfileSummaries") {
            assert_eq!(row["type"], "SYSTEM_DEFINED");
            let profile = row["inferenceProfileId"].as_str().unwrap();
            let mut served: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
            for model in row["models"].as_array().unwrap() {
                let arn = model["modelArn"].as_str().unwrap();
                let (head, id) = arn.split_once("::foundation-model/").unwrap();
                // `arn:aws:bedrock:REGION`, or `arn:aws:bedrock:` for anywhere.
                let to = head.rsplit_once(':').unwrap().1;
                served.entry(id).or_default().insert(to);
            }
            for (id, to) in served {
                let pair = (id.to_owned(), region.to_owned());
                let answer = pairs.entry(pair.clone()).or_insert_with(|| {
                    let mut answer = listing(&pair, json!(false), json!(false), json!([]));
                    answer["listed"] = json!(false);
                    answer
                });
                let to = match to.contains("") {
                    true => json!("global"),
                    false => json!(to),
                };
                answer["profiles"][profile] = to;
            }
        }
    }
    pairs
}

fn listing(pair: &(String, String), on_demand: Value, provisioned: Value, types: Value) -> Value {
    json!({
        "model": pair.0, "region": pair.1, "listed": true, "on_demand": on_demand,
        "provisioned": provisioned, "inference_types": types, "profiles": {},
    })
}

/// What the command line says of every pair, one line each.
fn answered() -> Pairs {
    let answer = call("access --all --json");
    assert_eq!((answer.code, &*answer.stderr), (0, ""));
    let mut last = None;
    let mut pairs = Pairs::new();
    for line in answer.stdout.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        let name = |key: &str| answer[key].as_str().unwrap().to_owned();
        let pair = (name("model"), name("region"));
        assert!(last < Some(pair.clone()), "{pair:?} is out of order");
        last = Some(pair.clone());
        pairs.insert(pair, answer);
    }
    pairs
}

fn compare(expected: &Pairs) {
    let answered = answered();
    for (pair, expected) in expected {
        assert_eq!(answered.get(pair), Some(expected), "{pair:?}");
    }
    for pair in answered.keys() {
        assert!(expected.contains_key(pair), "{pair:?} is in no recording");
    }
}

/// The recordings beside the project, where they are.
fn shared(test: &str) -> Option<PathBuf> {
    // At run time, and by name: the folder beside the one that holds the packages.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from)?;
    let folder = package
        .ancestors()
        .nth(2)?
        .join("shared/recordings/2026-10-07");
    if !folder.is_dir() {
        crate::leave_out(test, format_args!("{} is absent", folder.display()));
        return None;
    }
    Some(folder)
}

#[test]
fn every_pair_is_as_the_recording_says() {
    const TEST: &str = "every_pair_is_as_the_recording_says";
    let Some(folder) = shared(TEST) else { return };
    let expected = read(&folder);
    assert_eq!(expected.len(), 1_661);
    if is_known_bundle(TEST) {
        compare(&expected);
    }
}

#[test]
fn every_pair_is_as_the_rendered_recording_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("recording");
    Recording::of_catalog(Catalog::bundled())
        .write(&folder)
        .unwrap();
    compare(&read(&folder));
}

#[test]
fn the_bundle_has_the_numbers_of_its_recording() {
    if !is_known_bundle("the_bundle_has_the_numbers_of_its_recording") {
        return;
    }
    let pairs = answered();
    assert_eq!(pairs.len(), 1_661);
    let listed = |pair: &&Value| pair["listed"] == true;
    assert_eq!(pairs.values().filter(listed).count(), 1_618);
    let profiles = |pair: &Value| pair["profiles"].as_object().unwrap().len();
    assert_eq!(pairs.values().map(profiles).sum::<usize>(), 1_418);
    let models: BTreeSet<&String> = pairs.keys().map(|(model, _)| model).collect();
    let of_listed = pairs.iter().filter(|(_, pair)| pair["listed"] == true);
    let listed: BTreeSet<&String> = of_listed.map(|((model, _), _)| model).collect();
    assert_eq!((models.len(), listed.len()), (155, 149));
    let through_profiles: Vec<_> = models.difference(&listed).collect();
    assert_eq!(through_profiles.len(), 6);
    let status = crate::json("status");
    let count = |key: &str| status[key].as_u64().unwrap();
    assert_eq!((count("models"), count("profiles")), (155, 155));
    assert_eq!(status["regions"]["answered"].as_array().unwrap().len(), 31);
}
