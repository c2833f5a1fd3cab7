//! The handle of a live catalog: what callers hold, clone and ask.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use bedrock_catalog_data::Timestamp;

use super::builder::LiveCatalogBuilder;
use super::calls::Calls;
use super::counts::Counts;
use super::discovery::Latency;
use super::laid_over::{LaidOver, OverlaySource};
use super::report::StatusReport;
use super::rounds::Rounds;
use super::snapshot::Snapshot;
use crate::cache::{Cache, Cleaner, Namespace};
use crate::error::CatalogError;
use bedrock_catalog_recording::CatalogDiff;

/// How often the cache is cleaned up.
const CLEANUP_EVERY: Duration = Duration::from_secs(3600);

/// A catalog that keeps itself fresh: cache, then AWS, then the bundle. Clones are the same catalog;
/// dropping the last one stops everything.
///
/// Questions are asked of a [`Snapshot`], which dereferences to a catalog: immutable, never half, and
/// it says where it came from. [`LiveCatalog::snapshot`] never waits.
///
/// ```
/// # #[cfg(feature = "bundle")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use bedrock_catalog::{LiveCatalog, Policy, models};
///
/// let live = LiveCatalog::builder().offline(true).build()?;
/// let snapshot = live.snapshot();
/// let route = snapshot.route(models::ANTHROPIC_CLAUDE_SONNET_4_6, "eu-central-1", Policy::Geography)?;
/// assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
/// assert_eq!(snapshot.source().as_str(), "bundle");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "bundle"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct LiveCatalog {
    pub(super) inner: Arc<Inner>,
    /// Not held by what works in the background, which therefore ends with the last handle.
    _alive: Arc<Alive>,
}

/// What all handles share, and nobody else.
struct Alive(Arc<Inner>);

impl Drop for Alive {
    fn drop(&mut self) {
        #[cfg(feature = "aws")]
        self.0.stop();
        self.0.clean_up_no_more();
        // Who listens is told that there is nothing more to come.
        let mut listeners = self
            .0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.clear();
    }
}

pub(super) struct Inner {
    pub(super) config: LiveCatalogBuilder,
    pub(super) cache: Cache,
    pub(super) calls: Calls,
    /// How fast regions answered, here: kept also where nothing is cached.
    pub(super) latencies: Mutex<BTreeMap<String, Latency>>,
    /// Apart from the rest, so that a reader does not keep the rest alive.
    pub(super) current: Arc<ArcSwap<Snapshot>>,
    /// Who changes the catalog; one at a time.
    pub(super) turn: Rounds<Result<(), CatalogError>>,
    /// Held while what is served is replaced by something made of it.
    pub(super) serving: Mutex<()>,
    pub(super) overlay: LaidOver,
    pub(super) counts: Counts,
    pub(super) listeners: Mutex<Vec<async_channel::Sender<Change>>>,
    /// AWS is to be asked whatever the cache has, and has not answered yet.
    pub(super) forced: AtomicBool,
    /// Whose entries are meant where nobody can be asked, once it is known.
    pub(super) owner: OnceLock<Namespace>,
    pub(super) cleaning: Mutex<Cleaning>,
    /// When AWS was asked last, here.
    pub(super) asked_at: Mutex<Option<Timestamp>>,
    #[cfg(feature = "aws")]
    pub(super) account: super::owner::Account,
    #[cfg(feature = "aws")]
    pub(super) background: Mutex<Background>,
}

/// What goes on in the background.
#[cfg(feature = "aws")]
#[derive(Default)]
pub(super) struct Background {
    pub(super) renewal: Option<Renewal>,
    /// Others stored a catalog while it worked, or before it could.
    pub(super) noticed: bool,
    /// Where it goes on.
    pub(super) runtime: Option<tokio::runtime::Handle>,
    /// The last handle is gone: nothing is begun any more.
    pub(super) stopped: bool,
}

/// The task that renews.
#[cfg(feature = "aws")]
pub(super) struct Renewal {
    pub(super) task: tokio::task::AbortHandle,
    /// It waits no more.
    pub(super) begun: Arc<AtomicBool>,
}

#[cfg(feature = "aws")]
impl Renewal {
    pub(super) fn is_working(&self) -> bool {
        use std::sync::atomic::Ordering;
        self.begun.load(Ordering::Acquire) && !self.task.is_finished()
    }
}

/// The thread that cleans the cache up now and then, where it has what outlives the process.
#[derive(Default)]
pub(super) enum Cleaning {
    #[default]
    NotBegun,
    Begun(Option<Cleaner>),
    /// The last handle is gone.
    Over,
}

impl LiveCatalog {
    /// Begins to build one.
    #[must_use]
    pub fn builder() -> LiveCatalogBuilder {
        LiveCatalogBuilder::default()
    }

    pub(super) fn start(config: LiveCatalogBuilder, cache: Cache) -> Result<Self, CatalogError> {
        let mut before = Snapshot::before_loading(&config);
        let mut laid_over = LaidOver::default();
        if let OverlaySource::Values(overlay) = &config.overlay {
            let overlay = Arc::new(overlay.clone());
            // One that does not even fit what is there before the first load is a mistake.
            overlay.lay_over(&before.base)?;
            before = before.with_overlay(&overlay);
            laid_over = LaidOver::of(overlay);
        }
        let inner = Inner {
            cache,
            calls: Calls::default(),
            latencies: Mutex::default(),
            current: Arc::new(ArcSwap::from_pointee(before)),
            turn: Rounds::default(),
            serving: Mutex::new(()),
            overlay: laid_over,
            counts: Counts::new(),
            listeners: Mutex::new(Vec::new()),
            forced: AtomicBool::new(config.force_refresh),
            owner: OnceLock::new(),
            cleaning: Mutex::default(),
            asked_at: Mutex::default(),
            #[cfg(feature = "aws")]
            account: super::owner::Account::default(),
            #[cfg(feature = "aws")]
            background: Mutex::default(),
            config,
        };
        let inner = Arc::new(inner);
        #[cfg(feature = "aws")]
        inner.hear_of_others();
        Ok(Self {
            _alive: Arc::new(Alive(Arc::clone(&inner))),
            inner,
        })
    }

    /// The catalog as it is now: the bundle, before the first load, or an empty one where no bundle may
    /// serve (it is switched off, or of another partition). Never waits, some 20 ns.
    #[inline]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.current.load_full()
    }

    /// A reader of one caller's own, for hot paths: its snapshots cost a nanosecond or two while
    /// nothing changes.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            cached: arc_swap::Cache::new(Arc::clone(&self.inner.current)),
        }
    }

    /// Waits for a good catalog, up to the deadline: a fresh one from the cache, else from AWS, else a
    /// stale one, else the bundle. Once there is one it returns at once, and where that has become
    /// old, renews it in the background. So the deadline is waited for once: where the first load ends by
    /// it, what there is serves from then on, and is renewed in the background. Only where there is
    /// nothing to serve does every load wait.
    ///
    /// Within a process one caller loads and the others wait for it; among the processes of a machine
    /// one asks AWS and the others read what it cached.
    ///
    /// # Errors
    /// Never while the bundle may serve. Else, where there is nothing to serve: what was tried, and why
    /// each failed.
    ///
    /// # Panics
    /// In Tokio, on one of its runtimes without timers: nothing tells them apart from those that have
    /// them. So does all that waits here; off Tokio nothing does, and nobody is asked.
    pub async fn load(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.inner.load().await
    }

    /// Asks AWS now, whatever there is, and waits for it. What was asked after this call serves too: of
    /// all who want it at once, in this process and among those that share the cache, a few ask for all.
    /// It is over with the deadline, also where that passed while others asked.
    ///
    /// # Errors
    /// Asking failed, or a region did and all are required: nothing was replaced. The reason also
    /// stands in [`LiveCatalog::status`].
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.inner.refresh().await
    }

    /// How the catalog stands.
    pub fn status(&self) -> StatusReport {
        self.snapshot().report(self.inner.now())
    }

    /// Whether it is less than what was asked for.
    pub fn is_degraded(&self) -> bool {
        self.snapshot().is_degraded()
    }

    /// Tells of every change from now on.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        // Who does not listen misses the oldest, not the newest.
        let (sender, receiver) = async_channel::bounded(16);
        let mut listeners = self
            .inner
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Those who listen no more: nothing may ever change, and they would only grow in number.
        listeners.retain(|listener| !listener.is_closed());
        listeners.push(sender);
        Changes { receiver }
    }

    /// The cache beneath, in the namespace of this catalog as far as it is known: the account is, once
    /// the catalog was loaded. Asks nobody.
    pub fn cache(&self) -> Cache {
        self.inner.namespaced(self.inner.known_account())
    }

    /// The cache beneath, in the namespace of this catalog. Asks the credentials, where there are any,
    /// for their account, at most for a second, and not again before the next load or refresh.
    pub async fn own_cache(&self) -> Cache {
        self.inner.identified().await
    }

    /// The same for who shows or removes what is there: where no credentials name the account, the
    /// entries of the only account that cached here are meant, and of several none.
    ///
    /// # Errors
    /// Several accounts share the cache, and nothing says whose entries are meant.
    ///
    /// ```
    /// # async fn example() -> Result<(), bedrock_catalog::CatalogError> {
    /// use bedrock_catalog::LiveCatalog;
    /// use bedrock_catalog::cache::Pattern;
    ///
    /// let live = LiveCatalog::builder().offline(true).build()?;
    /// live.meant_cache().await?.invalidate_async(&Pattern::glob("discovery:*")).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn meant_cache(&self) -> Result<Cache, CatalogError> {
        self.inner.meant().await
    }
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        let since_epoch = self
            .config
            .clock
            .now()
            .duration_since(std::time::UNIX_EPOCH);
        let seconds = since_epoch.map_or(0, |elapsed| elapsed.as_secs());
        let seconds = i64::try_from(seconds).unwrap_or_default();
        Timestamp::from_unix(seconds).unwrap_or(Timestamp::baked(0))
    }

    /// Begins to clean the cache up, once, if there is anything to clean.
    pub(super) fn clean_up_from_now_on(&self) {
        let mut cleaning = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.config.shares_cache() || !matches!(*cleaning, Cleaning::NotBegun) {
            return;
        }
        let begun = self.cache.cleanup_every(CLEANUP_EVERY);
        let begun = begun.inspect_err(|error| {
            tracing::warn!(%error, "the cache will not be cleaned up in the background");
        });
        *cleaning = Cleaning::Begun(begun.ok());
    }

    fn clean_up_no_more(&self) {
        let mut cleaning = self.cleaning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Cleaning::Begun(Some(cleaner)) = std::mem::replace(&mut *cleaning, Cleaning::Over) {
            // It waits for a cleanup under way, which nobody else has to.
            blocking::unblock(move || drop(cleaner)).detach();
        }
    }
}

#[cfg(feature = "aws")]
impl Inner {
    /// From now on takes up what other processes of a fleet store, where a tier tells of it.
    fn hear_of_others(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        self.cache.on_change(move |namespace, changed| {
            if let Some(inner) = weak.upgrade()
                && changed.matches(&super::strategy::catalog_key())
                && *namespace == inner.namespaced(inner.known_account()).namespace()
            {
                inner.renew_from_others();
            }
        });
    }

    /// Ends what goes on in the background, also in the middle of its work.
    fn stop(&self) {
        let mut background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        background.stopped = true;
        if let Some(renewal) = background.renewal.take() {
            renewal.task.abort();
        }
    }
}

impl fmt::Debug for LiveCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveCatalog")
            .field("snapshot", &**self.snapshot())
            .field("source", self.snapshot().source())
            .finish_non_exhaustive()
    }
}

/// One caller's own way to the snapshots of a live catalog. Does not keep the catalog renewing itself.
pub struct Reader {
    cached: arc_swap::Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

impl Reader {
    /// The catalog as it is now. Never waits; a nanosecond or two while nothing changes.
    #[inline]
    pub fn snapshot(&mut self) -> &Arc<Snapshot> {
        self.cached.load()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

impl Change {
    /// What has changed, as the generator tells it too.
    #[must_use]
    pub fn diff(&self) -> CatalogDiff {
        CatalogDiff::between(&self.before, &self.after)
    }
}

/// One change of a live catalog. Times of observation are no change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// What was served until now.
    pub before: Arc<Snapshot>,
    /// What is served from now on.
    pub after: Arc<Snapshot>,
}

/// The changes of a live catalog, from [`LiveCatalog::subscribe`] on. The latest sixteen are kept.
#[derive(Debug, Clone)]
pub struct Changes {
    receiver: async_channel::Receiver<Change>,
}

impl Changes {
    /// Waits for the next change; `None` once the catalog is dropped.
    pub async fn next(&self) -> Option<Change> {
        self.receiver.recv().await.ok()
    }

    /// The next change, if there is one already.
    pub fn try_next(&self) -> Option<Change> {
        self.receiver.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_no_more_is_forgotten_though_nothing_changes() {
        let live = LiveCatalog::builder().offline(true).build().unwrap();
        for _ in 0..100 {
            drop(live.subscribe());
        }
        let _listens = live.subscribe();
        assert_eq!(live.inner.listeners.lock().unwrap().len(), 1);
    }
}
