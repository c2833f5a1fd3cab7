//! Recording → catalog document. Pure: no clock, no I/O, and the same whatever the order of rows.
//!
//! Facts of a model are the same in every region or should be. Where regions disagree, lists are
//! joined, dates are the earliest, and of other facts the one most regions say holds, the smallest
//! of equals. What the recording could not ask is carried over from the previous catalog.

mod gather;
mod settle;

use std::collections::BTreeMap;

use bedrock_catalog_data::{Catalog, Document, FORMAT, Text, Timestamp};

use crate::recording::{Recording, RowProblem};
use gather::Gathered;

/// The catalog of a recording, given the previous one, as a document in canonical order, and the
/// rows that had to be left out.
///
/// From the previous catalog stay: the rows of its regions that the recording has no answer of
/// (stale since they were observed), and the models and profiles that are gone, with the day they
/// were last seen: retired where the recording is complete. So transforming twice changes nothing.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog::{Catalog, recording::Recording, transform};
///
/// let bundle = Catalog::bundled();
/// let (document, problems) = transform(&Recording::of_catalog(bundle), Some(bundle));
/// assert!(problems.is_empty());
/// assert_eq!(document, bundle.to_document());
/// # }
/// ```
pub fn transform(
    recording: &Recording,
    previous: Option<&Catalog>,
) -> (Document<'static>, Vec<RowProblem>) {
    let (mut gathered, problems) = Gathered::from_recording(recording);
    let mut regions: Vec<&str> = recording.regions.keys().map(|id| &**id).collect();
    let mut stale: BTreeMap<Text<'static>, Timestamp> = BTreeMap::new();
    let mut complete = recording.failures.is_empty();
    let carried = previous.into_iter().flat_map(Catalog::regions);
    for region in carried.filter(|region| !recording.regions.contains_key(region.id())) {
        complete = false;
        gathered.carry_over(region);
        regions.push(region.id());
        let observed_at = previous.map_or(recording.observed_at, Catalog::observed_at);
        let since = region.stale_since().unwrap_or(observed_at);
        stale.insert(region.id().to_owned().into(), since);
    }
    regions.sort_unstable();
    let document = Document {
        format: FORMAT,
        partition: recording.partition.clone().into(),
        observed_at: recording.observed_at,
        regions: regions.into_iter().map(|id| id.to_owned().into()).collect(),
        stale,
        models: settle::models(&gathered, previous, complete),
        profiles: settle::profiles(&gathered, previous, complete),
    };
    (document, problems)
}
