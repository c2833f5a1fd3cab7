//! The user that the manual tells operators to make: it may do all the tier does, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bedrock_catalog_cache::{ManualClock, Tier, TierErrorKind};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, until};

use crate::stage::*;

const MANUAL: &str = include_str!("../../../docs/operators.md");

/// Makes the user of the manual there, and one that may `more`; the URL to come as that user.
fn admit(server: &RedisServer, more: &str) -> String {
    let line = MANUAL.lines().find(|line| line.starts_with("ACL SETUSER "));
    let line = line.unwrap().replace("PASSWORD", "open-sesame") + more;
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(server.tell(&words), redis::Value::Okay);
    format!("redis://catalog:open-sesame@127.0.0.1:{}", server.port())
}

/// What the user wanted to do and may not.
fn refused(server: &RedisServer) -> redis::Value {
    server.tell(&["ACL", "LOG"])
}

/// Keeps the warnings of whoever listens, on whatever thread.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Warnings {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const NOTHING: redis::Value = redis::Value::Array(vec![]);

#[test]
fn the_user_of_the_manual_is_enough_and_no_more() {
    let Some(server) = server() else { return };
    let url = admit(&server, "");
    let clock = ManualClock::new();
    let of_the_manual = || tier_under("bedrock-catalog", &url, &clock);
    conformance::check(&clock, &|| {
        server.tell(&["FLUSHALL"]);
        Arc::new(of_the_manual())
    });
    assert!(of_the_manual().health().ok);
    // It listens, and asks over that connection whether the server is there.
    let listening = of_the_manual();
    listening.on_change(Arc::new(drop));
    assert_eq!(listening.get(&ns(), &key(1)).unwrap().map(drop), None);
    until("it listens", Duration::from_secs(20), || {
        let clients = server.tell(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        let clients: String = redis::FromRedisValue::from_redis_value(clients).unwrap();
        clients.contains(" sub=1 ") && clients.contains(" cmd=ping ")
    });
    // Nothing it did was refused, and quietly left out.
    assert_eq!(refused(&server), NOTHING);

    let elsewhere = tier_under("other", &url, &clock);
    let error = elsewhere.get(&ns(), &key(1)).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("ACL"), "{error}");
    assert_ne!(refused(&server), NOTHING);
}

#[test]
fn a_user_who_may_not_listen_is_told_of_once() {
    let Some(server) = server() else { return };
    let warnings = Warnings::default();
    let writer = warnings.clone();
    let all = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    all.with_writer(move || writer.clone()).init();
    let url = admit(&server, " -subscribe");
    let deaf = tier_under("bedrock-catalog", &url, &ManualClock::new());
    deaf.on_change(Arc::new(drop));
    assert_eq!(deaf.get(&ns(), &key(1)).unwrap().map(drop), None);
    // It tries again, and does not say it again.
    until("it tried twice", Duration::from_secs(20), || {
        let counts = server.tell(&["INFO", "commandstats"]);
        let counts: String = redis::FromRedisValue::from_redis_value(counts).unwrap();
        let subscribing = counts
            .lines()
            .find(|line| line.starts_with("cmdstat_subscribe:"));
        let refused =
            subscribing.and_then(|line| line.split_once("rejected_calls=")?.1.split(',').next());
        refused.is_some_and(|count| count.parse::<u64>().unwrap() >= 2)
    });
    let warnings = String::from_utf8(warnings.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        warnings.matches("listen (SUBSCRIBE").count(),
        1,
        "{warnings}"
    );
}

#[test]
fn the_user_of_the_manual_is_enough_in_a_cluster() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let more = MANUAL.split_once("For a Cluster, also `").unwrap().1;
    let more = format!(" {}", more.split_once('`').unwrap().0);
    let urls = cluster.servers.iter().map(|server| admit(server, &more));
    let url = urls.collect::<Vec<_>>().join(",");
    let clock = ManualClock::new();
    conformance::check(&clock, &|| {
        for server in &cluster.servers {
            server.tell(&["FLUSHALL"]);
        }
        Arc::new(tier_under("bedrock-catalog", &url, &clock))
    });
    assert!(tier_under("bedrock-catalog", &url, &clock).health().ok);
    for server in &cluster.servers {
        assert_eq!(refused(server), NOTHING);
    }
}
