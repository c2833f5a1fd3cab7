//! Each JSON shape: exactly these keys, these types, lists sorted, unknown `null`.

use serde_json::Value;

use crate::{json, texts};

type Check = fn(&Value) -> bool;

/// Exactly these keys, each as its check says.
fn assert_shape(value: &Value, shape: &[(&str, Check)]) {
    let object = value.as_object().expect("an object");
    for (key, check) in shape {
        let found = object
            .get(*key)
            .unwrap_or_else(|| panic!("no {key} in {value}"));
        assert!(check(found), "{key}: {found}");
    }
    let unknown: Vec<_> = object
        .keys()
        .filter(|key| shape.iter().all(|(known, _)| known != key))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?} in {value}");
}

fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn flag(value: &Value) -> bool {
    value.is_boolean()
}

fn count(value: &Value) -> bool {
    value.is_u64()
}

fn null(value: &Value) -> bool {
    value.is_null()
}

fn maybe_text(value: &Value) -> bool {
    null(value) || text(value)
}

fn maybe_flag(value: &Value) -> bool {
    null(value) || flag(value)
}

fn date(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.parse::<bedrock_catalog::Date>().is_ok())
}

fn maybe_date(value: &Value) -> bool {
    null(value) || date(value)
}

fn time(value: &Value) -> bool {
    let is_time =
        |text: &str| text.len() == 20 && text.parse::<bedrock_catalog::Timestamp>().is_ok();
    value.as_str().is_some_and(is_time)
}

fn maybe_time(value: &Value) -> bool {
    null(value) || time(value)
}

/// Sorted and unique.
fn list(value: &Value) -> bool {
    value.is_array() && texts(value).is_sorted_by(|a, b| a < b)
}

fn maybe_list(value: &Value) -> bool {
    null(value) || list(value)
}

fn destinations(value: &Value) -> bool {
    value == "global" || (list(value) && !texts(value).is_empty())
}

fn destinations_by_id(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.values().all(destinations))
}

fn lifecycle(value: &Value) -> bool {
    let shape: [(&str, Check); 5] = [
        ("status", maybe_text),
        ("start", maybe_date),
        ("legacy", maybe_date),
        ("extended_access", maybe_date),
        ("end_of_life", maybe_date),
    ];
    assert_shape(value, &shape);
    true
}

fn status_word(value: &Value) -> bool {
    null(value) || ["active", "legacy", "ended", "retired"].contains(&value.as_str().unwrap())
}

const MODEL: [(&str, Check); 13] = [
    ("id", text),
    ("listed", flag),
    ("name", maybe_text),
    ("provider", maybe_text),
    ("input_modalities", maybe_list),
    ("output_modalities", maybe_list),
    ("streaming", maybe_flag),
    ("customizations", maybe_list),
    ("lifecycle", lifecycle),
    ("status", status_word),
    ("last_seen", date),
    ("regions", list),
    ("profiles", list),
];

/// The elements of an answer, sorted by a key.
fn sorted_by<'v>(answer: &'v Value, key: &str) -> &'v [Value] {
    let rows = answer.as_array().unwrap();
    assert!(rows.is_sorted_by(|a, b| a[key].as_str() < b[key].as_str()));
    rows
}

#[test]
fn models_and_model() {
    let models = json("models --all --at 2026-10-07");
    let models = sorted_by(&models, "id");
    assert!(models.len() > 100);
    for model in models {
        assert_shape(model, &MODEL);
    }
    // One of each kind: listed, and known through profiles alone.
    for listed in [true, false] {
        let Some(known) = models.iter().find(|model| model["listed"] == listed) else {
            continue;
        };
        let mut one = json(&format!("model {}", known["id"].as_str().unwrap()));
        assert_shape(&one, &MODEL);
        // The status is today's.
        one["status"] = known["status"].clone();
        assert_eq!(&one, known);
    }
}

#[test]
fn access() {
    let shape: [(&str, Check); 7] = [
        ("model", text),
        ("region", text),
        ("listed", flag),
        ("on_demand", maybe_flag),
        ("provisioned", maybe_flag),
        ("inference_types", maybe_list),
        ("profiles", destinations_by_id),
    ];
    let all = crate::call("access --all --json").stdout;
    for line in all.lines() {
        assert_shape(&serde_json::from_str(line).unwrap(), &shape);
    }
    let line = all.lines().next().unwrap();
    let first: Value = serde_json::from_str(line).unwrap();
    let (model, region) = (
        first["model"].as_str().unwrap(),
        first["region"].as_str().unwrap(),
    );
    assert_eq!(json(&format!("access {model} {region}")), first);
}

#[test]
fn route() {
    let shape: [(&str, Check); 7] = [
        ("model", text),
        ("region", text),
        ("policy", text),
        ("inference_id", text),
        ("kind", text),
        ("geography", maybe_text),
        ("destinations", destinations),
    ];
    let model = "anthropic.claude-sonnet-4-6";
    for policy in ["in-region", "geography", "any", "global"] {
        for region in ["eu-central-1", "sa-east-1", "us-east-1"] {
            let answer = json(&format!("route {model} {region} --policy {policy}"));
            if answer["error"].is_null() {
                assert_shape(&answer, &shape);
                assert_eq!(answer["policy"], policy);
                let kind = answer["kind"].as_str().unwrap();
                assert!(["in-region", "geography", "global"].contains(&kind));
                assert_eq!(answer["destinations"] == "global", kind == "global");
                assert_eq!(answer["geography"].is_null(), kind == "in-region");
            } else {
                assert_error(&answer);
            }
        }
    }
    let within = json(&format!("route {model} eu-central-1 --within eu-*"));
    assert_eq!(within["policy"], "within");
    assert!(
        texts(&within["destinations"])
            .iter()
            .all(|id| id.starts_with("eu-"))
    );
}

#[test]
fn profiles() {
    let shape: [(&str, Check); 5] = [
        ("id", text),
        ("name", maybe_text),
        ("geography", maybe_text),
        ("models", list),
        ("sources", destinations_by_id),
    ];
    let profiles = json("profiles");
    for profile in sorted_by(&profiles, "id") {
        assert_shape(profile, &shape);
    }
}

#[test]
fn regions() {
    let shape: [(&str, Check); 5] = [
        ("id", text),
        ("models", count),
        ("on_demand", count),
        ("profiles", count),
        ("stale_since", maybe_time),
    ];
    let regions = json("regions");
    for region in sorted_by(&regions, "id") {
        assert_shape(region, &shape);
    }
}

#[test]
fn status() {
    fn age(value: &Value) -> bool {
        value.is_i64()
    }
    fn regions(value: &Value) -> bool {
        fn reasons(value: &Value) -> bool {
            value
                .as_object()
                .is_some_and(|failed| failed.values().all(text))
        }
        assert_shape(value, &[("answered", list), ("failed", reasons)]);
        true
    }
    let status = json("status");
    let shape: [(&str, Check); 18] = [
        ("source", text),
        ("tier", null),
        ("path", null),
        ("observed_at", time),
        ("age_seconds", age),
        ("degraded", flag),
        ("partition", text),
        ("regions", regions),
        ("models", count),
        ("profiles", count),
        ("retired", count),
        ("overlay", count),
        ("error", null),
        ("asked_at", null),
        ("overlay_error", null),
        ("error_kind", null),
        ("format", count),
        ("version", text),
    ];
    assert_shape(&status, &shape);
    assert_eq!(status["source"], "bundle");
}

/// The shape of a no.
pub(crate) fn assert_error(answer: &Value) {
    fn error(value: &Value) -> bool {
        fn suggestions(value: &Value) -> bool {
            value.as_array().is_some_and(|list| list.iter().all(text))
        }
        assert_shape(
            value,
            &[
                ("kind", text),
                ("message", text),
                ("suggestions", suggestions),
            ],
        );
        true
    }
    assert_shape(answer, &[("error", error)]);
}
