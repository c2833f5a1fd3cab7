//! Leases: one process of many works at a key.

use std::time::Duration;

use crate::cache::Inner;
use crate::tier::{Acquired, LeaseGuard};
use crate::tier_slot::Call;
use crate::{Cache, Key, LoadToken};

/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_millis(250);

/// The outcome of [`Cache::lease`].
#[derive(Debug)]
#[must_use]
pub enum Lease {
    /// This process holds the lease until it is dropped. Leases of SQLite and Redis also expire after
    /// [`Settings::lease_ttl`](crate::Settings). Tiers without leases, or that failed, are left out.
    Held(HeldLease),
    /// Another process does.
    Busy,
    /// A tier did not answer in time. Another process may be working at the key.
    Unavailable,
}

/// The leases of one key in all tiers that have them. Released when dropped.
#[derive(Debug)]
pub struct HeldLease {
    token: LoadToken,
    guards: Vec<LeaseGuard>,
    /// The tiers before this index were asked.
    next: usize,
    /// Whether the owner is a future. A release may block, so it runs on another thread then.
    is_async: bool,
}

impl HeldLease {
    /// The token of the load that the lease is for. [`Cache::put_if_current`] with it also refuses to
    /// replace what a later holder of the lease stored.
    #[must_use]
    pub fn token(&self) -> &LoadToken {
        &self.token
    }

    /// Releases the leases, and waits for it. A process that ends right after may not release them
    /// otherwise.
    pub async fn release_async(mut self) {
        let guards = std::mem::take(&mut self.guards);
        if !guards.is_empty() {
            crate::spawn_blocking(move || drop(guards)).await;
        }
    }

    pub(crate) fn in_future(mut self) -> Self {
        self.is_async = true;
        self
    }

    /// Releases the leases on this thread, which may block.
    pub(crate) fn release(mut self) {
        self.guards.clear();
    }
}

impl Drop for HeldLease {
    fn drop(&mut self) {
        let guards = std::mem::take(&mut self.guards);
        if self.is_async && !guards.is_empty() {
            drop(crate::spawn_blocking(move || drop(guards)));
        }
    }
}

/// The pauses between attempts: short at first.
#[derive(Debug)]
pub(crate) struct Pauses {
    pub(crate) waited: Duration,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self {
            waited: Duration::ZERO,
            next: Duration::from_millis(10),
        }
    }

    /// Sleeps, but not beyond `limit` in all; whether there was time left.
    pub(crate) fn sleep(&mut self, limit: Duration) -> bool {
        let pause = self.next.min(limit.saturating_sub(self.waited));
        if pause.is_zero() {
            return false;
        }
        std::thread::sleep(pause);
        self.waited += pause;
        self.next = (self.next * 2).min(MAX_PAUSE);
        true
    }
}

impl Inner {
    /// Asks the tiers from `held.next` on, in order; whether all leases are held. The nearest tier comes
    /// first, so one process of a machine waits for the lease of the fleet.
    pub(crate) fn try_leases(&self, held: &mut HeldLease, ttl: Duration, call: &mut Call) -> bool {
        while let Some(slot) = self.slots.get(held.next) {
            let (namespace, key) = held.token.watch.id();
            match slot.try_lease(namespace, key, ttl, call) {
                Some(Acquired::Busy) => return false,
                Some(Acquired::Held(guard)) => {
                    let fence = guard.token().map(|token| (slot.index, token));
                    held.token.fences.extend(fence);
                    held.guards.push(guard);
                }
                None => {}
            }
            held.next += 1;
        }
        true
    }
}

impl Cache {
    pub(crate) fn unheld(&self, key: &Key) -> HeldLease {
        HeldLease {
            token: self.load_token(key),
            guards: Vec::new(),
            next: 0,
            is_async: false,
        }
    }

    /// Waits up to `wait` to become the one process that works at this key: of a machine where the cache
    /// has files or SQLite, of a fleet where it has Redis.
    pub fn lease(&self, key: &Key, wait: Duration) -> Lease {
        let ttl = self.settings().lease_ttl;
        let (mut held, mut pauses, mut call) = (self.unheld(key), Pauses::new(), Call::read());
        while !self.inner.try_leases(&mut held, ttl, &mut call) {
            if !pauses.sleep(wait) {
                return Lease::Busy;
            }
            call = call.then(Call::read());
        }
        match call.timed_out.is_empty() {
            true => Lease::Held(held),
            false => Lease::Unavailable,
        }
    }

    /// [`Cache::lease`] for async callers.
    pub async fn lease_async(&self, key: &Key, wait: Duration) -> Lease {
        let key = key.clone();
        let lease = move |cache: &Self| match cache.lease(&key, wait) {
            Lease::Held(held) => Lease::Held(held.in_future()),
            other => other,
        };
        self.run_blocking(lease).await
    }
}
