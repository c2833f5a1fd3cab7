//! Every tier, every property: what a [`Tier`] promises, checked on any of them.
//!
//! ```
//! use bedrock_catalog_cache::{ManualClock, MemoryLimits, MemoryTier};
//! use bedrock_catalog_test_support::conformance;
//! use std::sync::Arc;
//!
//! let clock = ManualClock::new();
//! conformance::check(&clock, &|| Arc::new(MemoryTier::new(MemoryLimits::default(), Arc::new(clock.clone()))));
//! ```

mod overtaken;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use bedrock_catalog_cache::tier::{LeaseOutcome, Tier};
use bedrock_catalog_cache::{
    Clock, Entry, Envelope, Horizons, Key, ManualClock, Namespace, Pattern,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Checks all of it. `make` gives a new, empty tier on the same clock each time, with room for
/// 8 MiB.
///
/// # Panics
/// A promise is broken.
pub fn check(clock: &ManualClock, make: &dyn Fn() -> Arc<dyn Tier>) {
    let clock: &dyn Clock = clock;
    keeps_what_it_is_given(clock, &*make());
    replaces_and_removes(clock, &*make());
    keeps_namespaces_apart(clock, &*make());
    scans_by_prefix(clock, &*make());
    invalidates_by_pattern(clock, &*make());
    cleans_up_what_has_expired(clock, &*make());
    works_in_batches(clock, &*make());
    is_whole_under_threads(clock, &make());
    leases_to_one_at_a_time(&*make());
    overtaken::is_refused(clock, &*make());
}

/// An entry as the suite makes them.
#[must_use]
pub fn entry(
    namespace: Namespace,
    key: &Key,
    payload: impl Into<Bytes>,
    written_at: SystemTime,
    keep_for: Duration,
) -> Entry {
    let horizons = Horizons {
        fresh_for: keep_for / 2,
        keep_for,
    };
    let envelope = Envelope {
        key: key.clone(),
        namespace,
        written_at,
        horizons,
        source: "suite".into(),
        package_version: env!("CARGO_PKG_VERSION").into(),
    };
    Entry::new(envelope, payload.into())
}

fn ns() -> Namespace {
    Namespace::of(["conformance"])
}

fn key(n: usize) -> Key {
    Key::new("suite", "entry", &n.to_string())
}

fn get(tier: &dyn Tier, key: &Key) -> Option<Entry> {
    tier.get(&ns(), key).expect("get").map(|found| found.entry)
}

fn keys(tier: &dyn Tier, namespace: Namespace, prefix: &str) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    let visit = &mut |listed: bedrock_catalog_cache::tier::Listed| {
        keys.insert(listed.envelope.key.clone());
        ControlFlow::Continue(())
    };
    tier.scan(&namespace, prefix, visit).expect("scan");
    keys
}

fn keeps_what_it_is_given(clock: &dyn Clock, tier: &dyn Tier) {
    assert!(
        tier.health().ok,
        "{}: a new tier is not well: {:?}",
        tier.name(),
        tier.health()
    );
    assert_eq!(
        get(tier, &key(0)),
        None,
        "{}: a new tier is not empty",
        tier.name()
    );
    let long = "long/".repeat(200);
    let payloads: [Bytes; 6] = [
        Bytes::new(),
        "{}".into(),
        "two\nlines\n".into(),
        Bytes::from_static(b"\0\xff\xfe\n\0"),
        "\u{202e}\"}\n{".into(),
        vec![7; 1 << 20].into(),
    ];
    // Stale or new, it is kept: freshness is the cache's business. The older come first: a tier that
    // processes share may keep what was written later.
    for age in [HOUR * 3 / 4, Duration::ZERO] {
        for (n, payload) in payloads.iter().enumerate() {
            for key in [
                key(n),
                Key::new("../..", "a b\n", &long).sub("é*?"),
                Key::new("", "", ""),
            ] {
                let entry = entry(ns(), &key, payload.clone(), clock.now() - age, HOUR);
                tier.put(&entry).expect("put");
                assert_eq!(
                    get(tier, &key),
                    Some(entry),
                    "{}: another entry came back",
                    tier.name()
                );
            }
        }
    }
    let size = tier.size().expect("size");
    assert_eq!(size.entries, 8, "{}: the size counts entries", tier.name());
    assert!(
        size.bytes > 1 << 20,
        "{}: the size counts bytes",
        tier.name()
    );
}

fn replaces_and_removes(clock: &dyn Clock, tier: &dyn Tier) {
    for payload in ["1", "22", "3"] {
        let entry = entry(ns(), &key(1), payload, clock.now(), HOUR);
        tier.put(&entry).expect("put");
        assert_eq!(get(tier, &key(1)), Some(entry));
    }
    assert_eq!(tier.size().expect("size").entries, 1);
    assert!(tier.remove(&ns(), &key(1)).expect("remove"));
    assert!(
        !tier.remove(&ns(), &key(1)).expect("remove"),
        "{}: removed twice",
        tier.name()
    );
    assert_eq!(get(tier, &key(1)), None);
    assert_eq!(tier.size().expect("size").entries, 0);
}

fn keeps_namespaces_apart(clock: &dyn Clock, tier: &dyn Tier) {
    let other = Namespace::of(["conformance", "other"]);
    let ours = entry(ns(), &key(1), "ours", clock.now(), HOUR);
    let theirs = entry(other, &key(1), "theirs", clock.now(), HOUR);
    tier.put(&ours).expect("put");
    assert!(
        tier.get(&other, &key(1)).expect("get").is_none(),
        "{}: answered another namespace",
        tier.name()
    );
    tier.put(&theirs).expect("put");
    assert_eq!(get(tier, &key(1)), Some(ours));
    assert_eq!(keys(tier, other, ""), BTreeSet::from([key(1)]));
    assert_eq!(tier.clear(&ns()).expect("clear"), 1);
    assert_eq!(tier.clear(&ns()).expect("clear"), 0);
    assert_eq!(get(tier, &key(1)), None);
    assert_eq!(
        tier.get(&other, &key(1))
            .expect("get")
            .map(|found| found.entry),
        Some(theirs)
    );
    assert!(!tier.remove(&ns(), &key(1)).expect("remove"));
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
        tier.put(&entry(ns(), key, "{}", clock.now(), HOUR))
            .expect("put");
    }
    assert_eq!(keys(tier, ns(), ""), all.iter().cloned().collect());
    let listed = keys(tier, ns(), "models:list:");
    assert!(
        listed.contains(&all[0]) && listed.contains(&long) && !listed.contains(&all[2]),
        "{}: {listed:?}",
        tier.name()
    );
    // A shortened key may have begun with anything its kept part allows.
    assert!(
        keys(tier, ns(), "models:list:xxx").contains(&long),
        "{}: a shortened key was left out",
        tier.name()
    );
    let mut seen = 0;
    let visit = &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    };
    tier.scan(&ns(), "", visit).expect("scan");
    assert_eq!(seen, 1, "{}: the scan goes on after a break", tier.name());
}

fn invalidates_by_pattern(clock: &dyn Clock, tier: &dyn Tier) {
    let all = [
        Key::new("models", "list", "a"),
        Key::new("models", "listing", "b"),
        Key::new("profiles", "list", "c"),
    ];
    for key in &all {
        tier.put(&entry(ns(), key, "{}", clock.now(), HOUR))
            .expect("put");
    }
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::under(["models", "list"]))
            .expect("invalidate"),
        1
    );
    assert_eq!(get(tier, &all[0]), None);
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::glob("*:list:?"))
            .expect("invalidate"),
        1
    );
    assert!(get(tier, &all[1]).is_some() && get(tier, &all[2]).is_none());
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::exact(&all[1]))
            .expect("invalidate"),
        1
    );
    assert_eq!(
        tier.invalidate(&ns(), &Pattern::all()).expect("invalidate"),
        0
    );
    // Several at once, of two namespaces: what the first took the second has not.
    let other = Namespace::of(["conformance", "other"]);
    for (of, key) in [ns(), other]
        .iter()
        .flat_map(|of| all.iter().map(move |key| (*of, key)))
    {
        tier.put(&entry(of, key, "{}", clock.now(), HOUR))
            .expect("put");
    }
    let what = [
        (ns(), Pattern::under(["models", "list"])),
        (ns(), Pattern::glob("*:list:?")),
        (other, Pattern::under(["models"])),
        (other, Pattern::under(["nothing"])),
    ];
    let removed = tier.invalidate_many(&what, false).into_iter();
    let removed: Vec<_> = removed
        .map(|removed| removed.expect("invalidate"))
        .collect();
    assert_eq!(removed, [Some(1), Some(1), Some(2), Some(0)]);
    assert_eq!(keys(tier, ns(), ""), [all[1].clone()].into());
    assert_eq!(keys(tier, other, ""), [all[2].clone()].into());
    let left = [(ns(), Pattern::exact(&all[1])), (other, Pattern::all())];
    let removed = tier.invalidate_many(&left, false).into_iter();
    assert_eq!(
        removed.map(|n| n.ok().flatten()).collect::<Vec<_>>(),
        [Some(1); 2]
    );
}

fn cleans_up_what_has_expired(clock: &dyn Clock, tier: &dyn Tier) {
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
        tier.put(&entry(ns(), &key(n), "{}", *written_at, HOUR))
            .expect("put");
    }
    let removed = tier.cleanup(now).expect("cleanup");
    for (n, (_, stays)) in written.iter().enumerate() {
        assert_eq!(
            get(tier, &key(n)).is_some(),
            *stays,
            "{}: entry {n} after cleanup",
            tier.name()
        );
    }
    assert_eq!(
        removed,
        3,
        "{}: cleanup counts what it removes",
        tier.name()
    );
    assert_eq!(tier.cleanup(now).expect("cleanup"), 0);
}

fn works_in_batches(clock: &dyn Clock, tier: &dyn Tier) {
    let entries: Vec<Entry> = (0..10)
        .map(|n| entry(ns(), &key(n), n.to_string(), clock.now(), HOUR))
        .collect();
    assert!(tier.put_many(&entries).iter().all(Result::is_ok));
    let asked = [key(9), key(99), key(0), key(9)];
    let found: Vec<Option<Entry>> = tier
        .get_many(&ns(), &asked)
        .into_iter()
        .map(|found| found.expect("get").map(|found| found.entry))
        .collect();
    assert_eq!(
        found,
        [
            Some(entries[9].clone()),
            None,
            Some(entries[0].clone()),
            Some(entries[9].clone())
        ]
    );
    assert!(tier.get_many(&ns(), &[]).is_empty() && tier.put_many(&[]).is_empty());
}

/// Each payload says which write it is from, many times over: a torn one would contradict itself.
fn is_whole_under_threads(clock: &dyn Clock, tier: &Arc<dyn Tier>) {
    let now = clock.now();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                for round in 0..25_usize {
                    let payload = vec![thread; 1000 + round];
                    tier.put(&entry(ns(), &key(round % 3), payload, now, HOUR))
                        .expect("put");
                    if let Some(found) = get(&**tier, &key((round + 1) % 3)) {
                        let payload = found.payload();
                        assert!(
                            payload.len() >= 1000 && payload.iter().all(|byte| byte == &payload[0]),
                            "torn"
                        );
                    }
                    if round % 10 == 9 {
                        let _ = tier.remove(&ns(), &key(2)).expect("remove");
                    }
                }
            });
        }
    });
    assert!(get(&**tier, &key(0)).is_some());
}

fn leases_to_one_at_a_time(tier: &dyn Tier) {
    let lease = || {
        tier.try_lease(&ns(), &key(1), Duration::ZERO, HOUR)
            .expect("lease")
    };
    let held = match lease() {
        LeaseOutcome::Unsupported => return,
        LeaseOutcome::Held(held) => held,
        other => panic!("{}: the first asks and is told {other:?}", tier.name()),
    };
    assert!(
        matches!(lease(), LeaseOutcome::Busy),
        "{}: two leases at once",
        tier.name()
    );
    let other = tier
        .try_lease(&ns(), &key(2), Duration::ZERO, HOUR)
        .expect("lease");
    assert!(
        !matches!(other, LeaseOutcome::Busy),
        "{}: a lease for one key holds up another",
        tier.name()
    );
    drop(held);
    assert!(
        matches!(lease(), LeaseOutcome::Held(_)),
        "{}: a lease is not given back",
        tier.name()
    );
}
