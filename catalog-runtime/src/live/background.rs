//! The task that renews the catalog: one per catalog, from the first load on a Tokio runtime until the
//! last handle is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::deadline::Deadline;
use super::handle::Inner;
use super::load::{LOOK_AGAIN, Purpose, WhenBusy};
use super::schedule::{RETRY, is_due};

/// The task and its signals.
#[derive(Default)]
pub(super) struct Background {
    task: Mutex<Option<AbortHandle>>,
    /// Something is due, or its time changed.
    wake: Arc<Notify>,
    /// Another process stored a catalog.
    stored: AtomicBool,
}

impl Background {
    pub(super) fn stop(&self) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }

    /// Takes up the catalog that another process stored, once the task runs.
    pub(super) fn notice_stored(&self) {
        self.stored.store(true, Ordering::Release);
        self.wake.notify_one();
    }
}

impl Inner {
    /// Has the task look at what is due, and starts it where it does not run. A runtime that ends takes
    /// its task with it; the next load on another runtime starts a new one.
    pub(super) fn schedule(self: &Arc<Self>) {
        if !self.config.can_fetch() {
            return;
        }
        self.background.wake.notify_one();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let task = self.background.task.lock();
        let mut task = task.unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(AbortHandle::is_finished) {
            let (weak, wake) = (Arc::downgrade(self), Arc::clone(&self.background.wake));
            *task = Some(runtime.spawn(run(weak, wake)).abort_handle());
        }
    }

    /// The time until the catalog is to be renewed; zero when it is due by either clock.
    fn until_renewal(&self) -> Duration {
        let (now, at) = (self.config.clock.moment(), self.current.load().renew_at);
        match at {
            None => Duration::MAX,
            Some(at) if is_due(at, now) => Duration::ZERO,
            Some(at) => at.steady.saturating_sub(now.steady),
        }
    }

    /// Publishes the catalog that another process stored, where it is newer. AWS is not called: its
    /// answer would notify others, which would fetch and notify in turn.
    async fn take_up_stored(self: &Arc<Self>) {
        let deadline = Deadline::after(self.config.deadline);
        let _exclusive = self.exclusive.lock().await;
        let Some(cache) = self.account_cache(deadline).await else {
            return;
        };
        let current = self.current.load_full();
        let purpose = match &current.retry {
            Some(retry) => Purpose::Retry(retry.clone()),
            None => Purpose::Refresh(current.base.observed_at()),
        };
        if let Ok(Some(mut snapshot)) = self.stored_by_others(&cache, &purpose, deadline).await {
            if self.forced.load(Ordering::Acquire) {
                // A forced fetch is still to come.
                snapshot.renew_all_at(self.renewal_in(RETRY));
            }
            self.publish_loaded(snapshot);
        }
    }

    /// Renews the catalog, or retries its failed regions.
    async fn renew_due(self: &Arc<Self>) {
        let deadline = Deadline::after(self.config.deadline);
        let _exclusive = self.exclusive.lock().await;
        if self.until_renewal() > Duration::ZERO {
            return;
        }
        let _ = deadline.limit(RETRY, self.look_at_overlay()).await;
        let mut session = self.session(deadline).await;
        let (current, now) = (self.current.load_full(), self.config.clock.moment());
        let retry = current
            .retry
            .clone()
            .filter(|retry| !is_due(retry.all_at, now));
        let forced = self.forced.load(Ordering::Acquire);
        let purpose = match retry {
            Some(retry) => Purpose::Retry(retry),
            None if forced => Purpose::Refresh(self.now()),
            None => Purpose::Load,
        };
        let renew = self.renew(&mut session, &purpose, WhenBusy::GiveUp, deadline);
        let renewed = self.within_deadline(renew).await;
        if let Err(error) = renewed.unwrap_or_else(|| Err(self.no_answer_in_time())) {
            tracing::warn!(%error, "the catalog could not be renewed; the last one is served");
            self.note_failure(&error);
        }
        if self.until_renewal() == Duration::ZERO {
            // Another process is fetching: its catalog is looked for soon.
            self.amend(|same| match purpose {
                Purpose::Retry(retry) => same.renew_at = self.sooner(RETRY, retry.all_at),
                _ => same.renew_all_at(self.moment_in(LOOK_AGAIN)),
            });
        }
    }
}

async fn run(weak: Weak<Inner>, wake: Arc<Notify>) {
    loop {
        let Some(inner) = weak.upgrade() else {
            return;
        };
        if inner.background.stored.swap(false, Ordering::AcqRel) {
            inner.take_up_stored().await;
        }
        let wait = inner.until_renewal();
        if wait == Duration::ZERO {
            inner.renew_due().await;
            continue;
        }
        drop(inner);
        let _ = tokio::time::timeout(wait, wake.notified()).await;
    }
}
