//! Who computes of several processes: leases of several tiers, how they are given back, and what those do
//! who did not get them. And that a call waits for a tier that hangs once.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::flight::{data, ok};
use super::*;
use bedrock_catalog_test_support::Op;

#[test]
fn the_leases_of_all_tiers_are_held_together() {
    let stage = Stage::new();
    let leases = [0, 1].map(|_| Arc::new(Mutex::new(BTreeSet::new())));
    for (tier, leases) in stage.lower.iter().zip(&leases) {
        tier.share_leases(leases);
    }
    let held = || {
        leases
            .iter()
            .map(|leases| leases.lock().unwrap().len())
            .sum::<usize>()
    };
    let computed = stage.cache.get_or_compute(&key(1), &terms(), || {
        assert_eq!(held(), 2);
        Ok::<_, String>("v".into())
    });
    assert!(computed.unwrap().is_fresh());
    assert_eq!(held(), 0, "a lease is not given back");
    // Busy in the lower one: what is stale is served, and the upper one's is given back.
    stage.clock.advance(2 * DAY);
    leases[1].lock().unwrap().insert((ns(), key(1)));
    let computed = stage
        .cache
        .get_or_compute(&key(1), &terms(), || Ok::<_, String>("w".into()));
    assert_eq!(computed.unwrap().into_hit().unwrap().data.as_ref(), b"v");
    assert_eq!(leases[0].lock().unwrap().len(), 0);
    // A tier that fails gives none, and the other still does.
    stage.lower[0]
        .plan(|op| (op == Op::Lease).then_some(bedrock_catalog_cache::TierErrorKind::Timeout));
    leases[1].lock().unwrap().clear();
    let computed = stage.cache.get_or_compute(&key(1), &terms(), || {
        assert_eq!(held(), 1);
        Ok::<_, String>("w".into())
    });
    assert_eq!(computed.unwrap().into_hit().unwrap().data.as_ref(), b"w");
}

/// Who has a lease.
type Leased = Arc<Mutex<BTreeSet<(Namespace, Key)>>>;

/// A tier whose leases are seen, and the set of them.
fn leasing(stage: &Stage) -> (FaultyTier, Leased) {
    let leases = Arc::default();
    stage.lower[1].share_leases(&leases);
    (stage.lower[1].clone(), leases)
}

#[test]
fn leases_are_given_back_by_a_panic_and_by_a_dropped_future() {
    let stage = Stage::new();
    let (tier, leases) = leasing(&stage);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stage
            .cache
            .get_or_compute(&key(1), &terms(), || -> Result<bytes::Bytes, String> {
                assert_eq!(leases.lock().unwrap().len(), 1);
                panic!("in compute")
            })
    }));
    assert!(panicked.is_err());
    assert_eq!(leases.lock().unwrap().len(), 0, "given back in place");
    let (key, terms, computing) = (key(2), terms(), std::cell::Cell::new(false));
    let mut dropped = Box::pin(stage.cache.get_or_compute_async(&key, &terms, || async {
        computing.set(true);
        std::future::pending::<Result<bytes::Bytes, String>>().await
    }));
    futures_lite::future::block_on(futures_lite::future::poll_fn(|cx| {
        let polled = dropped.as_mut().poll(cx);
        assert!(polled.is_pending());
        if computing.get() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    }));
    assert_eq!(leases.lock().unwrap().len(), 1);
    // On another thread: a future is dropped where nothing may block.
    let dropping = std::thread::current().id();
    tier.before(move |op| {
        assert!(op != Op::Release || std::thread::current().id() != dropping);
    });
    drop(dropped);
    let start = Instant::now();
    while !leases.lock().unwrap().is_empty() {
        assert!(start.elapsed() < 60 * SECOND, "never given back");
        std::thread::yield_now();
    }
}

#[test]
fn a_lease_is_left_to_itself_where_its_tier_is_not_asked() {
    let stage = Stage::new();
    let (tier, leases) = leasing(&stage);
    let fails = tier.clone();
    let computed = stage.cache.get_or_compute(&key(1), &terms(), || {
        fails.fail(bedrock_catalog_cache::TierErrorKind::Unavailable);
        // The breaker opens.
        (0..5).for_each(|n| drop(stage.cache.get(&key(format!("missing{n}")))));
        Ok::<_, String>("v".into())
    });
    assert!(computed.unwrap().is_fresh());
    assert_eq!(tier.calls(Op::Release), 0);
    assert_eq!(leases.lock().unwrap().len(), 1, "it runs out by itself");
    // Where giving it back fails, that counts like any other failure.
    let stage = Stage::new();
    let (tier, _leases) = leasing(&stage);
    tier.plan(|op| {
        (op == Op::Release).then_some(bedrock_catalog_cache::TierErrorKind::Unavailable)
    });
    let computed = stage
        .cache
        .get_or_compute(&key(1), &terms(), || Ok::<_, String>("v".into()));
    assert!(computed.unwrap().is_fresh());
    let errors = |tier: &bedrock_catalog_cache::TierStatistics| (tier.name, tier.errors);
    let errors: Vec<_> = stage.cache.statistics().tiers.iter().map(errors).collect();
    assert_eq!(errors, [("memory", 0), ("middle", 0), ("bottom", 1)]);
}

/// What each of the lower tiers was asked, in all.
fn asked(stage: &Stage) -> [u64; 2] {
    let ops = [Op::Get, Op::Put, Op::Lease, Op::Release];
    let sum = |tier: &FaultyTier| ops.iter().map(|op| tier.calls(*op)).sum();
    [sum(&stage.lower[0]), sum(&stage.lower[1])]
}

#[test]
fn a_tier_that_does_not_answer_in_time_is_asked_once_in_a_call() {
    use bedrock_catalog_cache::TierErrorKind::Timeout;
    let compute = |stage: &Stage, n: u32, is_async: bool, fails: bool| {
        let made = || match fails {
            true => Err("down".to_owned()),
            false => Ok(bytes::Bytes::from("v")),
        };
        let (key, terms) = (key(n), terms());
        let answer = match is_async {
            true => futures_lite::future::block_on(stage.cache.get_or_compute_async(
                &key,
                &terms,
                || async { made() },
            )),
            false => stage.cache.get_or_compute(&key, &terms, made),
        };
        assert_eq!(answer.is_err(), fails);
    };
    for is_async in [false, true] {
        for fails in [false, true] {
            let stage = Stage::new();
            stage.lower[1].fail(Timeout);
            compute(&stage, 1, is_async, fails);
            assert_eq!(asked(&stage)[1], 1);
            // The next call asks again.
            compute(&stage, 2, is_async, fails);
            assert_eq!(asked(&stage)[1], 2);
            // And what was not stored there is not believed to be there.
            stage.lower[1].heal();
            assert!(!stage.lower[1].holds(&ns(), &key(1)));
        }
    }
    // From whatever operation on it hangs; other failures cost no time.
    for (op, most) in [(Op::Lease, 3), (Op::Put, 5), (Op::Release, 6)] {
        let stage = Stage::new();
        let (tier, _leases) = leasing(&stage);
        let before = tier.clone();
        let hangs = Arc::new(std::sync::atomic::AtomicBool::new(false));
        tier.plan(move |now| {
            let hang = hangs.fetch_or(now == op, Ordering::SeqCst);
            (hang || now == op).then_some(Timeout)
        });
        compute(&stage, 1, false, false);
        let errors = stage.cache.statistics().tiers[2].errors;
        assert_eq!((asked(&stage)[1], errors), (most, 1), "{op:?}");
        assert_eq!(before.calls(op), 1);
    }
}

/// Another process may be at it: who said so does not compute for that, nor has it the right to.
#[test]
fn who_would_not_work_beside_others_is_told_where_a_tier_is_late() {
    use bedrock_catalog_cache::{Others, TierErrorKind::Timeout};
    use futures_lite::future::block_on;
    for late in [Op::Get, Op::Lease] {
        let stage = Stage::new();
        let (tier, leases) = leasing(&stage);
        tier.plan(move |op| (op == late).then_some(Timeout));
        let terms = terms().giving_up_when_late();
        let compute = || stage.cache.get_or_compute(&key(1), &terms, || ok("v"));
        assert!(compute().unwrap_err().is_late(), "{late:?}");
        assert_eq!(leases.lock().unwrap().len(), 0);
        let leased = block_on(stage.cache.try_lease(&key(2), Duration::ZERO));
        assert_eq!(leased.err(), (late == Op::Lease).then_some(Others::MayWork));
        let (found, in_time) = stage.cache.get_shared_in_time(&key(2));
        assert_eq!((found.is_missing(), in_time), (true, late != Op::Get));
        // A tier that fails otherwise, or is not asked any more, is done without.
        tier.fail(bedrock_catalog_cache::TierErrorKind::Unavailable);
        assert_eq!(data(compute()), "v");
        assert!(block_on(stage.cache.try_lease(&key(2), Duration::ZERO)).is_ok());
        let stage = Stage::new();
        let (_tier, leases) = leasing(&stage);
        leases.lock().unwrap().insert((ns(), key(1)));
        let leased = block_on(stage.cache.try_lease(&key(1), Duration::ZERO));
        assert_eq!(leased.err(), Some(Others::Work));
    }
}

#[test]
fn a_lookup_does_not_copy_to_a_tier_that_did_not_answer_in_time() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "v", &terms());
    stage
        .cache
        .invalidate_in("memory", &bedrock_catalog_cache::Pattern::all());
    let before = asked(&stage)[0];
    stage.lower[0].fail(bedrock_catalog_cache::TierErrorKind::Timeout);
    assert_eq!(stage.data(&key(1)).as_deref(), Some(b"v".as_slice()));
    assert_eq!(asked(&stage)[0] - before, 1);
}

/// Two caches with tiers that share entries and leases: two processes.
fn processes(settings: &Settings) -> (Cache, Cache, FaultyTier) {
    let leases: Arc<Mutex<BTreeSet<_>>> = Arc::default();
    let shared = FaultyTier::new("shared");
    shared.share_leases(&leases);
    let process = || {
        let builder = Cache::builder()
            .namespace(ns())
            .memory(MemoryLimits::default())
            .tier(shared.clone());
        builder
            .settings(settings.clone())
            .clock(ManualClock::new())
            .build()
            .unwrap()
    };
    (process(), process(), shared)
}

#[test]
fn two_processes_compute_once() {
    let mut settings = Settings::default();
    (settings.patience, settings.lease) = (Duration::from_millis(10), Duration::from_millis(50));
    let (one, two, shared) = processes(&settings);
    let answer = one.get_or_compute(&key(1), &terms(), || {
        // Nothing to serve: the other one gives up if it said so, else waits out the lease.
        let busy = two.get_or_compute(&key(1), &terms().giving_up_when_busy(), || ok("twice"));
        assert!(busy.unwrap_err().is_busy());
        let calls = shared.calls(Op::Lease);
        assert_eq!(
            data(two.get_or_compute(&key(1), &terms(), || ok("after the lease"))),
            "after the lease"
        );
        assert_eq!(
            shared.calls(Op::Lease) - calls,
            5,
            "the lease of 50 ms in steps of 10"
        );
        ok("first")
    });
    assert_eq!(data(answer), "first");
    // Released: the other process finds the value and does not compute.
    assert_eq!(
        data(two.get_or_compute(&key(2), &terms(), || ok("second"))),
        "second"
    );
    assert_eq!(
        data(one.get_or_compute(&key(2), &terms(), || ok("not asked"))),
        "second"
    );
}

#[test]
fn who_does_not_get_the_lease_serves_stale() {
    let (one, two, _shared) = processes(&Settings::default());
    one.put(&key(1), "old", &holding(Duration::ZERO, HOUR));
    let answer = one.get_or_compute(&key(1), &terms(), || {
        let answer = two
            .get_or_compute(&key(1), &terms(), || ok("twice"))
            .unwrap();
        assert!(answer.is_stale());
        ok("new")
    });
    assert_eq!(data(answer), "new");
    assert_eq!(
        data(two.get_or_compute(&key(1), &terms(), || ok("not asked"))),
        "new"
    );
}
