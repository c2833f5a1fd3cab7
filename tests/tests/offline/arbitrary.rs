//! Any recording: few ids, so that they meet, and every kind of row.

use bedrock_catalog::recording::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// Ids that end in each other, collide as constants, or are no identifiers at all.
pub(crate) const MODELS: [&str; 12] = [
    "a.b",
    "a-b",
    "a_b",
    "a.b-2",
    "b",
    "b:0",
    "b:0:300k",
    "c.a.b",
    "brand",
    "self",
    "9",
    "ü\u{202e}",
];
pub(crate) const REGIONS: [&str; 5] = ["eu-1", "eu-2", "us-1", "us-2", "\u{1b}x"];
const SCOPES: [&str; 6] = ["us", "eu", "global", "us-gov", "zz", "c"];
const WORDS: [&str; 5] = ["TEXT", "IMAGE", "SMELL", "", "text"];
const TYPES: [&str; 4] = ["ON_DEMAND", "PROVISIONED", "INFERENCE_PROFILE", "BATCH"];
const NAMES: [&str; 4] = ["One", "Two", "*/ \"x\"\n", ""];
const TIMES: [&str; 3] = [
    "2025-01-01T00:00:00Z",
    "2026-06-30T23:59:59-07:00",
    "2026-12-31T12:00:00.5Z",
];

fn maybe_text(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    of(select(texts).prop_map(str::to_owned))
}

fn maybe_words(words: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    let some = subsequence(words, 0..=words.len());
    of(some
        .prop_shuffle()
        .prop_map(|words| words.into_iter().map(str::to_owned).collect()))
}

fn lifecycle() -> impl Strategy<Value = Option<LifecycleSummary>> {
    let time = || maybe_text(&TIMES);
    let status = maybe_text(&["ACTIVE", "LEGACY", "TIRED"]);
    of(
        (status, time(), time(), time(), time()).prop_map(
            |(status, start, legacy, public, end)| LifecycleSummary {
                status,
                start_of_life_time: start,
                legacy_time: legacy,
                public_extended_access_time: public,
                end_of_life_time: end,
            },
        ),
    )
}

fn model() -> impl Strategy<Value = ModelSummary> {
    let texts = (maybe_text(&NAMES), maybe_text(&NAMES));
    let words = (
        maybe_words(&WORDS),
        maybe_words(&WORDS),
        maybe_words(&WORDS),
        maybe_words(&TYPES),
    );
    (texts, words, any::<Option<bool>>(), lifecycle()).prop_map(|(texts, words, streams, life)| {
        ModelSummary {
            model_arn: None,
            model_id: String::new(),
            model_name: texts.0,
            provider_name: texts.1,
            input_modalities: words.0,
            output_modalities: words.1,
            customizations_supported: words.2,
            inference_types_supported: words.3,
            response_streaming_supported: streams,
            model_lifecycle: life,
        }
    })
}

/// A row that serves one to three models, each in some regions; none is anywhere.
fn profile() -> impl Strategy<Value = ProfileSummary> {
    let to = prop_oneof![
        4 => subsequence(&REGIONS, 1..=3).prop_map(|regions| regions.into_iter().map(Some).collect()),
        1 => Just(vec![None, Some("eu-1")]),
    ];
    let served = vec((select(&MODELS), to), 1..=3);
    let kind = prop_oneof![
        8 => Just(Some("SYSTEM_DEFINED")),
        1 => Just(Some("APPLICATION")),
        1 => Just(Some("NEW_KIND")),
        1 => Just(None),
    ];
    (
        served,
        maybe_text(&NAMES),
        maybe_text(&NAMES),
        maybe_text(&["ACTIVE", "PAUSED"]),
        kind,
    )
        .prop_map(|(served, name, description, status, kind)| {
            let served = served
                .into_iter()
                .flat_map(|(id, to): (&str, Vec<Option<&str>>)| {
                    to.into_iter().map(move |region| ProfileModel {
                        model_arn: format!(
                            "arn:aws:bedrock:{}::foundation-model/{id}",
                            region.unwrap_or_default()
                        ),
                    })
                });
            ProfileSummary {
                inference_profile_name: name,
                description,
                models: served.collect(),
                status,
                kind: kind.map(str::to_owned),
                ..ProfileSummary::default()
            }
        })
}

fn profile_id() -> impl Strategy<Value = String> {
    (of(select(&SCOPES)), select(&MODELS)).prop_map(|(scope, model)| match scope {
        Some(scope) => format!("{scope}.{model}"),
        None => format!("profile {model}"),
    })
}

fn answers() -> impl Strategy<Value = RegionAnswers> {
    let models = btree_map(select(&MODELS), model(), 0..6);
    let profiles = btree_map(profile_id(), profile(), 0..6);
    (models, profiles).prop_map(|(models, profiles)| RegionAnswers {
        models: models
            .into_iter()
            .map(|(id, row)| ModelSummary {
                model_id: id.to_owned(),
                ..row
            })
            .collect(),
        profiles: profiles
            .into_iter()
            .map(|(id, row)| ProfileSummary {
                inference_profile_id: id,
                ..row
            })
            .collect(),
    })
}

/// Any recording of the partition `aws`, of some of the regions; others may have failed.
pub(crate) fn recording() -> impl Strategy<Value = Recording> {
    let regions = btree_map(
        select(&REGIONS),
        prop_oneof![6 => answers().prop_map(Some), 1 => Just(None)],
        1..=5,
    );
    (regions, select(&TIMES)).prop_map(|(regions, time)| {
        let mut recording = Recording {
            observed_at: time.parse().unwrap(),
            partition: "aws".to_owned(),
            regions: Default::default(),
            failures: Default::default(),
            left_out: Vec::new(),
        };
        for (id, answers) in regions {
            match answers {
                Some(answers) => _ = recording.regions.insert(id.to_owned(), answers),
                None => {
                    _ = recording
                        .failures
                        .insert(id.to_owned(), "denied".to_owned())
                }
            }
        }
        recording
    })
}

/// Every list in reverse: the same recording in another order.
pub(crate) fn reversed(recording: &Recording) -> Recording {
    let mut recording = recording.clone();
    for answers in recording.regions.values_mut() {
        answers.models.reverse();
        answers.profiles.reverse();
        for row in &mut answers.models {
            let lists = [
                &mut row.input_modalities,
                &mut row.output_modalities,
                &mut row.customizations_supported,
                &mut row.inference_types_supported,
            ];
            lists.into_iter().flatten().for_each(|list| list.reverse());
        }
        answers
            .profiles
            .iter_mut()
            .for_each(|row| row.models.reverse());
    }
    recording
}
