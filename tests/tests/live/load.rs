//! A load: the fresh cached catalog, else AWS's, else the stale cached one, else the bundle.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedrock_catalog::cache::{Cache, FilesOptions, HeldLease, Lease, ManualClock, TierErrorKind};
use bedrock_catalog::{CacheMode, Catalog, CatalogErrorKind, LiveCatalog, Timestamp};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};
use tracing::Level;

use crate::stage::*;

#[tokio::test]
async fn a_fresh_cache_is_used_without_a_request() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let first = in_files(&wire, &clock, folder.path()).build().unwrap();
    assert_eq!(first.load().await.unwrap().source().as_str(), "api");
    let requests = wire.stage().requests();
    assert_eq!(requests, 4, "two regions, two lists");

    clock.advance(23 * HOUR);
    let second = in_files(&wire, &clock, folder.path()).build().unwrap();
    let snapshot = second.load().await.unwrap();
    assert_eq!(wire.stage().requests(), requests);
    let status = second.status();
    assert_eq!(
        (status.source, status.tier.as_deref()),
        ("cache", Some("files"))
    );
    assert!(
        status
            .path
            .is_some_and(|path| path.ends_with("catalog.jsonl"))
    );
    assert_eq!(status.age_seconds, 23 * 3600);
    assert_eq!(status.asked_at, None, "not by this one");
    assert!(!status.degraded, "{:?}", status.error);
    assert_eq!(**snapshot, **first.snapshot());
}

/// A load reads each entry of the cache once before it takes the lease.
#[tokio::test]
async fn a_load_reads_the_cache_once_before_it_fetches() {
    let (clock, wire) = (clock(), wire());
    let tier = FaultyTier::on_clock("counts", clock.clone()).with_leases();
    let live = in_memory(&wire, &clock).tier(tier.clone());
    let live = live.force_refresh(true).build().unwrap();
    let (calls, looks) = (tier.clone(), Arc::new(AtomicU64::new(0)));
    let before = Arc::clone(&looks);
    tier.before(move |op| {
        if op == Op::Lease {
            before.store(calls.calls(Op::Get), Ordering::SeqCst);
        }
    });
    live.load().await.unwrap();
    tier.unhook();
    assert_eq!(
        looks.load(Ordering::SeqCst),
        2,
        "the catalog and its status"
    );
}

#[tokio::test]
async fn a_reader_with_a_shorter_ttl_fetches_sooner() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let writer = in_files(&wire, &clock, folder.path()).build().unwrap();
    writer.load().await.unwrap();
    clock.advance(2 * HOUR);
    let younger = in_files(&wire, &clock, folder.path()).fresh_for(HOUR);
    let snapshot = younger.build().unwrap().load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api");
    assert_eq!(wire.stage().requests(), 8);
    // The reader's own keep for holds too.
    clock.advance(2 * HOUR);
    let offline = in_files(&wire, &clock, folder.path()).offline(true);
    let kept = offline.fresh_for(HOUR).keep_for(HOUR).build().unwrap();
    assert_eq!(kept.load().await.unwrap().source().as_str(), "bundle");
}

/// The lease of the catalog, held by another process.
pub async fn lease_of_another(live: &LiveCatalog, clock: &ManualClock, folder: &Path) -> HeldLease {
    let files = FilesOptions::in_folders([folder]).file_key(catalog_key(), "catalog");
    let cache = Cache::builder().clock(clock.clone()).files(files);
    let cache = cache
        .package_version(live.status().version)
        .build()
        .unwrap();
    let cache = cache.in_namespace(live.cache().await.namespace());
    match cache.lease(&catalog_key(), Duration::ZERO) {
        Lease::Held(lease) => lease,
        other => panic!("{other:?}"),
    }
}

/// A lease that is never released costs half of the deadline, not the catalog.
#[tokio::test]
async fn a_load_with_nothing_to_serve_fetches_beside_another_process_that_does_not_end() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).deadline(Duration::from_secs(6));
    let live = live.build().unwrap();
    let lease = lease_of_another(&live, &clock, folder.path()).await;
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api", "{:?}", snapshot.error());
    assert_eq!((snapshot.error(), wire.stage().requests()), (None, 4));
    drop(lease);
}

/// A cached catalog older than the bundle is nothing to serve while another process fetches.
#[tokio::test]
async fn a_cached_catalog_that_may_not_be_served_is_missing() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).deadline(Duration::from_secs(6));
    let live = live.build().unwrap();
    let before = Catalog::bundled().observed_at().unix() - 1;
    plant(&live, Timestamp::from_unix(before).unwrap()).await;
    clock.advance(25 * HOUR);
    let lease = lease_of_another(&live, &clock, folder.path()).await;
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api", "{:?}", snapshot.error());
    drop(lease);
}

#[tokio::test]
async fn while_another_process_fetches_a_stale_catalog_is_served_and_is_no_error() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = || in_files(&wire, &clock, folder.path()).build().unwrap();
    live().load().await.unwrap();
    clock.advance(25 * HOUR);
    let live = live();
    let lease = lease_of_another(&live, &clock, folder.path()).await;
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert_eq!((snapshot.error(), wire.stage().requests()), (None, 4));
    drop(lease);
}

#[tokio::test]
async fn a_stale_catalog_is_fetched_again_and_served_where_that_fails() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), answers_then_fails(2));
    let load = || in_files(&wire, &clock, folder.path()).build().unwrap();
    load().load().await.unwrap();
    clock.advance(25 * HOUR);
    assert_eq!(load().load().await.unwrap().source().as_str(), "api");
    clock.advance(25 * HOUR);
    let live = load();
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert!(snapshot.is_degraded());
    let status = live.status();
    assert_eq!(
        status.asked_at,
        Some(timestamp(later() + 50 * HOUR)),
        "without success"
    );
    assert_eq!(status.observed_at, timestamp(later() + 25 * HOUR));
    let why = snapshot.error().unwrap();
    assert!(why.contains("denied") && why.contains("eu-west-1"), "{why}");
    assert!(!why.contains("123456789012"), "{why}");
}

#[tokio::test]
async fn the_bundle_is_served_with_one_warning_that_says_its_age() {
    let (clock, wire) = (clock(), answers_then_fails(0));
    let (lines, _guard) = Lines::listen();
    let live = in_memory(&wire, &clock).build().unwrap();
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "bundle");
    assert!(snapshot.is_degraded() && snapshot.error().unwrap().contains("denied"));
    let warnings = lines.at(Level::WARN);
    let bundled: Vec<_> = warnings
        .iter()
        .filter(|line| line.contains("bundled"))
        .collect();
    assert_eq!(bundled.len(), 1, "{warnings:?}");
    assert!(
        bundled[0].contains(&format!("age_seconds={}", 90 * 86_400)),
        "{bundled:?}"
    );
    assert!(
        lines
            .all()
            .iter()
            .all(|line| !line.contains("123456789012"))
    );
}

#[tokio::test]
async fn without_the_bundle_one_error_lists_what_was_tried() {
    let (clock, wire) = (clock(), answers_then_fails(0));
    let live = in_memory(&wire, &clock)
        .bundled_fallback(false)
        .build()
        .unwrap();
    assert_eq!(live.snapshot().source().as_str(), "nothing");
    let error = live.load().await.unwrap_err();
    assert_eq!(error.kind(), CatalogErrorKind::Unavailable);
    let text = error.to_string();
    for part in [
        "cache: nothing usable",
        "AWS: ",
        "eu-west-1, us-east-1 (denied",
        "bundle: switched off",
        "give AWS credentials",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn a_cached_catalog_older_than_the_bundle_is_not_used() {
    let (clock, wire) = (clock(), wire());
    for (observed, why) in [
        (
            Catalog::bundled().observed_at().unix() - 1,
            "before the bundle",
        ),
        (timestamp(later()).unix() + 7200, "in the future"),
    ] {
        let observed = Timestamp::from_unix(observed).unwrap();
        // Fresh by its envelope.
        let live = in_memory(&wire, &clock).build().unwrap();
        plant(&live, observed).await;
        assert_eq!(live.load().await.unwrap().source().as_str(), "api", "{why}");
        // Nor where the fetch fails.
        let refusing = answers_then_fails(0);
        let live = in_memory(&refusing, &clock).build().unwrap();
        plant(&live, observed).await;
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), "bundle");
        assert!(
            snapshot.error().unwrap().contains(why),
            "{:?}",
            snapshot.error()
        );
    }
}

#[tokio::test]
async fn without_the_bundle_an_old_cached_catalog_is_served() {
    let (clock, refusing) = (clock(), answers_then_fails(0));
    let old = Timestamp::from_unix(Catalog::bundled().observed_at().unix() - 86_400).unwrap();
    let live = in_memory(&refusing, &clock)
        .bundled_fallback(false)
        .build()
        .unwrap();
    plant(&live, old).await;
    let snapshot = live.load().await.unwrap();
    assert_eq!(
        (snapshot.source().as_str(), snapshot.observed_at()),
        ("cache", old)
    );
}

/// A tier that stores nothing costs no answer, at a load or a refresh.
#[tokio::test]
async fn what_was_fetched_is_served_though_no_write_worked() {
    let (clock, wire) = (clock(), wire());
    let tier = FaultyTier::on_clock("full", clock.clone()).with_leases();
    tier.plan(|op| matches!(op, Op::Put | Op::Lease).then_some(TierErrorKind::Full));
    let live = in_memory(&wire, &clock).cache_mode(CacheMode::None);
    let live = live.tier(tier).build().unwrap();
    let loaded = live.load().await.unwrap();
    assert_eq!((loaded.source().as_str(), loaded.error()), ("api", None));
    clock.advance(HOUR);
    let refreshed = live.refresh().await.unwrap();
    assert_eq!(
        (refreshed.source().as_str(), refreshed.error()),
        ("api", None)
    );
    assert!(refreshed.observed_at() > loaded.observed_at());
    let cache = live.cache().await;
    assert!(
        cache.get(&catalog_key()).is_missing(),
        "nothing was written"
    );
}

#[tokio::test]
async fn newer_never_yields_to_older() {
    let (clock, wire) = (clock(), answers_then_fails(1));
    let live = in_memory(&wire, &clock).build().unwrap();
    let newer = live.load().await.unwrap().observed_at();
    clock.advance(HOUR);
    live.refresh().await.unwrap_err();
    // An older one is planted, which is fresh and would serve a process without a catalog.
    let older = Timestamp::from_unix(newer.unix() - 3600).unwrap();
    plant(&live, older).await;
    let other = in_memory(&wire, &clock).offline(true);
    let other = other.build().unwrap();
    plant(&other, older).await;
    assert_eq!(other.load().await.unwrap().observed_at(), older);
    // It is found at the next renewal.
    clock.advance(HOUR);
    live.load().await.unwrap();
    settle().await;
    assert_eq!(live.snapshot().observed_at(), newer);
    assert!(live.refresh().await.is_err());
    assert_eq!(live.snapshot().observed_at(), newer);
}

/// AWS's answer is the newer one, also where the clock stepped back.
#[tokio::test]
async fn a_fetched_catalog_is_published_on_any_clock() {
    let (clock, wire) = (clock(), wire());
    let live = in_memory(&wire, &clock).build().unwrap();
    live.load().await.unwrap();
    clock.set(later() - 2 * HOUR);
    let snapshot = live.refresh().await.unwrap();
    assert_eq!(snapshot.observed_at(), timestamp(later() - 2 * HOUR));
}

#[tokio::test]
async fn offline_is_not_degraded() {
    for builder in [LiveCatalog::builder().offline(true), LiveCatalog::builder()] {
        let live = builder.cache_mode(CacheMode::None).build().unwrap();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), "bundle");
        assert!(!snapshot.is_degraded(), "{:?}", snapshot.error());
        assert!(live.refresh().await.is_err());
    }
}

#[tokio::test]
async fn force_refresh_fetches_once_even_if_its_first_caller_gives_up() {
    let (clock, folder) = (clock(), tempfile::tempdir().unwrap());
    let wire = wire();
    in_files(&wire, &clock, folder.path())
        .build()
        .unwrap()
        .load()
        .await
        .unwrap();
    wire.stage().forget();
    let live = in_files(&wire, &clock, folder.path())
        .force_refresh(true)
        .build()
        .unwrap();
    drop(futures_once(live.load()));
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
    live.load().await.unwrap();
    assert_eq!(wire.stage().requests(), 4);
}

/// A forced load that ends by its deadline leaves the forced fetch to the renewal.
#[tokio::test(start_paused = true)]
async fn a_forced_load_that_ends_late_is_fetched_by_the_renewal() {
    let (clock, second) = (clock(), Duration::from_secs(1));
    let wire = Memory::new(stage().rule(Rule::new(Fault::Hang).requests(1..=2)));
    let live = in_memory(&wire, &clock).force_refresh(true);
    let live = live.deadline(second).build().unwrap();
    plant(&live, timestamp(later())).await;
    let (other, requests) = (live.clone(), wire.clone());
    tokio::spawn(async move { other.refresh().await });
    settle().await;
    assert_eq!(requests.stage().open(), 4);
    let late = live.load().await.unwrap();
    assert_eq!(late.source().as_str(), "cache", "the best without a fetch");
    assert!(late.is_degraded());
    clock.advance(70 * second);
    live.load().await.unwrap();
    until(|| live.snapshot().source() != late.source()).await;
    assert_eq!(live.status().source, "api");
}

/// Polls once, and returns the future.
fn futures_once<F: Future>(future: F) -> std::pin::Pin<Box<F>> {
    let mut future = Box::pin(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    future
}

#[tokio::test(start_paused = true)]
async fn a_load_ends_by_its_deadline() {
    for fault in [
        Fault::Hang,
        Fault::Silence(10),
        Fault::Slow(1, Duration::from_secs(1)),
    ] {
        for fallback in [true, false] {
            let wire = Memory::new(stage().rule(Rule::new(fault.clone())));
            let live = in_memory(&wire, &clock())
                .deadline(Duration::from_secs(3))
                .bundled_fallback(fallback)
                .build()
                .unwrap();
            let begun = tokio::time::Instant::now();
            // Callers do not wait for each other's deadlines in turn.
            let all: Vec<_> = (0..50)
                .map(|_| {
                    let live = live.clone();
                    tokio::spawn(async move { live.load().await })
                })
                .collect();
            for one in all {
                assert_eq!(one.await.unwrap().is_ok(), fallback, "{fault:?}");
            }
            assert!(
                begun.elapsed() <= Duration::from_millis(3300),
                "{fault:?}: {:?}",
                begun.elapsed()
            );
            assert_eq!(wire.stage().open(), 0);
        }
    }
}

#[tokio::test]
async fn a_stale_catalog_is_served_with_one_warning_that_says_why() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    in_files(&wire, &clock, folder.path())
        .build()
        .unwrap()
        .load()
        .await
        .unwrap();
    clock.advance(30 * HOUR);
    let denied = Memory::new(stage().rule(Rule::new(Fault::access_denied())));
    let live = in_files(&denied, &clock, folder.path()).build().unwrap();
    let (lines, _guard) = Lines::listen();
    let loaded = live.load().await.unwrap();
    assert_eq!(
        (loaded.source().as_str(), loaded.is_degraded()),
        ("cache", true)
    );
    let warnings = lines.at(Level::WARN);
    let served: Vec<_> = warnings
        .iter()
        .filter(|line| line.contains("serving a stale catalog"))
        .collect();
    assert_eq!(served.len(), 1, "{warnings:?}");
    assert!(
        served[0].contains("denied") && served[0].contains("age_seconds=108000"),
        "{served:?}"
    );
}
