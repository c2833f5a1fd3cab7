//! What each region answered, raw, under keys of its own; and how fast it answered. So one region can
//! be asked, or forgotten, without the others.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use bedrock_catalog_data::Timestamp;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::handle::{Inner, LiveCatalog};
#[cfg(feature = "aws")]
use super::strategy::note;
use super::strategy::{Answered, taken};
use crate::cache::{Cache, Freshness, Horizons, Key, Terms};
use crate::error::{CatalogError, CatalogErrorKind};
use bedrock_catalog_recording::{ModelSummary, ProfileSummary};

const DAY: Duration = Duration::from_secs(86_400);

/// How fast a region answered, measured by the refresh itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Latency {
    /// From the first request to the last answer of the region, in milliseconds.
    pub millis: u64,
    /// When.
    pub measured_at: Timestamp,
}

/// The raw lists of single regions, of one live catalog; see [`LiveCatalog::discovery`].
#[derive(Debug, Clone)]
pub struct Discovery {
    live: LiveCatalog,
}

impl LiveCatalog {
    /// The raw lists of single regions: asked for one region at a time, cached for three days each.
    #[must_use]
    pub fn discovery(&self) -> Discovery {
        Discovery { live: self.clone() }
    }
}

impl Discovery {
    /// What `ListFoundationModels` says in a region: from the cache where that is fresh, else from AWS,
    /// else from the cache all the same.
    ///
    /// # Errors
    /// Neither AWS nor the cache has it.
    pub async fn models(&self, region: &str) -> Result<Vec<ModelSummary>, CatalogError> {
        self.list("models", region).await
    }

    /// What `ListInferenceProfiles` says in a region, of all models or of one.
    ///
    /// # Errors
    /// As [`Discovery::models`].
    pub async fn profiles(
        &self,
        region: &str,
        model: Option<&str>,
    ) -> Result<Vec<ProfileSummary>, CatalogError> {
        let mut profiles: Vec<ProfileSummary> = self.list("profiles", region).await?;
        if let Some(model) = model {
            let serves = |arn: &str| {
                bedrock_catalog_recording::ModelArn::parse(arn)
                    .is_some_and(|arn| arn.model == model)
            };
            profiles.retain(|row| row.models.iter().any(|served| serves(&served.model_arn)));
        }
        Ok(profiles)
    }

    /// Forgets both lists of a region, in every tier. How many entries that were.
    pub async fn invalidate(&self, region: &str) -> u64 {
        let cache = self.live.inner.identified().await;
        let keys = [key("models", region), key("profiles", region)];
        let removed = cache
            .off_thread(move |cache| keys.iter().filter(|key| cache.remove(key)).count())
            .await;
        removed as u64
    }

    /// How fast each region answered the last time it was asked.
    pub async fn latencies(&self) -> BTreeMap<String, Latency> {
        let inner = &self.live.inner;
        let cache = inner.identified().await;
        let current = inner.current.load_full();
        let regions: Vec<String> = current.regions().map(|r| r.id().to_owned()).collect();
        let look = move |cache: &Cache| {
            let keys: Vec<Key> = regions.iter().map(|id| key("latency", id)).collect();
            let cached = cache.get_many(&keys).into_iter().map(read::<Latency>);
            let measured = regions.into_iter().zip(cached);
            measured
                .filter_map(|(id, latency)| Some((id, latency?)))
                .collect()
        };
        let mut latencies: BTreeMap<_, _> = inner.look(&cache, look).await.unwrap_or_default();
        let here = inner.latencies.lock();
        for (region, here) in here.unwrap_or_else(PoisonError::into_inner).iter() {
            let latency = latencies.entry(region.clone()).or_insert(*here);
            if latency.measured_at < here.measured_at {
                *latency = *here;
            }
        }
        latencies
    }

    /// The region that answered fastest among those with a way in to a model.
    pub async fn nearest(&self, model: &str) -> Option<String> {
        let latencies = self.latencies().await;
        let snapshot = self.live.inner.current.load_full();
        let accesses = snapshot
            .model(model)?
            .accesses()
            .filter(|access| access.is_callable());
        let measured = accesses.filter_map(|access| {
            let region = access.region().id();
            Some((latencies.get(region)?.millis, region))
        });
        measured.min().map(|(_, region)| region.to_owned())
    }

    async fn list<T: DeserializeOwned>(
        &self,
        list: &'static str,
        region: &str,
    ) -> Result<Vec<T>, CatalogError> {
        let (inner, answered) = (&self.live.inner, Answered::default());
        let listed = self.listed(list, region, &answered);
        // On the heap: the futures of those who ask are one within the other.
        let listed = inner.in_time(Box::pin(listed)).await;
        // What AWS answered serves, also where it is not kept in time.
        let listed = listed.or_else(|| Some(rows(&taken(&answered)?.ok()?)));
        let listed = listed.unwrap_or_else(|| Err(inner.no_answer()));
        listed.map_err(|why| {
            let message = format!("{region} has no list of {list}: {why}");
            CatalogError::new(why.kind(), message)
        })
    }

    async fn listed<T: DeserializeOwned>(
        &self,
        list: &'static str,
        region: &str,
        answered: &Answered<Bytes>,
    ) -> Result<Vec<T>, CatalogError> {
        let inner = &self.live.inner;
        let (cache, key) = (inner.identified().await, key(list, region));
        let cached = async |cache: &Cache| {
            let key = key.clone();
            inner.look(cache, move |cache| cache.get(&key)).await
        };
        if inner.is_open(&cache).await {
            let asked = self.ask(&cache, list, region, None, answered).await;
            return match asked {
                Err(error) if error.kind() == CatalogErrorKind::NoCredentials => {
                    let left = match inner.only_owner().await {
                        Some(cache) => cached(&cache).await,
                        None => None,
                    };
                    left.and_then(read).ok_or(error)
                }
                asked => rows(&asked?),
            };
        }
        let Some(found) = cached(&cache).await else {
            tracing::warn!("the cache does not answer; going on without it");
            return rows(&self.ask(&cache, list, region, None, answered).await?);
        };
        let (is_fresh, is_missing) = (found.is_fresh(), found.is_missing());
        match read(found) {
            Some(rows) if is_fresh => return Ok(rows),
            None if !is_missing => {
                // Of another version, or broken: asked anew.
                let key = key.clone();
                let remove = move |cache: &Cache| cache.remove(&key);
                inner.calls.call(&cache, remove).await;
            }
            _ => {}
        }
        let ask = || self.ask(&cache, list, region, Some(&key), answered);
        let asked = cache.get_or_compute_async(&key, &terms(), ask).await;
        let asked = asked
            .map_err(|error| CatalogError::new(CatalogErrorKind::Unavailable, error.to_string()))?;
        read(asked).ok_or_else(unreadable)
    }

    /// Asks a region for both lists, keeps them, except for one that the caller keeps, and hands back
    /// the one.
    #[cfg(feature = "aws")]
    async fn ask(
        &self,
        cache: &Cache,
        list: &'static str,
        region: &str,
        except: Option<&Key>,
        answered: &Answered<Bytes>,
    ) -> Result<Bytes, CatalogError> {
        let inner = &self.live.inner;
        if !inner.config.can_ask() {
            return Err(CatalogError::new(
                CatalogErrorKind::Unavailable,
                "nobody is to be asked",
            ));
        }
        let asked = [region.to_owned()];
        // A list that is suddenly empty, or much shorter, is not believed.
        let last = inner.last_good(cache).await;
        let fetched = inner.config.aws.fetch(
            &inner.config,
            &asked,
            last.as_deref(),
            inner.now(),
            inner.config.asking(),
        );
        let fetched = fetched.await?;
        let Some(answers) = fetched.recording().regions.get(region) else {
            let failures = &fetched.recording().failures;
            let why = failures.get(region).map_or("no answer", String::as_str);
            return Err(CatalogError::new(CatalogErrorKind::Unavailable, why));
        };
        let answer = Bytes::from(match list {
            "models" => json(&answers.models),
            _ => json(&answers.profiles),
        });
        note(answered, Ok(answer.clone()));
        // For whose account it is: that may be known only now.
        let owner = inner.used_by(cache, fetched.account()).await;
        // The one is kept by whoever computes it: written here too, it would seem overtaken, and be no
        // answer to those who wait.
        inner.keep_raw(&owner, &fetched, except).await;
        Ok(answer)
    }

    #[cfg(not(feature = "aws"))]
    async fn ask(
        &self,
        _: &Cache,
        _: &'static str,
        _: &str,
        _: Option<&Key>,
        _: &Answered<Bytes>,
    ) -> Result<Bytes, CatalogError> {
        let message = "this build has no feature `aws`";
        Err(CatalogError::new(CatalogErrorKind::Unavailable, message))
    }
}

fn rows<T: DeserializeOwned>(json: &Bytes) -> Result<Vec<T>, CatalogError> {
    serde_json::from_slice(json).map_err(|_| unreadable())
}

fn unreadable() -> CatalogError {
    CatalogError::new(
        CatalogErrorKind::Unavailable,
        "what is cached cannot be read",
    )
}

/// Rows are plain data; they print.
#[cfg(feature = "aws")]
pub(super) fn json<T: Serialize>(rows: &T) -> Vec<u8> {
    serde_json::to_vec(rows).unwrap_or_default()
}

fn key(list: &str, region: &str) -> Key {
    Key::new("discovery", list, region)
}

fn read<T: DeserializeOwned>(cached: Freshness) -> Option<T> {
    serde_json::from_slice(&cached.into_hit()?.data).ok()
}

fn terms() -> Terms {
    Terms::source("api").holding(Horizons {
        fresh_for: 3 * DAY,
        keep_for: 30 * DAY,
    })
}

impl Inner {
    /// Keeps what the regions answered, except for one list, and how fast.
    #[cfg(feature = "aws")]
    pub(super) async fn keep_raw(
        &self,
        cache: &Cache,
        fetched: &crate::fetch::Fetched,
        except: Option<&Key>,
    ) {
        let measured_at = self.now();
        let mut lists: Vec<(Key, Vec<u8>)> = Vec::new();
        for (region, answers) in &fetched.recording().regions {
            lists.push((key("models", region), json(&answers.models)));
            lists.push((key("profiles", region), json(&answers.profiles)));
        }
        lists.retain(|(key, _)| Some(key) != except);
        for (region, report) in fetched.reports() {
            if report.outcome == crate::fetch::Outcome::Ok {
                let millis = u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX);
                let latency = Latency {
                    millis,
                    measured_at,
                };
                lists.push((key("latency", region), json(&latency)));
                let here = self.latencies.lock();
                here.unwrap_or_else(PoisonError::into_inner)
                    .insert(region.clone(), latency);
            }
        }
        let keep = move |cache: &Cache| {
            let values = lists.iter().map(|(key, value)| (key, value.clone()));
            cache.put_many(values, &terms());
        };
        self.calls.call(cache, keep).await;
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inner")
    }
}
