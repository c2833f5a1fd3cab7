//! `catalog.json` and `facts.json` against their JSON Schemas.

use std::fs;

use serde_json::{Value, json};

use crate::committed;

#[test]
fn the_committed_catalog_matches_its_schema_and_wrong_documents_do_not() {
    let read = |file: &str| -> Value {
        serde_json::from_slice(&fs::read(committed().join(file)).unwrap()).unwrap()
    };
    let (schema, catalog) = (read("catalog.schema.json"), read("catalog.json"));
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Some(error) = validator.iter_errors(&catalog).next() {
        panic!("{error} at {}", error.instance_path());
    }
    // Wrong documents.
    let wrong: [fn(&mut Value); 10] = [
        |c| c["format"] = json!(2),
        |c| c["observed_at"] = json!("soon"),
        |c| c["regions"] = json!(["a-1", "a-1"]),
        |c| c["models"][0]["id"] = json!(""),
        |c| c["models"][0]["access"][0]["regions"] = json!([""]),
        |c| c["profiles"][0]["routes"][0]["destinations"] = json!([""]),
        |c| c["models"][0]["lifecycle"] = json!({"start": "yesterday"}),
        |c| c["profiles"][0]["routes"][0]["destinations"] = json!("everywhere"),
        |c| c["profiles"][0]["routes"][0]["destinations"] = json!([]),
        |c| _ = c.as_object_mut().unwrap().remove("observed_at"),
    ];
    for (place, wrong) in wrong.into_iter().enumerate() {
        let mut catalog = catalog.clone();
        wrong(&mut catalog);
        assert!(!validator.is_valid(&catalog), "{place}");
        let json = serde_json::to_vec(&catalog).unwrap();
        assert!(
            bedrock_catalog_recording::catalog_from_json(&json).is_err(),
            "{place}"
        );
    }
}

#[test]
fn the_committed_facts_are_of_their_schema() {
    let read = |file: &str| -> Value {
        serde_json::from_slice(&fs::read(committed().join(file)).unwrap()).unwrap()
    };
    let (schema, facts) = (read("facts.schema.json"), read("facts.json"));
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Some(error) = validator.iter_errors(&facts).next() {
        panic!("{error} at {}", error.instance_path());
    }
    let models = facts["models"].as_array().unwrap();
    let with_price = models
        .iter()
        .position(|model| model.get("prices").is_some());
    let place = with_price.unwrap();
    // What facts are not.
    let wrong: [&dyn Fn(&mut Value); 12] = [
        &|f| f["format"] = json!(2),
        &|f| f["models"][0]["id"] = json!(""),
        &|f| f["models"][place]["prices"][0]["route"] = json!("nowhere"),
        &|f| f["models"][place]["prices"][0]["amounts"] = json!([]),
        &|f| f["models"][place]["prices"][0]["amounts"][0]["prices"]["input"] = json!(0.8),
        &|f| f["models"][place]["prices"][0]["amounts"][0]["prices"]["input"] = json!("-1"),
        &|f| f["models"][place]["prices"][0] = json!({"route": "geography", "tier": "batch", "currency": "USD", "source": "card", "amounts": [{"unit": "image", "prices": {"input": "1"}}]}),
        &|f| f["models"][0]["context_window"] = json!({"value": 1}),
        &|f| f["models"][0]["context_window"] = json!({"value": -1, "source": "card"}),
        &|f| f["former"][0]["end_of_life"] = json!({"value": "soon", "source": "card"}),
        &|f| {
            _ = f["sources"]["listing"]
                .as_object_mut()
                .unwrap()
                .remove("as_of")
        },
        &|f| _ = f.as_object_mut().unwrap().remove("sources"),
    ];
    for (place, wrong) in wrong.into_iter().enumerate() {
        let mut facts = facts.clone();
        wrong(&mut facts);
        assert!(!validator.is_valid(&facts), "{place}");
        let json = serde_json::to_vec(&facts).unwrap();
        let read = bedrock_catalog_recording::facts_from_json(&json);
        assert!(read.is_err(), "{place}");
    }
}
