//! The stage of these tests.

use std::time::Duration;

use bedrock_catalog_cache::{
    Cache, Deadline, Entry, EntryOptions, Freshness, Key, LoadError, ManualClock, MemoryLimits,
    Namespace, Settings, Tier, Ttl,
};
use bedrock_catalog_test_support::{FaultyTier, conformance};
use bytes::Bytes;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// The number of entries in memory.
const IN_MEMORY: u64 = 16;

/// Memory over two tiers that fail on demand.
pub(crate) struct Stage {
    pub(crate) clock: ManualClock,
    pub(crate) lower: [FaultyTier; 2],
    pub(crate) cache: Cache,
}

pub(crate) fn ns() -> Namespace {
    Namespace::of(["tests"])
}

pub(crate) fn key(n: impl std::fmt::Display) -> Key {
    Key::new("things", "get", &n.to_string())
}

pub(crate) fn options() -> EntryOptions {
    EntryOptions::source("test")
}

pub(crate) fn ttl(fresh_for: Duration, keep_for: Duration) -> EntryOptions {
    options().ttl(Ttl {
        fresh_for,
        keep_for,
    })
}

/// An entry of the stage's namespace, `age` before the clock's time.
pub(crate) fn entry(stage: &Stage, n: usize, data: &'static str, age: Duration) -> Entry {
    use bedrock_catalog_cache::Clock;
    conformance::entry(ns(), &key(n), data, stage.clock.now() - age, DAY * 2)
}

/// The rounds of a long loop: more in the long lane.
pub(crate) fn rounds(short: usize) -> usize {
    let is_long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1");
    if is_long { short * 10 } else { short }
}

pub(crate) fn is_long() -> bool {
    rounds(1) > 1
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default(), |tier| tier)
    }

    /// The lower tiers have leases and fencing tokens.
    pub(crate) fn with_leases(settings: Settings) -> Self {
        Self::with(settings, FaultyTier::with_leases)
    }

    fn with(settings: Settings, make: impl Fn(FaultyTier) -> FaultyTier) -> Self {
        let clock = ManualClock::new();
        let tier = |name| make(FaultyTier::on_clock(name, clock.clone()));
        let lower = [tier("middle"), tier("bottom")];
        let cache = Self::cache(&clock, &lower, settings);
        Self {
            clock,
            lower,
            cache,
        }
    }

    /// Another process: a cache of its own over the same lower tiers.
    pub(crate) fn other_process(&self) -> Cache {
        Self::cache(&self.clock, &self.lower, self.cache.settings())
    }

    fn cache(clock: &ManualClock, lower: &[FaultyTier; 2], settings: Settings) -> Cache {
        let limits = MemoryLimits {
            entries: IN_MEMORY,
            ..MemoryLimits::default()
        };
        Cache::builder()
            .namespace(ns())
            .memory(limits)
            .tier(lower[0].clone())
            .tier(lower[1].clone())
            .clock(clock.clone())
            .settings(settings)
            .build()
            .unwrap()
    }

    pub(crate) fn data(&self, key: &Key) -> Option<Vec<u8>> {
        self.cache.get(key).into_hit().map(|hit| hit.data.to_vec())
    }

    pub(crate) fn tier_of(&self, key: &Key) -> Option<&'static str> {
        self.cache.get(key).into_hit().and_then(|hit| hit.tier())
    }

    /// Evicts everything from memory by entries of another namespace.
    pub(crate) fn forget(&self) {
        let filler = self.cache.in_namespace(Namespace::of(["filler"]));
        for n in 0..IN_MEMORY {
            filler.put(&key(n), "x", &options());
        }
    }

    /// What a lower tier holds, faults aside.
    pub(crate) fn below(&self, tier: usize, key: &Key) -> Option<Vec<u8>> {
        let found = self.lower[tier].get(&ns(), key, Deadline::NONE).unwrap();
        found.map(|found| found.entry.payload().to_vec())
    }
}

pub(crate) fn memory_only(clock: &ManualClock) -> Cache {
    Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .clock(clock.clone())
        .build()
        .unwrap()
}

pub(crate) fn ok(data: &'static str) -> Result<Bytes, String> {
    Ok(data.into())
}

pub(crate) fn data(answer: Result<Freshness, LoadError<String>>) -> Bytes {
    answer.unwrap().into_hit().unwrap().data
}
