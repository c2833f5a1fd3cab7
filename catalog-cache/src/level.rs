//! One tier in its place in the cache, with all that stands around it: breaker, doubts, counters and
//! log lines. This file may not know the other tiers.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::breaker::{Breaker, BreakerLimits};
use super::doubt::{Doubt, Doubts, Missed, Trust};
use super::healing::Owed;
use super::statistics::TierCounts;
use super::sync::{Mutex, lock};
use super::tier::{Begun, Found, Lease, Receipt, Tier, TierError, TierErrorKind};
use super::{Clock, Entry, Envelope, Key, Namespace, Pattern, Standing};

#[derive(Debug)]
pub(super) struct Level {
    pub(super) tier: Arc<dyn Tier>,
    pub(super) breaker: Breaker,
    pub(super) counts: TierCounts,
    pub(super) doubts: Doubts,
    pub(super) owed: Owed,
    clock: Arc<dyn Clock>,
    is_instant: bool,
    /// Of all operations that did not end in time, the number of the last here.
    late: AtomicU64,
    lates: Lates,
    /// Why an operation of it failed, the last time.
    failure: Mutex<Option<String>>,
}

/// How many operations of a cache did not end in time. What one call has waited for it does not wait for
/// again: later in the same call such a tier is not asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Lates(Arc<AtomicU64>);

/// A moment between two of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(u64);

impl Lates {
    pub(super) fn mark(&self) -> Mark {
        Mark(self.0.load(Ordering::Acquire))
    }

    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }
}

impl Level {
    pub(super) fn new(
        tier: Arc<dyn Tier>,
        cache: &str,
        limits: BreakerLimits,
        clock: Arc<dyn Clock>,
        lates: Lates,
    ) -> Self {
        let counts = TierCounts::new(cache, Some(tier.name()));
        let is_instant = tier.is_instant();
        Self {
            tier,
            breaker: Breaker::new(limits),
            counts,
            doubts: Doubts::default(),
            owed: Owed::default(),
            clock,
            is_instant,
            late: AtomicU64::new(0),
            lates,
            failure: Mutex::new(None),
        }
    }

    /// Whether an operation did not end in time since then, whoever waited for it.
    pub(super) fn was_late_since(&self, mark: Mark) -> bool {
        self.late.load(Ordering::Acquire) > mark.0
    }

    pub(super) fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    pub(super) fn name(&self) -> &'static str {
        self.tier.name()
    }

    /// Asks the tier, if its breaker lets us; `None` where it was not asked or failed, which is
    /// logged here.
    #[inline]
    pub(super) fn call<R>(
        &self,
        action: &'static str,
        of: &dyn std::fmt::Display,
        call: impl FnOnce(&dyn Tier) -> Result<R, TierError>,
    ) -> Option<R> {
        let Some(pass) = self.breaker.admit(|| self.clock.steady()) else {
            self.counts.skipped.one();
            tracing::debug!(tier = self.name(), action, of = %of, "the cache tier is not asked: its breaker is open");
            return None;
        };
        match call(self.tier.as_ref()) {
            Ok(result) => {
                pass.succeeded();
                self.owed.answered(|| self.clock.steady());
                Some(result)
            }
            Err(error) => {
                if error.kind() == TierErrorKind::Timeout {
                    self.late.fetch_max(self.lates.next(), Ordering::AcqRel);
                }
                if error.is_tier_failure() {
                    pass.failed(self.clock.steady());
                } else {
                    pass.succeeded();
                }
                self.failed(action, of, &error);
                None
            }
        }
    }

    fn failed(&self, action: &'static str, of: &dyn std::fmt::Display, error: &TierError) {
        self.counts.errors.one();
        let path = error.path().map(|path| path.display().to_string());
        if error.kind() == TierErrorKind::Foreign {
            tracing::debug!(tier = self.name(), action, of = %of, path, error = %error, "the cache entry is not ours to use");
        } else {
            *lock(&self.failure) = Some(error.to_string());
            tracing::warn!(tier = self.name(), action, of = %of, path, error = %error, "a cache tier failed; going on without it");
        }
    }

    /// Gives a lease back; where the tier is not to be asked, it runs out by itself.
    pub(super) fn give_back(&self, key: &Key, lease: Lease) {
        let mut lease = Some(lease);
        self.call("release", key, |_| {
            lease.take().map_or(Ok(()), Lease::give_back)
        });
        if let Some(lease) = lease {
            lease.leave();
        }
    }

    /// The tier's entry, if it is to be believed.
    #[inline]
    pub(super) fn get(&self, namespace: &Namespace, key: &Key, now: Duration) -> Option<Found> {
        let trust = self.doubts.trust(namespace, key);
        let found = self.call("get", key, |tier| tier.get_at(namespace, key, now))?;
        self.believe(namespace, key, trust, found?)
    }

    pub(super) fn get_many(&self, namespace: &Namespace, keys: &[Key]) -> Vec<Option<Found>> {
        let trusts: Vec<_> = keys
            .iter()
            .map(|key| self.doubts.trust(namespace, key))
            .collect();
        let answers = self.call_many("get", keys, |tier| tier.get_many(namespace, keys));
        keys.iter()
            .zip(trusts)
            .zip(answers)
            .map(|((key, trust), found)| self.believe(namespace, key, trust, found??))
            .collect()
    }

    /// Asks for many at once; `None` for each that the tier was not asked for or failed to do, which is
    /// logged here.
    fn call_many<R>(
        &self,
        action: &'static str,
        of: &[impl std::fmt::Display],
        call: impl FnOnce(&dyn Tier) -> Vec<Result<R, TierError>>,
    ) -> Vec<Option<R>> {
        let many = Many(of.len());
        let all: &dyn std::fmt::Display = match of {
            [one] => one,
            _ => &many,
        };
        let mut done = Vec::with_capacity(of.len());
        let _ = self.call(action, all, |tier| {
            let mut broken = None;
            for (one, answer) in of.iter().zip(call(tier)) {
                done.push(match answer {
                    Ok(answer) => Some(answer),
                    Err(error) if error.is_tier_failure() || of.len() == 1 => {
                        broken = Some(error);
                        None
                    }
                    Err(error) => {
                        self.failed(action, one, &error);
                        None
                    }
                });
            }
            broken.map_or(Ok(()), Err)
        });
        done.resize_with(of.len(), || None);
        done
    }

    #[inline]
    fn believe(
        &self,
        namespace: &Namespace,
        key: &Key,
        trust: Trust,
        found: Found,
    ) -> Option<Found> {
        let envelope = found.entry.envelope();
        // Another entry than was asked for is only possible where entries are read from outside.
        if !self.is_instant && (envelope.namespace != *namespace || envelope.key != *key) {
            let error = TierError::new(
                TierErrorKind::Foreign,
                "the tier answered with an entry of another namespace or key",
            );
            self.failed("get", key, &error);
            return None;
        }
        trust
            .in_what_was_written(envelope.written_at)
            .then_some(found)
    }

    /// Stores the entries, and says of each, by its place among them, what became of it. The older entry of
    /// one that was not stored is not answered by this tier either; it stays, as the last good one for
    /// others. `begun` is when the computation of what is stored began, where one entry was computed. Only
    /// within a turn.
    pub(super) fn put(
        &self,
        entries: &[Entry],
        begun: Option<&Begun>,
        mut then: impl FnMut(usize, Done),
    ) {
        let mut done = |at, entry: &Entry, receipt: Option<Receipt>| {
            let done = receipt.map_or(Done::Missed, |receipt| self.written(entry, receipt));
            self.doubt_what_was_missed(entry, &done);
            then(at, done);
        };
        // Mostly it is one.
        if let [entry] = entries {
            let receipt = self.call("put", &entry.envelope().key, |tier| match begun {
                Some(begun) => tier.put_begun(entry, begun),
                None => tier.put(entry),
            });
            return done(0, entry, receipt);
        }
        let keys: Vec<&Key> = entries.iter().map(|entry| &entry.envelope().key).collect();
        let receipts = self.call_many("put", &keys, |tier| tier.put_many(entries));
        for (at, (entry, receipt)) in entries.iter().zip(receipts).enumerate() {
            done(at, entry, receipt);
        }
    }

    /// As a [`Level::put`] that fails, without asking. Only within a turn.
    pub(super) fn leave_out(&self, entries: &[Entry], mut then: impl FnMut(usize, Done)) {
        self.counts.skipped.one();
        for (at, entry) in entries.iter().enumerate() {
            self.doubt_what_was_missed(entry, &Done::Missed);
            then(at, Done::Missed);
        }
    }

    fn doubt_what_was_missed(&self, entry: &Entry, done: &Done) {
        let envelope = entry.envelope();
        match done {
            Done::Stored(_) | Done::Superseded(_) | Done::Removed => {
                self.doubts.settle(&envelope.namespace, &envelope.key);
            }
            Done::Missed => self.doubts.add(
                envelope.namespace,
                Pattern::exact(&envelope.key),
                Missed::Write(envelope.written_at),
            ),
        }
    }

    fn written(&self, entry: &Entry, receipt: Receipt) -> Done {
        if let Some(newer) = receipt.superseded_by {
            return Done::Superseded(newer);
        }
        if receipt.removed_since {
            return Done::Removed;
        }
        self.counts.writes.one();
        self.counts.bytes_written.add(receipt.bytes);
        self.counts.bytes_saved.add(receipt.saved);
        let key = &entry.envelope().key;
        let path = receipt
            .path
            .as_deref()
            .map(|path| path.display().to_string());
        for tried in &receipt.failed {
            let instead_of = tried.path().map(|path| path.display().to_string());
            tracing::warn!(tier = self.name(), %key, tried = instead_of, path, error = %tried, "the cache entry was written to a fallback");
        }
        if receipt.failed.is_empty() && path.is_some() {
            tracing::info!(tier = self.name(), %key, path, bytes = receipt.bytes, "cache entry written");
        }
        Done::Stored(receipt.path)
    }

    /// Copies an entry from a tier below, unless this one has a later by now: another reader may have
    /// brought it from another process's write; whether it was copied, and `None` where it could not be.
    /// Only within a turn.
    pub(super) fn promote(&self, entry: &Entry) -> Option<bool> {
        let envelope = entry.envelope();
        let (now, mark) = (self.clock.moment(), self.lates.mark());
        let held = self.get(&envelope.namespace, &envelope.key, now.steady);
        let stays = held.is_some_and(|held| held.entry.envelope().supersedes(envelope, now.wall));
        if stays {
            return Some(false);
        }
        if self.was_late_since(mark) {
            return None;
        }
        self.call("promote", &envelope.key, |tier| tier.put(entry))?;
        self.counts.promotions.one();
        self.doubts.settle(&envelope.namespace, &envelope.key);
        Some(true)
    }

    /// Removes what matches of each of these; how many of each. What the tier cannot be told now, it is not
    /// believed later. Where it is tried `again`, a tier that could not do it is not waited for in full any
    /// more. Only within a turn.
    pub(super) fn remove(&self, what: &[(Namespace, Pattern)], again: bool) -> Vec<u64> {
        let is_brief = again && self.owed.is_any();
        let patterns: Vec<&Pattern> = what.iter().map(|(_, pattern)| pattern).collect();
        let ask = |tier: &dyn Tier| tier.invalidate_many(what, is_brief);
        let mut all = self.call_many("remove", &patterns, ask).into_iter();
        let note = |(namespace, pattern): &(Namespace, Pattern)| {
            let removed = all.next().flatten().flatten();
            match (removed, pattern.as_exact()) {
                (None, _) => {
                    self.counts.undone.one();
                    self.doubts
                        .add(*namespace, pattern.clone(), Missed::Removal);
                    self.owed.missed();
                }
                (Some(_), Some(key)) => self.doubts.settle(namespace, key),
                (Some(_), None) => self.doubts.removed(namespace, pattern),
            }
            removed.unwrap_or(0)
        };
        what.iter().map(note).collect()
    }

    /// Makes up for what a doubt is about, if the tier lets us; whether the doubt is over. Only within
    /// a turn of all it covers.
    pub(super) fn heal(&self, doubt: &Doubt) -> bool {
        let (namespace, pattern) = (doubt.namespace(), doubt.pattern());
        self.call("heal", pattern, |tier| match doubt.missed() {
            Missed::Removal | Missed::Others(_) if !doubt.has_exceptions() => {
                tier.invalidate(namespace, pattern).map(|_| true)
            }
            Missed::Removal | Missed::Others(_) => {
                let held = Self::doubted(tier, doubt, |_| true)?;
                for key in held {
                    tier.remove(namespace, &key)?;
                }
                Ok(true)
            }
            // Over when the tier holds nothing that might be taken for the newer.
            Missed::Write(at) => {
                let now = self.clock.now();
                let is_older = |envelope: &Envelope| {
                    envelope.written_at <= at && envelope.standing(now) != Standing::Expired
                };
                Ok(Self::doubted(tier, doubt, is_older)?.is_empty())
            }
        })
        .unwrap_or(false)
    }

    /// The keys the tier holds and the doubt is about.
    fn doubted(
        tier: &dyn Tier,
        doubt: &Doubt,
        also: impl Fn(&Envelope) -> bool,
    ) -> Result<Vec<Key>, TierError> {
        let (namespace, mut keys) = (doubt.namespace(), Vec::new());
        if let Some(key) = doubt.pattern().as_exact() {
            let held = tier.get(namespace, key)?;
            keys.extend(
                held.filter(|held| also(held.entry.envelope()))
                    .map(|_| key.clone()),
            );
            return Ok(keys);
        }
        tier.scan(namespace, doubt.pattern().prefix(), &mut |listed| {
            let envelope = &listed.envelope;
            if doubt.doubts(namespace, &envelope.key) && also(envelope) {
                keys.push(envelope.key.clone());
            }
            ControlFlow::Continue(())
        })?;
        Ok(keys)
    }
}

/// What became of one entry that was to be stored.
#[derive(Debug)]
pub(super) enum Done {
    /// It is there, at this path where the tier has paths.
    Stored(Option<PathBuf>),
    /// A later one of another process is there.
    Superseded(Entry),
    /// Another process removed the key after the computation began.
    Removed,
    /// It is not there.
    Missed,
}

struct Many(usize);

impl std::fmt::Display for Many {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} entries", self.0)
    }
}
