//! Differences between catalogs: every kind of change, and general properties.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bedrock_catalog::recording::{LifecycleSummary, ModelSummary, Recording};
use bedrock_catalog::{Catalog, CatalogDiff, SetChange};
use bedrock_catalog_gen::{diff_json, diff_markdown, diff_text};
use bedrock_catalog_recording::transform;
use bedrock_catalog_tests::synthetic;

const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];
const MODEL: &str = "maker.model-1-v1:0";

fn recording() -> Recording {
    let mut recording = synthetic::recording(&REGIONS, 6, 4);
    // In synthetic recordings all regions have equal routes; profile 3 gets its source as destination.
    for (region, answers) in &mut recording.regions {
        let own = format!("arn:aws:bedrock:{region}::foundation-model/maker.model-3-v1:0");
        answers.profiles[3]
            .models
            .iter_mut()
            .for_each(|model| model.model_arn = own.clone());
    }
    recording
}

fn catalog(recording: &Recording, previous: Option<&Catalog>) -> Catalog {
    Catalog::from_document(&transform(recording, previous).0).unwrap()
}

/// The catalog of the recording, and that of the changed recording over it.
fn pair(change: impl FnOnce(&mut Recording)) -> (Catalog, Catalog) {
    let old = catalog(&recording(), None);
    let mut changed = recording();
    changed.observed_at = "2026-08-23T00:00:00Z".parse().unwrap();
    change(&mut changed);
    let new = catalog(&changed, Some(&old));
    (old, new)
}

fn changed(change: impl FnOnce(&mut Recording)) -> CatalogDiff {
    let (old, new) = pair(change);
    CatalogDiff::between(&old, &new)
}

fn models(recording: &mut Recording, mut change: impl FnMut(&str, &mut ModelSummary)) {
    for (region, answers) in &mut recording.regions {
        answers
            .models
            .iter_mut()
            .for_each(|row| change(region, row));
    }
}

fn lifecycle(recording: &mut Recording, change: impl Fn(&mut LifecycleSummary)) {
    models(recording, |_, row| {
        if row.model_id == MODEL {
            change(row.model_lifecycle.as_mut().unwrap());
        }
    });
}

fn set(gained: &[&str], lost: &[&str]) -> (Vec<String>, Vec<String>) {
    let texts = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect();
    (texts(gained), texts(lost))
}

fn both(change: &SetChange) -> (Vec<String>, Vec<String>) {
    (change.gained.clone(), change.lost.clone())
}

/// The lengths of the lists, in the order of the accessors.
fn counts(diff: &CatalogDiff) -> [usize; 10] {
    [
        diff.models_added().len(),
        diff.models_retired().len(),
        diff.models_gone().len(),
        diff.models_back().len(),
        diff.models_changed().len(),
        diff.profiles_added().len(),
        diff.profiles_gone().len(),
        diff.profiles_back().len(),
        diff.profiles_changed().len(),
        diff.regions_stale().len(),
    ]
}

#[test]
fn an_equal_recording_has_no_difference() {
    let diff = changed(|_| {});
    assert!(diff.is_empty() && counts(&diff) == [0; 10]);
    assert!(diff.from().observed_at < diff.to().observed_at);
    assert!(diff_text(&diff).ends_with("Nothing has changed.\n"));
}

#[test]
fn models_are_added_retired_gone_and_back() {
    let without = |recording: &mut Recording| {
        for answers in recording.regions.values_mut() {
            answers
                .models
                .retain(|row| row.model_id != "maker.model-5-v1:0");
        }
    };
    let (with, retired) = pair(without);
    let diff = CatalogDiff::between(&with, &retired);
    assert_eq!(counts(&diff), [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let note = &diff.models_retired()[0];
    assert_eq!(
        (&*note.id, note.regions.len()),
        ("maker.model-5-v1:0", 3),
        "its last regions"
    );
    assert!(diff_text(&diff).contains("\nModels retired (1)\n  maker.model-5-v1:0: Model"));

    let diff = CatalogDiff::between(&retired, &catalog(&recording(), Some(&retired)));
    assert_eq!(counts(&diff), [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);

    // Without carry-over it is gone, and then added.
    let mut less = recording();
    without(&mut less);
    let less = catalog(&less, None);
    assert_eq!(
        counts(&CatalogDiff::between(&with, &less))[..4],
        [0, 0, 1, 0]
    );
    let diff = CatalogDiff::between(&less, &with);
    assert_eq!(counts(&diff), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(diff.models_added()[0].provider.as_deref(), Some("Maker"));

    // With a failed region it is gone but not retired.
    let diff = changed(|recording| {
        without(recording);
        recording
            .failures
            .insert("ap-east-2".to_owned(), "denied: no".to_owned());
    });
    assert_eq!(counts(&diff)[..4], [0, 0, 1, 0]);
}

#[test]
fn lifecycle_changes() {
    let diff = changed(|recording| {
        lifecycle(recording, |lifecycle| {
            lifecycle.status = Some("LEGACY".to_owned());
            lifecycle.end_of_life_time = Some("2027-02-03T00:00:00Z".to_owned());
            lifecycle.start_of_life_time = None;
        });
    });
    assert_eq!(counts(&diff), [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
    let change = &diff.models_changed()[0];
    assert!(change.is_newly_legacy());
    let dates: Vec<_> = change.dates.iter().map(|date| date.date).collect();
    assert_eq!(dates, ["start", "end_of_life"]);
    let line = "maker.model-1-v1:0; status ACTIVE to LEGACY; start 2025-12-02 to none; end of life none to 2027-02-03";
    assert!(
        diff_text(&diff).contains(&format!("\nModels newly legacy (1)\n  {line}\n")),
        "{}",
        diff_text(&diff)
    );

    let diff = changed(|recording| {
        lifecycle(recording, |lifecycle| {
            lifecycle.legacy_time = Some("2027-01-01T00:00:00Z".to_owned())
        });
    });
    assert!(!diff.models_changed()[0].is_newly_legacy());
    assert!(diff_text(&diff).contains("Models with new dates (1)"));
}

#[test]
fn regions_and_inference_types_of_a_model() {
    let diff = changed(|recording| {
        let answers = recording.regions.get_mut("eu-west-1").unwrap();
        answers
            .models
            .retain(|row| row.model_id != "maker.model-4-v1:0");
        models(recording, |region, row| {
            let id = &*row.model_id;
            let types = match (id, region) {
                (MODEL, "us-east-1") => "ON_DEMAND",
                ("maker.model-2-v1:0", "us-east-1") => "PROVISIONED",
                ("maker.model-5-v1:0", _) => "TELEPATHY",
                _ => return,
            };
            row.inference_types_supported = Some(vec![types.to_owned()]);
        });
    });
    assert_eq!(counts(&diff), [0, 0, 0, 0, 4, 0, 0, 0, 0, 0]);
    let change = |id: &str| {
        diff.models_changed()
            .iter()
            .find(|change| change.id == id)
            .unwrap()
    };
    assert_eq!(both(&change(MODEL).on_demand), set(&["us-east-1"], &[]));
    let two = change("maker.model-2-v1:0");
    assert_eq!(both(&two.on_demand), set(&[], &["us-east-1"]));
    assert_eq!(both(&two.provisioned), set(&["us-east-1"], &[]));
    let four = change("maker.model-4-v1:0");
    assert_eq!(both(&four.regions), set(&[], &["eu-west-1"]));
    assert!(four.on_demand.is_empty(), "reported by the region");
    assert_eq!(change("maker.model-5-v1:0").facts, ["inference_types"]);
}

#[test]
fn other_properties_are_named() {
    let diff = changed(|recording| {
        models(recording, |_, row| {
            if row.model_id == MODEL {
                row.model_name = Some("New".to_owned());
                row.response_streaming_supported = None;
                row.customizations_supported = Some(vec!["FINE_TUNING".to_owned()]);
            }
        });
        for answers in recording.regions.values_mut() {
            answers.profiles[2].description = Some("Else.".to_owned());
        }
    });
    assert_eq!(
        diff.models_changed()[0].facts,
        ["name", "streaming", "customizations"]
    );
    assert_eq!(diff.profiles_changed()[0].facts, ["description"]);
    assert!(diff_text(&diff).contains("us.maker.model-2-v1:0; new: description\n"));
}

#[test]
fn sources_and_destinations_of_profiles() {
    let diff = changed(|recording| {
        for (region, answers) in &mut recording.regions {
            let model = "foundation-model/maker.model-3-v1:0";
            answers.profiles[3].models[0].model_arn =
                format!("arn:aws:bedrock:ca-central-1::{model}");
            if region == "eu-west-1" {
                // Removes the global profile, and the region as a source of the other.
                answers.profiles.remove(1);
            }
            answers.profiles.remove(0);
        }
    });
    assert_eq!(counts(&diff)[5..9], [0, 1, 0, 2]);
    assert_eq!(diff.profiles_gone()[0].id, "global.maker.model-0-v1:0");
    let change = |id: &str| {
        diff.profiles_changed()
            .iter()
            .find(|change| change.id == id)
            .unwrap()
    };
    assert_eq!(
        both(&change("us.maker.model-1-v1:0").sources),
        set(&[], &["eu-west-1"])
    );
    let three = change("us.maker.model-3-v1:0");
    assert!(three.sources.is_empty() && three.models.is_empty());
    assert_eq!(
        three.destinations.len(),
        1,
        "reported together: {:?}",
        three.destinations
    );
    assert_eq!(three.destinations[0].sources, REGIONS);
    assert_eq!(
        both(&three.destinations[0].destinations),
        set(&["ca-central-1"], &[])
    );
}

#[test]
fn regions_are_added_removed_stale_and_fresh() {
    let (old, stale) = pair(|recording| {
        recording.regions.remove("us-west-2").unwrap();
        recording
            .failures
            .insert("us-west-2".to_owned(), "timed out".to_owned());
        let new = synthetic::recording(&["ca-central-1"], 6, 4);
        recording.regions.extend(new.regions);
    });
    let diff = CatalogDiff::between(&old, &stale);
    assert_eq!(both(diff.regions()), set(&["ca-central-1"], &[]));
    assert_eq!(diff.regions_stale()[0].id, "us-west-2");
    assert_eq!(diff.regions_stale()[0].since, old.observed_at());
    let again = catalog(&recording(), Some(&stale));
    let diff = CatalogDiff::between(&stale, &again);
    assert_eq!(diff.regions_fresh(), ["us-west-2"]);
    assert_eq!(
        both(CatalogDiff::between(&stale, &old).regions()),
        set(&[], &["ca-central-1"])
    );
}

#[test]
fn the_reverse_difference_swaps_gained_and_lost() {
    let (a, b) = pair(|recording| {
        recording
            .regions
            .get_mut("us-east-1")
            .unwrap()
            .models
            .truncate(2);
        recording
            .regions
            .get_mut("us-west-2")
            .unwrap()
            .profiles
            .truncate(1);
        models(recording, |_, row| {
            row.model_name = row.model_name.take().map(|name| name + "!")
        });
    });
    let (there, back) = (CatalogDiff::between(&a, &b), CatalogDiff::between(&b, &a));
    assert!(!there.is_empty());
    assert_eq!(there.models_changed().len(), back.models_changed().len());
    for (one, other) in there.models_changed().iter().zip(back.models_changed()) {
        assert_eq!((&one.id, &one.facts), (&other.id, &other.facts));
        assert_eq!(
            (&one.regions.gained, &one.regions.lost),
            (&other.regions.lost, &other.regions.gained)
        );
    }
}

#[test]
fn the_order_of_the_answers_does_not_matter() {
    let print = |turned: bool| {
        let diff = changed(|recording| {
            models(recording, |_, row| {
                row.response_streaming_supported = Some(true)
            });
            for answers in recording.regions.values_mut().filter(|_| turned) {
                answers.models.reverse();
                answers.profiles.reverse();
            }
        });
        [diff_text(&diff), diff_markdown(&diff), diff_json(&diff)]
    };
    assert_eq!(print(false), print(true));
}
