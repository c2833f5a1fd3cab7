//! The user that the operator's manual defines has all permissions the tier needs, and no others.

use std::io;
use std::sync::{Arc, Mutex};

use bedrock_catalog_cache::{ManualClock, Tier, TierErrorKind};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, wait_until};

use crate::support::*;

const MANUAL: &str = include_str!("../../../docs/operators.md");
const NOTHING: redis::Value = redis::Value::Array(vec![]);

/// Creates the user of the manual with `more` rules; the URL with its login.
fn create_user(server: &RedisServer, more: &str) -> String {
    let line = MANUAL.lines().find(|line| line.starts_with("ACL SETUSER "));
    let line = line.unwrap().replace("PASSWORD", "open-sesame") + more;
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(server.command(&words), redis::Value::Okay);
    format!("redis://catalog:open-sesame@127.0.0.1:{}", server.port())
}

/// The refused operations.
fn refused(server: &RedisServer) -> redis::Value {
    server.command(&["ACL", "LOG"])
}

#[test]
fn the_user_of_the_manual_has_enough_permissions_and_no_more() {
    let Some(server) = server() else { return };
    let url = create_user(&server, "");
    let clock = ManualClock::new();
    let new = || tier_under("bedrock-catalog", &url, &clock);
    conformance::check(&clock, &|| {
        server.command(&["FLUSHALL"]);
        Arc::new(new())
    });
    assert!(new().status().ok);
    let subscribed = new();
    subscribed.coordinator().unwrap().subscribe(Arc::new(drop));
    assert!(subscribed.get(&ns(), &key(1), NONE).unwrap().is_none());
    wait_until("it is subscribed", SOON, || {
        let clients = server.command(&["CLIENT", "LIST", "TYPE", "pubsub"]);
        let clients: String = redis::FromRedisValue::from_redis_value(clients).unwrap();
        clients.contains(" sub=1 ")
    });
    // An optional operation may have failed without an error.
    assert_eq!(refused(&server), NOTHING);

    let elsewhere = tier_under("other", &url, &clock);
    let error = elsewhere.get(&ns(), &key(1), NONE).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("NOPERM"), "{error}");
    assert_ne!(refused(&server), NOTHING);
}

/// Collects the log of all threads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_user_without_the_permission_to_subscribe_is_logged_once() {
    let Some(server) = server() else { return };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    subscriber.with_writer(move || writer.clone()).init();
    let url = create_user(&server, " -subscribe");
    let tier = tier_under("bedrock-catalog", &url, &ManualClock::new());
    tier.coordinator().unwrap().subscribe(Arc::new(drop));
    assert!(tier.get(&ns(), &key(1), NONE).unwrap().is_none());
    wait_until("it tried twice", SOON, || {
        let stats = server.command(&["INFO", "commandstats"]);
        let stats: String = redis::FromRedisValue::from_redis_value(stats).unwrap();
        let line = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_subscribe:"));
        let rejected =
            line.and_then(|line| line.split_once("rejected_calls=")?.1.split(',').next());
        rejected.is_some_and(|count| count.parse::<u64>().unwrap() >= 2)
    });
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(log.matches("cannot subscribe").count(), 1, "{log}");
}

#[test]
fn the_user_of_the_manual_has_enough_permissions_in_a_cluster() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let more = MANUAL.split_once("For a Cluster, also `").unwrap().1;
    let more = format!(" {}", more.split_once('`').unwrap().0);
    let urls = cluster
        .servers
        .iter()
        .map(|server| create_user(server, &more));
    let url = urls.collect::<Vec<_>>().join(",");
    let clock = ManualClock::new();
    conformance::check(&clock, &|| {
        for server in &cluster.servers {
            server.command(&["FLUSHALL"]);
        }
        Arc::new(tier_under("bedrock-catalog", &url, &clock))
    });
    assert!(tier_under("bedrock-catalog", &url, &clock).status().ok);
    for server in &cluster.servers {
        let refused = format!("{:?}", refused(server));
        // The library names itself on each connection of a Cluster, and ignores a refusal.
        let objects = refused.matches("'object'").count() + refused.matches("\"object\"").count();
        let names = refused.matches("client|setinfo").count();
        assert_eq!(objects, names, "{refused}");
    }
}
