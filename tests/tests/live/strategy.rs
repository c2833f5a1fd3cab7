//! Where a catalog comes from, in order: a fresh cache, AWS, a stale cache, the bundle; else an error.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog::cache::testing::{FaultyTier, Op};
use bedrock_catalog::cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog::cache::tier::{LeaseOutcome, TierErrorKind};
use bedrock_catalog::cache::{Codec, Horizons, Key, ManualClock, Terms, Tier};
use bedrock_catalog::{CacheMode, Catalog, ErrorKind, LiveCatalog, catalog_to_json, transform};
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
    assert_eq!(error.kind(), ErrorKind::Unavailable);
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

#[test]
fn wrong_settings_fail_at_build_and_say_which_what_and_what_is_allowed() {
    let wire = wire();
    let base = || LiveCatalog::builder().sdk_config(&wire.sdk_config());
    let at = |url: &str| {
        let config = wire.sdk_config().into_builder().endpoint_url(url).build();
        LiveCatalog::builder().sdk_config(&config)
    };
    let regions = "lower-case letters, digits and `-`";
    let address = "an address like https://";
    let nowhere: [&str; 0] = [];
    let year = 365 * DAY;
    for (builder, setting, value, allowed) in [
        (
            base().deadline(Duration::ZERO),
            "deadline",
            "0ns",
            "1ms to 10min",
        ),
        (base().deadline(HOUR), "deadline", "3600s", "1ms to 10min"),
        (
            base().max_age(Duration::ZERO),
            "max age",
            "0ns",
            "1s to 365d",
        ),
        (
            base().max_age(2 * year),
            "max age",
            "63072000s",
            "1s to 365d",
        ),
        (
            base().keep_for(Duration::ZERO),
            "keep for",
            "0ns",
            "1s to 3650d",
        ),
        (
            base().keep_for(11 * year),
            "keep for",
            "346896000s",
            "1s to 3650d",
        ),
        (
            base().keep_for(HOUR),
            "keep for",
            "3600s",
            "at least fresh for, 86400s",
        ),
        (base().concurrency(0), "concurrency", "0", "1 to 62"),
        (base().concurrency(63), "concurrency", "63", "1 to 62"),
        (base().partition("AWS!"), "partition", "AWS!", regions),
        (base().partition(""), "partition", "", regions),
        (
            base().partition("aws-unheard-of"),
            "partition",
            "aws-unheard-of",
            "aws-us-gov",
        ),
        (
            base().regions(["eu_west_1"]),
            "regions",
            "eu_west_1",
            regions,
        ),
        (
            base().regions(["europe"]),
            "regions",
            "europe",
            "like eu-west-1",
        ),
        (
            base().regions(["cn-north-1"]),
            "regions",
            "cn-north-1",
            "of the partition aws",
        ),
        (
            base().endpoint_url("localhost:1"),
            "endpoint_url",
            "localhost:1",
            address,
        ),
        (base().endpoint_url(""), "endpoint_url", "", address),
        (
            base().endpoint_url("ftp://a"),
            "endpoint_url",
            "ftp://a",
            address,
        ),
        (
            base().endpoint_url("https://"),
            "endpoint_url",
            "https://",
            address,
        ),
        (
            base().endpoint_url("http://:80"),
            "endpoint_url",
            "http://:80",
            address,
        ),
        (
            base().endpoint_url("http://a:port"),
            "endpoint_url",
            "http://a:port",
            address,
        ),
        (
            base().endpoint_url("http://a:70000"),
            "endpoint_url",
            "http://a:70000",
            address,
        ),
        (
            base().endpoint_url("http://a b"),
            "endpoint_url",
            "http://a b",
            address,
        ),
        // A password is not repeated.
        (
            base().endpoint_url("http://me:secret@a:b"),
            "endpoint_url",
            "a:b",
            address,
        ),
        (
            base().offline(true).endpoint_url("no"),
            "endpoint_url",
            "no",
            address,
        ),
        (
            at("bedrock"),
            "endpoint_url of sdk_config",
            "bedrock",
            address,
        ),
        (
            base().cache_dirs(nowhere),
            "cache_dirs",
            "[]",
            "at least one folder",
        ),
        (base().namespace(""), "namespace", "", "a name"),
        (
            base()
                .tier(Arc::new(nobodys_disk()) as Arc<dyn Tier>)
                .cache_dirs(["/nowhere"]),
            "tiers",
            "disk",
            "each name once",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
        let error = error.to_string();
        let (is, may) = error.split_once("; allowed: ").expect(&error);
        assert!(is.ends_with(&format!("{setting} is {value:?}")), "{error}");
        assert!(may.contains(allowed), "{allowed}: {error}");
    }
    for (url, folders) in [
        ("http://127.0.0.1:8080", vec!["/nowhere"]),
        ("https://[::1]:8443/behind/a/path", vec!["/nowhere"]),
        ("https://vpce-1.bedrock.example", vec!["/nowhere"]),
    ] {
        base()
            .endpoint_url(url)
            .cache_dirs(folders)
            .build()
            .unwrap();
    }
    // Where there are no files, nobody misses their folder.
    let memory = base().cache_mode(CacheMode::Memory).cache_dirs(nowhere);
    memory.build().unwrap();
}

fn nobodys_disk() -> DiskTier {
    DiskTier::new(Locations::given(["/nowhere"]), Codec::new("0.1.0"))
}

#[test]
fn the_environment_changes_only_what_it_names() {
    use bedrock_catalog::cache::Environment;
    let env = |pairs: &'static [(&str, &str)]| {
        Environment::new("BEDROCK_CATALOG", move |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.into())
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let live = |pairs| {
        LiveCatalog::builder()
            .offline(true)
            .cache_mode(CacheMode::None)
            .cache_dirs([folder.path()])
            .from_environment(&env(pairs))
            .unwrap()
            .build()
            .unwrap()
    };
    let put = |live: &LiveCatalog| {
        live.cache()
            .put(&Key::new("a", "b", "c"), "1", &Terms::source("x"))
            .tiers
    };
    assert_eq!(
        put(&live(&[])),
        [""; 0],
        "nothing is named: nothing is changed"
    );
    assert_eq!(
        put(&live(&[("BEDROCK_CATALOG_CACHE", "memory")])),
        ["memory"]
    );
    assert!(files(folder.path()).is_empty());
    let kept = LiveCatalog::builder().max_age(HOUR);
    let kept = kept.from_environment(&env(&[("BEDROCK_CATALOG_KEEP_FOR", "7d")]));
    let live = kept.unwrap().cache_mode(CacheMode::Memory).build().unwrap();
    let horizons = live.cache().settings().horizons;
    assert_eq!((horizons.fresh_for, horizons.keep_for), (HOUR, 7 * DAY));
    let none = LiveCatalog::builder().from_environment(&env(&[("BEDROCK_CATALOG_REGIONS", ",")]));
    assert!(none.unwrap_err().to_string().contains("REGIONS"));
    let wrong = LiveCatalog::builder().from_environment(&env(&[("BEDROCK_CATALOG_CACHE", "disc")]));
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("file, memory, none")
    );
}

/// Of a value out of range the variable is named, as it was written, and what is allowed.
#[test]
fn a_variable_out_of_range_is_named() {
    use bedrock_catalog::cache::Environment;
    for (variable, value, told) in [
        (
            "FRESH_FOR",
            "0s",
            r#"FRESH_FOR is "0s"; allowed: 1s to 365d"#,
        ),
        (
            "FRESH_FOR",
            "400d",
            r#"FRESH_FOR is "400d"; allowed: 1s to 365d"#,
        ),
        (
            "KEEP_FOR",
            "10ms",
            r#"KEEP_FOR is "10ms"; allowed: 1s to 3650d"#,
        ),
        ("DEADLINE", "0", r#"DEADLINE is "0"; allowed: 1ms to 10min"#),
        (
            "DEADLINE",
            "11min",
            r#"DEADLINE is "11min"; allowed: 1ms to 10min"#,
        ),
        (
            "REGIONS",
            "eu-west-1, EU_WEST",
            r#"REGIONS is "EU_WEST"; allowed: lower-case letters, digits and `-`"#,
        ),
    ] {
        let name = format!("BEDROCK_CATALOG_{variable}");
        let env = Environment::new("BEDROCK_CATALOG", |asked| {
            (asked == name).then(|| value.into())
        });
        let error = LiveCatalog::builder().from_environment(&env).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert_eq!(error.to_string(), format!("BEDROCK_CATALOG_{told}"));
    }
}
