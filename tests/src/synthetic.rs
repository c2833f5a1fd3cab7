//! Small recordings made in code, so that every test runs from a clone alone.

use bedrock_catalog::recording::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};
use bedrock_catalog::{Date, Timestamp};

/// When the synthetic recordings were observed: 2026-08-22T00:00:00Z.
pub fn observed_at() -> Timestamp {
    Date::new(2026, 8, 22).map_or(Timestamp::baked(0), Date::midnight)
}

/// A recording in which every region lists the same number of models and profiles. One model of each
/// region has as few fields as the API allows, and one profile is global.
pub fn recording<R: AsRef<str>>(regions: &[R], models: usize, profiles: usize) -> Recording {
    let answers = |region: &str| RegionAnswers {
        models: (0..models).map(|n| model(region, n)).collect(),
        profiles: (0..profiles).map(|n| profile(region, n)).collect(),
    };
    let regions = regions.iter().map(|region| region.as_ref());
    Recording {
        observed_at: observed_at(),
        partition: "aws".to_owned(),
        regions: regions
            .map(|region| (region.to_owned(), answers(region)))
            .collect(),
        failures: Default::default(),
        left_out: Vec::new(),
    }
}

fn model_id(n: usize) -> String {
    format!("maker.model-{n}-v1:0")
}

fn model_arn(region: &str, n: usize) -> String {
    format!("arn:aws:bedrock:{region}::foundation-model/{}", model_id(n))
}

fn model(region: &str, n: usize) -> ModelSummary {
    let bare = ModelSummary {
        model_arn: Some(model_arn(region, n)),
        model_id: model_id(n),
        ..ModelSummary::default()
    };
    if n == 0 {
        return bare;
    }
    let words = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect());
    let ways = if n.is_multiple_of(2) {
        ["ON_DEMAND"]
    } else {
        ["INFERENCE_PROFILE"]
    };
    ModelSummary {
        model_name: Some(format!("Model “{n}” <b>")),
        provider_name: Some("Maker".to_owned()),
        input_modalities: words(&["TEXT", "IMAGE"]),
        output_modalities: words(&["TEXT"]),
        response_streaming_supported: Some(n.is_multiple_of(2)),
        customizations_supported: words(&[]),
        inference_types_supported: words(&ways),
        model_lifecycle: Some(LifecycleSummary {
            status: Some("ACTIVE".to_owned()),
            start_of_life_time: Some("2025-12-02T00:00:00Z".to_owned()),
            end_of_life_time: n
                .is_multiple_of(3)
                .then(|| "2027-01-15T08:30:00Z".to_owned()),
            ..LifecycleSummary::default()
        }),
        ..bare
    }
}

fn profile(region: &str, n: usize) -> ProfileSummary {
    let (geography, other) = if n == 0 {
        ("global", "")
    } else {
        ("us", "us-west-2")
    };
    let id = format!("{geography}.{}", model_id(n));
    let destinations = [region, other];
    let models = destinations.map(|region| ProfileModel {
        model_arn: model_arn(region, n),
    });
    ProfileSummary {
        inference_profile_name: Some(format!("{geography} Model {n}")),
        description: Some(format!("Routes requests to model {n}.")),
        created_at: Some("2025-12-02T00:00:00Z".to_owned()),
        updated_at: Some("2026-01-02T03:04:05.060700Z".to_owned()),
        inference_profile_arn: Some(format!(
            "arn:aws:bedrock:{region}:000000000000:inference-profile/{id}"
        )),
        models: models.to_vec(),
        inference_profile_id: id,
        status: Some("ACTIVE".to_owned()),
        kind: Some("SYSTEM_DEFINED".to_owned()),
    }
}
