//! Tiers, entries and clocks for these tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{
    Clock, Codec, Deadline, Entry, Key, ManualClock, Namespace, RedisOptions, RedisTier, Tier,
    Written,
};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::redis_server::RedisServer;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// The limit of waiting for an effect on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);
pub(crate) const NONE: Deadline = Deadline::NONE;

/// Whether this is the long lane, with the full figures.
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

/// A tier, as each process has its own.
pub(crate) fn tier(url: &str, clock: &ManualClock) -> RedisTier {
    tier_under("tests", url, clock)
}

/// A tier with the default timeout.
pub(crate) fn default_tier(url: &str, clock: &ManualClock) -> RedisTier {
    let options = RedisOptions::from_url(url)
        .unwrap()
        .prefix("tests")
        .unwrap();
    RedisTier::new(options, codec(), Arc::new(clock.clone()))
}

/// A tier under an unused prefix.
pub(crate) fn new_tier(url: &str, clock: &ManualClock) -> RedisTier {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let prefix = format!("new-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    tier_under(&prefix, url, clock)
}

pub(crate) fn tier_under(prefix: &str, url: &str, clock: &ManualClock) -> RedisTier {
    let options = RedisOptions::from_url(url).unwrap().prefix(prefix).unwrap();
    // A busy machine delays replies.
    let options = options.timeout(Duration::from_secs(5)).unwrap();
    RedisTier::new(options, codec(), Arc::new(clock.clone()))
}

/// A clock that stands at the present.
pub(crate) fn clock() -> ManualClock {
    ManualClock::at(SystemTime::now())
}

pub(crate) fn entry(key: &Key, payload: impl Into<String>, clock: &ManualClock) -> Entry {
    conformance::entry(ns(), key, payload.into(), clock.now(), HOUR)
}

/// Stores an entry, which nothing may supersede.
pub(crate) fn put(tier: &RedisTier, entry: &Entry) {
    let written = tier.put(entry, NONE).unwrap();
    assert!(matches!(written, Written::Stored { .. }), "{written:?}");
}

/// The payload in the tier.
pub(crate) fn text(tier: &RedisTier, key: &Key) -> Option<String> {
    let found = tier.get(&ns(), key, NONE).unwrap();
    found.map(|found| String::from_utf8(found.entry.payload().to_vec()).unwrap())
}

/// The name of an entry in Redis.
pub(crate) fn name(key: &Key) -> String {
    format!("tests:v1:{{{}:{key}}}", ns())
}

/// A server, if there is one.
pub(crate) fn server() -> Option<RedisServer> {
    RedisServer::start()
}
