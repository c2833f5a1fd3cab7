//! When to make up for what a tier was not told to remove: as soon as it answers again, so that other
//! processes that share it do not read it for long. On another thread, for a turn may be long in coming.
//! This file may not know what was missed.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::core::Inner;
use super::doubt::{Doubt, Missed};
use super::entry::duration_millis;
use super::level::Level;

/// So long after a try that failed: it may have been a long scan. A cleanup does not wait for it.
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(60);

const NOTHING: u64 = u64::MAX;
const AT_WORK: u64 = u64::MAX - 1;

/// Starts the making up on another thread.
type Start = Box<dyn Fn() + Send + Sync>;

/// Whether a tier is owed removals.
pub(super) struct Owed {
    /// From when on it may be told, in milliseconds of steady time; or one of the constants above.
    from: AtomicU64,
    start: OnceLock<Start>,
}

impl Default for Owed {
    fn default() -> Self {
        Self {
            from: AtomicU64::new(NOTHING),
            start: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owed").field(&self.from).finish()
    }
}

impl Owed {
    pub(super) fn start_with(&self, start: impl Fn() + Send + Sync + 'static) {
        let _ = self.start.set(Box::new(start));
    }

    /// From now on nothing is made up for but by cleanups.
    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn never(&self) {
        self.from.store(AT_WORK, Ordering::Release);
    }

    /// Whether the tier missed a removal that has not been made up for.
    pub(super) fn is_any(&self) -> bool {
        self.from.load(Ordering::Acquire) != NOTHING
    }

    /// The tier missed a removal, of which there is a doubt already.
    pub(super) fn missed(&self) {
        self.from(0);
    }

    fn from(&self, from: u64) {
        let nothing_yet = |was| (was == NOTHING).then_some(from);
        let _ = self
            .from
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, nothing_yet);
    }

    /// The tier answers.
    #[inline]
    pub(super) fn answered(&self, now: impl FnOnce() -> Duration) {
        let from = self.from.load(Ordering::Acquire);
        if from < AT_WORK {
            self.begin(from, now());
        }
    }

    #[cold]
    fn begin(&self, from: u64, now: Duration) {
        let Some(start) = self.start.get() else {
            return;
        };
        let is_first = || {
            let begun =
                self.from
                    .compare_exchange(from, AT_WORK, Ordering::AcqRel, Ordering::Acquire);
            begun.is_ok()
        };
        if duration_millis(now) >= from && is_first() {
            start();
        }
    }
}

impl Inner {
    /// Tells a level what it was not told to remove, until it fails.
    pub(super) fn make_up(&self, level: usize) {
        let Some(level) = self.levels.get(level) else {
            return;
        };
        let removals = || {
            let all = level.doubts.all().into_iter();
            all.filter(|doubt| doubt.missed() == Missed::Removal)
        };
        // Also those that come meanwhile.
        while let Some(doubt) = removals().next()
            && self.heal(level, &doubt)
        {}
        level.owed.from.store(NOTHING, Ordering::Release);
        // In this order: what is missed from here on is noted by who misses it.
        if removals().next().is_some() {
            let again = self.clock.steady().saturating_add(AGAIN_AFTER);
            level.owed.from(duration_millis(again).min(AT_WORK - 1));
        }
    }

    /// Takes up a doubt in a turn, so that what was read before is not promoted after; whether it is over.
    pub(super) fn heal(&self, level: &Level, doubt: &Doubt) -> bool {
        let mut is_over = true;
        let heal = || {
            level.doubts.heal(doubt, |doubt| {
                is_over = level.heal(doubt);
                is_over
            });
        };
        if let Some(key) = doubt.pattern().as_exact() {
            let name = (*doubt.namespace(), key.clone());
            self.order.write(std::slice::from_ref(&name), heal);
        } else {
            let covered = doubt.clone();
            let is_covered = move |(namespace, key): &_| covered.covers(namespace, key);
            self.order.write_matching(is_covered, heal);
        }
        is_over
    }
}
