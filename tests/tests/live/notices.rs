//! What other processes of a fleet tell of: a catalog that they stored is taken up, and nobody is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bedrock_catalog::LiveCatalog;
use bedrock_catalog::cache::{Change, Changed, Key, Pattern, TierErrorKind};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule};

use crate::accounts::{config_of, credentials_of, held};
use crate::stage::*;

const OURS: &str = "111111111111";

/// That another process did this to the catalog.
fn changed(live: &LiveCatalog, change: Change) -> Changed {
    Changed {
        namespace: live.cache().namespace(),
        pattern: Pattern::exact(&Key::new("catalog", "get", "all")),
        change,
    }
}

/// How many notices were heard, and passed on.
fn heard(live: &LiveCatalog) -> Arc<AtomicUsize> {
    let heard = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&heard);
    live.cache().on_change(move |_, _| {
        counts.fetch_add(1, Ordering::SeqCst);
    });
    heard
}

#[tokio::test]
async fn what_is_told_while_a_renewal_works_is_taken_up_after_it() {
    let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
    let (held, slow) = held(&wire, credentials_of(OURS), usize::MAX);
    let build = |config| {
        let live = in_memory(&wire, &clock).tier(shared.clone());
        live.sdk_config(config).build().unwrap()
    };
    let (one, other) = (build(&slow), build(&config_of(&wire, OURS)));
    other.load().await.unwrap();
    assert_eq!(one.load().await.unwrap().source().as_str(), "cache");
    let heard = heard(&one);
    clock.advance(30 * HOUR);
    held.at_once.store(0, Ordering::SeqCst);
    one.load().await.unwrap();
    held.asks.acquire().await.unwrap().forget();
    // It has looked at the cache, and asks AWS. The other one asks later, and has its answer first.
    clock.advance(Duration::from_secs(60));
    let newest = other.refresh().await.unwrap().observed_at();
    shared.tell(&changed(&one, Change::Written(later() + 40 * HOUR)));
    until(|| heard.load(Ordering::SeqCst) == 1).await;
    held.go_on.add_permits(100);
    until(|| one.snapshot().observed_at() == newest).await;
    assert_eq!(one.status().source, "cache");
}

/// As little is lost where it is told while the first load works, which no task is there for yet.
#[tokio::test]
async fn what_is_told_while_the_first_load_works_is_taken_up_after_it() {
    let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
    let (held, slow) = held(&wire, credentials_of(OURS), usize::MAX);
    let build = |config| {
        let live = in_memory(&wire, &clock).tier(shared.clone());
        live.sdk_config(config).build().unwrap()
    };
    let (one, other) = (build(&slow), build(&config_of(&wire, OURS)));
    one.own_cache().await;
    let heard = heard(&one);
    held.at_once.store(0, Ordering::SeqCst);
    let loads = tokio::spawn({
        let one = one.clone();
        async move { one.load().await.unwrap().source().to_string() }
    });
    held.asks.acquire().await.unwrap().forget();
    // It has found nothing in the cache, and asks AWS. The other one asks later, and has its answer first.
    clock.advance(Duration::from_secs(60));
    let newest = other.refresh().await.unwrap().observed_at();
    shared.tell(&changed(&one, Change::Written(later() + HOUR)));
    until(|| heard.load(Ordering::SeqCst) == 1).await;
    held.go_on.add_permits(100);
    assert_eq!(loads.await.unwrap(), "api");
    until(|| one.snapshot().observed_at() == newest).await;
    assert_eq!(one.status().source, "cache");
}

/// Where what is told of cannot be read, asking AWS would tell others, who would ask and tell in turn.
#[tokio::test]
async fn no_notice_has_aws_asked() {
    let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
    shared.plan(|op| (op == Op::Get).then_some(TierErrorKind::Foreign));
    let live = in_memory(&wire, &clock).tier(shared.clone());
    let live = live.build().unwrap();
    live.load().await.unwrap();
    let heard = heard(&live);
    for round in 1..=3 {
        let changes = [Change::Written(later() + 40 * HOUR), Change::Removed];
        for (told, change) in changes.into_iter().enumerate() {
            shared.tell(&changed(&live, change));
            until(|| heard.load(Ordering::SeqCst) == 2 * round - 1 + told).await;
            settle().await;
        }
        clock.advance(Duration::from_secs(60));
        live.refresh().await.unwrap();
        assert_eq!(wire.stage().requests(), 4 + 4 * round);
    }
    // What is served is renewed when it is due.
    let last = live.snapshot().observed_at();
    clock.advance(30 * HOUR);
    live.load().await.unwrap();
    until(|| live.snapshot().observed_at() > last).await;
}

/// A catalog that others stored before is better than none, and no answer to who is to ask whatever the
/// cache has.
#[tokio::test]
async fn what_is_told_does_not_put_off_what_is_forced() {
    let (clock, shared) = (clock(), FaultyTier::new("shared"));
    let other = in_memory(&wire(), &clock).tier(shared.clone());
    other.build().unwrap().load().await.unwrap();
    clock.advance(20 * HOUR);
    // It cannot be read at first, and AWS gives nothing the first time.
    shared.plan(|op| (op == Op::Get).then_some(TierErrorKind::Unavailable));
    let once = Rule::new(Fault::access_denied()).operation(Operation::Models);
    let wire = Memory::new(stage().rule(once.requests(1..=1)));
    let live = in_memory(&wire, &clock).tier(shared.clone());
    let live = live.force_refresh(true).build().unwrap();
    assert_eq!(live.load().await.unwrap().source().as_str(), "bundle");
    shared.plan(|_| None);
    clock.advance(Duration::from_secs(45));
    shared.tell(&changed(&live, Change::Written(later() + DAY)));
    until(|| live.status().source == "cache").await;
    clock.advance(Duration::from_secs(70));
    live.load().await.unwrap();
    until(|| live.status().source == "api").await;
}
