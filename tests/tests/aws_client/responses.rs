//! Responses that are stored, and those that are not, at a connector in memory.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrock::config::Token;
use aws_sdk_iam::client::Waiters;
use aws_sdk_iam::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_cache::{EntryOptions, Namespace};
use bedrock_catalog_tests::fake_aws::IDENTITY_STORE;

use crate::identities::Log;
use crate::stage::{ACCOUNT, cached, config, credentials, memory};

const JSON: &str = "application/x-amz-json-1.1";
const USERS: &str = r#"{"Users":[{"UserId":"u","IdentityStoreId":"d-1234567890"}]}"#;

/// A service in memory: it answers with each response once, in their order.
#[derive(Debug, Clone, Default)]
struct Canned(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    responses: VecDeque<Canning>,
    requests: usize,
}

#[derive(Debug, Clone)]
struct Canning {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
}

fn json(body: &'static str) -> Canning {
    with(200, JSON, body)
}

fn with(status: u16, content_type: &'static str, body: &'static str) -> Canning {
    Canning {
        status,
        headers: vec![("content-type", content_type)],
        body,
    }
}

impl Canned {
    fn push(&self, response: Canning) {
        self.0.lock().unwrap().responses.push_back(response);
    }

    fn requests(&self) -> usize {
        self.0.lock().unwrap().requests
    }

    fn sdk_config(&self) -> SdkConfig {
        let config = config(
            "http://canned.example",
            credentials("AKIDONE", Some(ACCOUNT)),
        );
        let once = RetryConfig::disabled();
        config.into_builder().retry_config(once).build()
    }

    fn store(&self, cached: &CachedClient) -> aws_sdk_identitystore::Client {
        let config = aws_sdk_identitystore::config::Builder::from(&self.sdk_config())
            .http_client(cached.http_client_over(self.clone()))
            .interceptor(cached.interceptor())
            .build();
        aws_sdk_identitystore::Client::from_conf(config)
    }

    fn iam(&self, cached: &CachedClient) -> aws_sdk_iam::Client {
        let config = aws_sdk_iam::config::Builder::from(&self.sdk_config())
            .http_client(cached.http_client_over(self.clone()))
            .interceptor(cached.interceptor())
            .build();
        aws_sdk_iam::Client::from_conf(config)
    }
}

impl HttpClient for Canned {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut inner = self.0.lock().unwrap();
        inner.requests += 1;
        let canning = inner.responses.pop_front().expect("a response is left");
        let body = SdkBody::from(canning.body);
        let mut response = HttpResponse::new(canning.status.try_into().unwrap(), body);
        for (name, value) in canning.headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The number of users, or none after an error.
async fn users(client: &aws_sdk_identitystore::Client) -> Option<usize> {
    let listed = client.list_users().identity_store_id(IDENTITY_STORE);
    listed.send().await.ok().map(|listed| listed.users.len())
}

fn namespace() -> Namespace {
    Namespace::of(["aws-client", ACCOUNT])
}

fn entries(cached: &CachedClient) -> usize {
    cached.cache().in_namespace(namespace()).recent(10).len()
}

#[tokio::test]
async fn only_a_whole_response_that_the_sdk_deserializes_stays_stored() {
    let header = |name, value| Canning {
        headers: vec![("content-type", JSON), (name, value)],
        ..json(USERS)
    };
    let refused = [
        (
            "HTML labelled JSON",
            json("<html><body>Sign in</body></html>"),
        ),
        ("cut JSON", json(r#"{"Users":[{"UserId":"u""#)),
        ("JSON and more", json("{\"Users\":[]}{}")),
        ("an empty body", json("")),
        ("not the members of the operation", json(r#"{"Users":5}"#)),
        ("not an object", json("[]")),
        ("202", with(202, JSON, USERS)),
        ("204", with(204, JSON, "")),
        ("206", with(206, JSON, USERS)),
        ("a page of a proxy", with(200, "text/html", "<html/>")),
        ("without a content type", with(200, "", USERS)),
        ("encoded", header("content-encoding", "br")),
        ("no-store", header("cache-control", "no-store")),
        ("a secret", json(r#"{"Users":[],"ClientSecret":"s"}"#)),
        (
            "a changing resource",
            json(r#"{"Users":[],"Status":"UPDATING"}"#),
        ),
    ];
    for (name, response) in refused {
        let (canned, cached) = (Canned::default(), cached(|builder| builder));
        let client = canned.store(&cached);
        canned.push(response);
        canned.push(json(USERS));
        users(&client).await;
        assert_eq!(entries(&cached), 0, "{name}");
        assert_eq!(users(&client).await, Some(1), "{name}");
        assert_eq!(users(&client).await, Some(1), "{name}");
        assert_eq!(canned.requests(), 2, "{name}");
        assert_eq!(entries(&cached), 1, "{name}");
    }
}

/// Another program, or another version of the SDK, has stored it.
#[tokio::test]
async fn a_stored_response_that_the_sdk_cannot_deserialize_is_removed() {
    let (canned, cached) = (Canned::default(), cached(|builder| builder));
    let client = canned.store(&cached);
    canned.push(json(USERS));
    canned.push(json(USERS));
    assert_eq!(users(&client).await, Some(1));
    let cache = cached.cache().in_namespace(namespace());
    let key = cache.recent(1)[0].key.clone();
    let stored = cache.get(&key).into_hit().unwrap().data;
    let poisoned = String::from_utf8(stored.to_vec())
        .unwrap()
        .replace(USERS, r#"{"Users":7}"#);
    cache.put(&key, poisoned, &EntryOptions::source("somebody"));
    assert_eq!(users(&client).await, None);
    assert_eq!(users(&client).await, Some(1), "by the next call");
    assert_eq!(users(&client).await, Some(1));
    assert_eq!(canned.requests(), 2);
}

#[tokio::test]
async fn a_waiter_goes_past_the_cache() {
    const ROLE: &str = "<GetRoleResponse><GetRoleResult><Role><Path>/</Path><RoleName>r</RoleName>\
        <RoleId>i</RoleId><Arn>a</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></Role>\
        </GetRoleResult></GetRoleResponse>";
    let (canned, cached) = (Canned::default(), cached(|builder| builder));
    let client = canned.iam(&cached);
    canned.push(with(200, "text/xml", ROLE));
    canned.push(with(200, "text/xml", ROLE));
    for _ in 0..2 {
        client.get_role().role_name("r").send().await.unwrap();
    }
    assert_eq!(canned.requests(), 1);
    let waiter = client.wait_until_role_exists().role_name("r");
    waiter.wait(Duration::from_secs(5)).await.unwrap();
    assert_eq!(canned.requests(), 2, "the waiter sees the service");
    client.get_role().role_name("r").send().await.unwrap();
    assert_eq!(canned.requests(), 2);
    assert_eq!(cached.statistics().bypassed, 1);
}

/// A token is in a stored page, and the service does not take it any more.
#[tokio::test]
async fn a_later_page_that_fails_drops_its_list() {
    const FIRST: &str = r#"{"Users":[],"NextToken":"t"}"#;
    let refused = |code| Canning {
        headers: vec![("content-type", JSON), ("x-amzn-errortype", code)],
        ..with(400, JSON, "{}")
    };
    for (code, is_dropped) in [
        ("ValidationException", true),
        ("ThrottlingException", false),
    ] {
        let (canned, cached) = (Canned::default(), cached(|builder| builder));
        let client = canned.store(&cached);
        let page = async |token: Option<&str>| {
            let page = client.list_users().identity_store_id(IDENTITY_STORE);
            let page = page.set_next_token(token.map(Into::into));
            page.send().await.map(|page| page.next_token)
        };
        canned.push(json(FIRST));
        canned.push(refused(code));
        assert_eq!(page(None).await.unwrap().as_deref(), Some("t"));
        assert!(page(Some("t")).await.is_err());
        canned.push(json(USERS));
        let first = page(None).await.unwrap();
        assert_eq!(first.is_none(), is_dropped, "{code}: read anew");
    }
}

#[tokio::test]
async fn bearer_tokens_do_not_share_entries() {
    const GUARDRAILS: &str = r#"{"guardrails":[]}"#;
    let (canned, cached) = (Canned::default(), cached(|builder| builder));
    let client = |token: &str| {
        let config = aws_sdk_bedrock::config::Builder::from(&canned.sdk_config())
            .bearer_token(Token::new(token, None))
            .auth_scheme_preference(["httpBearerAuth".into()])
            .http_client(cached.http_client_over(canned.clone()))
            .interceptor(cached.interceptor());
        aws_sdk_bedrock::Client::from_conf(config.build())
    };
    let (one, other) = (client("one"), client("other"));
    for (client, requests) in [(&one, 1), (&one, 1), (&other, 2), (&other, 2), (&one, 2)] {
        canned.push(with(200, "application/json", GUARDRAILS));
        client.list_guardrails().send().await.unwrap();
        assert_eq!(canned.requests(), requests);
    }
    assert_eq!(
        entries(&cached),
        0,
        "not in the account of the credentials beside it"
    );
}

#[tokio::test]
async fn a_client_with_one_of_the_two_parts_is_named_once() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let (canned, cached) = (Canned::default(), cached(|builder| builder));
    let builder = || aws_sdk_identitystore::config::Builder::from(&canned.sdk_config());
    let without_interceptor = builder().http_client(cached.http_client_over(canned.clone()));
    let other = CachedClient::builder().cache(memory()).build().unwrap();
    let without_client = builder()
        .http_client(canned.clone())
        .interceptor(other.interceptor());
    for (config, missing) in [
        (without_interceptor, "not the interceptor"),
        (without_client, "not the HTTP client"),
    ] {
        let client = aws_sdk_identitystore::Client::from_conf(config.build());
        for _ in 0..2 {
            canned.push(json(USERS));
            assert_eq!(users(&client).await, Some(1));
        }
        let lines = log.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(missing), "{lines:?}");
    }
    assert_eq!(canned.requests(), 4);
}
