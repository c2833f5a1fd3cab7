//! A server with state, a caching client, and the SDK's clients on both.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use bedrock_catalog_aws_client::{CachedClient, CachedClientBuilder};
use bedrock_catalog_cache::{Cache, MemoryLimits};
use bedrock_catalog_tests::fake_aws::{FakeAws, IDENTITY_STORE, INSTANCE};

pub const ACCOUNT: &str = "111111111111";
pub const OTHER_ACCOUNT: &str = "222222222222";

pub struct World {
    pub aws: FakeAws,
    pub cached: CachedClient,
    pub store: aws_sdk_identitystore::Client,
    pub sso: aws_sdk_ssoadmin::Client,
    pub bedrock: aws_sdk_bedrock::Client,
    pub iam: aws_sdk_iam::Client,
}

/// A cache in memory.
pub fn memory() -> Cache {
    Cache::builder()
        .memory(MemoryLimits::default())
        .build()
        .unwrap()
}

pub fn cached(builder: impl FnOnce(CachedClientBuilder) -> CachedClientBuilder) -> CachedClient {
    builder(CachedClient::builder().cache(memory()))
        .build()
        .unwrap()
}

pub fn credentials(key: &str, account: Option<&str>) -> Credentials {
    let mut credentials = Credentials::builder()
        .access_key_id(key)
        .secret_access_key("secret")
        .provider_name("tests");
    if let Some(account) = account {
        credentials = credentials.account_id(account);
    }
    credentials.build()
}

pub fn config(url: &str, credentials: Credentials) -> SdkConfig {
    let retries = RetryConfig::standard().with_initial_backoff(Duration::from_millis(1));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .retry_config(retries)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub fn store(config: &SdkConfig, cached: &CachedClient) -> aws_sdk_identitystore::Client {
    let config = aws_sdk_identitystore::config::Builder::from(config)
        .http_client(cached.http_client())
        .interceptor(cached.interceptor())
        .build();
    aws_sdk_identitystore::Client::from_conf(config)
}

pub fn sso(config: &SdkConfig, cached: &CachedClient) -> aws_sdk_ssoadmin::Client {
    let config = aws_sdk_ssoadmin::config::Builder::from(config)
        .http_client(cached.http_client())
        .interceptor(cached.interceptor())
        .build();
    aws_sdk_ssoadmin::Client::from_conf(config)
}

pub fn bedrock(config: &SdkConfig, cached: &CachedClient) -> aws_sdk_bedrock::Client {
    let config = aws_sdk_bedrock::config::Builder::from(config)
        .http_client(cached.http_client())
        .interceptor(cached.interceptor())
        .build();
    aws_sdk_bedrock::Client::from_conf(config)
}

pub fn iam(config: &SdkConfig, cached: &CachedClient) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::config::Builder::from(config)
        .http_client(cached.http_client())
        .interceptor(cached.interceptor())
        .build();
    aws_sdk_iam::Client::from_conf(config)
}

impl World {
    pub fn new() -> Self {
        Self::with(cached(|builder| builder))
    }

    pub fn with(cached: CachedClient) -> Self {
        let aws = FakeAws::start().unwrap();
        let config = config(&aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
        Self {
            store: store(&config, &cached),
            sso: sso(&config, &cached),
            bedrock: bedrock(&config, &cached),
            iam: iam(&config, &cached),
            aws,
            cached,
        }
    }

    /// A new user.
    pub async fn user(&self, name: &str) -> String {
        let made = self.store.create_user().identity_store_id(IDENTITY_STORE);
        let made = made.user_name(name).display_name(name).send().await;
        made.unwrap().user_id
    }

    pub async fn group(&self, name: &str) -> String {
        let made = self.store.create_group().identity_store_id(IDENTITY_STORE);
        made.display_name(name).send().await.unwrap().group_id
    }

    pub async fn join(&self, user: &str, group: &str) -> String {
        use aws_sdk_identitystore::types::MemberId;
        let made = self
            .store
            .create_group_membership()
            .identity_store_id(IDENTITY_STORE);
        let made = made
            .group_id(group)
            .member_id(MemberId::UserId(user.into()));
        made.send().await.unwrap().membership_id
    }

    pub async fn permission_set(&self, name: &str) -> String {
        let made = self.sso.create_permission_set().instance_arn(INSTANCE);
        let made = made.name(name).description("old").send().await.unwrap();
        made.permission_set.unwrap().permission_set_arn.unwrap()
    }

    pub async fn assign(&self, set: &str, who: &str, group: bool, account: &str) {
        use aws_sdk_ssoadmin::types::{PrincipalType, TargetType};
        let kind = if group {
            PrincipalType::Group
        } else {
            PrincipalType::User
        };
        let made = self.sso.create_account_assignment().instance_arn(INSTANCE);
        let made = made
            .permission_set_arn(set)
            .principal_id(who)
            .principal_type(kind);
        made.target_id(account)
            .target_type(TargetType::AwsAccount)
            .send()
            .await
            .unwrap();
    }

    /// Reads twice with one request; changes; reads twice with one request. `changed` says whether the answer
    /// is another one.
    pub async fn is_invalidated_by<T: PartialEq + Debug, W>(
        &self,
        operation: &str,
        changed: bool,
        read: impl AsyncFn() -> T,
        change: impl Future<Output = W>,
    ) {
        let old = read().await;
        let before = self.aws.requests(operation);
        assert_eq!(read().await, old, "{operation}");
        let again = self.aws.requests(operation);
        assert_eq!(again, before, "{operation} again");
        change.await;
        let new = read().await;
        let after = self.aws.requests(operation);
        assert_eq!(after, before + 1, "{operation} after the write");
        assert_eq!(new != old, changed, "{operation}: {new:?}");
        assert_eq!(read().await, new, "{operation}");
        let again = self.aws.requests(operation);
        assert_eq!(again, before + 1, "{operation} after the write, again");
    }

    /// Reads, changes, reads: the second time without a request.
    pub async fn survives<T: PartialEq + Debug, W>(
        &self,
        operation: &str,
        read: impl AsyncFn() -> T,
        change: impl Future<Output = W>,
    ) {
        let old = read().await;
        let before = self.aws.requests(operation);
        change.await;
        assert_eq!(read().await, old, "{operation}");
        assert_eq!(self.aws.requests(operation), before, "{operation} stays");
    }
}

impl World {
    pub async fn users(&self) -> Vec<String> {
        let listed = self.store.list_users().identity_store_id(IDENTITY_STORE);
        let listed = listed.send().await.unwrap().users;
        let line = |user: aws_sdk_identitystore::types::User| {
            format!("{} {:?}", user.user_id, user.display_name)
        };
        listed.into_iter().map(line).collect()
    }

    pub async fn described(&self, user: &str) -> Option<String> {
        let user = self
            .store
            .describe_user()
            .identity_store_id(IDENTITY_STORE)
            .user_id(user);
        user.send().await.ok().and_then(|user| user.display_name)
    }

    pub async fn rename(&self, user: &str, name: &str) {
        assert!(self.try_rename(user, name).await);
    }

    pub async fn try_rename(&self, user: &str, name: &str) -> bool {
        let write = self.store.update_user().identity_store_id(IDENTITY_STORE);
        let write = write.user_id(user).operations(change("displayName", name));
        write.send().await.is_ok()
    }
}

/// A call that is not tried again.
pub fn once() -> aws_sdk_identitystore::config::Builder {
    let once = RetryConfig::standard().with_max_attempts(1);
    aws_sdk_identitystore::config::Builder::new().retry_config(once)
}

/// Renames a user in one attempt; whether it was answered well.
pub async fn rename_once(store: &aws_sdk_identitystore::Client, user: &str, name: &str) -> bool {
    let write = store.update_user().identity_store_id(IDENTITY_STORE);
    let write = write.user_id(user).operations(change("displayName", name));
    let write = write.customize().config_override(once());
    write.send().await.is_ok()
}

pub fn change(attribute: &str, value: &str) -> aws_sdk_identitystore::types::AttributeOperation {
    aws_sdk_identitystore::types::AttributeOperation::builder()
        .attribute_path(attribute)
        .attribute_value(aws_smithy_types::Document::String(value.into()))
        .build()
        .unwrap()
}
