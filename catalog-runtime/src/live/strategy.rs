//! Where the catalog comes from: a fresh cache, else AWS, else a stale cache, else the bundle.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bedrock_catalog_data::Catalog;

use super::handle::{Change, Inner};
use super::overlay::{self, Overlay, OverlaySource};
use super::snapshot::{Held, Snapshot, Source, bundle};
use crate::cache::{CLOCK_SKEW, Cache, Freshness, Hit, Key};
use crate::error::{Error, ErrorKind};
use crate::json::catalog_from_json;

/// How long after a failure nobody asks again, and what is added at random so that a fleet does not
/// ask in step.
const RETRY: Duration = Duration::from_secs(60);

/// The key of the one catalog of a namespace.
pub(super) fn catalog_key() -> Key {
    Key::new("catalog", "get", "all")
}

/// What was tried, and why it did not serve.
#[derive(Default)]
pub(super) struct Tried(Vec<String>);

impl Tried {
    pub(super) fn note(&mut self, what: &str, why: impl std::fmt::Display) {
        self.0.push(format!("{what}: {why}"));
    }

    fn told(&self) -> String {
        self.0.join("; ")
    }
}

impl Inner {
    pub(super) async fn load(self: &Arc<Self>) -> Result<Arc<Snapshot>, Error> {
        if let Some(settled) = self.settled() {
            return Ok(settled);
        }
        let _turn = self.turn.lock().await;
        if let Some(settled) = self.settled() {
            return Ok(settled);
        }
        let forced = self.config.force_refresh && self.first_load.swap(false, Ordering::AcqRel);
        self.obtain(forced).await
    }

    pub(super) async fn refresh(self: &Arc<Self>) -> Result<Arc<Snapshot>, Error> {
        let _turn = self.turn.lock().await;
        match self.ask(true).await {
            Ok(snapshot) => self.adopt(snapshot),
            Err(error) => {
                self.note_failure(&error.to_string());
                Err(error)
            }
        }
    }

    /// What there is, if loading has come to an end before. Where it has become old, it is renewed in
    /// the background, and served meanwhile.
    fn settled(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let current = self.current.load_full();
        if !current.settled {
            return None;
        }
        let current = self.overlay_renewed().unwrap_or(current);
        if current
            .renew_at
            .is_some_and(|at| self.config.clock.steady() >= at)
        {
            self.renew_in_background();
        }
        Some(current)
    }

    /// Obtains a catalog, whatever it takes. Only in a turn.
    pub(super) async fn obtain(self: &Arc<Self>, forced: bool) -> Result<Arc<Snapshot>, Error> {
        let mut tried = Tried::default();
        let cache = self.identified().await;
        let cached = cache.get_async(&catalog_key()).await;
        let fresh = cached.is_fresh() && !forced;
        let stale = match self.usable(cached, &mut tried) {
            Some(mut snapshot) if fresh => {
                let age = snapshot.age(self.now());
                let left = self.config.horizons.fresh_for.saturating_sub(age);
                snapshot.renew_at = self.renewal(left);
                return self.adopt(snapshot);
            }
            stale => stale,
        };
        match self.ask(forced).await {
            Ok(snapshot) => return self.adopt(snapshot),
            Err(error) => tried.note("AWS", error),
        }
        let mut snapshot = match (stale, bundle().filter(|_| self.config.bundled_fallback)) {
            (Some(stale), _) => stale,
            (None, Some(bundle)) => {
                let snapshot = Snapshot::of(bundle, Source::Bundle);
                let age_seconds = snapshot.age(self.now()).as_secs();
                let tried = tried.told();
                tracing::warn!(age_seconds, observed_at = %snapshot.observed_at(), tried, "serving the bundled catalog");
                snapshot
            }
            (None, None) => {
                let message = format!(
                    "no catalog: {}; give AWS credentials, a cache that can be read, or allow the bundle",
                    tried.told()
                );
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
        };
        // Offline on the bundle is what was asked for; anything else is less.
        snapshot.error = (!self.config.offline).then(|| tried.told());
        snapshot.renew_at = self.renewal(RETRY);
        self.adopt(snapshot)
    }

    /// The snapshot of a cached catalog, if it may be served at all.
    pub(super) fn usable(&self, cached: Freshness, tried: &mut Tried) -> Option<Snapshot> {
        let Some(hit) = cached.into_hit() else {
            tried.note("cache", "nothing usable");
            return None;
        };
        match self.read(&hit) {
            Ok(catalog) => {
                let source = Source::Cache {
                    tier: hit.tier().unwrap_or("memory").to_owned(),
                    path: hit.path().map(ToOwned::to_owned),
                };
                Some(Snapshot::of(Held::Built(Arc::new(catalog)), source))
            }
            Err(why) => {
                let path = hit.path().map(|path| path.display().to_string());
                tracing::warn!(tier = hit.tier(), path, why, "a cached catalog is not used");
                tried.note("cache", why);
                None
            }
        }
    }

    fn read(&self, hit: &Hit) -> Result<Catalog, String> {
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
        match bundle().filter(|_| self.config.bundled_fallback) {
            Some(bundle) if catalog.observed_at() < bundle.observed_at() => Err(format!(
                "it was observed at {}, before the bundle",
                catalog.observed_at()
            )),
            _ => Ok(catalog),
        }
    }

    /// The cache in the namespace of who asks.
    pub(super) async fn identified(&self) -> Cache {
        #[cfg(feature = "aws")]
        {
            let ask = || async {
                match self.config.offline {
                    true => None,
                    false => self.config.aws.account().await,
                }
            };
            let account = self.account.get_or_init(ask).await;
            self.namespaced(account.as_deref())
        }
        #[cfg(not(feature = "aws"))]
        {
            self.namespaced(None)
        }
    }

    /// When to ask again, if there is anyone to ask: after `left`, and up to a tenth more.
    pub(super) fn renewal(&self, left: Duration) -> Option<Duration> {
        // The addresses of a process and its clock differ enough to spread a fleet.
        let noise = std::hash::BuildHasher::hash_one(&foldhash::fast::RandomState::default(), left);
        let jitter = left.mul_f64((noise % 1024) as f64 / 10_240.0);
        self.can_ask()
            .then(|| self.config.clock.steady() + left + jitter)
    }

    fn can_ask(&self) -> bool {
        #[cfg(feature = "aws")]
        {
            !self.config.offline && self.config.aws.is_given()
        }
        #[cfg(not(feature = "aws"))]
        {
            false
        }
    }

    /// Serves a snapshot from now on, with the overlay, unless what is served is newer.
    pub(super) fn adopt(self: &Arc<Self>, snapshot: Snapshot) -> Result<Arc<Snapshot>, Error> {
        let before = self.current.load_full();
        if before.settled && before.base.observed_at() > snapshot.base.observed_at() {
            return Ok(before);
        }
        let snapshot = match self.overlay() {
            Some(overlay) => snapshot.with_overlay(&overlay)?,
            None => snapshot,
        };
        tracing::info!(
            source = %snapshot.source,
            models = snapshot.models().count(),
            regions = snapshot.regions().count(),
            failed = snapshot.failed.len(),
            age_seconds = snapshot.age(self.now()).as_secs(),
            "catalog loaded"
        );
        let after = Arc::new(snapshot);
        self.current.store(Arc::clone(&after));
        self.tell(before, &after);
        self.renew_when_due();
        Ok(after)
    }

    fn tell(&self, before: Arc<Snapshot>, after: &Arc<Snapshot>) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| !listener.is_closed());
        if listeners.is_empty() || *before.served == *after.served {
            return;
        }
        for listener in listeners.iter() {
            let change = Change {
                before: Arc::clone(&before),
                after: Arc::clone(after),
            };
            // Closed between the look and the send: nobody to tell.
            let _ = listener.force_send(change);
        }
    }

    /// Keeps what is served, with the reason why it could not be renewed.
    pub(super) fn note_failure(&self, why: &str) {
        let current = self.current.load_full();
        let mut noted = (*current).clone();
        noted.error = Some(why.to_owned());
        noted.renew_at = self.renewal(RETRY);
        self.current.store(Arc::new(noted));
    }

    /// The overlay as it is now; a file that cannot be read leaves the last one.
    fn overlay(&self) -> Option<Arc<Overlay>> {
        let mut laid_over = self.overlay.lock().unwrap_or_else(PoisonError::into_inner);
        if let OverlaySource::File(path) = &self.config.overlay {
            let key = self.cache.file_key(path, "overlay");
            if laid_over.file.as_ref() != Some(&key) {
                match overlay::read(path).and_then(|json| Overlay::from_json(&json)) {
                    Ok(overlay) => {
                        laid_over.overlay = Some(Arc::new(overlay));
                        laid_over.file = Some(key);
                    }
                    Err(error) => {
                        tracing::warn!(path = %path.display(), %error, "the overlay is not used");
                    }
                }
            }
        }
        laid_over.overlay.clone()
    }

    /// What is served with a changed overlay file on it; `None` where nothing changed.
    fn overlay_renewed(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        if !matches!(self.config.overlay, OverlaySource::File(_)) {
            return None;
        }
        let before = self
            .overlay
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .overlay
            .clone();
        let now = self.overlay();
        let same = match (&before, &now) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (None, None) => true,
            _ => false,
        };
        if same {
            return None;
        }
        self.adopt((*self.current.load_full()).clone())
            .inspect_err(|error| tracing::warn!(%error, "the overlay is not used"))
            .ok()
    }
}

impl Snapshot {
    /// The same base under an overlay.
    pub(super) fn with_overlay(mut self, overlay: &Overlay) -> Result<Self, Error> {
        self.served = Held::Built(Arc::new(overlay.lay_over(&self.base)?));
        self.overlay = overlay.len();
        Ok(self)
    }
}

#[cfg(not(feature = "aws"))]
impl Inner {
    pub(super) async fn ask(self: &Arc<Self>, _forced: bool) -> Result<Snapshot, Error> {
        let message = match self.config.offline {
            true => "offline",
            false => "this build has no feature `aws`",
        };
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    fn renew_in_background(self: &Arc<Self>) {}

    fn renew_when_due(self: &Arc<Self>) {}
}

#[cfg(feature = "aws")]
mod asking {
    //! The half that asks.
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;

    use super::super::builder::PartialPolicy;
    use super::super::handle::Background;
    use super::{
        Arc, Cache, Duration, Error, ErrorKind, Held, Inner, PoisonError, Snapshot, Source, Tried,
        catalog_key,
    };
    use crate::cache::Terms;
    use crate::json::catalog_to_json;
    use crate::transform::transform;
    use bedrock_catalog_data::Catalog;
    use std::collections::BTreeMap;

    /// What one asking of AWS came to.
    struct Asked {
        catalog: Arc<Catalog>,
        failed: BTreeMap<String, String>,
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
        /// `forced` asks whatever the cache has.
        pub(in crate::live) async fn ask(
            self: &Arc<Self>,
            forced: bool,
        ) -> Result<Snapshot, Error> {
            let config = &self.config;
            if config.offline {
                return Err(Error::new(ErrorKind::Unavailable, "offline"));
            }
            if !config.aws.is_given() {
                let message = "no SDK configuration was given";
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            let cache = self.identified().await;
            let terms = Terms::source("api").holding(config.horizons);
            let slot: Mutex<Option<Asked>> = Mutex::new(None);
            let compute = || async {
                let asked = self.asked(&cache).await?;
                let json = Bytes::from(catalog_to_json(&asked.catalog));
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
                Ok::<_, Error>(json)
            };
            let take = || slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            if forced {
                let watched = cache.watch(&catalog_key());
                let json = compute().await?;
                cache
                    .off_thread(move |cache| cache.put_unless_overtaken(&watched, json, &terms))
                    .await;
            } else {
                let computed = cache
                    .get_or_compute_async(&catalog_key(), &terms, compute)
                    .await;
                // Asked here: used whether or not it could be written.
                if let Some(asked) = take() {
                    return Ok(self.answered(asked));
                }
                let answer = computed.map_err(|error| {
                    let message = error.to_string();
                    error
                        .into_cause()
                        .unwrap_or_else(|| Error::new(ErrorKind::Unavailable, message))
                })?;
                if !answer.is_fresh() {
                    let message = "asking failed, and what is cached is stale";
                    return Err(Error::new(ErrorKind::Unavailable, message));
                }
                let mut tried = Tried::default();
                let mut snapshot = self
                    .usable(answer, &mut tried)
                    .ok_or_else(|| Error::new(ErrorKind::Unavailable, tried.told()))?;
                snapshot.renew_at = self.renewal(config.horizons.fresh_for);
                return Ok(snapshot);
            }
            match take() {
                Some(asked) => Ok(self.answered(asked)),
                None => Err(Error::new(ErrorKind::Unavailable, "asking gave nothing")),
            }
        }

        fn answered(&self, asked: Asked) -> Snapshot {
            let mut snapshot = Snapshot::of(Held::Built(asked.catalog), Source::Api);
            // The reasons of this asking, and of regions carried over from before.
            snapshot.failed.extend(asked.failed);
            snapshot.renew_at = self.renewal(self.config.horizons.fresh_for);
            snapshot
        }

        /// Asks AWS and merges what answered onto the last good catalog.
        async fn asked(&self, cache: &Cache) -> Result<Asked, Error> {
            let last = self.last_good(cache).await;
            let config = &self.config;
            let now = self.now();
            let fetched = config
                .aws
                .fetch(config, &config.regions, last.as_deref(), now)
                .await?;
            let failed: BTreeMap<String, String> = fetched
                .reports()
                .iter()
                .filter(|(_, report)| report.outcome != crate::fetch::Outcome::Ok)
                .map(|(region, report)| {
                    (
                        region.clone(),
                        format!("{}: {}", report.outcome, report.reason),
                    )
                })
                .collect();
            for (region, reason) in &failed {
                tracing::debug!(region, reason, "a region could not be renewed");
            }
            let told = told(&failed);
            if fetched.answered() == 0 {
                let message = format!("no region answered: {told}");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            if config.partial == PartialPolicy::RequireAllRegions && !failed.is_empty() {
                let message = format!("all regions are required, and these failed: {told}");
                return Err(Error::new(ErrorKind::Unavailable, message));
            }
            if !failed.is_empty() {
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
            Ok(Asked {
                catalog: Arc::new(catalog),
                failed,
            })
        }

        /// The newest of what is served, what is cached, and the bundle; of the regions asked for.
        async fn last_good(&self, cache: &Cache) -> Option<Held> {
            let current = self.current.load_full();
            let cached = cache.get_async(&catalog_key()).await;
            let cached = self
                .usable(cached, &mut Tried::default())
                .map(|snapshot| snapshot.base);
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

        /// Renews what is served, on a task of its own; one at a time.
        pub(in crate::live) fn renew_in_background(self: &Arc<Self>) {
            self.spawn(Duration::ZERO);
        }

        /// Renews what is served when it is due.
        pub(in crate::live) fn renew_when_due(self: &Arc<Self>) {
            let Some(at) = self.current.load().renew_at else {
                return;
            };
            self.spawn(at.saturating_sub(self.config.clock.steady()));
        }

        /// One task, which holds the catalog only while it works: dropping the last handle ends it.
        fn spawn(self: &Arc<Self>, wait: Duration) {
            let Ok(runtime) = tokio::runtime::Handle::try_current() else {
                // Nothing runs tasks here: the next load renews.
                return;
            };
            let mut background = self
                .background
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let working = background.as_ref().is_some_and(Background::is_working);
            if working && wait == Duration::ZERO {
                return;
            }
            let weak = Arc::downgrade(self);
            let begun = Arc::new(AtomicBool::new(false));
            let mark = Arc::clone(&begun);
            let task = runtime.spawn(async move {
                tokio::time::sleep(wait).await;
                mark.store(true, Ordering::Release);
                let Some(inner) = weak.upgrade() else {
                    return;
                };
                inner.renew().await;
            });
            // One that only waits makes room; one that works ends by itself.
            let task = task.abort_handle();
            let before = background.replace(Background { task, begun });
            if let Some(before) = before.filter(|before| !before.is_working()) {
                before.task.abort();
            }
        }

        async fn renew(self: &Arc<Self>) {
            let _turn = self.turn.lock().await;
            match self.ask(false).await {
                Ok(snapshot) => {
                    // Told in the log; what was served stays.
                    if let Err(error) = self.adopt(snapshot) {
                        tracing::warn!(%error, "a renewed catalog is not used");
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the catalog could not be renewed; the last one is served");
                    self.note_failure(&error.to_string());
                    self.renew_when_due();
                }
            }
        }
    }
}
