//! Tiers that hang: what they cost, and what is served all the same.

use std::time::Duration;

use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};

use crate::accounts::config_of;
use crate::stage::*;

/// A tier that does not answer is waited for a moment, once: AWS is asked without it, by the load and by each
/// renewal, and one thread hangs, not one more with each.
#[tokio::test]
async fn a_tier_that_hangs_does_not_keep_aws_from_being_asked() {
    for fallback in [true, false] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(Op::Get);
        gate.open(false);
        let live = in_memory(&wire, &clock)
            .tier(tier)
            .bundled_fallback(fallback)
            .build()
            .unwrap();
        let (lines, guard) = Lines::listen();
        let loaded = live.load().await.unwrap();
        assert_eq!(loaded.source().as_str(), "api");
        assert_eq!(live.status().error, None);
        let warnings = lines.at(tracing::Level::WARN);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("cache does not answer"),
            "{warnings:?}"
        );
        drop(guard);
        let mut last = loaded.observed_at();
        for _ in 0..8 {
            clock.advance(30 * HOUR);
            live.load().await.unwrap();
            until(|| live.snapshot().observed_at() > last).await;
            last = live.snapshot().observed_at();
            clock.advance(HOUR);
            last = last.max(live.refresh().await.unwrap().observed_at());
        }
        assert_eq!(gate.waiting(), 1);
        gate.open(true);
        until(|| gate.waiting() == 0).await;
        // And written again.
        clock.advance(HOUR);
        let last = live.refresh().await.unwrap().observed_at();
        let key = bedrock_catalog::cache::Key::new("catalog", "get", "all");
        let hit = live.cache().get_async(&key).await.into_hit().unwrap();
        assert!(String::from_utf8_lossy(&hit.data).contains(&last.to_string()));
    }
}

/// Nor does a write that hangs cost a thread with each renewal.
#[tokio::test]
async fn writes_that_hang_cost_one_thread() {
    let (clock, wire) = (clock(), wire());
    let (tier, gate) = Gate::of(Op::Put);
    gate.open(false);
    let live = in_memory(&wire, &clock).tier(tier);
    let live = live.deadline(Duration::from_secs(1)).build().unwrap();
    live.load().await.unwrap();
    for _ in 0..4 {
        clock.advance(HOUR);
        let refreshed = live.refresh().await.unwrap();
        assert_eq!(refreshed.source().as_str(), "api");
    }
    assert_eq!(gate.waiting(), 1);
    gate.open(true);
}

/// Nor the last word of a write, nor a look for whose entries there are.
#[tokio::test]
async fn notes_of_whose_entries_there_are_that_hang_cost_one_thread() {
    let (clock, wire) = (clock(), wire());
    let config = config_of(&wire, "111111111111");
    let build = |tier: FaultyTier| {
        let live = in_memory(&wire, &clock).tier(tier).sdk_config(&config);
        live.deadline(Duration::from_secs(1)).build().unwrap()
    };
    let prompt = FaultyTier::new("prompt");
    build(prompt.clone()).load().await.unwrap();
    // The catalog is written last, and the note before it.
    let before = prompt.calls(Op::Put) - 2;
    let (tier, gate) = Gate::after(before, Op::Put);
    gate.open(false);
    let live = build(tier);
    live.load().await.unwrap();
    for _ in 0..3 {
        clock.advance(HOUR);
        assert_eq!(live.refresh().await.unwrap().source().as_str(), "api");
    }
    assert_eq!(gate.waiting(), 1);
    gate.open(true);
}

#[tokio::test]
async fn offline_a_tier_that_hangs_is_passed_over() {
    let (clock, wire) = (clock(), wire());
    let (tier, gate) = Gate::of(Op::Scan);
    gate.open(false);
    let live = in_memory(&wire, &clock).tier(tier).offline(true);
    let live = live.build().unwrap();
    let loaded = tokio::time::timeout(Duration::from_secs(10), live.load());
    let loaded = loaded
        .await
        .map(|loaded| loaded.unwrap().source().to_string());
    gate.open(true);
    assert_eq!(loaded.as_deref(), Ok("bundle"));
}

/// Writing is tried, and not waited for beyond the deadline.
#[tokio::test]
async fn what_was_fetched_is_served_though_the_write_hangs() {
    for forced in [false, true] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(Op::Put);
        gate.open(false);
        let live = in_memory(&wire, &clock).tier(tier);
        let live = live.deadline(Duration::from_secs(1)).build().unwrap();
        let loaded = match forced {
            false => live.load().await,
            true => live.refresh().await,
        };
        gate.open(true);
        let loaded = loaded.unwrap();
        assert_eq!(loaded.source().as_str(), "api");
        assert_eq!(loaded.error(), None);
        assert_eq!(wire.stage().requests(), 4);
    }
}

/// Also where most of the time went by while another one asked.
#[tokio::test]
async fn what_was_fetched_after_waiting_is_served_though_the_write_hangs() {
    for forced in [false, true] {
        let clock = clock();
        let wire = Memory::new(stage().rule(Rule::new(Fault::Hang).requests(1..=1)));
        // The first write tells others of the one who asks in vain.
        let (tier, gate) = Gate::after(1, Op::Put);
        gate.open(false);
        let live = in_memory(&wire, &clock).tier(tier);
        let live = live.deadline(Duration::from_secs(3)).build().unwrap();
        let other = live.clone();
        let other = tokio::spawn(async move { other.refresh().await });
        until(|| wire.stage().open() == 4).await;
        let got = match forced {
            false => live.load().await,
            true => live.refresh().await,
        };
        assert!(other.await.unwrap().is_err());
        let hangs = gate.waiting();
        gate.open(true);
        assert_eq!((got.unwrap().source().as_str(), hangs), ("api", 1));
        assert_eq!(live.status().source, "api");
        assert_eq!(live.status().error, None);
    }
}
