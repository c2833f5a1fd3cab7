//! What other processes do meanwhile, as far as a tier that they share tells: whose computation began
//! last, and what they changed. This file may not know how a tier knows.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::core::{Inner, Watched};
use super::doubt::Missed;
use super::entry::CLOCK_SKEW;
use super::tier::{Begun, Changed};
use super::{Cache, Key, Namespace, Pattern};

/// Who is told of changes that other processes make.
pub(super) type ChangeListener = Arc<dyn Fn(&Namespace, &Key) + Send + Sync>;

/// The beginning of a computation, for each of the levels.
#[derive(Debug)]
pub(super) struct Begins {
    pub(super) at: SystemTime,
    /// By level; levels that gave none, or were not asked, may be left out.
    pub(super) tokens: Vec<(usize, u64)>,
}

impl Begins {
    pub(super) fn of(&self, level: usize) -> Begun {
        let mut tokens = self.tokens.iter();
        Begun {
            token: tokens.find(|(of, _)| *of == level).map(|(_, token)| *token),
            at: self.at,
        }
    }
}

impl Cache {
    /// The same for a value that other processes fetch too: tiers that processes share number the
    /// fetch, so that what they store later does not depend on whose clock is right. Asks these tiers;
    /// one that cannot be asked goes by the clock, as with [`Cache::watch`].
    #[must_use]
    pub fn watch_shared(&self, key: &Key) -> Watched {
        let mut watched = self.watch(key);
        for index in 0..self.inner.levels.len() {
            let token = self.begin_in(index, key);
            watched
                .begins
                .tokens
                .extend(token.map(|token| (index, token)));
        }
        watched
    }

    pub(super) fn begins(&self) -> Begins {
        Begins {
            at: self.inner.clock.now(),
            tokens: Vec::new(),
        }
    }

    /// The number that this level gives a computation that begins now.
    pub(super) fn begin_in(&self, level: usize, key: &Key) -> Option<u64> {
        let level = self.inner.levels.get(level)?;
        level.call("begin", key, |tier| tier.begin(&self.namespace, key))?
    }

    /// Tells the listener of the keys that other processes write or invalidate, as far as a tier
    /// notices; from then on this cache asks below for them. What is missed is noticed when the
    /// memory tier asks below by itself. The listener is called on a thread for blocking work.
    pub fn on_change(&self, listener: impl Fn(&Namespace, &Key) + Send + Sync + 'static) {
        self.inner
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(listener));
    }
}

impl Inner {
    /// Another process changed an entry of this level: what the levels above hold of it is not believed
    /// any more, unless it is as new. Waits for turns.
    pub(super) fn changed(&self, level: usize, changed: &Changed) {
        let name = (changed.namespace, changed.key.clone());
        let missed = match changed.written_at {
            // The message tells only what others may do too: it cannot make us doubt what is written
            // long from now.
            Some(at) => Missed::Write(
                at.min(self.clock.now() + CLOCK_SKEW)
                    .checked_sub(Duration::from_millis(1))
                    .unwrap_or(UNIX_EPOCH),
            ),
            None => Missed::Removal,
        };
        self.order.write(std::slice::from_ref(&name), || {
            let now = self.clock.steady();
            for above in self.levels.iter().take(level) {
                let held = above.get(&changed.namespace, &changed.key, now);
                let held = held.map(|held| held.entry.envelope().written_at);
                // Nothing there, or nothing older: nothing to doubt. The list of doubts is short.
                if held.is_some_and(|held| changed.written_at.is_none_or(|at| held < at)) {
                    let pattern = Pattern::exact(&changed.key);
                    above.doubts.add(changed.namespace, pattern, missed);
                }
            }
        });
        tracing::debug!(key = %changed.key, "another process changed a cache entry");
        let listeners = self
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for listener in listeners {
            listener(&changed.namespace, &changed.key);
        }
    }
}
