//! The time limit of a call, and of each step within it.

use std::time::Duration;

/// The latest time at which a call returns. Without a Tokio runtime there is no timer, and no limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    #[cfg(feature = "aws")]
    at: Option<tokio::time::Instant>,
}

#[cfg(feature = "aws")]
impl Deadline {
    /// This long from now.
    pub(super) fn after(limit: Duration) -> Self {
        let on_tokio = tokio::runtime::Handle::try_current().is_ok();
        Self {
            at: on_tokio.then(|| tokio::time::Instant::now() + limit),
        }
    }

    /// The time left; zero when it has passed.
    pub(super) fn left(self) -> Duration {
        let left =
            |at: tokio::time::Instant| at.saturating_duration_since(tokio::time::Instant::now());
        self.at.map_or(Duration::MAX, left)
    }

    /// The output of `work`; `None` when it takes longer than `at_most`, or than the time left.
    pub(super) async fn limit<T>(
        self,
        at_most: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        match self.at {
            Some(_) => tokio::time::timeout(at_most.min(self.left()), work)
                .await
                .ok(),
            None => Some(work.await),
        }
    }
}

#[cfg(not(feature = "aws"))]
impl Deadline {
    pub(super) fn after(_: Duration) -> Self {
        Self {}
    }

    pub(super) async fn limit<T>(self, _: Duration, work: impl Future<Output = T>) -> Option<T> {
        Some(work.await)
    }
}
