//! From the SDK's types to the rows of a recording. Unknown words stay as they came, absent stays absent.

use aws_sdk_bedrock::primitives::{DateTime, DateTimeFormat};
use aws_sdk_bedrock::types::{
    FoundationModelLifecycle, FoundationModelSummary, InferenceProfileSummary,
};

use bedrock_catalog_recording::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, redact,
};

/// Where a required field is missing the SDK fills in this word, or an empty text.
const MISSING: &str = "no value was set";

fn known(text: &str) -> Option<String> {
    (!text.is_empty() && text != MISSING).then(|| text.to_owned())
}

fn words<T>(list: Option<Vec<T>>, word: impl Fn(&T) -> &str) -> Option<Vec<String>> {
    list.map(|list| list.iter().map(|item| word(item).to_owned()).collect())
}

/// As the AWS CLI prints it: microseconds in six digits, where there are any.
fn time(time: Option<DateTime>) -> Option<String> {
    let time = time?;
    let text = DateTime::from_secs(time.secs())
        .fmt(DateTimeFormat::DateTime)
        .ok()?;
    Some(match time.subsec_nanos() / 1000 {
        0 => text,
        micros => format!("{}.{micros:06}Z", text.strip_suffix('Z')?),
    })
}

/// A row of `ListFoundationModels`, or `None` where it has no id.
pub(super) fn model(row: FoundationModelSummary) -> Option<ModelSummary> {
    let mut model = ModelSummary::new(known(&row.model_id)?);
    model.model_arn = known(&row.model_arn).map(|arn| redact(&arn).into_owned());
    model.model_name = row.model_name;
    model.provider_name = row.provider_name;
    model.input_modalities = words(row.input_modalities, |word| word.as_str());
    model.output_modalities = words(row.output_modalities, |word| word.as_str());
    model.response_streaming_supported = row.response_streaming_supported;
    model.customizations_supported = words(row.customizations_supported, |word| word.as_str());
    model.inference_types_supported = words(row.inference_types_supported, |word| word.as_str());
    model.model_lifecycle = row.model_lifecycle.map(lifecycle);
    Some(model)
}

fn lifecycle(row: FoundationModelLifecycle) -> LifecycleSummary {
    let mut lifecycle = LifecycleSummary::default();
    lifecycle.status = known(row.status.as_str());
    lifecycle.start_of_life_time = time(row.start_of_life_time);
    lifecycle.legacy_time = time(row.legacy_time);
    lifecycle.public_extended_access_time = time(row.public_extended_access_time);
    lifecycle.end_of_life_time = time(row.end_of_life_time);
    lifecycle
}

/// A row of `ListInferenceProfiles`, or `None` where it has no id.
pub(super) fn profile(row: InferenceProfileSummary) -> Option<ProfileSummary> {
    let arns = row.models.into_iter().filter_map(|model| model.model_arn);
    let models = arns.map(|arn| ProfileModel::new(redact(&arn)));
    let mut profile = ProfileSummary::new(known(&row.inference_profile_id)?, models.collect());
    profile.inference_profile_name = known(&row.inference_profile_name);
    profile.description = row.description.map(|text| redact(&text).into_owned());
    profile.created_at = time(row.created_at);
    profile.updated_at = time(row.updated_at);
    profile.inference_profile_arn =
        known(&row.inference_profile_arn).map(|arn| redact(&arn).into_owned());
    profile.status = known(row.status.as_str());
    profile.kind = known(row.r#type.as_str());
    Some(profile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_the_cli_does() {
        for text in [
            "2026-08-22T00:52:43Z",
            "2026-08-22T00:52:43.166510Z",
            "2026-08-22T00:52:43.000001Z",
        ] {
            let parsed = DateTime::from_str(text, DateTimeFormat::DateTime).unwrap();
            assert_eq!(time(Some(parsed)).as_deref(), Some(text));
        }
        assert_eq!(time(Some(DateTime::from_secs(i64::MAX))), None);
    }
}
