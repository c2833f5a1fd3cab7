//! The cache's own tests, and the stage they share.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod breaker;
mod clocks;
#[cfg(any(feature = "files", feature = "sqlite"))]
mod conformance;
mod derived;
mod environment;
#[cfg(feature = "files")]
mod files;
mod fill;
mod fleet;
mod flight;
mod formats;
mod healing;
mod keys;
mod leases;
mod logs;
#[cfg(feature = "metrics")]
mod metrics;
mod order;
mod properties;
mod tiers;

use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{
    Cache, Horizons, Key, ManualClock, MemoryLimits, Namespace, Settings, Terms,
};
use bedrock_catalog_test_support::FaultyTier;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A memory tier over two tiers that fail when told to, on a clock that moves when told to.
struct Stage {
    clock: ManualClock,
    lower: [FaultyTier; 2],
    cache: Cache,
}

fn ns() -> Namespace {
    Namespace::of(["tests"])
}

fn key(n: impl std::fmt::Display) -> Key {
    Key::new("things", "get", &n.to_string())
}

fn terms() -> Terms {
    Terms::source("test")
}

fn holding(fresh_for: Duration, keep_for: Duration) -> Terms {
    terms().holding(Horizons {
        fresh_for,
        keep_for,
    })
}

/// How often a long loop goes round: more in the long lane, which sets `PROPTEST_CASES`.
fn rounds(short: usize) -> usize {
    let long = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(0);
    short.max(long)
}

impl Stage {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let clock = ManualClock::new();
        let lower = [FaultyTier::new("middle"), FaultyTier::new("bottom")];
        let cache = Cache::builder()
            .namespace(ns())
            .memory(MemoryLimits::default())
            .tier(lower[0].clone())
            .tier(lower[1].clone())
            .clock(clock.clone())
            .settings(settings)
            .build()
            .unwrap();
        Self {
            clock,
            lower,
            cache,
        }
    }

    fn data(&self, key: &Key) -> Option<Vec<u8>> {
        self.cache.get(key).into_hit().map(|hit| hit.data.to_vec())
    }
}

fn memory_only(clock: &ManualClock) -> Cache {
    Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .clock(clock.clone())
        .build()
        .unwrap()
}

fn memory_tier(clock: &ManualClock, limits: MemoryLimits) -> bedrock_catalog_cache::MemoryTier {
    bedrock_catalog_cache::MemoryTier::new(limits, Arc::new(clock.clone()))
}
