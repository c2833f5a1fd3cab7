//! What one process stores, the others take up: by a message, and without one by asking below.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{BreakerState, Cache, Clock, Namespace, Pattern, Tier, TierErrorKind};
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, until};

use crate::stage::*;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn memory_follows_what_another_process_writes_and_removes() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (cache(&server.url(), &clock), cache(&server.url(), &clock));
    let told = std::sync::Arc::new(AtomicU64::new(0));
    let count = std::sync::Arc::clone(&told);
    other.on_change(move |namespace, changed| {
        assert_eq!((*namespace, changed.as_exact()), (ns(), Some(&key(1))));
        count.fetch_add(1, Ordering::Relaxed);
    });
    one.put(&key(1), "0", &terms());
    assert_eq!(cached(&other, &key(1)).as_deref(), Some("0"));
    // The clock stands still: nothing but a message makes the other look. It may not listen yet.
    let mut n = 0;
    until("the other has the new value", SOON, || {
        n += 1;
        clock.advance(Duration::from_millis(1));
        one.put(&key(1), n.to_string(), &terms());
        cached(&other, &key(1)) == Some(n.to_string())
    });
    // Nothing to be told of one's own.
    assert_eq!(cached(&one, &key(1)), Some(n.to_string()));
    one.remove(&key(1));
    until("the other has nothing", SOON, || {
        cached(&other, &key(1)).is_none()
    });
    assert!(told.load(Ordering::Relaxed) > 0);
    // After a silence it listens again.
    one.put(&key(1), "again", &terms());
    assert_eq!(cached(&other, &key(1)).as_deref(), Some("again"));
    server.tell(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    until("the other listens again", SOON, || {
        n += 1;
        clock.advance(Duration::from_millis(1));
        one.put(&key(1), n.to_string(), &terms());
        cached(&other, &key(1)) == Some(n.to_string())
    });
}

fn listeners(server: &RedisServer) -> usize {
    let told = server.tell(&["PUBSUB", "NUMSUB", "tests:v1:changes"]);
    let told: (String, usize) = redis::FromRedisValue::from_redis_value(told).unwrap();
    told.1
}

/// Whoever did not listen for a while asks below for what it has in memory since before.
#[test]
fn what_was_removed_while_nobody_listened_is_not_served_from_memory() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (tier, other) = (tier(&server.url(), &clock), cache(&server.url(), &clock));
    let in_memory = |n: u32| other.get(&key(n)).hit().and_then(|hit| hit.tier()) == Some("memory");
    let brought = |n: u32| {
        tier.put(&entry(&key(n), "v", &clock)).unwrap();
        until("it is in memory", SOON, || in_memory(n));
    };
    brought(0);
    let removed = (1..).find(|n| {
        until("it listens", SOON, || listeners(&server) == 1);
        brought(*n);
        clock.advance(Duration::from_secs(1));
        server.tell(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        tier.remove(&ns(), &key(n)).unwrap();
        // Else it was too fast for us, and has heard of it.
        listeners(&server) == 0
    });
    let removed = key(removed.unwrap());
    until("it listens again", SOON, || listeners(&server) == 1);
    until("it is not believed", SOON, || {
        !other.get(&removed).is_fresh()
    });
    // What has not changed is found there, and is in memory from then on.
    until("the rest is believed", SOON, || in_memory(0));
}

#[test]
fn and_so_it_does_in_a_cluster() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let clock = clock();
    let (one, other) = (cache(&cluster.url(), &clock), cache(&cluster.url(), &clock));
    let mut n = 0;
    until("the other has the new value", SOON, || {
        n += 1;
        clock.advance(Duration::from_millis(1));
        one.put(&key(1), n.to_string(), &terms());
        cached(&other, &key(1)) == Some(n.to_string())
    });
    one.invalidate(&Pattern::under(["things"]));
    until("the other has nothing", SOON, || {
        cached(&other, &key(1)).is_none()
    });
}

/// How many messages the server has passed on to a listener of our own, until it hears the word.
fn messages(server: &RedisServer, meanwhile: impl FnOnce()) -> Vec<String> {
    let mut connection = server.raw();
    let mut heard = connection.as_pubsub();
    heard.subscribe("tests:v1:changes").unwrap();
    meanwhile();
    server.tell(&["PUBLISH", "tests:v1:changes", "over"]);
    let all = std::iter::repeat_with(|| heard.get_message().unwrap().get_payload().unwrap());
    all.take_while(|message: &String| message != "over")
        .collect()
}

#[test]
fn removing_by_a_pattern_is_told_once_and_reaches_what_is_gone_from_redis() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (cache(&server.url(), &clock), cache(&server.url(), &clock));
    until("the other listens", SOON, || {
        one.put(&key(0), "v", &terms());
        let _ = other.get(&key(0));
        one.remove(&key(0));
        other.get(&key(0)).is_missing()
    });
    let stays = bedrock_catalog_cache::Key::new("others", "get", "1");
    let keys: Vec<_> = (1..=200).map(key).chain([stays.clone()]).collect();
    one.put_many(keys.iter().map(|key| (key, "v")), &terms());
    // A message that is being read at this moment may keep one from being copied up.
    until("the other has all in memory", SOON, || {
        let found = other.get_many(&keys);
        let mut hits = found.iter().map(|found| found.hit());
        hits.all(|hit| hit.is_some_and(|hit| hit.tier() == Some("memory")))
    });
    // Evicted, or lost in a restart.
    server.tell(&["FLUSHALL"]);
    one.put(&key(1), "v", &terms());
    one.put(&key(2), "v", &terms());
    let told = messages(&server, || {
        assert_eq!(one.invalidate(&Pattern::under(["things"])), 200);
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with(&format!(" {} - /things", ns())),
        "{told:?}"
    );
    until("the other has none of them", SOON, || {
        (1..=200).all(|n| other.get(&key(n)).is_missing())
    });
    assert_eq!(cached(&other, &stays).as_deref(), Some("v"));
    // The same of one key.
    one.remove(&stays);
    until("nor this one", SOON, || other.get(&stays).is_missing());
}

/// A clock by which everything takes half a second.
#[derive(Debug)]
struct Slow(AtomicU64);

impl Clock for Slow {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn steady(&self) -> Duration {
        Duration::from_millis(500 * self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[test]
fn a_database_too_large_to_be_looked_through_is_not_believed_by_anyone() {
    let Some(server) = server() else { return };
    let clock = clock();
    let slow = tier(&server.url(), &clock).with_clock(Slow(AtomicU64::new(0)));
    let slow = cache_over(slow, &clock);
    let other = cache(&server.url(), &clock);
    until("the other listens", SOON, || {
        slow.put(&key(0), "v", &terms());
        let _ = other.get(&key(0));
        slow.remove(&key(0));
        other.get(&key(0)).is_missing()
    });
    let tier = tier(&server.url(), &clock);
    let entries: Vec<_> = (0..1000).map(|n| entry(&key(n), "v", &clock)).collect();
    assert!(tier.put_many(&entries).iter().all(Result::is_ok));
    assert!(other.get(&key(1)).is_fresh() && slow.get(&key(1)).is_fresh());
    let told = messages(&server, || {
        assert_eq!(slow.invalidate(&Pattern::under(["things"])), 1, "of memory");
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with(" ? /things"), "{told:?}");
    let left = tier.size().unwrap().entries;
    assert!((1..1000).contains(&left), "{left} left");
    let missing = |cache: &Cache| (0..1000).all(|n| cache.get(&key(n)).is_missing());
    assert!(missing(&slow), "what was not reached is served");
    until("the other believes none of it", SOON, || missing(&other));
    assert_eq!(slow.health()[1].breaker, BreakerState::Closed, "it answers");
    // One that has the time makes up for it, and it is over there.
    other.cleanup();
    assert_eq!(tier.size().unwrap().entries, 0);
    tier.put(&entry(&key(1), "new", &clock)).unwrap();
    assert_eq!(cached(&other, &key(1)).as_deref(), Some("new"));
}

/// As those of many callers who waited for one another.
#[test]
fn many_removals_at_once_are_one_scan_and_are_told_each() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let entries: Vec<_> = (0..10).map(|n| entry(&key(n), "v", &clock)).collect();
    assert!(tier.put_many(&entries).iter().all(Result::is_ok));
    let of = [ns(), ns(), Namespace::of(["another"])];
    let patterns = ["*:1", "things:*", "*"].map(Pattern::glob);
    let what: Vec<_> = of.into_iter().zip(patterns).collect();
    server.tell(&["CONFIG", "RESETSTAT"]);
    let told = messages(&server, || {
        let removed = tier.invalidate_many(&what, false).into_iter();
        let removed: Vec<_> = removed.map(Result::unwrap).collect();
        assert_eq!(removed, [Some(1), Some(9), Some(0)]);
    });
    assert_eq!(told.len(), 3, "{told:?}");
    let info = server.tell(&["INFO", "commandstats"]);
    let info: String = redis::FromRedisValue::from_redis_value(info).unwrap();
    assert!(info.contains("cmdstat_scan:calls=1,"), "{info}");
}

/// Where there is no time to look through all keys, the others are told not to believe what matches.
#[test]
fn what_is_disowned_is_told_and_stays() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    tier.put(&entry(&key(1), "v", &clock)).unwrap();
    let things = Pattern::under(["things"]);
    let told = messages(&server, || {
        let mut done = tier.invalidate_many(&[(ns(), things.clone())], true);
        assert_eq!(done.remove(0).unwrap(), None);
    });
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with(" ? /things"), "{told:?}");
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("v"));
    // One key is removed as fast.
    let mut done = tier.invalidate_many(&[(ns(), Pattern::exact(&key(1)))], true);
    assert_eq!(done.remove(0).unwrap(), Some(1));
    server.freeze();
    let of_two = [ns(), Namespace::of(["another"])].map(|of| (of, things.clone()));
    let failed = tier.invalidate_many(&of_two, true);
    assert_eq!(failed.len(), 1, "the other would take as long");
    let error = failed[0].as_ref().unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Timeout);
    server.thaw();
}
