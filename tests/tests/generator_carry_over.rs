//! Failing regions never remove a model, profile or access from the catalog.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;

use bedrock_catalog::recording::Recording;
use bedrock_catalog::{Catalog, CatalogDiff};
use bedrock_catalog_recording::guard_violations;
use bedrock_catalog_recording::transform;

/// A deterministic random number generator.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// The tested subsets: the first k regions for k = 0..=31, and 500 random ones.
fn subsets(regions: &[String]) -> Vec<BTreeSet<String>> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let first = (0..=regions.len()).map(|k| regions[..k].iter().cloned().collect());
    let mut subsets: Vec<BTreeSet<String>> = first.collect();
    for _ in 0..500 {
        let bits = dice.next();
        let chosen = (0..)
            .zip(regions)
            .filter(|(place, _)| bits >> place & 1 == 1);
        subsets.push(chosen.map(|(_, region)| region.clone()).collect());
    }
    subsets
}

#[test]
fn no_subset_of_failing_regions_loses_anything() {
    let bundle = Catalog::bundled();
    let whole = Recording::of_catalog(bundle);
    let regions: Vec<String> = whole.regions.keys().cloned().collect();
    assert_eq!(regions.len(), 31);
    let ids = |catalog: &Catalog| -> (Vec<String>, Vec<String>) {
        (
            catalog
                .models()
                .map(|model| model.id().to_owned())
                .collect(),
            catalog
                .profiles()
                .map(|profile| profile.id().to_owned())
                .collect(),
        )
    };
    let (before, subsets) = (ids(bundle), subsets(&regions));
    assert_eq!(subsets.len(), 532);
    // On two threads.
    let check =
        |subsets: &[BTreeSet<String>]| {
            for failed in subsets {
                let mut recording = whole.clone();
                recording.observed_at = "2026-08-23T00:00:00Z".parse().unwrap();
                for region in failed {
                    recording.regions.remove(region).unwrap();
                    recording
                        .failures
                        .insert(region.clone(), "timed out: no answer".to_owned());
                }
                let (document, problems) = transform(&recording, Some(bundle));
                assert!(problems.is_empty());
                let catalog = Catalog::from_document(&document).unwrap();
                assert!(ids(&catalog) == before, "{failed:?}");
                assert_eq!(
                    catalog.accesses().len(),
                    bundle.accesses().len(),
                    "{failed:?}"
                );
                assert!(
                    !catalog.models().any(|model| model.is_retired()
                        && !bundle.model(model.id()).unwrap().is_retired())
                );
                let stale = catalog
                    .regions()
                    .filter(|region| region.stale_since().is_some());
                let stale: BTreeSet<String> = stale.map(|region| region.id().to_owned()).collect();
                assert!(stale == *failed);
                let since = |id: &String| catalog.region(&**id).unwrap().stale_since();
                assert!(
                    failed
                        .iter()
                        .all(|id| since(id) == Some(bundle.observed_at()))
                );
                let diff = CatalogDiff::between(bundle, &catalog);
                assert_eq!(diff.regions_stale().len(), failed.len());
                let lost = [
                    diff.models_gone(),
                    diff.models_retired(),
                    diff.models_added(),
                ];
                assert!(lost.iter().all(|list| list.is_empty()), "{failed:?}");
                assert!(
                    diff.models_changed().is_empty(),
                    "{failed:?}: {:?}",
                    diff.models_changed()
                );
                assert!(diff.profiles_changed().is_empty() && diff.profiles_gone().is_empty());
            }
        };
    let (left, right) = subsets.split_at(subsets.len() / 2);
    std::thread::scope(|scope| {
        let left = scope.spawn(|| check(left));
        check(right);
        left.join().unwrap();
    });
}

#[test]
fn guards_accept_failed_regions_and_refuse_empty_ones() {
    let bundle = Catalog::bundled();
    let whole = Recording::of_catalog(bundle);
    let regions: Vec<String> = whole.regions.keys().cloned().collect();
    for count in [0, 1, 15, 30] {
        let (mut failed, mut silent) = (whole.clone(), whole.clone());
        for region in &regions[..count] {
            failed.regions.remove(region).unwrap();
            failed
                .failures
                .insert(region.clone(), "denied: no".to_owned());
            silent.regions.get_mut(region).unwrap().models.clear();
            silent.regions.get_mut(region).unwrap().profiles.clear();
        }
        assert_eq!(guard_violations(&failed, Some(bundle)), [""; 0], "{count}");
        assert!(
            guard_violations(&silent, Some(bundle)).len() >= count,
            "{count}"
        );
    }
}
