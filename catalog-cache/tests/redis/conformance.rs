//! The conformance suite on one server and on a Cluster; names, pages and bounds.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use bedrock_catalog_cache::{
    Codec, Key, ManualClock, MemoryLimits, MemoryTier, Namespace, Pattern, RedisOptions, RedisTier,
    Tier, TierErrorKind,
};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::redis_server::RedisCluster;

use crate::support::*;
use bedrock_catalog_test_support::processes;

fn entries(tier: &RedisTier) -> Option<u64> {
    tier.status().entries
}

#[test]
fn one_server_conforms() {
    let Some(server) = server() else { return };
    let clock = ManualClock::new();
    conformance::check(&clock, &|| Arc::new(new_tier(&server.url(), &clock)));
}

#[test]
fn a_cluster_of_three_conforms() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let clock = ManualClock::new();
    conformance::check(&clock, &|| Arc::new(new_tier(&cluster.url(), &clock)));
    // One node, as a configuration endpoint is, and keys on all of them.
    let tier = tier(&format!("{},", cluster.servers[1].url()), &clock);
    for n in 0..60 {
        put(&tier, &entry(&key(n), n.to_string(), &clock));
    }
    let sizes: Vec<i64> = cluster
        .servers
        .iter()
        .map(|server| redis::FromRedisValue::from_redis_value(server.command(&["DBSIZE"])).unwrap())
        .collect();
    assert!(sizes.iter().all(|size| *size > 0), "{sizes:?}");
    assert_eq!(entries(&tier), Some(60));
    let removed = tier.remove(&ns(), &Pattern::under(["things"]), NONE);
    assert_eq!(removed.unwrap(), 60);
    assert!(tier.status().ok, "{:?}", tier.status());
}

#[test]
fn keys_have_documented_names_and_expire() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "v", &clock));
    let mut client = server.client();
    let mut ttl = |name: String| -> i64 {
        let mut pttl = redis::cmd("PTTL");
        pttl.arg(name).query(&mut client).unwrap()
    };
    let hour = i64::try_from(HOUR.as_millis()).unwrap();
    let left = ttl(name(&key(1)));
    assert!((hour - 60_000..=hour).contains(&left), "{left}");
    let coordinator = tier.coordinator().unwrap();
    let lease = coordinator.try_lease(&ns(), &key(1), HOUR, NONE).unwrap();
    for suffix in ["fence", "lease"] {
        let left = ttl(format!("{}:{suffix}", name(&key(1))));
        assert!(left > 0, "{suffix}: {left}");
    }
    drop(lease);
    // Another prefix, another version of the package and another namespace have other names.
    let url = server.url();
    assert_eq!(entries(&tier_under("other", &url, &clock)), Some(0));
    let options = RedisOptions::from_url(&url).unwrap();
    let newer = RedisTier::new(
        options.prefix("tests").unwrap(),
        Codec::new("0.2.0"),
        Arc::new(clock.clone()),
    );
    assert_eq!(entries(&newer), Some(0));
    assert_eq!(newer.cleanup(SystemTime::now()).unwrap(), 0);
    let stranger = Namespace::of(["x"]);
    assert!(tier.get(&stranger, &key(1), NONE).unwrap().is_none());
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

#[test]
fn a_thousand_entries_are_scanned_and_removed_in_pages() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    for n in 0..1500 {
        let operation = if n % 3 == 0 { "a*[b" } else { "b" };
        let key = Key::new("page", operation, &n.to_string());
        put(&tier, &entry(&key, n.to_string(), &clock));
    }
    let mut seen = std::collections::BTreeSet::new();
    tier.scan(&ns(), "page:", NONE, &mut |info| {
        assert!(seen.insert(info.envelope.key.clone()), "visited twice");
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen.len(), 1500);
    let third = Pattern::under(["page", "a*[b"]);
    assert_eq!(tier.remove(&ns(), &third, NONE).unwrap(), 500);
    assert_eq!(tier.remove(&ns(), &Pattern::all(), NONE).unwrap(), 1000);
    assert_eq!(entries(&tier), Some(0));
}

#[test]
fn an_entry_beyond_the_bound_is_neither_stored_nor_loaded() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let large = entry(&key(1), "x".repeat(RedisTier::DEFAULT_MAX_LEN), &clock);
    let error = tier.put(&large, NONE).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
    server.command(&["SETRANGE", &name(&key(1)), "100000000", "x"]);
    let error = tier.get(&ns(), &key(1), NONE).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
    assert!(!error.is_tier_failure(), "one entry disables no tier");
    put(&tier, &entry(&key(1), "small", &clock));
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("small"));
}

/// The largest resident size of this process, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib << 10
}

#[test]
fn large_value_child() {
    let Some(url) = processes::job() else { return };
    let tier = tier(&url, &clock());
    assert!(tier.get(&ns(), &key(2), NONE).unwrap().is_none());
    let before = peak();
    for _ in 0..5 {
        let error = tier.get(&ns(), &key(1), NONE).unwrap_err();
        assert_eq!(error.kind(), TierErrorKind::TooLarge);
    }
    println!("grew={}", peak() - before);
}

/// In a process of its own, to measure its memory.
#[test]
fn a_value_beyond_the_bound_is_not_transferred() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let Some(server) = server() else { return };
    server.command(&["SETRANGE", &name(&key(1)), "500000000", "x"]);
    let child = processes::start("conformance::large_value_child", &server.url());
    let grew: u64 = processes::value(child, "grew").parse().unwrap();
    assert!(grew <= 4 << 20, "{grew} bytes");
}

/// A constructor of tiers on a new server.
fn on_a_server() -> impl Fn(&ManualClock) -> Arc<dyn Tier> {
    let server = server();
    move |clock| match &server {
        Some(server) => Arc::new(new_tier(&server.url(), clock)),
        // Skipped, but the macro has no word for it.
        None => Arc::new(MemoryTier::new(
            MemoryLimits::default(),
            Arc::new(clock.clone()),
        )),
    }
}

bedrock_catalog_test_support::tier_properties!(redis_tier, on_a_server());
