//! Namespaces: the entries of the account that the credentials name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use bedrock_catalog::{Catalog, CatalogErrorKind};
use bedrock_catalog_test_support::FaultyTier;
use bedrock_catalog_tests::fake_bedrock::Memory;
use futures_lite::future::block_on;

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

/// Credentials that pass a turnstile.
#[derive(Debug)]
struct Held(Credentials, Arc<Turnstile>);

impl ProvideCredentials for Held {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.1.enter().await;
            Ok(self.0.clone())
        })
    }
}

/// An SDK configuration whose credentials wait, and their turnstile.
fn held(wire: &Memory, credentials: Credentials) -> (Arc<Turnstile>, aws_config::SdkConfig) {
    let turnstile = Turnstile::new(false);
    let provider = SharedCredentialsProvider::new(Held(credentials, Arc::clone(&turnstile)));
    let config = wire.sdk_config().into_builder();
    (turnstile, config.credentials_provider(provider).build())
}

/// Accounts that share a folder do not share entries, and no account id is written or logged.
#[tokio::test]
async fn accounts_do_not_share_entries() {
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

/// Without credentials the account is the configured one. Nothing is inferred from the cached entries.
#[tokio::test]
async fn offline_serves_the_entries_of_the_configured_account() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let load = async |account: &str| {
        let config = config_of(&wire, account);
        let live = in_files(&wire, &clock, folder.path()).sdk_config(&config);
        live.build().unwrap().load().await.unwrap();
    };
    let offline = async |account: Option<&str>| {
        let mut live = in_files(&wire, &clock, folder.path()).offline(true);
        if let Some(account) = account {
            live = live.account(account);
        }
        let live = live.build().unwrap();
        let source = live.load().await.unwrap().source().as_str();
        let cache = live.cache().await;
        assert_eq!(cache.get(&catalog_key()).is_missing(), source == "bundle");
        source
    };
    load("111111111111").await;
    assert_eq!(offline(Some("111111111111")).await, "cache");
    assert_eq!(offline(Some("222222222222")).await, "bundle");
    assert_eq!(
        offline(None).await,
        "bundle",
        "the only account is not inferred"
    );
    load("222222222222").await;
    assert_eq!(offline(Some("222222222222")).await, "cache");
    assert_eq!(wire.stage().requests(), 8, "no request offline");
    // Credentials that name no account share the anonymous entries.
    in_files(&wire, &clock, folder.path())
        .build()
        .unwrap()
        .load()
        .await
        .unwrap();
    assert_eq!(offline(None).await, "cache");
}

/// Credentials that answer once they are ready, and count the calls.
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

/// Credentials that are too slow are resolved again with the next refresh, and not before.
#[tokio::test(start_paused = true)]
async fn an_account_that_is_named_late_is_known_from_then_on() {
    let (wire, clock, late) = (wire(), clock(), Arc::new(Late::default()));
    let config = wire.sdk_config().into_builder();
    let shared: Arc<dyn ProvideCredentials> = Arc::clone(&late) as _;
    let shared = SharedCredentialsProvider::new(shared);
    let config = config.credentials_provider(shared).build();
    let build = |config: &aws_config::SdkConfig| {
        in_memory(&wire, &clock).sdk_config(config).build().unwrap()
    };
    let live = build(&config);
    let anonymous = build(&wire.sdk_config()).cache().await.namespace();
    live.load().await.unwrap();
    assert_eq!(live.status().error_kind, Some("no_credentials"));
    late.ready.store(true, Ordering::SeqCst);
    let asked = late.asked.load(Ordering::SeqCst);
    for _ in 0..100 {
        assert_eq!(live.cache().await.namespace(), anonymous);
    }
    assert_eq!(late.asked.load(Ordering::SeqCst), asked, "not at each call");
    live.refresh().await.unwrap();
    assert_eq!(
        late.asked.load(Ordering::SeqCst),
        asked + 1,
        "once a refresh"
    );
    let named = build(&config_of(&wire, "111111111111")).cache().await;
    assert_eq!(live.cache().await.namespace(), named.namespace());
    assert_ne!(named.namespace(), anonymous);
}

/// Missing credentials are an error; the configured account's entries serve meanwhile.
#[tokio::test]
async fn without_credentials_the_entries_of_the_configured_account_serve() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let config = config_of(&wire, "111111111111");
    let live = in_files(&wire, &clock, folder.path()).sdk_config(&config);
    let cached = live.build().unwrap().load().await.unwrap().observed_at();
    clock.advance(25 * HOUR);
    let mut without = wire.sdk_config().into_builder();
    without.set_credentials_provider(None);
    let without = without.build();
    let bundled = Catalog::bundled().observed_at();
    for (account, source, observed_at) in [
        ("111111111111", "cache", cached),
        ("222222222222", "bundle", bundled),
    ] {
        let live = in_files(&wire, &clock, folder.path()).sdk_config(&without);
        let live = live.account(account).build().unwrap();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.error_kind(), Some(CatalogErrorKind::NoCredentials));
        assert!(live.is_degraded());
        assert_eq!(
            (snapshot.source().as_str(), snapshot.observed_at()),
            (source, observed_at)
        );
    }
    assert_eq!(wire.stage().requests(), 4);
}

/// Credentials that expire leave their account's entries in service.
#[tokio::test]
async fn an_account_that_was_named_once_stays() {
    let (clock, wire) = (clock(), wire());
    let provider = Once(credentials_of("111111111111"), AtomicBool::new(false));
    let config = wire.sdk_config().into_builder();
    let config = config
        .credentials_provider(SharedCredentialsProvider::new(provider))
        .build();
    let live = in_memory(&wire, &clock)
        .sdk_config(&config)
        .build()
        .unwrap();
    live.load().await.unwrap();
    let namespace = live.cache().await.namespace();
    assert!(live.refresh().await.unwrap_err().is_no_credentials());
    assert_eq!(live.cache().await.namespace(), namespace);
}

/// Credentials that answer once.
#[derive(Debug)]
struct Once(Credentials, AtomicBool);

impl ProvideCredentials for Once {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let error = || CredentialsError::not_loaded("they are expired");
        future::ProvideCredentials::ready(match self.1.swap(true, Ordering::SeqCst) {
            false => Ok(self.0.clone()),
            true => Err(error()),
        })
    }
}

/// Slow credentials read and write the entries of their account only.
#[tokio::test]
async fn slow_credentials_use_the_entries_of_their_account() {
    let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
    let load = async |account: &str| {
        let (held, config) = held(&wire, credentials_of(account));
        let live = in_memory(&wire, &clock).sdk_config(&config);
        let live = live.tier(shared.clone()).build().unwrap();
        let load = tokio::spawn(async move { live.load().await.unwrap().source().to_string() });
        held.waiting.acquire().await.unwrap().forget();
        held.pass.add_permits(1);
        load.await.unwrap()
    };
    // The anonymous entries are there, too.
    let anonymous = in_memory(&wire, &clock)
        .tier(shared.clone())
        .build()
        .unwrap();
    anonymous.load().await.unwrap();
    assert_eq!(load("111111111111").await, "api");
    assert_eq!(load("222222222222").await, "api");
    assert_eq!(load("111111111111").await, "cache");
}

/// Credentials that do not answer in time, or cannot be resolved outside of Tokio, leave the account
/// unknown: no cached entry serves, not even an anonymous one.
#[test]
fn where_the_account_is_unknown_nothing_cached_is_served() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let anonymous = in_files(&wire, &clock, folder.path()).build().unwrap();
    runtime.block_on(anonymous.load()).unwrap();
    let (_held, config) = held(&wire, credentials_of("111111111111"));
    let build = || {
        let live = in_files(&wire, &clock, folder.path()).sdk_config(&config);
        live.deadline(Duration::from_secs(1)).build().unwrap()
    };
    let live = build();
    let in_time = runtime.block_on(async {
        let listed = live.discovery().models("eu-west-1").await;
        (live.load().await.unwrap(), listed)
    });
    let live = build();
    let off_tokio = block_on(async {
        let listed = live.discovery().models("eu-west-1").await;
        (live.load().await.unwrap(), listed)
    });
    for (loaded, listed) in [in_time, off_tokio] {
        assert_eq!(loaded.source().as_str(), "bundle");
        assert!(loaded.is_degraded() && listed.is_err());
    }
    // An account that was named stays known.
    let config = config_of(&wire, "111111111111");
    let named = in_files(&wire, &clock, folder.path()).sdk_config(&config);
    let named = named.build().unwrap();
    runtime.block_on(named.refresh()).unwrap();
    assert!(block_on(named.discovery().models("eu-west-1")).is_ok());
}
