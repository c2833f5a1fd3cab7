//! Recording → catalog document. Pure: no clock, no I/O, and the same whatever the order of rows.
//!
//! Facts of a model are the same in every region or should be. Where regions disagree, lists are
//! joined, dates are the earliest, and of other facts the one most regions say holds, the smallest
//! of equals. What the recording could not ask is carried over from the previous catalog.

mod gather;
mod settle;

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{Catalog, DestinationsEntry, Document, FORMAT, Text, Timestamp};

use crate::recording::{Recording, RowProblem};
use gather::Gathered;

/// The catalog of a recording, given the previous one, as a document in canonical order, and the
/// rows that had to be left out.
///
/// From the previous catalog stay: the rows of regions that failed, and the missing rows of regions
/// some of whose rows were left out (both stale since they were observed); the models and profiles
/// that are gone, with the day they were last seen, retired where the recording is complete; and the
/// names of regions. So transforming twice changes nothing. A region that was neither asked nor failed
/// is gone.
///
/// ```
/// use bedrock_catalog_data::Catalog;
/// use bedrock_catalog_recording::{Recording, transform};
///
/// let bundle = Catalog::bundled();
/// let (document, problems) = transform(&Recording::of_catalog(bundle), Some(bundle));
/// assert!(problems.is_empty());
/// assert_eq!(document, bundle.to_document());
/// ```
pub fn transform(
    recording: &Recording,
    previous: Option<&Catalog>,
) -> (Document<'static>, Vec<RowProblem>) {
    let (mut gathered, problems) = Gathered::from_recording(recording);
    let mut regions: Vec<&str> = recording.regions.keys().map(|id| &**id).collect();
    let mut stale: BTreeMap<Text<'static>, Timestamp> = BTreeMap::new();
    let complete = recording.failures.is_empty() && problems.is_empty();
    let unrenewed = |region: &str| {
        recording.failures.contains_key(region) || problems.iter().any(|row| row.region() == region)
    };
    for region in previous.into_iter().flat_map(Catalog::regions) {
        if !unrenewed(region.id()) {
            continue;
        }
        let carried = gathered.carry_over(region);
        if !recording.regions.contains_key(region.id()) {
            regions.push(region.id());
        } else if !carried {
            // Rows were left out that were not there before either.
            continue;
        }
        let observed_at = previous.map_or(recording.observed_at, Catalog::observed_at);
        let since = region.stale_since().unwrap_or(observed_at);
        stale.insert(region.id().to_owned().into(), since);
    }
    regions.sort_unstable();
    let former_regions = former_regions(&gathered, &regions, previous);
    let document = Document {
        format: FORMAT,
        partition: recording.partition.clone().into(),
        observed_at: recording.observed_at,
        regions: regions.into_iter().map(|id| id.to_owned().into()).collect(),
        stale,
        former_regions,
        models: settle::models(&gathered, previous, complete),
        profiles: settle::profiles(&gathered, previous, complete),
    };
    (document, problems)
}

/// The regions that the previous catalog knew, and nothing names any more: their constants stay.
fn former_regions(
    gathered: &Gathered<'_>,
    regions: &[&str],
    previous: Option<&Catalog>,
) -> Vec<Text<'static>> {
    let routes = gathered
        .profiles
        .values()
        .flat_map(|profile| profile.routes.values());
    let destinations = routes.flat_map(|destinations| match destinations {
        DestinationsEntry::Regions(regions) => regions.as_slice(),
        DestinationsEntry::Global => &[],
    });
    let named: BTreeSet<&str> = destinations
        .map(|region| &**region)
        .chain(regions.iter().copied())
        .collect();
    let known = previous.into_iter().flat_map(Catalog::known_regions);
    let former = known.filter(|region| !named.contains(region));
    former.map(|region| region.to_owned().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{ProfileModel, ProfileSummary, RegionAnswers};

    fn recording(destinations: &[&str], failed: &[&str]) -> Recording {
        let arn = |region: &&str| ProfileModel {
            model_arn: format!("arn:aws:bedrock:{region}::foundation-model/a.b"),
        };
        let profile = ProfileSummary {
            inference_profile_id: "eu.a.b".to_owned(),
            models: destinations.iter().map(arn).collect(),
            ..ProfileSummary::default()
        };
        let answers = RegionAnswers {
            models: Vec::new(),
            profiles: vec![profile],
        };
        let failure = |region: &&str| ((*region).to_owned(), "denied".to_owned());
        Recording {
            observed_at: Timestamp::baked(0),
            partition: "aws".to_owned(),
            regions: BTreeMap::from([("eu-west-1".to_owned(), answers)]),
            failures: failed.iter().map(failure).collect(),
            left_out: Vec::new(),
        }
    }

    fn catalog(recording: &Recording, previous: Option<&Catalog>) -> Catalog {
        let (document, problems) = transform(recording, previous);
        assert_eq!(problems, []);
        let catalog = Catalog::from_document(&document).unwrap();
        assert_eq!(catalog.to_document(), document, "canonical");
        catalog
    }

    #[test]
    fn a_region_that_was_known_stays_known() {
        let first = catalog(&recording(&["eu-west-1", "eu-west-9"], &[]), None);
        let second = catalog(&recording(&["eu-west-1"], &[]), Some(&first));
        let third = catalog(&recording(&["eu-west-1"], &[]), Some(&second));
        for catalog in [second, third] {
            let known: Vec<&str> = catalog.known_regions().collect();
            assert_eq!(known, ["eu-west-1", "eu-west-9"]);
            assert_eq!(catalog.regions().count(), 1);
        }
    }

    #[test]
    fn rows_of_another_partition_are_left_out() {
        let mut mixed = recording(&["eu-west-1"], &[]);
        mixed.partition = "aws-cn".to_owned();
        let (document, problems) = transform(&mixed, None);
        assert_eq!((problems.len(), document.profiles.len()), (1, 0));
    }
}
