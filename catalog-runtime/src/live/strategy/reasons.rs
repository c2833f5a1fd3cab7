//! Why regions could not be renewed: kept beside the catalog, which says only since when.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::snapshot::Snapshot;
use crate::cache::{Cache, Key};

/// Why regions could not be renewed, kept beside the catalog of the same observation: a catalog
/// itself says only since when.
#[derive(Serialize, Deserialize)]
pub(super) struct Reasons {
    observed_at: Timestamp,
    pub(super) failed: BTreeMap<String, String>,
    pub(super) not_enabled: BTreeSet<String>,
}

impl Reasons {
    pub(super) fn key() -> Key {
        Key::new("catalog", "failures", "all")
    }

    #[cfg(feature = "aws")]
    pub(super) fn of(
        observed_at: Timestamp,
        reports: &BTreeMap<String, crate::fetch::RegionReport>,
    ) -> Self {
        use crate::fetch::Outcome;
        let mut reasons = Self {
            observed_at,
            failed: BTreeMap::new(),
            not_enabled: BTreeSet::new(),
        };
        for (region, report) in reports {
            if report.outcome == Outcome::Ok {
                continue;
            }
            let why = format!("{}: {}", report.outcome, report.reason);
            reasons.failed.insert(region.clone(), why);
            if report.outcome == Outcome::NotEnabled {
                reasons.not_enabled.insert(region.clone());
            }
        }
        reasons
    }

    /// What is cached of them. May block.
    pub(super) fn read(cache: &Cache) -> Option<Self> {
        let cached = cache.get(&Self::key()).into_hit()?;
        serde_json::from_slice(&cached.data).ok()
    }

    /// Tells them of the catalog of the same observation.
    pub(super) fn tell_if_same(self, snapshot: &mut Snapshot) {
        if self.observed_at == snapshot.base.observed_at() {
            self.tell(snapshot);
        }
    }

    pub(super) fn tell(self, snapshot: &mut Snapshot) {
        snapshot.failed.extend(self.failed);
        snapshot.not_enabled = self.not_enabled;
    }
}
