//! The rows of all regions, grouped by model or profile, then region.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{DestinationsEntry, InferenceType, Region, Text};

use crate::arn::ModelArn;
use crate::recording::{ModelSummary, ProfileSummary, Recording, Row, RowFault, RowProblem};
use crate::redact::redact;

/// The rows of a recording, with those carried over.
#[derive(Default)]
pub(super) struct Rows<'r> {
    pub(super) models: BTreeMap<String, ModelRows<'r>>,
    pub(super) profiles: BTreeMap<String, ProfileRows<'r>>,
}

/// The rows of one model.
#[derive(Default)]
pub(super) struct ModelRows<'r> {
    /// By region; empty for a model that only profiles name.
    pub(super) rows: BTreeMap<&'r str, &'r ModelSummary>,
    /// The inference types by region, with carried-over regions.
    pub(super) access: BTreeMap<String, Option<BTreeSet<InferenceType>>>,
}

/// The rows of one profile.
#[derive(Default)]
pub(super) struct ProfileRows<'r> {
    /// By source region.
    pub(super) rows: BTreeMap<&'r str, &'r ProfileSummary>,
    /// The destinations by model and source region, with carried-over regions.
    pub(super) routes: BTreeMap<(String, String), DestinationsEntry<'static>>,
}

impl<'r> Rows<'r> {
    /// The rows of a recording, and the skipped ones.
    pub(super) fn of_recording(recording: &'r Recording) -> (Self, Vec<RowProblem>) {
        let mut rows = Self::default();
        let mut problems = recording.skipped_rows.clone();
        for (region, answers) in &recording.regions {
            let mut report = |list: &str, index, outcome: Result<(), RowFault>| {
                if let Err(fault) = outcome {
                    problems.push(RowProblem::new(region, list, index, fault));
                }
            };
            for (index, row) in answers.models.iter().enumerate() {
                let outcome = rows.add_model(recording, region, row);
                report("list-foundation-models", index, outcome);
            }
            for (index, row) in answers.profiles.iter().enumerate() {
                let outcome = rows.add_profile(recording, region, row);
                report("list-inference-profiles", index, outcome);
            }
        }
        rows.resolve_routes();
        (rows, problems)
    }

    fn add_model(
        &mut self,
        recording: &Recording,
        region: &'r str,
        row: &'r ModelSummary,
    ) -> Result<(), RowFault> {
        row.check(region)?;
        if let Some(arn) = &row.model_arn {
            of_partition(recording, arn)?;
        }
        let model = self
            .models
            .entry(redact(&row.model_id).into_owned())
            .or_default();
        let (row, fault) = smaller(model.rows.insert(region, row), row, &row.model_id);
        model.rows.insert(region, row);
        let types = row.inference_types_supported.as_ref();
        let types = types.map(|list| list.iter().map(|text| (&*redact(text)).into()).collect());
        model.access.insert(region.to_owned(), types);
        fault
    }

    fn add_profile(
        &mut self,
        recording: &Recording,
        region: &'r str,
        row: &'r ProfileSummary,
    ) -> Result<(), RowFault> {
        row.check(region)?;
        if !row.is_system_defined() {
            return Ok(());
        }
        for model in &row.models {
            of_partition(recording, &model.model_arn)?;
        }
        let id = redact(&row.inference_profile_id).into_owned();
        let profile = self.profiles.entry(id).or_default();
        let id = &row.inference_profile_id;
        let (row, fault) = smaller(profile.rows.insert(region, row), row, id);
        profile.rows.insert(region, row);
        fault
    }

    /// Fills in the routes of the profiles from the model ARNs in their rows.
    fn resolve_routes(&mut self) {
        for profile in self.profiles.values_mut() {
            for (region, row) in &profile.rows {
                let mut served: BTreeMap<&str, Option<BTreeSet<&str>>> = BTreeMap::new();
                let models = row.models.iter();
                for arn in models.filter_map(|model| ModelArn::parse(&model.model_arn)) {
                    let destinations = served
                        .entry(arn.model)
                        .or_insert_with(|| Some(BTreeSet::new()));
                    match arn.region {
                        // One ARN without a region makes the profile global.
                        None => *destinations = None,
                        Some(region) => {
                            destinations.as_mut().map(|regions| regions.insert(region));
                        }
                    }
                }
                for (model, destinations) in served {
                    let model = redact(model).into_owned();
                    self.models.entry(model.clone()).or_default();
                    let destinations = match destinations {
                        None => DestinationsEntry::Global,
                        Some(regions) => DestinationsEntry::Regions(
                            regions
                                .into_iter()
                                .map(|id| Text::from(id.to_owned()))
                                .collect(),
                        ),
                    };
                    let key = (model, (*region).to_owned());
                    profile.routes.insert(key, destinations);
                }
            }
        }
    }

    /// Adds the rows of a region of the previous catalog that the answer does not have: all rows if the
    /// region failed, else the missing ones. Returns whether there are any.
    pub(super) fn carry_over(&mut self, region: Region<'_>) -> bool {
        let mut carried = false;
        for access in region.accesses() {
            let id = access.model().id();
            let model = self.models.entry(id.to_owned()).or_default();
            if access.is_listed() {
                let types = access.inference_types();
                let types = types.map(|types| types.iter().cloned().collect());
                model
                    .access
                    .entry(region.id().to_owned())
                    .or_insert_with(|| {
                        carried = true;
                        types
                    });
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
                profile.routes.entry(key).or_insert_with(|| {
                    carried = true;
                    destinations
                });
            }
        }
        carried
    }
}

/// The smaller of two rows with the same id and region, so that their order does not matter. Rows that
/// differ are a fault.
fn smaller<'r, R: Ord>(
    before: Option<&'r R>,
    row: &'r R,
    id: &str,
) -> (&'r R, Result<(), RowFault>) {
    match before {
        None => (row, Ok(())),
        Some(before) if before == row => (row, Ok(())),
        Some(before) => (before.min(row), Err(RowFault::Duplicate(id.to_owned()))),
    }
}

fn of_partition(recording: &Recording, arn: &str) -> Result<(), RowFault> {
    match ModelArn::parse(arn).filter(|arn| arn.partition == recording.partition) {
        Some(_) => Ok(()),
        None => Err(RowFault::Malformed(format!(
            "{arn:?} is not of partition {}",
            recording.partition
        ))),
    }
}
