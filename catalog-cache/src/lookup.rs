//! A read: the tiers in order, the best entry, and its promotion to the tiers above.

use std::time::{Duration, SystemTime};

use crate::cache::Inner;
use crate::entry::State;
use crate::invalidation::Watch;
use crate::tier::Found;
use crate::tier_slot::{Call, TierSlot};
use crate::{Cache, Entry, Freshness, Hit, Key};

/// A read under way: the best entry so far.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    best: Option<Candidate>,
    /// A fresh entry was found; the other tiers are not read.
    is_settled: bool,
    /// The notification gaps before the tiers below memory were asked.
    gaps: u64,
}

/// The answer of the memory tier.
pub(crate) enum Local {
    Fresh(Freshness),
    Undecided(Lookup),
}

#[derive(Debug)]
struct Candidate {
    tier: usize,
    found: Found,
    is_fresh: bool,
    age: Duration,
}

impl Cache {
    /// Reads the memory tier. A fresh entry is the answer, counted: the hot path.
    #[inline]
    pub(crate) fn get_local(&self, key: &Key) -> Local {
        let inner = &*self.inner;
        let (Some(memory), Some(slot)) = (&inner.memory, inner.slots.first()) else {
            return Local::Undecided(Lookup::default());
        };
        let now = inner.clock.moment();
        let Some(found) = memory.get_at(&self.namespace, key, now.steady) else {
            return Local::Undecided(Lookup::default());
        };
        let envelope = found.entry.envelope();
        let (state, age) = envelope.state_and_age(now.wall);
        if state == State::Fresh && found.resident < envelope.ttl.fresh_for && !found.revalidate {
            slot.counts.hits.one();
            let (envelope, data) = found.entry.into_parts();
            return Local::Fresh(Freshness::Fresh(Hit {
                data,
                envelope,
                age,
                tier: Some(slot.name()),
                path: None,
            }));
        }
        let mut lookup = Lookup::default();
        self.consider(&mut lookup, 0, found, now.wall);
        Local::Undecided(lookup)
    }

    /// Reads the tiers below memory, unless the lookup is settled, and answers.
    pub(crate) fn get_remote(&self, key: &Key, mut lookup: Lookup, call: &mut Call) -> Freshness {
        let watch = self.get_below(key, &mut lookup, call);
        let answer = self.answer(key, &lookup, watch.as_ref(), call);
        self.count(key, &lookup);
        answer
    }

    /// Reads the tiers without counting it as a read.
    pub(crate) fn peek(&self, key: &Key, skips_memory: bool, call: &mut Call) -> Freshness {
        let mut lookup = Lookup::default();
        if !skips_memory && let Some(memory) = &self.inner.memory {
            let now = self.inner.clock.moment();
            if let Some(found) = memory.get_at(&self.namespace, key, now.steady) {
                self.consider(&mut lookup, 0, found, now.wall);
            }
        }
        let watch = self.get_below(key, &mut lookup, call);
        self.answer(key, &lookup, watch.as_ref(), call)
    }

    /// Asks the tiers below memory in order, until one has a fresh entry.
    fn get_below(&self, key: &Key, lookup: &mut Lookup, call: &mut Call) -> Option<Watch> {
        let below = self.inner.below_memory();
        if lookup.is_settled || below.is_empty() {
            return None;
        }
        let watch = self.inner.log.watch((self.namespace, key.clone()));
        lookup.gaps = self.inner.gaps();
        let now = self.inner.clock.now();
        for slot in below {
            if let Some(found) = slot.get(&self.namespace, key, call) {
                self.consider(lookup, slot.index, found, now);
            }
            if lookup.is_settled {
                break;
            }
        }
        Some(watch)
    }

    /// Takes the entry if it is better than the best so far.
    fn consider(&self, lookup: &mut Lookup, tier: usize, found: Found, now: SystemTime) {
        let envelope = found.entry.envelope();
        let (state, age) = envelope.state_and_age(now);
        // No copy lives longer in this process than it may, whatever the wall clock shows.
        if state == State::Expired || found.resident >= envelope.ttl.keep_for {
            if let Some(slot) = self.inner.slots.get(tier) {
                slot.counts.expirations.one();
            }
            return;
        }
        let is_fresh = state == State::Fresh && found.resident < envelope.ttl.fresh_for;
        lookup.is_settled |= is_fresh && !found.revalidate;
        let is_better = lookup.best.as_ref().is_none_or(|best| {
            let written_at = best.found.entry.envelope().written_at;
            (is_fresh, envelope.written_at) > (best.is_fresh, written_at)
        });
        if is_better {
            lookup.best = Some(Candidate {
                tier,
                found,
                is_fresh,
                age,
            });
        }
    }

    fn answer(
        &self,
        key: &Key,
        lookup: &Lookup,
        watch: Option<&Watch>,
        call: &mut Call,
    ) -> Freshness {
        let Some(best) = &lookup.best else {
            return Freshness::Missing;
        };
        if let Some(watch) = watch.filter(|_| best.tier > 0) {
            self.promote(best, lookup.gaps, watch, call);
        }
        let (envelope, data) = best.found.entry.clone().into_parts();
        let slot = self.inner.slots.get(best.tier);
        let path = best.found.path.clone();
        if let Some(path) = &path {
            let age = best.age.as_secs();
            tracing::debug!(%key, path = %path.display(), age_seconds = age, fresh = best.is_fresh, "cache entry read");
        }
        let hit = Hit {
            data,
            envelope,
            age: best.age,
            tier: slot.map(|slot| slot.name()),
            path,
        };
        match best.is_fresh {
            true => Freshness::Fresh(hit),
            false => Freshness::Stale(hit),
        }
    }

    fn count(&self, key: &Key, lookup: &Lookup) {
        let slot = |best: &Candidate| self.inner.slots.get(best.tier);
        let Some((best, slot)) = lookup
            .best
            .as_ref()
            .and_then(|best| Some((best, slot(best)?)))
        else {
            self.inner.counts.misses.one();
            tracing::debug!(%key, "cache miss");
            return;
        };
        slot.counts.hits.one();
        if !slot.is_local {
            let bytes = best.found.entry.payload().len() as u64;
            slot.counts.bytes_read.add(bytes);
        }
        if !best.is_fresh {
            self.inner.counts.stale.one();
        }
    }

    /// Copies an entry to the tiers above, unless its key was written or invalidated since the watch
    /// began, or is being written.
    fn promote(&self, best: &Candidate, gaps: u64, watch: &Watch, call: &mut Call) {
        let Some(_lock) = self.inner.locks.try_lock(watch.id()) else {
            return;
        };
        if watch.is_current() {
            for slot in self.inner.slots.iter().take(best.tier) {
                self.inner.copy(&best.found.entry, slot, gaps, call);
            }
        }
    }

    /// Copies the newest entry of each key to every tier that lacks it, and returns the number of copies.
    /// Expired entries are not copied.
    ///
    /// A read copies upwards only; a tier that was added below, or was unavailable, gets an entry with the
    /// next write or by this.
    ///
    /// ```
    /// use bedrock_catalog_cache::{Cache, EntryOptions, Key, MemoryLimits};
    ///
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// let key = Key::new("reports", "list", "berlin");
    /// cache.put(&key, "[]", &EntryOptions::source("example"));
    /// assert_eq!(cache.warm(&[key]), 0); // the only tier has it
    /// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
    /// ```
    pub fn warm(&self, keys: &[Key]) -> u64 {
        keys.iter().map(|key| self.warm_one(key)).sum()
    }

    /// [`Cache::warm`] for async callers.
    pub async fn warm_async(&self, keys: &[Key]) -> u64 {
        let keys = keys.to_vec();
        self.run_blocking(move |cache| cache.warm(&keys)).await
    }

    fn warm_one(&self, key: &Key) -> u64 {
        let watch = self.inner.log.watch((self.namespace, key.clone()));
        let (gaps, mut call) = (self.inner.gaps(), Call::write());
        let now = self.inner.clock.now();
        let held: Vec<Option<Entry>> = self
            .inner
            .slots
            .iter()
            .map(|slot| Some(slot.get(&self.namespace, key, &mut call)?.entry))
            .collect();
        let kept = held.iter().flatten();
        let kept = kept.filter(|entry| !entry.envelope().is_expired(now));
        let Some(newest) =
            kept.reduce(
                |best, other| match other.envelope().supersedes(best.envelope(), now) {
                    true => other,
                    false => best,
                },
            )
        else {
            return 0;
        };
        let Some(_lock) = self.inner.locks.lock(watch.id()) else {
            return 0;
        };
        if !watch.is_current() {
            return 0;
        }
        let lacks = |held: &Option<Entry>| {
            held.as_ref()
                .is_none_or(|held| newest.envelope().supersedes(held.envelope(), now))
        };
        let mut copies = 0;
        for (slot, _) in self
            .inner
            .slots
            .iter()
            .zip(&held)
            .filter(|(_, held)| lacks(held))
        {
            match self.inner.copy(newest, slot, gaps, &mut call) {
                Some(is_stored) => copies += u64::from(is_stored),
                None => slot.counts.incomplete.one(),
            }
        }
        copies
    }
}

impl Inner {
    /// Copies an entry that was read before the next notification gap; whether it was stored, `None` where
    /// the tier failed.
    fn copy(&self, entry: &Entry, to: &TierSlot, gaps: u64, call: &mut Call) -> Option<bool> {
        let copied = match &self.memory {
            Some(memory) if to.index == 0 => Some(memory.put_as_of(entry, gaps)),
            _ => to.copy(entry, call),
        };
        if copied == Some(true) {
            to.counts.promotions.one();
        }
        copied
    }
}
