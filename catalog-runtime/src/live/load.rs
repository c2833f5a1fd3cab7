//! Where the catalog comes from. A load and a refresh pass the same five steps:
//!
//! 1. **fresh cached**: a fresh cached catalog is served, and AWS is not called. A refresh skips this.
//! 2. **lease**: of many processes one fetches. The others wait for its catalog, or serve a stale one.
//! 3. **fetch** from AWS.
//! 4. **merge** onto the last good catalog: regions that failed keep their rows.
//! 5. **publish**, and then write to the cache.
//!
//! Without a fetched catalog, a load falls back to the stale cached one, else to the bundle; a refresh
//! fails. One [`Deadline`] bounds all steps.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bedrock_catalog_cache::Join;
use bedrock_catalog_data::Timestamp;

use super::cached::Cached;
use super::deadline::Deadline;
use super::handle::Inner;
use super::schedule::is_due;
#[cfg(feature = "aws")]
use super::session::Session;
use super::snapshot::{Held, Retry, Snapshot, Source};
use crate::error::CatalogError;

/// When to look for the catalog that another process is fetching.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a load waits for its write.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(1);
/// What a call may take beyond its deadline, to merge what arrived by then.
const GRACE: f64 = 1.08;

/// What a fetch is for: it decides which catalog of another process is an answer.
#[derive(Debug, Clone)]
pub(super) enum Purpose {
    /// A fresh catalog.
    Load,
    /// A fetch that starts after this time.
    Refresh(Timestamp),
    /// The regions that failed, without the others.
    Retry(Retry),
}

/// What to do while another process fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhenBusy {
    /// Continue without a fetch, after a moment.
    GiveUp,
    /// Wait for its catalog, and fetch beside it after half of the deadline.
    Wait,
}

/// The end of a write: the channel closes when it is done.
pub(super) type WriteHandle = async_channel::Receiver<()>;

/// The outcome of steps 2 to 5.
pub(super) enum Renewed {
    Published(Published),
    /// Another process is fetching.
    Busy,
    /// The retried regions failed again.
    Unchanged,
}

/// A published catalog, and its write where this process fetched it.
pub(super) type Published = (Arc<Snapshot>, Option<WriteHandle>);

impl Inner {
    pub(super) async fn load(self: &Arc<Self>) -> Result<Arc<Snapshot>, CatalogError> {
        if !self.has_overlay_file()
            && let Some(settled) = self.settled()
        {
            return Ok(settled);
        }
        let deadline = Deadline::after(self.config.deadline);
        let load_alone = async {
            let _exclusive = self.exclusive.lock().await;
            match self.settled() {
                Some(settled) => Ok((settled, None)),
                None => self.load_once(deadline).await,
            }
        };
        let load_shared = async {
            self.look_at_overlay().await;
            match self.settled() {
                Some(settled) => Ok((settled, None)),
                None => self.flights.run("load", Join::Running, load_alone).await,
            }
        };
        match self.within_deadline(load_shared).await {
            Some(Ok((snapshot, write))) => {
                self.wait_for_write(write, WRITE_WAIT, deadline).await;
                Ok(snapshot)
            }
            Some(Err(error)) => Err(error),
            None => self.late(),
        }
    }

    pub(super) async fn refresh(self: &Arc<Self>) -> Result<Arc<Snapshot>, CatalogError> {
        let deadline = Deadline::after(self.config.deadline);
        let refresh = async {
            let _exclusive = self.exclusive.lock().await;
            self.look_at_overlay().await;
            let purpose = Purpose::Refresh(self.now());
            let mut session = self.session(deadline).await;
            let renewed = self
                .renew(&mut session, &purpose, WhenBusy::Wait, deadline)
                .await;
            self.start_cleanup();
            let refreshed = match renewed {
                Ok(Renewed::Published(published)) => Ok(published),
                Ok(Renewed::Busy | Renewed::Unchanged) => Err(another_process_fetches()),
                Err(error) => Err(error),
            };
            refreshed.inspect_err(|error| self.note_failure(error))
        };
        let refresh = self.flights.run("refresh", Join::Next, refresh);
        let Some(refreshed) = self.within_deadline(refresh).await else {
            let error = self.no_answer_in_time();
            self.note_failure(&error);
            return Err(error);
        };
        let (snapshot, write) = refreshed?;
        self.wait_for_write(write, Duration::MAX, deadline).await;
        Ok(snapshot)
    }

    /// The catalog in service, once the first load has ended. One that is due is renewed in the
    /// background.
    fn settled(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let current = self.current.load_full();
        if !current.settled {
            return None;
        }
        let current = self.republish_with_overlay().unwrap_or(current);
        let now = self.config.clock.moment();
        if current.renew_at.is_some_and(|at| is_due(at, now)) {
            self.schedule();
        }
        Some(current)
    }

    /// The first load: step 1, the others, and the fallbacks.
    async fn load_once(self: &Arc<Self>, deadline: Deadline) -> Result<Published, CatalogError> {
        let forced = self.forced.load(Ordering::Acquire);
        let mut session = self.session(deadline).await;
        let (cached, failure) = self.load_cached(&mut session, deadline).await;
        let (purpose, when_busy) = match &cached {
            _ if forced => (Purpose::Refresh(self.now()), WhenBusy::Wait),
            Cached::Fresh(snapshot) => return Ok((self.publish_loaded(snapshot.clone()), None)),
            Cached::Stale(_) => (Purpose::Load, WhenBusy::GiveUp),
            Cached::Missing(_) => (Purpose::Load, WhenBusy::Wait),
        };
        let renewed = match failure.filter(|failure| !forced && self.is_recent(failure)) {
            Some(failure) => Err(failure.into()),
            None => {
                self.renew(&mut session, &purpose, when_busy, deadline)
                    .await
            }
        };
        self.start_cleanup();
        let snapshot = match (cached, renewed) {
            (_, Ok(Renewed::Published(published))) => return Ok(published),
            (Cached::Fresh(mut cached) | Cached::Stale(mut cached), Ok(_)) => {
                cached.renew_all_at(self.moment_in(LOOK_AGAIN));
                self.publish_loaded(cached)
            }
            (Cached::Fresh(cached) | Cached::Stale(cached), Err(error)) => {
                self.publish_fallback(cached, &error)
            }
            (Cached::Missing(reason), renewed) => {
                let error = renewed.err().unwrap_or_else(another_process_fetches);
                let message = format!("cache: {reason}; AWS: {error}");
                let error = CatalogError::new(error.kind(), message);
                self.fall_back_on_bundle(&error)?
            }
        };
        Ok((snapshot, None))
    }

    /// Steps 2 to 5.
    #[cfg(feature = "aws")]
    pub(super) async fn renew(
        self: &Arc<Self>,
        session: &mut Session,
        purpose: &Purpose,
        when_busy: WhenBusy,
        deadline: Deadline,
    ) -> Result<Renewed, CatalogError> {
        use super::cached::catalog_key;
        use super::lease::Acquired;
        if let Err(error) = &session.clients {
            return Err(error.clone());
        }
        super::fetch::require_tokio()?;
        let lease = match self.acquire(session, purpose, when_busy, deadline).await? {
            Acquired::Lease(lease) => lease,
            Acquired::Stored(snapshot) => {
                return Ok(Renewed::Published((self.publish_loaded(*snapshot), None)));
            }
            Acquired::Busy => return Ok(Renewed::Busy),
        };
        let token = session
            .cache
            .as_ref()
            .map(|cache| cache.load_token(&catalog_key()));
        let answers = self.fetch(session, purpose, deadline).await?;
        let Some(merged) = self.merge(session, answers, purpose, deadline).await? else {
            return Ok(Renewed::Unchanged);
        };
        self.forced.store(false, Ordering::Release);
        let snapshot = self.publish(merged.snapshot.clone());
        let write = self.persist(session, token, lease, merged, &snapshot);
        Ok(Renewed::Published((snapshot, Some(write))))
    }

    fn fall_back_on_bundle(
        self: &Arc<Self>,
        error: &CatalogError,
    ) -> Result<Arc<Snapshot>, CatalogError> {
        match self.config.usable_bundle() {
            Ok(bundle) => {
                let snapshot = Snapshot::of(Held::Baked(bundle), Source::Bundle);
                Ok(self.publish_fallback(snapshot, error))
            }
            Err(reason) => {
                let message = format!("no catalog: {error}; bundle: {reason}");
                let advice = "give AWS credentials, a cache that can be read, or allow the bundle";
                Err(CatalogError::new(error.kind(), message).with_advice(advice))
            }
        }
    }

    /// What serves when the first load is not done by its deadline. Later loads do not wait again.
    fn late(self: &Arc<Self>) -> Result<Arc<Snapshot>, CatalogError> {
        let current = self.current.load_full();
        if current.settled {
            return Ok(current);
        }
        let limit = self.config.deadline;
        let message = format!("no catalog within the deadline of {limit:?}");
        let error = CatalogError::unavailable(message);
        if current.source == Source::Nothing {
            return Err(error);
        }
        let mut snapshot = (*current).clone();
        snapshot.settled = true;
        self.start_cleanup();
        Ok(self.publish_fallback(snapshot, &error))
    }

    pub(super) async fn within_deadline<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let limit = self.config.deadline.mul_f64(GRACE);
        Deadline::after(limit).limit(limit, work).await
    }

    pub(super) fn no_answer_in_time(&self) -> CatalogError {
        let limit = self.config.deadline;
        CatalogError::unavailable(format!("no answer within the deadline of {limit:?}"))
    }

    async fn wait_for_write(
        &self,
        write: Option<WriteHandle>,
        at_most: Duration,
        deadline: Deadline,
    ) {
        if let Some(write) = write {
            // The channel closes without a message.
            let _ = deadline.limit(at_most, write.recv()).await;
        }
    }
}

fn another_process_fetches() -> CatalogError {
    CatalogError::unavailable("another process is fetching")
}
