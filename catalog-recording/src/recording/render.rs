//! Catalog to recording, for tests and round trips.

use bedrock_catalog_data::{Catalog, Date, Destinations, Lifecycle, Model, Profile, Region};

use super::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};
use crate::arn::ModelArn;

impl Recording {
    /// The recording that [`transform()`](crate::transform()) turns into this catalog, given the catalog
    /// itself as the previous one. Stale regions become failures, so that their rows are carried over.
    ///
    /// ```
    /// use bedrock_catalog_data::Catalog;
    /// use bedrock_catalog_recording::Recording;
    ///
    /// let recording = Recording::of_catalog(Catalog::bundled());
    /// assert_eq!(recording.observed_at, Catalog::bundled().observed_at());
    /// ```
    pub fn of_catalog(catalog: &Catalog) -> Self {
        let (stale, fresh): (Vec<_>, Vec<_>) = catalog
            .regions()
            .partition(|region| region.stale_since().is_some());
        let failure = |region: &Region<'_>| {
            let since = region.stale_since()?;
            Some((region.id().to_owned(), format!("stale since {since}")))
        };
        let answers = |region: Region<'_>| {
            let answers = RegionAnswers {
                models: models(catalog, region),
                profiles: profiles(catalog, region),
            };
            (region.id().to_owned(), answers)
        };
        Self {
            regions: fresh.into_iter().map(answers).collect(),
            failures: stale.iter().filter_map(failure).collect(),
            ..Self::new(catalog.partition(), catalog.observed_at())
        }
    }
}

fn models(catalog: &Catalog, region: Region<'_>) -> Vec<ModelSummary> {
    let arn = |model: Model<'_>| {
        ModelArn::new(catalog.partition(), Some(region.id()), model.id()).to_string()
    };
    let listed = region.accesses().filter(|access| access.is_listed());
    let row = |access: bedrock_catalog_data::Access<'_>| {
        let model = access.model();
        ModelSummary {
            model_arn: Some(arn(model)),
            model_id: model.id().to_owned(),
            model_name: model.name().map(str::to_owned),
            provider_name: model.provider().map(str::to_owned),
            input_modalities: model.input_modalities().map(texts),
            output_modalities: model.output_modalities().map(texts),
            response_streaming_supported: model.streaming(),
            customizations_supported: model.customizations().map(texts),
            inference_types_supported: access.inference_types().map(texts),
            model_lifecycle: lifecycle(model.lifecycle()),
        }
    };
    listed.map(row).collect()
}

fn texts<T: AsRef<str>>(values: &[T]) -> Vec<String> {
    let texts = values.iter().map(|value| value.as_ref().to_owned());
    texts.collect()
}

fn lifecycle(lifecycle: Lifecycle<'_>) -> Option<LifecycleSummary> {
    let time = |date: Option<Date>| date.map(|date| date.midnight().to_string());
    let summary = LifecycleSummary {
        status: lifecycle.status().map(ToString::to_string),
        start_of_life_time: time(lifecycle.start()),
        legacy_time: time(lifecycle.legacy()),
        public_extended_access_time: time(lifecycle.extended_access()),
        end_of_life_time: time(lifecycle.end_of_life()),
    };
    (summary != LifecycleSummary::default()).then_some(summary)
}

fn profiles(catalog: &Catalog, region: Region<'_>) -> Vec<ProfileSummary> {
    let row = |profile: Profile<'_>| {
        let from_here = profile
            .routes()
            .filter(|route| route.access.region() == region);
        let models = from_here.flat_map(|route| {
            let arn = move |region| {
                let arn = ModelArn::new(catalog.partition(), region, route.access.model().id());
                ProfileModel::new(arn.to_string())
            };
            regions(region, route.destinations).into_iter().map(arn)
        });
        let models: Vec<_> = models.collect();
        (!models.is_empty()).then(|| ProfileSummary {
            inference_profile_name: profile.name().map(str::to_owned),
            description: profile.description().map(str::to_owned),
            inference_profile_arn: Some(format!(
                "arn:{}:bedrock:{}:000000000000:inference-profile/{}",
                catalog.partition(),
                region.id(),
                profile.id()
            )),
            status: Some(profile.status().unwrap_or("ACTIVE").to_owned()),
            kind: Some("SYSTEM_DEFINED".to_owned()),
            ..ProfileSummary::new(profile.id(), models)
        })
    };
    catalog.profiles().filter_map(row).collect()
}

/// The regions in the ARNs of a profile. Global profiles have an ARN without a region, and one with the
/// source region.
fn regions<'a>(source: Region<'a>, destinations: Destinations<'a>) -> Vec<Option<&'a str>> {
    match destinations.is_global() {
        true => vec![None, Some(source.id())],
        false => destinations.iter().map(Some).collect(),
    }
}
