//! A tier that processes share, which does not answer in time who asks: AWS is not asked beside another
//! process for that, nor is anybody kept waiting for a tier that answers nobody.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bedrock_catalog::cache::{Key, Terms, TierErrorKind};
use bedrock_catalog::{LiveCatalog, Snapshot};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};

use crate::stage::*;

fn key() -> Key {
    Key::new("catalog", "get", "all")
}

/// A process, the tier it shares with others, and what one of those does when told: it asked, stores what it
/// got, and gives its lease back or dies with it.
struct Fleet {
    wire: Memory,
    tier: FaultyTier,
    live: LiveCatalog,
    other: Arc<dyn Fn() + Send + Sync>,
    leases: Arc<Mutex<BTreeSet<(bedrock_catalog::cache::Namespace, Key)>>>,
}

impl Fleet {
    /// The other process asks at the beginning, or has not begun to.
    async fn new(asks: bool, dies: bool) -> Self {
        let (clock, wire, tier) = (clock(), wire(), FaultyTier::new("shared"));
        let leases = Arc::new(Mutex::new(BTreeSet::new()));
        tier.share_leases(&leases);
        let build = |tier: &FaultyTier| in_memory(&wire, &clock).tier(tier.clone()).build();
        let elsewhere = build(&FaultyTier::new("elsewhere")).unwrap();
        elsewhere.load().await.unwrap();
        let got = elsewhere.cache().get(&key()).into_hit().unwrap().data;
        wire.stage().forget();
        let (live, stores) = (build(&tier).unwrap(), build(&tier).unwrap().cache().clone());
        let lease = (live.cache().namespace(), key());
        if asks {
            leases.lock().unwrap().insert(lease.clone());
        }
        let held = Arc::clone(&leases);
        let other = Arc::new(move || {
            stores.put(&key(), got.clone(), &Terms::source("api"));
            if !dies {
                held.lock().unwrap().remove(&lease);
            }
        });
        Self {
            wire,
            tier,
            live,
            other,
            leases,
        }
    }

    async fn load(&self) -> (Arc<Snapshot>, u64) {
        let loaded = self.live.load().await.unwrap();
        (loaded, self.wire.stage().requests() as u64)
    }
}

/// It has stored what it got, and was killed before it gave the lease back: nobody waits for that.
#[tokio::test]
async fn what_another_one_got_is_taken_up_without_its_lease() {
    let fleet = Fleet::new(true, true).await;
    let (tier, other) = (fleet.tier.clone(), Arc::clone(&fleet.other));
    fleet.tier.before(move |op| {
        if op == Op::Lease && tier.calls(Op::Lease) == 3 {
            other();
        }
    });
    let (loaded, requests) = fleet.load().await;
    assert_eq!((loaded.source().as_str(), requests), ("cache", 0));
    assert_eq!(fleet.tier.calls(Op::Lease), 3);
    assert_eq!(fleet.leases.lock().unwrap().len(), 1);
}

/// Whichever of the questions is answered too late, whose answer would have been that another one asks, or
/// what it got.
#[tokio::test]
async fn who_is_told_too_late_that_another_one_asks_does_not_ask_beside_it() {
    for asks in [true, false] {
        for late in 1..=12 {
            let fleet = Fleet::new(asks, false).await;
            let (asked, other) = (AtomicU64::new(0), Arc::clone(&fleet.other));
            let is_late = Arc::new(AtomicBool::new(false));
            let will_be = Arc::clone(&is_late);
            fleet.tier.before(move |op| {
                let looks = matches!(op, Op::Get | Op::Lease);
                if looks && asked.fetch_add(1, Ordering::SeqCst) + 1 == late {
                    will_be.store(true, Ordering::SeqCst);
                    other();
                }
            });
            fleet.tier.plan(move |op| {
                let looks = matches!(op, Op::Get | Op::Lease);
                let is_late = looks && is_late.swap(false, Ordering::SeqCst);
                is_late.then_some(TierErrorKind::Timeout)
            });
            let (loaded, requests) = fleet.load().await;
            let source = loaded.source().as_str();
            match requests {
                0 => assert_eq!(source, "cache"),
                // It had the lease, and had looked: the other one does not ask at this time.
                _ => assert!(!asks && late > 4, "{asks}, {late}: {requests} requests"),
            }
        }
    }
}

/// Who has a stale catalog serves it while another one asks, also where that was answered at the second try.
#[tokio::test]
async fn who_was_told_late_serves_a_stale_catalog_meanwhile() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let build = || in_files(&wire, &clock, folder.path());
    build().build().unwrap().load().await.unwrap();
    clock.advance(25 * HOUR);
    let tier = FaultyTier::new("shared");
    let live = build().tier(tier.clone()).build().unwrap();
    let lease = (live.cache().namespace(), key());
    tier.share_leases(&Arc::new(Mutex::new(BTreeSet::from([lease]))));
    let asked = AtomicU64::new(0);
    tier.plan(move |op| {
        let is_first = op == Op::Lease && asked.fetch_add(1, Ordering::SeqCst) == 0;
        is_first.then_some(TierErrorKind::Timeout)
    });
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert_eq!((snapshot.error(), wire.stage().requests()), (None, 4));
    assert_eq!(tier.calls(Op::Lease), 2);
}

/// A tier that answers nobody costs what opens its breaker; one that answers all but who asks, some tries.
#[tokio::test]
async fn a_tier_that_is_always_late_does_not_keep_aws_from_being_asked() {
    let fleet = Fleet::new(false, false).await;
    fleet.tier.fail(TierErrorKind::Timeout);
    let (loaded, requests) = fleet.load().await;
    assert_eq!((loaded.source().as_str(), requests), ("api", 4));
    let statistics = fleet.live.cache().statistics();
    assert_eq!(statistics.tier("shared").unwrap().errors, 5);

    let fleet = Fleet::new(false, false).await;
    let late = |op| (op == Op::Lease).then_some(TierErrorKind::Timeout);
    fleet.tier.plan(late);
    let (loaded, requests) = fleet.load().await;
    assert_eq!((loaded.source().as_str(), requests), ("api", 4));
    assert_eq!(fleet.tier.calls(Op::Lease), 5);
}

/// Where the deadline leaves no time for more, once has to do: AWS is asked, not waited for in vain.
#[tokio::test]
async fn who_has_little_time_asks_beside_the_others_at_once() {
    let (wire, tier) = (wire(), FaultyTier::new("shared"));
    tier.plan(|op| (op == Op::Lease).then_some(TierErrorKind::Timeout));
    let live = in_memory(&wire, &clock()).tier(tier.clone());
    let live = live.deadline(Duration::from_secs(1)).build().unwrap();
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
    assert_eq!(tier.calls(Op::Lease), 1);
}

/// What the cache is waited for is taken from the time to ask AWS: regions that never answer do not take what
/// the others answered with them.
#[tokio::test(start_paused = true)]
async fn who_waited_for_the_cache_asks_in_what_is_left_of_the_time() {
    let looks = (2..=4).map(|nth| (5, Op::Get, nth, Duration::from_millis(450)));
    let late = (30, Op::Lease, 1, Duration::from_secs(14));
    for (deadline, held, nth, time) in looks.chain([late]) {
        let silent = Rule::new(Fault::Silence(0)).region("eu-west-1");
        let (wire, tier) = (Memory::new(stage().rule(silent)), FaultyTier::new("shared"));
        let (holds, mut is_held) = tokio::sync::mpsc::unbounded_channel();
        let (go_on, goes_on) = std::sync::mpsc::channel();
        let (goes_on, calls) = (Mutex::new(goes_on), tier.clone());
        tier.before(move |op| {
            if op == held && calls.calls(op) == nth {
                holds.send(()).unwrap();
                goes_on.lock().unwrap().recv().unwrap();
            }
        });
        let mut first = true;
        tier.plan(move |op| {
            let is_late = op == Op::Lease && held == op && std::mem::take(&mut first);
            is_late.then_some(TierErrorKind::Timeout)
        });
        let live = in_memory(&wire, &clock()).tier(tier);
        let live = live
            .deadline(Duration::from_secs(deadline))
            .build()
            .unwrap();
        // Time stands still while this waits.
        let (moves, stands) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || stands.recv());
        let load = tokio::spawn(async move { live.load().await });
        is_held.recv().await.unwrap();
        assert_eq!(wire.stage().requests(), 0, "{held:?} {nth}");
        tokio::time::advance(time).await;
        go_on.send(()).unwrap();
        while wire.stage().requests() < 4 {
            tokio::task::yield_now().await;
        }
        drop(moves);
        let loaded = load.await.unwrap().unwrap();
        assert_eq!(loaded.source().as_str(), "api", "{held:?} {nth}");
        assert_eq!(loaded.failed_regions().len(), 1);
    }
}
