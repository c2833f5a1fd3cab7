//! A tier starts nothing before its first operation and leaves nothing behind. In a process of its own,
//! whose threads and files can be counted.

use bedrock_catalog_cache::Tier;
use bedrock_catalog_test_support::redis_server::{RedisServer, wait_until};

use crate::support::*;
use bedrock_catalog_test_support::processes;

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter(|task| {
            let name = std::fs::read_to_string(task.path().join("comm"));
            name.is_ok_and(|name| name.trim() == "cache-redis")
        })
        .count()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn no_thread_is_left() {
    wait_until("the thread ends with the tier", SOON, || threads() == 0);
}

#[test]
fn child() {
    let Some(pid_and_url) = processes::job() else {
        return;
    };
    let (pid, url) = pid_and_url.split_once(' ').unwrap();
    let signal = |signal: &str| {
        let kill = std::process::Command::new("kill")
            .args([signal, pid])
            .status();
        assert!(kill.unwrap().success());
    };
    let clock = clock();
    let unused = default_tier(url, &clock);
    assert_eq!(threads(), 0, "the constructor starts a thread");
    // Libraries open some descriptors once.
    put(
        &default_tier(url, &clock),
        &entry(&key("first"), "v", &clock),
    );
    no_thread_is_left();
    let before = descriptors();
    for round in 0..20 {
        let tier = default_tier(url, &clock);
        put(&tier, &entry(&key(round), "v", &clock));
        assert_eq!(threads(), 1);
        if round % 5 == 4 {
            signal("-STOP");
            assert!(tier.get(&ns(), &key("missing"), NONE).is_err());
            drop(tier);
            no_thread_is_left();
            signal("-CONT");
        } else {
            let coordinator = tier.coordinator().unwrap();
            let lease = coordinator.try_lease(&ns(), &key(round), HOUR, NONE);
            drop(tier);
            assert_eq!(threads(), 1, "the lease is still held");
            drop(lease);
        }
        no_thread_is_left();
    }
    wait_until("all connections are closed", SOON, || {
        descriptors() <= before
    });
    drop(unused);
    println!("left={}", threads());
}

#[test]
fn nothing_is_started_early_and_nothing_is_left() {
    if !cfg!(target_os = "linux") {
        let name = "nothing_is_started_early_and_nothing_is_left";
        return bedrock_catalog_test_support::skip(name, "no /proc here");
    }
    let Some(server) = RedisServer::start() else {
        return;
    };
    let job = format!("{} {}", server.process(), server.url());
    let child = processes::start("resources::child", &job);
    assert_eq!(processes::value(child, "left"), "0");
}

/// The runtime's own methods panic on the threads of another runtime.
#[tokio::test]
async fn a_tier_works_and_is_dropped_on_an_async_thread() {
    let Some(server) = RedisServer::start() else {
        return;
    };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "v", &clock));
    let lease = tier
        .coordinator()
        .unwrap()
        .try_lease(&ns(), &key(1), HOUR, NONE);
    drop(tier);
    drop(lease);
}
