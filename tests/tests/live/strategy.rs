//! Where a catalog comes from, in order: a fresh cache, AWS, a stale cache, the bundle; else an error.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bedrock_catalog::cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog::cache::tier::{LeaseOutcome, TierErrorKind};
use bedrock_catalog::cache::{Codec, Horizons, Key, ManualClock, Terms, Tier};
use bedrock_catalog::{
    CacheMode, Catalog, CatalogErrorKind, LiveCatalog, catalog_to_json, transform,
};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};
use tracing::Level;

use crate::stage::*;

/// Puts a catalog observed so into the cache, as a fresh entry.
async fn plant(live: &LiveCatalog, observed_at: bedrock_catalog::Timestamp) {
    let mut recording = small();
    recording.observed_at = observed_at;
    let (document, _) = transform(&recording, None);
    let catalog = Catalog::from_document(&document).unwrap();
    let terms = Terms::source("api").holding(Horizons {
        fresh_for: DAY,
        keep_for: 30 * DAY,
    });
    let key = Key::new("catalog", "get", "all");
    let stored = live.cache().put(&key, catalog_to_json(&catalog), &terms);
    assert!(!stored.tiers.is_empty());
}

#[tokio::test]
async fn a_fresh_cache_is_used_without_a_request() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let first = in_files(&wire, &clock, folder.path()).build().unwrap();
    assert_eq!(first.load().await.unwrap().source().as_str(), "api");
    let asked = wire.stage().requests();
    assert_eq!(asked, 4, "two regions, two lists");

    clock.advance(23 * HOUR);
    let second = in_files(&wire, &clock, folder.path()).build().unwrap();
    let snapshot = second.load().await.unwrap();
    assert_eq!(wire.stage().requests(), asked);
    let status = second.status();
    assert_eq!(
        (status.source, status.tier.as_deref()),
        ("cache", Some("disk"))
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

/// What loading has found out of the cache it does not ask again before it asks AWS.
#[tokio::test]
async fn a_load_looks_once_before_it_asks() {
    let (clock, wire, tier) = (clock(), wire(), FaultyTier::new("counts"));
    let live = in_memory(&wire, &clock).tier(tier.clone());
    let live = live.force_refresh(true).build().unwrap();
    let (calls, looks) = (tier.clone(), Arc::new(AtomicU64::new(0)));
    let before = Arc::clone(&looks);
    tier.before(move |op| {
        // It is taken before AWS is asked.
        if op == Op::Lease {
            before.store(calls.calls(Op::Get), Ordering::SeqCst);
        }
    });
    live.load().await.unwrap();
    tier.unhook();
    assert_eq!(looks.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_wants_it_younger_than_who_wrote_it_asks_sooner() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let writer = in_files(&wire, &clock, folder.path()).build().unwrap();
    writer.load().await.unwrap();
    clock.advance(2 * HOUR);
    let younger = in_files(&wire, &clock, folder.path()).max_age(HOUR);
    let snapshot = younger.build().unwrap().load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api");
    assert_eq!(wire.stage().requests(), 8);
    // Nor is it served for longer than the reader keeps things.
    clock.advance(2 * HOUR);
    let offline = in_files(&wire, &clock, folder.path()).offline(true);
    let kept = offline.max_age(HOUR).keep_for(HOUR).build().unwrap();
    assert_eq!(kept.load().await.unwrap().source().as_str(), "bundle");
}

/// The lease of the catalog, as another process has it.
pub fn lease_of_another(live: &LiveCatalog, clock: &ManualClock, folder: &Path) -> LeaseOutcome {
    let key = Key::new("catalog", "get", "all");
    let codec = Codec::new(live.status().version);
    let disk = DiskTier::new(Locations::given([folder]), codec);
    let disk = disk.with_clock(Arc::new(clock.clone()));
    let disk = disk.with_well_known(key.clone(), "catalog");
    let namespace = live.cache().namespace();
    let lease = disk.try_lease(&namespace, &key, Duration::ZERO, HOUR);
    assert!(matches!(lease, Ok(LeaseOutcome::Held(_))), "{lease:?}");
    lease.unwrap()
}

/// Who was killed while it asked leaves its lease: that costs the next one half of its time, not its
/// catalog.
#[tokio::test]
async fn who_has_nothing_asks_beside_another_that_does_not_end() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    // Long enough for a disk that is slow to sync what is cached in the other half.
    let live = in_files(&wire, &clock, folder.path()).deadline(Duration::from_secs(6));
    let live = live.build().unwrap();
    let lease = lease_of_another(&live, &clock, folder.path());
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api", "{:?}", snapshot.error());
    assert_eq!((snapshot.error(), wire.stage().requests()), (None, 4));
    drop(lease);
}

/// One that may not be served, as after an update with a newer bundle, is nothing to serve meanwhile: who
/// asks is waited for.
#[tokio::test]
async fn a_stale_catalog_that_may_not_be_served_is_nothing() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).deadline(Duration::from_secs(6));
    let live = live.build().unwrap();
    let before = Catalog::bundled().observed_at().unix() - 1;
    plant(
        &live,
        bedrock_catalog::Timestamp::from_unix(before).unwrap(),
    )
    .await;
    clock.advance(25 * HOUR);
    let lease = lease_of_another(&live, &clock, folder.path());
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api", "{:?}", snapshot.error());
    drop(lease);
}

#[tokio::test]
async fn while_another_process_asks_a_stale_catalog_serves_and_nothing_is_wrong() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = || in_files(&wire, &clock, folder.path()).build().unwrap();
    live().load().await.unwrap();
    clock.advance(25 * HOUR);
    let live = live();
    let lease = lease_of_another(&live, &clock, folder.path());
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert_eq!((snapshot.error(), wire.stage().requests()), (None, 4));
    drop(lease);
}

#[tokio::test]
async fn an_expired_cache_asks_and_where_that_fails_serves() {
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
        "in vain"
    );
    assert_eq!(status.observed_at, timestamp(later() + 25 * HOUR));
    let why = snapshot.error().unwrap();
    assert!(
        why.contains("denied") && why.contains("eu-west-1"),
        "the reason is told: {why}"
    );
    assert!(!why.contains("123456789012"), "{why}");
}

#[tokio::test]
async fn then_the_bundle_with_one_warning_that_says_its_age() {
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
        "give AWS credentials",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn a_cache_older_than_the_bundle_loses_and_aws_is_asked() {
    let (clock, wire) = (clock(), wire());
    for (observed, why) in [
        (
            Catalog::bundled().observed_at().unix() - 1,
            "before the bundle",
        ),
        (timestamp(later()).unix() + 7200, "in the future"),
    ] {
        let observed = bedrock_catalog::Timestamp::from_unix(observed).unwrap();
        // Fresh by its envelope, and yet not to be used.
        let live = in_memory(&wire, &clock).build().unwrap();
        plant(&live, observed).await;
        assert_eq!(live.load().await.unwrap().source().as_str(), "api", "{why}");
        // Nor where asking fails.
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
async fn without_the_bundle_an_old_cache_will_do() {
    let (clock, refusing) = (clock(), answers_then_fails(0));
    let old =
        bedrock_catalog::Timestamp::from_unix(Catalog::bundled().observed_at().unix() - 86_400)
            .unwrap();
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

/// A tier that takes nothing costs nobody the answer, at a load or a refresh.
#[tokio::test]
async fn what_was_fetched_is_served_though_no_write_worked() {
    let (clock, wire, tier) = (clock(), wire(), FaultyTier::new("full"));
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
    let key = Key::new("catalog", "get", "all");
    assert!(live.cache().get(&key).is_missing(), "nothing was written");
}

#[tokio::test]
async fn newer_never_yields_to_older() {
    let (clock, wire) = (clock(), answers_then_fails(1));
    let live = in_memory(&wire, &clock).build().unwrap();
    let newer = live.load().await.unwrap().observed_at();
    clock.advance(HOUR);
    live.refresh().await.unwrap_err();
    // Somebody plants an older one, which is fresh and would do for who has none.
    let older = bedrock_catalog::Timestamp::from_unix(newer.unix() - 3600).unwrap();
    plant(&live, older).await;
    let other = in_memory(&wire, &clock).offline(true);
    let other = other.build().unwrap();
    plant(&other, older).await;
    assert_eq!(other.load().await.unwrap().observed_at(), older);
    // It is found when the time comes to ask again, and when AWS is asked once more in vain.
    clock.advance(HOUR);
    live.load().await.unwrap();
    settle().await;
    assert_eq!(live.snapshot().observed_at(), newer);
    assert!(live.refresh().await.is_err());
    assert_eq!(live.snapshot().observed_at(), newer);
}

/// The answer of AWS counts as the newer one even where the clock was wrong before.
#[tokio::test]
async fn what_aws_answers_now_is_used_on_any_clock() {
    let (clock, wire) = (clock(), wire());
    let live = in_memory(&wire, &clock).build().unwrap();
    live.load().await.unwrap();
    clock.set(later() - 2 * HOUR);
    let snapshot = live.refresh().await.unwrap();
    assert_eq!(snapshot.observed_at(), timestamp(later() - 2 * HOUR));
}

#[tokio::test]
async fn offline_is_what_was_asked_for() {
    for builder in [LiveCatalog::builder().offline(true), LiveCatalog::builder()] {
        let live = builder.cache_mode(CacheMode::None).build().unwrap();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), "bundle");
        assert!(!snapshot.is_degraded(), "{:?}", snapshot.error());
        assert!(live.refresh().await.is_err());
    }
}

#[tokio::test]
async fn force_refresh_asks_once_even_if_its_first_caller_gives_up() {
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

/// Whoever's time was up before AWS was asked: it is asked by the renewal, whatever the cache has.
#[tokio::test(start_paused = true)]
async fn a_load_that_ends_late_is_forced_all_the_same() {
    let (clock, second) = (clock(), Duration::from_secs(1));
    let wire = Memory::new(stage().rule(Rule::new(Fault::Hang).requests(1..=2)));
    let live = in_memory(&wire, &clock).force_refresh(true);
    let live = live.deadline(second).build().unwrap();
    plant(&live, timestamp(later())).await;
    let (other, asks) = (live.clone(), wire.clone());
    tokio::spawn(async move { other.refresh().await });
    settle().await;
    assert_eq!(asks.stage().open(), 4);
    let late = live.load().await.unwrap();
    assert_eq!(late.source().as_str(), "bundle");
    clock.advance(70 * second);
    live.load().await.unwrap();
    until(|| live.snapshot().source() != late.source()).await;
    assert_eq!(live.status().source, "api");
}

/// Polls once, and hands the future back.
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
            // Nobody waits for others, each for a deadline of its own.
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
    let told: Vec<_> = warnings
        .iter()
        .filter(|line| line.contains("serving a stale catalog"))
        .collect();
    assert_eq!(told.len(), 1, "{warnings:?}");
    assert!(
        told[0].contains("denied") && told[0].contains("age_seconds=108000"),
        "{told:?}"
    );
}
