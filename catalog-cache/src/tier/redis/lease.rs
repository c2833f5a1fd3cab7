//! Leases: who computes for the fleet. A lease lives by signs of life, so that another process takes
//! over soon after its holder was killed, and it may be lost without the holder noticing: its number
//! (see `scripts`) is what keeps the order then.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::task::AbortHandle;

use super::scripts::Call;
use super::{FENCE_FOR, RedisTier, Shared, link, token};
use crate::entry::duration_millis;
use crate::tier::{Held, Lease, LeaseOutcome, TierError};
use crate::{Key, Namespace};

/// How long a lease lasts without a sign of life of who holds it: another process takes over so soon
/// after it was killed. The signs come three times as often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Between the first two looks at a lease that another process holds; then twice as long each time.
const POLL: Duration = Duration::from_millis(20);

impl RedisTier {
    /// Tries for `wait` to get the lease; `lease` is the longest it may be held.
    pub(super) fn lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        wait: Duration,
        lease: Duration,
    ) -> Result<LeaseOutcome, TierError> {
        let name = self.names.lease(namespace, key);
        let (mut left, mut pause) = (wait, POLL);
        loop {
            let call = Call::new(&self.shared.scripts.lease)
                .key(self.names.fence(namespace, key))
                .key(name.clone())
                .arg(duration_millis(lease.min(SIGN_OF_LIFE)).max(1).to_string())
                .arg(FENCE_FOR.as_millis().to_string());
            match self.worker().ask(move |connection| call.on(connection))? {
                Value::Nil if left < POLL => return Ok(LeaseOutcome::Busy),
                Value::Nil => {
                    pause = pause.min(left);
                    std::thread::sleep(pause);
                    left -= pause;
                    pause *= 2;
                }
                number => {
                    let token = token(number)?;
                    let held = Kept {
                        shared: Arc::clone(&self.shared),
                        signs: self.signs_of_life(&name, token, lease),
                        name,
                        token,
                    };
                    return Ok(LeaseOutcome::Held(Lease::new(held, Some(token))));
                }
            }
        }
    }

    /// Extends a lease again and again, until `lease` is over or it is lost.
    fn signs_of_life(&self, name: &str, token: u64, lease: Duration) -> Option<AbortHandle> {
        let (extend, name) = (self.shared.scripts.extend.clone(), name.to_owned());
        let mut left = lease.checked_sub(SIGN_OF_LIFE)?;
        let limit = self.worker().options().timeout;
        let living = |link: Arc<link::Link>| async move {
            while !left.is_zero() {
                tokio::time::sleep(SIGN_OF_LIFE / 3).await;
                left = left.saturating_sub(SIGN_OF_LIFE / 3);
                let call = Call::new(&extend)
                    .key(name.clone())
                    .arg(token.to_string())
                    .arg(SIGN_OF_LIFE.as_millis().to_string());
                let extended = link.ask(limit, |connection| call.on(connection)).await;
                if matches!(extended, Ok(Value::Int(0))) {
                    tracing::debug!(key = name, "the lease was lost");
                    return;
                }
            }
        };
        self.worker().keep(living).ok()
    }
}

/// A lease, kept alive until dropped.
struct Kept {
    shared: Arc<Shared>,
    signs: Option<AbortHandle>,
    name: String,
    token: u64,
}

impl Held for Kept {
    fn give_back(self: Box<Self>) -> Result<(), TierError> {
        let call = Call::new(&self.shared.scripts.release)
            .key(self.name.clone())
            .arg(self.token.to_string());
        let release = move |connection| async move { call.on(connection).await.map(|_| ()) };
        // Waited for: who drops the tier next would take the thread away before it was sent.
        Ok(self.shared.worker.ask(release)?)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(signs) = self.signs.take() {
            signs.abort();
        }
    }
}
