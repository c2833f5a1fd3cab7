//! Notifications of changes by other processes.

use std::sync::{Arc, Mutex};

use bedrock_catalog_cache::{ChangeEvent, Key, Pattern, RedisTier, Tier};
use bedrock_catalog_test_support::conformance;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, wait_until};

use crate::support::*;

/// The events that a tier passes on.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<ChangeEvent>>>);

impl Events {
    /// Subscribes, and waits for the connection.
    fn of(tier: &RedisTier) -> Self {
        let events = Self::default();
        let sink = events.clone();
        let listener = move |event| sink.0.lock().unwrap().push(event);
        tier.coordinator().unwrap().subscribe(Arc::new(listener));
        assert!(tier.get(&ns(), &key("none"), NONE).unwrap().is_none());
        assert_eq!(events.next(), ChangeEvent::Gap);
        events
    }

    fn next(&self) -> ChangeEvent {
        let mut next = None;
        wait_until("an event", SOON, || {
            let mut events = self.0.lock().unwrap();
            next = (!events.is_empty()).then(|| events.remove(0));
            next.is_some()
        });
        next.unwrap()
    }
}

fn removed(pattern: Pattern) -> ChangeEvent {
    let namespace = ns();
    ChangeEvent::Removed { namespace, pattern }
}

#[test]
fn writes_and_removals_of_other_processes_are_events() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (tier(&server.url(), &clock), tier(&server.url(), &clock));
    let (own, events) = (Events::of(&one), Events::of(&other));
    let stored = entry(&key(1), "v", &clock);
    put(&one, &stored);
    let written = ChangeEvent::Written {
        namespace: ns(),
        key: key(1),
        written_at: stored.envelope().written_at,
    };
    assert_eq!(events.next(), written);
    for pattern in [
        Pattern::exact(&key(1)),
        // Redis may have evicted what other processes still hold.
        Pattern::exact(&key("evicted")),
        Pattern::under(["things"]),
        Pattern::glob("*:get:?"),
        Pattern::any([Pattern::under(["a"]), Pattern::glob("b:*")]),
        Pattern::all(),
    ] {
        one.remove(&ns(), &pattern, NONE).unwrap();
        assert_eq!(events.next(), removed(pattern));
    }
    // A refused write is no change.
    put(&one, &stored);
    assert_eq!(events.next(), written);
    let before = stored.envelope().written_at - HOUR / 2;
    let older = conformance::entry(ns(), &key(1), "older", before, HOUR);
    one.put(&older, NONE).unwrap();
    one.remove(&ns(), &Pattern::exact(&key(2)), NONE).unwrap();
    assert_eq!(events.next(), removed(Pattern::exact(&key(2))));
    assert!(
        own.0.lock().unwrap().is_empty(),
        "a process's own changes are no events"
    );
}

#[test]
fn a_connection_that_was_lost_is_a_gap() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (tier(&server.url(), &clock), tier(&server.url(), &clock));
    let events = Events::of(&other);
    for _ in 0..3 {
        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        assert_eq!(events.next(), ChangeEvent::Gap);
        one.remove(&ns(), &Pattern::exact(&key(1)), NONE).unwrap();
        assert_eq!(events.next(), removed(Pattern::exact(&key(1))));
    }
}

#[test]
fn a_cluster_passes_events_between_its_nodes() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let clock = clock();
    let at = |n: usize| tier(&format!("{},", cluster.servers[n].url()), &clock);
    let (one, other) = (at(0), at(1));
    let events = Events::of(&other);
    for n in 0..10 {
        one.remove(&ns(), &Pattern::exact(&key(n)), NONE).unwrap();
        assert_eq!(events.next(), removed(Pattern::exact(&key(n))));
    }
}

/// The messages that the server passes on during the work.
fn messages(server: &RedisServer, work: impl FnOnce()) -> Vec<String> {
    let mut client = server.client();
    let mut subscription = client.as_pubsub();
    subscription.subscribe("tests:v1:changes").unwrap();
    work();
    server.command(&["PUBLISH", "tests:v1:changes", "over"]);
    let messages = std::iter::repeat_with(|| {
        let message = subscription.get_message().unwrap();
        message.get_payload().unwrap()
    });
    messages
        .take_while(|message: &String| message != "over")
        .collect()
}

#[test]
fn a_removal_by_a_pattern_is_one_message() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    for n in 0..200 {
        put(&tier, &entry(&key(n), "v", &clock));
    }
    let stays = Key::new("others", "get", "1");
    put(&tier, &entry(&stays, "v", &clock));
    let messages = messages(&server, || {
        let removed = tier.remove(&ns(), &Pattern::under(["things"]), NONE);
        assert_eq!(removed.unwrap(), 200);
    });
    assert_eq!(messages.len(), 1, "{messages:?}");
    let end = format!(" {} - /things", ns());
    assert!(messages[0].ends_with(&end), "{messages:?}");
    assert_eq!(text(&tier, &stays).as_deref(), Some("v"));
}
