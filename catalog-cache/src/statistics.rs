//! Counters. Each is an atomic of its own and counts each event once, so sums are exact whenever no call is
//! under way. With the feature `metrics` each counter is also one of that facade, for the recorder that is
//! installed when the cache is built.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter.
pub(crate) struct Count {
    value: AtomicU64,
    #[cfg(feature = "metrics")]
    metric: metrics::Counter,
}

impl Count {
    fn new(name: &'static str, cache: &str, tier: Option<&'static str>) -> Self {
        #[cfg(not(feature = "metrics"))]
        let _ = (name, cache, tier);
        Self {
            value: AtomicU64::new(0),
            #[cfg(feature = "metrics")]
            metric: match tier {
                Some(tier) => metrics::counter!(name, "cache" => cache.to_owned(), "tier" => tier),
                None => metrics::counter!(name, "cache" => cache.to_owned()),
            },
        }
    }

    pub(crate) fn add(&self, n: u64) {
        self.value.fetch_add(n, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.metric.increment(n);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.get().fmt(f)
    }
}

/// Defines the counters, their names as metrics, and the snapshot with the same fields, once.
macro_rules! counts {
    ($(#[$meta:meta])* $snapshot:ident / $counts:ident { $($(#[doc = $doc:literal])* $field:ident: $name:literal,)* } + { $($(#[doc = $edoc:literal])* $extra:ident: $type:ty,)* }) => {
        // On cache lines of their own: a hit writes them, and reads the fields beside them.
        #[derive(Debug)]
        #[repr(align(128))]
        pub(crate) struct $counts { $(pub(crate) $field: Count,)* }

        impl $counts {
            pub(crate) fn new(cache: &str, tier: Option<&'static str>) -> Self {
                Self { $($field: Count::new($name, cache, tier),)* }
            }

            pub(crate) fn snapshot(&self, $($extra: $type),*) -> $snapshot {
                $snapshot { $($field: self.$field.get(),)* $($extra,)* }
            }
        }

        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct $snapshot { $($(#[doc = $doc])* pub $field: u64,)* $($(#[doc = $edoc])* pub $extra: $type,)* }
    };
}

counts! {
    /// The statistics of a cache since it was made, over all namespaces.
    Statistics / Counts {
        /// Reads without a usable entry.
        misses: "cache_misses_total",
        /// Reads answered with a stale entry. They count as hits of their tier, too.
        stale: "cache_stale_total",
        /// Loads that returned a value.
        loads: "cache_loads_total",
        /// Loads that failed.
        load_failures: "cache_load_failures_total",
        /// Callers that were served by another caller's load.
        shared: "cache_shared_total",
        /// Values that were loaded but not stored, because their key was written or invalidated meanwhile.
        superseded: "cache_superseded_total",
        /// Entries invalidated, counted in the tier that held the most of them.
        invalidated: "cache_invalidated_total",
    } + {
        /// Each tier, in order.
        tiers: Vec<TierStatistics>,
    }
}

counts! {
    /// The statistics of one tier since the cache was made.
    TierStatistics / TierCounts {
        /// Reads that this tier answered.
        hits: "cache_hits_total",
        /// Entries stored.
        writes: "cache_writes_total",
        /// Entries copied here from another tier.
        promotions: "cache_promotions_total",
        /// Entries found expired, by a read or by cleanup.
        expirations: "cache_expirations_total",
        /// Calls that failed.
        errors: "cache_errors_total",
        /// Removals, cleanups and copies that were requested and failed.
        incomplete: "cache_incomplete_total",
        /// Calls skipped because the breaker was open or the time was over.
        skipped: "cache_skipped_total",
        /// Bytes of payload read in hits of tiers that are not local.
        bytes_read: "cache_read_bytes_total",
        /// Bytes written, as stored.
        bytes_written: "cache_written_bytes_total",
        /// Bytes that compression saved in writes.
        bytes_saved: "cache_compression_saved_bytes_total",
    } + {
        /// Entries removed for room.
        evictions: u64,
        /// The tier.
        name: &'static str,
    }
}

impl Statistics {
    /// Reads answered, fresh or stale.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.hits).sum()
    }

    /// Reads.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.hits() + self.misses
    }

    /// The share of the reads that were answered, 0 to 1; 0 without any.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        match self.requests() {
            0 => 0.0,
            requests => self.hits() as f64 / requests as f64,
        }
    }

    /// One tier.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<&TierStatistics> {
        self.tiers.iter().find(|tier| tier.name == name)
    }
}
