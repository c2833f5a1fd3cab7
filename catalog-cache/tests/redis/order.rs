//! The order between processes: who lost its lease, or whose clock is wrong, overwrites nothing newer,
//! and nothing removed comes back.

use std::time::Duration;

use bedrock_catalog_cache::tier::redis::RedisTier;
use bedrock_catalog_cache::tier::{Lease, LeaseOutcome};
use bedrock_catalog_cache::{Begun, Clock, ManualClock, Pattern, Tier};
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::stage::*;

fn begun(token: Option<u64>, clock: &ManualClock) -> Begun {
    Begun {
        token,
        at: clock.now(),
    }
}

fn lease(tier: &RedisTier) -> Option<(Lease, u64)> {
    match tier
        .try_lease(&ns(), &key(1), Duration::ZERO, HOUR)
        .unwrap()
    {
        LeaseOutcome::Held(lease) => {
            let token = lease.token().unwrap();
            Some((lease, token))
        }
        LeaseOutcome::Busy => None,
        other => panic!("{other:?}"),
    }
}

fn lose_the_lease(server: &RedisServer) {
    server.tell(&["DEL", &the_lease()]);
}

fn the_lease() -> String {
    format!("{}:lease", name(&key(1)))
}

fn fence(n: u32) -> String {
    format!("{}:fence", name(&key(n)))
}

#[test]
fn a_counter_that_was_evicted_leaves_the_order_to_the_clocks() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (tier(&server.url(), &clock), tier(&server.url(), &clock));
    let early = begun(one.begin(&ns(), &key(1)).unwrap(), &clock);
    clock.advance(Duration::from_secs(1));
    let newer = entry(&key(1), "newer", &clock);
    other.put(&newer).unwrap();
    server.tell(&["DEL", &fence(1)]);
    // Written later, and yet the older.
    clock.advance(Duration::from_secs(1));
    let older = entry(&key(1), "older", &clock);
    let receipt = one.put_begun(&older, &early).unwrap();
    assert_eq!(receipt.superseded_by, Some(newer));
}

#[test]
fn removing_what_is_not_there_keeps_no_counter() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    assert!(!tier.remove(&ns(), &key(2)).unwrap());
    let there = server.tell(&["EXISTS", &fence(2)]);
    assert!(matches!(there, redis::Value::Int(0)), "{there:?}");
    let early = begun(tier.begin(&ns(), &key(1)).unwrap(), &clock);
    server.tell(&["PEXPIRE", &fence(1), "5000"]);
    assert!(!tier.remove(&ns(), &key(1)).unwrap());
    let left = server.tell(&["PTTL", &fence(1)]);
    assert!(matches!(left, redis::Value::Int(1..=5000)), "{left:?}");
    // Who computed meanwhile is told all the same.
    let receipt = tier.put_begun(&entry(&key(1), "old", &clock), &early);
    assert!(receipt.unwrap().removed_since);
}

#[test]
fn who_lost_its_lease_does_not_overwrite_who_took_it() {
    let Some(server) = server() else { return };
    // The first process's clock is ahead: by the times its data would be the newer.
    let (ahead, right) = (clock(), clock());
    ahead.advance(Duration::from_secs(120));
    let (one, other) = (tier(&server.url(), &ahead), tier(&server.url(), &right));
    let (_first, old) = lease(&one).unwrap();
    assert!(lease(&other).is_none(), "two leases at once");
    lose_the_lease(&server);
    let (second, new) = lease(&other).unwrap();
    assert!(new > old);
    let newer = entry(&key(1), "newer", &right);
    other.put_begun(&newer, &begun(Some(new), &right)).unwrap();
    let older = entry(&key(1), "older", &ahead);
    let receipt = one.put_begun(&older, &begun(Some(old), &ahead)).unwrap();
    assert_eq!(receipt.superseded_by, Some(newer));
    assert_eq!(text(&one, &key(1)).as_deref(), Some("newer"));
    // Nor does giving back what is lost take it from who has it.
    drop(_first);
    assert!(lease(&one).is_none());
    drop(second);
    assert!(lease(&one).is_some());
}

#[test]
fn what_was_removed_while_it_was_computed_does_not_come_back() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    for remove in [
        (|tier| {
            tier.remove(&ns(), &key(1)).unwrap();
        }) as fn(&RedisTier),
        |tier| {
            tier.invalidate(&ns(), &Pattern::under(["things"])).unwrap();
        },
        |tier| {
            tier.clear(&ns()).unwrap();
        },
    ] {
        let numbered = begun(tier.begin(&ns(), &key(1)).unwrap(), &clock);
        remove(&tier);
        let receipt = tier
            .put_begun(&entry(&key(1), "old", &clock), &numbered)
            .unwrap();
        assert!(receipt.removed_since);
        assert_eq!(text(&tier, &key(1)), None);
        // Nor by the clock alone.
        let by_clock = begun(None, &clock);
        let receipt = tier
            .put_begun(&entry(&key(1), "old", &clock), &by_clock)
            .unwrap();
        assert!(receipt.removed_since);
        let number = tier.begin(&ns(), &key(1)).unwrap();
        let receipt = tier
            .put_begun(&entry(&key(1), "new", &clock), &begun(number, &clock))
            .unwrap();
        assert!(!receipt.removed_since && receipt.superseded_by.is_none());
        assert_eq!(text(&tier, &key(1)).as_deref(), Some("new"));
    }
}

#[test]
fn what_was_written_later_stays_but_not_what_a_wrong_clock_wrote() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let first = entry(&key(1), "first", &clock);
    clock.advance(Duration::from_secs(10));
    let later = entry(&key(1), "later", &clock);
    tier.put(&later).unwrap();
    assert_eq!(tier.put(&first).unwrap().superseded_by, Some(later.clone()));
    let receipts = tier.put_many(&[first.clone(), later.clone()]);
    assert_eq!(receipts[0].as_ref().unwrap().superseded_by, Some(later));
    assert!(receipts[1].as_ref().unwrap().superseded_by.is_none());
    // From a day ahead: such a time is no argument.
    clock.advance(24 * HOUR);
    let ahead = entry(&key(1), "ahead", &clock);
    tier.put(&ahead).unwrap();
    clock.set(clock.now() - 24 * HOUR);
    assert!(tier.put(&first).unwrap().superseded_by.is_none());
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("first"));
    // What cannot be read does not stay either, whatever time it shows.
    let damaged = format!(
        "{{\"written_at\":{},\"keep_for\":999999999}}\n",
        u64::MAX >> 12
    );
    server.tell(&["SET", &name(&key(1)), &damaged]);
    clock.set(std::time::UNIX_EPOCH + Duration::from_millis(u64::MAX >> 12));
    assert!(tier.put(&first).unwrap().superseded_by.is_none());
    assert!(tier.get(&ns(), &key(1)).unwrap().is_some());
}

#[test]
fn numbers_grow_though_the_counter_is_lost() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let mut last = 0;
    for round in 0..50 {
        let number = tier.begin(&ns(), &key(1)).unwrap().unwrap();
        assert!(number > last);
        last = number;
        if round % 10 == 9 {
            server.tell(&["FLUSHALL"]);
        }
    }
}

#[test]
fn the_memory_above_follows_what_redis_keeps() {
    let Some(server) = server() else { return };
    let clock = clock();
    let (one, other) = (cache(&server.url(), &clock), cache(&server.url(), &clock));
    let answer = one.get_or_compute(&key(1), &terms(), || {
        lose_the_lease(&server);
        let computed = other.get_or_compute(&key(1), &terms(), || Ok::<_, String>("newer".into()));
        assert!(computed.unwrap().is_fresh());
        Ok::<_, String>("older".into())
    });
    assert_eq!(answer.unwrap().into_hit().unwrap().data.as_ref(), b"older");
    assert_eq!(cached(&one, &key(1)).as_deref(), Some("newer"));
    assert_eq!(cached(&other, &key(1)).as_deref(), Some("newer"));
    // The same for what was fetched on one's own, and for what was removed meanwhile.
    let watched = one.watch_shared(&key(2));
    other.put(&key(2), "newer", &terms());
    let _ = one.put_unless_overtaken(&watched, "older", &terms());
    assert_eq!(cached(&one, &key(2)).as_deref(), Some("newer"));
    let watched = one.watch_shared(&key(3));
    other.remove(&key(3));
    let _ = one.put_unless_overtaken(&watched, "removed", &terms());
    assert_eq!(cached(&one, &key(3)), None);
    assert_eq!(cached(&other, &key(3)), None);
}

/// What a process of the model does next.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Takes the lease, if it is free, and begins.
    Lead,
    /// Begins without a lease, as a refresh that was asked for does.
    Begin,
    /// Stores what it has, which is as old as its beginning, and gives the lease back.
    Store,
    /// Forgets what it does; its lease runs out.
    Die,
    /// Removes the entry.
    Remove,
    /// Stores what it knows at this moment.
    Put,
    /// The lease runs out.
    LoseLease,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        4 => Just(Step::Lead),
        3 => Just(Step::Begin),
        6 => Just(Step::Store),
        1 => Just(Step::Die),
        1 => Just(Step::Remove),
        1 => Just(Step::Put),
        3 => Just(Step::LoseLease),
    ];
    proptest::collection::vec((0..3_usize, step), 4..20)
}

/// What a process is at: when it observed, its number, its lease.
type Work = (u64, Option<u64>, Option<Lease>);

/// Three processes, whose clocks differ by minutes, in an order that is not theirs. What is stored says
/// when it was observed: it never goes back, and is never from before a removal.
fn play(
    tell: &dyn Fn(&[&str]),
    processes: &[(RedisTier, ManualClock)],
    steps: &[(usize, Step)],
    fenced: bool,
) -> Result<(), TestCaseError> {
    tell(&["FLUSHALL"]);
    let mut working: Vec<Option<Work>> = vec![None, None, None];
    let mut least = 0;
    for (now, (who, step)) in (1_u64..).zip(steps) {
        let (tier, clock) = &processes[*who];
        clock.advance(Duration::from_millis(1));
        match step {
            Step::Lead => {
                if let Some((lease, token)) = lease(tier) {
                    working[*who] = Some((now, Some(token), Some(lease)));
                }
            }
            Step::Begin => {
                let token = tier.begin(&ns(), &key(1)).unwrap();
                working[*who] = Some((now, token, None));
            }
            Step::Store => {
                if let Some((observed, token, lease)) = working[*who].take() {
                    let entry = entry(&key(1), observed.to_string(), clock);
                    let stored = match fenced {
                        true => tier.put_begun(&entry, &begun(token, clock)),
                        false => tier.put(&entry),
                    };
                    stored.unwrap();
                    drop(lease);
                }
            }
            Step::Die => {
                if let Some((_, _, Some(lease))) = working[*who].take() {
                    std::mem::forget(lease);
                    tell(&["DEL", &the_lease()]);
                }
            }
            Step::Remove => {
                tier.remove(&ns(), &key(1)).unwrap();
                least = now;
            }
            Step::Put => {
                // Whose clock is behind may not get it in; who gets it in has the last word.
                tier.put(&entry(&key(1), now.to_string(), clock)).unwrap();
            }
            Step::LoseLease => tell(&["DEL", &the_lease()]),
        }
        if let Some(observed) = text(&processes[0].0, &key(1)) {
            let observed: u64 = observed.parse().unwrap();
            prop_assert!(observed >= least, "{observed} after {least}, at {now}");
            least = observed;
        }
    }
    Ok(())
}

fn processes(url: &str) -> Vec<(RedisTier, ManualClock)> {
    [0, 60, 200]
        .map(|ahead| {
            let clock = clock();
            clock.advance(Duration::from_secs(ahead));
            (tier(url, &clock), clock)
        })
        .into()
}

/// 10,000 in the long lane.
#[test]
fn in_any_order_nothing_older_replaces_newer() {
    let Some(server) = server() else { return };
    let processes = processes(&server.url());
    let tell = |words: &[&str]| drop(server.tell(words));
    let cases = if is_long() { 10_000 } else { 150 };
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&steps(), |steps| play(&tell, &processes, &steps, true))
        .unwrap();
    count(
        "redis, orders of computing and removing",
        format_args!("{cases} interleavings"),
    );
}

/// A number, a lease and an entry are of one slot there, and the scripts run where it is.
#[test]
fn nor_does_it_in_a_cluster() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let processes = processes(&cluster.url());
    let tell = |words: &[&str]| cluster.tell(words);
    let config = Config {
        cases: if is_long() { 1_000 } else { 40 },
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&steps(), |steps| play(&tell, &processes, &steps, true))
        .unwrap();
}

/// The same model finds it where the numbers are left out.
#[test]
fn without_the_numbers_the_model_notices() {
    let Some(server) = server() else { return };
    let processes = processes(&server.url());
    let tell = |words: &[&str]| drop(server.tell(words));
    let config = Config {
        cases: 500,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..Config::default()
    };
    let played =
        TestRunner::new(config).run(&steps(), |steps| play(&tell, &processes, &steps, false));
    assert!(played.is_err(), "the model notices nothing");
}
