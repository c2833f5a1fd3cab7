//! Recording to catalog document: a pure function, independent of the order of rows.
//!
//! The properties of a model should be equal in every region. Where they differ, lists are united, the
//! earliest date counts, and otherwise the most frequent value, the smallest of equally frequent ones.

mod merge;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{Catalog, DestinationsEntry, Document, Text, Timestamp};

use crate::recording::{Recording, RowProblem};
use rows::Rows;

/// The document of a recording in canonical order, and the skipped rows.
///
/// From the previous catalog it carries over:
/// - the rows of regions that failed, and the missing rows of regions with skipped rows, marked as stale;
/// - models and profiles that are gone, with the day they were last seen, as retired if the recording is
///   complete;
/// - the ids of regions, for their constants.
///
/// A second transform of the same recording changes nothing. Regions that were not asked are dropped.
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
    let (mut rows, problems) = Rows::of_recording(recording);
    let mut regions: Vec<&str> = recording.regions.keys().map(|id| &**id).collect();
    let mut stale: BTreeMap<Text<'static>, Timestamp> = BTreeMap::new();
    let complete = recording.failures.is_empty() && problems.is_empty();
    let is_incomplete = |region: &str| {
        recording.failures.contains_key(region) || problems.iter().any(|row| row.region() == region)
    };
    for region in previous.into_iter().flat_map(Catalog::regions) {
        if !is_incomplete(region.id()) {
            continue;
        }
        let carried = rows.carry_over(region);
        if !recording.regions.contains_key(region.id()) {
            regions.push(region.id());
        } else if !carried {
            // The previous catalog does not have the skipped rows either.
            continue;
        }
        let observed_at = previous.map_or(recording.observed_at, Catalog::observed_at);
        let since = region.stale_since().unwrap_or(observed_at);
        stale.insert(region.id().to_owned().into(), since);
    }
    regions.sort_unstable();
    let mut document = Document::new(recording.partition.clone(), recording.observed_at);
    document.former_regions = former_regions(&rows, &regions, previous);
    document.regions = regions.into_iter().map(|id| id.to_owned().into()).collect();
    document.stale = stale;
    document.models = merge::models(&rows, previous, complete);
    document.profiles = merge::profiles(&rows, previous, complete);
    (document, problems)
}

/// The regions of the previous catalog that nothing names now.
fn former_regions(
    rows: &Rows<'_>,
    regions: &[&str],
    previous: Option<&Catalog>,
) -> Vec<Text<'static>> {
    let routes = rows
        .profiles
        .values()
        .flat_map(|profile| profile.routes.values());
    let destinations = routes.flat_map(|destinations| match destinations {
        DestinationsEntry::Regions(regions) => regions.as_slice(),
        _ => &[],
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
        let arn = |region: &&str| {
            ProfileModel::new(format!("arn:aws:bedrock:{region}::foundation-model/a.b"))
        };
        let profile = ProfileSummary::new("eu.a.b", destinations.iter().map(arn).collect());
        let answers = RegionAnswers::new(Vec::new(), vec![profile]);
        let failure = |region: &&str| ((*region).to_owned(), "denied".to_owned());
        let mut recording = Recording::new("aws", Timestamp::baked(0));
        recording.regions.insert("eu-west-1".to_owned(), answers);
        recording.failures = failed.iter().map(failure).collect();
        recording
    }

    fn catalog(recording: &Recording, previous: Option<&Catalog>) -> Catalog {
        let (document, problems) = transform(recording, previous);
        assert_eq!(problems, []);
        let catalog = Catalog::from_document(&document).unwrap();
        assert_eq!(catalog.to_document(), document, "canonical");
        catalog
    }

    #[test]
    fn former_regions_stay_known() {
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
    fn rows_of_another_partition_are_skipped() {
        let mut mixed = recording(&["eu-west-1"], &[]);
        mixed.partition = "aws-cn".to_owned();
        let (document, problems) = transform(&mixed, None);
        assert_eq!((problems.len(), document.profiles.len()), (1, 0));
    }
}
