//! A server that hangs, is full, read-only, closed to us, or gone for a while: the error has a kind, the
//! tiers above serve, and it comes back by itself.

use std::time::{Duration, Instant};

use bedrock_catalog_cache::{BreakerState, Cache, Clock, ManualClock, Tier, TierErrorKind};
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, until};

use crate::stage::*;

const SOON: Duration = Duration::from_secs(20);

/// What a wall clock may show beyond the figure: nothing in the long lane, which runs alone.
fn slack() -> Duration {
    Duration::from_millis(if is_long() { 0 } else { 250 })
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = work();
    (done, start.elapsed())
}

fn breaker(cache: &Cache) -> BreakerState {
    cache.health()[1].breaker
}

/// Asks for keys that memory does not have until the breaker opens, and then some.
fn ask_a_server_that_hangs(cache: &Cache) {
    let limit = Duration::from_millis(250) + slack();
    let mut slowest = Duration::ZERO;
    for n in 0..5 {
        let (found, took) = timed(|| cached(cache, &key(format!("missing{n}"))));
        assert_eq!(found, None);
        assert!(took <= limit, "held for {took:?}");
        slowest = slowest.max(took);
    }
    let mut fast: Vec<Duration> = Vec::new();
    for n in 0..100 {
        fast.push(timed(|| cached(cache, &key(format!("missing{n}")))).1);
    }
    fast.sort_unstable();
    // The median, for the sake of other work on this machine; all of them where nothing else runs.
    let typical = fast[if is_long() { 98 } else { 50 }];
    assert!(
        typical <= Duration::from_millis(1),
        "{typical:?} behind an open breaker"
    );
    let told = format_args!("at most {slowest:?}, then {typical:?}");
    count("redis, hanging", told);
}

#[test]
fn a_server_that_hangs_holds_nobody_up() {
    let Some(server) = server() else { return };
    let clock = clock();
    let cache = cache(&server.url(), &clock);
    cache.put(&key(1), "v", &terms());
    server.freeze();
    ask_a_server_that_hangs(&cache);
    assert_eq!(
        cached(&cache, &key(1)).as_deref(),
        Some("v"),
        "memory serves"
    );
    // What is written meanwhile is served too.
    cache.put(&key(1), "w", &terms());
    assert_eq!(cached(&cache, &key(1)).as_deref(), Some("w"));
    server.thaw();
    clock.advance(Duration::from_secs(61));
    cache.put(&key(2), "after", &terms());
    let other = crate::stage::cache(&server.url(), &clock);
    assert_eq!(cached(&other, &key(2)).as_deref(), Some("after"));
    assert_eq!(breaker(&cache), BreakerState::Closed);
}

#[test]
fn a_server_that_hangs_before_it_was_ever_reached_holds_nobody_up() {
    let Some(server) = server() else { return };
    let clock = clock();
    server.freeze();
    let cache = cache(&server.url(), &clock);
    ask_a_server_that_hangs(&cache);
    server.thaw();
    clock.advance(Duration::from_secs(61));
    until("it is reached", SOON, || {
        clock.advance(Duration::from_secs(61));
        cache.put(&key(1), "v", &terms()).tiers.contains(&"redis")
    });
}

/// Looking, the lease, storing and giving the lease back together: the first of them that hangs is waited
/// for, and no other.
#[test]
fn computing_what_is_missing_waits_for_a_hanging_server_once() {
    let Some(server) = server() else { return };
    let limit = Duration::from_millis(250) + slack();
    let clock = clock();
    for computing in [false, true] {
        let cache = cache(&server.url(), &clock);
        let n = u64::from(computing);
        cache.put(&key("reached"), "v", &terms());
        if !computing {
            server.freeze();
        }
        let (answer, took) = timed(|| {
            cache.get_or_compute(&key(n), &terms(), || {
                if computing {
                    server.freeze();
                }
                Ok::<_, String>("v".into())
            })
        });
        assert!(answer.unwrap().is_fresh());
        assert!(took <= limit, "held for {took:?}");
        println!("frozen {computing}: {took:?}");
        assert_eq!(cached(&cache, &key(n)).as_deref(), Some("v"));
        server.thaw();
        until("it answers", SOON, || {
            tier(&server.url(), &clock).health().ok
        });
    }
}

#[test]
fn an_address_that_swallows_everything_holds_nobody_up() {
    // Connections are made, and never taken up.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    ask_a_server_that_hangs(&cache(&url, &clock()));
}

#[test]
fn a_paused_server_is_a_timeout_and_then_serves() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    tier.put(&entry(&key(1), "v", &clock)).unwrap();
    server.tell(&["CLIENT", "PAUSE", "1000", "ALL"]);
    let (error, took) = timed(|| tier.get(&ns(), &key(1)).unwrap_err());
    assert_eq!(error.kind(), TierErrorKind::Timeout);
    assert!(took <= Duration::from_millis(250) + slack(), "{took:?}");
    until("it serves", SOON, || tier.get(&ns(), &key(1)).is_ok());
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

/// What memory has is served beside a server that does not serve, and no other tier is held against it.
fn the_old_value_is_served(url: &str) {
    let clock = clock();
    let cache = cache(url, &clock);
    assert_eq!(cache.put(&key(7), "old", &terms()).tiers, ["memory"]);
    for n in 0..10 {
        assert_eq!(cached(&cache, &key(7)).as_deref(), Some("old"));
        // Which only the server could have.
        assert_eq!(cached(&cache, &key(format!("missing{n}"))), None);
    }
    let breakers = cache.health().into_iter().map(|tier| tier.breaker);
    let breakers: Vec<_> = breakers.collect();
    assert_eq!(breakers, [BreakerState::Closed, BreakerState::Open]);
}

#[test]
fn a_full_server_keeps_the_old_value() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    tier.put(&entry(&key(1), "old", &clock)).unwrap();
    server.tell(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.tell(&["CONFIG", "SET", "maxmemory", "1000000"]);
    let large = entry(&key(1), "x".repeat(100_000), &clock);
    let error = tier.put(&large).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Full, "{error}");
    assert!(error.is_tier_failure() && error.is_transient());
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("old"));
    let cache = cache(&server.url(), &clock);
    assert_eq!(cached(&cache, &key(1)).as_deref(), Some("old"));
    assert_eq!(cache.put(&key(2), "new", &terms()).tiers, ["memory"]);
    assert_eq!(cached(&cache, &key(2)).as_deref(), Some("new"));
    server.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    tier.put(&large).unwrap();
    assert_eq!(
        cache.put(&key(2), "new", &terms()).tiers,
        ["memory", "redis"]
    );
}

#[test]
fn a_read_only_server_serves_and_takes_nothing() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    tier.put(&entry(&key(1), "old", &clock)).unwrap();
    server.tell(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = tier.put(&entry(&key(1), "new", &clock)).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("no writes"), "{error}");
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("old"));
    let health = tier.health();
    assert!(!health.ok && health.message.contains("slave"), "{health:?}");
    assert!(tier.remove(&ns(), &key(1)).is_err());
    server.tell(&["REPLICAOF", "NO", "ONE"]);
    clock.advance(Duration::from_millis(1));
    tier.put(&entry(&key(1), "new", &clock)).unwrap();
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("new"));
    assert!(tier.health().ok);
}

#[test]
fn a_server_with_too_many_clients_is_tried_again() {
    let Some(server) = server() else { return };
    let mut raw = server.raw();
    let _: () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxclients")
        .arg(1)
        .query(&mut raw)
        .unwrap();
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let error = tier.get(&ns(), &key(1)).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Unavailable, "{error}");
    the_old_value_is_served(&server.url());
    let _: () = redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxclients")
        .arg(100)
        .query(&mut raw)
        .unwrap();
    until("it is let in", SOON, || tier.get(&ns(), &key(1)).is_ok());
}

#[test]
fn without_the_password_it_is_refused_and_no_error_shows_one() {
    let Some(server) = RedisServer::start_with(&["--requirepass", "s3cret"]) else {
        return;
    };
    let clock = clock();
    let at = |who: &str| format!("redis://{who}127.0.0.1:{}", server.port());
    for who in ["", ":wr0ng@", "nobody:wr0ng@"] {
        let error = tier(&at(who), &clock).get(&ns(), &key(1)).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::Refused, "{error}");
        assert!(error.is_tier_failure() && !error.is_transient());
        assert!(!error.to_string().contains("wr0ng"), "{error}");
        the_old_value_is_served(&at(who));
    }
    let tier = tier(&at(":s3cret@"), &clock);
    tier.put(&entry(&key(1), "v", &clock)).unwrap();
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
    let shown = format!("{tier:?} {:?}", tier.health());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn poisoned_foreign_and_strange_values_are_refused() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let mut raw = server.raw();
    let mut bytes_of = |key: &bedrock_catalog_cache::Key| -> Vec<u8> {
        redis::cmd("GET").arg(name(key)).query(&mut raw).unwrap()
    };
    tier.put(&entry(&key(1), "good", &clock)).unwrap();
    tier.put(&entry(&key(2), "another key's", &clock)).unwrap();
    let (good, another) = (bytes_of(&key(1)), bytes_of(&key(2)));
    let replaced = |from: &str, to: &str| {
        String::from_utf8(good.clone())
            .unwrap()
            .replace(from, to)
            .into_bytes()
    };
    let mut flipped = good.clone();
    flipped[good.len() - 3] ^= 1;
    let stranger = bedrock_catalog_test_support::conformance::entry(
        bedrock_catalog_cache::Namespace::of(["a stranger"]),
        &key(1),
        "a stranger's",
        clock.now(),
        HOUR,
    );
    let stranger = codec().encode(&stranger).unwrap().bytes;
    let newer = bedrock_catalog_cache::Codec::new("0.2.0");
    let mut other_version = entry(&key(1), "newer", &clock).envelope().clone();
    other_version.package_version = "0.2.0".into();
    let other_version = bedrock_catalog_cache::Entry::new(other_version, "newer".into());
    let other_version = newer.encode(&other_version).unwrap().bytes;
    use TierErrorKind::{Corrupt, Foreign};
    for (what, value, kind) in [
        ("nothing", Vec::new(), Corrupt),
        ("poison", b"{\"models\":[]}".to_vec(), Corrupt),
        ("a flipped bit", flipped, Corrupt),
        ("cut off", good[..good.len() / 2].to_vec(), Corrupt),
        (
            "another format",
            replaced("{\"format\":1", "{\"format\":2"),
            Corrupt,
        ),
        ("another key's", another, Foreign),
        ("another identity's", stranger, Foreign),
        ("another version's", other_version, Foreign),
    ] {
        let _: () = redis::cmd("SET")
            .arg(name(&key(1)))
            .arg(&value)
            .query(&mut server.raw())
            .unwrap();
        let error = tier.get(&ns(), &key(1)).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        let cache = cache(&server.url(), &clock);
        for _ in 0..10 {
            assert_eq!(cached(&cache, &key(1)), None, "{what} was served");
        }
        assert_eq!(breaker(&cache), BreakerState::Closed, "{what}");
        // It is replaced like any other.
        clock.advance(Duration::from_millis(1));
        tier.put(&entry(&key(1), "good", &clock)).unwrap();
        assert_eq!(text(&tier, &key(1)).as_deref(), Some("good"), "{what}");
    }
    server.tell(&["DEL", &name(&key(1))]);
    server.tell(&["LPUSH", &name(&key(1)), "no text"]);
    assert_eq!(tier.get(&ns(), &key(1)).unwrap_err().kind(), Corrupt);
    tier.scan(&ns(), "", &mut |_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    assert!(tier.cleanup(clock.now()).is_ok());
    tier.put(&entry(&key(1), "good", &clock)).unwrap();
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("good"));
}

/// 500 times in the long lane. The server is killed by its number, and is asked again until it answers.
#[test]
fn restarted_again_and_again_it_is_back_within_two_seconds() {
    let Some(mut server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let cycles = if is_long() { 500 } else { 8 };
    let mut slowest = Duration::ZERO;
    for cycle in 0..cycles {
        clock.advance(Duration::from_millis(1));
        tier.put(&entry(&key(1), cycle.to_string(), &clock))
            .unwrap();
        server.kill();
        let error = tier.get(&ns(), &key(1)).unwrap_err();
        assert!(error.is_transient(), "{error}");
        server.start_again();
        let start = Instant::now();
        until("it is back", SOON, || tier.get(&ns(), &key(1)).is_ok());
        slowest = slowest.max(start.elapsed());
        assert_eq!(text(&tier, &key(1)), None, "the server was empty");
    }
    let limit = Duration::from_secs(2);
    assert!(slowest <= limit + 8 * slack(), "{slowest:?}");
    let told = format_args!("{cycles} restarts, back within {slowest:?}");
    count("redis, restarted", told);
}

#[test]
fn a_cache_over_a_restarted_server_goes_on_by_itself() {
    let Some(mut server) = server() else { return };
    let clock: ManualClock = clock();
    let cache = cache(&server.url(), &clock);
    cache.put(&key(1), "v", &terms());
    server.kill();
    for n in 0..20 {
        assert_eq!(cached(&cache, &key(1)).as_deref(), Some("v"));
        assert_eq!(cached(&cache, &key(format!("missing{n}"))), None);
    }
    assert_eq!(breaker(&cache), BreakerState::Open);
    server.start_again();
    until("it takes writes", SOON, || {
        // The breaker's pause.
        clock.advance(Duration::from_secs(61));
        cache.put(&key(2), "w", &terms()).tiers == ["memory", "redis"]
    });
}

#[test]
fn a_cluster_that_lost_a_server_serves_what_the_others_have() {
    let Some(mut cluster) = RedisCluster::start() else {
        return;
    };
    for server in &cluster.servers {
        server.tell(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let clock = clock();
    let tier = tier(&cluster.url(), &clock);
    for n in 0..30 {
        tier.put(&entry(&key(n), n.to_string(), &clock)).unwrap();
    }
    cluster.servers[2].kill();
    let mut served = 0;
    for n in 0..30 {
        let (found, took) = timed(|| tier.get(&ns(), &key(n)));
        assert!(took <= Duration::from_millis(250) + 2 * slack(), "{took:?}");
        served += usize::from(found.is_ok_and(|found| found.is_some()));
    }
    assert!((10..30).contains(&served), "{served} of 30");
}
