//! The single flight by itself.

use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bedrock_catalog_cache::{Join, SingleFlight};
use futures_lite::future::block_on;

type Flight = SingleFlight<&'static str, u32>;

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Work that ends when the cell has a value.
async fn when_told(value: &Cell<Option<u32>>, runs: &Cell<u32>) -> u32 {
    runs.set(runs.get() + 1);
    std::future::poll_fn(|_| match value.get() {
        Some(value) => Poll::Ready(value),
        None => Poll::Pending,
    })
    .await
}

#[test]
fn callers_that_arrive_during_the_work_share_it_and_later_ones_do_not() {
    let (flight, told, runs) = (Flight::new(), Cell::new(None), Cell::new(0));
    let call = || flight.run("key", Join::Running, when_told(&told, &runs));
    let (mut leader, mut waiter) = (pin!(call()), pin!(call()));
    assert!(poll(leader.as_mut()).is_pending() && poll(waiter.as_mut()).is_pending());
    // Another key is not concerned.
    assert_eq!(flight.run_blocking("other", Join::Running, || 7), 7);
    told.set(Some(1));
    assert_eq!(poll(leader), Poll::Ready(1));
    told.set(Some(2));
    assert_eq!(block_on(waiter), 1);
    assert_eq!(block_on(call()), 2);
    assert_eq!((runs.get(), flight.callers()), (2, 0));
}

/// Callers that need work from after their call wait for the running one, and share the next.
#[test]
fn a_crowd_that_joins_the_next_costs_two() {
    let (flight, told, runs) = (Flight::new(), Cell::new(None), Cell::new(0));
    let call = || flight.run("key", Join::Next, when_told(&told, &runs));
    let mut leader = pin!(call());
    assert!(poll(leader.as_mut()).is_pending());
    let mut crowd: Vec<_> = (0..100).map(|_| Box::pin(call())).collect();
    for waiter in &mut crowd {
        assert!(poll(waiter.as_mut()).is_pending());
    }
    told.set(Some(1));
    assert_eq!(poll(leader), Poll::Ready(1));
    told.set(Some(2));
    for waiter in crowd {
        assert_eq!(block_on(waiter), 2);
    }
    assert_eq!((runs.get(), flight.callers()), (2, 0));
}

#[test]
fn a_waiter_leads_with_its_own_work_when_the_leader_is_dropped_or_panics() {
    let flight = Flight::new();
    let mut leader = Box::pin(flight.run("key", Join::Running, std::future::pending()));
    let mut waiters: Vec<_> = (0..3_u32)
        .map(|n| Box::pin(flight.run("key", Join::Running, async move { n })))
        .collect();
    assert!(poll(leader.as_mut()).is_pending());
    for waiter in &mut waiters {
        assert!(poll(waiter.as_mut()).is_pending());
    }
    drop(leader);
    // A waiter that goes does not keep the others.
    drop(waiters.remove(0));
    let values: Vec<u32> = waiters.into_iter().map(block_on).collect();
    assert_eq!(values, [1, 1]);
    let panics = || flight.run_blocking("key", Join::Running, || panic!("in the work"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(flight.run_blocking("key", Join::Running, || 5), 5);
    assert_eq!(flight.callers(), 0);
}

#[test]
fn callers_after_a_detachment_do_not_share_the_running_work() {
    let (flight, told, runs) = (Flight::new(), Cell::new(None), Cell::new(0));
    let call = || flight.run("key", Join::Running, when_told(&told, &runs));
    let (mut leader, mut before, mut after) = (pin!(call()), pin!(call()), pin!(call()));
    assert!(poll(leader.as_mut()).is_pending() && poll(before.as_mut()).is_pending());
    flight.detach(|key| *key == "other");
    flight.detach(|key| *key == "key");
    assert!(poll(after.as_mut()).is_pending());
    told.set(Some(1));
    assert_eq!(poll(leader), Poll::Ready(1));
    told.set(Some(2));
    assert_eq!(block_on(before), 1);
    assert_eq!(block_on(after), 2);
    assert_eq!((runs.get(), flight.callers()), (2, 0));
}

#[test]
fn a_detachment_before_a_cancelled_leader_does_not_concern_the_next() {
    let (flight, told, runs) = (Flight::new(), Cell::new(None), Cell::new(0));
    let call = || flight.run("key", Join::Running, when_told(&told, &runs));
    let mut leader = Box::pin(call());
    assert!(poll(leader.as_mut()).is_pending());
    flight.detach(|_| true);
    let (mut next, mut other) = (pin!(call()), pin!(call()));
    assert!(poll(next.as_mut()).is_pending() && poll(other.as_mut()).is_pending());
    drop(leader);
    told.set(Some(1));
    assert_eq!((block_on(next), block_on(other)), (1, 1));
    assert_eq!(runs.get(), 2);
}
