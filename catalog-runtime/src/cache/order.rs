//! The order of writes: what a slow reader brings back never replaces what was written or
//! invalidated meanwhile. This file may not know what is written, only the names.
//!
//! Writes of one name take turns; all tiers are written within a turn. Who reads in order to write
//! later — to promote an entry, to store what was computed — first takes a [`Watch`] on the name, and
//! writes only if nobody else had a turn since.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::sync::{Mutex, MutexGuard, lock, try_lock};

const STRIPES: usize = 64;

/// The turns and the watches, by name.
#[derive(Debug)]
pub(super) struct Order<N> {
    hasher: RandomState,
    /// Held through a turn. Many names share a stripe; a name has one.
    turns: Vec<Mutex<()>>,
    /// Held for a moment.
    watched: Vec<Mutex<WatchedNames<N>>>,
}

/// With a hasher of its own: the hashes of a stripe's names end alike.
type WatchedNames<N> = HashMap<N, Watched, RandomState>;

#[derive(Debug)]
struct Watched {
    watches: usize,
    turns: u64,
}

impl<N: Hash + Eq + Clone> Order<N> {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            turns: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            watched: (0..STRIPES)
                .map(|_| Mutex::new(HashMap::default()))
                .collect(),
        }
    }

    /// Begins to watch a name.
    pub(super) fn watch(self: &Arc<Self>, name: &N) -> Watch<N> {
        let (mut seen, stripe) = (0, self.stripe(name));
        self.with_watched(stripe, |watched| {
            let entry = watched.entry(name.clone()).or_insert(Watched {
                watches: 0,
                turns: 0,
            });
            entry.watches += 1;
            seen = entry.turns;
        });
        Watch {
            order: Arc::clone(self),
            name: name.clone(),
            stripe,
            seen,
        }
    }

    /// Writes these names, when their turn comes.
    pub(super) fn write<R>(&self, names: &[N], write: impl FnOnce() -> R) -> R {
        let is_written = |name: &N| names.contains(name);
        // Mostly it is one.
        if let [name] = names {
            let stripe = self.stripe(name);
            let _turn = self.turn(stripe);
            return self.take(&[stripe], is_written, write);
        }
        let mut stripes: Vec<usize> = names.iter().map(|name| self.stripe(name)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let _turns = self.turns(&stripes);
        self.take(&stripes, is_written, write)
    }

    /// Writes every name of which `is_written` is true.
    pub(super) fn write_matching<R>(
        &self,
        is_written: impl Fn(&N) -> bool,
        write: impl FnOnce() -> R,
    ) -> R {
        let stripes: Vec<usize> = (0..STRIPES).collect();
        let _turns = self.turns(&stripes);
        self.take(&stripes, is_written, write)
    }

    /// Writes within turns that the caller holds until this returns.
    fn take<R>(
        &self,
        stripes: &[usize],
        is_written: impl Fn(&N) -> bool,
        write: impl FnOnce() -> R,
    ) -> R {
        let _taken = Taken {
            order: self,
            stripes,
            is_written,
        };
        write()
    }

    /// How many names are being watched.
    #[cfg(test)]
    pub(super) fn watched_now(&self) -> usize {
        self.watched.iter().map(|watched| lock(watched).len()).sum()
    }

    fn stripe(&self, name: &N) -> usize {
        // The remainder fits: it is less than 64.
        (self.hasher.hash_one(name) % STRIPES as u64) as usize
    }

    fn turn(&self, stripe: usize) -> Option<MutexGuard<'_, ()>> {
        self.turns.get(stripe).map(lock)
    }

    fn turns(&self, stripes: &[usize]) -> Vec<MutexGuard<'_, ()>> {
        let turns = stripes.iter().filter_map(|stripe| self.turn(*stripe));
        turns.collect()
    }

    fn with_watched(&self, stripe: usize, with: impl FnOnce(&mut WatchedNames<N>)) {
        if let Some(watched) = self.watched.get(stripe) {
            with(&mut lock(watched));
        }
    }
}

/// A turn. Its end, panic or not, is told to the watches before the next turn begins.
struct Taken<'a, N: Hash + Eq + Clone, F: Fn(&N) -> bool> {
    order: &'a Order<N>,
    stripes: &'a [usize],
    is_written: F,
}

impl<N: Hash + Eq + Clone, F: Fn(&N) -> bool> Drop for Taken<'_, N, F> {
    fn drop(&mut self) {
        for stripe in self.stripes {
            self.order.with_watched(*stripe, |watched| {
                for (_, entry) in watched
                    .iter_mut()
                    .filter(|(name, _)| (self.is_written)(name))
                {
                    entry.turns += 1;
                }
            });
        }
    }
}

/// A name being watched, from the moment this was made.
#[derive(Debug)]
pub(super) struct Watch<N: Hash + Eq + Clone> {
    order: Arc<Order<N>>,
    name: N,
    stripe: usize,
    seen: u64,
}

impl<N: Hash + Eq + Clone> Watch<N> {
    /// Writes the name, unless somebody else had a turn since the watch began.
    pub(super) fn write_unless_overtaken<R>(&self, write: impl FnOnce() -> R) -> Option<R> {
        self.order.write(std::slice::from_ref(&self.name), || {
            (!self.is_overtaken()).then(write)
        })
    }

    /// Repeats what was read elsewhere, unless somebody else had a turn since the watch began or is
    /// having one now. It is no turn of its own: nothing new is written.
    pub(super) fn repeat_unless_overtaken<R>(&self, write: impl FnOnce() -> R) -> Option<R> {
        let turn = self.order.turns.get(self.stripe).and_then(try_lock)?;
        let written = (!self.is_overtaken()).then(write);
        drop(turn);
        written
    }

    /// Whether somebody else had a turn since the watch began.
    pub(super) fn is_overtaken(&self) -> bool {
        let mut now = None;
        self.order.with_watched(self.stripe, |watched| {
            now = watched.get(&self.name).map(|entry| entry.turns);
        });
        now != Some(self.seen)
    }
}

impl<N: Hash + Eq + Clone> Drop for Watch<N> {
    fn drop(&mut self) {
        self.order.with_watched(self.stripe, |watched| {
            if let Some(entry) = watched.get_mut(&self.name) {
                entry.watches -= 1;
                if entry.watches == 0 {
                    watched.remove(&self.name);
                }
            }
        });
    }
}
