//! The raw lists of single regions and their latencies, of all regions together in one entry.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bedrock_catalog_cache::{Cache, EntryOptions, Join, Key, Ttl, WriteOutcome};
use bedrock_catalog_data::Timestamp;
use bedrock_catalog_recording::{ModelArn, ModelSummary, ProfileSummary};
use serde::{Deserialize, Serialize};

use super::cached::READ_LIMIT;
use super::deadline::Deadline;
use super::handle::{Inner, LiveCatalog};
use crate::error::CatalogError;

/// How long a list is served without a fetch.
const FRESH_FOR: Duration = Duration::from_secs(3 * 86_400);
/// How long a list is served because a fetch failed.
const KEEP_FOR: Duration = Duration::from_secs(30 * 86_400);

fn lists_key() -> Key {
    Key::new("discovery", "lists", "all")
}

/// The latency of a region, measured by a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latency {
    /// From the first request to the last answer of the region, in milliseconds.
    pub millis: u64,
    /// When.
    pub measured_at: Timestamp,
}

/// The raw lists of one region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RegionLists {
    latency: Latency,
    models: Vec<ModelSummary>,
    profiles: Vec<ProfileSummary>,
}

/// The entry: the lists of the regions that answered, by region.
pub(super) type Lists = BTreeMap<String, RegionLists>;

fn read(cache: &Cache) -> Lists {
    let stored = cache.get_json(&lists_key()).into_hit();
    stored.map_or_else(Lists::new, |hit| hit.data)
}

/// The same, as other processes left it. Where no tier shares it, this process's own.
fn read_shared(cache: &Cache) -> Lists {
    let shared = cache.get_shared(&lists_key()).into_hit();
    let shared = shared.and_then(|hit| serde_json::from_slice(&hit.data).ok());
    shared.unwrap_or_else(|| read(cache))
}

/// The raw lists of single regions, of one live catalog; see [`LiveCatalog::discovery`].
#[derive(Debug, Clone)]
pub struct Discovery {
    live: LiveCatalog,
}

impl LiveCatalog {
    /// The raw lists of single regions. A list is fresh for three days; a fetch of one region leaves the
    /// others alone.
    #[must_use]
    pub fn discovery(&self) -> Discovery {
        Discovery { live: self.clone() }
    }
}

impl Discovery {
    /// The rows of `ListFoundationModels` in a region: fresh cached ones, else AWS's, else stale ones.
    ///
    /// # Errors
    /// Neither AWS nor the cache has them.
    pub async fn models(&self, region: &str) -> Result<Vec<ModelSummary>, CatalogError> {
        Ok(self.lists(region, "models").await?.models.clone())
    }

    /// The rows of `ListInferenceProfiles` in a region, of all models or of one.
    ///
    /// # Errors
    /// As [`Discovery::models`].
    pub async fn profiles(
        &self,
        region: &str,
        model: Option<&str>,
    ) -> Result<Vec<ProfileSummary>, CatalogError> {
        let mut profiles = self.lists(region, "profiles").await?.profiles.clone();
        if let Some(model) = model {
            let serves = |arn: &str| ModelArn::parse(arn).is_some_and(|arn| arn.model == model);
            profiles.retain(|row| row.models.iter().any(|served| serves(&served.model_arn)));
        }
        Ok(profiles)
    }

    /// Removes the cached lists of a region. Whether there were any.
    pub async fn invalidate(&self, region: &str) -> bool {
        let (inner, region) = (Arc::clone(&self.live.inner), region.to_owned());
        let cache = inner.caller_cache().await;
        let changing = Arc::clone(&inner);
        let remove = move |cache: &Cache| {
            let is_stored = read_shared(cache).contains_key(&region);
            if is_stored {
                changing.change_lists(cache, |lists| drop(lists.remove(&region)));
            }
            is_stored
        };
        inner.blocking.run(&cache, remove).await
    }

    /// The latency of each region at its last fetch, as far as it is cached.
    pub async fn latencies(&self) -> BTreeMap<String, Latency> {
        let inner = &self.live.inner;
        let lists = inner
            .stored_lists(Deadline::after(inner.config.deadline))
            .await;
        let latencies = lists
            .into_iter()
            .map(|(region, lists)| (region, lists.latency));
        latencies.collect()
    }

    /// The region with the lowest latency among those where a model can be called.
    pub async fn nearest(&self, model: &str) -> Option<String> {
        let latencies = self.latencies().await;
        let snapshot = self.live.inner.current.load_full();
        let accesses = snapshot.model(model)?.accesses();
        let measured = accesses
            .filter(|access| access.is_callable())
            .filter_map(|access| {
                let region = access.region().id();
                Some((latencies.get(region)?.millis, region))
            });
        measured.min().map(|(_, region)| region.to_owned())
    }

    async fn lists(&self, region: &str, list: &str) -> Result<Arc<RegionLists>, CatalogError> {
        let inner = &self.live.inner;
        let lists = inner.lists_of_region(region);
        let lists = inner
            .list_flights
            .run(region.to_owned(), Join::Running, lists)
            .await;
        lists.map_err(|error| {
            let message = format!("{region} has no list of {list}: {error}");
            CatalogError::new(error.kind(), message)
        })
    }
}

impl Inner {
    async fn stored_lists(&self, deadline: Deadline) -> Lists {
        let Some(cache) = self.account_cache(deadline).await else {
            return Lists::new();
        };
        let lists = deadline
            .limit(READ_LIMIT, self.blocking.run(&cache, read))
            .await;
        lists.unwrap_or_default()
    }

    async fn lists_of_region(
        self: &Arc<Self>,
        region: &str,
    ) -> Result<Arc<RegionLists>, CatalogError> {
        let deadline = Deadline::after(self.config.deadline);
        let stored = self.stored_lists(deadline).await.remove(region);
        let age = |lists: &RegionLists| {
            let seconds = self.now().unix() - lists.latency.measured_at.unix();
            // A list from the future is not fresh.
            u64::try_from(seconds).map_or(KEEP_FOR, Duration::from_secs)
        };
        match stored.filter(|lists| age(lists) <= KEEP_FOR) {
            Some(fresh) if age(&fresh) < FRESH_FOR => Ok(Arc::new(fresh)),
            Some(stale) => {
                let fetched = self.fetch_region(region, deadline).await;
                Ok(fetched.unwrap_or_else(|_| Arc::new(stale)))
            }
            None => self.fetch_region(region, deadline).await,
        }
    }

    /// Changes the entry, one call at a time. Another process that changes it at the same moment may
    /// overwrite the change.
    pub(super) fn change_lists(
        &self,
        cache: &Cache,
        change: impl FnOnce(&mut Lists),
    ) -> WriteOutcome {
        let _guard = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lists = read_shared(cache);
        change(&mut lists);
        // The age of each list is its own.
        let options = EntryOptions::source("api").ttl(Ttl {
            fresh_for: KEEP_FOR,
            keep_for: KEEP_FOR,
        });
        cache.put_json(&lists_key(), &lists, &options)
    }
}

#[cfg(not(feature = "aws"))]
impl Inner {
    async fn fetch_region(
        self: &Arc<Self>,
        _: &str,
        _: Deadline,
    ) -> Result<Arc<RegionLists>, CatalogError> {
        Err(CatalogError::unavailable("this build has no feature `aws`"))
    }
}

#[cfg(feature = "aws")]
impl Inner {
    /// The lists of the regions that answered.
    pub(super) fn lists_of(&self, fetched: &crate::fetch::Fetched) -> Lists {
        let measured_at = self.now();
        let answered = fetched.recording().regions.iter();
        let lists = answered.filter_map(|(region, answers)| {
            let elapsed = fetched.reports().get(region)?.elapsed;
            let lists = RegionLists {
                latency: Latency {
                    millis: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                    measured_at,
                },
                models: answers.models.clone(),
                profiles: answers.profiles.clone(),
            };
            Some((region.clone(), lists))
        });
        lists.collect()
    }

    /// Fetches the lists of one region, and writes them.
    async fn fetch_region(
        self: &Arc<Self>,
        region: &str,
        deadline: Deadline,
    ) -> Result<Arc<RegionLists>, CatalogError> {
        let session = self.session(deadline).await;
        let regions = [region.to_owned()];
        let answers = self.fetch_regions(&session, &regions, deadline).await?;
        let lists = self.lists_of(&answers.fetched);
        let Some(listed) = lists.get(region).cloned() else {
            let failures = &answers.fetched.recording().failures;
            let reason = failures.get(region).map_or("no answer", String::as_str);
            return Err(CatalogError::unavailable(reason));
        };
        if let Some(cache) = &session.cache {
            let inner = Arc::clone(self);
            let write = move |cache: &Cache| {
                inner.change_lists(cache, |stored| stored.extend(lists));
            };
            let limit = super::load::WRITE_WAIT;
            deadline.limit(limit, self.blocking.run(cache, write)).await;
        }
        Ok(Arc::new(listed))
    }
}
