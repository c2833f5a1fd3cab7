//! Why regions could not be renewed: kept beside the catalog, which says only since when.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::snapshot::Snapshot;
use crate::cache::{Cache, Hit, Key};

/// Why regions could not be renewed, kept beside the catalog of the same observation: a catalog
/// itself says only since when.
#[derive(Serialize, Deserialize)]
pub(super) struct Reasons {
    pub(super) observed_at: Timestamp,
    pub(super) failed: BTreeMap<String, String>,
    pub(super) not_enabled: BTreeSet<String>,
    /// Those that may answer when they are asked again with nothing changed. Entries of earlier versions
    /// name none.
    #[serde(default)]
    pub(super) again: BTreeSet<String>,
    /// How often they were asked again, by whichever process.
    #[serde(default)]
    pub(super) tries: u32,
    /// When they were asked last.
    #[serde(default)]
    pub(super) asked_at: Option<Timestamp>,
}

impl Reasons {
    pub(super) fn key() -> Key {
        Key::new("catalog", "failures", "all")
    }

    /// Of what was asked now for a catalog of this observation.
    #[cfg(feature = "aws")]
    pub(super) fn of(
        observed_at: Timestamp,
        asked_at: Timestamp,
        tries: u32,
        reports: &BTreeMap<String, crate::fetch::RegionReport>,
    ) -> Self {
        use crate::fetch::Outcome;
        let mut reasons = Self {
            observed_at,
            failed: BTreeMap::new(),
            not_enabled: BTreeSet::new(),
            again: BTreeSet::new(),
            tries,
            asked_at: Some(asked_at),
        };
        for (region, report) in reports {
            let kept = match report.outcome {
                Outcome::Ok => continue,
                Outcome::NotEnabled => Some(&mut reasons.not_enabled),
                // Who was denied is denied again.
                Outcome::Denied => None,
                _ => Some(&mut reasons.again),
            };
            kept.map(|kept| kept.insert(region.clone()));
            let why = format!("{}: {}", report.outcome, report.reason);
            reasons.failed.insert(region.clone(), why);
        }
        reasons
    }

    /// What is cached of them beside a catalog, the likelier first. They are two entries: memory may hold
    /// those of another catalog than its own, or than the one below.
    pub(super) fn beside(catalog: &Hit, cache: &Cache) -> Vec<Self> {
        let is_below = catalog.tier().is_some_and(|tier| tier != "memory");
        let below = Self::below_memory(cache);
        let above = match is_below && below.is_some() {
            true => None,
            false => cache.get(&Self::key()).into_hit(),
        };
        let all = above.into_iter().chain(below);
        all.filter_map(|hit| serde_json::from_slice(&hit.data).ok())
            .collect()
    }

    #[cfg(feature = "aws")]
    fn below_memory(cache: &Cache) -> Option<Hit> {
        cache.get_shared(&Self::key()).into_hit()
    }

    /// Who cannot ask has written nothing: memory holds what was read.
    #[cfg(not(feature = "aws"))]
    fn below_memory(_: &Cache) -> Option<Hit> {
        None
    }

    /// Tells them of the catalog of the same observation. Not of a region that it has anew: reasons and
    /// catalog are two entries, and the one may be a moment older.
    pub(super) fn tell(&self, snapshot: &mut Snapshot) {
        for (region, why) in &self.failed {
            if self.are_of(snapshot, region) {
                snapshot.failed.insert(region.clone(), why.clone());
            }
        }
        if self.observed_at == snapshot.base.observed_at() {
            snapshot.not_enabled = self.not_enabled.clone();
        }
    }

    /// Whether a region is not renewed in this catalog, of the same observation.
    pub(super) fn are_of(&self, snapshot: &Snapshot, region: &str) -> bool {
        let of_now = snapshot.base.region(region);
        let renewed = of_now.is_some_and(|region| region.stale_since().is_none());
        self.observed_at == snapshot.base.observed_at() && !renewed
    }
}
