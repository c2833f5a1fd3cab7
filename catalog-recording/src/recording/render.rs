//! Catalog → recording: the inverse of the transform, for stages and round trips.

use bedrock_catalog_data::{Catalog, Date, Destinations, Lifecycle, Model, Profile, Region};

use super::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
};
use crate::arn::ModelArn;

impl Recording {
    /// The answers that a catalog is made of: transformed, they give the catalog again. Regions
    /// whose rows are stale count as failed, so that the catalog itself, as the previous one,
    /// carries them over.
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
            observed_at: catalog.observed_at(),
            partition: catalog.partition().to_owned(),
            regions: fresh.into_iter().map(answers).collect(),
            failures: stale.iter().filter_map(failure).collect(),
            left_out: Vec::new(),
        }
    }
}

fn models(catalog: &Catalog, region: Region<'_>) -> Vec<ModelSummary> {
    let arn = |model: Model<'_>| {
        let arn = ModelArn {
            partition: catalog.partition(),
            region: Some(region.id()),
            model: model.id(),
        };
        arn.text()
    };
    let listed = region.accesses().filter(|access| access.is_listed());
    let row = |access: bedrock_catalog_data::Access<'_>| {
        let model = access.model();
        ModelSummary {
            model_arn: Some(arn(model)),
            model_id: model.id().to_owned(),
            model_name: model.name().map(str::to_owned),
            provider_name: model.provider().map(str::to_owned),
            input_modalities: model.input_modalities().map(words),
            output_modalities: model.output_modalities().map(words),
            response_streaming_supported: model.streaming(),
            customizations_supported: model.customizations().map(words),
            inference_types_supported: access.inference_types().map(words),
            model_lifecycle: lifecycle(model.lifecycle()),
        }
    };
    listed.map(row).collect()
}

fn words<W: AsRef<str>>(words: &[W]) -> Vec<String> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
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
            let arn = move |region| ProfileModel {
                model_arn: ModelArn {
                    partition: catalog.partition(),
                    region,
                    model: route.access.model().id(),
                }
                .text(),
            };
            regions(region, route.destinations).into_iter().map(arn)
        });
        let models: Vec<_> = models.collect();
        (!models.is_empty()).then(|| ProfileSummary {
            inference_profile_name: profile.name().map(str::to_owned),
            description: profile.description().map(str::to_owned),
            created_at: None,
            updated_at: None,
            inference_profile_arn: Some(format!(
                "arn:{}:bedrock:{}:000000000000:inference-profile/{}",
                catalog.partition(),
                region.id(),
                profile.id()
            )),
            models,
            inference_profile_id: profile.id().to_owned(),
            status: Some(profile.status().unwrap_or("ACTIVE").to_owned()),
            kind: Some("SYSTEM_DEFINED".to_owned()),
        })
    };
    catalog.profiles().filter_map(row).collect()
}

/// The regions of the ARNs: a global profile has one without and one with the source's.
fn regions<'a>(source: Region<'a>, destinations: Destinations<'a>) -> Vec<Option<&'a str>> {
    match destinations.is_global() {
        true => vec![None, Some(source.id())],
        false => destinations.iter().map(Some).collect(),
    }
}
