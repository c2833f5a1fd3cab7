use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{block_on, yield_now};

use super::{HOUR, SECOND, Stage, holding, key, memory_only, rounds, terms};
use bedrock_catalog_cache::{Cache, Freshness, ManualClock, MemoryLimits};

pub(super) fn ok(data: &'static str) -> Result<Bytes, String> {
    Ok(data.into())
}

pub(super) fn data(
    answer: Result<Freshness, bedrock_catalog_cache::ComputeError<String>>,
) -> Bytes {
    answer.unwrap().into_hit().unwrap().data
}

#[test]
fn many_threads_on_one_missing_key_compute_once() {
    for round in 0..rounds(20).min(1000) {
        let stage = Stage::new();
        let (computed, start) = (AtomicUsize::new(0), Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    let answer = stage.cache.get_or_compute(&key(round), &terms(), || {
                        computed.fetch_add(1, Ordering::SeqCst);
                        // Gives the others every chance to do the same.
                        std::thread::yield_now();
                        ok("value")
                    });
                    assert_eq!(data(answer), "value");
                });
            }
        });
        assert_eq!(computed.load(Ordering::SeqCst), 1, "single flight");
        let statistics = stage.cache.statistics();
        assert_eq!((statistics.computed, statistics.requests()), (1, 8));
    }
}

/// The long lane's row: 10,000 callers on an expired entry.
#[test]
fn many_tasks_on_one_expired_key_compute_once() {
    let callers = rounds(1000).max(1000) * if rounds(0) > 0 { 10 } else { 1 };
    let clock = ManualClock::new();
    let cache = memory_only(&clock);
    cache.put(&key(1), "old", &holding(SECOND, HOUR));
    clock.advance(SECOND);
    let (computed, key, terms) = (AtomicUsize::new(0), key(1), terms());
    let mut futures: Vec<_> = (0..callers)
        .map(|_| {
            Box::pin(cache.get_or_compute_async(&key, &terms, || async {
                computed.fetch_add(1, Ordering::SeqCst);
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
    assert_eq!(computed.load(Ordering::SeqCst), 1);
    let told = format_args!("{callers} callers");
    bedrock_catalog_test_support::count("callers on an expired entry", told);
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_cancelled_leader_hands_over() {
    let cache = memory_only(&ManualClock::new());
    for n in 0..rounds(100) {
        let (key, terms) = (key(n), terms());
        let mut leader = Box::pin(cache.get_or_compute_async(&key, &terms, || async {
            std::future::pending::<()>().await;
            ok("never")
        }));
        assert!(poll_once(leader.as_mut()).is_pending());
        let mut next = pin!(cache.get_or_compute_async(&key, &terms, || async { ok("next") }));
        assert!(
            poll_once(next.as_mut()).is_pending(),
            "waits for the leader"
        );
        drop(leader);
        assert_eq!(data(block_on(next)), "next");
    }
}

#[test]
fn who_takes_over_serves_what_was_written_meanwhile() {
    let cache = memory_only(&ManualClock::new());
    let (key, terms) = (key(1), terms());
    let compute = || async {
        std::future::pending::<()>().await;
        ok("never")
    };
    let mut leader = Box::pin(cache.get_or_compute_async(&key, &terms, compute));
    assert!(poll_once(leader.as_mut()).is_pending());
    let mut next = pin!(cache.get_or_compute_async(&key, &terms, compute));
    assert!(poll_once(next.as_mut()).is_pending());
    cache.put(&key, "put", &terms);
    drop(leader);
    match poll_once(next) {
        Poll::Ready(answer) => assert_eq!(data(answer), "put"),
        Poll::Pending => panic!("it computes what is there"),
    }
}

#[test]
fn a_panicking_leader_hands_over() {
    let stage = Stage::new();
    let panics = || {
        stage
            .cache
            .get_or_compute(&key(1), &terms(), || -> Result<Bytes, String> {
                panic!("in compute")
            })
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(
        data(stage.cache.get_or_compute(&key(1), &terms(), || ok("next"))),
        "next"
    );
}

#[test]
fn a_failure_is_remembered_for_a_moment_and_no_longer() {
    let stage = Stage::new();
    let failing = || {
        stage
            .cache
            .get_or_compute(&key(1), &terms(), || Err("down".to_owned()))
    };
    assert_eq!(failing().unwrap_err().into_cause().as_deref(), Some("down"));
    let recent = stage
        .cache
        .get_or_compute(&key(1), &terms(), || ok("not asked"))
        .unwrap_err();
    assert!(
        recent.is_recent() && recent.to_string().contains("down"),
        "{recent}"
    );
    // Another key is another matter, and an empty cache stays empty: a failure is no value.
    assert_eq!(
        data(
            stage
                .cache
                .get_or_compute(&key(2), &terms(), || ok("other"))
        ),
        "other"
    );
    assert!(stage.cache.get(&key(1)).is_missing());
    stage.clock.advance(SECOND);
    assert_eq!(
        data(
            stage
                .cache
                .get_or_compute(&key(1), &terms(), || ok("up again"))
        ),
        "up again"
    );
}

#[test]
fn failures_are_remembered_again_once_room_was_made() {
    let clock = ManualClock::new();
    let cache = memory_only(&clock);
    let fail = |n: u32| cache.get_or_compute(&key(n), &terms(), || Err("down".to_owned()));
    (0..2000).for_each(|n| drop(fail(n)));
    clock.advance(SECOND * 2);
    drop(fail(2001));
    let again = cache.get_or_compute(&key(2001), &terms(), || -> Result<_, String> {
        panic!("the failure is remembered")
    });
    assert!(again.is_err());
}

#[test]
fn a_stale_value_is_served_when_computing_fails_and_replaced_when_it_does_not() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &holding(SECOND, HOUR));
    stage.clock.advance(SECOND);
    let answer = stage
        .cache
        .get_or_compute(&key(1), &terms(), || Err("down".to_owned()))
        .unwrap();
    assert!(answer.is_stale() && answer.hit().unwrap().age() == SECOND);
    // The failure is fresh in memory: the next one is served at once.
    let answer = stage
        .cache
        .get_or_compute(&key(1), &terms(), || ok("not asked"))
        .unwrap();
    assert!(answer.is_stale());
    stage.clock.advance(SECOND);
    assert_eq!(
        data(stage.cache.get_or_compute(&key(1), &terms(), || ok("new"))),
        "new"
    );
    // Expired is not stale: nothing is served.
    stage.cache.put(&key(2), "old", &holding(SECOND, HOUR));
    stage.clock.advance(HOUR);
    assert!(
        stage
            .cache
            .get_or_compute(&key(2), &terms(), || Err("down".to_owned()))
            .unwrap_err()
            .is_failed()
    );
}

#[test]
fn what_was_invalidated_while_it_was_computed_is_returned_but_not_stored() {
    let stage = Stage::new();
    let answer = stage.cache.get_or_compute(&key(1), &terms(), || {
        stage.cache.remove(&key(1));
        ok("already invalid")
    });
    assert_eq!(data(answer), "already invalid");
    assert!(stage.cache.get(&key(1)).is_missing());
    assert_eq!(stage.cache.statistics().overtaken, 1);
    // And what was written meanwhile stays.
    let answer = block_on(
        stage
            .cache
            .get_or_compute_async(&key(2), &terms(), || async {
                stage.cache.put(&key(2), "newer", &terms());
                ok("older")
            }),
    );
    assert_eq!(data(answer), "older");
    assert_eq!(stage.data(&key(2)), Some(b"newer".to_vec()));
}

#[test]
fn async_and_blocking_callers_share_one_flight() {
    let stage = Stage::new();
    let computed = AtomicUsize::new(0);
    let compute = || {
        computed.fetch_add(1, Ordering::SeqCst);
        ok("value")
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| data(stage.cache.get_or_compute(&key(1), &terms(), compute)));
            scope.spawn(|| {
                block_on(async {
                    data(
                        stage
                            .cache
                            .get_or_compute_async(&key(1), &terms(), || async { compute() })
                            .await,
                    )
                })
            });
        }
    });
    assert_eq!(computed.load(Ordering::SeqCst), 1);
    // From below, off the caller's thread.
    stage
        .cache
        .invalidate_in("memory", &bedrock_catalog_cache::Pattern::all());
    let hit = block_on(stage.cache.get_async(&key(1))).into_hit().unwrap();
    assert_eq!(hit.tier(), Some("middle"));
    assert_eq!(
        block_on(stage.cache.get_async(&key(1)))
            .into_hit()
            .unwrap()
            .tier(),
        Some("memory")
    );
}

#[test]
fn what_was_invalidated_while_computing_failed_is_not_served() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "bad", &holding(SECOND, HOUR));
    stage.clock.advance(SECOND);
    let answer = stage.cache.get_or_compute(&key(1), &terms(), || {
        stage.cache.remove(&key(1));
        Err("down".to_owned())
    });
    assert!(answer.is_err(), "{answer:?}");
}

/// Nowhere to read it back from: no tier, never fresh, or too large to be stored.
#[test]
fn all_who_wait_are_served_what_cannot_be_stored() {
    let tiny = MemoryLimits {
        bytes: 1,
        ..MemoryLimits::default()
    };
    let never_fresh = holding(Duration::ZERO, HOUR);
    for (cache, terms) in [
        (Cache::builder().build().unwrap(), terms()),
        (memory_only(&ManualClock::new()), never_fresh),
        (Cache::builder().memory(tiny).build().unwrap(), terms()),
    ] {
        let (computed, key) = (AtomicUsize::new(0), key(1));
        let call = || {
            cache.get_or_compute_async(&key, &terms, || async {
                computed.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                ok("value")
            })
        };
        let mut waiting: Vec<_> = (0..100).map(|_| Box::pin(call())).collect();
        for future in &mut waiting {
            assert!(poll_once(future.as_mut()).is_pending());
        }
        let late = block_on(async {
            let mut late = None;
            for future in waiting {
                assert_eq!(data(future.await), "value");
                late.get_or_insert_with(|| Box::pin(call()));
            }
            late
        });
        assert_eq!(computed.load(Ordering::SeqCst), 1);
        // Who comes when it is done asks anew.
        assert_eq!(data(block_on(late.unwrap())), "value");
        assert_eq!(computed.load(Ordering::SeqCst), 2);
        assert_eq!(cache.statistics().joined, 99);
    }
}
