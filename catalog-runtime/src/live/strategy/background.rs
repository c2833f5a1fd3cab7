//! The task that renews what is served: one at a time, when it is due, until the last handle is gone. It
//! may not know what renewing takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::super::handle::{Inner, Renewal};
use super::super::snapshot::Retry;
use super::{Answered, LOOK_AGAIN, RETRY, is_due};

/// Why something is renewed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It is time: AWS is asked where the cache has nothing newer.
    Due,
    /// Others stored a catalog: what is newer is taken up. AWS is not asked: that would be told to the
    /// others, who would ask and tell in turn where nobody can read what the other stored.
    Others,
}

impl Inner {
    /// Renews what is served, on a task of its own; one at a time.
    pub(in crate::live) fn renew_in_background(self: &Arc<Self>) {
        self.spawn(Duration::ZERO, Cause::Due);
    }

    /// Another process of the fleet has stored a catalog: takes it up, where tasks ran before, or else once
    /// they may.
    pub(in crate::live) fn renew_from_others(self: &Arc<Self>) {
        let mut background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let runtime = background.runtime.clone();
        background.noticed |= runtime.is_none();
        drop(background);
        if let Some(runtime) = runtime {
            let _entered = runtime.enter();
            self.spawn(Duration::ZERO, Cause::Others);
        }
    }

    /// Renews what is served when it is due.
    pub(in crate::live) fn renew_when_due(self: &Arc<Self>) {
        if let Some(at) = self.current.load().renew_at {
            // Not at once: the task that renews works itself until it has come to its end.
            let wait = at.steady.saturating_sub(self.config.clock.steady());
            let wait = wait.max(Duration::from_millis(1));
            self.spawn(wait, Cause::Due);
        }
    }

    /// One task, which ends with the last handle.
    fn spawn(self: &Arc<Self>, wait: Duration, cause: Cause) {
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
            // It may have looked before: it looks again when it is done.
            background.noticed |= cause == Cause::Others;
            return;
        }
        let (wait, cause) = match background.noticed && !working && wait > Duration::ZERO {
            // Told of before any task could run: looked for first.
            true => (Duration::ZERO, Cause::Others),
            false => (wait, cause),
        };
        background.noticed &= cause != Cause::Others;
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
                inner.renew(cause).await;
                while inner.was_noticed_meanwhile(&mark) {
                    inner.renew(Cause::Others).await;
                }
            }
        });
        let task = task.abort_handle();
        // One that only waits makes room; one that works ends by itself.
        let before = background.renewal.replace(Renewal { task, begun });
        if let Some(before) = before.filter(|before| !before.is_working()) {
            before.task.abort();
        }
    }

    /// Whether others stored a catalog while one worked; it works no more if not.
    fn was_noticed_meanwhile(&self, works: &AtomicBool) -> bool {
        let mut background = self
            .background
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let noticed = std::mem::take(&mut background.noticed);
        works.store(noticed, Ordering::Release);
        noticed
    }

    async fn renew(self: &Arc<Self>, cause: Cause) {
        let _turn = self.turn.turn().await;
        if cause == Cause::Others {
            match self.stored_by_others().await {
                Some(mut snapshot) => {
                    if self.forced.load(Ordering::Acquire) {
                        // AWS is to be asked whatever others have.
                        snapshot.renew_all_at(self.renewal(RETRY));
                    }
                    self.adopt(snapshot);
                }
                None => self.renew_when_due(),
            }
            return;
        }
        let _ = self.in_time(self.look_at_overlay()).await;
        self.ask_for_account_anew().await;
        let current = self.current.load_full();
        let now = self.config.clock.moment();
        let retry = current.retry.clone();
        let again = |retry: &Retry| !is_due(retry.all_at, now);
        let asked = match retry.filter(again) {
            Some(retry) => self.ask_again(&retry).await,
            None => {
                let forced = self.forced.load(Ordering::Acquire);
                let asked = self.ask(forced, None, &Answered::default()).await;
                if matches!(asked, Ok(None)) {
                    // What it gets is looked for in a moment.
                    let at = self.moment_in(LOOK_AGAIN);
                    self.amend(|same| same.renew_all_at(at));
                }
                asked
            }
        };
        match asked {
            Ok(Some(snapshot)) => {
                self.adopt(snapshot);
            }
            Ok(None) => self.renew_when_due(),
            Err(error) => {
                tracing::warn!(%error, "the catalog could not be renewed; the last one is served");
                self.note_failure(&error);
                self.renew_when_due();
            }
        }
    }
}
