//! The entries that a caller sees.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_identitystore::config::IdentityCache;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_tests::fake_aws::{FakeAws, IDENTITY_STORE};

use crate::stage::{ACCOUNT, World, cached, config, credentials, memory, store};

async fn users(client: &aws_sdk_identitystore::Client) -> usize {
    let listed = client.list_users().identity_store_id(IDENTITY_STORE);
    listed.send().await.unwrap().users.len()
}

#[tokio::test]
async fn two_credentials_never_see_each_others_entries() {
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let other = |secret, token: Option<&str>| {
        let other = aws_credential_types::Credentials::builder()
            .access_key_id("AKIDONE")
            .secret_access_key(secret)
            .account_id(ACCOUNT)
            .provider_name("tests");
        match token {
            Some(token) => other.session_token(token).build(),
            None => other.build(),
        }
    };
    let all = [
        credentials("AKIDONE", Some(ACCOUNT)),
        credentials("AKIDTWO", Some(ACCOUNT)),
        credentials("AKIDONE", Some("222222222222")),
        other("another", None),
        other("secret", Some("token")),
    ];
    for (asked, credentials) in all.into_iter().enumerate() {
        let client = store(&config(&aws.url(), credentials), &cached);
        users(&client).await;
        assert_eq!(aws.requests("ListUsers"), asked + 1, "not from the others");
        users(&client).await;
        assert_eq!(aws.requests("ListUsers"), asked + 1, "from its own entry");
    }
}

#[tokio::test]
async fn a_write_invalidates_for_all_identities_of_the_account() {
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let reader = store(
        &config(&aws.url(), credentials("AKIDREADER", Some(ACCOUNT))),
        &cached,
    );
    let writer = store(
        &config(&aws.url(), credentials("AKIDWRITER", Some(ACCOUNT))),
        &cached,
    );
    let unknown = store(
        &config(&aws.url(), credentials("AKIDUNKNOWN", None)),
        &cached,
    );
    assert_eq!(users(&reader).await, 0);
    for (made, client) in [&writer, &unknown].into_iter().enumerate() {
        let made_now = client.create_user().identity_store_id(IDENTITY_STORE);
        made_now.user_name("ann").send().await.unwrap();
        assert_eq!(users(&reader).await, made + 1);
    }
}

/// The name stands for an account that other credentials have.
#[tokio::test]
async fn a_write_without_an_account_invalidates_in_every_namespace() {
    let aws = FakeAws::start().unwrap();
    let cached = cached(|builder| builder.namespace("mine"));
    let client = |account| {
        store(
            &config(&aws.url(), credentials("AKIDONE", account)),
            &cached,
        )
    };
    let (known, unknown) = (client(Some(ACCOUNT)), client(None));
    assert_eq!((users(&known).await, users(&unknown).await), (0, 0));
    let made = unknown.create_user().identity_store_id(IDENTITY_STORE);
    made.user_name("ann").send().await.unwrap();
    assert_eq!((users(&known).await, users(&unknown).await), (1, 1));
}

#[tokio::test]
async fn debug_output_names_no_identity() {
    let aws = FakeAws::start().unwrap();
    let builder = CachedClient::builder()
        .cache(memory())
        .namespace("my-company")
        .identity("my-name");
    let mut printed = format!("{builder:?}");
    let cached = builder.build().unwrap();
    let config = config(&aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    users(&store(&config, &cached)).await;
    let holding = aws_config::SdkConfig::builder().http_client(cached.http_client());
    printed += &format!("{cached:?} {:?}", holding.build());
    for secret in ["AKIDONE", ACCOUNT, "my-company", "my-name"] {
        assert!(!printed.contains(secret), "{secret}: {printed}");
    }
}

#[tokio::test]
async fn regions_and_endpoints_are_apart() {
    let (one, other, cached) = (
        FakeAws::start().unwrap(),
        FakeAws::start().unwrap(),
        cached(|builder| builder),
    );
    let config = |url: &str, region: &'static str| {
        let config = config(url, credentials("AKIDONE", Some(ACCOUNT)));
        config
            .into_builder()
            .region(aws_config::Region::new(region))
            .build()
    };
    users(&store(&config(&one.url(), "us-east-1"), &cached)).await;
    users(&store(&config(&one.url(), "eu-west-1"), &cached)).await;
    users(&store(&config(&other.url(), "us-east-1"), &cached)).await;
    assert_eq!(
        (one.requests("ListUsers"), other.requests("ListUsers")),
        (2, 1)
    );
    assert_eq!(one.seen()[1].region, "eu-west-1");
}

#[tokio::test]
async fn without_an_account_nothing_is_cached_with_one_warning() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let client = store(&config(&aws.url(), credentials("AKIDONE", None)), &cached);
    for _ in 0..3 {
        users(&client).await;
    }
    assert_eq!(aws.requests("ListUsers"), 3);
    assert_eq!(cached.statistics().bypassed, 3);
    assert_eq!(
        log.lines(),
        [
            "AWS reads are not cached: the credentials have no account, and no namespace is set in its place"
        ]
    );
}

#[tokio::test]
async fn a_name_stands_in_for_the_account_and_another_for_the_session() {
    let aws = FakeAws::start().unwrap();
    let cache = memory();
    let named = cached(|builder| builder.cache(cache.clone()).namespace("mine"));
    let client = |key: &str, cached| store(&config(&aws.url(), credentials(key, None)), cached);
    users(&client("ASIAONE", &named)).await;
    users(&client("ASIAONE", &named)).await;
    assert_eq!(aws.requests("ListUsers"), 1);
    users(&client("ASIATWO", &named)).await;
    assert_eq!(aws.requests("ListUsers"), 2, "a session of its own");
    let shared = cached(|builder| {
        builder
            .cache(cache.clone())
            .namespace("mine")
            .identity("role")
    });
    users(&client("ASIAONE", &shared)).await;
    users(&client("ASIATWO", &shared)).await;
    assert_eq!(aws.requests("ListUsers"), 3, "all sessions of the role");
    let other = cached(|builder| {
        builder
            .cache(cache.clone())
            .namespace("theirs")
            .identity("role")
    });
    users(&client("ASIAONE", &other)).await;
    assert_eq!(aws.requests("ListUsers"), 4);
}

/// The provider is not called a second time: the caller is the identity that signs the request.
#[tokio::test]
async fn without_the_sdks_identity_cache_it_is_the_same() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let client = |asked: &Arc<AtomicUsize>, rotates, account| {
        let provider = Counted {
            asked: Arc::clone(asked),
            rotates,
            account,
        };
        let config = config(&aws.url(), credentials("AKIDONE", None)).into_builder();
        let config = config
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .identity_cache(IdentityCache::no_cache());
        store(&config.build(), &cached)
    };
    let asked = Arc::new(AtomicUsize::new(0));
    let (steady, rotating) = (
        client(&asked, false, Some(ACCOUNT)),
        client(&asked, true, Some(ACCOUNT)),
    );
    for _ in 0..3 {
        users(&steady).await;
    }
    assert_eq!(aws.requests("ListUsers"), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 3, "once for each call");
    // Each session has entries of its own.
    for _ in 0..3 {
        users(&rotating).await;
    }
    assert_eq!(aws.requests("ListUsers"), 4);
    assert_eq!(log.lines(), [""; 0]);
    let nobody = client(&asked, true, None);
    for _ in 0..3 {
        users(&nobody).await;
    }
    assert_eq!(aws.requests("ListUsers"), 7);
    assert_eq!(
        log.lines(),
        [
            "AWS reads are not cached: the credentials have no account, and no namespace is set in its place"
        ]
    );
}

/// A provider that counts its calls, and that may return new credentials each time.
#[derive(Debug)]
struct Counted {
    asked: Arc<AtomicUsize>,
    rotates: bool,
    account: Option<&'static str>,
}

impl ProvideCredentials for Counted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let key = match self.rotates {
            true => format!("ASIA{asked}"),
            false => "ASIA".to_owned(),
        };
        future::ProvideCredentials::ready(Ok(credentials(&key, self.account)))
    }
}

/// The request is signed in a way of the application's own.
#[tokio::test]
async fn without_an_identity_nothing_is_cached_with_one_warning() {
    use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let config = config(&aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let config = aws_sdk_identitystore::config::Builder::from(&config)
        .http_client(cached.http_client())
        .interceptor(Forgets)
        .interceptor(cached.interceptor())
        .build();
    let client = aws_sdk_identitystore::Client::from_conf(config);
    for _ in 0..3 {
        users(&client).await;
    }
    assert_eq!(aws.requests("ListUsers"), 3);
    assert_eq!(cached.statistics().bypassed, 3);
    assert_eq!(
        log.lines(),
        ["AWS reads are not cached: the SDK does not say which identity signs a request"]
    );

    /// Removes the identity from the configuration.
    #[derive(Debug)]
    struct Forgets;

    #[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
    impl Intercept for Forgets {
        fn name(&self) -> &'static str {
            "Forgets"
        }

        fn modify_before_transmit(
            &self,
            _: &mut BeforeTransmitInterceptorContextMut<'_>,
            _: &RuntimeComponents,
            config: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            let state = config.interceptor_state();
            state.store_put(EndpointResolverParams::new(()));
            Ok(())
        }
    }
}

/// Keys are logged: they have neither account ids nor names of users.
#[tokio::test]
async fn keys_have_no_names_of_accounts_and_users() {
    let w = World::new();
    let user = w.user("ann").await;
    w.described(&user).await;
    w.users().await;
    let account = w
        .sso
        .list_permission_sets_provisioned_to_account()
        .account_id("222222222222");
    let account = account.instance_arn(bedrock_catalog_tests::fake_aws::INSTANCE);
    account.send().await.unwrap();
    let namespace = bedrock_catalog_cache::Namespace::of(["aws-client", ACCOUNT]);
    let recent = w.cached.cache().in_namespace(namespace).recent(10);
    assert_eq!(recent.len(), 3);
    for entry in recent {
        let key = entry.key.to_string();
        assert!(
            key.starts_with("identitystore:") || key.starts_with("sso-admin:"),
            "{key}"
        );
        for secret in [
            user.as_str(),
            IDENTITY_STORE,
            "222222222222",
            ACCOUNT,
            "AKIDONE",
        ] {
            assert!(!key.contains(secret), "{key}");
        }
    }
}

/// Keeps the messages of warnings.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    /// The messages so far, which are then forgotten.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN
            && metadata.target().starts_with("bedrock_catalog")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Message<'a>(&'a mut Vec<String>);
        impl tracing::field::Visit for Message<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0.push(format!("{value:?}"));
                }
            }
        }
        event.record(&mut Message(&mut self.0.lock().unwrap()));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
