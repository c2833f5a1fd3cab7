//! Get or load: single flight, remembered failures, stale values, cancellation.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bedrock_catalog_cache::{Cache, ManualClock, MemoryLimits, TierErrorKind};
use bedrock_catalog_test_support::{Op, count};
use bytes::Bytes;
use futures_lite::future::{block_on, yield_now};

use crate::stage::{
    HOUR, SECOND, Stage, data, is_long, key, memory_only, ok, options, rounds, ttl,
};

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn concurrent_threads_on_one_missing_key_load_once() {
    for round in 0..rounds(20) {
        let stage = Stage::new();
        let (loads, start) = (AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let answer = stage.cache.get_or_load(&key(round), &options(), || {
                        loads.fetch_add(1, Ordering::SeqCst);
                        // Gives the others every chance to do the same.
                        std::thread::yield_now();
                        ok("value")
                    });
                    assert_eq!(data(answer), "value");
                });
            }
        });
        assert_eq!(loads.load(Ordering::SeqCst), 1, "single flight");
        let statistics = stage.cache.statistics();
        assert_eq!((statistics.loads, statistics.requests()), (1, 8));
    }
}

#[test]
fn concurrent_tasks_on_one_expired_key_load_once() {
    let callers = if is_long() { 10_000 } else { 1_000 };
    let clock = ManualClock::new();
    let cache = memory_only(&clock);
    cache.put(&key(1), "old", &ttl(SECOND, HOUR));
    clock.advance(SECOND);
    let (loads, key, options) = (AtomicUsize::new(0), key(1), options());
    let mut futures: Vec<_> = (0..callers)
        .map(|_| {
            Box::pin(cache.get_or_load_async(&key, &options, || async {
                loads.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                ok("new")
            }))
        })
        .collect();
    block_on(async {
        for future in &mut futures {
            assert!(poll_once(future.as_mut()).is_pending());
        }
        for future in futures {
            assert_eq!(data(future.await), "new");
        }
    });
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    count(
        "callers on an expired entry",
        format_args!("{callers} callers"),
    );
}

#[test]
fn a_cancelled_leader_hands_over() {
    let cache = memory_only(&ManualClock::new());
    let cancelled = rounds(100);
    for n in 0..cancelled {
        let (key, options) = (key(n), options());
        let mut leader = Box::pin(cache.get_or_load_async(&key, &options, || async {
            std::future::pending::<()>().await;
            ok("never")
        }));
        assert!(poll_once(leader.as_mut()).is_pending());
        let mut next = pin!(cache.get_or_load_async(&key, &options, || async { ok("next") }));
        assert!(
            poll_once(next.as_mut()).is_pending(),
            "waits for the leader"
        );
        drop(leader);
        assert_eq!(data(block_on(next)), "next");
    }
    count("cancelled leaders", cancelled);
}

#[test]
fn the_next_leader_serves_what_was_written_meanwhile() {
    let cache = memory_only(&ManualClock::new());
    let (key, options) = (key(1), options());
    let load = || async {
        std::future::pending::<()>().await;
        ok("never")
    };
    let mut leader = Box::pin(cache.get_or_load_async(&key, &options, load));
    assert!(poll_once(leader.as_mut()).is_pending());
    let mut next = pin!(cache.get_or_load_async(&key, &options, load));
    assert!(poll_once(next.as_mut()).is_pending());
    cache.put(&key, "put", &options);
    drop(leader);
    match poll_once(next) {
        Poll::Ready(answer) => assert_eq!(data(answer), "put"),
        Poll::Pending => panic!("it loads what is there"),
    }
}

#[test]
fn a_panicking_leader_hands_over() {
    let stage = Stage::new();
    let panics = || {
        let panic = || -> Result<Bytes, String> { panic!("in load") };
        stage.cache.get_or_load(&key(1), &options(), panic)
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    let next = stage.cache.get_or_load(&key(1), &options(), || ok("next"));
    assert_eq!(data(next), "next");
}

#[test]
fn a_failure_is_remembered_for_a_moment_and_no_longer() {
    let stage = Stage::new();
    let load = |n: u32, load: fn() -> Result<Bytes, String>| {
        stage.cache.get_or_load(&key(n), &options(), load)
    };
    let failed = load(1, || Err("down".to_owned())).unwrap_err();
    assert!(failed.is_failed());
    assert_eq!(failed.into_cause().as_deref(), Some("down"));
    let recent = load(1, || ok("not called")).unwrap_err();
    assert!(
        recent.is_recent() && recent.to_string().contains("down"),
        "{recent}"
    );
    // Other keys are not concerned, and a failure is no value.
    assert_eq!(data(load(2, || ok("other"))), "other");
    assert!(stage.cache.get(&key(1)).is_missing());
    stage.clock.advance(SECOND);
    assert_eq!(data(load(1, || ok("up again"))), "up again");
    let statistics = stage.cache.statistics();
    assert_eq!((statistics.loads, statistics.load_failures), (2, 1));
}

#[test]
fn remembered_failures_make_room_for_later_ones() {
    let clock = ManualClock::new();
    let cache = memory_only(&clock);
    let fail = |n: u32| cache.get_or_load(&key(n), &options(), || Err("down".to_owned()));
    (0..2000).for_each(|n| drop(fail(n)));
    clock.advance(SECOND * 2);
    drop(fail(2001));
    let again = cache.get_or_load(&key(2001), &options(), || -> Result<_, String> {
        panic!("the failure is remembered")
    });
    assert!(again.unwrap_err().is_recent());
}

#[test]
fn a_stale_value_is_served_when_the_load_fails_and_replaced_when_it_succeeds() {
    let stage = Stage::new();
    let load =
        |load: fn() -> Result<Bytes, String>| stage.cache.get_or_load(&key(1), &options(), load);
    stage.cache.put(&key(1), "old", &ttl(SECOND, HOUR));
    stage.clock.advance(SECOND);
    let answer = load(|| Err("down".to_owned())).unwrap();
    assert!(answer.is_stale() && answer.hit().unwrap().age() == SECOND);
    // The failure is remembered: the stale value is served at once.
    assert!(load(|| ok("not called")).unwrap().is_stale());
    stage.clock.advance(SECOND);
    assert_eq!(data(load(|| ok("new"))), "new");
    // Expired is not stale: nothing is served.
    stage.cache.put(&key(1), "old", &ttl(SECOND, HOUR));
    stage.clock.advance(HOUR);
    assert!(load(|| Err("down".to_owned())).unwrap_err().is_failed());
}

#[test]
fn a_write_during_the_load_stays() {
    let stage = Stage::new();
    let (key, options) = (key(1), options());
    let load = || async {
        stage.cache.put(&key, "newer", &options);
        ok("older")
    };
    let answer = block_on(stage.cache.get_or_load_async(&key, &options, load));
    assert_eq!(data(answer), "older");
    assert_eq!(stage.data(&key), Some(b"newer".to_vec()));
}

#[test]
fn a_value_invalidated_while_its_load_failed_is_not_served() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "bad", &ttl(SECOND, HOUR));
    stage.clock.advance(SECOND);
    let answer = stage.cache.get_or_load(&key(1), &options(), || {
        stage.cache.remove(&key(1));
        Err("down".to_owned())
    });
    assert!(answer.is_err(), "{answer:?}");
}

#[test]
fn async_and_blocking_callers_share_one_load() {
    let stage = Stage::new();
    let loads = AtomicUsize::new(0);
    let (key, options) = (key(1), options());
    let load = || {
        loads.fetch_add(1, Ordering::SeqCst);
        ok("value")
    };
    let load_async = || {
        stage
            .cache
            .get_or_load_async(&key, &options, || async { load() })
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| data(stage.cache.get_or_load(&key, &options, load)));
            scope.spawn(|| data(block_on(load_async())));
        }
    });
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    stage.forget();
    let tier = || {
        block_on(stage.cache.get_async(&key))
            .into_hit()
            .unwrap()
            .tier()
    };
    assert_eq!([tier(), tier()], [Some("middle"), Some("memory")]);
}

/// Nowhere to read it from: no tier, never fresh, or too large to be stored.
#[test]
fn a_value_that_cannot_be_stored_is_shared_with_the_callers_that_wait() {
    let tiny = MemoryLimits {
        bytes: 1,
        ..MemoryLimits::default()
    };
    let never_fresh = ttl(Duration::ZERO, HOUR);
    for (cache, options) in [
        (Cache::builder().build().unwrap(), options()),
        (memory_only(&ManualClock::new()), never_fresh),
        (Cache::builder().memory(tiny).build().unwrap(), options()),
    ] {
        let (loads, key) = (AtomicUsize::new(0), key(1));
        let call = || {
            cache.get_or_load_async(&key, &options, || async {
                loads.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                ok("value")
            })
        };
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(call())).collect();
        for future in &mut waiting {
            assert!(poll_once(future.as_mut()).is_pending());
        }
        block_on(async {
            for future in waiting {
                assert_eq!(data(future.await), "value");
            }
        });
        assert_eq!(loads.load(Ordering::SeqCst), 1);
        // A caller that comes afterwards loads again.
        assert_eq!(data(block_on(call())), "value");
        assert_eq!(loads.load(Ordering::SeqCst), 2);
        assert_eq!(cache.statistics().shared, 99);
    }
}

/// The release of a lease takes time. A caller that arrives after an invalidation does not share the load
/// from before it.
#[test]
fn a_caller_after_an_invalidation_does_not_share_an_earlier_load() {
    let stage = Stage::with_leases(bedrock_catalog_cache::Settings::default());
    let (after, came) = std::sync::mpsc::channel();
    let (cache, once) = (stage.cache.clone(), AtomicUsize::new(0));
    stage.lower[1].before(move |op| {
        if op != Op::Release || once.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        cache.remove(&key(1));
        let (cache, after) = (cache.clone(), after.clone());
        let started = std::sync::Arc::new(Barrier::new(2));
        let starts = std::sync::Arc::clone(&started);
        std::thread::spawn(move || {
            let mut call = pin!(async {
                let (key, options) = (key(1), options());
                let load = || async { ok("newest") };
                data(cache.get_or_load_async(&key, &options, load).await)
            });
            // The first poll reads; the next ones wait for the leader.
            let first = block_on(async {
                for _ in 0..1000 {
                    if let Poll::Ready(answer) = poll_once(call.as_mut()) {
                        return Some(answer);
                    }
                    yield_now().await;
                }
                None
            });
            assert!(first.is_none(), "it waits for the leader");
            starts.wait();
            let _ = after.send(block_on(call));
        });
        started.wait();
    });
    let first = stage.cache.get_or_load(&key(1), &options(), || ok("old"));
    assert_eq!(data(first), "old");
    assert_eq!(came.recv_timeout(SECOND * 60).unwrap(), "newest");
}

#[test]
fn a_tier_that_hangs_is_called_once_in_each_step_of_a_load() {
    for is_async in [false, true] {
        for fails in [false, true] {
            let stage = Stage::with_leases(bedrock_catalog_cache::Settings::default());
            stage.lower[1].fail(TierErrorKind::Timeout);
            let load = || match fails {
                true => Err("down".to_owned()),
                false => Ok(Bytes::from("v")),
            };
            let (key, options) = (key(1), options());
            let answer = match is_async {
                true => block_on(
                    stage
                        .cache
                        .get_or_load_async(&key, &options, || async { load() }),
                ),
                false => stage.cache.get_or_load(&key, &options, load),
            };
            assert_eq!(answer.is_err(), fails);
            let ops = [Op::Get, Op::Put, Op::Lease, Op::Release];
            let calls: u64 = ops.iter().map(|op| stage.lower[1].calls(*op)).sum();
            // Once to read, once before the load and once after it.
            assert!(calls <= 3, "{calls} calls");
        }
    }
}

#[test]
fn a_load_future_can_be_sent() {
    fn is_send<T: Send>(_: &T) {}
    let cache = memory_only(&ManualClock::new());
    let (key, options) = (key(1), options());
    is_send(&cache.get_or_load_async(&key, &options, || async { ok("x") }));
    is_send(&cache.lease_async(&key, SECOND));
    is_send(&cache.put_if_current_async(cache.load_token(&key), "x", &options));
}
