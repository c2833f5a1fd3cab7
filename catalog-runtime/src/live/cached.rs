//! The catalog in the cache: three entries of each namespace.
//!
//! | key | content |
//! |---|---|
//! | `catalog:get:all` | the catalog JSON |
//! | `catalog:status:all` | [`Status`]: the regions that failed, and the last fetch that failed |
//! | `discovery:lists:all` | the raw lists and latencies of all regions, see `discovery` |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{CLOCK_SKEW, Cache, Freshness, Hit, Key};
use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_recording::catalog_from_json;
use serde::{Deserialize, Serialize};

use super::deadline::Deadline;
use super::handle::Inner;
use super::session::Session;
use super::snapshot::{Held, Snapshot, Source};
use crate::error::CatalogError;

/// The time limit of a read from the cache.
pub(super) const READ_LIMIT: Duration = Duration::from_millis(500);

pub(super) fn catalog_key() -> Key {
    Key::new("catalog", "get", "all")
}

pub(super) fn status_key() -> Key {
    Key::new("catalog", "status", "all")
}

/// What the catalog JSON does not say about its last fetch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    /// The observation of the catalog that this describes.
    pub(super) observed_at: Option<Timestamp>,
    /// The reasons of the regions that failed.
    pub(super) failed: BTreeMap<String, String>,
    /// Those among them that the account has not enabled.
    pub(super) not_enabled: BTreeSet<String>,
    /// Those among them to retry.
    pub(super) retryable: BTreeSet<String>,
    /// How often they were retried.
    pub(super) tries: u32,
    /// The time of the last fetch or retry.
    pub(super) fetched_at: Option<Timestamp>,
    /// The last fetch that gave no catalog, unless one succeeded since.
    pub(super) failure: Option<Failure>,
}

/// A fetch that gave no catalog.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) at: Timestamp,
    pub(super) reason: String,
    /// A region denied it. A process with another role may be allowed.
    pub(super) denied: bool,
}

impl From<Failure> for CatalogError {
    fn from(failure: Failure) -> Self {
        let Failure { at, reason, .. } = failure;
        let message = format!("the fetch at {at} failed, less than a minute ago: {reason}");
        Self::unavailable(message)
    }
}

impl Status {
    /// Adds the reasons to a snapshot of the same observation, for regions that are not renewed in it.
    pub(super) fn describe(&self, snapshot: &mut Snapshot) {
        if self.observed_at != Some(snapshot.base.observed_at()) {
            return;
        }
        for (region, reason) in &self.failed {
            if !is_renewed(snapshot, region) {
                snapshot.failed.insert(region.clone(), reason.clone());
            }
        }
        snapshot.not_enabled = self.not_enabled.clone();
    }
}

/// Whether the rows of a region are as new as the catalog.
pub(super) fn is_renewed(snapshot: &Snapshot, region: &str) -> bool {
    let region = snapshot.base.region(region);
    region.is_some_and(|region| region.stale_since().is_none())
}

/// The entries of a catalog, as read.
pub(super) struct Stored {
    pub(super) catalog: Freshness,
    pub(super) status: Option<Status>,
}

impl Stored {
    /// From the first tier that has them.
    pub(super) fn read(cache: &Cache) -> Self {
        Self {
            catalog: cache.get(&catalog_key()),
            status: cache.get_json(&status_key()).into_hit().map(|hit| hit.data),
        }
    }

    /// The same without this process's memory: what other processes wrote.
    #[cfg(feature = "aws")]
    pub(super) fn read_shared(cache: &Cache) -> Self {
        let status = cache.get_shared(&status_key()).into_hit();
        Self {
            catalog: cache.get_shared(&catalog_key()),
            status: status.and_then(|hit| serde_json::from_slice(&hit.data).ok()),
        }
    }
}

/// A cached catalog, by its freshness.
pub(super) enum Cached {
    /// Young enough, and with all regions that are required.
    Fresh(Snapshot),
    /// To be served when no fetch succeeds.
    Stale(Snapshot),
    /// None, or none that may be served, and the reason.
    Missing(String),
}

impl Inner {
    /// Step 1: reads the cached catalog, and the last failure.
    pub(super) async fn load_cached(
        &self,
        session: &mut Session,
        deadline: Deadline,
    ) -> (Cached, Option<Failure>) {
        let Some(cache) = &session.cache else {
            return (Cached::Missing("the account is not known".to_owned()), None);
        };
        let read = self.blocking.run(cache, Stored::read);
        let Some(stored) = deadline.limit(READ_LIMIT, read).await else {
            session.no_answer();
            return (Cached::Missing("no answer".to_owned()), None);
        };
        let cached = self.judge(&stored);
        if let (Cached::Missing(reason), Some(hit)) = (&cached, stored.catalog.hit()) {
            let path = hit.path().map(|path| path.display().to_string());
            tracing::warn!(
                tier = hit.tier(),
                path,
                reason,
                "the cached catalog is not used"
            );
        }
        (cached, stored.status.and_then(|status| status.failure))
    }

    /// The freshness of a stored catalog for this process.
    pub(super) fn judge(&self, stored: &Stored) -> Cached {
        let Some(hit) = stored.catalog.hit() else {
            return Cached::Missing("nothing usable".to_owned());
        };
        if hit.age() > self.config.ttl.keep_for {
            return Cached::Missing("older than it may be served".to_owned());
        }
        let catalog = match self.parse_catalog(hit) {
            Ok(catalog) => catalog,
            Err(reason) => return Cached::Missing(reason),
        };
        let source = Source::Cache {
            tier: hit.tier().unwrap_or("memory").to_owned(),
            path: hit.path().map(ToOwned::to_owned),
        };
        let mut snapshot = Snapshot::of(Held::Built(Arc::new(catalog)), source);
        let age = snapshot.age(self.now());
        snapshot.renew_at = self.renewal_in(self.config.ttl.fresh_for.saturating_sub(age));
        if let Some(status) = &stored.status {
            status.describe(&mut snapshot);
            self.schedule_retry(&mut snapshot, status);
        }
        let is_young = stored.catalog.is_fresh() && age <= self.config.ttl.fresh_for;
        match is_young && self.has_required_regions(&snapshot) {
            true => Cached::Fresh(snapshot),
            false => Cached::Stale(snapshot),
        }
    }

    /// The catalog of an entry, or the reason why it is not used.
    pub(super) fn parse_catalog(&self, hit: &Hit) -> Result<Catalog, String> {
        let catalog = catalog_from_json(&hit.data).map_err(|error| error.to_string())?;
        let observed_at = catalog.observed_at();
        if catalog.partition() != self.config.partition_id() {
            return Err(format!("of partition {}", catalog.partition()));
        }
        let skew = i64::try_from(CLOCK_SKEW.as_secs()).unwrap_or(i64::MAX);
        if observed_at.unix() - self.now().unix() > skew {
            return Err(format!("observed at {observed_at}, in the future"));
        }
        match self.config.usable_bundle() {
            Ok(bundle) if observed_at < bundle.observed_at() => {
                Err(format!("observed at {observed_at}, before the bundle"))
            }
            _ => Ok(catalog),
        }
    }
}
