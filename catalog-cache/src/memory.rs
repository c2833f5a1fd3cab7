//! The memory tier: bounded by entries and by bytes, the least recently used entry is evicted first.
//! It holds entries as they are, neither encoded nor compressed.

use std::fmt;
use std::hash::BuildHasher;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use foldhash::quality::RandomState;
use hashlink::LinkedHashMap;
use hashlink::linked_hash_map::{RawEntryMut, RawOccupiedEntryMut};

use crate::invalidation::Id;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::tier::{Found, Tier, TierStatus, Written};
use crate::{
    Clock, Deadline, Entry, EntryInfo, Envelope, Key, Namespace, Pattern, TierError, TierErrorKind,
};

/// The approximate size of an entry without its key and payload, in bytes.
const OVERHEAD: u64 = 256;

const REVALIDATE_AFTER: Duration = Duration::from_secs(3600);

/// The bounds of the memory tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimits {
    /// The largest number of entries. Default 1,000.
    pub entries: u64,
    /// The largest size of keys, payloads and their administration, in bytes. Default 64 MiB. An entry
    /// larger than this is not stored.
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

/// The tier in memory. A read holds its lock for one lookup and one step to the end of a list.
#[derive(Debug)]
pub struct MemoryTier {
    held: Mutex<Held>,
    clock: Arc<dyn Clock>,
    limits: MemoryLimits,
    /// Nanoseconds.
    revalidate_after: AtomicU64,
    /// The number of gaps in the notifications of other processes' changes.
    gaps: AtomicU64,
}

struct Held {
    /// The least recently used first.
    slots: LinkedHashMap<Id, Arc<Slot>, RandomState>,
    bytes: u64,
    evictions: u64,
}

/// Without the entries: they do not belong in logs.
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

    /// Removes the slot of this key, or only this very slot.
    fn take(&mut self, namespace: &Namespace, key: &Key, only: Option<&Arc<Slot>>) -> bool {
        let found = self.find(namespace, key);
        let found = found.filter(|found| only.is_none_or(|only| Arc::ptr_eq(only, found.get())));
        let gone = found.map(|found| found.remove());
        self.bytes -= gone.as_ref().map_or(0, |slot| weight(&slot.entry));
        gone.is_some()
    }
}

/// Times are steady, in nanoseconds. The fields that a read writes come first, beside the reference
/// count, which it writes too.
#[derive(Debug)]
#[repr(C)]
struct Slot {
    accesses: AtomicU64,
    last_access: AtomicU64,
    revalidated: AtomicU64,
    since: u64,
    gaps: u64,
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
            revalidate_after: AtomicU64::new(nanos(REVALIDATE_AFTER)),
            gaps: AtomicU64::new(0),
        }
    }

    /// Sets the age of a copy at which one reader asks the tiers below for a newer entry.
    pub(crate) fn set_revalidate_after(&self, after: Duration) {
        self.revalidate_after.store(nanos(after), Ordering::Relaxed);
    }

    /// Records a gap in the notifications. Copies from before are stale: a reader asks the tiers below.
    pub(crate) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Acquire)
    }

    /// Stores an entry that was read from another tier after so many gaps; whether it is stored.
    pub(crate) fn put_as_of(&self, entry: &Entry, gaps: u64) -> bool {
        matches!(self.store(entry, gaps), Ok(Written::Stored { .. }))
    }

    /// [`Tier::get`] at a steady time that the cache has read already.
    #[inline]
    pub(crate) fn get_at(&self, namespace: &Namespace, key: &Key, now: Duration) -> Option<Found> {
        let slot = self.held().find(namespace, key).map(|mut found| {
            found.to_back();
            Arc::clone(found.get())
        })?;
        let now = nanos(now);
        slot.accesses.fetch_add(1, Ordering::Relaxed);
        slot.last_access.store(now, Ordering::Relaxed);
        // One reader wins the exchange and revalidates; the others serve the copy.
        let last = slot.revalidated.load(Ordering::Relaxed);
        let revalidate = now.saturating_sub(last) >= self.revalidate_after.load(Ordering::Relaxed)
            && slot
                .revalidated
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let mut found = Found::new(slot.entry.clone(), None);
        found.resident = Duration::from_nanos(now.saturating_sub(slot.since));
        found.revalidate = revalidate;
        if slot.gaps < self.gaps.load(Ordering::Relaxed) {
            found.resident = found.resident.max(slot.entry.envelope().ttl.fresh_for);
        }
        Some(found)
    }

    fn store(&self, entry: &Entry, gaps: u64) -> Result<Written, TierError> {
        let envelope @ Envelope { namespace, key, .. } = entry.envelope();
        let (bytes, wall, now) = (weight(entry), self.clock.now(), self.steady());
        let slot = Slot {
            entry: entry.clone(),
            since: now,
            gaps,
            revalidated: AtomicU64::new(now),
            accesses: AtomicU64::new(0),
            last_access: AtomicU64::new(0),
        };
        let mut held = self.held();
        if let Some(newer) = held.find(namespace, key)
            && newer.get().entry.envelope().supersedes(envelope, wall)
        {
            return Ok(Written::Superseded(newer.get().entry.clone()));
        }
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
        Ok(Written::Stored {
            path: None,
            bytes,
            saved: 0,
            fallback_from: Vec::new(),
        })
    }

    fn steady(&self) -> u64 {
        nanos(self.clock.steady())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        lock(&self.held)
    }

    /// All slots at this moment; the caller looks at them without the lock.
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

    fn is_local(&self) -> bool {
        true
    }

    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        _deadline: Deadline,
    ) -> Result<Option<Found>, TierError> {
        Ok(self.get_at(namespace, key, self.clock.steady()))
    }

    fn put(&self, entry: &Entry, _deadline: Deadline) -> Result<Written, TierError> {
        self.store(entry, self.gaps())
    }

    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        _deadline: Deadline,
    ) -> Result<u64, TierError> {
        if let Some(key) = pattern.as_exact() {
            return Ok(u64::from(self.held().take(namespace, key, None)));
        }
        let matches = |slot: &Arc<Slot>| {
            let envelope = slot.entry.envelope();
            envelope.namespace == *namespace && pattern.matches(&envelope.key)
        };
        let slots = self.slots().into_iter().filter(matches);
        Ok(slots.map(|slot| self.take(&slot, None)).sum())
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        _deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let (now, steady) = (self.clock.now(), self.steady());
        for slot in self.slots() {
            let envelope = slot.entry.envelope();
            if envelope.namespace != *namespace || !envelope.key.starts_with(prefix) {
                continue;
            }
            let accesses = slot.accesses.load(Ordering::Relaxed);
            let last_access = slot.last_access.load(Ordering::Relaxed);
            let ago = Duration::from_nanos(steady.saturating_sub(last_access));
            let (envelope, _) = slot.entry.clone().into_parts();
            let mut info = EntryInfo::new(envelope, weight(&slot.entry), None);
            info.accesses = Some(accesses);
            info.last_access = (accesses > 0).then(|| now.checked_sub(ago)).flatten();
            if visit(info).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let expired = |slot: &Slot| {
            let envelope = slot.entry.envelope();
            let resident = Duration::from_nanos(self.steady().saturating_sub(slot.since));
            envelope.is_expired(now) || resident >= envelope.ttl.keep_for
        };
        // Only these very slots: a key may have been written again meanwhile.
        let slots = self.slots().into_iter().filter(|slot| expired(slot));
        Ok(slots.map(|slot| self.take(&slot, Some(&slot))).sum())
    }

    fn status(&self) -> TierStatus {
        let held = self.held();
        TierStatus {
            ok: true,
            message: format!("in memory, at most {} bytes", self.limits.bytes),
            entries: Some(held.slots.len() as u64),
            bytes: Some(held.bytes),
        }
    }

    fn evictions(&self) -> u64 {
        self.held().evictions
    }
}

fn weight(entry: &Entry) -> u64 {
    OVERHEAD + entry.envelope().key.as_str().len() as u64 + entry.payload().len() as u64
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
