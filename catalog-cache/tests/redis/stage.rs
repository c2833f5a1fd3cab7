//! What these tests share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::tier::redis::{RedisOptions, RedisTier};
use bedrock_catalog_cache::{
    Cache, Clock, Codec, Entry, Key, ManualClock, MemoryLimits, Namespace, Terms, Tier,
};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::redis_server::RedisServer;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// Whether this is the long lane, with its figures.
pub(crate) fn is_long() -> bool {
    std::env::var_os("BEDROCK_CATALOG_LONG").is_some()
}

pub(crate) fn ns() -> Namespace {
    Namespace::of(["redis", "tests"])
}

pub(crate) fn key(n: impl std::fmt::Display) -> Key {
    Key::new("things", "get", &n.to_string())
}

pub(crate) fn codec() -> Codec {
    Codec::new(env!("CARGO_PKG_VERSION")).with_max_len(RedisTier::DEFAULT_MAX_LEN)
}

/// A tier as each process has one of its own.
pub(crate) fn tier(url: &str, clock: &ManualClock) -> RedisTier {
    tier_under("tests", url, clock)
}

/// A tier under a prefix that no other has.
pub(crate) fn tier_apart(url: &str, clock: &ManualClock) -> RedisTier {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let prefix = format!("apart-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    tier_under(&prefix, url, clock)
}

pub(crate) fn tier_under(prefix: &str, url: &str, clock: &ManualClock) -> RedisTier {
    let options = RedisOptions::from_url(url).unwrap().prefix(prefix).unwrap();
    RedisTier::new(options, codec()).with_clock(clock.clone())
}

/// A clock that stands at this moment.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(SystemTime::now())
}

/// A cache as each process has one: memory over Redis.
pub(crate) fn cache(url: &str, clock: &ManualClock) -> Cache {
    cache_over(tier(url, clock), clock)
}

pub(crate) fn cache_over(tier: RedisTier, clock: &ManualClock) -> Cache {
    Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(Arc::new(tier) as Arc<dyn Tier>)
        .clock(clock.clone())
        .build()
        .unwrap()
}

pub(crate) fn entry(key: &Key, payload: impl Into<String>, clock: &ManualClock) -> Entry {
    conformance::entry(ns(), key, payload.into(), clock.now(), HOUR)
}

/// What the tier has, as text.
pub(crate) fn text(tier: &RedisTier, key: &Key) -> Option<String> {
    let found = tier.get(&ns(), key).unwrap();
    found.map(|found| String::from_utf8(found.entry.payload().to_vec()).unwrap())
}

/// What the cache has, as text.
pub(crate) fn cached(cache: &Cache, key: &Key) -> Option<String> {
    let hit = cache.get(key).into_hit();
    hit.map(|hit| String::from_utf8(hit.data.to_vec()).unwrap())
}

pub(crate) fn terms() -> Terms {
    Terms::source("test")
}

/// The name of an entry in Redis.
pub(crate) fn name(key: &Key) -> String {
    format!("tests:v1:{{{}:{key}}}", ns())
}

/// Whether there is a server, with one.
pub(crate) fn server() -> Option<RedisServer> {
    RedisServer::start()
}
