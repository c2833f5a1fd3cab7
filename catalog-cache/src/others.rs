//! What other processes do meanwhile, as far as a tier that they share tells: whose computation began
//! last, and what they changed. This file may not know how a tier knows.

use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::core::{Inner, Name, Watched};
use super::doubt::Missed;
use super::entry::CLOCK_SKEW;
use super::order::Order;
use super::sync::lock;
use super::tier::{Begun, Change, Changed, Listener, News};
use super::{Cache, Key, MemoryTier, Namespace, Pattern};

/// So many keys that others changed are told apart while they wait; beyond, it is all of their namespace.
const MAX_KEYS: usize = 4096;
/// So many removals of others are told apart while they wait to be repeated here; beyond, each is widened
/// to all of its namespace, and of too many namespaces it is a gap.
const MAX_HEARD: usize = 256;

/// Who is told of changes that other processes make.
pub(super) type ChangeListener = Arc<dyn Fn(&Namespace, &Pattern) + Send + Sync>;

/// What others changed and has not been repeated here yet: it takes its time, and messages come as fast
/// as they like.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// By level.
    waiting: VecDeque<(usize, Changed)>,
    /// Single keys, by level.
    keys: HashMap<(usize, Name), Change>,
    /// For some there was no room.
    has_gap: bool,
    is_at_work: bool,
}

impl Heard {
    fn add(&mut self, level: usize, mut changed: Changed) {
        if let Some(key) = changed.pattern.as_exact() {
            let key = (level, (changed.namespace, key.clone()));
            let has_room = self.keys.len() < MAX_KEYS;
            match self.keys.entry(key) {
                Occupied(mut there) => {
                    let both = match (there.get(), changed.change) {
                        (Change::Written(one), Change::Written(other)) => {
                            Change::Written(other.max(*one))
                        }
                        _ => Change::Removed,
                    };
                    there.insert(both);
                    return;
                }
                Vacant(free) if has_room => {
                    free.insert(changed.change);
                    return;
                }
                Vacant(_) => {
                    changed.pattern = Pattern::all();
                    changed.change = Change::Removed;
                }
            }
        }
        if self.waiting.len() >= MAX_HEARD {
            changed.pattern = Pattern::all();
        }
        let new = (level, changed);
        if self.waiting.contains(&new) {
            return;
        }
        if self.waiting.len() < 2 * MAX_HEARD {
            self.waiting.push_back(new);
        } else {
            self.has_gap = true;
        }
    }

    /// What is to be repeated next: all keys, which are soon done, and one of the others.
    fn next(&mut self) -> Vec<(usize, Changed)> {
        let keys = std::mem::take(&mut self.keys).into_iter();
        let keys = keys.map(|((level, (namespace, key)), change)| {
            let pattern = Pattern::exact(&key);
            let changed = Changed {
                namespace,
                pattern,
                change,
            };
            (level, changed)
        });
        keys.chain(self.waiting.pop_front()).collect()
    }
}

/// The beginning of a computation, for each of the levels.
#[derive(Debug)]
pub(super) struct Begins {
    pub(super) at: SystemTime,
    /// By level; levels that gave none, or were not asked, may be left out.
    pub(super) tokens: Vec<(usize, u64)>,
    /// The levels that did not answer in time, and are not waited for again.
    pub(super) late: Vec<usize>,
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
            late: Vec::new(),
        }
    }

    /// The number that this level gives a computation that begins now.
    pub(super) fn begin_in(&self, level: usize, key: &Key) -> Option<u64> {
        let level = self.inner.levels.get(level)?;
        level.call("begin", key, |tier| tier.begin(&self.namespace, key))?
    }

    /// Tells the listener which keys other processes write or invalidate, as far as a tier notices;
    /// from then on this cache asks below for them. After a while in which nothing was heard, it asks below
    /// for all that its memory tier holds, and the listener is told nothing. The listener is called on a
    /// thread for blocking work.
    pub fn on_change(&self, listener: impl Fn(&Namespace, &Pattern) + Send + Sync + 'static) {
        self.inner
            .listeners
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(listener));
    }
}

impl Inner {
    /// What to tell this level of. Does not keep the cache, nor its tiers.
    pub(super) fn listener(self: &Arc<Self>, level: usize) -> Listener {
        let weak = Arc::downgrade(self);
        // Memory is the first; what is below a level does not follow it.
        let memory = self.memory.as_ref().filter(|_| level > 0);
        let (memory, order) = (memory.map(Arc::downgrade), Arc::clone(&self.order));
        Arc::new(move |news| match news {
            News::Changed(changed) => {
                if let Some(inner) = weak.upgrade() {
                    inner.hear(level, changed);
                }
            }
            News::Gap => {
                if let Some(memory) = memory.as_ref().and_then(Weak::upgrade) {
                    let order = Arc::clone(&order);
                    blocking::unblock(move || ask_below_for_all(&order, &memory)).detach();
                }
            }
        })
    }

    /// Another process changed entries of this level. Does not block: the rest is left to another thread,
    /// for its turn may be long in coming.
    fn hear(self: &Arc<Self>, level: usize, changed: Changed) {
        let inner = Arc::clone(self);
        let mut heard = lock(&self.heard);
        heard.add(level, changed);
        if !std::mem::replace(&mut heard.is_at_work, true) {
            blocking::unblock(move || inner.repeat_what_was_heard()).detach();
        }
    }

    fn repeat_what_was_heard(&self) {
        loop {
            let mut heard = lock(&self.heard);
            let (next, has_gap) = (heard.next(), std::mem::take(&mut heard.has_gap));
            heard.is_at_work = has_gap || !next.is_empty();
            if !heard.is_at_work {
                return;
            }
            drop(heard);
            if has_gap && let Some(memory) = &self.memory {
                ask_below_for_all(&self.order, memory);
            }
            for (level, changed) in next {
                // A listener that panics must not keep all further messages from being heard.
                let repeat = AssertUnwindSafe(|| self.changed(level, &changed));
                let _ = catch_unwind(repeat);
            }
        }
    }

    /// Another process changed entries of this level: what the levels above hold of them is not believed
    /// any more, unless it is as new. Waits for turns.
    fn changed(&self, level: usize, changed: &Changed) {
        let Changed {
            namespace,
            pattern,
            change,
        } = changed;
        if !matches!(change, Change::Written(_)) {
            self.removals.fetch_add(1, Ordering::AcqRel);
        }
        let what = [(*namespace, pattern.clone())];
        match pattern.as_exact() {
            Some(key) => self.changed_one(level, namespace, key, *change),
            None => self.sweep(&what, || {
                for above in self.levels.iter().take(level) {
                    above.remove(&what, false);
                }
                // What that process could not get to is no more to be believed here than there. To make up
                // for it is its part, or a cleanup's, and when it has is not known here: another's removal
                // may have begun earlier. What is written after is believed, by whichever clock.
                if let (Change::PartlyRemoved, Some(there)) = (change, self.levels.get(level)) {
                    let missed = Missed::Others(self.clock.now() + CLOCK_SKEW);
                    there.doubts.add(*namespace, pattern.clone(), missed);
                }
            }),
        }
        tracing::debug!(%pattern, "another process changed cache entries");
        let listeners = self
            .listeners
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for listener in listeners {
            listener(namespace, pattern);
        }
    }

    fn changed_one(&self, level: usize, namespace: &Namespace, key: &Key, change: Change) {
        let written_at = match change {
            Change::Written(at) => Some(at),
            Change::Removed | Change::PartlyRemoved => None,
        };
        let missed = match written_at {
            // The message tells only what others may do too: it cannot make us doubt what is written
            // long from now.
            Some(at) => Missed::Write(
                at.min(self.clock.now() + CLOCK_SKEW)
                    .checked_sub(Duration::from_millis(1))
                    .unwrap_or(UNIX_EPOCH),
            ),
            None => Missed::Removal,
        };
        let name = (*namespace, key.clone());
        self.order.write(std::slice::from_ref(&name), || {
            let now = self.clock.steady();
            for above in self.levels.iter().take(level) {
                let held = above.get(namespace, key, now);
                let held = held.map(|held| held.entry.envelope().written_at);
                // Nothing there, or nothing older: nothing to doubt. The list of doubts is short.
                if held.is_some_and(|held| written_at.is_none_or(|at| held < at)) {
                    above.doubts.add(*namespace, Pattern::exact(key), missed);
                }
            }
        });
    }
}

/// Some changes may have been missed: what memory holds is not believed any more, unless a tier below has
/// it. Waits for turns.
pub(super) fn ask_below_for_all(order: &Order<Name>, memory: &MemoryTier) {
    // First, so that nothing that was read before comes to memory after.
    order.repeat_nothing_read_so_far();
    memory.set_stale();
    tracing::debug!("the tiers below are asked for what memory holds");
}
