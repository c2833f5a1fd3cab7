//! What is cached of a catalog, and whether it may be served. It may not know who wants it.

use std::sync::Arc;

use bedrock_catalog_data::Catalog;

use super::super::handle::Inner;
use super::super::snapshot::{Held, Snapshot, Source};
use super::Tried;
use super::reasons::Reasons;
use crate::cache::{CLOCK_SKEW, Cache, Freshness, Hit};
use bedrock_catalog_recording::catalog_from_json;

/// What is cached: a catalog, and the reasons beside it.
pub(super) struct Cached {
    catalog: Freshness,
    reasons: Vec<Reasons>,
}

impl Cached {
    /// A catalog from the cache, with what else is there of it.
    pub(super) fn of(catalog: Freshness, cache: &Cache) -> Self {
        let hit = catalog.hit();
        let reasons = hit.map(|hit| Reasons::beside(hit, cache));
        Self {
            catalog,
            reasons: reasons.unwrap_or_default(),
        }
    }

    /// The reasons of this snapshot of it.
    fn reasons(&self, snapshot: &Snapshot) -> Option<&Reasons> {
        let mut reasons = self.reasons.iter();
        reasons.find(|reasons| reasons.observed_at == snapshot.base.observed_at())
    }

    /// How often the regions that failed in this snapshot of it were asked again.
    #[cfg(feature = "aws")]
    pub(super) fn tries(&self, snapshot: &Snapshot) -> u32 {
        self.reasons(snapshot).map_or(0, |reasons| reasons.tries)
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.catalog.is_fresh()
    }
}

impl Inner {
    /// The snapshot of a cached catalog, if it may be served at all.
    pub(super) fn usable(&self, cached: &Cached, tried: &mut Tried) -> Option<Snapshot> {
        let Some(hit) = cached.catalog.hit() else {
            tried.note("cache", "nothing usable");
            return None;
        };
        match self.read(hit) {
            Ok(catalog) => {
                let source = Source::Cache {
                    tier: hit.tier().unwrap_or("memory").to_owned(),
                    path: hit.path().map(ToOwned::to_owned),
                };
                let mut snapshot = Snapshot::of(Held::Built(Arc::new(catalog)), source);
                if hit.age() > self.config.horizons.keep_for {
                    tried.note("cache", "older than it may be served");
                    return None;
                }
                let age = snapshot.age(self.now());
                let left = self.config.horizons.fresh_for.saturating_sub(age);
                snapshot.renew_at = self.renewal(left);
                if let Some(reasons) = cached.reasons(&snapshot) {
                    reasons.tell(&mut snapshot);
                    #[cfg(feature = "aws")]
                    if let Some(all_at) = snapshot.renew_at {
                        self.retry_of(&mut snapshot, reasons, all_at);
                    }
                }
                Some(snapshot)
            }
            Err(why) => {
                let path = hit.path().map(|path| path.display().to_string());
                tracing::warn!(tier = hit.tier(), path, why, "a cached catalog is not used");
                tried.note("cache", why);
                None
            }
        }
    }

    pub(super) fn read(&self, hit: &Hit) -> Result<Catalog, String> {
        let catalog = catalog_from_json(&hit.data).map_err(|error| error.to_string())?;
        if catalog.partition() != self.config.partition {
            return Err(format!("it is of partition {}", catalog.partition()));
        }
        let ahead = catalog.observed_at().unix() - self.now().unix();
        if ahead > i64::try_from(CLOCK_SKEW.as_secs()).unwrap_or(i64::MAX) {
            return Err(format!(
                "it was observed at {}, in the future",
                catalog.observed_at()
            ));
        }
        match self.config.bundle() {
            Ok(bundle) if catalog.observed_at() < bundle.observed_at() => Err(format!(
                "it was observed at {}, before the bundle",
                catalog.observed_at()
            )),
            _ => Ok(catalog),
        }
    }
}
