//! Injected time. Only [`SystemClock`] reads the clocks of the operating system.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A source of time: a wall clock, which may jump, and a steady one, which does not.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock, for the times in entries.
    fn now(&self) -> SystemTime;

    /// The time since an arbitrary origin, which never steps back. For breakers and lifetimes in memory.
    fn steady(&self) -> Duration;

    /// Both at once, for the hot path. A jump of the wall clock may appear some milliseconds late.
    fn moment(&self) -> Moment {
        Moment {
            wall: self.now(),
            steady: self.steady(),
        }
    }
}

/// The time of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: SystemTime,
    /// The steady clock.
    pub steady: Duration,
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> SystemTime {
        (**self).now()
    }

    fn steady(&self) -> Duration {
        (**self).steady()
    }

    fn moment(&self) -> Moment {
        (**self).moment()
    }
}

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn steady(&self) -> Duration {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        ORIGIN.get_or_init(Instant::now).elapsed()
    }

    /// Reads the coarse clocks, which are up to a few milliseconds late. The precise ones would take a
    /// third of the time of a memory hit.
    #[cfg(all(target_os = "linux", feature = "files"))]
    fn moment(&self) -> Moment {
        use nix::time::{ClockId, clock_gettime};
        static ORIGIN: OnceLock<Duration> = OnceLock::new();
        let read = |clock| clock_gettime(clock).ok().map(Duration::from);
        let steady = read(ClockId::CLOCK_MONOTONIC_COARSE);
        let wall = read(ClockId::CLOCK_REALTIME_COARSE);
        let Some((steady, wall)) = steady.zip(wall) else {
            return Moment {
                wall: self.now(),
                steady: self.steady(),
            };
        };
        // The origin of `steady()`, on this clock.
        let origin = ORIGIN.get_or_init(|| steady.saturating_sub(self.steady()));
        Moment {
            wall: UNIX_EPOCH + wall,
            steady: steady.saturating_sub(*origin),
        }
    }
}

/// A clock for tests that stands still until it is moved. Clones share the time.
///
/// ```
/// use bedrock_catalog_cache::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now().duration_since(before).unwrap(), Duration::from_secs(60));
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Hands>);

/// Both in nanoseconds: the wall clock since 1970, the steady one since the clock was made.
#[derive(Debug)]
struct Hands {
    wall: AtomicU64,
    steady: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at 2026-01-01T00:00:00Z.
    #[must_use]
    pub fn new() -> Self {
        Self::at(UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }

    /// A clock that stands at `wall`; before 1970 counts as 1970, after 2554 as 2554.
    #[must_use]
    pub fn at(wall: SystemTime) -> Self {
        Self(Arc::new(Hands {
            wall: AtomicU64::new(nanos(wall)),
            steady: AtomicU64::new(0),
        }))
    }

    /// Moves both clocks forward.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let add = |hand: &AtomicU64| {
            let _ = hand.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |v| {
                Some(v.saturating_add(by))
            });
        };
        add(&self.0.wall);
        add(&self.0.steady);
    }

    /// Sets the wall clock, forward or back, as an administrator or NTP does. The steady clock stays.
    pub fn set(&self, wall: SystemTime) {
        self.0.wall.store(nanos(wall), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.0.wall.load(Ordering::SeqCst))
    }

    fn steady(&self) -> Duration {
        Duration::from_nanos(self.0.steady.load(Ordering::SeqCst))
    }
}

fn nanos(wall: SystemTime) -> u64 {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_agrees_with_both_clocks_within_milliseconds() {
        let near = Duration::from_secs(2); // The machine may be busy.
        for _ in 0..1_000 {
            let (wall, steady) = (SystemClock.now(), SystemClock.steady());
            let moment = SystemClock.moment();
            assert!(moment.wall + near > wall && moment.wall < wall + near);
            assert!(moment.steady + near > steady && moment.steady < steady + near);
        }
    }
}
