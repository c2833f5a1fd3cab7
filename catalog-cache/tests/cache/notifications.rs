//! Changes by other processes, as a tier reports them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bedrock_catalog_cache::{Cache, ChangeEvent, Clock, Key, Namespace, Pattern};
use bedrock_catalog_test_support::Op;

use crate::stage::{DAY, HOUR, SECOND, Stage, data, entry, key, ns, ok, options};

fn removed(pattern: Pattern) -> ChangeEvent {
    ChangeEvent::Removed {
        namespace: ns(),
        pattern,
    }
}

fn written(n: usize, at: std::time::SystemTime) -> ChangeEvent {
    ChangeEvent::Written {
        namespace: ns(),
        key: key(n),
        written_at: at,
    }
}

/// The events that the cache has followed.
fn followed(cache: &Cache) -> Receiver<ChangeEvent> {
    let (tell, told) = channel();
    let tell = Mutex::new(tell);
    cache.on_change(move |event| drop(tell.lock().unwrap().send(event.clone())));
    told
}

fn notify(stage: &Stage, followed: &Receiver<ChangeEvent>, event: &ChangeEvent) {
    stage.lower[1].notify(event);
    assert_eq!(&followed.recv_timeout(SECOND * 60).unwrap(), event);
}

#[test]
fn the_tiers_above_follow_another_processs_write() {
    let stage = Stage::new();
    let followed = followed(&stage.cache);
    stage.cache.put(&key(1), "v", &options());
    let now = stage.clock.now();
    // As old as the entry here, or older: nothing changes.
    for at in [now, now - SECOND] {
        notify(&stage, &followed, &written(1, at));
        assert_eq!(stage.tier_of(&key(1)), Some("memory"));
    }
    // Newer: the tiers above give theirs up, and the new one is read.
    stage.clock.advance(SECOND);
    stage.lower[1].insert(&entry(&stage, 1, "theirs", Duration::ZERO));
    notify(&stage, &followed, &written(1, stage.clock.now()));
    assert!(!stage.lower[0].holds(&ns(), &key(1)));
    assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
}

#[test]
fn the_tiers_above_follow_another_processs_removal() {
    let stage = Stage::new();
    let followed = followed(&stage.cache);
    for n in 1..4 {
        stage.cache.put(&key(n), "v", &options());
    }
    let generation = stage.cache.generation();
    notify(&stage, &followed, &removed(Pattern::exact(&key(1))));
    assert!(!stage.lower[0].holds(&ns(), &key(1)));
    assert_eq!(
        stage.tier_of(&key(1)),
        Some("bottom"),
        "this one was told by it"
    );
    notify(&stage, &followed, &removed(Pattern::glob("*:2")));
    assert_eq!(stage.tier_of(&key(2)), Some("bottom"));
    assert_eq!(stage.tier_of(&key(3)), Some("memory"));
    assert_eq!(stage.cache.generation(), generation + 2);
    let other = ChangeEvent::Removed {
        namespace: Namespace::of(["other"]),
        pattern: Pattern::all(),
    };
    notify(&stage, &followed, &other);
    assert_eq!(stage.tier_of(&key(3)), Some("memory"));
}

#[test]
fn a_message_from_the_far_future_hides_no_later_write() {
    let stage = Stage::new();
    let followed = followed(&stage.cache);
    stage.lower[0]
        .plan(|op| (op == Op::Remove).then_some(bedrock_catalog_cache::TierErrorKind::Unavailable));
    stage.cache.put(&key(1), "v", &options());
    notify(
        &stage,
        &followed,
        &written(1, stage.clock.now() + 1000 * DAY),
    );
    stage.clock.advance(HOUR);
    stage.cache.put(&key(1), "w", &options());
    stage.forget();
    assert_eq!(stage.tier_of(&key(1)), Some("middle"));
}

#[test]
fn a_load_during_another_processs_removal_is_not_stored() {
    let stage = Stage::new();
    let followed = followed(&stage.cache);
    let answer = stage.cache.get_or_load(&key(1), &options(), || {
        notify(&stage, &followed, &removed(Pattern::all()));
        ok("outdated")
    });
    assert_eq!(data(answer), "outdated");
    assert!(stage.cache.get(&key(1)).is_missing());
}

#[test]
fn after_a_gap_copies_in_memory_are_revalidated() {
    let stage = Stage::new();
    let followed = followed(&stage.cache);
    for n in [1, 2] {
        stage.cache.put(&key(n), "v", &options());
    }
    for tier in &stage.lower {
        tier.forget(&ns(), &key(2));
    }
    notify(&stage, &followed, &ChangeEvent::Gap);
    assert!(stage.cache.get(&key(2)).is_stale(), "no tier below has it");
    assert_eq!(stage.tier_of(&key(1)), Some("middle"));
    assert_eq!(stage.tier_of(&key(1)), Some("memory"), "from then on");
    stage.cache.put(&key(2), "w", &options());
    assert_eq!(stage.tier_of(&key(2)), Some("memory"));
}

#[test]
fn an_entry_read_before_a_gap_is_revalidated_after_it() {
    let stage = Stage::new();
    let followed = Arc::new(Mutex::new(followed(&stage.cache)));
    stage.cache.put(&key(1), "v", &options());
    stage.forget();
    let tier = stage.lower[1].clone();
    stage.lower[0].after(move |op| {
        if op == Op::Get {
            tier.notify(&ChangeEvent::Gap);
            let _ = followed.lock().unwrap().recv_timeout(SECOND * 60);
        }
    });
    assert!(stage.cache.get(&key(1)).is_fresh());
    stage.lower[0].unhook();
    assert_eq!(stage.tier_of(&key(1)), Some("middle"));
}

/// Events beyond the bound of the queue become a gap. They are followed one after another, and a listener
/// that panics does not end them.
#[test]
fn a_flood_of_events_is_bounded_and_followed_in_order() {
    let stage = Stage::new();
    let (inside, most, followed) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let counts = Arc::new((inside, most, followed));
    let (go, wait) = channel::<()>();
    let (seen, wait) = (Arc::clone(&counts), Mutex::new(wait));
    stage.cache.on_change(move |_| {
        let (inside, most, followed) = &*seen;
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if followed.load(Ordering::SeqCst) == 0 {
            // The first waits until all are there.
            let _ = wait.lock().unwrap().recv();
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        let is_second = followed.fetch_add(1, Ordering::SeqCst) == 1;
        assert!(!is_second, "a listener that panics");
    });
    let keys: Vec<Key> = (0..3000).map(key).collect();
    stage.cache.put(&keys[0], "v", &options());
    stage.cache.put(&keys[1], "v", &options());
    stage.lower[0].forget(&ns(), &keys[1]);
    stage.lower[1].forget(&ns(), &keys[1]);
    for key in &keys {
        stage.lower[1].notify(&removed(Pattern::exact(key)));
    }
    drop(go);
    let start = std::time::Instant::now();
    while stage.cache.get(&keys[1]).is_fresh() {
        assert!(start.elapsed() < SECOND * 60, "some are not followed");
        std::thread::yield_now();
    }
    let (_, most, followed) = &*counts;
    assert_eq!(most.load(Ordering::SeqCst), 1, "one at a time");
    assert!(followed.load(Ordering::SeqCst) <= 3 + 2 * 1024);
}
