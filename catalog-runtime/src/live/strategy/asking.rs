//! The half of the strategy that asks AWS, alone or with the other processes that share the cache. It may
//! not know where else a catalog comes from.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use bedrock_catalog_data::{Catalog, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::super::builder::PartialPolicy;
use super::super::discovery::json;
use super::reasons::Reasons;
use super::{
    Answered, Arc, Cache, Cached, Duration, Error, ErrorKind, Held, Inner, Key, PoisonError, RETRY,
    Snapshot, Source, Tried, catalog_key, note, taken,
};
use crate::cache::{Hit, Horizons, Terms};
use crate::fetch::{Fetched, Outcome};
use crate::json::catalog_to_json;
use crate::recording::Recording;
use crate::transform::transform;

/// That AWS was asked, no region answered, and none denied who asked: kept for a moment, so that of many
/// processes that ask at once not each has to find out.
#[derive(Serialize, Deserialize)]
struct Refused {
    asked_at: Timestamp,
    why: String,
}

impl Refused {
    fn key() -> Key {
        Key::new("catalog", "refused", "all")
    }
}

/// What AWS answered.
pub(super) struct Asked {
    pub(super) snapshot: Snapshot,
    pub(super) fetched: Fetched,
    pub(super) reasons: Reasons,
}

/// Why AWS gave no catalog, and whether it is what any other process would be told.
struct InVain {
    error: Error,
    is_everybodys: bool,
}

impl From<Error> for InVain {
    fn from(error: Error) -> Self {
        Self {
            error,
            is_everybodys: false,
        }
    }
}

/// Each reason once, with the regions it is that of.
fn told(failed: &BTreeMap<String, String>) -> String {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (region, reason) in failed {
        by_reason.entry(reason).or_default().push(region);
    }
    let told = by_reason
        .into_iter()
        .map(|(reason, regions)| format!("{} ({reason})", regions.join(", ")));
    told.collect::<Vec<_>>().join("; ")
}

/// What came of asking with others.
enum Others {
    /// One asked, here or elsewhere.
    Asked(Box<Snapshot>),
    /// Another process is asking just now.
    AreAsking,
    /// What another one cached is too old here, or cannot be used.
    HaveNothing,
}

impl Inner {
    /// A catalog from AWS, or from another process of the machine that asked at the same time.
    /// `forced` asks whatever the cache has; `answers` is whether that answered a moment ago, where it
    /// was looked at. `None`, where it is not forced: another process is asking just now, and there is a
    /// stale catalog to serve meanwhile.
    pub(in crate::live) async fn ask(
        self: &Arc<Self>,
        forced: bool,
        answers: Option<bool>,
        answered: &Answered,
    ) -> Result<Option<Snapshot>, Error> {
        let config = &self.config;
        if !config.can_ask() {
            let (why, advice) = match config.offline {
                true => (
                    "nobody is asked offline",
                    "leave out --offline, BEDROCK_CATALOG_OFFLINE or offline(true) to ask AWS",
                ),
                false => (
                    "no SDK configuration was given",
                    "give one with sdk_config(), or a client_factory()",
                ),
            };
            return Err(Error::new(ErrorKind::Unavailable, why).advising(advice));
        }
        // What is asked from now on is what the caller wants to know; or what is not too old for it.
        let now = config.clock.now();
        let since = match forced {
            true => now,
            false => now
                .checked_sub(config.horizons.fresh_for)
                .unwrap_or(UNIX_EPOCH),
        };
        let cache = self.identified().await;
        let asking = async {
            let begun = Instant::now();
            let look = |cache: &Cache| drop(cache.get_shared(&catalog_key()));
            let answers = match answers {
                Some(answers) => answers,
                None => self.look(&cache, look).await.is_some(),
            };
            if !answers {
                tracing::warn!("the cache does not answer; AWS is asked without it");
                let left = config.asking().saturating_sub(begun.elapsed());
                let asked = self.asked(&cache, left, answered).await;
                return asked
                    .map(|asked| Some(asked.snapshot))
                    .map_err(|in_vain| in_vain.error);
            }
            if self.is_open(&cache).await {
                // Nobody to ask with: the others may be of any account.
                let within = config.asking();
                let asked = self.ask_alone(&cache, within, answered);
                return asked.await.map(Some);
            }
            if !forced {
                match self.ask_with_others(&cache, answered).await? {
                    Others::Asked(snapshot) => return Ok(Some(*snapshot)),
                    Others::AreAsking => return Ok(None),
                    Others::HaveNothing => {}
                }
            }
            let asked = self.ask_after(&cache, since, answered);
            asked.await.map(Some)
        };
        let asked = self.asked_in_time(answered, asking).await;
        // Only now: who gave up before has not asked, nor who asked in vain.
        let is_done = forced && asked.is_ok();
        self.forced.fetch_and(!is_done, Ordering::AcqRel);
        match asked {
            // In the broken build what could not be written is lost: the tests must notice.
            Ok(Some(_))
                if cfg!(broken = "unwritten-is-lost")
                    && cache.get_async(&catalog_key()).await.is_missing() =>
            {
                Err(Error::new(ErrorKind::Unavailable, "not written"))
            }
            asked => asked,
        }
    }

    /// Of all who miss the catalog, here and in other processes, one asks.
    async fn ask_with_others(&self, cache: &Cache, answered: &Answered) -> Result<Others, Error> {
        let compute = || async {
            let begun = self.begun(cache, &Reasons::key()).await;
            let asked = self.asked(cache, self.config.asking(), answered);
            match asked.await {
                Ok(asked) => {
                    if let Some(newer) = self.newer(cache, &asked.snapshot).await {
                        return Ok(Bytes::from(catalog_to_json(&newer)));
                    }
                    self.keep_beside(cache, &asked.fetched, &asked.reasons, begun)
                        .await;
                    Ok(Bytes::from(catalog_to_json(&asked.snapshot.base)))
                }
                Err(InVain { error, .. }) => {
                    let told = error.to_string();
                    note(answered, Err(error));
                    Err(told)
                }
            }
        };
        let terms = self.terms().giving_up_when_busy();
        let computed = cache
            .get_or_compute_async(&catalog_key(), &terms, compute)
            .await;
        // Asked here: used whether or not it could be written, and its error is the error.
        if let Some(asked) = taken(answered) {
            return asked.map(|asked| Others::Asked(Box::new(asked)));
        }
        match computed {
            Ok(answer) => {
                let is_stale = !answer.is_fresh();
                let look = |cache: &Cache| Cached::of(answer, cache);
                let cached = self.look(cache, look).await;
                let usable = cached.and_then(|cached| self.usable(&cached, &mut Tried::default()));
                Ok(match usable {
                    // Served meanwhile; what may not be served is nothing to go on with.
                    Some(_) if is_stale => Others::AreAsking,
                    Some(fresh) if self.is_fresh(&fresh) => Others::Asked(Box::new(fresh)),
                    _ => Others::HaveNothing,
                })
            }
            // Waited for, but not until the lease runs out: who holds it may have been killed.
            Err(error) if error.is_busy() => Ok(Others::HaveNothing),
            Err(error) => Err(Error::new(ErrorKind::Unavailable, error.to_string())),
        }
    }

    /// Asks whatever is cached, one process of a machine at a time, unless another one asked after
    /// this moment.
    async fn ask_after(
        &self,
        cache: &Cache,
        since: SystemTime,
        answered: &Answered,
    ) -> Result<Snapshot, Error> {
        let (begun, budget) = (Instant::now(), self.config.asking());
        // Held until the answer is cached. Who waited for others for half of the time asks beside them.
        let leases = loop {
            let leases = cache.try_lease(&catalog_key()).await;
            if leases.is_some() || begun.elapsed() >= budget / 2 {
                break leases;
            }
        };
        let asked = match self.asked_by_others(cache, since).await {
            Some(asked) => asked,
            None => {
                let left = budget.saturating_sub(begun.elapsed());
                self.ask_alone(cache, left.max(Duration::from_millis(1)), answered)
                    .await
            }
        };
        if let Some(leases) = leases {
            leases.give_back().await;
        }
        asked
    }

    async fn ask_alone(
        &self,
        cache: &Cache,
        within: Duration,
        answered: &Answered,
    ) -> Result<Snapshot, Error> {
        let watched = self.watched(cache).await;
        let asked_at = self.now();
        match self.asked(cache, within, answered).await {
            Ok(asked) => {
                self.keep(cache, &asked, watched).await;
                Ok(asked.snapshot)
            }
            Err(InVain {
                error,
                is_everybodys,
            }) => {
                if is_everybodys {
                    let refused = json(&Refused {
                        asked_at,
                        why: error.to_string(),
                    });
                    let terms = Terms::source("api").holding(Horizons {
                        fresh_for: RETRY,
                        keep_for: RETRY,
                    });
                    let write =
                        move |cache: &Cache| drop(cache.put(&Refused::key(), refused, &terms));
                    self.calls.call(cache, write).await;
                }
                Err(error)
            }
        }
    }

    /// What another process was told, or why it was refused, if it asked after this moment.
    async fn asked_by_others(
        &self,
        cache: &Cache,
        since: SystemTime,
    ) -> Option<Result<Snapshot, Error>> {
        let written_since = move |hit: &Hit| hit.written_at() >= since;
        // Observations are of whole seconds: one of the same second may be from before.
        let seconds = since
            .duration_since(UNIX_EPOCH)
            .map_or(0, |at| at.as_secs());
        let asked_since = |at: Timestamp| u64::try_from(at.unix()).is_ok_and(|at| at > seconds);
        let look = move |cache: &Cache| {
            let shared = cache.get_shared(&catalog_key());
            let since = shared.hit().is_some_and(written_since);
            since.then(|| Cached::of(shared, cache))
        };
        if let Some(shared) = self.look(cache, look).await? {
            let found = self.usable(&shared, &mut Tried::default());
            let will_do =
                |found: &Snapshot| asked_since(found.base.observed_at()) && self.is_enough(found);
            if let Some(snapshot) = found.filter(will_do) {
                return Some(Ok(snapshot));
            }
        }
        let look = |cache: &Cache| cache.get_shared(&Refused::key());
        let refused = self.look(cache, look).await?.into_hit()?;
        let refused: Refused = serde_json::from_slice(&refused.data).ok()?;
        // Of the future nothing is believed: it would be so for ever.
        let is_past = refused.asked_at <= self.now();
        (is_past && asked_since(refused.asked_at)).then(|| {
            let message = format!("another process asked just now: {}", refused.why);
            Err(Error::new(ErrorKind::Unavailable, message))
        })
    }

    /// Now, noted as the time when AWS was asked.
    pub(super) fn asks_now(&self) -> Timestamp {
        let now = self.now();
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        now
    }

    pub(super) fn terms(&self) -> Terms {
        Terms::source("api").holding(self.config.horizons)
    }

    /// Asks AWS and merges what answered onto the last good catalog.
    async fn asked(
        &self,
        cache: &Cache,
        within: Duration,
        answered: &Answered,
    ) -> Result<Asked, InVain> {
        let last = self.last_good(cache).await;
        let config = &self.config;
        let now = self.asks_now();
        let fetched = config
            .aws
            .fetch(config, &config.regions, last.as_deref(), now, within)
            .await?;
        let mut failed = BTreeMap::new();
        let mut incomplete = false;
        for (region, report) in fetched.reports() {
            if report.outcome == Outcome::Ok {
                continue;
            }
            // Of a region that is not enabled nothing is wrong.
            incomplete |= report.outcome != Outcome::NotEnabled;
            let reason = format!("{}: {}", report.outcome, report.reason);
            tracing::debug!(region, reason, "a region was not renewed");
            failed.insert(region.clone(), reason);
        }
        let told = told(&failed);
        if fetched.answered() == 0 {
            let message = format!("no region answered: {told}");
            let mut outcomes = fetched.reports().values().map(|report| report.outcome);
            return Err(InVain {
                error: Error::new(ErrorKind::Unavailable, message),
                // Others may have a role that is not denied.
                is_everybodys: !outcomes.any(|outcome| outcome == Outcome::Denied),
            });
        }
        if config.partial == PartialPolicy::RequireAllRegions && incomplete {
            let message = format!("all regions are required, and these failed: {told}");
            return Err(Error::new(ErrorKind::Unavailable, message).into());
        }
        // Regions that were never heard of before have nothing to be measured against.
        let mut answers = fetched.recording().regions.values();
        if answers.all(|answers| answers.models.is_empty()) {
            let message = format!("AWS answered without a single model: not believed; {told}");
            return Err(Error::new(ErrorKind::Unavailable, message).into());
        }
        if incomplete {
            tracing::warn!(
                failed = told,
                "some regions could not be renewed; their last good rows are kept"
            );
        }
        let reasons = Reasons::of(now, now, 0, fetched.reports());
        let mut snapshot = made_of(fetched.recording(), last.as_deref(), &reasons)?;
        if let Some(all_at) = self.renewal(config.horizons.fresh_for) {
            self.retry_of(&mut snapshot, &reasons, all_at);
        }
        note(answered, Ok(snapshot.clone()));
        Ok(Asked {
            snapshot,
            fetched,
            reasons,
        })
    }

    /// The newest of what is served, what is cached, and the bundle; of the regions asked for.
    pub(in crate::live) async fn last_good(&self, cache: &Cache) -> Option<Held> {
        let current = self.current.load_full();
        // Where it is not known who asks, it may be of any account.
        let cached = match self.is_open(cache).await {
            true => None,
            false => self.look(cache, |cache| cache.get(&catalog_key())).await,
        };
        let cached = cached.and_then(|cached| cached.into_hit());
        // Whoever loads has told why a cached one is not used.
        let cached = cached.and_then(|hit| self.read(&hit).ok());
        let cached = cached.map(|catalog| Held::Built(Arc::new(catalog)));
        let served = (current.source != Source::Nothing).then(|| current.base.clone());
        let all = [served, cached].into_iter().flatten();
        // Regions that were not asked for are no failures: a catalog of other regions is no
        // ground to build on.
        let fits = |held: &Held| {
            let regions = &self.config.regions;
            held.partition() == self.config.partition
                && (regions.is_empty()
                    || held
                        .regions()
                        .all(|region| regions.iter().any(|r| r == region.id())))
        };
        all.filter(fits).max_by_key(|held| held.observed_at())
    }
}

/// The catalog of what AWS answered, with the reasons for what it did not.
pub(super) fn made_of(
    recording: &Recording,
    last: Option<&Catalog>,
    reasons: &Reasons,
) -> Result<Snapshot, Error> {
    let (document, problems) = transform(recording, last);
    for problem in &problems {
        tracing::warn!(%problem, "a row was left out");
    }
    let catalog = Catalog::from_document(&document).map_err(|error| {
        Error::new(ErrorKind::Unavailable, "what AWS answered is no catalog").because(error)
    })?;
    let mut snapshot = Snapshot::of(Held::Built(Arc::new(catalog)), Source::Api);
    reasons.tell(&mut snapshot);
    Ok(snapshot)
}
