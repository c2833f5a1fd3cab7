//! Whose entries: those of the account that the credentials name, whenever they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use bedrock_catalog::{Catalog, CatalogErrorKind};
use bedrock_catalog_test_support::FaultyTier;
use bedrock_catalog_tests::fake_bedrock::Memory;
use futures_lite::future::block_on;
use tokio::sync::Semaphore;

use crate::stage::*;

pub fn credentials_of(account: &str) -> Credentials {
    Credentials::builder()
        .access_key_id("AKIDEXAMPLE")
        .secret_access_key("secret")
        .account_id(account)
        .provider_name("test")
        .build()
}

/// An SDK configuration whose credentials name this account.
pub fn config_of(wire: &Memory, account: &str) -> aws_config::SdkConfig {
    let config = wire.sdk_config().into_builder();
    let provider = SharedCredentialsProvider::new(credentials_of(account));
    config.credentials_provider(provider).build()
}

/// Credentials that are given at once so many times more, and then wait until they are let go.
#[derive(Debug)]
pub struct Held {
    pub at_once: AtomicUsize,
    pub asks: Semaphore,
    pub go_on: Semaphore,
    credentials: Credentials,
}

impl ProvideCredentials for Held {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let one_less = |left: usize| left.checked_sub(1);
            let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
            if self.at_once.fetch_update(set, get, one_less).is_err() {
                self.asks.add_permits(1);
                self.go_on.acquire().await.unwrap().forget();
            }
            Ok(self.credentials.clone())
        })
    }
}

/// Such credentials, and an SDK configuration with them.
pub fn held(
    wire: &Memory,
    credentials: Credentials,
    at_once: usize,
) -> (Arc<Held>, aws_config::SdkConfig) {
    let held = Arc::new(Held {
        at_once: AtomicUsize::new(at_once),
        asks: Semaphore::new(0),
        go_on: Semaphore::new(0),
        credentials,
    });
    let provider: Arc<dyn ProvideCredentials> = Arc::clone(&held) as _;
    let provider = SharedCredentialsProvider::new(provider);
    let config = wire.sdk_config().into_builder();
    let config = config.credentials_provider(provider).build();
    (held, config)
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
        assert_eq!(snapshot.error_kind(), Some(CatalogErrorKind::NoCredentials));
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
struct Slow(Credentials, AtomicBool);

impl ProvideCredentials for Slow {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        match self.1.swap(true, Ordering::SeqCst) {
            true => future::ProvideCredentials::ready(Ok(self.0.clone())),
            false => future::ProvideCredentials::new(std::future::pending()),
        }
    }
}

/// An SDK configuration with these credentials, and not the first time.
pub fn slow_config_of(wire: &Memory, credentials: Credentials) -> aws_config::SdkConfig {
    let provider = Slow(credentials, AtomicBool::new(false));
    let config = wire.sdk_config().into_builder();
    let config = config.credentials_provider(SharedCredentialsProvider::new(provider));
    config.build()
}

/// Credentials that are too slow to name the account before AWS is asked, and in time to ask: what they
/// get is their account's, and nobody else's.
#[tokio::test]
async fn what_slow_credentials_get_is_their_accounts() {
    for forced in [false, true] {
        let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
        let slow = |account| slow_config_of(&wire, credentials_of(account));
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
        let third = load(&slow("333333333333"), false).await;
        assert_eq!(third, "api", "nor are they anybody's");
    }
}

/// Without a runtime the credentials cannot be asked whose entries are meant: none are served, neither those
/// of nobody in particular nor those of the only account.
#[test]
fn where_the_credentials_cannot_be_asked_nothing_cached_is_served() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let nobodys = in_files(&wire, &clock, folder.path()).build().unwrap();
    let asked = runtime.block_on(nobodys.load()).unwrap();
    assert_eq!(asked.source().as_str(), "api");
    let config = config_of(&wire, "111111111111");
    let live = in_files(&wire, &clock, folder.path()).sdk_config(&config);
    let live = live.build().unwrap();
    let (loaded, listed) = block_on(async {
        let listed = live.discovery().models("eu-west-1").await;
        (live.load().await.unwrap(), listed)
    });
    assert_eq!(loaded.source().as_str(), "bundle");
    assert!(live.is_degraded());
    assert!(listed.is_err(), "another's list");
    // Who is known stays so.
    let named = in_files(&wire, &clock, folder.path()).sdk_config(&config);
    let named = named.build().unwrap();
    runtime.block_on(named.refresh()).unwrap();
    assert!(block_on(named.discovery().models("eu-west-1")).is_ok());
}
