//! Tiers that hang: the time and threads they cost, and what is served all the same.

use std::time::Duration;

use bedrock_catalog::cache::TierErrorKind;
use bedrock_catalog_test_support::{FaultyTier, Op};

use crate::stage::*;

/// How many threads a tier that hangs costs at most.
const THREADS: usize = 4;

/// A read that hangs delays a load and each renewal by half a second: AWS is called without the cache.
#[tokio::test]
async fn a_read_that_hangs_does_not_stop_a_fetch() {
    for fallback in [true, false] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(Op::Get);
        gate.open(false);
        let live = in_memory(&wire, &clock).tier(tier);
        let live = live
            .deadline(Duration::from_secs(4))
            .bundled_fallback(fallback);
        let live = live.build().unwrap();
        let (lines, guard) = Lines::listen();
        let begun = tokio::time::Instant::now();
        let loaded = live.load().await.unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(loaded.source().as_str(), "api");
        assert_eq!(live.status().error, None);
        let warnings = lines.at(tracing::Level::WARN);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("cache does not answer"),
            "{warnings:?}"
        );
        drop(guard);
        for _ in 0..3 {
            clock.advance(HOUR);
            let last = live.refresh().await.unwrap().observed_at();
            clock.advance(30 * HOUR);
            live.load().await.unwrap();
            until(|| live.snapshot().observed_at() > last).await;
        }
        assert!((1..=THREADS).contains(&gate.waiting()));
        gate.open(true);
        until(|| gate.waiting() == 0).await;
        // Refreshes are written again, once the delayed writes are over.
        let is_written = async || {
            clock.advance(HOUR);
            let last = live.refresh().await.unwrap().observed_at().to_string();
            let hit = live
                .cache()
                .await
                .get_async(&catalog_key())
                .await
                .into_hit();
            hit.is_some_and(|hit| String::from_utf8_lossy(&hit.data).contains(&last))
        };
        while !is_written().await {}
    }
}

/// A write that hangs costs four threads, not one with each renewal.
#[tokio::test]
async fn writes_that_hang_cost_a_few_threads() {
    let (clock, wire) = (clock(), wire());
    let (tier, gate) = Gate::of(Op::Put);
    gate.open(false);
    let live = in_memory(&wire, &clock).tier(tier);
    let live = live.deadline(Duration::from_secs(1)).build().unwrap();
    live.load().await.unwrap();
    for _ in 0..THREADS + 3 {
        clock.advance(HOUR);
        let refreshed = live.refresh().await.unwrap();
        assert_eq!(refreshed.source().as_str(), "api");
    }
    assert!((1..=THREADS).contains(&gate.waiting()));
    gate.open(true);
}

/// A lease that hangs is left out.
#[tokio::test]
async fn a_lease_that_hangs_does_not_stop_a_fetch() {
    for forced in [false, true] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(Op::Lease);
        gate.open(false);
        let live = in_memory(&wire, &clock).tier(tier.with_leases());
        let live = live.build().unwrap();
        let begun = tokio::time::Instant::now();
        let loaded = match forced {
            false => live.load().await,
            true => live.refresh().await,
        };
        assert!(
            begun.elapsed() < Duration::from_secs(3),
            "{:?}",
            begun.elapsed()
        );
        gate.open(true);
        assert_eq!(loaded.unwrap().source().as_str(), "api");
    }
}

#[tokio::test]
async fn offline_a_tier_that_hangs_is_left_out() {
    let (clock, wire) = (clock(), wire());
    let (tier, gate) = Gate::of(Op::Get);
    gate.open(false);
    let live = in_memory(&wire, &clock).tier(tier).offline(true);
    let live = live.build().unwrap();
    let loaded = tokio::time::timeout(Duration::from_secs(10), live.load());
    let loaded = loaded.await;
    gate.open(true);
    assert_eq!(loaded.unwrap().unwrap().source().as_str(), "bundle");
}

/// A fetched catalog is served first. A load waits a second for its write, a refresh until its deadline.
#[tokio::test]
async fn a_fetched_catalog_is_served_though_the_write_hangs() {
    for forced in [false, true] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(Op::Put);
        gate.open(false);
        let live = in_memory(&wire, &clock).tier(tier);
        let live = live.deadline(Duration::from_secs(3)).build().unwrap();
        let begun = tokio::time::Instant::now();
        let serving = live.clone();
        let call = tokio::spawn(async move {
            match forced {
                false => live.load().await,
                true => live.refresh().await,
            }
        });
        until(|| serving.status().source == "api").await;
        assert!(begun.elapsed() < Duration::from_secs(1), "served first");
        let loaded = call.await.unwrap().unwrap();
        let took = begun.elapsed();
        gate.open(true);
        let longest = Duration::from_millis(if forced { 3300 } else { 2000 });
        assert!(took < longest, "{forced}: {took:?}");
        assert_eq!((loaded.source().as_str(), loaded.error()), ("api", None));
        assert_eq!(wire.stage().requests(), 4);
    }
}

/// A write goes on after the deadline of its refresh.
#[tokio::test]
async fn a_write_goes_on_after_the_deadline() {
    let (clock, wire) = (clock(), wire());
    let (tier, gate) = Gate::of(Op::Put);
    gate.open(false);
    let live = in_memory(&wire, &clock).tier(tier.clone());
    let live = live.deadline(Duration::from_secs(1)).build().unwrap();
    live.refresh().await.unwrap();
    let namespace = live.cache().await.namespace();
    assert!(!tier.holds(&namespace, &catalog_key()));
    gate.open(true);
    until(|| tier.holds(&namespace, &catalog_key())).await;
}

/// A tier that fails at once costs nothing: it is left out.
#[tokio::test]
async fn a_tier_that_fails_is_left_out() {
    let (clock, wire) = (clock(), wire());
    let tier = FaultyTier::on_clock("broken", clock.clone()).with_leases();
    for kind in [TierErrorKind::Unavailable, TierErrorKind::Timeout] {
        tier.fail(kind);
        let live = in_memory(&wire, &clock).tier(tier.clone()).build().unwrap();
        wire.stage().forget();
        assert_eq!(live.load().await.unwrap().source().as_str(), "api");
        assert_eq!(wire.stage().requests(), 4);
    }
}
