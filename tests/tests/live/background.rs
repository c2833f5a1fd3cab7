//! Background work: one renewal at a time, until the last handle is dropped.

use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::{CatalogErrorKind, LiveCatalog};
use bedrock_catalog_test_support::Op;
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule};

use crate::stage::*;

/// Moves both clocks.
async fn pass(clock: &ManualClock, time: Duration) {
    clock.advance(time);
    tokio::time::advance(time).await;
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_catalog_renews_itself_between_24_and_27_hours() {
    let (clock, wire) = (clock(), wire());
    let live = in_memory(&wire, &clock).build().unwrap();
    let first = live.load().await.unwrap();
    pass(&clock, 24 * HOUR - Duration::from_secs(1)).await;
    assert_eq!(wire.stage().requests(), 4);
    for _ in 0..5 {
        pass(&clock, HOUR / 2).await;
    }
    assert_eq!(wire.stage().requests(), 8, "without a call");
    let second = live.snapshot();
    assert!(second.observed_at() > first.observed_at());
    assert_eq!(second.source().as_str(), "api");
    for _ in 0..54 {
        pass(&clock, HOUR / 2).await;
    }
    assert_eq!(wire.stage().requests(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_does_not_renew_in_step() {
    let clock = clock();
    let mut moments = std::collections::BTreeSet::new();
    let mut fleet = Vec::new();
    for _ in 0..8 {
        let wire = wire();
        let live = in_memory(&wire, &clock).build().unwrap();
        live.load().await.unwrap();
        fleet.push((wire, live, None));
    }
    pass(&clock, 24 * HOUR).await;
    for minute in 0..150 {
        for (wire, _, at) in &mut fleet {
            if at.is_none() && wire.stage().requests() > 4 {
                *at = Some(minute);
            }
        }
        pass(&clock, Duration::from_secs(60)).await;
    }
    moments.extend(
        fleet
            .iter()
            .map(|(_, _, at)| at.expect("renewed within a tenth")),
    );
    assert!(moments.len() >= 3, "{moments:?}");
}

#[tokio::test(start_paused = true)]
async fn stale_is_served_while_one_renewal_is_under_way() {
    let clock = clock();
    let slow = Rule::new(Fault::Latency(Duration::from_secs(5))).requests(2..=u64::MAX);
    let wire = Memory::new(stage().rule(slow));
    let live = in_memory(&wire, &clock).build().unwrap();
    let first = live.load().await.unwrap();
    // As after a freeze: the clocks moved, and no task ran.
    clock.advance(30 * HOUR);
    for _ in 0..1000 {
        let served = live.load().await.unwrap();
        assert_eq!(served.observed_at(), first.observed_at(), "no caller waits");
    }
    settle().await;
    assert_eq!(wire.stage().requests(), 8, "one renewal for all");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(live.snapshot().observed_at() > first.observed_at());
}

/// The steady clock stands still while a machine sleeps.
#[tokio::test(start_paused = true)]
async fn a_sleep_that_only_the_wall_clock_counts_is_noticed() {
    let (clock, wire) = (clock(), wire());
    let live = in_memory(&wire, &clock).build().unwrap();
    let first = live.load().await.unwrap();
    clock.set(later() + 30 * HOUR);
    live.load().await.unwrap();
    settle().await;
    assert!(live.snapshot().observed_at() > first.observed_at());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_keeps_what_is_served_and_is_tried_again() {
    let clock = clock();
    let failing = Rule::new(Fault::access_denied())
        .operation(Operation::Models)
        .requests(2..=2);
    let wire = Memory::new(stage().rule(failing));
    let live = in_memory(&wire, &clock).build().unwrap();
    let first = live.load().await.unwrap();
    pass(&clock, 27 * HOUR).await;
    let kept = live.snapshot();
    assert_eq!(kept.observed_at(), first.observed_at());
    assert!(
        kept.error().unwrap().contains("denied"),
        "{:?}",
        kept.error()
    );
    let requests = wire.stage().requests();
    pass(&clock, Duration::from_secs(30)).await;
    assert_eq!(wire.stage().requests(), requests, "not at once");
    pass(&clock, Duration::from_secs(60)).await;
    assert!(live.snapshot().observed_at() > first.observed_at());
    assert!(!live.is_degraded());
}

/// The task sleeps until the next day when the refresh fails.
#[tokio::test(start_paused = true)]
async fn after_a_refresh_that_failed_the_task_fetches_within_minutes() {
    let clock = clock();
    let failing = Rule::new(Fault::access_denied())
        .operation(Operation::Models)
        .requests(2..=2);
    let wire = Memory::new(stage().rule(failing));
    let live = in_memory(&wire, &clock).build().unwrap();
    let first = live.load().await.unwrap();
    pass(&clock, HOUR).await;
    live.refresh().await.unwrap_err();
    settle().await;
    pass(&clock, Duration::from_secs(70)).await;
    assert!(live.snapshot().observed_at() > first.observed_at());
    assert!(!live.is_degraded());
}

/// A tier that hangs delays a renewal and a refresh to their deadlines at most.
#[tokio::test]
async fn a_renewal_ends_though_a_tier_hangs() {
    let failing = Rule::new(Fault::server_error()).region("us-east-1");
    let (clock, wire) = (clock(), Memory::new(stage().rule(failing)));
    let (tier, gate) = Gate::of(Op::Get);
    let live = in_memory(&wire, &clock).tier(tier);
    let live = live.deadline(Duration::from_secs(1)).build().unwrap();
    assert_eq!(live.load().await.unwrap().failed_regions().len(), 1);
    gate.open(false);
    clock.advance(Duration::from_secs(70));
    // The failed region is retried.
    live.load().await.unwrap();
    until(|| gate.waiting() > 0).await;
    let refreshed = tokio::time::timeout(Duration::from_secs(10), live.refresh());
    let ended = refreshed.await;
    gate.open(true);
    let _ = ended.expect("it ends");
}

/// A refresh that waits for another caller's ends by its own deadline.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_waits_ends_by_its_own_deadline() {
    let wire = Memory::new(stage().rule(Rule::new(Fault::Hang).requests(2..=u64::MAX)));
    let live = in_memory(&wire, &clock());
    let live = live.deadline(Duration::from_secs(2)).build().unwrap();
    live.load().await.unwrap();
    let (other, running) = (live.clone(), wire.stage().requests());
    tokio::spawn(async move { other.refresh().await });
    settle().await;
    assert!(wire.stage().requests() > running, "one is fetching");
    tokio::time::advance(Duration::from_millis(500)).await;
    let begun = tokio::time::Instant::now();
    let error = live.refresh().await.unwrap_err();
    let took = begun.elapsed();
    assert!(took <= Duration::from_millis(2_200), "{took:?}");
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
    let why = error.to_string();
    assert!(why.contains("within the deadline"), "{why}");
    assert_eq!(live.status().error, Some(why));
}

/// The number of cleanup threads of this process.
#[cfg(target_os = "linux")]
fn cleaners() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("cache-cleanup"))
        .count()
}

/// Runs in a process of its own, which has no other test's threads.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn cleaning() {
    if std::env::var_os("COUNT_CLEANERS").is_none() {
        return;
    }
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    let without = in_memory(&wire, &clock).build().unwrap();
    assert_eq!(cleaners(), 0, "building starts nothing");
    without.load().await.unwrap();
    assert_eq!(cleaners(), 0, "a memory tier needs no thread");
    for _ in 0..3 {
        live.load().await.unwrap();
        live.refresh().await.unwrap();
    }
    let clone = live.clone();
    drop(live);
    assert_eq!(cleaners(), 1, "one, as long as there is a handle");
    drop(clone);
    for _ in 0..5_000 {
        if cleaners() == 0 {
            println!("cleaned up");
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the thread outlives the catalog");
}

#[cfg(target_os = "linux")]
#[test]
fn one_thread_cleans_files_up_as_long_as_there_is_a_handle() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["background::cleaning", "--exact", "--nocapture"])
        .env("COUNT_CLEANERS", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("cleaned up"),
        "{said}"
    );
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_stops_the_background_task() {
    let clock = clock();
    let hang = Rule::new(Fault::Hang).requests(2..=u64::MAX);
    let wire = Memory::new(stage().rule(hang));
    for working in [false, true] {
        wire.stage().forget();
        let live = in_memory(&wire, &clock).build().unwrap();
        let (clone, mut reader, changes) = (live.clone(), live.reader(), live.subscribe());
        let discovery = live.discovery();
        live.load().await.unwrap();
        if working {
            clock.advance(30 * HOUR);
            live.load().await.unwrap();
            settle().await;
            assert!(wire.stage().open() > 0, "a renewal is under way");
        }
        drop((live, clone));
        settle().await;
        assert!(tasks() > 0, "a discovery is a handle too");
        let served = reader.snapshot().clone();
        drop(discovery);
        settle().await;
        assert_eq!(tasks(), 0, "working: {working}");
        assert_eq!(wire.stage().open(), 0);
        // Snapshots and readers outlive the handle.
        assert_eq!(served.source().as_str(), "api");
        assert_eq!(reader.snapshot().models().count(), served.models().count());
        while changes.next().await.is_some() {}
        let weak = Arc::downgrade(&served);
        drop((served, reader));
        assert!(weak.upgrade().is_none(), "no other holder");
    }
}

/// A catalog is built without a runtime, and loaded on runtimes that come and go.
#[test]
fn build_does_no_work() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, overlay) = (
        folder.path().join("cache"),
        folder.path().join("overlay.json"),
    );
    let (clock, wire) = (clock(), wire());
    let live = in_files(&wire, &clock, &cache)
        .overlay_file(&overlay)
        .build()
        .unwrap();
    assert_eq!(live.snapshot().source().as_str(), "bundle");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    assert_eq!(wire.stage().requests(), 0);
    // Each load has a runtime of its own, which ends with it.
    for expected in ["api", "api"] {
        let live = live.clone();
        let loaded = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let snapshot = runtime.unwrap().block_on(live.load()).unwrap();
            snapshot.source().as_str()
        });
        assert_eq!(loaded.join().unwrap(), expected);
    }
    // The background task ended with its runtime; the next load starts another.
    clock.advance(30 * HOUR);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let before = live.load().await.unwrap().observed_at();
        let changed = live.subscribe();
        for _ in 0..1000 {
            tokio::task::yield_now().await;
            if live.snapshot().observed_at() > before {
                break;
            }
            tokio::time::timeout(Duration::from_millis(10), changed.next())
                .await
                .ok();
        }
        assert!(live.snapshot().observed_at() > before);
    });
}

#[test]
fn a_load_outside_of_tokio_serves_the_bundle() {
    use std::task::{Context, Poll, Waker};
    let live = in_memory(&wire(), &clock()).build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let live = &live;
    let Poll::Ready(loaded) = Box::pin(live.load()).as_mut().poll(&mut context) else {
        panic!("a load outside of Tokio waits");
    };
    let snapshot = loaded.unwrap();
    assert_eq!(snapshot.source().as_str(), "bundle");
    assert!(
        snapshot.error().unwrap().contains("Tokio"),
        "{:?}",
        snapshot.error()
    );
}

#[tokio::test]
async fn subscribers_are_notified_of_changes_only() {
    let (clock, wire) = (clock(), wire());
    let live = in_memory(&wire, &clock).build().unwrap();
    let changes = live.subscribe();
    live.load().await.unwrap();
    let change = changes
        .try_next()
        .expect("from the bundle to what AWS says");
    assert_eq!(change.before.source().as_str(), "bundle");
    assert_eq!(change.after.source().as_str(), "api");
    let diff = change.diff();
    assert!(!diff.is_empty());
    clock.advance(HOUR);
    let again = live.refresh().await.unwrap();
    assert_eq!(again.observed_at(), timestamp(later() + HOUR));
    assert!(
        changes.try_next().is_none(),
        "only the time of observation is another"
    );
}

/// A subscriber that does not read keeps the latest sixteen changes, and delays no load.
#[tokio::test]
async fn a_slow_subscriber_keeps_the_latest_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("overlay.json");
    let live = in_memory(&wire(), &clock()).overlay_file(&path);
    let live = live.build().unwrap();
    live.load().await.unwrap();
    let changes = live.subscribe();
    let id = |n: usize| format!("own.model-{}", "x".repeat(n));
    for n in 1..=20 {
        let own = format!(r#"{{"models": [{{"id": "{}"}}]}}"#, id(n));
        std::fs::write(&path, own).unwrap();
        assert!(live.load().await.unwrap().model(id(n)).is_some());
    }
    for n in 5..=20 {
        let change = changes.try_next().expect("one of the latest sixteen");
        assert!(change.before.model(id(n - 1)).is_some(), "{n}");
        assert!(change.after.model(id(n)).is_some(), "{n}");
    }
    assert!(changes.try_next().is_none());
}

#[test]
fn a_live_catalog_is_send_and_sync() {
    fn check<T: Send + Sync + Clone + 'static>() {}
    check::<LiveCatalog>();
}
