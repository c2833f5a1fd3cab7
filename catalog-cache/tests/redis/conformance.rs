//! What every tier promises, on one server, on a Cluster, and over TLS.

use std::sync::Arc;

use bedrock_catalog_cache::tier::redis::{RedisOptions, RedisTier};
use bedrock_catalog_cache::{Key, ManualClock, Namespace, Pattern, Tier, TierErrorKind};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, is_installed};

use crate::properties;
use crate::stage::*;

#[test]
fn one_server_keeps_every_promise() {
    let Some(server) = server() else { return };
    let clock = ManualClock::new();
    conformance::check(&clock, &|| Arc::new(tier_apart(&server.url(), &clock)));
}

/// The numbered properties of the tiered cache; 200 cases of each in the long lane.
#[test]
fn seed_004_over_redis() {
    let Some(server) = server() else { return };
    let made = std::cell::Cell::new(0);
    let make = |clock: &ManualClock| -> Arc<dyn Tier> {
        made.set(made.get() + 1);
        Arc::new(tier_apart(&server.url(), clock))
    };
    properties::check(&make, if is_long() { 200 } else { 15 });
    let told = format_args!("6 properties, {} cases", made.get());
    count("the cache over Redis", told);
}

#[test]
fn a_cluster_of_three_keeps_every_promise() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let clock = ManualClock::new();
    conformance::check(&clock, &|| Arc::new(tier_apart(&cluster.url(), &clock)));
    // One of them, as a configuration endpoint is, and keys on all of them.
    let tier = tier(&format!("{},", cluster.servers[1].url()), &clock);
    for n in 0..60 {
        tier.put(&entry(&key(n), n.to_string(), &clock)).unwrap();
    }
    let held: Vec<i64> = cluster
        .servers
        .iter()
        .map(|server| redis::FromRedisValue::from_redis_value(server.tell(&["DBSIZE"])).unwrap())
        .collect();
    assert!(held.iter().all(|held| *held > 0), "{held:?}");
    assert_eq!(tier.size().unwrap().entries, 60);
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::under(["things"])).unwrap(),
        60
    );
    assert!(tier.health().ok, "{:?}", tier.health());
}

#[test]
fn over_tls_only_to_whom_the_given_authority_vouches_for() {
    if !is_installed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let made =
        rcgen::generate_simple_self_signed(["localhost".into(), "127.0.0.1".into()]).unwrap();
    let (certificate, private) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&private, made.signing_key.serialize_pem()).unwrap();
    let Some(server) = RedisServer::start_tls(&certificate, &private) else {
        return;
    };
    let url = format!("rediss://localhost:{}", server.port());
    let options = RedisOptions::from_url(&url).unwrap();
    // Debug builds make TLS slow.
    let options = options.timeout(std::time::Duration::from_secs(5)).unwrap();
    let clock = clock();
    let trusting = options.clone().ca_pem(made.cert.pem().as_bytes()).unwrap();
    let trusting = RedisTier::new(trusting, codec()).with_clock(clock.clone());
    trusting.put(&entry(&key(1), "over tls", &clock)).unwrap();
    assert_eq!(text(&trusting, &key(1)).as_deref(), Some("over tls"));
    assert!(trusting.health().ok);

    let other = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let wary = options.clone().ca_pem(other.cert.pem().as_bytes()).unwrap();
    let error = RedisTier::new(wary, codec())
        .get(&ns(), &key(1))
        .unwrap_err();
    assert!(error.is_tier_failure(), "{error}");
    // The platform's authorities have never heard of it.
    let error = RedisTier::new(options, codec())
        .get(&ns(), &key(1))
        .unwrap_err();
    assert!(error.is_tier_failure(), "{error}");
    // Plain text where TLS is spoken.
    let plain = tier(&format!("redis://localhost:{}", server.port()), &clock);
    assert!(plain.get(&ns(), &key(1)).unwrap_err().is_tier_failure());
}

#[test]
fn keys_are_named_as_said_and_end_by_themselves() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    tier.put(&entry(&key(1), "v", &clock)).unwrap();
    let mut raw = server.raw();
    let ttl: i64 = redis::cmd("PTTL")
        .arg(name(&key(1)))
        .query(&mut raw)
        .unwrap();
    let hour = i64::try_from(HOUR.as_millis()).unwrap();
    assert!((hour - 60_000..=hour).contains(&ttl), "{ttl}");
    // What counts for a key ends too.
    tier.begin(&ns(), &key(1)).unwrap().unwrap();
    let fence = format!("{}:fence", name(&key(1)));
    let ttl: i64 = redis::cmd("PTTL").arg(fence).query(&mut raw).unwrap();
    assert!(ttl > 0, "{ttl}");
    // Another prefix, another version of the package and another namespace see nothing of it.
    let url = server.url();
    assert_eq!(tier_under("other", &url, &clock).size().unwrap().entries, 0);
    let options = RedisOptions::from_url(&url)
        .unwrap()
        .prefix("tests")
        .unwrap();
    let newer = RedisTier::new(options, bedrock_catalog_cache::Codec::new("0.2.0"));
    assert_eq!(newer.size().unwrap().entries, 0);
    assert_eq!(newer.cleanup(std::time::SystemTime::now()).unwrap(), 0);
    assert!(tier.get(&Namespace::of(["x"]), &key(1)).unwrap().is_none());
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

#[test]
fn a_thousand_entries_are_scanned_and_removed_in_pages() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let entries: Vec<_> = (0..1500)
        .map(|n| {
            let key = Key::new(
                "page",
                if n % 3 == 0 { "a*[b" } else { "b" },
                &n.to_string(),
            );
            entry(&key, n.to_string(), &clock)
        })
        .collect();
    assert!(tier.put_many(&entries).iter().all(Result::is_ok));
    let mut seen = std::collections::BTreeSet::new();
    tier.scan(&ns(), "page:", &mut |listed| {
        assert!(seen.insert(listed.envelope.key.clone()), "shown twice");
        std::ops::ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen.len(), 1500);
    let keys: Vec<Key> = seen.into_iter().collect();
    assert!(
        tier.get_many(&ns(), &keys)
            .iter()
            .all(|found| matches!(found, Ok(Some(_))))
    );
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::under(["page", "a*[b"]))
            .unwrap(),
        500
    );
    assert_eq!(tier.clear(&ns()).unwrap(), 1000);
    assert_eq!(tier.size().unwrap().entries, 0);
}

#[test]
fn what_is_beyond_the_bounds_is_neither_stored_nor_loaded() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let large = "x".repeat(RedisTier::DEFAULT_MAX_LEN);
    let error = tier.put(&entry(&key(1), large, &clock)).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
    server.tell(&["SETRANGE", &name(&key(1)), "100000000", "x"]);
    let error = tier.get(&ns(), &key(1)).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::TooLarge);
    assert!(!error.is_tier_failure(), "one entry is no reason to stop");
    // It is replaced like any other.
    tier.put(&entry(&key(1), "small", &clock)).unwrap();
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("small"));
}
