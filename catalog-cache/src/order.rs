//! The order of writes: what a slow reader brings back never replaces what was written or
//! invalidated meanwhile. This file may not know what is written, only the names.
//!
//! Writes of one name take turns; all tiers are written within a turn. Who reads in order to write
//! later — to promote an entry, to store what was computed — first takes a [`Watch`] on the name, and
//! writes only if nobody else had a turn since.
//!
//! Who writes all names of a kind, a sweep, cannot hold their turns: it takes long, and names that are
//! not of the kind would wait too. It only leaves word with each stripe: then turns of such names wait
//! until it is over, and all others go on.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock, try_lock};

const STRIPES: usize = 64;

/// The turns and the watches, by name.
#[derive(Debug)]
pub(super) struct Order<N> {
    hasher: RandomState,
    /// Held through a turn. Many names share a stripe; a name has one. Inside is the sweep under way.
    turns: Vec<Mutex<Option<Sweep<N>>>>,
    /// Held through a sweep: there is one at a time.
    sweeping: Mutex<()>,
    /// How often it was said that what was read so far is not to be repeated.
    gaps: AtomicU64,
    /// Held for a moment.
    watched: Vec<Mutex<WatchedNames<N>>>,
}

/// With a hasher of its own: the hashes of a stripe's names end alike.
type WatchedNames<N> = HashMap<N, Watched, RandomState>;

/// Which names a sweep writes.
struct Sweep<N>(Arc<dyn Fn(&N) -> bool + Send + Sync>);

impl<N> std::fmt::Debug for Sweep<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sweep")
    }
}

/// A turn, and the sweep it has to mind.
type Turn<'a, N> = MutexGuard<'a, Option<Sweep<N>>>;

/// Whether a sweep is writing this name.
fn is_swept<N>(turn: &Turn<'_, N>, name: &N) -> bool {
    turn.as_ref().is_some_and(|Sweep(is_swept)| is_swept(name))
}

#[derive(Debug, Default)]
struct Watched {
    watches: usize,
    /// Shared with the watches: they look without a lock.
    turns: Arc<AtomicU64>,
}

impl<N: Hash + Eq + Clone> Order<N> {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            turns: (0..STRIPES).map(|_| Mutex::new(None)).collect(),
            sweeping: Mutex::new(()),
            gaps: AtomicU64::new(0),
            watched: (0..STRIPES)
                .map(|_| Mutex::new(HashMap::default()))
                .collect(),
        }
    }

    /// Begins to watch a name.
    pub(super) fn watch(self: &Arc<Self>, name: &N) -> Watch<N> {
        let stripe = self.stripe(name);
        let gaps = self.gaps.load(Ordering::Acquire);
        let watched = self.with_watched(stripe, |watched| {
            let entry = watched.entry(name.clone()).or_default();
            entry.watches += 1;
            (
                Arc::clone(&entry.turns),
                entry.turns.load(Ordering::Acquire),
            )
        });
        // Where a watch cannot be, it is overtaken from the start.
        let (turns, seen) = watched.unwrap_or_else(|| (Arc::default(), 1));
        Watch {
            order: Arc::clone(self),
            name: name.clone(),
            stripe,
            turns,
            seen,
            gaps,
        }
    }

    /// What was read until now is not repeated any more, and none of it is being repeated when this
    /// returns. Waits for the turns under way; what is written in order goes on.
    pub(super) fn repeat_nothing_read_so_far(&self) {
        self.gaps.fetch_add(1, Ordering::AcqRel);
        self.turns.iter().for_each(|turn| drop(lock(turn)));
    }

    /// Writes these names, when their turn comes.
    pub(super) fn write<R>(&self, names: &[N], write: impl FnOnce() -> R) -> R {
        // Mostly it is one.
        if let [name] = names {
            let stripe = self.stripe(name);
            let is_held_up =
                |turn: &Option<Turn<'_, N>>| turn.as_ref().is_some_and(|turn| is_swept(turn, name));
            let _turn = self.when_free(|| self.turn(stripe), is_held_up);
            return self.take(&[stripe], names, write);
        }
        let mut stripes: Vec<usize> = names.iter().map(|name| self.stripe(name)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let turns = || -> Vec<_> { stripes.iter().filter_map(|s| self.turn(*s)).collect() };
        // The names share stripes, so not every turn minds every name; one that minds is enough.
        let is_held_up = |turns: &Vec<Turn<'_, N>>| {
            let mut minding = turns.iter();
            minding.any(|turn| names.iter().any(|name| is_swept(turn, name)))
        };
        let _turns = self.when_free(turns, is_held_up);
        self.take(&stripes, names, write)
    }

    /// Takes turns that no sweep holds up; one that does is waited for.
    fn when_free<T>(&self, take: impl Fn() -> T, is_held_up: impl Fn(&T) -> bool) -> T {
        loop {
            let turns = take();
            if !is_held_up(&turns) {
                return turns;
            }
            drop(turns);
            drop(lock(&self.sweeping));
        }
    }

    /// Writes within turns that the caller holds until this returns.
    fn take<R>(&self, stripes: &[usize], names: &[N], write: impl FnOnce() -> R) -> R {
        let _taken = Taken {
            order: self,
            stripes,
            names,
        };
        write()
    }

    /// Writes every name of which `is_written` is true. Turns of other names go on meanwhile.
    pub(super) fn write_matching<R>(
        &self,
        is_written: impl Fn(&N) -> bool + Send + Sync + 'static,
        write: impl FnOnce() -> R,
    ) -> R {
        let sweeping = lock(&self.sweeping);
        let sweep = Sweeping {
            order: self,
            is_written: Arc::new(is_written),
            _sweeping: sweeping,
        };
        // Also waits for the turns under way.
        sweep.tell(true);
        let written = write();
        drop(sweep);
        written
    }

    /// How many names are being watched.
    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn watched_now(&self) -> usize {
        self.watched.iter().map(|watched| lock(watched).len()).sum()
    }

    fn stripe(&self, name: &N) -> usize {
        // The remainder fits: it is less than 64.
        (self.hasher.hash_one(name) % STRIPES as u64) as usize
    }

    fn turn(&self, stripe: usize) -> Option<Turn<'_, N>> {
        self.turns.get(stripe).map(lock)
    }

    fn with_watched<R>(
        &self,
        stripe: usize,
        with: impl FnOnce(&mut WatchedNames<N>) -> R,
    ) -> Option<R> {
        let watched = self.watched.get(stripe)?;
        Some(with(&mut lock(watched)))
    }

    /// Tells the watches of a stripe that these names had a turn.
    fn overtake(&self, stripe: usize, is_written: impl Fn(&N) -> bool) {
        self.with_watched(stripe, |watched| {
            for (_, entry) in watched.iter_mut().filter(|(name, _)| is_written(name)) {
                entry.turns.fetch_add(1, Ordering::AcqRel);
            }
        });
    }
}

/// Turns. Their end, panic or not, is told to the watches before the next turn begins.
struct Taken<'a, N: Hash + Eq + Clone> {
    order: &'a Order<N>,
    stripes: &'a [usize],
    names: &'a [N],
}

impl<N: Hash + Eq + Clone> Drop for Taken<'_, N> {
    fn drop(&mut self) {
        for stripe in self.stripes {
            self.order
                .overtake(*stripe, |name| self.names.contains(name));
        }
    }
}

/// A sweep. The watches are told at its end, panic or not, so that nothing is written that was read before
/// or meanwhile; and at its beginning, so that who fetched before need not wait for the end to learn it.
struct Sweeping<'a, N: Hash + Eq + Clone> {
    order: &'a Order<N>,
    is_written: Arc<dyn Fn(&N) -> bool + Send + Sync>,
    _sweeping: MutexGuard<'a, ()>,
}

impl<N: Hash + Eq + Clone> Sweeping<'_, N> {
    fn tell(&self, begins: bool) {
        for (stripe, turn) in self.order.turns.iter().enumerate() {
            let mut turn = lock(turn);
            *turn = begins.then(|| Sweep(Arc::clone(&self.is_written)));
            self.order.overtake(stripe, &*self.is_written);
        }
    }
}

impl<N: Hash + Eq + Clone> Drop for Sweeping<'_, N> {
    fn drop(&mut self) {
        self.tell(false);
    }
}

/// A name being watched, from the moment this was made.
#[derive(Debug)]
pub(super) struct Watch<N: Hash + Eq + Clone> {
    order: Arc<Order<N>>,
    name: N,
    stripe: usize,
    turns: Arc<AtomicU64>,
    seen: u64,
    gaps: u64,
}

impl<N: Hash + Eq + Clone> Watch<N> {
    /// Writes the name, unless somebody else had a turn since the watch began, or a sweep is having one.
    pub(super) fn write_unless_overtaken<R>(&self, write: impl FnOnce() -> R) -> Option<R> {
        if self.is_overtaken() {
            // For ever: no turn need be waited for.
            return None;
        }
        let turn = self.order.turn(self.stripe)?;
        // The end of a sweep overtakes in any case: it is not waited for either.
        if is_swept(&turn, &self.name) || self.is_overtaken() {
            return None;
        }
        let names = std::slice::from_ref(&self.name);
        Some(self.order.take(&[self.stripe], names, write))
    }

    /// Repeats what was read elsewhere, unless somebody else had a turn since the watch began or is
    /// having one now, or a sweep is. It is no turn of its own: nothing new is written.
    pub(super) fn repeat_unless_overtaken<R>(&self, write: impl FnOnce() -> R) -> Option<R> {
        let turn = self.order.turns.get(self.stripe).and_then(try_lock)?;
        let is_after_gap = self.gaps == self.order.gaps.load(Ordering::Acquire);
        let free = is_after_gap && !is_swept(&turn, &self.name) && !self.is_overtaken();
        let written = free.then(write);
        drop(turn);
        written
    }

    /// Whether somebody else had a turn since the watch began.
    pub(super) fn is_overtaken(&self) -> bool {
        self.turns.load(Ordering::Acquire) != self.seen
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
