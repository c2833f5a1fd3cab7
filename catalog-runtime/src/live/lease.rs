//! Step 2: of the processes that share a cache, one fetches at a time.

use std::time::Duration;

use bedrock_catalog_cache::{Cache, HeldLease, Lease};
use tokio::time::Instant;

use super::cached::{Cached, Failure, READ_LIMIT, Status, Stored, catalog_key};
use super::deadline::Deadline;
use super::handle::Inner;
use super::load::{Purpose, WhenBusy};
use super::session::Session;
use super::snapshot::Snapshot;
use crate::error::CatalogError;

/// The first and the longest pause of a process that waits for another: a crowd polls less and less
/// often.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(400));

/// The outcome of step 2.
pub(super) enum Acquired {
    /// This process fetches. Without a lease where a tier does not answer, or another process holds it
    /// for too long.
    Lease(Option<HeldLease>),
    /// Another process has fetched what this one needs.
    Stored(Box<Snapshot>),
    /// Another process is fetching.
    Busy,
}

impl Inner {
    /// Acquires the lease of the catalog, or the catalog that its last holder stored.
    ///
    /// # Errors
    /// Another process has just failed to fetch.
    pub(super) async fn acquire(
        &self,
        session: &mut Session,
        purpose: &Purpose,
        when_busy: WhenBusy,
        deadline: Deadline,
    ) -> Result<Acquired, CatalogError> {
        let Some(cache) = session.readable().cloned() else {
            return Ok(Acquired::Lease(None));
        };
        let wait = match when_busy {
            WhenBusy::GiveUp => cache.settings().lease_wait,
            WhenBusy::Wait => deadline.left().min(self.config.deadline) / 2,
        };
        let (key, until) = (catalog_key(), Instant::now() + wait);
        let (mut pause, longest) = PAUSES;
        loop {
            let lease = cache.lease_async(&key, Duration::ZERO);
            let Some(lease) = deadline.limit(READ_LIMIT, lease).await else {
                session.no_answer();
                return Ok(Acquired::Lease(None));
            };
            // Its holder stores the catalog before it releases the lease.
            if let Some(snapshot) = self.stored_by_others(&cache, purpose, deadline).await? {
                return Ok(Acquired::Stored(Box::new(snapshot)));
            }
            match (lease, when_busy) {
                (Lease::Busy, _) if Instant::now() < until => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
                (Lease::Busy, WhenBusy::GiveUp) => return Ok(Acquired::Busy),
                (Lease::Held(lease), _) => return Ok(Acquired::Lease(Some(lease))),
                _ => return Ok(Acquired::Lease(None)),
            }
        }
    }

    /// The catalog that another process stored, where it serves the purpose.
    ///
    /// # Errors
    /// Another process has just failed to fetch.
    pub(super) async fn stored_by_others(
        &self,
        cache: &Cache,
        purpose: &Purpose,
        deadline: Deadline,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let read = self.blocking.run(cache, Stored::read_shared);
        let Some(stored) = deadline.limit(READ_LIMIT, read).await else {
            return Ok(None);
        };
        let (cached, status) = (self.judge(&stored), stored.status.unwrap_or_default());
        let is_fresh = matches!(cached, Cached::Fresh(_));
        if let Cached::Fresh(found) | Cached::Stale(found) = cached
            && self.serves(purpose, &found, &status, is_fresh)
        {
            return Ok(Some(found));
        }
        match status.failure {
            Some(failure) if self.is_shared(purpose, &failure) => Err(failure.into()),
            _ => Ok(None),
        }
    }

    /// Whether a catalog that another process stored serves the purpose.
    fn serves(&self, purpose: &Purpose, found: &Snapshot, status: &Status, is_fresh: bool) -> bool {
        let observed_at = found.base.observed_at();
        match purpose {
            Purpose::Load => is_fresh,
            // Observations are of whole seconds: one of the same second may have started before.
            Purpose::Refresh(since) => observed_at > *since && self.has_required_regions(found),
            Purpose::Retry(retry) => {
                let current = self.current.load().base.observed_at();
                let is_retried = observed_at == current && status.tries > retry.tries;
                (observed_at > current || is_retried) && self.has_required_regions(found)
            }
        }
    }

    /// Whether the failure of another process answers for this one. A refresh by another role may be
    /// allowed.
    fn is_shared(&self, purpose: &Purpose, failure: &Failure) -> bool {
        match purpose {
            Purpose::Load => self.is_recent(failure),
            Purpose::Refresh(since) => {
                failure.at > *since && failure.at <= self.now() && !failure.denied
            }
            Purpose::Retry(_) => false,
        }
    }
}
