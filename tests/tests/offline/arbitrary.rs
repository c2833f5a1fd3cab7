//! Strategies for recordings: few ids, so that rows collide, and every kind of row.

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

fn maybe_list(texts: &'static [&'static str]) -> impl Strategy<Value = Option<Vec<String>>> {
    let some = subsequence(texts, 0..=texts.len());
    of(some
        .prop_shuffle()
        .prop_map(|texts| texts.into_iter().map(str::to_owned).collect()))
}

fn lifecycle() -> impl Strategy<Value = Option<LifecycleSummary>> {
    let time = || maybe_text(&TIMES);
    let status = maybe_text(&["ACTIVE", "LEGACY", "TIRED"]);
    of(
        (status, time(), time(), time(), time()).prop_map(
            |(status, start, legacy, public, end)| {
                let mut lifecycle = LifecycleSummary::default();
                lifecycle.status = status;
                lifecycle.start_of_life_time = start;
                lifecycle.legacy_time = legacy;
                lifecycle.public_extended_access_time = public;
                lifecycle.end_of_life_time = end;
                lifecycle
            },
        ),
    )
}

fn model() -> impl Strategy<Value = ModelSummary> {
    let texts = (maybe_text(&NAMES), maybe_text(&NAMES));
    let lists = (
        maybe_list(&WORDS),
        maybe_list(&WORDS),
        maybe_list(&WORDS),
        maybe_list(&TYPES),
    );
    (texts, lists, any::<Option<bool>>(), lifecycle()).prop_map(|(texts, lists, streams, life)| {
        let mut row = ModelSummary::default();
        row.model_name = texts.0;
        row.provider_name = texts.1;
        row.input_modalities = lists.0;
        row.output_modalities = lists.1;
        row.customizations_supported = lists.2;
        row.inference_types_supported = lists.3;
        row.response_streaming_supported = streams;
        row.model_lifecycle = life;
        row
    })
}

/// A row that serves one to three models, each in some regions; an ARN without a region is global.
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
                    to.into_iter().map(move |region| {
                        let region = region.unwrap_or_default();
                        let arn = format!("arn:aws:bedrock:{region}::foundation-model/{id}");
                        ProfileModel::new(arn)
                    })
                });
            let mut row = ProfileSummary::new("", served.collect());
            row.inference_profile_name = name;
            row.description = description;
            row.status = status;
            row.kind = kind.map(str::to_owned);
            row
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
    (models, profiles).prop_map(|(models, profiles)| {
        let models = models.into_iter().map(|(id, mut row)| {
            row.model_id = id.to_owned();
            row
        });
        let profiles = profiles.into_iter().map(|(id, mut row)| {
            row.inference_profile_id = id;
            row
        });
        RegionAnswers::new(models.collect(), profiles.collect())
    })
}

/// Recordings of the partition `aws` with some of the regions; others may have failed.
pub(crate) fn recording() -> impl Strategy<Value = Recording> {
    let regions = btree_map(
        select(&REGIONS),
        prop_oneof![6 => answers().prop_map(Some), 1 => Just(None)],
        1..=5,
    );
    (regions, select(&TIMES)).prop_map(|(regions, time)| {
        let mut recording = Recording::new("aws", time.parse().unwrap());
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

/// The same recording with every list reversed.
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
