//! The order of writes by several processes: a holder that lost its lease replaces nothing newer, and a
//! removed value does not come back.

use std::time::Duration;

use bedrock_catalog_cache::{
    Acquired, Clock, Entry, FencingToken, LeaseGuard, ManualClock, Pattern, RedisTier, Tier,
    TierErrorKind, Written,
};
use bedrock_catalog_test_support::count;
use bedrock_catalog_test_support::redis_server::{RedisCluster, RedisServer, wait_until};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::support::*;

fn lease(tier: &RedisTier) -> Option<(LeaseGuard, FencingToken)> {
    let coordinator = tier.coordinator().unwrap();
    match coordinator.try_lease(&ns(), &key(1), HOUR, NONE).unwrap() {
        Acquired::Held(guard) => {
            let token = guard.token().unwrap();
            Some((guard, token))
        }
        Acquired::Busy => None,
    }
}

fn put_if_current(tier: &RedisTier, entry: &Entry, token: FencingToken) -> Written {
    let coordinator = tier.coordinator().unwrap();
    coordinator.put_if_current(entry, token, NONE).unwrap()
}

fn lease_name() -> String {
    format!("{}:lease", name(&key(1)))
}

fn fence_name() -> String {
    format!("{}:fence", name(&key(1)))
}

fn expire_lease(server: &RedisServer) {
    server.command(&["DEL", &lease_name()]);
}

#[test]
fn a_holder_that_lost_its_lease_replaces_nothing_newer() {
    let Some(server) = server() else { return };
    // By the times of the entries, the first process wrote later.
    let (ahead, right) = (clock(), clock());
    ahead.advance(Duration::from_secs(120));
    let (one, other) = (tier(&server.url(), &ahead), tier(&server.url(), &right));
    let (first, old) = lease(&one).unwrap();
    assert!(lease(&other).is_none(), "two leases at once");
    expire_lease(&server);
    let (second, new) = lease(&other).unwrap();
    assert!(new > old);
    let newer = entry(&key(1), "newer", &right);
    assert!(matches!(
        put_if_current(&other, &newer, new),
        Written::Stored { .. }
    ));
    let written = put_if_current(&one, &entry(&key(1), "older", &ahead), old);
    assert!(
        matches!(&written, Written::Superseded(by) if *by == newer),
        "{written:?}"
    );
    assert_eq!(text(&one, &key(1)).as_deref(), Some("newer"));
    // The late release leaves the other's lease alone.
    drop(first);
    assert!(lease(&one).is_none());
    drop(second);
    assert!(lease(&one).is_some());
}

#[test]
fn a_lease_that_is_granted_too_late_is_released() {
    let Some(server) = server() else { return };
    let clock = clock();
    let one = default_tier(&server.url(), &clock);
    let other = tier(&server.url(), &clock);
    assert_eq!(text(&one, &key(1)), None);
    server.suspend();
    let late = one.coordinator().unwrap();
    let error = late.try_lease(&ns(), &key(1), HOUR, NONE).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Timeout, "{error}");
    server.resume();
    wait_until("the lease is free", SOON, || lease(&other).is_some());
    // Twice: the late grant may come between.
    wait_until("the lease stays free", SOON, || lease(&other).is_some());
}

#[test]
fn a_removed_value_does_not_come_back() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    for pattern in [
        Pattern::exact(&key(1)),
        Pattern::under(["things"]),
        Pattern::glob("*:1"),
        Pattern::all(),
    ] {
        let (guard, token) = lease(&tier).unwrap();
        tier.remove(&ns(), &pattern, NONE).unwrap();
        let written = put_if_current(&tier, &entry(&key(1), "old", &clock), token);
        assert!(
            matches!(written, Written::Removed),
            "{pattern}: {written:?}"
        );
        assert_eq!(text(&tier, &key(1)), None);
        drop(guard);
        let (_guard, token) = lease(&tier).unwrap();
        let written = put_if_current(&tier, &entry(&key(1), "new", &clock), token);
        assert!(matches!(written, Written::Stored { .. }), "{pattern}");
        assert_eq!(text(&tier, &key(1)).as_deref(), Some("new"));
        // The next pattern finds no entry, only the lease.
        server.command(&["DEL", &name(&key(1))]);
    }
}

/// An entry that was written without a lease is newer than one whose computation began before.
#[test]
fn a_write_without_a_lease_supersedes_a_running_computation() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let (_guard, token) = lease(&tier).unwrap();
    let newer = entry(&key(1), "newer", &clock);
    put(&tier, &newer);
    clock.advance(Duration::from_secs(1));
    let written = put_if_current(&tier, &entry(&key(1), "older", &clock), token);
    assert!(
        matches!(&written, Written::Superseded(by) if *by == newer),
        "{written:?}"
    );
}

#[test]
fn without_the_tokens_the_times_decide() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let (_guard, token) = lease(&tier).unwrap();
    let older = entry(&key(1), "older", &clock);
    clock.advance(Duration::from_secs(1));
    let newer = entry(&key(1), "newer", &clock);
    put(&tier, &newer);
    // Evicted, or lost in a restart.
    server.command(&["DEL", &fence_name()]);
    let written = put_if_current(&tier, &older, token);
    assert!(
        matches!(&written, Written::Superseded(by) if *by == newer),
        "{written:?}"
    );
}

#[test]
fn a_removal_keeps_no_tokens_alive() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let exact = Pattern::exact(&key(1));
    assert_eq!(tier.remove(&ns(), &exact, NONE).unwrap(), 0);
    assert_eq!(
        server.command(&["EXISTS", &fence_name()]),
        redis::Value::Int(0)
    );
    drop(lease(&tier));
    server.command(&["PEXPIRE", &fence_name(), "5000"]);
    tier.remove(&ns(), &exact, NONE).unwrap();
    let left = server.command(&["PTTL", &fence_name()]);
    assert!(matches!(left, redis::Value::Int(1..=5000)), "{left:?}");
}

#[test]
fn a_time_far_in_the_future_is_replaced() {
    let Some(server) = server() else { return };
    let clock = clock();
    let tier = tier(&server.url(), &clock);
    let first = entry(&key(1), "first", &clock);
    clock.advance(24 * HOUR);
    put(&tier, &entry(&key(1), "ahead", &clock));
    clock.set(clock.now() - 24 * HOUR);
    put(&tier, &first);
    assert_eq!(text(&tier, &key(1)).as_deref(), Some("first"));
}

/// A step of one process in the model.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Acquires the lease if it is free, and begins to compute.
    Lead,
    /// Stores the computed value, which is as old as its beginning, and releases the lease.
    Store,
    /// Forgets the computation; the lease expires.
    Die,
    /// Removes the entry.
    Remove,
    /// Stores a value of this moment without a lease.
    Put,
    /// The lease expires.
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        6 => Just(Step::Lead),
        6 => Just(Step::Store),
        1 => Just(Step::Die),
        1 => Just(Step::Remove),
        1 => Just(Step::Put),
        4 => Just(Step::Expire),
    ];
    proptest::collection::vec((0..3_usize, step), 4..20)
}

/// A running computation: its beginning, its token, its lease.
type Work = (u64, FencingToken, LeaseGuard);

/// Three processes with one clock. An entry contains the time of its observation, which never goes back and
/// is never before a removal.
fn play(
    command: &dyn Fn(&[&str]),
    tiers: &[RedisTier],
    clock: &ManualClock,
    steps: &[(usize, Step)],
    with_tokens: bool,
) -> Result<(), TestCaseError> {
    command(&["FLUSHALL"]);
    let mut working: Vec<Option<Work>> = vec![None, None, None];
    let mut least = 0;
    for (now, (process, step)) in (1_u64..).zip(steps) {
        let tier = &tiers[*process];
        clock.advance(Duration::from_millis(1));
        match step {
            Step::Lead => {
                if let Some((guard, token)) = lease(tier) {
                    working[*process] = Some((now, token, guard));
                }
            }
            Step::Store => {
                if let Some((observed, token, guard)) = working[*process].take() {
                    let entry = entry(&key(1), observed.to_string(), clock);
                    if with_tokens {
                        put_if_current(tier, &entry, token);
                    } else {
                        tier.put(&entry, NONE).unwrap();
                    }
                    drop(guard);
                }
            }
            Step::Die => {
                if let Some((_, _, guard)) = working[*process].take() {
                    std::mem::forget(guard);
                    command(&["DEL", &lease_name()]);
                }
            }
            Step::Remove => {
                tier.remove(&ns(), &Pattern::exact(&key(1)), NONE).unwrap();
                least = now;
            }
            Step::Put => {
                put(tier, &entry(&key(1), now.to_string(), clock));
            }
            Step::Expire => command(&["DEL", &lease_name()]),
        }
        if let Some(observed) = text(&tiers[0], &key(1)) {
            let observed: u64 = observed.parse().unwrap();
            prop_assert!(observed >= least, "{observed} after {least}, at {now}");
            least = observed;
        }
    }
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    })
}

fn check(command: &dyn Fn(&[&str]), url: &str, cases: u32, with_tokens: bool) -> bool {
    let clock = clock();
    let tiers: Vec<RedisTier> = (0..3).map(|_| tier(url, &clock)).collect();
    let result = runner(cases).run(&steps(), |steps| {
        play(command, &tiers, &clock, &steps, with_tokens)
    });
    assert!(!with_tokens || result.is_ok(), "{result:?}");
    result.is_ok()
}

/// 10,000 in the long lane.
#[test]
fn in_any_order_nothing_older_replaces_newer() {
    let Some(server) = server() else { return };
    let command = |words: &[&str]| drop(server.command(words));
    let cases = if is_long() { 10_000 } else { 150 };
    check(&command, &server.url(), cases, true);
    let cases = format_args!("{cases} interleavings");
    count("redis, orders of computing and removing", cases);
    let holds = check(&command, &server.url(), 500, false);
    assert!(!holds, "the model does not notice missing tokens");
}

/// The keys of a script are in one slot there.
#[test]
fn in_a_cluster_nothing_older_replaces_newer() {
    let Some(cluster) = RedisCluster::start() else {
        return;
    };
    let command = |words: &[&str]| cluster.command(words);
    let cases = if is_long() { 1_000 } else { 40 };
    check(&command, &cluster.url(), cases, true);
}
