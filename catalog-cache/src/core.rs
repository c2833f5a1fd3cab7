//! The cache: tiers in order. This file may not know what any tier is made of.

use std::fmt;
use std::path::PathBuf;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::compute::Outcome;
use super::entry::{CLOCK_SKEW, from_millis, to_millis};
use super::flight::Flights;
use super::level::{Done, Lates, Level};
use super::order::{Order, Watch};
use super::others::{Begins, ChangeListener, Heard};
use super::removal::Joined;
use super::search::Search;
use super::statistics::Counts;
use super::{
    Clock, ConfigError, Entry, Envelope, Freshness, Horizons, Key, MemoryTier, Namespace, Pattern,
    Settings,
};

pub(super) type Name = (Namespace, Key);

/// A cache over an ordered list of tiers. Clones are the same cache.
///
/// Reads ask the tiers in order; the first fresh entry answers and is copied to the tiers above it.
/// Writes go to every tier. A tier that fails is left out: nothing that goes wrong here is an error
/// of the caller. Calls may block for as long as the tiers do; the `_async` ones keep blocking
/// tiers off the caller's thread.
///
/// Within a process nothing older replaces newer, and nothing invalidated comes back.
///
/// ```
/// use bedrock_catalog_cache::{Cache, Freshness, Key, MemoryLimits, Namespace, Terms};
///
/// let cache = Cache::builder().namespace(Namespace::of(["doc"])).memory(MemoryLimits::default()).build()?;
/// let key = Key::new("reports", "list", "berlin");
/// assert!(cache.get(&key).is_missing());
/// cache.put(&key, "[]", &Terms::source("api"));
/// let Freshness::Fresh(hit) = cache.get(&key) else { panic!("just written") };
/// assert_eq!((hit.data.as_ref(), hit.source(), hit.tier()), (b"[]".as_ref(), "api", Some("memory")));
/// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    pub(super) namespace: Namespace,
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) levels: Vec<Level>,
    pub(super) lates: Lates,
    /// The first level, where it is our own memory.
    pub(super) memory: Option<Arc<MemoryTier>>,
    /// So many of the first levels answer without blocking.
    pub(super) instant: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: RwLock<Settings>,
    pub(super) order: Arc<Order<Name>>,
    pub(super) joined: Joined,
    /// How often something was to be removed, by whomever.
    pub(super) removals: AtomicU64,
    pub(super) flights: Flights<Name, Outcome>,
    pub(super) counts: Counts,
    pub(super) package_version: Arc<str>,
    /// When the last entry was written, in milliseconds.
    pub(super) last_written: AtomicU64,
    pub(super) listeners: RwLock<Vec<ChangeListener>>,
    pub(super) heard: Mutex<Heard>,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("levels", &self.levels)
            .field("package_version", &self.package_version)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The time to write into an entry. It does not go back when the clock is set back a little, so
    /// that tiers shared with other processes, which go by it, keep the order of this one's writes.
    fn written_now(&self) -> SystemTime {
        let now = to_millis(self.clock.now());
        let skew = u64::try_from(CLOCK_SKEW.as_millis()).unwrap_or(u64::MAX);
        let forward = |last: u64| {
            if last > now && last - now <= skew {
                last
            } else {
                now
            }
        };
        let last = self
            .last_written
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(forward(last))
            });
        from_millis(forward(last.unwrap_or(now))).unwrap_or(UNIX_EPOCH)
    }
}

/// On which terms a value is stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Terms {
    pub(super) horizons: Option<Horizons>,
    pub(super) source: Arc<str>,
    pub(super) give_up_when_busy: bool,
    pub(super) give_up_when_late: bool,
}

impl Terms {
    /// The cache's own horizons, and where the value comes from, in the caller's words.
    #[must_use]
    pub fn source(source: impl Into<String>) -> Self {
        Self {
            source: source.into().into(),
            ..Self::default()
        }
    }

    /// These horizons instead of the cache's.
    #[must_use]
    pub fn holding(mut self, horizons: Horizons) -> Self {
        self.horizons = Some(horizons);
        self
    }

    /// Single flight: while another process computes and there is nothing to serve, give up after
    /// [`Settings::patience`] instead of waiting for its lease to end.
    #[must_use]
    pub fn giving_up_when_busy(mut self) -> Self {
        self.give_up_when_busy = true;
        self
    }

    /// The same where a tier did not answer in time whether another process computes: it may.
    #[doc(hidden)]
    pub fn giving_up_when_late(mut self) -> Self {
        self.give_up_when_late = true;
        self
    }
}

/// Where a value was stored; nowhere is no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stored {
    /// The tiers that have it.
    pub tiers: Vec<&'static str>,
    /// The first file that has it.
    pub path: Option<PathBuf>,
}

/// A key being watched; see [`Cache::watch`].
#[derive(Debug)]
pub struct Watched {
    watch: Watch<Name>,
    key: Key,
    pub(super) begins: Begins,
}

impl Cache {
    /// The same cache for another namespace: the same tiers, bounds and statistics.
    #[must_use]
    pub fn in_namespace(&self, namespace: Namespace) -> Self {
        Self {
            namespace,
            inner: Arc::clone(&self.inner),
        }
    }

    /// The namespace of this cache.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// Its clock.
    #[doc(hidden)]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// What the cache has for the key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Freshness {
        let mut search = Search::default();
        match self.ask_instant(key, &mut search) {
            Some(answer) => answer,
            None => self.ask_below(key, search, true),
        }
    }

    /// The same for async callers: tiers that block are asked on another thread.
    pub async fn get_async(&self, key: &Key) -> Freshness {
        let mut search = Search::default();
        if let Some(answer) = self.ask_instant(key, &mut search) {
            return answer;
        }
        if self.inner.instant == self.inner.levels.len() {
            return self.ask_below(key, search, true);
        }
        let (cache, key) = (self.clone(), key.clone());
        blocking::unblock(move || cache.ask_below(&key, search, true)).await
    }

    /// What the cache has for each of the keys, in their order; each tier is asked once.
    #[must_use]
    pub fn get_many(&self, keys: &[Key]) -> Vec<Freshness> {
        let now = self.inner.clock.now();
        let watches: Vec<_> = keys
            .iter()
            .map(|key| self.inner.order.watch(&(self.namespace, key.clone())))
            .collect();
        let mut searches: Vec<Search> = keys.iter().map(|_| Search::default()).collect();
        for (index, level) in self.inner.levels.iter().enumerate() {
            let open: Vec<usize> = (0..keys.len())
                .filter(|i| searches.get(*i).is_some_and(|search| !search.settled))
                .collect();
            if open.is_empty() {
                break;
            }
            let asked: Vec<Key> = open.iter().filter_map(|i| keys.get(*i).cloned()).collect();
            for (i, found) in open.iter().zip(level.get_many(&self.namespace, &asked)) {
                if let (Some(search), Some(found)) = (searches.get_mut(*i), found) {
                    search.settled = self.consider(search, index, found, now);
                }
            }
        }
        let answers = keys.iter().zip(searches).zip(&watches);
        answers
            .map(|((key, search), watch)| self.answer(key, search, Some(watch), true))
            .collect()
    }

    /// Stores a value in every tier, in place of what was there.
    pub fn put(&self, key: &Key, value: impl Into<Bytes>, terms: &Terms) -> Stored {
        let name = (self.namespace, key.clone());
        let mut stored = Stored::default();
        self.inner.order.write(slice::from_ref(&name), || {
            let entry = self.entry(key, value.into(), terms);
            self.write(&[entry], None, slice::from_mut(&mut stored));
        });
        stored
    }

    /// The same as [`Cache::put`] for async callers.
    pub async fn put_async(&self, key: &Key, value: impl Into<Bytes>, terms: &Terms) -> Stored {
        let (key, value, terms) = (key.clone(), value.into(), terms.clone());
        self.off_thread(move |cache| cache.put(&key, value, &terms))
            .await
    }

    /// Stores many values; each tier is asked once.
    pub fn put_many<'a, V: Into<Bytes>>(
        &self,
        values: impl IntoIterator<Item = (&'a Key, V)>,
        terms: &Terms,
    ) -> Vec<Stored> {
        let values: Vec<(&Key, Bytes)> = values
            .into_iter()
            .map(|(key, value)| (key, value.into()))
            .collect();
        let names: Vec<Name> = values
            .iter()
            .map(|(key, _)| (self.namespace, (*key).clone()))
            .collect();
        self.inner.order.write(&names, || {
            let entries: Vec<Entry> = values
                .into_iter()
                .map(|(key, value)| self.entry(key, value, terms))
                .collect();
            let mut stored = vec![Stored::default(); entries.len()];
            self.write(&entries, None, &mut stored);
            stored
        })
    }

    /// Begins to watch a key: take the watch, fetch the value, and store it with
    /// [`Cache::put_unless_overtaken`].
    #[must_use]
    pub fn watch(&self, key: &Key) -> Watched {
        Watched {
            watch: self.inner.order.watch(&(self.namespace, key.clone())),
            key: key.clone(),
            begins: self.begins(),
        }
    }

    /// Stores a value unless the key was written or invalidated since the watch began: what was
    /// fetched before does not replace it. `None` where it was.
    pub fn put_unless_overtaken(
        &self,
        watched: &Watched,
        value: impl Into<Bytes>,
        terms: &Terms,
    ) -> Option<Stored> {
        let entry = self.entry(&watched.key, value.into(), terms);
        let mut stored = Stored::default();
        let place = slice::from_mut(&mut stored);
        self.put_watched(&watched.watch, entry, &watched.begins, place, || ())?;
        Some(stored)
    }

    /// Also does `then`, within the same turn, once the entry is written. Where it is, is noted in
    /// `stored`, if there is room.
    pub(super) fn put_watched<R>(
        &self,
        watch: &Watch<Name>,
        entry: Entry,
        begins: &Begins,
        stored: &mut [Stored],
        then: impl FnOnce() -> R,
    ) -> Option<R> {
        let done = watch.write_unless_overtaken(|| {
            self.write(&[entry], Some(begins), stored);
            then()
        });
        if done.is_none() {
            self.inner.counts.overtaken.one();
        }
        done
    }

    /// Writes to every tier, and notes of each entry where it is, if there is room for that. Only within a
    /// turn.
    fn write(&self, entries: &[Entry], begins: Option<&Begins>, stored: &mut [Stored]) {
        for (index, level) in self.inner.levels.iter().enumerate() {
            let begun = begins.map(|begins| begins.of(index));
            let note = |at: usize, done: Done| {
                let Some(entry) = entries.get(at) else {
                    return;
                };
                let name = || [(self.namespace, Pattern::exact(&entry.envelope().key))];
                let stored = stored.get_mut(at);
                match done {
                    Done::Stored(path) => {
                        if let Some(stored) = stored {
                            stored.tiers.push(level.name());
                            stored.path = stored.path.take().or(path);
                        }
                    }
                    // As if this write had come just before: the tiers above follow.
                    Done::Superseded(newer) => {
                        let by_clock = newer.envelope().written_at > entry.envelope().written_at;
                        for above in self.inner.levels.iter().take(index) {
                            // Ours may have the later time and yet be the older.
                            if !by_clock {
                                above.remove(&name(), false);
                            }
                            above.promote(&newer);
                        }
                    }
                    // As if it had been removed just after.
                    Done::Removed => {
                        for above in self.inner.levels.iter().take(index) {
                            above.remove(&name(), false);
                        }
                        if let Some(stored) = stored {
                            *stored = Stored::default();
                        }
                    }
                    Done::Missed => {}
                }
            };
            match begins.is_some_and(|begins| begins.late.contains(&index)) {
                true => level.leave_out(entries, note),
                false => level.put(entries, begun.as_ref(), note),
            }
        }
    }

    pub(super) fn entry(&self, key: &Key, value: Bytes, terms: &Terms) -> Entry {
        let envelope = Envelope {
            key: key.clone(),
            namespace: self.namespace,
            written_at: self.inner.written_now(),
            horizons: terms.horizons.unwrap_or_else(|| self.settings().horizons),
            source: Arc::clone(&terms.source),
            package_version: Arc::clone(&self.inner.package_version),
        };
        Entry::new(envelope, value)
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.inner
            .settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts other settings in force, for all clones. What is under way goes on under the old ones.
    ///
    /// # Errors
    /// A setting is out of range; nothing was changed.
    pub fn reconfigure(&self, settings: Settings) -> Result<(), ConfigError> {
        settings.validate()?;
        for level in &self.inner.levels {
            level.breaker.set_limits(settings.breaker);
        }
        if let Some(memory) = &self.inner.memory {
            memory.set_ask_below_after(settings.ask_below_after);
        }
        *self
            .inner
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }
}
