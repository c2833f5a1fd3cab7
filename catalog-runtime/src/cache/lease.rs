//! Who of all processes works at a key, for work that is to be done whatever is cached. Computing what
//! is missing is in `compute`. This file may not know what is done.

use super::search::Search;
use super::tier::{Lease, LeaseOutcome};
use super::{Cache, Freshness, Key};

/// The leases of a key in all tiers that have them, given back when dropped. That may block, so it is
/// left to another thread.
#[derive(Debug)]
pub(crate) struct Leases(Vec<Lease>);

impl Leases {
    /// Gives them back, and waits until they are: a process that ends may not come to it otherwise.
    pub(crate) async fn give_back(mut self) {
        let leases = std::mem::take(&mut self.0);
        if !leases.is_empty() {
            blocking::unblock(move || drop(leases)).await;
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        let leases = std::mem::take(&mut self.0);
        if !leases.is_empty() {
            blocking::unblock(move || drop(leases)).detach();
        }
    }
}

impl Cache {
    /// Tries to become the one process that works at this key, for
    /// [`Settings::patience`](super::Settings::patience). `None` where another one is. A tier that
    /// cannot be asked, or has no leases, holds nobody up.
    pub(crate) async fn try_lease(&self, key: &Key) -> Option<Leases> {
        let key = key.clone();
        self.off_thread(move |cache| {
            let settings = cache.settings();
            let mut leases = Leases(Vec::new());
            for level in &cache.inner.levels {
                let asked = level.call("lease", &key, |tier| {
                    tier.try_lease(&cache.namespace, &key, settings.patience, settings.lease)
                });
                match asked {
                    Some(LeaseOutcome::Held(lease)) => leases.0.push(lease),
                    Some(LeaseOutcome::Busy) => return None,
                    None | Some(LeaseOutcome::Unsupported | LeaseOutcome::Overrun) => {}
                }
            }
            Some(leases)
        })
        .await
    }

    /// What the tiers have that processes share, whatever memory holds. Not counted as a question.
    pub(crate) async fn get_shared(&self, key: &Key) -> Freshness {
        let key = key.clone();
        self.off_thread(move |cache| cache.ask_below(&key, Search::default(), false))
            .await
    }
}
