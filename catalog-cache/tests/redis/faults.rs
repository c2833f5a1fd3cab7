//! A server that hangs, is full, read-only, closed or away: the error names the cause, and the tier
//! recovers by itself.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{
    Acquired, Clock, Codec, Deadline, Entry, Key, Namespace, Pattern, RedisTier, Tier, TierError,
    TierErrorKind, Written,
};
use bedrock_catalog_test_support::redis_server::{
    RedisCluster, RedisServer, free_port, wait_until,
};
use bedrock_catalog_test_support::{conformance, count};

use crate::support::*;

/// The error of a read that must fail, and its time.
fn failed_get(tier: &RedisTier) -> (TierError, Duration) {
    let start = Instant::now();
    let error = tier.get(&ns(), &key(1), NONE).unwrap_err();
    (error, start.elapsed())
}

/// Checks the cause, which the message names.
fn assert_cause(error: &TierError, kind: TierErrorKind, cause: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(cause), "{error}");
    assert!(error.is_tier_failure(), "{error}");
}

/// The wall clock counts in the long lane, which runs alone.
fn assert_in_time(took: Duration) {
    let limit = Duration::from_millis(250 + 10);
    assert!(!is_long() || took <= limit, "{took:?}");
}

fn times_out(tier: &RedisTier) {
    for _ in 0..5 {
        let (error, took) = failed_get(tier);
        assert_cause(&error, TierErrorKind::Timeout, "no reply in time");
        assert_in_time(took);
    }
}

fn serves_soon(tier: &RedisTier) {
    wait_until("it serves", SOON, || tier.get(&ns(), &key(1), NONE).is_ok());
}

#[test]
fn a_hanging_server_is_a_timeout_and_then_serves() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = default_tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "v", &clock));
    server.suspend();
    times_out(&tier);
    // The caller's deadline is shorter.
    let brief = Deadline::after(Duration::from_millis(20));
    let error = tier.get(&ns(), &key(1), brief).unwrap_err();
    assert_cause(&error, TierErrorKind::Timeout, "no reply in time");
    server.resume();
    serves_soon(&tier);
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

#[test]
fn a_server_that_hangs_from_the_start_is_a_timeout_and_then_serves() {
    let Some(server) = server() else { return };
    let tier = default_tier(&server.url(), &clock());
    server.suspend();
    times_out(&tier);
    server.resume();
    serves_soon(&tier);
}

#[test]
fn a_paused_server_is_a_timeout_and_then_serves() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = default_tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "v", &clock));
    server.command(&["CLIENT", "PAUSE", "1500", "ALL"]);
    times_out(&tier);
    serves_soon(&tier);
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

#[test]
fn an_address_that_accepts_and_never_answers_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    times_out(&default_tier(&url, &clock()));
}

#[test]
fn an_address_that_does_not_exist_is_named() {
    let refused = format!("redis://127.0.0.1:{}", free_port());
    // A label of a name has at most 63 characters, so no name server is needed.
    let unknown = format!("redis://{}.invalid", "x".repeat(80));
    for (url, cause) in [(refused, "connection refused"), (unknown, "no such host")] {
        let (error, _) = failed_get(&tier(&url, &clock()));
        assert_cause(&error, TierErrorKind::Unavailable, cause);
    }
}

#[test]
fn a_database_that_does_not_exist_is_named() {
    let Some(server) = server() else { return };
    let tier = tier(&format!("{}/999", server.url()), &clock());
    for _ in 0..2 {
        let (error, _) = failed_get(&tier);
        assert_cause(&error, TierErrorKind::Refused, "DB index is out of range");
    }
}

#[test]
fn a_full_server_keeps_the_old_value() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "old", &clock));
    server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    server.command(&["CONFIG", "SET", "maxmemory", "1000000"]);
    let large = entry(&key(1), "x".repeat(100_000), &clock);
    let error = tier.put(&large, NONE).unwrap_err();
    assert_cause(&error, TierErrorKind::Full, "OOM");
    assert!(error.is_transient());
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("old"));
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    put(&tier, &large);
}

#[test]
fn a_read_only_server_serves_and_refuses_writes() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "old", &clock));
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = tier.put(&entry(&key(1), "new", &clock), NONE).unwrap_err();
    assert_cause(&error, TierErrorKind::Unavailable, "READONLY");
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("old"));
    let status = tier.status();
    assert!(!status.ok && status.message.contains("slave"), "{status:?}");
    assert!(tier.remove(&ns(), &Pattern::exact(&key(1)), NONE).is_err());
    server.command(&["REPLICAOF", "NO", "ONE"]);
    clock.advance(Duration::from_millis(1));
    put(&tier, &entry(&key(1), "new", &clock));
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("new"));
    assert!(tier.status().ok);
}

#[test]
fn a_server_that_cannot_save_serves_and_refuses_writes() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    put(&tier, &entry(&key(1), "old", &clock));
    server.command(&["CONFIG", "SET", "save", "3600 1"]);
    std::fs::remove_dir_all(server.folder()).unwrap();
    server.command(&["BGSAVE"]);
    wait_until("saving fails", SOON, || {
        let info = server.command(&["INFO", "persistence"]);
        let info: String = redis::FromRedisValue::from_redis_value(info).unwrap();
        info.contains("rdb_last_bgsave_status:err")
    });
    let error = tier.put(&entry(&key(1), "new", &clock), NONE).unwrap_err();
    assert_cause(&error, TierErrorKind::Unavailable, "MISCONF");
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("old"));
}

#[test]
fn a_server_with_too_many_clients_is_tried_again() {
    let Some(server) = server() else { return };
    let mut client = server.client();
    let mut limit = |clients: u32| -> redis::Value {
        let mut set = redis::cmd("CONFIG");
        set.arg(&["SET", "maxclients"]).arg(clients);
        set.query(&mut client).unwrap()
    };
    limit(1);
    let tier = tier(&server.url(), &clock());
    let (error, _) = failed_get(&tier);
    assert_cause(&error, TierErrorKind::Unavailable, "");
    limit(100);
    serves_soon(&tier);
}

#[test]
fn a_login_that_is_refused_is_named_and_no_error_shows_a_password() {
    let Some(server) = RedisServer::start_with(&["--requirepass", "s3cret"]) else {
        return;
    };
    let clock = clock();
    let at = |login: &str| {
        let url = format!("redis://{login}127.0.0.1:{}", server.port());
        tier(&url, &clock)
    };
    for (login, cause) in [
        ("", "NOAUTH"),
        (":wr0ng@", "WRONGPASS"),
        ("nobody:wr0ng@", "WRONGPASS"),
    ] {
        let tier = at(login);
        for _ in 0..2 {
            let (error, _) = failed_get(&tier);
            assert_cause(&error, TierErrorKind::Refused, cause);
            assert!(!error.is_transient());
            assert!(!error.to_string().contains("wr0ng"), "{error}");
        }
    }
    let tier = at(":s3cret@");
    put(&tier, &entry(&key(1), "v", &clock));
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
    let shown = format!("{tier:?} {:?}", tier.status());
    assert!(!shown.contains("s3cret"), "{shown}");
}

/// A password that changes while the program runs.
#[test]
fn a_refused_login_is_tried_again() {
    let Some(server) = RedisServer::start_with(&["--requirepass", "old"]) else {
        return;
    };
    let tier = tier(
        &format!("redis://:new@127.0.0.1:{}", server.port()),
        &clock(),
    );
    let (error, _) = failed_get(&tier);
    assert_cause(&error, TierErrorKind::Refused, "WRONGPASS");
    let url = format!("redis://:old@127.0.0.1:{}", server.port());
    let mut client = redis::Client::open(url).unwrap().get_connection().unwrap();
    let mut set = redis::cmd("CONFIG");
    set.arg(&["SET", "requirepass", "new"]);
    set.exec(&mut client).unwrap();
    assert!(tier.get(&ns(), &key(1), NONE).unwrap().is_none());
}

#[test]
fn a_connection_that_is_refused_is_tried_again() {
    let Some(server) = server() else { return };
    let user = |rule: &str| {
        let rules = ["on", ">secret", "~*", "&*", "+@all", rule];
        server.command(&[&["ACL", "SETUSER", "user"], &rules[..]].concat());
    };
    user("-select");
    let url = format!("redis://user:secret@127.0.0.1:{}/1", server.port());
    let tier = tier(&url, &clock());
    let (error, _) = failed_get(&tier);
    assert_cause(&error, TierErrorKind::Refused, "NOPERM");
    user("+select");
    assert!(tier.get(&ns(), &key(1), NONE).unwrap().is_none());
}

/// Passes bytes on to a server, and on the connections of earlier epochs drops them.
fn proxy(server: &RedisServer) -> (String, Arc<AtomicU64>) {
    let epoch = Arc::new(AtomicU64::new(0));
    let (current, port) = (Arc::clone(&epoch), server.port());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, own) = (client.unwrap(), current.load(Ordering::SeqCst));
            let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            for (mut from, mut to) in [(&client, &server), (&server, &client)]
                .map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()))
            {
                let current = Arc::clone(&current);
                std::thread::spawn(move || {
                    let mut bytes = [0; 16 << 10];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        if current.load(Ordering::SeqCst) == own
                            && to.write_all(&bytes[..read]).is_err()
                        {
                            return;
                        }
                    }
                });
            }
        }
    });
    (url, epoch)
}

/// As after a failover to another machine: no packet says that the old connection is dead.
#[test]
fn a_connection_that_died_silently_is_replaced() {
    let Some(server) = server() else { return };
    let (url, epoch) = proxy(&server);
    let clock = clock();
    let tier = default_tier(&url, &clock);
    put(&tier, &entry(&key(1), "v", &clock));
    epoch.fetch_add(1, Ordering::SeqCst);
    let (error, _) = failed_get(&tier);
    assert_cause(&error, TierErrorKind::Timeout, "no reply in time");
    serves_soon(&tier);
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

#[test]
fn poisoned_foreign_and_damaged_values_are_refused_and_replaced() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let mut client = server.client();
    let mut bytes_of =
        |key: &Key| -> Vec<u8> { redis::cmd("GET").arg(name(key)).query(&mut client).unwrap() };
    put(&tier, &entry(&key(1), "good", &clock));
    put(&tier, &entry(&key(2), "another key's", &clock));
    let (good, another) = (bytes_of(&key(1)), bytes_of(&key(2)));
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8(good.clone()).unwrap();
        text.replace(from, to).into_bytes()
    };
    let mut flipped = good.clone();
    flipped[good.len() - 3] ^= 1;
    let stranger = Namespace::of(["a stranger"]);
    let stranger = conformance::entry(stranger, &key(1), "a stranger's", clock.now(), HOUR);
    let stranger = codec().encode(&stranger).unwrap().bytes;
    let mut envelope = entry(&key(1), "newer", &clock).envelope().clone();
    envelope.package_version = "0.2.0".into();
    let newer = Entry::new(envelope, "newer".into());
    let newer = Codec::new("0.2.0").encode(&newer).unwrap().bytes;
    use TierErrorKind::{Corrupt, Foreign};
    for (what, value, kind) in [
        ("poison", b"{\"models\":[]}".to_vec(), Corrupt),
        ("a flipped bit", flipped, Corrupt),
        ("a cut-off entry", good[..good.len() / 2].to_vec(), Corrupt),
        (
            "another format",
            replaced("{\"format\":1", "{\"format\":2"),
            Corrupt,
        ),
        ("another key's entry", another, Foreign),
        ("another namespace's entry", stranger, Foreign),
        ("another version's entry", newer, Foreign),
    ] {
        let mut set = redis::cmd("SET");
        set.arg(name(&key(1))).arg(&value);
        set.exec(&mut server.client()).unwrap();
        let error = tier.get(&ns(), &key(1), NONE).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(!error.is_tier_failure(), "{what}");
        clock.advance(Duration::from_millis(1));
        put(&tier, &entry(&key(1), "good", &clock));
        assert_eq!(text(&tier, &key(1)).as_deref(), Some("good"), "{what}");
    }
}

#[test]
fn keys_of_another_type_are_replaced() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    server.command(&["LPUSH", &name(&key(1)), "an element"]);
    let error = tier.get(&ns(), &key(1), NONE).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Corrupt, "{error}");
    let mut visit = |_| ControlFlow::Continue(());
    tier.scan(&ns(), "", NONE, &mut visit).unwrap();
    assert_eq!(tier.cleanup(clock.now()).unwrap(), 0);
    assert!(tier.status().ok);
    put(&tier, &entry(&key(1), "good", &clock));
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("good"));
    // The same for the fencing tokens.
    let fence = format!("{}:fence", name(&key(1)));
    let coordinator = tier.coordinator().unwrap();
    for _ in 0..2 {
        server.command(&["SET", &fence, "a string"]);
        clock.advance(Duration::from_millis(1));
        put(&tier, &entry(&key(1), "plain", &clock));
        server.command(&["SET", &fence, "a string"]);
        let lease = coordinator.try_lease(&ns(), &key(1), HOUR, NONE).unwrap();
        let Acquired::Held(guard) = lease else {
            panic!("{lease:?}");
        };
        clock.advance(Duration::from_millis(1));
        let computed = entry(&key(1), "computed", &clock);
        let written = coordinator.put_if_current(&computed, guard.token().unwrap(), NONE);
        assert!(matches!(written.unwrap(), Written::Stored { .. }));
    }
}

/// 500 times in the long lane.
#[test]
fn a_restarted_server_is_back_at_once() {
    let Some(mut server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let cycles = if is_long() { 500 } else { 8 };
    let mut slowest = Duration::ZERO;
    for cycle in 0..cycles {
        clock.advance(Duration::from_millis(1));
        put(&tier, &entry(&key(1), cycle.to_string(), &clock));
        server.kill();
        let (error, _) = failed_get(&tier);
        assert_cause(&error, TierErrorKind::Unavailable, "connection refused");
        server.restart();
        let start = Instant::now();
        serves_soon(&tier);
        slowest = slowest.max(start.elapsed());
        assert_eq!(text(&tier, &key(1)), None, "the server was empty");
    }
    assert!(
        !is_long() || slowest <= Duration::from_secs(2),
        "{slowest:?}"
    );
    let cases = format_args!("{cycles} restarts, back within {slowest:?}");
    count("redis, restarted", cases);
}

/// As by a load balancer, or by the server's own `timeout`.
#[test]
fn a_connection_that_was_closed_while_idle_costs_no_error() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    for n in 0..20 {
        put(&tier, &entry(&key(n), "v", &clock));
        server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    }
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
}

#[test]
fn a_cluster_without_one_of_its_servers_serves_the_rest() {
    let Some(mut cluster) = RedisCluster::start() else {
        return;
    };
    for server in &cluster.servers {
        server.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let clock = clock();
    let tier = default_tier(&cluster.url(), &clock);
    for n in 0..30 {
        put(&tier, &entry(&key(n), n.to_string(), &clock));
    }
    cluster.servers[2].kill();
    let mut served = 0;
    for n in 0..30 {
        let start = Instant::now();
        let found = tier.get(&ns(), &key(n), NONE);
        assert_in_time(start.elapsed());
        served += usize::from(found.is_ok_and(|found| found.is_some()));
    }
    assert!((10..30).contains(&served), "{served} of 30");
}

#[test]
fn a_url_that_does_not_fit_a_cluster_is_named() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let clock = clock();
    let single = tier(&cluster.servers[0].url(), &clock);
    let errors = (0..30).filter_map(|n| single.get(&ns(), &key(n), NONE).err());
    let errors: Vec<TierError> = errors.collect();
    assert!(!errors.is_empty());
    for error in errors {
        assert_cause(&error, TierErrorKind::Refused, "end the URL with a comma");
    }
    let numbered = tier(&format!("{}/1", cluster.servers[0].url()), &clock);
    let (error, _) = failed_get(&numbered);
    assert_cause(&error, TierErrorKind::Refused, "only the database 0");
    let Some(server) = server() else { return };
    let (error, _) = failed_get(&tier(&format!("{},", server.url()), &clock));
    assert_cause(&error, TierErrorKind::Refused, "not a Cluster");
}

/// A server that answers every request with the same bytes.
fn serve(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            std::thread::spawn(move || {
                let mut request = [0; 64 << 10];
                while client.read(&mut request).is_ok_and(|read| read > 0) {
                    if client.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[test]
fn garbage_is_an_error_and_no_panic() {
    let clock = clock();
    for answer in [
        b"HTTP/1.1 400 Bad Request\r\n\r\n".as_slice(),
        b"\0\0\0\0",
        b"*1\r\n*1\r\n*1\r\n",
        b"+OK\r\n",
        b":1\r\n:2\r\n:3\r\n",
        b"$3\r\nabcdefgh\r\n",
        b"$1073741824\r\n",
        b"*1000000000\r\n",
        b"$18446744073709551615\r\n",
        b"%1\r\n+a\r\n",
        b">2\r\n+message\r\n+x\r\n",
        b"-MOVED 1 127.0.0.1:1\r\n",
        b"-\x1b[31mERR evil\r\n",
        b"-ERR not now\r\n",
        b"_\r\n",
    ] {
        let tier = default_tier(&serve(answer), &clock);
        let shown = String::from_utf8_lossy(answer);
        // A simple string or a null may be read as bytes, but never as an entry.
        if let Ok(Some(found)) = tier.get(&ns(), &key(1), NONE) {
            panic!("{shown:?} is {found:?}");
        }
        let error = tier.put(&entry(&key(1), "v", &clock), NONE).unwrap_err();
        assert!(error.is_tier_failure(), "{shown:?}: {error}");
        assert!(!error.to_string().contains('\x1b'), "{error}");
        assert!(!tier.status().ok, "{shown:?}");
        assert!(
            tier.remove(&ns(), &Pattern::all(), NONE).is_err(),
            "{shown:?}"
        );
    }
}
