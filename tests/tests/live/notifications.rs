//! Notifications: a catalog that another process stored is taken up without a fetch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bedrock_catalog::LiveCatalog;
use bedrock_catalog::cache::{ChangeEvent, ManualClock, Pattern, TierErrorKind};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule};

use crate::accounts::config_of;
use crate::stage::*;

const OURS: &str = "111111111111";

/// Another process wrote the catalog.
async fn written(live: &LiveCatalog) -> ChangeEvent {
    ChangeEvent::Written {
        namespace: live.cache().await.namespace(),
        key: catalog_key(),
        written_at: later() + 40 * HOUR,
    }
}

/// Another process removed the catalog.
async fn removed(live: &LiveCatalog) -> ChangeEvent {
    ChangeEvent::Removed {
        namespace: live.cache().await.namespace(),
        pattern: Pattern::exact(&catalog_key()),
    }
}

/// The number of events that the cache has passed on.
async fn events(live: &LiveCatalog) -> Arc<AtomicUsize> {
    let events = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&events);
    live.cache().await.on_change(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    events
}

/// A catalog over this tier whose requests pass a turnstile, and one over the same whose do not.
fn two(
    wire: &Memory,
    clock: &ManualClock,
    shared: &FaultyTier,
) -> (Arc<Turnstile>, [LiveCatalog; 2]) {
    let (turnstile, config) = (Turnstile::new(true), config_of(wire, OURS));
    let build = |config| {
        let live = in_memory(wire, clock).tier(shared.clone());
        live.sdk_config(config).build().unwrap()
    };
    let held = held_requests(wire, &config, &turnstile);
    (turnstile, [build(&held), build(&config)])
}

#[tokio::test]
async fn a_notification_during_a_renewal_is_followed_after_it() {
    let (clock, wire) = (clock(), wire());
    let shared = FaultyTier::on_clock("shared", clock.clone()).with_leases();
    let (turnstile, [one, other]) = two(&wire, &clock, &shared);
    other.load().await.unwrap();
    assert_eq!(one.load().await.unwrap().source().as_str(), "cache");
    let events = events(&one).await;
    clock.advance(30 * HOUR);
    turnstile.close();
    one.load().await.unwrap();
    turnstile.waiting.acquire().await.unwrap().forget();
    // It is fetching. The other one fetches later, beside it, and ends first.
    shared.release(&one.cache().await.namespace(), &catalog_key());
    clock.advance(Duration::from_secs(60));
    let newest = other.refresh().await.unwrap().observed_at();
    shared.notify(&written(&one).await);
    until(|| events.load(Ordering::SeqCst) == 1).await;
    turnstile.pass.add_permits(100);
    until(|| one.snapshot().observed_at() == newest).await;
    assert_eq!(one.status().source, "cache");
}

/// The same during the first load, before the background task runs.
#[tokio::test]
async fn a_notification_during_the_first_load_is_followed_after_it() {
    let (clock, wire) = (clock(), wire());
    let shared = FaultyTier::on_clock("shared", clock.clone()).with_leases();
    let (turnstile, [one, other]) = two(&wire, &clock, &shared);
    let events = events(&one).await;
    turnstile.close();
    let loads = tokio::spawn({
        let one = one.clone();
        async move { one.load().await.unwrap().source().to_string() }
    });
    turnstile.waiting.acquire().await.unwrap().forget();
    shared.release(&one.cache().await.namespace(), &catalog_key());
    clock.advance(Duration::from_secs(60));
    let newest = other.refresh().await.unwrap().observed_at();
    shared.notify(&written(&one).await);
    until(|| events.load(Ordering::SeqCst) == 1).await;
    turnstile.pass.add_permits(100);
    assert_eq!(loads.await.unwrap(), "api");
    until(|| one.snapshot().observed_at() == newest).await;
    assert_eq!(one.status().source, "cache");
}

/// A notification causes no fetch, also where the entry cannot be read: a fetch would notify others, which
/// would fetch and notify in turn.
#[tokio::test]
async fn a_notification_causes_no_fetch() {
    let (clock, wire) = (clock(), wire());
    let shared = FaultyTier::on_clock("shared", clock.clone()).with_leases();
    shared.plan(|op| (op == Op::Get).then_some(TierErrorKind::Foreign));
    let live = in_memory(&wire, &clock).tier(shared.clone());
    let live = live.build().unwrap();
    live.load().await.unwrap();
    let events = events(&live).await;
    for round in 1..=3 {
        let changes = [written(&live).await, removed(&live).await];
        for (nth, event) in changes.iter().enumerate() {
            shared.notify(event);
            until(|| events.load(Ordering::SeqCst) == 2 * round - 1 + nth).await;
            settle().await;
        }
        clock.advance(Duration::from_secs(60));
        live.refresh().await.unwrap();
        assert_eq!(wire.stage().requests(), 4 + 4 * round);
    }
    // The renewal that is due fetches.
    let last = live.snapshot().observed_at();
    clock.advance(30 * HOUR);
    live.load().await.unwrap();
    until(|| live.snapshot().observed_at() > last).await;
}

/// A catalog that another process stored is taken up, and does not replace the forced fetch.
#[tokio::test]
async fn a_notification_does_not_end_a_forced_fetch() {
    let clock = clock();
    let shared = FaultyTier::on_clock("shared", clock.clone()).with_leases();
    let other = in_memory(&wire(), &clock).tier(shared.clone());
    other.build().unwrap().load().await.unwrap();
    clock.advance(20 * HOUR);
    // At first the entry cannot be read, and AWS denies.
    shared.plan(|op| (op == Op::Get).then_some(TierErrorKind::Foreign));
    let once = Rule::new(Fault::access_denied()).operation(Operation::Models);
    let wire = Memory::new(stage().rule(once.requests(1..=1)));
    let live = in_memory(&wire, &clock).tier(shared.clone());
    let live = live.force_refresh(true).build().unwrap();
    assert_eq!(live.load().await.unwrap().source().as_str(), "bundle");
    shared.plan(|_| None);
    clock.advance(Duration::from_secs(45));
    shared.notify(&written(&live).await);
    until(|| live.status().source == "cache").await;
    clock.advance(Duration::from_secs(70));
    live.load().await.unwrap();
    until(|| live.status().source == "api").await;
}
