//! A tier in its place in the cache, with its breaker, its statistics and its log lines.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::breaker::Breaker;
use crate::invalidation::{Change, Id, InvalidationLog, Stamp, TierSet};
use crate::statistics::TierCounts;
use crate::sync::{Mutex, lock};
use crate::tier::{Acquired, FencingToken, Found, Tier, Written};
use crate::{
    BreakerLimits, Clock, Deadline, Entry, Key, Namespace, Pattern, TierError, TierErrorKind,
};

/// The time limits of one call of the cache, over all tiers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) deadline: Deadline,
    /// The tiers that timed out during this call. They are not called again.
    pub(crate) timed_out: TierSet,
    /// The tiers whose failure during this call was logged as a warning.
    warned: TierSet,
}

impl Call {
    const READ: Duration = Duration::from_millis(500);
    const WRITE: Duration = Duration::from_secs(2);
    const REMOVE: Duration = Duration::from_secs(30);

    fn within(limit: Duration) -> Self {
        Self {
            deadline: Deadline::after(limit),
            timed_out: TierSet::default(),
            warned: TierSet::default(),
        }
    }

    pub(crate) fn read() -> Self {
        Self::within(Self::READ)
    }

    pub(crate) fn write() -> Self {
        Self::within(Self::WRITE)
    }

    /// For calls that look through all entries of a tier.
    pub(crate) fn remove() -> Self {
        Self::within(Self::REMOVE)
    }

    /// The next step of the same call, as long as a first one.
    pub(crate) fn then(&self, next: Self) -> Self {
        Self {
            deadline: next.deadline,
            ..*self
        }
    }

    /// The next step, after the caller's own work: tiers that timed out are called again.
    pub(crate) fn retry_all(&self, next: Self) -> Self {
        Self {
            deadline: next.deadline,
            timed_out: TierSet::default(),
            ..*self
        }
    }
}

#[derive(Debug)]
pub(crate) struct TierSlot {
    pub(crate) index: usize,
    pub(crate) tier: Arc<dyn Tier>,
    pub(crate) breaker: Breaker,
    pub(crate) counts: TierCounts,
    pub(crate) is_local: bool,
    /// Whether the tier may hold an entry after a write of its key has failed.
    can_miss: bool,
    clock: Arc<dyn Clock>,
    log: Arc<InvalidationLog>,
    /// Whether the current fault was logged as a warning already.
    is_failing: AtomicBool,
    is_falling_back: AtomicBool,
    /// The message of the last failure.
    failure: Mutex<Option<String>>,
}

/// The outcome of a write for the tiers above.
#[derive(Debug)]
pub(crate) enum Put {
    Stored {
        path: Option<PathBuf>,
        bytes: u64,
    },
    /// Another process wrote this entry later.
    Superseded(Entry),
    /// Another process removed the key meanwhile.
    Removed,
    Failed,
}

impl TierSlot {
    pub(crate) fn new(
        index: usize,
        tier: Arc<dyn Tier>,
        can_miss: bool,
        cache: &str,
        limits: BreakerLimits,
        clock: Arc<dyn Clock>,
        log: Arc<InvalidationLog>,
    ) -> Self {
        Self {
            index,
            breaker: Breaker::new(limits),
            counts: TierCounts::new(cache, Some(tier.name())),
            is_local: tier.is_local(),
            tier,
            can_miss,
            clock,
            log,
            is_failing: AtomicBool::new(false),
            is_falling_back: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.tier.name()
    }

    pub(crate) fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    /// Calls the tier, unless its breaker is open or it has no time left. `None` where it was not called
    /// or failed; both are counted and logged here.
    fn call<R>(
        &self,
        action: &'static str,
        subject: &dyn Display,
        call: &mut Call,
        work: impl FnOnce(&dyn Tier, Deadline) -> Result<R, TierError>,
    ) -> Option<R> {
        let has_time =
            self.is_local || !(call.timed_out.contains(self.index) || call.deadline.is_over());
        let pass = has_time.then(|| self.breaker.admit(|| self.clock.steady()));
        let Some(pass) = pass.flatten() else {
            self.counts.skipped.one();
            tracing::debug!(tier = self.name(), action, %subject, "cache tier skipped");
            return None;
        };
        match work(self.tier.as_ref(), call.deadline) {
            Ok(result) => {
                pass.succeeded();
                if self.is_failing.load(Ordering::Relaxed) {
                    self.is_failing.store(false, Ordering::Relaxed);
                    tracing::info!(tier = self.name(), "the cache tier works again");
                }
                Some(result)
            }
            Err(error) => {
                if error.kind() == TierErrorKind::Timeout {
                    call.timed_out.insert(self.index);
                }
                match error.is_tier_failure() {
                    true => pass.failed(self.clock.steady()),
                    false => pass.succeeded(),
                }
                self.report(action, subject, &error, call);
                None
            }
        }
    }

    /// Counts and logs a failure. A fault of the tier is one warning until the tier works again; a fault of
    /// an entry is one in each call.
    fn report(
        &self,
        action: &'static str,
        subject: &dyn Display,
        error: &TierError,
        call: &mut Call,
    ) {
        self.counts.errors.one();
        let path = error.path().map(|path| path.display().to_string());
        let is_fault = error.is_tier_failure();
        let is_foreign = error.kind() == TierErrorKind::Foreign;
        if !is_foreign {
            *lock(&self.failure) = Some(error.to_string());
        }
        let is_known = is_fault && self.is_failing.swap(true, Ordering::Relaxed);
        let is_quiet = is_foreign || is_known || call.warned.contains(self.index);
        if !is_quiet {
            call.warned.insert(self.index);
        }
        if is_quiet {
            tracing::debug!(tier = self.name(), action, %subject, path, %error, "cache tier failed");
        } else if is_fault {
            tracing::warn!(tier = self.name(), action, %subject, path, %error, "a cache tier failed; the cache continues without it");
        } else {
            tracing::warn!(tier = self.name(), action, %subject, path, %error, "a cache entry cannot be used");
        }
    }

    /// The tier's entry, unless the tier missed a later change of it.
    pub(crate) fn get(&self, namespace: &Namespace, key: &Key, call: &mut Call) -> Option<Found> {
        let get = |tier: &dyn Tier, deadline| {
            let found = tier.get(namespace, key, deadline)?;
            match &found {
                Some(other) if !is_entry_of(&other.entry, namespace, key) => Err(TierError::new(
                    TierErrorKind::Foreign,
                    "the tier returned an entry of another namespace or key",
                )),
                _ => Ok(found),
            }
        };
        let hidden_before = self.log.hidden_before(self.index, namespace, key);
        let found = self.call("get", key, call, get)??;
        let stamp = Stamp::of_write(found.entry.envelope().written_at);
        hidden_before
            .is_none_or(|before| stamp >= before)
            .then_some(found)
    }

    /// Stores an entry. A tier that fails hides its older entry from now on.
    pub(crate) fn put(&self, entry: &Entry, fence: Option<FencingToken>, call: &mut Call) -> Put {
        let envelope = entry.envelope();
        let id = (envelope.namespace, envelope.key.clone());
        let put = |tier: &dyn Tier, deadline| match (fence, tier.coordinator()) {
            (Some(token), Some(coordinator)) => coordinator.put_if_current(entry, token, deadline),
            _ => tier.put(entry, deadline),
        };
        let put = match self.call("put", &envelope.key, call, put) {
            Some(Written::Stored {
                path,
                bytes,
                saved,
                fallback_from,
            }) => {
                self.counts.writes.one();
                self.counts.bytes_written.add(bytes);
                self.counts.bytes_saved.add(saved);
                self.report_fallback(&envelope.key, path.as_ref(), &fallback_from);
                Put::Stored { path, bytes }
            }
            Some(Written::Superseded(newer)) => Put::Superseded(newer),
            Some(Written::Removed) => Put::Removed,
            None => {
                let stamp = Stamp::after_write(envelope.written_at);
                let (pattern, tiers) = (Pattern::exact(&id.1), TierSet::one(self.index));
                if self.can_miss {
                    self.log
                        .append(id.0, pattern, Change::Written, stamp, tiers);
                }
                return Put::Failed;
            }
        };
        self.log.settle(&id, self.index);
        put
    }

    fn report_fallback(&self, key: &Key, path: Option<&PathBuf>, failed: &[TierError]) {
        let path = path.map(|path| path.display().to_string());
        let was_falling_back = self
            .is_falling_back
            .swap(!failed.is_empty(), Ordering::Relaxed);
        for error in failed {
            let tried = error.path().map(|path| path.display().to_string());
            if was_falling_back {
                tracing::debug!(tier = self.name(), %key, tried, path, %error, "cache entry written to a fallback");
            } else {
                tracing::warn!(tier = self.name(), %key, tried, path, %error, "the cache writes to a fallback");
            }
        }
        if failed.is_empty() {
            tracing::debug!(tier = self.name(), %key, path, "cache entry written");
        }
    }

    /// Copies an entry from another tier; whether it was stored, `None` where the tier failed.
    pub(crate) fn copy(&self, entry: &Entry, call: &mut Call) -> Option<bool> {
        let envelope = entry.envelope();
        let put = |tier: &dyn Tier, deadline| tier.put(entry, deadline);
        let written = self.call("copy", &envelope.key, call, put)?;
        Some(matches!(written, Written::Stored { .. }))
    }

    /// Removes matching entries, and returns their number; `None` where some may be left.
    pub(crate) fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        call: &mut Call,
    ) -> Option<u64> {
        let remove = |tier: &dyn Tier, deadline| tier.remove(namespace, pattern, deadline);
        let removed = self.call("remove", pattern, call, remove);
        if removed.is_none() {
            self.counts.incomplete.one();
        }
        removed
    }

    /// Removes an entry written before this, unless a write replaced it; whether none is left.
    pub(crate) fn remove_before(
        &self,
        (namespace, key): &Id,
        stamp: Stamp,
        change: Change,
        call: &mut Call,
    ) -> bool {
        let get = |tier: &dyn Tier, deadline| tier.get(namespace, key, deadline);
        let Some(found) = self.call("get", key, call, get) else {
            return false;
        };
        let is_older = |found: &Found| Stamp::of_write(found.entry.envelope().written_at) < stamp;
        let pattern = Pattern::exact(key);
        !found.as_ref().is_some_and(is_older)
            || (change == Change::Removed && self.remove(namespace, &pattern, call).is_some())
    }

    /// Makes a call that is about all keys.
    pub(crate) fn call_all_keys<R>(
        &self,
        action: &'static str,
        call: &mut Call,
        work: impl FnOnce(&dyn Tier, Deadline) -> Result<R, TierError>,
    ) -> Option<R> {
        self.call(action, &"*", call, work)
    }

    /// Tries to acquire the lease of a key; `None` where the tier has no leases or failed.
    pub(crate) fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        ttl: Duration,
        call: &mut Call,
    ) -> Option<Acquired> {
        self.tier.coordinator()?;
        let acquire = |tier: &dyn Tier, deadline| {
            let leases = tier.coordinator();
            leases
                .map(|leases| leases.try_lease(namespace, key, ttl, deadline))
                .transpose()
        };
        self.call("lease", key, call, acquire)?
    }
}

fn is_entry_of(entry: &Entry, namespace: &Namespace, key: &Key) -> bool {
    let envelope = entry.envelope();
    envelope.namespace == *namespace && envelope.key == *key
}
