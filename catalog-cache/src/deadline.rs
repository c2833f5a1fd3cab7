//! The time until which a call may wait.

use std::time::{Duration, Instant};

/// The latest time at which a call returns. Passed down to every tier that the call asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit: each tier applies its own.
    pub const NONE: Self = Self(None);

    /// This long from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// The time left; `None` without a limit, zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Option<Duration> {
        self.0
            .map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// The time left, at most `limit`.
    #[must_use]
    pub fn at_most(self, limit: Duration) -> Duration {
        self.remaining().map_or(limit, |left| left.min(limit))
    }

    /// Whether it has passed.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }
}
