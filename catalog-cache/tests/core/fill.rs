use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{Cache, Clock, Key, ManualClock, Namespace, Tier, TierErrorKind};
use bedrock_catalog_test_support::conformance::entry;
use bedrock_catalog_test_support::{FaultyTier, Op};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn every_tier_gets_the_newest_that_any_has_as_it_is() {
    let clock = ManualClock::new();
    let tiers = ["first", "second", "third"].map(FaultyTier::new);
    let namespace = Namespace::of(["fill"]);
    let mut builder = Cache::builder().namespace(namespace).clock(clock.clone());
    for tier in &tiers {
        builder = builder.tier(Arc::new(tier.clone()) as Arc<dyn Tier>);
    }
    let cache = builder.build().unwrap();
    let key = |n: u8| Key::new("fill", "key", &n.to_string());
    let made =
        |n, text: &'static str, age| entry(namespace, &key(n), text, clock.now() - age, HOUR);
    tiers[0].put(&made(1, "older", HOUR / 2)).unwrap();
    tiers[1].put(&made(1, "newer", HOUR / 4)).unwrap();
    tiers[0].put(&made(2, "only here", HOUR / 3)).unwrap();
    tiers[2].put(&made(3, "expired", HOUR * 2)).unwrap();
    assert_eq!(cache.fill(), 4);
    for tier in &tiers {
        let held = |n| {
            tier.get(&namespace, &key(n))
                .unwrap()
                .map(|found| found.entry)
        };
        assert_eq!(held(1), Some(made(1, "newer", HOUR / 4)));
        assert_eq!(held(2), Some(made(2, "only here", HOUR / 3)));
    }
    assert!(tiers[0].get(&namespace, &key(3)).unwrap().is_none());
    assert_eq!(cache.fill(), 0);
    let undone = || {
        cache
            .statistics()
            .tiers
            .iter()
            .map(|t| t.undone)
            .sum::<u64>()
    };
    assert_eq!(undone(), 0);
    // A tier that lacks it and does not take it, or does not say what it has.
    tiers[1].put(&made(4, "only here", HOUR / 3)).unwrap();
    for (op, missed) in [(Op::Put, 1), (Op::Scan, 2)] {
        tiers[2].plan(move |is| (is == op).then_some(TierErrorKind::Unavailable));
        cache.fill();
        assert_eq!(
            (cache.statistics().tiers[2].undone, undone()),
            (missed, missed)
        );
    }
    // What is damaged and made good again is done.
    tiers[2].plan(|op| (op == Op::Get).then_some(TierErrorKind::Corrupt));
    tiers[2].remove(&namespace, &key(4)).unwrap();
    assert!(cache.fill() > 0);
    assert!(tiers[2].holds(&namespace, &key(4)));
    assert_eq!(undone(), 2);
}
