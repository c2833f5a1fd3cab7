//! A whole cache over Redis: memory follows other processes, and a fault of Redis costs no answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{
    BreakerState, Cache, ChangeEvent, EntryOptions, Key, ManualClock, MemoryLimits, Pattern, Tier,
};
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::{RedisServer, wait_until};

use crate::support::*;

/// A cache, as each process has its own: memory over Redis.
fn cache(url: &str, clock: &ManualClock) -> Cache {
    Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(default_tier(url, clock))
        .clock(clock.clone())
        .build()
        .unwrap()
}

fn cached(cache: &Cache, key: &Key) -> Option<String> {
    let hit = cache.get(key).into_hit();
    hit.map(|hit| String::from_utf8(hit.data.to_vec()).unwrap())
}

fn options() -> EntryOptions {
    EntryOptions::source("test")
}

fn breakers(cache: &Cache) -> Vec<BreakerState> {
    cache
        .health()
        .into_iter()
        .map(|tier| tier.breaker)
        .collect()
}

/// Waits until a cache is notified of changes.
fn wait_until_subscribed(server: &RedisServer, cache: &Cache) {
    let _ = cache.get(&key("none"));
    wait_until("it is subscribed", SOON, || subscribers(server) > 0);
}

fn subscribers(server: &RedisServer) -> usize {
    let reply = server.command(&["PUBSUB", "NUMSUB", "tests:v1:changes"]);
    let (_, count): (String, usize) = redis::FromRedisValue::from_redis_value(reply).unwrap();
    count
}

/// Reads keys that memory does not hold: the breaker opens after five timeouts.
fn read_from_a_hanging_server(cache: &Cache) {
    let read = |n: u32| {
        let start = Instant::now();
        assert_eq!(cached(cache, &key(format!("missing{n}"))), None);
        start.elapsed()
    };
    let slowest = (0..5).map(read).max().unwrap();
    assert_eq!(breakers(cache), [BreakerState::Closed, BreakerState::Open]);
    let mut fast: Vec<Duration> = (0..100).map(read).collect();
    fast.sort_unstable();
    if is_long() {
        assert!(slowest <= Duration::from_millis(260), "{slowest:?}");
        assert!(fast[98] <= Duration::from_millis(1), "{:?}", fast[98]);
    }
    let times = format_args!("at most {slowest:?}, then {:?}", fast[50]);
    count("redis, hanging", times);
}

#[test]
fn a_hanging_server_opens_the_breaker_and_memory_serves() {
    let Some(server) = server() else { return };
    let clock = clock();
    let one = cache(&server.url(), &clock);
    one.put(&key(1), "v", &options());
    server.suspend();
    read_from_a_hanging_server(&one);
    assert_eq!(cached(&one, &key(1)).as_deref(), Some("v"));
    one.put(&key(1), "w", &options());
    assert_eq!(cached(&one, &key(1)).as_deref(), Some("w"));
    server.resume();
    clock.advance(Duration::from_secs(61));
    wait_until("it stores again", SOON, || {
        clock.advance(Duration::from_secs(61));
        one.put(&key(2), "after", &options())
            .tiers
            .contains(&"redis")
    });
    let other = cache(&server.url(), &clock);
    assert_eq!(cached(&other, &key(2)).as_deref(), Some("after"));
    assert_eq!(breakers(&one), [BreakerState::Closed; 2]);
}

/// The first step that hangs (read, lease, write or release) costs a timeout, and the others none.
#[test]
fn a_load_waits_for_a_hanging_server_once() {
    let Some(server) = server() else { return };
    let clock = clock();
    for hangs_in_load in [false, true] {
        let cache = cache(&server.url(), &clock);
        cache.put(&key("reached"), "v", &options());
        if !hangs_in_load {
            server.suspend();
        }
        let start = Instant::now();
        let answer = cache.get_or_load(&key(hangs_in_load), &options(), || {
            if hangs_in_load {
                server.suspend();
            }
            Ok::<_, String>("v".into())
        });
        let took = start.elapsed();
        assert!(answer.unwrap().is_fresh());
        assert!(!is_long() || took <= Duration::from_millis(510), "{took:?}");
        assert_eq!(cached(&cache, &key(hangs_in_load)).as_deref(), Some("v"));
        server.resume();
        let tier = tier(&server.url(), &clock);
        wait_until("it answers", SOON, || tier.status().ok);
    }
}

#[test]
fn a_refused_login_opens_the_breaker_and_memory_serves() {
    let Some(server) = RedisServer::start_with(&["--requirepass", "s3cret"]) else {
        return;
    };
    let cache = cache(&server.url(), &clock());
    assert_eq!(cache.put(&key(7), "old", &options()).tiers, ["memory"]);
    for n in 0..10 {
        assert_eq!(cached(&cache, &key(7)).as_deref(), Some("old"));
        assert_eq!(cached(&cache, &key(format!("missing{n}"))), None);
    }
    assert_eq!(breakers(&cache), [BreakerState::Closed, BreakerState::Open]);
}

#[test]
fn a_full_server_serves_and_memory_stores() {
    let Some(server) = server() else { return };
    let clock = clock();
    put(&tier(&server.url(), &clock), &entry(&key(1), "old", &clock));
    server.command(&["CONFIG", "SET", "maxmemory", "1000000"]);
    let cache = cache(&server.url(), &clock);
    assert_eq!(cached(&cache, &key(1)).as_deref(), Some("old"));
    assert_eq!(cache.put(&key(2), "new", &options()).tiers, ["memory"]);
    assert_eq!(cached(&cache, &key(2)).as_deref(), Some("new"));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    let stored = cache.put(&key(2), "new", &options());
    assert_eq!(stored.tiers, ["memory", "redis"]);
}

#[test]
fn a_restarted_server_is_used_again() {
    let Some(mut server) = server() else { return };
    let clock = clock();
    let cache = cache(&server.url(), &clock);
    cache.put(&key(1), "v", &options());
    server.kill();
    for n in 0..20 {
        assert_eq!(cached(&cache, &key(1)).as_deref(), Some("v"));
        assert_eq!(cached(&cache, &key(format!("missing{n}"))), None);
    }
    assert_eq!(breakers(&cache), [BreakerState::Closed, BreakerState::Open]);
    server.restart();
    wait_until("it takes writes", SOON, || {
        clock.advance(Duration::from_secs(61));
        cache.put(&key(2), "w", &options()).tiers == ["memory", "redis"]
    });
}

#[test]
fn a_damaged_entry_is_missing_and_the_breaker_stays_closed() {
    let Some(server) = server() else { return };
    let cache = cache(&server.url(), &clock());
    server.command(&["SET", &name(&key(1)), "{\"models\":[]}"]);
    server.command(&["LPUSH", &name(&key(2)), "another type"]);
    for n in [1, 2].repeat(10) {
        assert_eq!(cached(&cache, &key(n)), None);
    }
    assert_eq!(breakers(&cache), [BreakerState::Closed; 2]);
}

#[test]
fn memory_follows_writes_and_removals_of_other_processes() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (cache(&server.url(), &clock), cache(&server.url(), &clock));
    let events = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&events);
    other.on_change(move |event| {
        let is_change = !matches!(event, ChangeEvent::Gap);
        counter.fetch_add(u64::from(is_change), Ordering::Relaxed);
    });
    one.put(&key(1), "0", &options());
    assert_eq!(cached(&other, &key(1)).as_deref(), Some("0"));
    wait_until("both are subscribed", SOON, || subscribers(&server) == 2);
    // The clock stands still, so only a notification evicts the entry.
    clock.advance(Duration::from_millis(1));
    one.put(&key(1), "1", &options());
    wait_until("the other has the new value", SOON, || {
        cached(&other, &key(1)).as_deref() == Some("1")
    });
    assert_eq!(cached(&one, &key(1)).as_deref(), Some("1"));
    one.remove(&key(1));
    wait_until("the other has none", SOON, || {
        cached(&other, &key(1)).is_none()
    });
    assert_eq!(events.load(Ordering::Relaxed), 2);
}

#[test]
fn a_removal_by_a_pattern_reaches_what_redis_has_lost() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (cache(&server.url(), &clock), cache(&server.url(), &clock));
    let stays = Key::new("others", "get", "1");
    let keys: Vec<Key> = (1..=200).map(key).chain([stays.clone()]).collect();
    for key in &keys {
        one.put(key, "v", &options());
    }
    wait_until_subscribed(&server, &other);
    wait_until("the other has all in memory", SOON, || {
        let in_memory = |key| {
            other
                .get(key)
                .hit()
                .is_some_and(|hit| hit.tier() == Some("memory"))
        };
        keys.iter().all(in_memory)
    });
    server.command(&["FLUSHALL"]);
    assert_eq!(one.invalidate(&Pattern::under(["things"])), 200);
    wait_until("the other has none", SOON, || {
        (1..=200).all(|n| other.get(&key(n)).is_missing())
    });
    assert_eq!(cached(&other, &stays).as_deref(), Some("v"));
}

/// Memory from before the gap is revalidated.
#[test]
fn a_value_removed_during_a_gap_is_not_served_from_memory() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (tier, other) = (tier(&server.url(), &clock), cache(&server.url(), &clock));
    let in_memory = |n: u32| other.get(&key(n)).hit().and_then(|hit| hit.tier()) == Some("memory");
    let bring = |n: u32| {
        put(&tier, &entry(&key(n), "v", &clock));
        wait_until("it is in memory", SOON, || in_memory(n));
    };
    bring(0);
    let removed = (1..).find(|n| {
        wait_until("it is subscribed", SOON, || subscribers(&server) == 1);
        bring(*n);
        clock.advance(Duration::from_secs(1));
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        tier.remove(&ns(), &Pattern::exact(&key(*n)), NONE).unwrap();
        // Otherwise it was faster, and received the message.
        subscribers(&server) == 0
    });
    let removed = key(removed.unwrap());
    wait_until("it is subscribed again", SOON, || subscribers(&server) == 1);
    wait_until("it is not served", SOON, || !other.get(&removed).is_fresh());
    wait_until("the rest is revalidated", SOON, || in_memory(0));
}

#[test]
fn memory_follows_what_redis_keeps() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (cache(&server.url(), &clock), cache(&server.url(), &clock));
    let answer = one.get_or_load(&key(1), &options(), || {
        server.command(&["DEL", &format!("{}:lease", name(&key(1)))]);
        let loaded = other.get_or_load(&key(1), &options(), || Ok::<_, String>("newer".into()));
        assert!(loaded.unwrap().is_fresh());
        Ok::<_, String>("older".into())
    });
    assert_eq!(answer.unwrap().into_hit().unwrap().data.as_ref(), b"older");
    assert_eq!(cached(&one, &key(1)).as_deref(), Some("newer"));
    assert_eq!(cached(&other, &key(1)).as_deref(), Some("newer"));
}
