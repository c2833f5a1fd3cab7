//! The requirements of [`Tier`] and [`Coordinator`], checked on any tier.
//!
//! ```
//! use bedrock_catalog_cache::{ManualClock, MemoryLimits, MemoryTier};
//! use bedrock_catalog_test_support::conformance;
//! use std::sync::Arc;
//!
//! let clock = ManualClock::new();
//! conformance::check(&clock, &|| Arc::new(MemoryTier::new(MemoryLimits::default(), Arc::new(clock.clone()))));
//! ```

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{
    Acquired, Clock, Coordinator, Deadline, Entry, Envelope, FencingToken, Key, LeaseGuard,
    ManualClock, Namespace, Pattern, Tier, Ttl, Written,
};
use bytes::Bytes;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs the whole suite. `make` returns a new, empty tier on the same clock each time, with room for
/// 8 MiB.
///
/// # Panics
/// A promise is broken.
pub fn check(clock: &ManualClock, make: &dyn Fn() -> Arc<dyn Tier>) {
    returns_entries_as_stored(clock, &*make());
    replaces_and_removes(clock, &*make());
    refuses_an_older_entry(clock, &*make());
    separates_namespaces(clock, &*make());
    scans_by_prefix(clock, &*make());
    removes_by_pattern(clock, &*make());
    cleans_up_expired_entries(clock, &*make());
    is_whole_under_threads(clock, &make());
    let tier = make();
    if let Some(coordinator) = tier.coordinator() {
        leases_to_one_at_a_time(&*tier, coordinator);
        refuses_a_superseded_holder(clock, &*tier, coordinator);
        refuses_a_write_after_a_removal(clock, &*tier, coordinator);
    }
}

/// An entry with `fresh_for` of half its `keep_for`.
#[must_use]
pub fn entry(
    namespace: Namespace,
    key: &Key,
    payload: impl Into<Bytes>,
    written_at: SystemTime,
    keep_for: Duration,
) -> Entry {
    let envelope = Envelope {
        key: key.clone(),
        namespace,
        written_at,
        ttl: Ttl {
            fresh_for: keep_for / 2,
            keep_for,
        },
        source: "suite".into(),
        package_version: env!("CARGO_PKG_VERSION").into(),
    };
    Entry::new(envelope, payload.into())
}

fn ns() -> Namespace {
    Namespace::of(["conformance"])
}

fn other_ns() -> Namespace {
    Namespace::of(["conformance", "other"])
}

fn key(n: usize) -> Key {
    Key::new("suite", "entry", &n.to_string())
}

fn get_in(tier: &dyn Tier, namespace: Namespace, key: &Key) -> Option<Entry> {
    let found = tier.get(&namespace, key, Deadline::NONE).expect("get");
    found.map(|found| found.entry)
}

fn get(tier: &dyn Tier, key: &Key) -> Option<Entry> {
    get_in(tier, ns(), key)
}

fn put(tier: &dyn Tier, entry: &Entry) {
    let written = tier.put(entry, Deadline::NONE).expect("put");
    assert!(is_stored(&written), "{}: {written:?}", tier.name());
}

fn is_stored(written: &Written) -> bool {
    matches!(written, Written::Stored { .. })
}

fn remove(tier: &dyn Tier, namespace: Namespace, pattern: &Pattern) -> u64 {
    tier.remove(&namespace, pattern, Deadline::NONE)
        .expect("remove")
}

fn keys(tier: &dyn Tier, namespace: Namespace, prefix: &str) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    tier.scan(&namespace, prefix, Deadline::NONE, &mut |info| {
        keys.insert(info.envelope.key.clone());
        ControlFlow::Continue(())
    })
    .expect("scan");
    keys
}

/// Compares counts where the tier counts.
fn assert_entries(tier: &dyn Tier, count: u64) {
    if let Some(entries) = tier.status().entries {
        assert_eq!(entries, count, "{}: the status counts entries", tier.name());
    }
}

fn returns_entries_as_stored(clock: &dyn Clock, tier: &dyn Tier) {
    let name = tier.name();
    let status = tier.status();
    assert!(status.ok, "{name}: a new tier is not well: {status:?}");
    assert_eq!(get(tier, &key(0)), None, "{name}: a new tier is not empty");
    assert_entries(tier, 0);
    let long = "long/".repeat(200);
    let payloads: [Bytes; 6] = [
        Bytes::new(),
        "{}".into(),
        "two\nlines\n".into(),
        Bytes::from_static(b"\0\xff\xfe\n\0"),
        "\u{202e}\"}\n{".into(),
        vec![7; 1 << 20].into(),
    ];
    // Stale entries are stored too: the cache judges freshness. Older ones come first, because a tier
    // keeps the later of two entries.
    for age in [HOUR * 3 / 4, Duration::ZERO] {
        for (n, payload) in payloads.iter().enumerate() {
            for key in [
                key(n),
                Key::new("../..", "a b\n", &long).sub("é*?"),
                Key::new("", "", ""),
            ] {
                let entry = entry(ns(), &key, payload.clone(), clock.now() - age, HOUR);
                put(tier, &entry);
                assert_eq!(get(tier, &key), Some(entry), "{name}: another entry");
            }
        }
    }
    assert_entries(tier, 8);
    if let Some(bytes) = tier.status().bytes {
        assert!(bytes > 1 << 20, "{name}: the status counts bytes");
    }
}

fn replaces_and_removes(clock: &dyn Clock, tier: &dyn Tier) {
    let one = Pattern::exact(&key(1));
    for payload in ["1", "22", "3"] {
        let entry = entry(ns(), &key(1), payload, clock.now(), HOUR);
        put(tier, &entry);
        assert_eq!(get(tier, &key(1)), Some(entry));
    }
    assert_entries(tier, 1);
    assert_eq!(remove(tier, ns(), &one), 1);
    assert_eq!(
        remove(tier, ns(), &one),
        0,
        "{}: removed twice",
        tier.name()
    );
    assert_eq!(get(tier, &key(1)), None);
    assert_entries(tier, 0);
}

fn refuses_an_older_entry(clock: &dyn Clock, tier: &dyn Tier) {
    let now = clock.now();
    let (minute, year) = (HOUR / 60, HOUR * 24 * 365);
    let newer = entry(ns(), &key(1), "newer", now, HOUR);
    put(tier, &newer);
    let older = entry(ns(), &key(1), "older", now - minute, HOUR);
    match tier.put(&older, Deadline::NONE).expect("put") {
        Written::Superseded(by) => assert_eq!(by, newer, "{}", tier.name()),
        other => panic!(
            "{}: an older entry replaced a newer: {other:?}",
            tier.name()
        ),
    }
    assert_eq!(get(tier, &key(1)), Some(newer));
    // An entry that has expired, or was written further ahead than clocks differ, blocks nothing.
    let unusable = [(2, now - HOUR), (3, now + year)];
    for (n, written_at) in unusable {
        put(tier, &entry(ns(), &key(n), "wrong", written_at, HOUR));
        let right = entry(ns(), &key(n), "right", now - HOUR - minute, HOUR * 2);
        put(tier, &right);
        assert_eq!(get(tier, &key(n)), Some(right), "{}: {n}", tier.name());
    }
}

fn separates_namespaces(clock: &dyn Clock, tier: &dyn Tier) {
    let other = other_ns();
    let ours = entry(ns(), &key(1), "ours", clock.now(), HOUR);
    let theirs = entry(other, &key(1), "theirs", clock.now(), HOUR);
    put(tier, &ours);
    let leaked = get_in(tier, other, &key(1));
    assert_eq!(leaked, None, "{}: another namespace's entry", tier.name());
    put(tier, &theirs);
    assert_eq!(get(tier, &key(1)), Some(ours));
    assert_eq!(keys(tier, other, ""), BTreeSet::from([key(1)]));
    assert_eq!(remove(tier, ns(), &Pattern::all()), 1);
    assert_eq!(remove(tier, ns(), &Pattern::all()), 0);
    assert_eq!(get(tier, &key(1)), None);
    assert_eq!(get_in(tier, other, &key(1)), Some(theirs));
    assert_eq!(remove(tier, ns(), &Pattern::exact(&key(1))), 0);
}

fn scans_by_prefix(clock: &dyn Clock, tier: &dyn Tier) {
    let long = Key::new("models", "list", &"x".repeat(300));
    let all = [
        Key::new("models", "list", "a"),
        Key::new("models", "get", "b"),
        Key::new("profiles", "list", "c"),
        long.clone(),
    ];
    for key in &all {
        put(tier, &entry(ns(), key, "{}", clock.now(), HOUR));
    }
    assert_eq!(keys(tier, ns(), ""), all.iter().cloned().collect());
    let listed = keys(tier, ns(), "models:list:");
    assert!(
        listed.contains(&all[0]) && listed.contains(&long) && !listed.contains(&all[2]),
        "{}: {listed:?}",
        tier.name()
    );
    // A shortened key may have begun with anything its kept part allows.
    let listed = keys(tier, ns(), "models:list:xxx");
    assert!(listed.contains(&long), "{}: a shortened key", tier.name());
    let mut seen = 0;
    tier.scan(&ns(), "", Deadline::NONE, &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    })
    .expect("scan");
    assert_eq!(seen, 1, "{}: the scan goes on after a break", tier.name());
}

fn removes_by_pattern(clock: &dyn Clock, tier: &dyn Tier) {
    let all = [
        Key::new("models", "list", "a"),
        Key::new("models", "listing", "b"),
        Key::new("profiles", "list", "c"),
    ];
    let fill = || {
        for key in &all {
            put(tier, &entry(ns(), key, "{}", clock.now(), HOUR));
        }
    };
    fill();
    let list = Pattern::under(["models", "list"]);
    assert_eq!(remove(tier, ns(), &list), 1);
    assert_eq!(get(tier, &all[0]), None);
    assert_eq!(remove(tier, ns(), &Pattern::glob("*:list:?")), 1);
    assert!(get(tier, &all[1]).is_some() && get(tier, &all[2]).is_none());
    assert_eq!(remove(tier, ns(), &Pattern::exact(&all[1])), 1);
    assert_eq!(remove(tier, ns(), &Pattern::all()), 0);
    fill();
    let either = Pattern::any([list, Pattern::glob("*:list:?"), Pattern::under(["nothing"])]);
    assert_eq!(remove(tier, ns(), &either), 2);
    assert_eq!(keys(tier, ns(), ""), BTreeSet::from([all[1].clone()]));
    assert_eq!(remove(tier, ns(), &Pattern::any([])), 0);
}

fn cleans_up_expired_entries(clock: &dyn Clock, tier: &dyn Tier) {
    let now = clock.now();
    let year = HOUR * 24 * 365;
    let written = [
        (now, true),
        (now - HOUR * 3 / 4, true),
        (now - HOUR, false),
        (now - year, false),
        (now + year, false),
    ];
    for (n, (written_at, _)) in written.iter().enumerate() {
        put(tier, &entry(ns(), &key(n), "{}", *written_at, HOUR));
    }
    let removed = tier.cleanup(now).expect("cleanup");
    for (n, (_, stays)) in written.iter().enumerate() {
        let is_there = get(tier, &key(n)).is_some();
        assert_eq!(is_there, *stays, "{}: entry {n}", tier.name());
    }
    assert_eq!(removed, 3, "{}: cleanup counts", tier.name());
    assert_eq!(tier.cleanup(now).expect("cleanup"), 0);
}

/// Each payload repeats the number of its writer: a torn one contradicts itself.
fn is_whole_under_threads(clock: &dyn Clock, tier: &Arc<dyn Tier>) {
    let now = clock.now();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                for round in 0..25_usize {
                    let payload = vec![thread; 1000 + round];
                    put(&**tier, &entry(ns(), &key(round % 3), payload, now, HOUR));
                    if let Some(found) = get(&**tier, &key((round + 1) % 3)) {
                        let payload = found.payload();
                        let is_whole = payload.iter().all(|byte| byte == &payload[0]);
                        assert!(payload.len() >= 1000 && is_whole, "torn");
                    }
                    if round % 10 == 9 {
                        remove(&**tier, ns(), &Pattern::exact(&key(2)));
                    }
                }
            });
        }
    });
    assert!(get(&**tier, &key(0)).is_some());
}

fn lease(coordinator: &dyn Coordinator, key: &Key) -> Acquired {
    coordinator
        .try_lease(&ns(), key, HOUR, Deadline::NONE)
        .expect("lease")
}

fn held(coordinator: &dyn Coordinator, key: &Key) -> LeaseGuard {
    match lease(coordinator, key) {
        Acquired::Held(guard) => guard,
        Acquired::Busy => panic!("the lease of {key} is free, but not granted"),
    }
}

fn leases_to_one_at_a_time(tier: &dyn Tier, coordinator: &dyn Coordinator) {
    let name = tier.name();
    let guard = held(coordinator, &key(1));
    let second = lease(coordinator, &key(1));
    assert!(matches!(second, Acquired::Busy), "{name}: two at once");
    drop(held(coordinator, &key(2)));
    let first = guard.token();
    drop(guard);
    let again = held(coordinator, &key(1));
    assert_eq!(first.is_some(), again.token().is_some(), "{name}");
    assert!(
        first.is_none() || again.token() > first,
        "{name}: tokens grow"
    );
}

fn put_if_current(coordinator: &dyn Coordinator, entry: &Entry, token: FencingToken) -> Written {
    coordinator
        .put_if_current(entry, token, Deadline::NONE)
        .expect("put")
}

/// The time in the entries would decide the other way round.
fn refuses_a_superseded_holder(clock: &dyn Clock, tier: &dyn Tier, coordinator: &dyn Coordinator) {
    let name = tier.name();
    let Some(early) = held(coordinator, &key(3)).token() else {
        return;
    };
    let late = held(coordinator, &key(3)).token().expect("a token");
    let made = |text: &'static str, ahead: u64| {
        let at = clock.now() + Duration::from_secs(ahead);
        entry(ns(), &key(3), text, at, HOUR)
    };
    let newer = made("newer", 0);
    assert!(
        is_stored(&put_if_current(coordinator, &newer, late)),
        "{name}"
    );
    match put_if_current(coordinator, &made("older", 60), early) {
        Written::Superseded(by) => assert_eq!(by, newer, "{name}"),
        other => panic!("{name}: an older token wrote: {other:?}"),
    }
    assert_eq!(get(tier, &key(3)), Some(newer), "{name}");
    // The current holder may store again.
    let again = made("again", 1);
    assert!(
        is_stored(&put_if_current(coordinator, &again, late)),
        "{name}"
    );
    assert_eq!(get(tier, &key(3)), Some(again), "{name}");
}

fn refuses_a_write_after_a_removal(
    clock: &dyn Clock,
    tier: &dyn Tier,
    coordinator: &dyn Coordinator,
) {
    let name = tier.name();
    let made = |text: &'static str| entry(ns(), &key(4), text, clock.now(), HOUR);
    let exact = Pattern::exact(&key(4));
    for (pattern, is_there) in [
        (&exact, false),
        (&exact, true),
        (&Pattern::under(["suite"]), true),
        (&Pattern::all(), true),
    ] {
        if is_there {
            put(tier, &made("there"));
        }
        let Some(token) = held(coordinator, &key(4)).token() else {
            return;
        };
        remove(tier, ns(), pattern);
        let written = put_if_current(coordinator, &made("old"), token);
        assert!(
            matches!(written, Written::Removed),
            "{name}: {pattern}, {is_there}: {written:?}"
        );
        assert_eq!(get(tier, &key(4)), None, "{name}");
        let token = held(coordinator, &key(4)).token().expect("a token");
        assert!(is_stored(&put_if_current(coordinator, &made("new"), token)));
        assert_eq!(remove(tier, ns(), &exact), 1, "{name}");
    }
}
