//! What the cache has done, in numbers. Every counter is its own atomic and is counted once per event,
//! so the sums are exact whenever nothing is under way. With the feature `metrics` each counter is
//! also a counter of that facade, for the recorder installed when the cache was built.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that grows.
pub(super) struct Count {
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

    pub(super) fn add(&self, n: u64) {
        self.value.fetch_add(n, Ordering::Relaxed);
        #[cfg(feature = "metrics")]
        self.metric.increment(n);
    }

    pub(super) fn one(&self) {
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
        // On cache lines of their own: what is read beside them at every hit is not written at every hit.
        #[derive(Debug)]
        #[repr(align(128))]
        pub(super) struct $counts { $(pub(super) $field: Count,)* }

        impl $counts {
            pub(super) fn new(cache: &str, tier: Option<&'static str>) -> Self {
                Self { $($field: Count::new($name, cache, tier),)* }
            }

            pub(super) fn snapshot(&self, $($extra: $type),*) -> $snapshot {
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
    /// What a cache has done since it was made.
    Statistics / Counts {
        /// Questions that found nothing usable.
        misses: "cache_misses_total",
        /// Questions answered with a stale entry; they are among the tiers' hits.
        stale: "cache_stale_total",
        /// Values computed by single flight.
        computed: "cache_computed_total",
        /// Computations that failed.
        failed: "cache_compute_failures_total",
        /// Callers of single flight who were served what another one computed.
        joined: "cache_joined_total",
        /// Values that were computed but not stored, because something newer was written or the
        /// key was invalidated meanwhile.
        overtaken: "cache_overtaken_total",
        /// Entries invalidated, counted in the tier that held the most of them.
        invalidated: "cache_invalidated_total",
    } + {
        /// Each tier, in order.
        tiers: Vec<TierStatistics>,
    }
}

counts! {
    /// What one tier has done since the cache was made.
    TierStatistics / TierCounts {
        /// Questions this tier answered.
        hits: "cache_hits_total",
        /// Entries written because somebody stored them.
        writes: "cache_writes_total",
        /// Entries copied here from a tier below.
        promotions: "cache_promotions_total",
        /// Entries found expired, by a question or by cleanup.
        expirations: "cache_expirations_total",
        /// Calls that failed.
        errors: "cache_errors_total",
        /// What was asked for by name and not done: removals, cleanups, copies of [`Cache::fill`](super::Cache::fill).
        undone: "cache_undone_total",
        /// Calls left out because the breaker was open.
        skipped: "cache_skipped_total",
        /// Bytes of payload read in hits, where reading costs something: not in memory.
        bytes_read: "cache_read_bytes_total",
        /// Bytes written, as stored.
        bytes_written: "cache_written_bytes_total",
        /// Bytes that compression saved in writes.
        bytes_saved: "cache_compression_saved_bytes_total",
    } + {
        /// Entries pushed out for want of room.
        evictions: u64,
        /// The tier.
        name: &'static str,
    }
}

impl Statistics {
    /// Questions answered, fresh or stale.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.hits).sum()
    }

    /// Questions asked.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.hits() + self.misses
    }

    /// The answered share of the questions, 0 to 1; 0 where none was asked.
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
