//! The tier in this process's memory: bounded by entries and by bytes, least recently used goes
//! first. This file may not know of files; entries are held as they are, neither encoded nor
//! compressed.

use std::fmt;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use foldhash::quality::RandomState;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::{RawEntryMut, RawOccupiedEntryMut};

use super::super::{Clock, Entry, Envelope, Key, Namespace, Pattern, Standing};
use super::{Found, Health, Listed, Receipt, Size, Tier, TierError, TierErrorKind};

/// What an entry takes beside its key and payload, roughly, in bytes.
const OVERHEAD: u64 = 256;

const ASK_BELOW_AFTER: Duration = Duration::from_secs(3600);

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

/// The tier in memory. A read locks it for a lookup and a step to the end of a list.
#[derive(Debug)]
pub struct MemoryTier {
    held: Mutex<Held>,
    clock: Arc<dyn Clock>,
    limits: MemoryLimits,
    /// Nanoseconds.
    ask_below_after: AtomicU64,
    /// What came before this steady time, in nanoseconds, is stale whatever its age.
    stale_before: AtomicU64,
}

/// What is there.
struct Held {
    /// The least recently used first.
    slots: LinkedHashMap<Id, Arc<Slot>, RandomState>,
    bytes: u64,
    evictions: u64,
}

type Id = (Namespace, Key);

/// By hand: the entries are not for logs.
impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held")
            .field("entries", &self.slots.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Held {
    fn find(
        &mut self,
        namespace: &Namespace,
        key: &Key,
    ) -> Option<RawOccupiedEntryMut<'_, Id, Arc<Slot>, RandomState>> {
        let hash = self.slots.hasher().hash_one((namespace, key));
        let is_it = |id: &Id| id.0 == *namespace && id.1 == *key;
        match self.slots.raw_entry_mut().from_hash(hash, is_it) {
            RawEntryMut::Occupied(found) => Some(found),
            RawEntryMut::Vacant(_) => None,
        }
    }

    /// Removes what is there, or only this slot.
    fn take(&mut self, namespace: &Namespace, key: &Key, only: Option<&Arc<Slot>>) -> bool {
        let found = self.find(namespace, key);
        let found = found.filter(|found| only.is_none_or(|only| Arc::ptr_eq(only, found.get())));
        let gone = found.map(|found| found.remove());
        self.bytes -= gone.as_ref().map_or(0, |slot| weight(&slot.entry));
        gone.is_some()
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
        Self {
            held: Mutex::new(Held {
                slots: LinkedHashMap::with_hasher(RandomState::default()),
                bytes: 0,
                evictions: 0,
            }),
            clock,
            limits,
            ask_below_after: AtomicU64::new(nanos(ASK_BELOW_AFTER)),
            stale_before: AtomicU64::new(0),
        }
    }

    /// After how long the tiers below are asked whether they have a newer entry, from now on. 1 h by
    /// default. A cache sets it by [`Settings::ask_below_after`](crate::Settings).
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

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All there is at this moment: who goes through it holds nobody up.
    fn slots(&self) -> Vec<Arc<Slot>> {
        self.held().slots.values().cloned().collect()
    }

    fn take(&self, slot: &Slot, only: Option<&Arc<Slot>>) -> u64 {
        let envelope = slot.entry.envelope();
        u64::from(self.held().take(&envelope.namespace, &envelope.key, only))
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
        let slot = self.held().find(namespace, key).map(|mut found| {
            found.to_back();
            Arc::clone(found.get())
        });
        let Some(slot) = slot else {
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
        let Envelope { namespace, key, .. } = entry.envelope();
        let (bytes, now) = (weight(entry), self.steady());
        let slot = Slot {
            entry: entry.clone(),
            since: now,
            asked_below: AtomicU64::new(now),
            accesses: AtomicU64::new(0),
            last_access: AtomicU64::new(0),
        };
        let mut held = self.held();
        if bytes > self.limits.bytes {
            held.take(namespace, key, None);
            return Err(TierError::new(
                TierErrorKind::TooLarge,
                format!(
                    "the entry takes {bytes} bytes, the memory tier has {}",
                    self.limits.bytes
                ),
            ));
        }
        let older = held.slots.insert((*namespace, key.clone()), Arc::new(slot));
        held.bytes -= older.map_or(0, |older| weight(&older.entry));
        held.bytes += bytes;
        while (held.slots.len() as u64 > self.limits.entries || held.bytes > self.limits.bytes)
            && let Some((_, oldest)) = held.slots.pop_front()
        {
            held.bytes -= weight(&oldest.entry);
            held.evictions += 1;
        }
        Ok(Receipt {
            bytes,
            ..Receipt::default()
        })
    }

    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError> {
        Ok(self.held().take(namespace, key, None))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let (now, steady) = (self.clock.now(), self.steady());
        for slot in self.slots() {
            let envelope = slot.entry.envelope();
            if envelope.namespace != *namespace || !envelope.key.starts_with(prefix) {
                continue;
            }
            let accesses = slot.accesses.load(Ordering::Relaxed);
            let ago = Duration::from_nanos(
                steady.saturating_sub(slot.last_access.load(Ordering::Relaxed)),
            );
            let listed = Listed {
                bytes: weight(&slot.entry),
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
        // Only the slots that were looked at: they may have been replaced since.
        let slots = self.slots().into_iter().filter(|slot| expired(slot));
        Ok(slots.map(|slot| self.take(&slot, Some(&slot))).sum())
    }

    fn size(&self) -> Result<Size, TierError> {
        let held = self.held();
        Ok(Size {
            entries: held.slots.len() as u64,
            bytes: held.bytes,
        })
    }

    fn health(&self) -> Health {
        Health {
            ok: true,
            message: format!("in memory, at most {} bytes", self.limits.bytes),
        }
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn evictions(&self) -> u64 {
        self.held().evictions
    }

    fn remove_matching(&self, namespace: &Namespace, pattern: &Pattern) -> Result<u64, TierError> {
        let is_meant = |slot: &Arc<Slot>| {
            let envelope = slot.entry.envelope();
            envelope.namespace == *namespace && pattern.matches(&envelope.key)
        };
        let slots = self.slots().into_iter().filter(is_meant);
        Ok(slots.map(|slot| self.take(&slot, None)).sum())
    }
}

fn weight(entry: &Entry) -> u64 {
    OVERHEAD + entry.envelope().key.as_str().len() as u64 + entry.payload().len() as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
