//! Leases between processes: two caches over the same lower tiers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bedrock_catalog_cache::{Lease, Settings, TierErrorKind};
use bedrock_catalog_test_support::Op;
use bytes::Bytes;
use futures_lite::future::{block_on, poll_fn};

use crate::stage::{DAY, HOUR, SECOND, Stage, data, key, memory_only, ns, ok, options, ttl};

/// Waits for other processes are short.
fn impatient() -> Settings {
    let mut settings = Settings::default();
    settings.lease_wait = Duration::from_millis(5);
    settings.lease_ttl = Duration::from_millis(20);
    settings
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < SECOND * 60, "{what}");
        std::thread::yield_now();
    }
}

/// The leases that the lower tiers have granted now.
fn held(stage: &Stage, n: usize) -> [bool; 2] {
    let is_held = |tier: &bedrock_catalog_test_support::FaultyTier| tier.is_leased(&ns(), &key(n));
    [is_held(&stage.lower[0]), is_held(&stage.lower[1])]
}

#[test]
fn the_leases_of_all_tiers_are_held_during_a_load() {
    let stage = Stage::with_leases(impatient());
    let answer = stage.cache.get_or_load(&key(1), &options(), || {
        assert_eq!(held(&stage, 1), [true; 2]);
        ok("v")
    });
    assert_eq!(data(answer), "v");
    assert_eq!(held(&stage, 1), [false; 2], "released");
    // Busy in the lower tier: the stale value is served, and the upper lease released.
    stage.clock.advance(2 * DAY);
    stage.lower[1].occupy(&ns(), &key(1));
    let load = |data| {
        stage
            .cache
            .get_or_load(&key(1), &options(), move || ok(data))
    };
    assert_eq!(data(load("not called")), "v");
    assert_eq!(held(&stage, 1), [false, true]);
    // A tier that fails grants none; the other does.
    stage.lower[1].release(&ns(), &key(1));
    stage.lower[0].plan(|op| (op == Op::Lease).then_some(TierErrorKind::Unavailable));
    let answer = stage.cache.get_or_load(&key(1), &options(), || {
        assert_eq!(held(&stage, 1), [false, true]);
        ok("w")
    });
    assert_eq!(data(answer), "w");
}

#[test]
fn leases_are_released_by_a_panic_and_by_a_dropped_future() {
    let stage = Stage::with_leases(impatient());
    let panics = || {
        let panic = || -> Result<Bytes, String> {
            assert_eq!(held(&stage, 1), [true; 2]);
            panic!("in load")
        };
        stage.cache.get_or_load(&key(1), &options(), panic)
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(held(&stage, 1), [false; 2]);
    let (key, options, is_loading) = (key(2), options(), std::cell::Cell::new(false));
    let mut dropped = Box::pin(stage.cache.get_or_load_async(&key, &options, || async {
        is_loading.set(true);
        std::future::pending::<Result<Bytes, String>>().await
    }));
    block_on(poll_fn(|context| {
        assert!(dropped.as_mut().poll(context).is_pending());
        match is_loading.get() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    }));
    assert_eq!(held(&stage, 2), [true; 2]);
    // On another thread: a future is dropped where nothing may block.
    let dropping = std::thread::current().id();
    stage.lower[1].before(move |op| {
        assert!(op != Op::Release || std::thread::current().id() != dropping);
    });
    drop(dropped);
    until("released", || held(&stage, 2) == [false; 2]);
}

#[test]
fn two_processes_load_once() {
    let stage = Stage::with_leases(impatient());
    let (one, two) = (&stage.cache, stage.other_process());
    let answer = one.get_or_load(&key(1), &options(), || {
        // Nothing to serve: the other process gives up, or waits out the lease and loads, too.
        let busy = two.get_or_load(&key(1), &options().or_busy(), || ok("not called"));
        assert!(busy.unwrap_err().is_busy());
        let late = two.get_or_load(&key(1), &options(), || ok("after the lease"));
        assert_eq!(data(late), "after the lease");
        ok("first")
    });
    assert_eq!(data(answer), "first");
    assert_eq!(
        data(two.get_or_load(&key(2), &options(), || ok("second"))),
        "second"
    );
    let found = one.get_or_load(&key(2), &options(), || ok("not called"));
    assert_eq!(data(found), "second");
}

#[test]
fn a_process_without_the_lease_serves_a_stale_value() {
    let stage = Stage::with_leases(impatient());
    let (one, two) = (&stage.cache, stage.other_process());
    one.put(&key(1), "old", &ttl(Duration::ZERO, HOUR));
    let answer = one.get_or_load(&key(1), &options(), || {
        let other = two.get_or_load(&key(1), &options(), || ok("not called"));
        assert!(other.unwrap().is_stale());
        ok("new")
    });
    assert_eq!(data(answer), "new");
    let found = two.get_or_load(&key(1), &options(), || ok("not called"));
    assert_eq!(data(found), "new");
}

/// The callers of one process wait for another process's lease together.
#[test]
fn busy_is_shared_by_the_callers_that_wait() {
    let stage = Stage::with_leases(Settings::default());
    stage.lower[1].occupy(&ns(), &key(1));
    let (callers, arrived) = (8, std::sync::Arc::new(AtomicUsize::new(0)));
    let seen = std::sync::Arc::clone(&arrived);
    stage.lower[1].before(move |op| {
        if op == Op::Lease {
            until("all callers", || seen.load(Ordering::SeqCst) == callers);
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                arrived.fetch_add(1, Ordering::SeqCst);
                let options = options().or_busy();
                let answer = stage.cache.get_or_load(&key(1), &options, || ok("never"));
                assert!(answer.unwrap_err().is_busy());
            });
        }
    });
    // A caller that would rather wait is not told.
    stage.lower[1].release(&ns(), &key(1));
    let answer = stage.cache.get_or_load(&key(1), &options(), || ok("v"));
    assert_eq!(data(answer), "v");
}

#[test]
fn a_holder_that_lost_its_lease_does_not_overwrite_the_next_ones_value() {
    let stage = Stage::with_leases(Settings::default());
    let (one, two) = (&stage.cache, stage.other_process());
    let answer = one.get_or_load(&key(1), &options(), || {
        for tier in &stage.lower {
            tier.release(&ns(), &key(1));
        }
        assert_eq!(
            data(two.get_or_load(&key(1), &options(), || ok("later"))),
            "later"
        );
        // By the clock, this process would win.
        stage.clock.advance(SECOND);
        ok("slow")
    });
    assert_eq!(data(answer), "slow", "returned");
    assert_eq!(stage.below(1, &key(1)), Some(b"later".to_vec()));
    assert_eq!(
        stage.data(&key(1)),
        Some(b"later".to_vec()),
        "memory follows"
    );
}

#[test]
fn a_value_that_another_process_removed_meanwhile_is_not_stored() {
    let stage = Stage::with_leases(Settings::default());
    let two = stage.other_process();
    stage.cache.put(&key(1), "old", &ttl(SECOND, HOUR));
    stage.clock.advance(SECOND);
    let answer = stage.cache.get_or_load(&key(1), &options(), || {
        two.remove(&key(1));
        ok("outdated")
    });
    assert_eq!(data(answer), "outdated");
    assert!(stage.cache.get(&key(1)).is_missing(), "memory follows");
}

#[test]
fn a_value_is_stored_in_a_tier_that_timed_out_before_the_load() {
    let stage = Stage::with_leases(Settings::default());
    for late in [Op::Lease, Op::Get] {
        stage.lower[1].plan(move |op| (op == late).then_some(TierErrorKind::Timeout));
        let n = late as usize;
        let answer = stage.cache.get_or_load(&key(n), &options(), || ok("value"));
        assert_eq!(data(answer), "value");
        assert!(stage.lower[1].holds(&ns(), &key(n)), "{late:?}");
    }
}

#[test]
fn a_lease_by_hand_is_held_by_one_process_and_fences_its_writes() {
    let stage = Stage::with_leases(Settings::default());
    let (one, two) = (&stage.cache, stage.other_process());
    let Lease::Held(lease) = one.lease(&key(1), Duration::ZERO) else {
        panic!("the lease is free")
    };
    assert!(matches!(two.lease(&key(1), Duration::ZERO), Lease::Busy));
    let stored = one.put_if_current(lease.token(), "v", &options());
    assert_eq!(stored.unwrap().tiers, ["memory", "middle", "bottom"]);
    drop(lease);
    let Lease::Held(lease) = block_on(two.lease_async(&key(1), Duration::ZERO)) else {
        panic!("the lease is free again")
    };
    block_on(lease.release_async());
    assert_eq!(held(&stage, 1), [false; 2]);
    // Another process may be at work where a tier does not answer in time.
    stage.lower[1].plan(|op| (op == Op::Lease).then_some(TierErrorKind::Timeout));
    assert!(matches!(
        two.lease(&key(1), Duration::ZERO),
        Lease::Unavailable
    ));
    stage.lower[1].plan(|op| (op == Op::Lease).then_some(TierErrorKind::Refused));
    assert!(matches!(two.lease(&key(1), Duration::ZERO), Lease::Held(_)));
    let alone = memory_only(&stage.clock);
    assert!(matches!(
        alone.lease(&key(1), Duration::ZERO),
        Lease::Held(_)
    ));
}
