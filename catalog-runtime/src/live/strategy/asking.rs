//! The half of the strategy that asks AWS: alone or with the other processes of a machine, now or in the
//! background. It may not know where else a catalog comes from.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bedrock_catalog_data::Catalog;
use bytes::Bytes;

use super::super::builder::PartialPolicy;
use super::super::discovery::json;
use super::super::handle::Renewal;
use super::{
    Arc, Cache, Duration, Error, ErrorKind, Held, Inner, PoisonError, Reasons, Snapshot, Source,
    Tried, catalog_key,
};
use crate::cache::Terms;
use crate::fetch::Outcome;
use crate::json::catalog_to_json;
use crate::transform::transform;

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
    /// `forced` asks whatever the cache has.
    pub(in crate::live) async fn ask(self: &Arc<Self>, forced: bool) -> Result<Snapshot, Error> {
        let config = &self.config;
        if !config.can_ask() {
            let why = match config.offline {
                true => "offline",
                false => "no SDK configuration was given",
            };
            return Err(Error::new(ErrorKind::Unavailable, why));
        }
        let cache = self.identified().await;
        let asking = async {
            if !forced && let Some(snapshot) = self.ask_with_others(&cache).await? {
                return Ok(snapshot);
            }
            self.ask_alone(&cache).await
        };
        // The fetch ends by itself in time; another process that asks need not.
        match self.bounded(config.asking().mul_f64(1.05), asking).await {
            Some(asked) => asked,
            None => {
                let message = format!("no answer within the deadline of {:?}", config.deadline);
                Err(Error::new(ErrorKind::Unavailable, message))
            }
        }
    }

    /// Of all who miss the catalog, here and in other processes, one asks. `None` where what
    /// another one cached cannot be used.
    async fn ask_with_others(&self, cache: &Cache) -> Result<Option<Snapshot>, Error> {
        let slot: Mutex<Option<Result<Snapshot, Error>>> = Mutex::new(None);
        let compute = || async {
            let asked = self.asked(cache).await;
            let told = match &asked {
                Ok(snapshot) => Ok(Bytes::from(catalog_to_json(&snapshot.base))),
                Err(error) => Err(error.to_string()),
            };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
            told
        };
        let computed = cache
            .get_or_compute_async(&catalog_key(), &self.terms(), compute)
            .await;
        // Asked here: used whether or not it could be written, and its error is the error.
        if let Some(asked) = slot.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return asked.map(Some);
        }
        match computed {
            Ok(answer) if answer.is_fresh() => {
                Ok(self.usable(cache, answer, &mut Tried::default()).await)
            }
            Ok(_) => {
                let message = "another one asked a moment ago, and got nothing";
                Err(Error::new(ErrorKind::Unavailable, message))
            }
            Err(error) => Err(Error::new(ErrorKind::Unavailable, error.to_string())),
        }
    }

    async fn ask_alone(&self, cache: &Cache) -> Result<Snapshot, Error> {
        // Other processes may be asking too: who began last has the last word, here and in the fleet.
        let watch = |cache: &Cache| cache.watch_shared(&catalog_key());
        let watched = cache.off_thread(watch).await;
        let snapshot = self.asked(cache).await?;
        let (json, terms) = (catalog_to_json(&snapshot.base), self.terms());
        let write = move |cache: &Cache| cache.put_unless_overtaken(&watched, json, &terms);
        cache.off_thread(write).await;
        Ok(snapshot)
    }

    fn terms(&self) -> Terms {
        Terms::source("api").holding(self.config.horizons)
    }

    /// Asks AWS and merges what answered onto the last good catalog.
    async fn asked(&self, cache: &Cache) -> Result<Snapshot, Error> {
        let last = self.last_good(cache).await;
        let config = &self.config;
        let now = self.now();
        let fetched = config
            .aws
            .fetch(config, &config.regions, last.as_deref(), now)
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
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        if config.partial == PartialPolicy::RequireAllRegions && incomplete {
            let message = format!("all regions are required, and these failed: {told}");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        // Regions that were never heard of before have nothing to be measured against.
        let mut answers = fetched.recording().regions.values();
        if answers.all(|answers| answers.models.is_empty()) {
            let message = format!("AWS answered without a single model: not believed; {told}");
            return Err(Error::new(ErrorKind::Unavailable, message));
        }
        if incomplete {
            tracing::warn!(
                failed = told,
                "some regions could not be renewed; their last good rows are kept"
            );
        }
        self.keep_raw(cache, &fetched).await;
        let (document, problems) = transform(fetched.recording(), last.as_deref());
        for problem in &problems {
            tracing::warn!(%problem, "a row was left out");
        }
        let catalog = Catalog::from_document(&document).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "what AWS answered is no catalog").because(error)
        })?;
        let mut snapshot = Snapshot::of(Held::Built(Arc::new(catalog)), Source::Api);
        let reasons = Reasons::of(&fetched);
        let (json, terms) = (json(&reasons), self.terms());
        cache
            .off_thread(move |cache| cache.put(&Reasons::key(), json, &terms))
            .await;
        reasons.tell(&mut snapshot);
        snapshot.renew_at = self.renewal(config.horizons.fresh_for);
        Ok(snapshot)
    }

    /// The newest of what is served, what is cached, and the bundle; of the regions asked for.
    async fn last_good(&self, cache: &Cache) -> Option<Held> {
        let current = self.current.load_full();
        let cached = cache.get_async(&catalog_key()).await.into_hit();
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

    /// What comes of it before the deadline, and the tenth that it takes to notice, is over.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.config.can_ask() {
            true => self.bounded(self.config.deadline.mul_f64(1.08), work).await,
            // Nobody is waited for.
            false => Some(work.await),
        }
    }

    async fn bounded<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        match tokio::runtime::Handle::try_current() {
            Ok(_) => tokio::time::timeout(limit, work).await.ok(),
            Err(_) => Some(work.await),
        }
    }

    /// Renews what is served, on a task of its own; one at a time.
    pub(in crate::live) fn renew_in_background(self: &Arc<Self>) {
        self.spawn(Duration::ZERO);
    }

    /// Another process of the fleet has stored a catalog: takes it up, where tasks ran before.
    pub(in crate::live) fn renew_from_others(self: &Arc<Self>) {
        let background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let runtime = background.runtime.clone();
        drop(background);
        if let Some(runtime) = runtime {
            let _entered = runtime.enter();
            self.renew_in_background();
        }
    }

    /// Renews what is served when it is due.
    pub(in crate::live) fn renew_when_due(self: &Arc<Self>) {
        if let Some(at) = self.current.load().renew_at {
            self.spawn(at.steady.saturating_sub(self.config.clock.steady()));
        }
    }

    /// One task, which ends with the last handle.
    fn spawn(self: &Arc<Self>, wait: Duration) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            // Nothing runs tasks here, or could ask: the next load on a runtime renews.
            return;
        };
        let mut background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let working = background.renewal.as_ref().is_some_and(Renewal::is_working);
        if background.stopped || (working && wait == Duration::ZERO) {
            return;
        }
        background.runtime = Some(runtime.clone());
        let weak = Arc::downgrade(self);
        // One that need not wait works already: the next one leaves it alone.
        let begun = Arc::new(AtomicBool::new(wait == Duration::ZERO));
        let mark = Arc::clone(&begun);
        // Counted from now, not from when the task comes to run.
        let wait = (wait > Duration::ZERO).then(|| tokio::time::sleep(wait));
        let task = runtime.spawn(async move {
            if let Some(wait) = wait {
                wait.await;
                mark.store(true, Ordering::Release);
            }
            if let Some(inner) = weak.upgrade() {
                inner.renew().await;
            }
        });
        let task = task.abort_handle();
        // One that only waits makes room; one that works ends by itself.
        let before = background.renewal.replace(Renewal { task, begun });
        if let Some(before) = before.filter(|before| !before.is_working()) {
            before.task.abort();
        }
    }

    async fn renew(self: &Arc<Self>) {
        let _turn = self.turn.lock().await;
        match self.ask(false).await {
            Ok(snapshot) => {
                self.adopt(snapshot);
            }
            Err(error) => {
                tracing::warn!(%error, "the catalog could not be renewed; the last one is served");
                self.note_failure(&error);
                self.renew_when_due();
            }
        }
    }
}
