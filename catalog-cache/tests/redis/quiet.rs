//! What a tier leaves behind: nothing before it is used, nothing after it is dropped. In a process of
//! its own, whose threads and files can be counted.

use bedrock_catalog_cache::Tier;
use bedrock_catalog_test_support::redis_server::{RedisServer, until};

use crate::stage::*;
use bedrock_catalog_test_support::children;

fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks
        .filter(|task| {
            let name = std::fs::read_to_string(task.path().join("comm"));
            name.is_ok_and(|name| name.trim() == "cache-redis")
        })
        .count()
}

/// A thread that was joined may be listed by the kernel for a moment yet.
fn none_are_left(why: &str) {
    until(why, std::time::Duration::from_secs(10), || threads() == 0);
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn child() {
    let Some(pid_and_url) = children::job() else {
        return;
    };
    let (pid, url) = pid_and_url.split_once(' ').unwrap();
    let signal = |signal: &str| {
        let status = std::process::Command::new("kill")
            .args([signal, pid])
            .status();
        assert!(status.unwrap().success());
    };
    let clock = clock();
    let unused = cache(url, &clock);
    assert_eq!(threads(), 0, "construction starts a thread");
    // What libraries open once for a process, such as Tokio's signals, is open from then on.
    cache(url, &clock).put(&key("first"), "v", &terms());
    none_are_left("the thread ends with the tier");
    let before = descriptors();
    for round in 0..20 {
        let cache = cache(url, &clock);
        cache.put(&key(round), "v", &terms());
        assert_eq!(threads(), 1);
        if round % 5 == 4 {
            // Dropped while a question hangs.
            signal("-STOP");
            assert_eq!(cached(&cache, &key("missing")), None);
            drop(cache);
            none_are_left("the thread ends though the server hangs");
            signal("-CONT");
        } else {
            // A lease of it may outlive it.
            let tier = tier(url, &clock);
            let lease = tier.try_lease(&ns(), &key(round), std::time::Duration::ZERO, HOUR);
            drop((cache, tier));
            assert_eq!(threads(), 1, "a lease is still held");
            drop(lease);
        }
        none_are_left("the thread ends with the tier");
    }
    until(
        "all connections are closed",
        std::time::Duration::from_secs(10),
        || descriptors() <= before,
    );
    drop(unused);
    println!("left={}", threads());
}

#[test]
fn nothing_is_started_early_and_nothing_is_left() {
    if !cfg!(target_os = "linux") {
        bedrock_catalog_test_support::skip(
            "nothing_is_started_early_and_nothing_is_left",
            "no /proc here",
        );
        return;
    }
    let Some(server) = RedisServer::start() else {
        return;
    };
    let job = format!("{} {}", server.process(), server.url());
    let child = children::start("quiet::child", &job);
    assert_eq!(children::said(child, "left"), "0");
}
