//! What a caching client has done, in numbers. With the feature `metrics` each is also a counter of that
//! facade. What the tiers did is counted by the cache itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`CachedClient`](super::CachedClient) has done since it was made.
///
/// Each attempt of the SDK counts, a retry too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// Reads answered without a request of their own: from the cache, or with what another caller asked for
    /// at the same time.
    pub answered: u64,
    /// Reads sent to the service.
    pub asked: u64,
    /// Of those, the ones whose answer was not kept: an error, a stream, too large, on its way.
    pub not_kept: u64,
    /// Reads that went past the cache: told so, or signed by nobody they could be kept for. Those that the
    /// rules call secret are not counted.
    pub passed: u64,
    /// Writes sent.
    pub writes: u64,
    /// Of those, the ones with an outcome in doubt: an error of the server or of the connection, or a
    /// caller who did not wait.
    pub in_doubt: u64,
    /// Entries that writes dropped.
    pub dropped: u64,
}

macro_rules! counts {
    ($($field:ident: $name:literal),* $(,)?) => {
        #[derive(Debug)]
        pub(super) struct Counts { $(pub(super) $field: Count,)* }

        impl Counts {
            pub(super) fn new() -> Self {
                Self { $($field: Count::new($name),)* }
            }

            pub(super) fn snapshot(&self) -> ClientStatistics {
                ClientStatistics { $($field: self.$field.value.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    answered: "aws_client_answered_total",
    asked: "aws_client_asked_total",
    not_kept: "aws_client_not_kept_total",
    passed: "aws_client_passed_total",
    writes: "aws_client_writes_total",
    in_doubt: "aws_client_in_doubt_total",
    dropped: "aws_client_dropped_total",
}

/// One number that grows.
pub(super) struct Count {
    value: AtomicU64,
    #[cfg(feature = "metrics")]
    metric: metrics::Counter,
}

impl std::fmt::Debug for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}

impl Count {
    fn new(name: &'static str) -> Self {
        #[cfg(not(feature = "metrics"))]
        let _ = name;
        Self {
            value: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            metric: metrics::counter!(name),
        }
    }

    pub(super) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.metric.increment(more);
    }

    pub(super) fn one(&self) {
        self.add(1);
    }
}
