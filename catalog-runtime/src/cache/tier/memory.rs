//! The tier in this process's memory: bounded by entries and by bytes, least recently used goes
//! first. This file may not know of files; entries are held as they are, neither encoded nor
//! compressed.

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use equivalent::Equivalent;
use moka::policy::EvictionPolicy;

use super::super::{Clock, Entry, Key, Namespace, Pattern, Standing};
use super::{Found, Health, Listed, Receipt, Size, Tier, TierError, TierErrorKind};

/// What an entry takes beside its key and payload, roughly, in bytes.
const OVERHEAD: u64 = 256;

/// The share of the bytes by which their bound may be passed for a moment: one in so many.
const SLACK: u64 = 16;

const ASK_BELOW_AFTER: Duration = Duration::from_secs(3600);

const STRIPES: usize = 16;

/// The bounds of the memory tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// At most so many entries. Default 1,000.
    pub entries: u64,
    /// At most so many bytes, of keys, payloads and what holds them. Default 64 MiB. An entry larger
    /// than all of it is not stored.
    pub bytes: u64,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            entries: 1000,
            bytes: 64 << 20,
        }
    }
}

/// The tier in memory. A read costs about what one of the `moka` crate costs.
#[derive(Debug)]
pub struct MemoryTier {
    slots: moka::sync::Cache<Id, Arc<Slot>, foldhash::quality::RandomState>,
    hasher: foldhash::quality::RandomState,
    clock: Arc<dyn Clock>,
    max_bytes: u64,
    /// Nanoseconds.
    ask_below_after: AtomicU64,
    /// What came before this steady time, in nanoseconds, is stale whatever its age.
    stale_before: AtomicU64,
    /// Writes of one key take turns, so that the two counts below are right.
    turns: [Mutex<()>; STRIPES],
    /// Entries that came where there was none.
    created: AtomicU64,
    /// Entries that were removed; what else is gone was pushed out. moka tells each as it goes only to
    /// a listener, and with one a removal costs six times as much.
    removed: AtomicU64,
    /// Bytes put since room was last made.
    unsettled: AtomicU64,
}

#[derive(Debug, PartialEq, Eq)]
struct Id {
    namespace: Namespace,
    key: Key,
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        IdRef(&self.namespace, &self.key).hash(state);
    }
}

/// An [`Id`] that is looked for.
#[derive(Hash)]
struct IdRef<'a>(&'a Namespace, &'a Key);

impl Equivalent<Id> for IdRef<'_> {
    fn equivalent(&self, id: &Id) -> bool {
        *self.0 == id.namespace && *self.1 == id.key
    }
}

/// Times are steady, in nanoseconds. What a read writes comes first, beside the count of references,
/// which it writes too.
#[derive(Debug)]
#[repr(C)]
struct Slot {
    accesses: AtomicU64,
    last_access: AtomicU64,
    asked_below: AtomicU64,
    since: u64,
    entry: Entry,
}

impl MemoryTier {
    /// A memory tier within these limits.
    #[must_use]
    pub fn new(limits: MemoryLimits, clock: Arc<dyn Clock>) -> Self {
        // One measure bounds both: an entry weighs its share of all bytes, but never less than an
        // equal share of all entries. moka weighs in 32 bits, so that is what the whole weighs.
        let equal = u64::from(u32::MAX)
            .checked_div(limits.entries)
            .unwrap_or(0)
            .max(1);
        let whole = limits.entries.saturating_mul(equal);
        let all_bytes = u128::from(limits.bytes.max(1));
        let hasher = foldhash::quality::RandomState::default();
        let slots = moka::sync::Cache::builder()
            .max_capacity(whole)
            .eviction_policy(EvictionPolicy::lru())
            .weigher(move |id: &Id, slot: &Arc<Slot>| {
                let share = (u128::from(weight(&id.key, &slot.entry)) * u128::from(whole))
                    .div_ceil(all_bytes);
                u32::try_from(share.max(u128::from(equal))).unwrap_or(u32::MAX)
            })
            .build_with_hasher(hasher.clone());
        Self {
            slots,
            hasher,
            clock,
            max_bytes: limits.bytes,
            ask_below_after: AtomicU64::new(nanos(ASK_BELOW_AFTER)),
            stale_before: AtomicU64::new(0),
            turns: [const { Mutex::new(()) }; STRIPES],
            created: AtomicU64::new(0),
            removed: AtomicU64::new(0),
            unsettled: AtomicU64::new(0),
        }
    }

    /// After how long the tiers below are asked whether they have a newer entry, from now on. 1 h by
    /// default. A cache sets it by [`Settings::ask_below_after`](crate::cache::Settings).
    pub fn set_ask_below_after(&self, after: Duration) {
        self.ask_below_after.store(nanos(after), Ordering::Relaxed);
    }

    /// From now on what is held is stale: a tier below has to have it, or it is served only where asking
    /// fails.
    pub(crate) fn set_stale(&self) {
        self.stale_before.store(self.steady(), Ordering::Relaxed);
    }

    fn steady(&self) -> u64 {
        nanos(self.clock.steady())
    }

    fn turn(&self, id: &IdRef<'_>) -> Option<MutexGuard<'_, ()>> {
        // The remainder fits: it is less than 16.
        let stripe = (self.hasher.hash_one(id) % STRIPES as u64) as usize;
        let turn = self.turns.get(stripe)?.lock();
        Some(turn.unwrap_or_else(PoisonError::into_inner))
    }

    fn insert(&self, id: Id, slot: Arc<Slot>) {
        let id_ref = IdRef(&id.namespace, &id.key);
        let _turn = self.turn(&id_ref);
        if !self.slots.contains_key(&id_ref) {
            self.created.fetch_add(1, Ordering::Relaxed);
        }
        self.slots.insert(id, slot);
    }

    /// Removes what is there, or only this slot.
    fn take(&self, id: &IdRef<'_>, only: Option<&Arc<Slot>>) -> bool {
        let _turn = self.turn(id);
        let is_it = |slot| {
            let there = self.slots.get(id);
            there.is_some_and(|there| Arc::ptr_eq(&there, slot))
        };
        let gone = only.is_none_or(is_it) && self.slots.remove(id).is_some();
        self.removed.fetch_add(u64::from(gone), Ordering::Relaxed);
        gone
    }
}

impl Tier for MemoryTier {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError> {
        self.get_at(namespace, key, self.clock.steady())
    }

    fn get_at(
        &self,
        namespace: &Namespace,
        key: &Key,
        now: Duration,
    ) -> Result<Option<Found>, TierError> {
        let Some(slot) = self.slots.get(&IdRef(namespace, key)) else {
            return Ok(None);
        };
        let now = nanos(now);
        slot.accesses.fetch_add(1, Ordering::Relaxed);
        slot.last_access.store(now, Ordering::Relaxed);
        // Whoever sets the new time is the one who asks below; nobody else waits for the answer.
        let asked = slot.asked_below.load(Ordering::Relaxed);
        let ask_below = now.saturating_sub(asked) >= self.ask_below_after.load(Ordering::Relaxed)
            && slot
                .asked_below
                .compare_exchange(asked, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let mut held = Duration::from_nanos(now.saturating_sub(slot.since));
        if slot.since < self.stale_before.load(Ordering::Relaxed) {
            held = held.max(slot.entry.envelope().horizons.fresh_for);
        }
        Ok(Some(Found {
            entry: slot.entry.clone(),
            path: None,
            held,
            ask_below,
        }))
    }

    fn put(&self, entry: &Entry) -> Result<Receipt, TierError> {
        let envelope = entry.envelope();
        let bytes = weight(&envelope.key, entry);
        let id = Id {
            namespace: envelope.namespace,
            key: envelope.key.clone(),
        };
        if bytes > self.max_bytes {
            self.take(&IdRef(&id.namespace, &id.key), None);
            return Err(TierError::new(
                TierErrorKind::TooLarge,
                format!(
                    "the entry takes {bytes} bytes, the memory tier has {}",
                    self.max_bytes
                ),
            ));
        }
        let now = self.steady();
        let slot = Slot {
            entry: entry.clone(),
            since: now,
            asked_below: AtomicU64::new(now),
            accesses: AtomicU64::new(0),
            last_access: AtomicU64::new(0),
        };
        self.insert(id, Arc::new(slot));
        // The library makes room after some dozens of writes; where they are large, that is too late.
        let unsettled = self.unsettled.fetch_add(bytes, Ordering::Relaxed);
        if unsettled.saturating_add(bytes) > self.max_bytes / SLACK {
            self.unsettled.store(0, Ordering::Relaxed);
            self.slots.run_pending_tasks();
        }
        Ok(Receipt {
            bytes,
            ..Receipt::default()
        })
    }

    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError> {
        Ok(self.take(&IdRef(namespace, key), None))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let (now, steady) = (self.clock.now(), self.steady());
        for (id, slot) in &self.slots {
            if id.namespace != *namespace || !id.key.starts_with(prefix) {
                continue;
            }
            let accesses = slot.accesses.load(Ordering::Relaxed);
            let ago = Duration::from_nanos(
                steady.saturating_sub(slot.last_access.load(Ordering::Relaxed)),
            );
            let listed = Listed {
                bytes: weight(&id.key, &slot.entry),
                envelope: slot.entry.clone().into_parts().0,
                path: None,
                accesses: Some(accesses),
                last_access: (accesses > 0).then(|| now.checked_sub(ago)).flatten(),
            };
            if visit(listed).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let expired = |slot: &Slot| {
            let envelope = slot.entry.envelope();
            let held = Duration::from_nanos(self.steady().saturating_sub(slot.since));
            envelope.standing(now) == Standing::Expired || held >= envelope.horizons.keep_for
        };
        let mut removed = 0;
        for (id, slot) in self.slots.iter().filter(|(_, slot)| expired(slot)) {
            // Only the slot that was looked at: it may have been replaced since.
            let id = IdRef(&id.namespace, &id.key);
            removed += u64::from(self.take(&id, Some(&slot)));
        }
        self.slots.run_pending_tasks();
        Ok(removed)
    }

    fn size(&self) -> Result<Size, TierError> {
        self.slots.run_pending_tasks();
        let bytes = self
            .slots
            .iter()
            .map(|(id, slot)| weight(&id.key, &slot.entry))
            .sum();
        Ok(Size {
            entries: self.slots.entry_count(),
            bytes,
        })
    }

    fn health(&self) -> Health {
        Health {
            ok: true,
            message: format!("in memory, at most {} bytes", self.max_bytes),
        }
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn evictions(&self) -> u64 {
        self.slots.run_pending_tasks();
        let (created, removed) = (&self.created, &self.removed);
        let gone = removed.load(Ordering::Relaxed) + self.slots.entry_count();
        created.load(Ordering::Relaxed).saturating_sub(gone)
    }

    fn remove_matching(&self, namespace: &Namespace, pattern: &Pattern) -> Result<u64, TierError> {
        let mut removed = 0;
        for (id, _) in &self.slots {
            if id.namespace == *namespace && pattern.matches(&id.key) {
                removed += u64::from(self.take(&IdRef(&id.namespace, &id.key), None));
            }
        }
        Ok(removed)
    }
}

fn weight(key: &Key, entry: &Entry) -> u64 {
    OVERHEAD + key.as_str().len() as u64 + entry.payload().len() as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
