//! Calls of the cache, made off the caller's thread. Once one hangs that nobody waits for any more, no
//! other is begun: a tier that hangs costs one thread. This file may not know what is cached.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::cache::Cache;

/// The calls of one live catalog.
#[derive(Default)]
pub(super) struct Calls {
    /// What a call holds that was given up, as long as it is under way.
    given_up: Mutex<Weak<()>>,
}

impl Calls {
    /// Whether a call that was given up is still under way.
    pub(super) fn hangs(&self) -> bool {
        let given_up = self.given_up.lock();
        let given_up = given_up.unwrap_or_else(PoisonError::into_inner);
        given_up.strong_count() > 0
    }

    /// What comes of this work; `None`, and it is not begun, while one that was given up hangs.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        cache: &Cache,
        work: impl FnOnce(&Cache) -> R + Send + 'static,
    ) -> Option<R> {
        if self.hangs() {
            return None;
        }
        let held = Arc::new(());
        let _waits = Waits {
            calls: self,
            held: Arc::downgrade(&held),
        };
        let work = move |cache: &Cache| {
            let _held = held;
            work(cache)
        };
        Some(cache.off_thread(work).await)
    }
}

/// Somebody who waits for a call.
struct Waits<'a> {
    calls: &'a Calls,
    held: Weak<()>,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if self.held.strong_count() > 0 {
            let given_up = self.calls.given_up.lock();
            *given_up.unwrap_or_else(PoisonError::into_inner) = self.held.clone();
        }
    }
}
