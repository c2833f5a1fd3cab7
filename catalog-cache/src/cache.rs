//! The cache: reads and removals over its tiers. `write` has the writes.

use std::slice;
use std::sync::{Arc, PoisonError, RwLock};

use serde::de::DeserializeOwned;

use crate::invalidation::{Change, InvalidationLog, Stamps, TierSet};
use crate::key_lock::KeyLocks;
use crate::load::{Failures, Flights};
use crate::lookup::Local;
use crate::notifications::Notifications;
use crate::statistics::Counts;
use crate::tier_slot::{Call, TierSlot};
use crate::{
    Clock, ConfigError, Freshness, Key, MemoryTier, Namespace, Pattern, Settings, Statistics,
};

/// A cache over an ordered list of tiers. Clones are the same cache.
///
/// A read asks the tiers in order. The first fresh entry is the answer, and is copied to the tiers above.
/// A write goes to every tier. A tier that fails is skipped and logged; it is never the caller's error.
/// Calls block as long as the tiers do, at most half a second for a read. The `_async` methods keep
/// blocking tiers off the caller's thread.
///
/// Within a process nothing older replaces newer, and nothing invalidated comes back.
///
/// ```
/// use bedrock_catalog_cache::{Cache, EntryOptions, Freshness, Key, MemoryLimits, Namespace};
///
/// let cache = Cache::builder().namespace(Namespace::of(["doc"])).memory(MemoryLimits::default()).build()?;
/// let key = Key::new("reports", "list", "berlin");
/// assert!(cache.get(&key).is_missing());
/// cache.put(&key, "[]", &EntryOptions::source("api"));
/// let Freshness::Fresh(hit) = cache.get(&key) else { panic!("just written") };
/// assert_eq!((hit.data.as_ref(), hit.source(), hit.tier()), (b"[]".as_ref(), "api", Some("memory")));
/// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    pub(crate) namespace: Namespace,
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) slots: Vec<TierSlot>,
    /// The first slot's tier, where that is memory.
    pub(crate) memory: Option<Arc<MemoryTier>>,
    /// Whether every call returns without I/O or waiting.
    pub(crate) is_local: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: RwLock<Settings>,
    pub(crate) log: Arc<InvalidationLog>,
    pub(crate) stamps: Stamps,
    pub(crate) locks: KeyLocks,
    pub(crate) flights: Flights,
    pub(crate) failures: Failures,
    pub(crate) notifications: Notifications,
    pub(crate) counts: Counts,
    pub(crate) package_version: Arc<str>,
}

impl Inner {
    pub(crate) fn below_memory(&self) -> &[TierSlot] {
        let first = usize::from(self.memory.is_some());
        self.slots.get(first..).unwrap_or_default()
    }

    /// All tiers but memory, which misses no change.
    pub(crate) fn can_miss(&self, mut tiers: TierSet) -> TierSet {
        if self.memory.is_some() {
            tiers.remove(0);
        }
        tiers
    }

    pub(crate) fn gaps(&self) -> u64 {
        self.memory.as_ref().map_or(0, |memory| memory.gaps())
    }

    pub(crate) fn settings(&self) -> Settings {
        let settings = self.settings.read();
        settings.unwrap_or_else(PoisonError::into_inner).clone()
    }
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

    /// The namespace of its entries.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.inner.settings()
    }

    /// Puts other settings in force, for all clones. Calls under way keep the old ones.
    ///
    /// # Errors
    /// A setting is out of range; nothing was changed.
    pub fn reconfigure(&self, settings: Settings) -> Result<(), ConfigError> {
        settings.validate()?;
        for slot in &self.inner.slots {
            slot.breaker.set_limits(settings.breaker);
        }
        if let Some(memory) = &self.inner.memory {
            memory.set_revalidate_after(settings.revalidate_after);
        }
        let current = self.inner.settings.write();
        *current.unwrap_or_else(PoisonError::into_inner) = settings;
        Ok(())
    }

    /// Reads a key.
    #[must_use]
    pub fn get(&self, key: &Key) -> Freshness {
        match self.get_local(key) {
            Local::Fresh(answer) => answer,
            Local::Undecided(lookup) => self.get_remote(key, lookup, &mut Call::read()),
        }
    }

    /// [`Cache::get`] for async callers.
    pub async fn get_async(&self, key: &Key) -> Freshness {
        match self.get_local(key) {
            Local::Fresh(answer) => answer,
            Local::Undecided(lookup) => {
                let key = key.clone();
                let get = move |cache: &Self| cache.get_remote(&key, lookup, &mut Call::read());
                self.run_blocking(get).await
            }
        }
    }

    /// Reads the tiers below this process's memory: what other processes wrote, too. Not counted in the
    /// statistics.
    #[must_use]
    pub fn get_shared(&self, key: &Key) -> Freshness {
        self.peek(key, true, &mut Call::read())
    }

    /// Reads a key whose value is JSON. A value that cannot be read as `T` counts as missing.
    #[must_use]
    pub fn get_json<T: DeserializeOwned>(&self, key: &Key) -> Freshness<T> {
        let answer = self.get(key);
        let path = answer.hit().and_then(|hit| hit.path());
        let path = path.map(|path| path.display().to_string());
        answer
            .try_map(|data| serde_json::from_slice(&data))
            .unwrap_or_else(|error| {
                tracing::warn!(%key, path, %error, "a cache entry cannot be read as JSON");
                Freshness::Missing
            })
    }

    /// Removes a key from every tier; whether any tier had it.
    pub fn remove(&self, key: &Key) -> bool {
        self.invalidate(&Pattern::exact(key)) > 0
    }

    /// [`Cache::remove`] for async callers.
    pub async fn remove_async(&self, key: &Key) -> bool {
        self.invalidate_async(&Pattern::exact(key)).await > 0
    }

    /// Removes the matching entries of this namespace from every tier, and returns their number, counted
    /// in the tier that held the most.
    ///
    /// A tier that fails does not serve them any more in this process; [`Cache::cleanup`] removes them
    /// later. Other processes may read them there until then.
    pub fn invalidate(&self, pattern: &Pattern) -> u64 {
        self.invalidate_in(slice::from_ref(&self.namespace), pattern)
    }

    /// [`Cache::invalidate`] for async callers.
    pub async fn invalidate_async(&self, pattern: &Pattern) -> u64 {
        let pattern = pattern.clone();
        self.run_blocking(move |cache| cache.invalidate(&pattern))
            .await
    }

    /// Removes every entry of this namespace from every tier, and returns their number.
    pub fn clear(&self) -> u64 {
        self.invalidate(&Pattern::all())
    }

    /// [`Cache::clear`] for async callers.
    pub async fn clear_async(&self) -> u64 {
        self.invalidate_async(&Pattern::all()).await
    }

    /// [`Cache::invalidate`] in these namespaces.
    pub fn invalidate_in(&self, namespaces: &[Namespace], pattern: &Pattern) -> u64 {
        let removed = namespaces
            .iter()
            .map(|of| self.inner.invalidate(*of, pattern))
            .sum();
        self.inner.counts.invalidated.add(removed);
        tracing::debug!(%pattern, removed, "cache entries invalidated");
        removed
    }

    /// [`Cache::invalidate_in`] for async callers.
    pub async fn invalidate_in_async(&self, namespaces: &[Namespace], pattern: &Pattern) -> u64 {
        let (namespaces, pattern) = (namespaces.to_vec(), pattern.clone());
        self.run_blocking(move |cache| cache.invalidate_in(&namespaces, &pattern))
            .await
    }

    /// A number that grows with every invalidation in any namespace: of this process, before the call
    /// returns, and of other processes, as far as tiers are notified.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.inner.log.generation()
    }

    /// The statistics since the cache was made, over all namespaces.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let slots = self.inner.slots.iter();
        let tier = |slot: &TierSlot| slot.counts.snapshot(slot.tier.evictions(), slot.name());
        self.inner.counts.snapshot(slots.map(tier).collect())
    }

    /// Runs `work` on this thread where every tier is local, else on a thread for blocking work.
    pub async fn run_blocking<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> R {
        if self.inner.is_local {
            return work(self);
        }
        let cache = self.clone();
        crate::spawn_blocking(move || work(&cache)).await
    }
}

impl Inner {
    fn invalidate(&self, namespace: Namespace, pattern: &Pattern) -> u64 {
        let key = pattern.as_exact();
        let _lock = key.and_then(|key| self.locks.lock(&(namespace, key.clone())));
        let stamp = self.stamps.invalidation(self.clock.now());
        let pending = self.can_miss(TierSet::above(self.slots.len()));
        let record = self
            .log
            .append(namespace, pattern.clone(), Change::Removed, stamp, pending);
        let matches = |(of, key): &(Namespace, Key)| *of == namespace && pattern.matches(key);
        self.flights.detach(|(id, _)| matches(id));
        if key.is_none() {
            // A write that was checked against the log before the record is over after this.
            self.locks.barrier();
        }
        let mut call = if key.is_some() {
            Call::write()
        } else {
            Call::remove()
        };
        let mut most = 0;
        for slot in &self.slots {
            if let Some(removed) = slot.remove(&namespace, pattern, &mut call) {
                self.log.done(&record, slot.index);
                most = removed.max(most);
            }
        }
        most
    }
}
