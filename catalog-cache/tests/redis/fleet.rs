//! Many processes on one Redis: one of them loads, and another if that one dies.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use bedrock_catalog_cache::{
    Cache, EntryOptions, ManualClock, MemoryLimits, RedisOptions, RedisTier, Settings, SystemClock,
};
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::{RedisServer, wait_until};

use crate::support::*;
use bedrock_catalog_test_support::processes::{self, Gate};

const LOADS: &str = "loads";

#[test]
fn child() {
    let Some(job) = processes::job() else { return };
    let [url, lease_ttl, load] = job.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{job}");
    };
    let options = RedisOptions::from_url(url)
        .unwrap()
        .prefix("tests")
        .unwrap();
    let mut settings = Settings::default();
    settings.lease_ttl = Duration::from_millis(lease_ttl.parse().unwrap());
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(RedisTier::new(
            options,
            codec(),
            std::sync::Arc::new(SystemClock),
        ))
        .settings(settings)
        .build()
        .unwrap();
    let load_time = Duration::from_millis(load.parse().unwrap());
    let mut client = redis::Client::open(url).unwrap().get_connection().unwrap();
    processes::wait_at_gate();
    let answer = cache.get_or_load(&key(1), &EntryOptions::source("test"), || {
        redis::cmd("INCR").arg(LOADS).exec(&mut client).unwrap();
        std::thread::sleep(load_time);
        Ok::<_, String>("new".into())
    });
    let hit = answer.unwrap().into_hit().unwrap();
    println!("answer={}", String::from_utf8_lossy(&hit.data));
}

/// Starts processes at once. A load takes `load`.
fn start(size: usize, server: &RedisServer, lease_ttl: Duration, load: Duration) -> Vec<Child> {
    let gate = Gate::new();
    let (lease_ttl, load) = (lease_ttl.as_millis(), load.as_millis());
    let job = format!("{} {lease_ttl} {load}", server.url());
    let mut fleet: Vec<Child> = (0..size)
        .map(|_| gate.start("fleet::child", &job))
        .collect();
    gate.open(&mut fleet);
    fleet
}

fn loads(server: &RedisServer) -> u64 {
    let reply = server.command(&["GET", LOADS]);
    redis::FromRedisValue::from_redis_value(reply).unwrap_or(0)
}

fn all_have_the_new_value(fleet: Vec<Child>) {
    for child in fleet {
        assert_eq!(processes::value(child, "answer"), "new");
    }
}

/// 200 in an optimized long lane; Redis shares the processors with them.
#[test]
fn a_fleet_with_an_expired_entry_loads_once() {
    let Some(server) = server() else { return };
    let is_large = is_long() && !cfg!(debug_assertions);
    let size = if is_large { 200 } else { 16 };
    let then = ManualClock::at(SystemTime::now() - 40 * 24 * HOUR);
    let expired = entry(&key(1), "expired", &then);
    put(&tier(&server.url(), &then), &expired);
    let load = Duration::from_millis(300);
    let fleet = start(size, &server, Duration::from_secs(30), load);
    all_have_the_new_value(fleet);
    assert_eq!(loads(&server), 1);
    count(
        "a fleet on one Redis, its entry expired",
        format_args!("{size} processes, 1 load"),
    );
}

#[test]
fn a_killed_holder_of_the_lease_is_replaced() {
    let Some(server) = server() else { return };
    let is_large = is_long() && !cfg!(debug_assertions);
    let size = if is_large { 200 } else { 8 };
    let lease_ttl = Duration::from_secs(3);
    let mut first = start(1, &server, lease_ttl, Duration::from_secs(600)).remove(0);
    wait_until("it loads", SOON, || loads(&server) == 1);
    let others = start(size, &server, lease_ttl, Duration::from_millis(300));
    let killed = Instant::now();
    first.kill().unwrap();
    first.wait().unwrap();
    all_have_the_new_value(others);
    let loads = loads(&server);
    assert!((2..=3).contains(&loads), "{loads} loads");
    let took = killed.elapsed();
    count(
        "a holder of the lease killed",
        format_args!("{size} processes, {loads} loads, {took:?}"),
    );
}
