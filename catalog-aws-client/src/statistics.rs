//! The counts of a caching client. With the feature `metrics` each is also a counter of that facade. The
//! cache counts the work of its tiers itself.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counts of a [`CachedClient`](crate::CachedClient) since it was built.
///
/// Each attempt of the SDK counts, also a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// Reads answered without a request of their own: from the cache, or with the response to another
    /// caller of the same moment.
    pub hits: u64,
    /// Reads sent to the service.
    pub misses: u64,
    /// Misses whose response was not stored: an error, a stream, too large, a secret, a resource that is
    /// changing.
    pub not_stored: u64,
    /// Reads that went past the cache: with [`NoCache`](crate::NoCache), of a waiter, or of callers
    /// without a namespace. Operations that the rules do not cache are not counted.
    pub bypassed: u64,
    /// Writes sent.
    pub writes: u64,
    /// Writes with an uncertain outcome: an error of the service or of the connection, a timeout, or a
    /// caller that did not wait.
    pub uncertain_writes: u64,
    /// Entries that writes invalidated.
    pub invalidated: u64,
}

macro_rules! counts {
    ($($field:ident: $name:literal),* $(,)?) => {
        #[derive(Debug)]
        pub(crate) struct Counts { $(pub(crate) $field: Count,)* }

        impl Counts {
            pub(crate) fn new() -> Self {
                Self { $($field: Count::new($name),)* }
            }

            pub(crate) fn snapshot(&self) -> ClientStatistics {
                ClientStatistics { $($field: self.$field.value.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    hits: "aws_client_hits_total",
    misses: "aws_client_misses_total",
    not_stored: "aws_client_not_stored_total",
    bypassed: "aws_client_bypassed_total",
    writes: "aws_client_writes_total",
    uncertain_writes: "aws_client_uncertain_writes_total",
    invalidated: "aws_client_invalidated_total",
}

/// A number that grows.
pub(crate) struct Count {
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
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables))]
    fn new(name: &'static str) -> Self {
        Self {
            value: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            metric: metrics::counter!(name),
        }
    }

    pub(crate) fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.metric.increment(more);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }
}
