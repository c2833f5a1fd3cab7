//! The invalidation log: what was removed or replaced, and when.
//!
//! Varnish calls the same thing a ban list. Three readers use it:
//! - A computation or a promotion takes a [`Watch`] when it starts. Its result is stored only if no later
//!   record matches its key.
//! - A hit in a tier that missed a removal or a write is ignored if it is older than the record.
//! - Cleanup repeats the removals that failed.
//!
//! Records that no reader needs are dropped at once, so the log is empty most of the time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

use foldhash::quality::RandomState;

use crate::entry::{CLOCK_SKEW, duration_millis, from_millis, to_millis};
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering, lock};
use crate::{Key, Namespace, Pattern};

/// The name of an entry in the whole cache.
pub(crate) type Id = (Namespace, Key);

/// The number of records before the oldest are dropped or widened.
const MAX_RECORDS: usize = 1024;

/// A set of tiers, by index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TierSet(u64);

impl TierSet {
    /// The number of tiers a cache may have.
    pub(crate) const MAX: usize = u64::BITS as usize;

    pub(crate) fn one(index: usize) -> Self {
        Self(u32::try_from(index).map_or(0, |index| 1_u64.checked_shl(index).unwrap_or(0)))
    }

    /// The tiers before this index.
    pub(crate) fn above(index: usize) -> Self {
        Self(Self::one(index).0.wrapping_sub(1))
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        self.0 & Self::one(index).0 != 0
    }

    pub(crate) fn insert(&mut self, index: usize) {
        self.0 |= Self::one(index).0;
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.0 &= !Self::one(index).0;
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
}

/// A moment in the order of writes and invalidations: twice the milliseconds since 1970, odd for an
/// invalidation. So an invalidation lies between the writes of its own millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    pub(crate) fn of_write(written_at: SystemTime) -> Self {
        Self(2 * to_millis(written_at))
    }

    /// After every write of that time.
    pub(crate) fn after_write(written_at: SystemTime) -> Self {
        Self(2 * to_millis(written_at) + 1)
    }
}

/// The source of stamps. Times do not step back with the wall clock, as long as it steps back by less
/// than [`CLOCK_SKEW`]: shared tiers order the writes of this process by them.
#[derive(Debug, Default)]
pub(crate) struct Stamps(AtomicU64);

impl Stamps {
    /// The time to put into an entry that is written now.
    pub(crate) fn written_at(&self, now: SystemTime) -> SystemTime {
        let stamp = self.next(now, |last| last.next_multiple_of(2));
        from_millis(stamp / 2).unwrap_or(SystemTime::UNIX_EPOCH)
    }

    /// An invalidation now.
    pub(crate) fn invalidation(&self, now: SystemTime) -> Stamp {
        Stamp(self.next(now, |last| last | 1))
    }

    fn next(&self, now: SystemTime, following: impl Fn(u64) -> u64) -> u64 {
        let (now, skew) = (2 * to_millis(now), 2 * duration_millis(CLOCK_SKEW));
        let next = |last: u64| match last.saturating_sub(now) {
            ahead if ahead > skew => following(now),
            _ => following(last.max(now)),
        };
        let update = |last| Some(next(last));
        match self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, update)
        {
            Ok(last) | Err(last) => next(last),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Matching entries were removed. Tiers that missed it are to remove them later.
    Removed,
    /// A newer entry was written. Tiers that missed it keep theirs, as the last good one for others.
    Written,
}

#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) namespace: Namespace,
    pub(crate) pattern: Pattern,
    pub(crate) change: Change,
    pub(crate) sequence: u64,
    /// Entries written before this are concerned.
    pub(crate) stamp: Stamp,
    /// The tiers that may still hold such entries.
    pub(crate) pending: TierSet,
}

impl Record {
    fn matches(&self, namespace: &Namespace, key: &Key) -> bool {
        self.namespace == *namespace && self.pattern.matches(key)
    }

    /// Whether this record, with the later stamp of both, says all that an older one says.
    fn replaces(&self, older: &Self) -> bool {
        older.pending.is_within(self.pending)
            && older.change == self.change
            && older.namespace == self.namespace
            && older.pattern == self.pattern
    }
}

#[derive(Debug, Default)]
pub(crate) struct InvalidationLog {
    state: Mutex<State>,
    /// Whether any record is pending in a tier; read without the lock.
    has_pending: AtomicBool,
    removals: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    sequence: u64,
    /// Records up to this sequence were dropped although a watch may need them.
    dropped: u64,
    records: VecDeque<Record>,
    /// The number of watches by key.
    watches: HashMap<Id, usize, RandomState>,
}

impl InvalidationLog {
    /// The number of removals so far.
    pub(crate) fn generation(&self) -> u64 {
        self.removals.load(Ordering::Acquire)
    }

    /// Records a change that `pending` tiers have to follow.
    pub(crate) fn append(
        &self,
        namespace: Namespace,
        pattern: Pattern,
        change: Change,
        stamp: Stamp,
        pending: TierSet,
    ) -> Record {
        if change == Change::Removed {
            self.removals.fetch_add(1, Ordering::AcqRel);
        }
        let mut state = lock(&self.state);
        state.sequence += 1;
        let mut record = Record {
            namespace,
            pattern,
            change,
            sequence: state.sequence,
            stamp,
            pending,
        };
        state.records.retain(|older| {
            let is_replaced = record.replaces(older);
            if is_replaced {
                record.stamp = record.stamp.max(older.stamp);
            }
            !is_replaced
        });
        state.records.push_back(record.clone());
        self.trim(&mut state);
        record
    }

    /// A tier follows the record now.
    pub(crate) fn done(&self, record: &Record, tier: usize) {
        self.clear(tier, |other| other.sequence == record.sequence);
    }

    /// A tier has a newer entry of this key now: older records of the key do not concern it any more.
    pub(crate) fn settle(&self, id: &Id, tier: usize) {
        if self.has_pending.load(Ordering::Acquire) {
            let is_exact = |record: &Record| record.pattern.as_exact() == Some(&id.1);
            self.clear(tier, |record| record.namespace == id.0 && is_exact(record));
        }
    }

    fn clear(&self, tier: usize, which: impl Fn(&Record) -> bool) {
        let mut state = lock(&self.state);
        for record in state.records.iter_mut().filter(|record| which(record)) {
            record.pending.remove(tier);
        }
        self.trim(&mut state);
    }

    /// Records a write of this key for the watches on it. `own` of them belong to the writer.
    pub(crate) fn wrote(&self, id: &Id, written_at: SystemTime, own: usize) {
        let is_watched = {
            let state = lock(&self.state);
            state.watches.get(id).is_some_and(|watches| *watches > own)
        };
        if is_watched {
            let (namespace, pattern) = (id.0, Pattern::exact(&id.1));
            let stamp = Stamp::of_write(written_at);
            self.append(
                namespace,
                pattern,
                Change::Written,
                stamp,
                TierSet::default(),
            );
        }
    }

    /// Entries of this key that were written before the stamp are older than a change that the tier
    /// missed. To be asked before the tier: its answer may be from before a cleanup.
    #[inline]
    pub(crate) fn hidden_before(
        &self,
        tier: usize,
        namespace: &Namespace,
        key: &Key,
    ) -> Option<Stamp> {
        if !self.has_pending.load(Ordering::Acquire) {
            return None;
        }
        let state = lock(&self.state);
        let records = state.records.iter();
        let missed = records
            .filter(|record| record.pending.contains(tier) && record.matches(namespace, key));
        missed.map(|record| record.stamp).max()
    }

    /// The records that some tier has to follow yet.
    pub(crate) fn pending(&self) -> Vec<Record> {
        if !self.has_pending.load(Ordering::Acquire) {
            return Vec::new();
        }
        let state = lock(&self.state);
        let pending = |record: &&Record| !record.pending.is_empty();
        state.records.iter().filter(pending).cloned().collect()
    }

    /// Starts to watch a key.
    pub(crate) fn watch(self: &Arc<Self>, id: Id) -> Watch {
        let mut state = lock(&self.state);
        *state.watches.entry(id.clone()).or_default() += 1;
        Watch {
            log: Arc::clone(self),
            sequence: state.sequence,
            id,
        }
    }

    /// Drops what no watch and no tier needs, and keeps the rest bounded.
    fn trim(&self, state: &mut State) {
        if state.watches.is_empty() {
            state.records.retain(|record| !record.pending.is_empty());
        }
        while state.records.len() > MAX_RECORDS {
            let idle = |record: &Record| record.pending.is_empty();
            if let Some(oldest) = state.records.iter().position(idle) {
                let dropped = state.records.remove(oldest);
                state.dropped = dropped
                    .map_or(0, |record| record.sequence)
                    .max(state.dropped);
            } else {
                widen(state);
                break;
            }
        }
        let has_pending = state
            .records
            .iter()
            .any(|record| !record.pending.is_empty());
        self.has_pending.store(has_pending, Ordering::Release);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        lock(&self.state).records.len()
    }
}

/// Replaces the records by one per namespace and kind of change, for every key. Their sequences are new:
/// that a tier follows one of the old records does not mean that it follows all.
fn widen(state: &mut State) {
    let mut wide: Vec<Record> = Vec::new();
    for mut record in state.records.drain(..) {
        let same = |other: &&mut Record| {
            other.namespace == record.namespace && other.change == record.change
        };
        if let Some(other) = wide.iter_mut().find(same) {
            other.stamp = other.stamp.max(record.stamp);
            other.pending.0 |= record.pending.0;
        } else {
            state.sequence += 1;
            record.sequence = state.sequence;
            record.pattern = Pattern::all();
            wide.push(record);
        }
    }
    state.records.extend(wide);
}

/// A key that is watched for changes from the moment this was made.
#[derive(Debug)]
pub(crate) struct Watch {
    log: Arc<InvalidationLog>,
    id: Id,
    sequence: u64,
}

impl Watch {
    pub(crate) fn id(&self) -> &Id {
        &self.id
    }

    /// Whether the key was neither written nor invalidated since.
    pub(crate) fn is_current(&self) -> bool {
        let state = lock(&self.log.state);
        let later = state.records.iter().rev();
        let mut later = later.take_while(|record| record.sequence > self.sequence);
        state.dropped <= self.sequence
            && !later.any(|record| record.matches(&self.id.0, &self.id.1))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = lock(&self.log.state);
        if let Some(watches) = state.watches.get_mut(&self.id) {
            *watches -= 1;
            if *watches == 0 {
                state.watches.remove(&self.id);
                self.log.trim(&mut state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn id(n: usize) -> Id {
        (
            Namespace::of(["log"]),
            Key::new("log", "key", &n.to_string()),
        )
    }

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    fn remove(log: &InvalidationLog, pattern: Pattern, stamp: Stamp, tier: usize) -> Record {
        let tiers = TierSet::one(tier);
        log.append(id(0).0, pattern, Change::Removed, stamp, tiers)
    }

    #[test]
    fn an_invalidation_lies_between_the_writes_of_its_millisecond() {
        let stamps = Stamps::default();
        let before = stamps.written_at(at(5));
        let invalidation = stamps.invalidation(at(5));
        assert_eq!(stamps.invalidation(at(5)), invalidation, "no drift");
        let after = stamps.written_at(at(5));
        assert!(Stamp::of_write(before) < invalidation);
        assert!(Stamp::of_write(after) > invalidation);
        assert_eq!((before, after), (at(5), at(6)));
    }

    #[test]
    fn stamps_follow_a_large_step_back_of_the_clock_but_not_a_small_one() {
        let (stamps, late) = (Stamps::default(), 10_000_000);
        stamps.written_at(at(late));
        assert_eq!(stamps.written_at(at(late - 1000)), at(late));
        assert_eq!(stamps.written_at(at(1000)), at(1000));
    }

    #[test]
    fn a_watch_ends_with_a_later_record_of_its_key() {
        let log = Arc::new(InvalidationLog::default());
        let stamp = Stamps::default().invalidation(at(1));
        let (one, other) = (log.watch(id(1)), log.watch(id(2)));
        remove(&log, Pattern::exact(&id(1).1), stamp, 0);
        assert!(!one.is_current() && other.is_current());
        assert!(log.watch(id(1)).is_current());
        log.wrote(&id(2), at(2), 1);
        assert!(other.is_current(), "its own write");
        log.wrote(&id(2), at(2), 0);
        assert!(!other.is_current());
        assert_eq!(log.generation(), 1, "a write is no removal");
    }

    #[test]
    fn a_tier_that_missed_a_removal_hides_older_entries_until_it_follows() {
        let log = InvalidationLog::default();
        let (namespace, key) = id(1);
        let hides = |tier, millis| {
            let hidden = log.hidden_before(tier, &namespace, &key);
            hidden.is_some_and(|before| Stamp::of_write(at(millis)) < before)
        };
        let record = remove(&log, Pattern::under(["log"]), Stamp(2 * 5 + 1), 1);
        assert!(hides(1, 5) && !hides(1, 6) && !hides(0, 5));
        assert_eq!(log.pending().len(), 1);
        log.settle(&(namespace, key.clone()), 1);
        assert!(hides(1, 5), "a range stays pending for its other keys");
        log.done(&record, 1);
        assert!(!hides(1, 5));
        assert_eq!(log.len(), 0);
    }

    #[test]
    fn a_change_replaces_earlier_equal_ones() {
        let log = Arc::new(InvalidationLog::default());
        let watch = log.watch(id(1));
        let pattern = Pattern::exact(&id(1).1);
        remove(&log, pattern.clone(), Stamp(21), 1);
        let again = remove(&log, pattern.clone(), Stamp(11), 1);
        assert_eq!((log.len(), again.stamp), (1, Stamp(21)));
        remove(&log, pattern, Stamp(31), 2);
        assert_eq!(log.len(), 2, "another tier");
        assert!(!watch.is_current());
    }

    #[test]
    fn the_log_is_bounded_and_errs_on_the_safe_side() {
        let log = Arc::new(InvalidationLog::default());
        let watch = log.watch(id(0));
        for n in 1..=MAX_RECORDS + 1 {
            log.append(
                id(0).0,
                Pattern::exact(&id(n).1),
                Change::Removed,
                Stamp(1),
                TierSet::default(),
            );
        }
        assert_eq!(log.len(), MAX_RECORDS);
        assert!(!watch.is_current(), "a record was dropped");
        drop(watch);
        assert_eq!(log.len(), 0);
        for n in 0..=MAX_RECORDS {
            remove(&log, Pattern::exact(&id(n).1), Stamp(11), 1);
        }
        assert_eq!(log.len(), 1, "widened");
        let (namespace, key) = id(MAX_RECORDS * 2);
        assert!(log.hidden_before(1, &namespace, &key).is_some());
    }
}
