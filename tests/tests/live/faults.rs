//! What AWS may do, through the whole stack; and no credentials.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use bedrock_catalog::cache::testing::Op;
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{CacheMode, Catalog, ErrorKind, LiveCatalog};
use bedrock_catalog_tests::fake_bedrock::{
    Fault, Memory, Operation, Rule, Stage, Tokens, sdk_config,
};
use proptest::prelude::*;

use crate::stage::*;

#[tokio::test(start_paused = true)]
async fn every_fault_of_one_region_is_that_regions_own() {
    for (fault, outcome) in [
        (Fault::access_denied(), "denied"),
        (Fault::unrecognized_client(), "denied"),
        (Fault::expired_token(), "denied"),
        (Fault::invalid_signature(), "denied"),
        (Fault::throttling(), "throttled"),
        (Fault::server_error(), "failed"),
        (Fault::Truncate(30), "failed"),
        (Fault::Reset(30), "failed"),
        (Fault::Silence(30), "timed out"),
        (Fault::Slow(1, Duration::from_secs(1)), "timed out"),
        (Fault::Hang, "timed out"),
        (Fault::html(), "failed"),
        (Fault::json(r#"{"modelSummaries": 7}"#), "failed"),
        (Fault::Empty, "suspicious"),
        (Fault::Huge(9 << 20), "failed"),
        (Fault::Tokens(Tokens::Endless), "failed"),
        (Fault::Tokens(Tokens::Repeating), "failed"),
    ] {
        let clock = clock();
        let rule = Rule::new(fault.clone())
            .region("us-east-1")
            .requests(2..=u64::MAX);
        let wire = Memory::new(stage().rule(rule));
        let live = in_memory(&wire, &clock).build().unwrap();
        let good = live.load().await.unwrap();
        assert!(
            !good.is_degraded(),
            "{fault:?}: {:?}",
            good.failed_regions()
        );
        clock.advance(HOUR);
        let begun = tokio::time::Instant::now();
        let snapshot = live.refresh().await.unwrap();
        assert!(begun.elapsed() <= Duration::from_secs(33), "{fault:?}");
        assert_eq!(snapshot.source().as_str(), "api");
        assert_eq!(snapshot.failed_regions().len(), 1, "{fault:?}");
        let why = &snapshot.failed_regions()["us-east-1"];
        assert!(why.starts_with(outcome), "{fault:?}: {why}");
        assert!(!why.contains("123456789012"), "{why}");
        let region = snapshot.region("us-east-1").unwrap();
        assert_eq!(region.stale_since(), Some(good.observed_at()), "{fault:?}");
        assert_eq!(
            region.accesses().count(),
            good.region("us-east-1").unwrap().accesses().count()
        );
        settle().await;
        assert_eq!(wire.stage().open(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn an_empty_catalog_is_not_believed_even_where_nothing_is_known() {
    for fault in [Fault::Empty, Fault::json("{}")] {
        let wire = Memory::new(stage().rule(Rule::new(fault)));
        let live = in_memory(&wire, &clock()).build().unwrap();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), "bundle");
        let live = in_memory(&wire, &clock())
            .bundled_fallback(false)
            .build()
            .unwrap();
        assert!(live.load().await.is_err());
    }
}

#[tokio::test]
async fn unknown_words_are_kept() {
    let wire = Memory::new(stage().rule(Rule::new(Fault::UnknownWords)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api");
    assert!(bedrock_catalog::catalog_to_json(&snapshot).contains("INVENTED"));
}

/// A storm: at most six requests a region, and the last good catalog stays.
#[tokio::test(start_paused = true)]
async fn a_throttling_storm_is_not_answered_with_a_storm() {
    let storm = Rule::new(Fault::throttling());
    let recording = Recording::of_catalog(Catalog::bundled());
    let wire = Memory::new(Stage::new(recording).rule(storm));
    let live = LiveCatalog::builder()
        .sdk_config(&wire.sdk_config())
        .cache_mode(CacheMode::None)
        .clock(clock())
        .build()
        .unwrap();
    for round in 0..10 {
        wire.stage().forget();
        assert!(live.refresh().await.is_err());
        assert!(
            wire.stage().requests() <= 186,
            "{round}: {}",
            wire.stage().requests()
        );
        assert_eq!(live.snapshot().source().as_str(), "bundle");
    }
}

#[derive(Debug)]
struct BlackHole;

impl ProvideCredentials for BlackHole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn no_credentials_and_a_black_hole_end_with_the_bundle_within_five_seconds() {
    let without = || sdk_config().into_builder();
    let none = {
        let mut builder = without();
        builder.set_credentials_provider(None);
        builder.build()
    };
    let hole = without()
        .credentials_provider(SharedCredentialsProvider::new(BlackHole))
        .build();
    for (config, deadline, at_most) in [(&none, 30, 0.1), (&hole, 30, 5.0), (&hole, 2, 2.2)] {
        let live = LiveCatalog::builder()
            .sdk_config(config)
            .cache_mode(CacheMode::None)
            .deadline(Duration::from_secs(deadline))
            .build()
            .unwrap();
        let begun = tokio::time::Instant::now();
        let snapshot = live.load().await.unwrap();
        let took = begun.elapsed();
        assert!(
            took <= Duration::from_secs_f64(at_most),
            "{took:?} of {at_most}"
        );
        assert_eq!(snapshot.source().as_str(), "bundle");
        let status = live.status();
        assert_eq!(
            status.error_kind,
            Some("no_credentials"),
            "{:?}",
            status.error
        );
        assert!(
            status.error.unwrap().contains("AWS_PROFILE"),
            "it says what to set"
        );
        assert!(status.degraded);
        assert_eq!(snapshot.error_kind(), Some(ErrorKind::NoCredentials));
    }
}

fn credentials_of(account: &str) -> Credentials {
    Credentials::builder()
        .access_key_id("AKIDEXAMPLE")
        .secret_access_key("secret")
        .account_id(account)
        .provider_name("test")
        .build()
}

/// An SDK configuration whose credentials name this account.
fn config_of(wire: &Memory, account: &str) -> aws_config::SdkConfig {
    let config = wire.sdk_config().into_builder();
    let provider = SharedCredentialsProvider::new(credentials_of(account));
    config.credentials_provider(provider).build()
}

/// The account parts the entries of those who share a folder, and is written nowhere.
#[tokio::test]
async fn accounts_do_not_share_entries_nor_show() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let (lines, _guard) = Lines::listen();
    let build = |account: &str| {
        let config = config_of(&wire, account);
        in_files(&wire, &clock, folder.path())
            .sdk_config(&config)
            .build()
            .unwrap()
    };
    for (account, source) in [
        ("111111111111", "api"),
        ("222222222222", "api"),
        ("111111111111", "cache"),
    ] {
        let live = build(account);
        assert_eq!(
            live.load().await.unwrap().source().as_str(),
            source,
            "{account}"
        );
    }
    for path in files(folder.path()) {
        let text = std::fs::read_to_string(&path).unwrap();
        for account in ["111111111111", "222222222222"] {
            assert!(!text.contains(account) && !path.display().to_string().contains(account));
        }
    }
    assert!(
        lines
            .all()
            .iter()
            .all(|line| !line.contains("111111111111"))
    );
}

/// Offline nobody asks for the account: what the only one cached is meant, and of several none.
#[tokio::test]
async fn offline_serves_what_the_only_account_cached() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let load = async |account: &str| {
        let config = config_of(&wire, account);
        let live = in_files(&wire, &clock, folder.path()).sdk_config(&config);
        live.build().unwrap().load().await.unwrap();
    };
    let offline = async || {
        let live = in_files(&wire, &clock, folder.path())
            .offline(true)
            .build()
            .unwrap();
        let source = live.load().await.unwrap().source().as_str();
        let cached = live.own_cache().await;
        let key = bedrock_catalog::cache::Key::new("catalog", "get", "all");
        assert_eq!(cached.get(&key).is_missing(), source == "bundle");
        assert_eq!(
            live.status().tier.as_deref(),
            (source == "cache").then_some("disk")
        );
        source
    };
    assert_eq!(offline().await, "bundle", "nothing is cached yet");
    load("111111111111").await;
    assert_eq!(offline().await, "cache");
    assert_eq!(wire.stage().requests(), 4, "and nobody was asked");
    load("222222222222").await;
    assert_eq!(offline().await, "bundle", "whose would it be?");
    for path in files(folder.path()) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("1111111111") && !text.contains("2222222222"));
    }
    // After a month the other's is forgotten.
    clock.advance(29 * DAY);
    load("111111111111").await;
    clock.advance(2 * DAY);
    assert_eq!(offline().await, "cache");
}

/// A tier that does not answer is waited for a moment, once: AWS is asked without it, by the load and by each
/// renewal, and one thread hangs, not one more with each.
#[tokio::test]
async fn a_tier_that_hangs_does_not_keep_aws_from_being_asked() {
    for fallback in [true, false] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(Op::Get);
        gate.open(false);
        let live = in_memory(&wire, &clock)
            .tier(tier)
            .bundled_fallback(fallback)
            .build()
            .unwrap();
        let (lines, guard) = Lines::listen();
        let loaded = live.load().await.unwrap();
        assert_eq!(loaded.source().as_str(), "api");
        assert_eq!(live.status().error, None);
        let warnings = lines.at(tracing::Level::WARN);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(
            warnings[0].contains("cache does not answer"),
            "{warnings:?}"
        );
        drop(guard);
        let mut last = loaded.observed_at();
        for _ in 0..8 {
            clock.advance(30 * HOUR);
            live.load().await.unwrap();
            until(|| live.snapshot().observed_at() > last).await;
            last = live.snapshot().observed_at();
            clock.advance(HOUR);
            last = last.max(live.refresh().await.unwrap().observed_at());
        }
        assert_eq!(gate.waiting(), 1);
        gate.open(true);
        until(|| gate.waiting() == 0).await;
        // And written again.
        clock.advance(HOUR);
        let last = live.refresh().await.unwrap().observed_at();
        let key = bedrock_catalog::cache::Key::new("catalog", "get", "all");
        let hit = live.cache().get_async(&key).await.into_hit().unwrap();
        assert!(String::from_utf8_lossy(&hit.data).contains(&last.to_string()));
    }
}

/// Nor does a write that hangs cost a thread with each renewal.
#[tokio::test]
async fn writes_that_hang_cost_one_thread() {
    let (clock, wire) = (clock(), wire());
    let (tier, gate) = Gate::of(Op::Put);
    gate.open(false);
    let live = in_memory(&wire, &clock).tier(tier);
    let live = live.deadline(Duration::from_secs(1)).build().unwrap();
    live.load().await.unwrap();
    for _ in 0..4 {
        clock.advance(HOUR);
        let refreshed = live.refresh().await.unwrap();
        assert_eq!(refreshed.source().as_str(), "api");
    }
    assert_eq!(gate.waiting(), 1);
    gate.open(true);
}

/// Writing is tried, and not waited for beyond the deadline.
#[tokio::test]
async fn what_was_fetched_is_served_though_the_write_hangs() {
    use bedrock_catalog::cache::testing::{FaultyTier, Op};
    for forced in [false, true] {
        let (clock, wire, tier) = (clock(), wire(), FaultyTier::new("slow"));
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let closed = Arc::clone(&gate);
        tier.before(move |op| {
            let (open, opens) = &*closed;
            if op == Op::Put {
                let open = opens.wait_while(open.lock().unwrap(), |open| !*open);
                drop(open.unwrap());
            }
        });
        let live = in_memory(&wire, &clock).tier(tier);
        let live = live.deadline(Duration::from_secs(1)).build().unwrap();
        let loaded = match forced {
            false => live.load().await,
            true => live.refresh().await,
        };
        let loaded = loaded.unwrap();
        assert_eq!(loaded.source().as_str(), "api");
        assert_eq!(loaded.error(), None);
        assert_eq!(wire.stage().requests(), 4);
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    }
}

/// An old catalog of nobody's does not hide the newer one of the only account, nor the other way round.
#[tokio::test]
async fn offline_serves_the_newer_of_the_only_accounts_and_nobodys() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let load = async |account: Option<&str>| {
        let live = in_files(&wire, &clock, folder.path());
        let live = match account {
            Some(account) => live.sdk_config(&config_of(&wire, account)),
            None => live,
        };
        live.build().unwrap().load().await.unwrap().observed_at()
    };
    let offline = async || {
        let live = in_files(&wire, &clock, folder.path()).offline(true);
        let snapshot = live.build().unwrap().load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), "cache");
        snapshot.observed_at()
    };
    load(None).await;
    clock.advance(31 * DAY);
    let theirs = load(Some("111111111111")).await;
    assert_eq!(offline().await, theirs, "the other one is past its time");
    clock.advance(DAY + HOUR);
    let nobodys = load(None).await;
    assert_eq!(offline().await, nobodys);
    clock.advance(DAY + HOUR);
    let theirs = load(Some("111111111111")).await;
    assert_eq!(offline().await, theirs);
}

/// Credentials that answer only after a while, and count how often they are asked.
#[derive(Debug, Default)]
struct Late {
    asked: AtomicUsize,
    ready: AtomicBool,
}

impl ProvideCredentials for Late {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.ready.load(Ordering::SeqCst) {
            true => future::ProvideCredentials::ready(Ok(credentials_of("111111111111"))),
            false => future::ProvideCredentials::new(std::future::pending()),
        }
    }
}

/// Who could not name the account in time is asked again with the next renewal, and not before.
#[tokio::test(start_paused = true)]
async fn an_account_that_is_named_late_is_known_from_then_on() {
    let (wire, clock, late) = (wire(), clock(), Arc::new(Late::default()));
    let config = wire.sdk_config().into_builder();
    let shared: Arc<dyn ProvideCredentials> = Arc::clone(&late) as _;
    let shared = SharedCredentialsProvider::new(shared);
    let config = config.credentials_provider(shared).build();
    let build = |config| in_memory(&wire, &clock).sdk_config(config).build().unwrap();
    let live = build(&config);
    let nobodys = live.cache().namespace();
    live.load().await.unwrap();
    assert_eq!(live.status().error_kind, Some("no_credentials"));
    let asked = late.asked.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(live.own_cache().await.namespace(), nobodys);
    }
    assert_eq!(
        late.asked.load(Ordering::SeqCst),
        asked,
        "not with each question"
    );
    late.ready.store(true, Ordering::SeqCst);
    assert_eq!(live.own_cache().await.namespace(), nobodys);
    live.refresh().await.unwrap();
    let named = build(&config_of(&wire, "111111111111"));
    assert_eq!(
        live.cache().namespace(),
        named.own_cache().await.namespace()
    );
    assert_ne!(live.cache().namespace(), nobodys);
    let asked = late.asked.load(Ordering::SeqCst);
    clock.advance(HOUR);
    live.refresh().await.unwrap();
    assert!(
        late.asked.load(Ordering::SeqCst) <= asked + 2,
        "by the SDK alone"
    );
}

/// Who has no credentials, or no more, is served what the only account cached, as offline, and told why
/// it is not renewed.
#[tokio::test]
async fn without_credentials_what_the_only_account_cached_is_served() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let cached_by = async |account: &str| {
        let config = config_of(&wire, account);
        let live = in_files(&wire, &clock, folder.path()).sdk_config(&config);
        live.build().unwrap().refresh().await.unwrap().observed_at()
    };
    let mut without = wire.sdk_config().into_builder();
    without.set_credentials_provider(None);
    let without = without.build();
    let load = async || {
        let live = in_files(&wire, &clock, folder.path()).sdk_config(&without);
        let live = live.build().unwrap();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.error_kind(), Some(ErrorKind::NoCredentials));
        assert!(live.is_degraded());
        (snapshot.source().to_string(), snapshot.observed_at())
    };
    let bundle = ("bundle".to_owned(), Catalog::bundled().observed_at());
    assert_eq!(load().await, bundle, "nothing is cached yet");
    let cached = cached_by("111111111111").await;
    assert_eq!(load().await, ("cache".to_owned(), cached));
    cached_by("222222222222").await;
    assert_eq!(load().await, bundle, "whose would it be?");
}

/// Credentials that do not answer the first time.
#[derive(Debug)]
struct Slow(&'static str, AtomicBool);

impl ProvideCredentials for Slow {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.1.swap(true, Ordering::SeqCst) {
            true => future::ProvideCredentials::ready(Ok(credentials_of(self.0))),
            false => future::ProvideCredentials::new(std::future::pending()),
        }
    }
}

/// Credentials that are too slow to name the account before AWS is asked, and in time to ask: what they
/// get is their account's, and nobody else's.
#[tokio::test]
async fn what_slow_credentials_get_is_their_accounts() {
    use bedrock_catalog::cache::testing::FaultyTier;
    for forced in [false, true] {
        let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
        let slow = |account| {
            let provider = Slow(account, AtomicBool::new(false));
            let config = wire.sdk_config().into_builder();
            let config = config.credentials_provider(SharedCredentialsProvider::new(provider));
            config.build()
        };
        let load = async |config: &aws_config::SdkConfig, forced: bool| {
            let live = in_memory(&wire, &clock).sdk_config(config);
            let live = live.tier(shared.clone()).deadline(Duration::from_secs(2));
            let live = live.build().unwrap();
            let loaded = match forced {
                false => live.load().await,
                true => live.refresh().await,
            };
            loaded.unwrap().source().to_string()
        };
        assert_eq!(load(&slow("111111111111"), forced).await, "api");
        assert_eq!(
            load(&slow("222222222222"), false).await,
            "api",
            "not the other's"
        );
        let prompt = config_of(&wire, "111111111111");
        assert_eq!(load(&prompt, false).await, "cache", "its own");
        let nobodys = load(&wire.sdk_config(), false).await;
        assert_eq!(nobodys, "api", "nobody's are neither's");
    }
}

proptest! {
    // All regions each time: 500 are the figure, and take minutes.
    #![proptest_config(ProptestConfig { cases: cases(6).cases.min(500), ..cases(6) })]

    /// Whichever regions fail, no model is lost and each failed region is named.
    #[test]
    fn any_subset_of_regions_may_fail(failing in proptest::collection::vec(any::<bool>(), 31)) {
        let bundle = Catalog::bundled();
        let mut stage = Stage::new(Recording::of_catalog(bundle));
        let mut failed = Vec::new();
        for (region, fails) in bundle.regions().zip(failing) {
            if fails {
                let rule = Rule::new(Fault::access_denied()).region(region.id());
                stage = stage.rule(rule.operation(Operation::Profiles));
                failed.push(region.id().to_owned());
            }
        }
        let wire = Memory::new(stage);
        let live = LiveCatalog::builder()
            .sdk_config(&wire.sdk_config())
            .cache_mode(CacheMode::None)
            .clock(clock())
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let snapshot = runtime.block_on(live.load()).unwrap();
        if failed.len() < bundle.regions().count() {
            prop_assert_eq!(snapshot.source().as_str(), "api");
            prop_assert!(snapshot.failed_regions().keys().eq(failed.iter()));
        } else {
            prop_assert_eq!(snapshot.source().as_str(), "bundle");
        }
        for model in bundle.models() {
            prop_assert!(snapshot.model(model.id()).is_some());
        }
    }
}
