//! The handle of a live catalog, and what its clones share.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bedrock_catalog_cache::{Cache, Cleaner, SingleFlight};
use bedrock_catalog_data::Timestamp;
use bedrock_catalog_recording::CatalogDiff;

use super::account::Identity;
use super::blocking::BlockingCalls;
use super::builder::LiveCatalogBuilder;
use super::discovery::RegionLists;
use super::load::Published;
use super::metrics::Metrics;
use super::overlay_file::{OverlaySource, OverlayState};
use super::report::StatusReport;
use super::snapshot::Snapshot;
use crate::error::CatalogError;

/// How often the cache is cleaned up.
const CLEANUP_EVERY: Duration = Duration::from_secs(3600);

/// A catalog that keeps itself fresh: cache, then AWS, then the bundle. Clones are the same catalog;
/// dropping the last one stops its background work.
///
/// A [`Snapshot`] dereferences to a catalog: immutable, whole, and with its source. Lookups go to
/// [`LiveCatalog::snapshot`], which never waits.
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
    /// Not held by background work, which ends with the last handle.
    _alive: Arc<Alive>,
}

/// Dropped with the last handle.
struct Alive(Arc<Inner>);

impl Drop for Alive {
    fn drop(&mut self) {
        #[cfg(feature = "aws")]
        self.0.background.stop();
        self.0.stop_cleanup();
        // Ends the streams of changes.
        self.0.subscribers().clear();
    }
}

/// The state of a live catalog.
pub(super) struct Inner {
    pub(super) config: LiveCatalogBuilder,
    pub(super) cache: Cache,
    pub(super) blocking: BlockingCalls,
    /// The catalog in service. Shared with readers, which do not keep the rest alive.
    pub(super) current: Arc<ArcSwap<Snapshot>>,
    /// Held while the catalog in service is replaced by one that is made of it.
    pub(super) publishing: Mutex<()>,
    /// Concurrent loads share one, and so do refreshes.
    pub(super) flights: SingleFlight<&'static str, Result<Published, CatalogError>>,
    /// Held by a load, a refresh or a renewal: one runs at a time.
    pub(super) exclusive: async_lock::Mutex<()>,
    /// The identity that the credentials gave last.
    pub(super) identity: Mutex<Option<Identity>>,
    /// A forced fetch is still to come.
    pub(super) forced: AtomicBool,
    /// When this process last fetched.
    pub(super) fetched_at: Mutex<Option<Timestamp>>,
    /// Concurrent calls for the raw lists of a region share one.
    pub(super) list_flights: SingleFlight<String, Result<Arc<RegionLists>, CatalogError>>,
    /// Held while the entry of the raw lists is changed.
    pub(super) lists: Mutex<()>,
    pub(super) overlay: OverlayState,
    pub(super) metrics: Metrics,
    subscribers: Mutex<Vec<async_channel::Sender<Change>>>,
    cleanup: Mutex<Cleanup>,
    #[cfg(feature = "aws")]
    pub(super) background: super::background::Background,
}

/// The thread that cleans a shared cache up.
#[derive(Default)]
enum Cleanup {
    #[default]
    NotStarted,
    Started(Option<Cleaner>),
    Stopped,
}

impl LiveCatalog {
    /// A builder with the defaults that its methods name.
    pub fn builder() -> LiveCatalogBuilder {
        LiveCatalogBuilder::default()
    }

    pub(super) fn start(config: LiveCatalogBuilder, cache: Cache) -> Result<Self, CatalogError> {
        let mut first = Snapshot::before_loading(&config);
        let mut in_use = None;
        if let OverlaySource::Values(overlay) = &config.overlay {
            let overlay = Arc::new(overlay.clone());
            // One that does not even fit the bundle is a mistake.
            overlay.lay_over(&first.base)?;
            first = first.with_overlay(&overlay);
            in_use = Some(overlay);
        }
        let inner = Arc::new(Inner {
            cache,
            blocking: BlockingCalls::default(),
            current: Arc::new(ArcSwap::from_pointee(first)),
            publishing: Mutex::new(()),
            flights: SingleFlight::default(),
            exclusive: async_lock::Mutex::new(()),
            identity: Mutex::new(None),
            forced: AtomicBool::new(config.force_refresh),
            fetched_at: Mutex::default(),
            list_flights: SingleFlight::default(),
            lists: Mutex::default(),
            overlay: OverlayState::new(in_use),
            metrics: Metrics::new(),
            subscribers: Mutex::default(),
            cleanup: Mutex::default(),
            #[cfg(feature = "aws")]
            background: super::background::Background::default(),
            config,
        });
        #[cfg(feature = "aws")]
        inner.listen();
        Ok(Self {
            _alive: Arc::new(Alive(Arc::clone(&inner))),
            inner,
        })
    }

    /// The catalog in service. Before the first load that is the bundle, or an empty catalog where no
    /// bundle serves. Never waits, about 20 ns.
    #[inline]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.current.load_full()
    }

    /// A reader for a hot path: its snapshots cost a nanosecond or two while nothing changes.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader {
            cached: arc_swap::Cache::new(Arc::clone(&self.inner.current)),
        }
    }

    /// Waits for a good catalog: a fresh cached one, else AWS's, else a stale cached one, else the
    /// bundle. Later calls return at once, and a catalog that is no longer fresh is renewed in the
    /// background.
    ///
    /// Concurrent calls share one load, and of the processes that share a cache one fetches. The
    /// deadline passes once: a load that ends by it serves what there is, and later calls do not wait.
    /// A fetched catalog is served first and written afterwards; this call waits up to a second for the
    /// write.
    ///
    /// # Errors
    /// There is nothing to serve: what was tried, and why each failed. Never while the bundle serves.
    ///
    /// # Panics
    /// On a Tokio runtime without timers. Outside of Tokio nothing is fetched.
    pub async fn load(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.inner.load().await
    }

    /// Fetches from AWS, ignoring cached data. Concurrent calls share a fetch that started after this
    /// call, also with other processes that share the cache. Fails at the deadline, up to which it also
    /// waits for the write.
    ///
    /// # Errors
    /// The fetch failed, or a region did and all are required. Nothing is replaced, and
    /// [`LiveCatalog::status`] has the reason too.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, CatalogError> {
        self.inner.refresh().await
    }

    /// The status of the catalog in service.
    pub fn status(&self) -> StatusReport {
        self.snapshot().report(self.inner.now())
    }

    /// Whether the catalog in service is less than what was requested, see [`Snapshot::is_degraded`].
    pub fn is_degraded(&self) -> bool {
        self.snapshot().is_degraded()
    }

    /// The changes of the catalog in service from now on.
    #[must_use]
    pub fn subscribe(&self) -> Changes {
        let (sender, receiver) = async_channel::bounded(16);
        let mut subscribers = self.inner.subscribers();
        subscribers.retain(|subscriber| !subscriber.is_closed());
        subscribers.push(sender);
        Changes { receiver }
    }

    /// The cache of this catalog's namespace: of the account that the credentials name; without
    /// credentials, of [`account`](LiveCatalogBuilder::account); else of
    /// [`namespace`](LiveCatalogBuilder::namespace). Resolves the credentials, for five seconds at most, unless a load or refresh has.
    ///
    /// ```
    /// # async fn example() -> Result<(), bedrock_catalog::CatalogError> {
    /// use bedrock_catalog::LiveCatalog;
    /// use bedrock_catalog::cache::Pattern;
    ///
    /// let live = LiveCatalog::builder().offline(true).build()?;
    /// live.cache().await.invalidate_async(&Pattern::glob("discovery:*")).await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cache(&self) -> Cache {
        self.inner.caller_cache().await
    }
}

impl Inner {
    pub(super) fn now(&self) -> Timestamp {
        let now = self.config.clock.now();
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = i64::try_from(seconds).unwrap_or_default();
        Timestamp::from_unix(seconds).unwrap_or(Timestamp::baked(0))
    }

    pub(super) fn subscribers(&self) -> MutexGuard<'_, Vec<async_channel::Sender<Change>>> {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has_overlay_file(&self) -> bool {
        matches!(self.config.overlay, OverlaySource::File(_))
    }

    /// Starts to clean a shared cache up, once.
    pub(super) fn start_cleanup(&self) {
        let mut cleanup = self.cleanup.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.config.shares_cache() || !matches!(*cleanup, Cleanup::NotStarted) {
            return;
        }
        let started = self.cache.cleanup_every(CLEANUP_EVERY);
        let started = started.inspect_err(|error| {
            tracing::warn!(%error, "the cache is not cleaned up in the background");
        });
        *cleanup = Cleanup::Started(started.ok());
    }

    fn stop_cleanup(&self) {
        let mut cleanup = self.cleanup.lock().unwrap_or_else(PoisonError::into_inner);
        if let Cleanup::Started(Some(cleaner)) = std::mem::replace(&mut *cleanup, Cleanup::Stopped)
        {
            // Dropping it waits for a cleanup under way.
            drop(bedrock_catalog_cache::spawn_blocking(move || drop(cleaner)));
        }
    }
}

#[cfg(feature = "aws")]
impl Inner {
    /// Takes up catalogs that other processes store, where a tier is notified of them.
    fn listen(self: &Arc<Self>) {
        use bedrock_catalog_cache::ChangeEvent;
        let weak = Arc::downgrade(self);
        self.cache.on_change(move |event| {
            let Some(inner) = weak.upgrade() else {
                return;
            };
            let is_ours = match event {
                ChangeEvent::Written { namespace, key, .. } => {
                    *key == super::cached::catalog_key() && *namespace == inner.known_namespace()
                }
                ChangeEvent::Gap => true,
                _ => false,
            };
            if is_ours {
                inner.background.notice_stored();
            }
        });
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inner")
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

/// One caller's reader of a live catalog. It does not keep the catalog renewing itself.
pub struct Reader {
    cached: arc_swap::Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
}

impl Reader {
    /// The catalog in service. Never waits.
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

/// One change of a live catalog. A new time of observation alone is no change.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Change {
    /// The snapshot before.
    pub before: Arc<Snapshot>,
    /// The snapshot after.
    pub after: Arc<Snapshot>,
}

impl Change {
    /// The difference.
    #[must_use]
    pub fn diff(&self) -> CatalogDiff {
        CatalogDiff::between(&self.before, &self.after)
    }
}

/// The changes of a live catalog since [`LiveCatalog::subscribe`]. A slow reader keeps the latest
/// sixteen.
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
    fn closed_subscribers_are_removed_though_nothing_changes() {
        let live = LiveCatalog::builder().offline(true).build().unwrap();
        for _ in 0..100 {
            drop(live.subscribe());
        }
        let _open = live.subscribe();
        assert_eq!(live.inner.subscribers().len(), 1);
    }
}
