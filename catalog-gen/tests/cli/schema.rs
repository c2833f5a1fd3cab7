//! `catalog.json` against its JSON Schema.

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
