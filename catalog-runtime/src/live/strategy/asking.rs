//! The half of the strategy that asks AWS. It may not know where else a catalog comes from, nor who of the
//! processes that share the cache is to ask.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use bedrock_catalog_data::{Catalog, Timestamp};
use tokio::time::Instant;

use super::super::builder::PartialPolicy;
use super::super::discovery::json;
use super::others::{LATE, Refused, WithOthers};
use super::reasons::Reasons;
use super::waiting::LOOK;
use super::{
    Answered, Arc, Cache, CatalogError, CatalogErrorKind, Duration, Held, Inner, PoisonError,
    RETRY, Snapshot, Source, catalog_key, note,
};
use crate::cache::{Horizons, Terms};
use crate::fetch::{Fetched, Outcome};
use bedrock_catalog_recording::Recording;
use bedrock_catalog_recording::transform;

/// What AWS answered.
pub(super) struct Asked {
    pub(super) snapshot: Snapshot,
    pub(super) fetched: Fetched,
    pub(super) reasons: Reasons,
}

/// Why AWS gave no catalog, and whether it is what any other process would be told.
pub(super) struct InVain {
    pub(super) error: CatalogError,
    is_everybodys: bool,
}

impl From<CatalogError> for InVain {
    fn from(error: CatalogError) -> Self {
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
    ) -> Result<Option<Snapshot>, CatalogError> {
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
            return Err(CatalogError::new(CatalogErrorKind::Unavailable, why).advising(advice));
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
            let (half, until) = (begun + config.asking() / 2, begun + config.asking());
            let look = |cache: &Cache| drop(cache.get_shared(&catalog_key()));
            let answers = match answers {
                Some(answers) => answers,
                None => self.look(&cache, look).await.is_some(),
            };
            if !answers {
                tracing::warn!("the cache does not answer; AWS is asked without it");
                let asked = self.asked(&cache, until, answered).await;
                return asked
                    .map(|asked| Some(asked.snapshot))
                    .map_err(|in_vain| in_vain.error);
            }
            if self.is_open(&cache).await {
                // Nobody to ask with: the others may be of any account.
                let asked = self.ask_alone(&cache, until, answered);
                return asked.await.map(Some);
            }
            // Late is not refused: who is held up, as each of a crowd is, does not ask beside the others. But
            // for the last time, or where the time for another is not left.
            let mut tries = if forced { 0 } else { LATE };
            while tries > 0 && Instant::now() < half {
                tries -= 1;
                let is_patient = tries > 0 && Instant::now() + 2 * LOOK < half;
                let asking = self.ask_with_others(&cache, until, is_patient, answered);
                match asking.await? {
                    WithOthers::Asked(snapshot) => return Ok(Some(*snapshot)),
                    WithOthers::AreAsking => return Ok(None),
                    WithOthers::HaveNothing => break,
                    WithOthers::AreLate => {}
                }
            }
            let asked = self.ask_after(&cache, since, [half, until], answered);
            asked.await.map(Some)
        };
        let asked = self.asked_in_time(answered, asking).await;
        // Only now: who gave up before has not asked, nor who asked in vain.
        let is_done = forced && asked.is_ok();
        self.forced.fetch_and(!is_done, Ordering::AcqRel);
        asked
    }

    pub(super) async fn ask_alone(
        &self,
        cache: &Cache,
        until: Instant,
        answered: &Answered,
    ) -> Result<Snapshot, CatalogError> {
        let watched = self.watched(cache).await;
        let asked_at = self.now();
        match self.asked(cache, until, answered).await {
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

    /// Now, noted as the time when AWS was asked.
    pub(super) fn asks_now(&self) -> Timestamp {
        let now = self.now();
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        now
    }

    pub(super) fn terms(&self) -> Terms {
        Terms::source("api").holding(self.config.horizons)
    }

    /// Asks AWS until then, and merges what answered onto the last good catalog.
    pub(super) async fn asked(
        &self,
        cache: &Cache,
        until: Instant,
        answered: &Answered,
    ) -> Result<Asked, InVain> {
        let last = self.last_good(cache).await;
        let config = &self.config;
        let now = self.asks_now();
        // What was waited for is no longer there for AWS: what some regions answered would come too late.
        let left = until.saturating_duration_since(Instant::now());
        let left = left.max(Duration::from_millis(1));
        let fetched = config
            .aws
            .fetch(config, &config.regions, last.as_deref(), now, left)
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
                error: CatalogError::new(CatalogErrorKind::Unavailable, message),
                // Others may have a role that is not denied.
                is_everybodys: !outcomes.any(|outcome| outcome == Outcome::Denied),
            });
        }
        if config.partial == PartialPolicy::RequireAllRegions && incomplete {
            let message = format!("all regions are required, and these failed: {told}");
            return Err(CatalogError::new(CatalogErrorKind::Unavailable, message).into());
        }
        // Regions that were never heard of before have nothing to be measured against.
        let mut answers = fetched.recording().regions.values();
        if answers.all(|answers| answers.models.is_empty()) {
            let message = format!("AWS answered without a single model: not believed; {told}");
            return Err(CatalogError::new(CatalogErrorKind::Unavailable, message).into());
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
) -> Result<Snapshot, CatalogError> {
    let (document, problems) = transform(recording, last);
    for problem in &problems {
        tracing::warn!(%problem, "a row was left out");
    }
    let catalog = Catalog::from_document(&document).map_err(|error| {
        CatalogError::new(
            CatalogErrorKind::Unavailable,
            "what AWS answered is no catalog",
        )
        .because(error)
    })?;
    let mut snapshot = Snapshot::of(Held::Built(Arc::new(catalog)), Source::Api);
    reasons.tell(&mut snapshot);
    Ok(snapshot)
}
