//! Writes with an uncertain outcome, and responses that are not stored.

use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_identitystore::error::SdkError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bedrock_catalog_aws_client::{CachedClient, Invalidated, NoCache};
use bedrock_catalog_tests::fake_aws::{Fault, IDENTITY_STORE};
use bedrock_catalog_tests::fake_bedrock::Delivery;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::stage::{
    ACCOUNT, World, cached, change, config, credentials, memory, once, rename_once,
};

impl World {
    /// Renames a user once, without a retry, and does not wait long.
    async fn rename_uncertainly(&self, user: &str, name: &str) -> bool {
        let write = rename_once(&self.store, user, name);
        let soon = tokio::time::timeout(Duration::from_millis(150), write);
        soon.await.unwrap_or(false)
    }
}

#[tokio::test]
async fn an_uncertain_write_invalidates() {
    let faults = [
        Fault::Delivered(Delivery::Never),
        Fault::Delivered(Delivery::Reset(0)),
        Fault::Delivered(Delivery::Silence(1)),
        Fault::DoneBut(500, "InternalServerException"),
        Fault::DoneBut(408, "RequestTimeoutException"),
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let w = World::new();
        let user = w.user("ann").await;
        w.users().await;
        w.described(&user).await;
        w.aws.fail_next("UpdateUser", fault.clone());
        // The body is empty, so a connection that breaks within it may pass for a whole response.
        w.rename_uncertainly(&user, "Ann").await;
        assert_eq!(
            w.described(&user).await.as_deref(),
            Some("Ann"),
            "{n}: {fault:?}"
        );
        assert!(w.users().await[0].contains("Ann"), "{n}: {fault:?}");
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_no_old_entry() {
    let w = World::new();
    let user = w.user("ann").await;
    for round in 0..20 {
        let name = format!("ann {round}");
        w.described(&user).await;
        w.aws
            .fail_next("UpdateUser", Fault::Delivered(Delivery::Never));
        let before = w.aws.requests("UpdateUser");
        let write = w.rename(&user, &name);
        let arrived = async {
            while w.aws.requests("UpdateUser") == before {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            // A read while the write is under way; the server has done it.
            w.described(&user).await
        };
        tokio::select! {
            () = write => panic!("never answered"),
            _ = arrived => {}
        }
        assert_eq!(w.described(&user).await, Some(name));
    }
    assert_eq!(w.cached.statistics().uncertain_writes, 20);
}

/// Many services have one status for every failure.
#[tokio::test]
async fn a_timeout_that_the_service_reports_is_uncertain() {
    for status in [400, 408] {
        let w = World::new();
        let user = w.user("ann").await;
        let timeout = Fault::DoneBut(status, "OperationTimeoutException");
        w.aws.fail_next("UpdateUser", timeout);
        assert!(!w.rename_uncertainly(&user, "Ann").await);
        assert_eq!(w.cached.statistics().uncertain_writes, 1, "{status}");
    }
}

/// The entries are read once more, and that is all.
#[tokio::test]
async fn a_refused_write_leaves_nothing_uncertain() {
    let w = World::new();
    let user = w.user("ann").await;
    w.aws
        .fail_next("UpdateUser", Fault::Refused(400, "AccessDeniedException"));
    assert!(!w.rename_uncertainly(&user, "Ann").await);
    assert_eq!(w.cached.statistics().uncertain_writes, 0);
    assert_eq!(w.described(&user).await.as_deref(), Some("ann"));
}

/// Otherwise the reads would all go to a service that has too much to do.
#[tokio::test]
async fn a_throttled_write_leaves_nothing_uncertain() {
    for (status, code) in [
        (503, "SlowDown"),
        (503, "RequestLimitExceeded"),
        (500, "com.amazon.coral.availability#ThrottlingException"),
        (429, "TooManyRequestsException"),
        (429, "SomethingNew"),
    ] {
        let w = World::new();
        let user = w.user("ann").await;
        w.aws.fail_next("UpdateUser", Fault::Refused(status, code));
        assert!(!w.rename_uncertainly(&user, "Ann").await);
        assert_eq!(w.cached.statistics().uncertain_writes, 0, "{status} {code}");
        for _ in 0..100 {
            assert_eq!(w.described(&user).await.as_deref(), Some("ann"));
        }
        assert_eq!(w.aws.requests("DescribeUser"), 1, "{status} {code}");
    }
}

#[tokio::test]
async fn a_read_that_a_write_overtakes_is_not_stored() {
    let w = World::new();
    let user = w.user("ann").await;
    w.aws.delay(Duration::from_millis(200));
    let (old, ()) = tokio::join!(w.described(&user), async {
        while w.aws.requests("DescribeUser") == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        w.rename(&user, "Ann").await;
    });
    assert_eq!(old.as_deref(), Some("ann"), "asked before the write");
    w.aws.delay(Duration::ZERO);
    assert_eq!(w.described(&user).await.as_deref(), Some("Ann"));
}

/// The write waits on its way to the service.
#[tokio::test]
async fn an_entry_that_is_read_during_a_write_is_invalidated_after_it() {
    let (w, gate) = (World::new(), Gate::default());
    let user = w.user("ann").await;
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let gated = gate.before(&config, &w.cached);
    let write = gated.update_user().identity_store_id(IDENTITY_STORE);
    let write = write
        .user_id(&user)
        .operations(change("displayName", "Ann"));
    let write = tokio::spawn(write.send());
    gate.waiting.notified().await;
    assert_eq!(w.described(&user).await.as_deref(), Some("ann"));
    assert_eq!(w.described(&user).await.as_deref(), Some("ann"));
    gate.open.notify_one();
    write.await.unwrap().unwrap();
    assert_eq!(w.described(&user).await.as_deref(), Some("Ann"));
}

/// Holds every request back until it is opened, or every answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    pub(crate) waiting: Arc<Notify>,
    pub(crate) open: Arc<Notify>,
    holds_answers: bool,
}

impl Gate {
    pub(crate) fn of_answers() -> Self {
        Self {
            holds_answers: true,
            ..Self::default()
        }
    }

    /// A client whose requests to the service come to the gate.
    pub(crate) fn before(
        &self,
        config: &SdkConfig,
        cached: &CachedClient,
    ) -> aws_sdk_identitystore::Client {
        let plain = CachedClient::builder().cache(memory()).build().unwrap();
        let inner = Gated {
            inner: plain.http_client(),
            gate: self.clone(),
        };
        let gated = aws_sdk_identitystore::config::Builder::from(config)
            .http_client(cached.http_client_over(inner))
            .interceptor(cached.interceptor())
            .build();
        aws_sdk_identitystore::Client::from_conf(gated)
    }

    async fn pass(&self) {
        self.waiting.notify_one();
        self.open.notified().await;
    }
}

#[derive(Debug, Clone)]
struct Gated<T> {
    inner: T,
    gate: Gate,
}

impl HttpClient for Gated<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Gated {
            inner,
            gate: self.gate.clone(),
        })
    }
}

impl HttpConnector for Gated<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let gated = self.clone();
        HttpConnectorFuture::new(async move {
            if gated.gate.holds_answers {
                let answer = gated.inner.call(request).await;
                gated.gate.pass().await;
                return answer;
            }
            gated.gate.pass().await;
            gated.inner.call(request).await
        })
    }
}

#[tokio::test]
async fn errors_are_not_stored() {
    let w = World::new();
    w.user("ann").await;
    for (status, code) in [
        (400, "ThrottlingException"),
        (500, "InternalServerException"),
        (403, "AccessDeniedException"),
    ] {
        let before = w.aws.requests("ListUsers");
        w.cached.invalidate("identitystore", "CreateUser", []).await;
        w.aws.fail_next("ListUsers", Fault::Refused(status, code));
        let read = w.store.list_users().identity_store_id(IDENTITY_STORE);
        let failed = read.customize().config_override(once()).send().await;
        assert!(
            matches!(failed, Err(SdkError::ServiceError(_))),
            "{code}: the service's own error"
        );
        assert_eq!(w.users().await.len(), 1, "{code}");
        assert_eq!(w.users().await.len(), 1, "{code}");
        assert_eq!(
            w.aws.requests("ListUsers"),
            before + 2,
            "{code}: the error, and then one request"
        );
    }
}

#[tokio::test]
async fn a_retry_is_treated_like_the_first_attempt() {
    let w = World::new();
    w.user("ann").await;
    w.aws
        .fail_next("ListUsers", Fault::Refused(500, "InternalServerException"));
    assert_eq!(w.users().await.len(), 1, "the second attempt");
    assert_eq!(w.users().await.len(), 1);
    assert_eq!(w.aws.requests("ListUsers"), 2);
}

#[tokio::test]
async fn a_call_may_go_past_the_cache() {
    let w = World::new();
    w.user("ann").await;
    let read = || {
        w.store
            .list_users()
            .identity_store_id(IDENTITY_STORE)
            .customize()
    };
    w.users().await;
    read().interceptor(NoCache).send().await.unwrap();
    let config = aws_sdk_identitystore::config::Builder::new().interceptor(NoCache);
    read().config_override(config).send().await.unwrap();
    assert_eq!(w.aws.requests("ListUsers"), 3);
    w.users().await;
    assert_eq!(
        w.aws.requests("ListUsers"),
        3,
        "the stored response is still there"
    );
    let fresh = World::new();
    let read = fresh.store.list_users().identity_store_id(IDENTITY_STORE);
    read.customize().interceptor(NoCache).send().await.unwrap();
    fresh.users().await;
    assert_eq!(fresh.aws.requests("ListUsers"), 2, "and nothing was stored");
}

#[tokio::test]
async fn large_bodies_and_streams_are_not_stored() {
    let json = "application/x-amz-json-1.1";
    let large = format!("{{\"Users\":[],\"NextToken\":\"{}\"}}", "x".repeat(5000));
    let answers = [
        Fault::Says(json, Bytes::from(large)),
        Fault::Says(
            "application/vnd.amazon.eventstream",
            Bytes::from_static(b"{\"Users\":[]}"),
        ),
        Fault::Says(
            json,
            Bytes::from_static(b"{\"Users\":[{\"UserId\":\"u\",\"UserStatus\":\"CREATING\"}]}"),
        ),
    ];
    for answer in answers {
        let w = World::with(cached(|builder| builder.largest_body(4096)));
        w.aws.fail_next("ListUsers", answer.clone());
        w.users().await;
        w.users().await;
        assert_eq!(w.aws.requests("ListUsers"), 2, "{answer:?}");
        assert_eq!(w.cached.statistics().not_stored, 1, "{answer:?}");
        w.users().await;
        assert_eq!(w.aws.requests("ListUsers"), 2, "the second was stored");
    }
    // In many pieces, without an announced length: whole, and stored.
    let w = World::new();
    w.user("ann").await;
    w.aws.fail_next(
        "ListUsers",
        Fault::Delivered(Delivery::Slow(7, Duration::from_millis(1))),
    );
    assert_eq!(w.users().await.len(), 1);
    assert_eq!(w.users().await.len(), 1);
    assert_eq!(w.aws.requests("ListUsers"), 1);
    // The connection breaks: the SDK retries, and the second response is stored.
    let w = World::new();
    w.user("ann").await;
    w.aws
        .fail_next("ListUsers", Fault::Delivered(Delivery::Reset(10)));
    assert_eq!(w.users().await.len(), 1);
    assert_eq!(w.users().await.len(), 1);
    assert_eq!(w.aws.requests("ListUsers"), 2);
}

#[tokio::test]
async fn the_number_of_invalidated_entries_is_on_the_response() {
    use aws_sdk_identitystore::config::interceptors::BeforeDeserializationInterceptorContextRef;
    use aws_sdk_identitystore::config::{ConfigBag, Intercept, RuntimeComponents};
    use std::sync::Mutex;

    #[derive(Debug, Default)]
    struct Look(std::sync::Arc<Mutex<Option<Invalidated>>>);
    impl Intercept for Look {
        fn name(&self) -> &'static str {
            "Look"
        }
        fn read_before_deserialization(
            &self,
            context: &BeforeDeserializationInterceptorContextRef<'_>,
            _: &RuntimeComponents,
            _: &mut ConfigBag,
        ) -> Result<(), aws_sdk_identitystore::error::BoxError> {
            *self.0.lock().unwrap() = context.response().extension::<Invalidated>().copied();
            Ok(())
        }
    }
    let w = World::new();
    let user = w.user("ann").await;
    w.users().await;
    w.described(&user).await;
    let seen = Look::default();
    let dropped = std::sync::Arc::clone(&seen.0);
    let write = w
        .store
        .delete_user()
        .identity_store_id(IDENTITY_STORE)
        .user_id(user);
    write.customize().interceptor(seen).send().await.unwrap();
    assert_eq!(*dropped.lock().unwrap(), Some(Invalidated(2)));
}
