//! Small recordings made in code, so that every test runs without other data.

use bedrock_catalog::recording::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};
use bedrock_catalog::{Date, Timestamp};

/// The time of the synthetic recordings: 2026-08-22T00:00:00Z.
pub fn observed_at() -> Timestamp {
    Date::new(2026, 8, 22).map_or(Timestamp::baked(0), Date::midnight)
}

/// A recording in which every region lists the same number of models and profiles. One model of each
/// region has as few fields as the API allows, and one profile is global.
pub fn recording<R: AsRef<str>>(regions: &[R], models: usize, profiles: usize) -> Recording {
    let answers = |region: &str| {
        let models = (0..models).map(|n| model(region, n)).collect();
        RegionAnswers::new(models, (0..profiles).map(|n| profile(region, n)).collect())
    };
    let regions = regions.iter().map(|region| region.as_ref());
    let mut recording = Recording::new("aws", observed_at());
    recording.regions = regions
        .map(|region| (region.to_owned(), answers(region)))
        .collect();
    recording
}

fn model_id(n: usize) -> String {
    format!("maker.model-{n}-v1:0")
}

fn model_arn(region: &str, n: usize) -> String {
    format!("arn:aws:bedrock:{region}::foundation-model/{}", model_id(n))
}

fn model(region: &str, n: usize) -> ModelSummary {
    let mut row = ModelSummary::new(model_id(n));
    row.model_arn = Some(model_arn(region, n));
    if n == 0 {
        return row;
    }
    let texts = |texts: &[&str]| Some(texts.iter().map(|&text| text.to_owned()).collect());
    let types = if n.is_multiple_of(2) {
        ["ON_DEMAND"]
    } else {
        ["INFERENCE_PROFILE"]
    };
    let mut lifecycle = LifecycleSummary::default();
    lifecycle.status = Some("ACTIVE".to_owned());
    lifecycle.start_of_life_time = Some("2025-12-02T00:00:00Z".to_owned());
    if n.is_multiple_of(3) {
        lifecycle.end_of_life_time = Some("2027-01-15T08:30:00Z".to_owned());
    }
    row.model_name = Some(format!("Model “{n}” <b>"));
    row.provider_name = Some("Maker".to_owned());
    row.input_modalities = texts(&["TEXT", "IMAGE"]);
    row.output_modalities = texts(&["TEXT"]);
    row.response_streaming_supported = Some(n.is_multiple_of(2));
    row.customizations_supported = texts(&[]);
    row.inference_types_supported = texts(&types);
    row.model_lifecycle = Some(lifecycle);
    row
}

fn profile(region: &str, n: usize) -> ProfileSummary {
    let (geography, other) = if n == 0 {
        ("global", "")
    } else {
        ("us", "us-west-2")
    };
    let id = format!("{geography}.{}", model_id(n));
    let destinations = [region, other];
    let models = destinations.map(|region| ProfileModel::new(model_arn(region, n)));
    let arn = format!("arn:aws:bedrock:{region}:000000000000:inference-profile/{id}");
    let mut row = ProfileSummary::new(id, models.to_vec());
    row.inference_profile_name = Some(format!("{geography} Model {n}"));
    row.description = Some(format!("Routes requests to model {n}."));
    row.created_at = Some("2025-12-02T00:00:00Z".to_owned());
    row.updated_at = Some("2026-01-02T03:04:05.060700Z".to_owned());
    row.inference_profile_arn = Some(arn);
    row.status = Some("ACTIVE".to_owned());
    row.kind = Some("SYSTEM_DEFINED".to_owned());
    row
}
