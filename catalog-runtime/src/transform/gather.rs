//! All rows by what they are about: the model or profile, then the region.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{DestinationsEntry, InferenceType, Region, Text};

use crate::arn::{ModelArn, scrub};
use crate::recording::{DUPLICATE, ModelSummary, ProfileSummary, Recording, Row, RowProblem};

/// Everything the answers say.
#[derive(Default)]
pub(super) struct Gathered<'r> {
    pub(super) models: BTreeMap<String, ModelRows<'r>>,
    pub(super) profiles: BTreeMap<String, ProfileRows<'r>>,
}

/// What is said of one model.
#[derive(Default)]
pub(super) struct ModelRows<'r> {
    /// By region. None of a model known through profiles only.
    pub(super) rows: BTreeMap<&'r str, &'r ModelSummary>,
    /// The ways in by region, carried-over regions included.
    pub(super) access: BTreeMap<String, Option<BTreeSet<InferenceType>>>,
}

/// What is said of one profile.
#[derive(Default)]
pub(super) struct ProfileRows<'r> {
    /// By source region.
    pub(super) rows: BTreeMap<&'r str, &'r ProfileSummary>,
    /// The destinations by model and source region, carried-over regions included.
    pub(super) routes: BTreeMap<(String, String), DestinationsEntry<'static>>,
}

impl<'r> Gathered<'r> {
    /// Sorts the rows of a recording, and reports those that are not what the API answers.
    pub(super) fn from_recording(recording: &'r Recording) -> (Self, Vec<RowProblem>) {
        let mut gathered = Self::default();
        let mut problems = Vec::new();
        for (region, answers) in &recording.regions {
            let mut report = |list: &str, index, outcome: Result<(), String>| {
                if let Err(reason) = outcome {
                    problems.push(RowProblem::new(region, list, index, reason));
                }
            };
            for (index, row) in answers.models.iter().enumerate() {
                let outcome = row.check(region).and_then(|()| gathered.list(region, row));
                report("list-foundation-models", index, outcome);
            }
            for (index, row) in answers.profiles.iter().enumerate() {
                let outcome = row
                    .check(region)
                    .and_then(|()| gathered.serve(recording, region, row));
                report("list-inference-profiles", index, outcome);
            }
        }
        (gathered, problems)
    }

    fn list(&mut self, region: &'r str, row: &'r ModelSummary) -> Result<(), String> {
        let model = self
            .models
            .entry(scrub(&row.model_id).into_owned())
            .or_default();
        match model.rows.get(region) {
            // The same row twice says nothing new.
            Some(&other) if other == row => return Ok(()),
            Some(_) => return Err(format!("{:?} {DUPLICATE}", row.model_id)),
            None => model.rows.insert(region, row),
        };
        let types = row.inference_types_supported.as_ref();
        let types = types.map(|words| words.iter().map(|word| (&**word).into()).collect());
        model.access.insert(region.to_owned(), types);
        Ok(())
    }

    fn serve(
        &mut self,
        recording: &Recording,
        region: &'r str,
        row: &'r ProfileSummary,
    ) -> Result<(), String> {
        if !row.is_system_defined() {
            return Ok(());
        }
        let mut served: BTreeMap<&str, Option<BTreeSet<&str>>> = BTreeMap::new();
        for model in &row.models {
            let arn = &model.model_arn;
            let parsed = ModelArn::parse(arn)
                .filter(|parsed| parsed.partition == recording.partition)
                .ok_or_else(|| format!("{arn:?} is not of partition {}", recording.partition))?;
            let destinations = served
                .entry(parsed.model)
                .or_insert_with(|| Some(BTreeSet::new()));
            match parsed.region {
                // One ARN without a region: no boundary, whatever the others say.
                None => *destinations = None,
                Some(region) => {
                    destinations.as_mut().map(|regions| regions.insert(region));
                }
            }
        }
        let id = scrub(&row.inference_profile_id).into_owned();
        let profile = self.profiles.entry(id).or_default();
        match profile.rows.get(region) {
            Some(&other) if other == row => return Ok(()),
            Some(_) => {
                return Err(format!("{:?} {DUPLICATE}", row.inference_profile_id));
            }
            None => profile.rows.insert(region, row),
        };
        for (model, destinations) in served {
            let model = scrub(model).into_owned();
            self.models.entry(model.clone()).or_default();
            let destinations = match destinations {
                None => DestinationsEntry::Global,
                Some(regions) => {
                    let regions = regions.into_iter().map(|id| Text::from(id.to_owned()));
                    DestinationsEntry::Regions(regions.collect())
                }
            };
            profile
                .routes
                .insert((model, region.to_owned()), destinations);
        }
        Ok(())
    }

    /// Takes the rows of a region that gave no answer from the previous catalog.
    pub(super) fn carry_over(&mut self, region: Region<'_>) {
        for access in region.accesses() {
            let id = access.model().id();
            let model = self.models.entry(id.to_owned()).or_default();
            if access.is_listed() {
                let types = access.inference_types();
                let types = types.map(|types| types.iter().cloned().collect());
                model.access.insert(region.id().to_owned(), types);
            }
            for (profile, destinations) in access.profiles() {
                let destinations = match destinations.is_global() {
                    true => DestinationsEntry::Global,
                    false => DestinationsEntry::Regions(
                        destinations
                            .iter()
                            .map(|id| Text::from(id.to_owned()))
                            .collect(),
                    ),
                };
                let profile = self.profiles.entry(profile.id().to_owned()).or_default();
                let key = (id.to_owned(), region.id().to_owned());
                profile.routes.insert(key, destinations);
            }
        }
    }
}
