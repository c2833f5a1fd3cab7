//! The cost of the caching client beside the SDK's own work: `cargo bench --bench aws_client`. The baseline is
//! the same SDK call on a connector that answers at once with the same bytes. The caching client is in front of
//! the same connector.
//!
//! `instructions WHAT COUNT USERS` makes this number of calls and nothing else, for a count of instructions:
//! `valgrind --tool=callgrind`, WHAT is `canned`, `hit` or `miss`, the difference of two counts.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::cast_precision_loss
)]

mod ratio;

use std::cell::Cell;
use std::hint::black_box;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_identitystore::config::{BehaviorVersion, Region};
use aws_sdk_identitystore::{Client, Config};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_cache::{Cache, Clock, ManualClock, MemoryLimits, SystemClock};
use bytes::Bytes;
use ratio::{compare, contender};

/// Calls in one round.
const CALLS: usize = 50;

/// Answers every call at once with the same bytes.
#[derive(Debug, Clone)]
struct Canned(Bytes);

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
        let mut response =
            HttpResponse::new(200.try_into().unwrap(), SdkBody::from(self.0.clone()));
        let headers = response.headers_mut();
        headers.insert("content-type", "application/x-amz-json-1.1");
        headers.insert("x-amzn-requestid", "00000000-0000-4000-8000-000000000000");
        headers.insert("date", "Sat, 21 Nov 2026 09:00:00 GMT");
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// A page with this number of users.
fn page(users: usize) -> Bytes {
    let user = |n: usize| {
        format!(
            r#"{{"UserName":"user{n}","UserId":"9067-{n:032x}","DisplayName":"User {n}","IdentityStoreId":"d-1234567890"}}"#
        )
    };
    let users: Vec<_> = (0..users).map(user).collect();
    format!(r#"{{"Users":[{}]}}"#, users.join(",")).into()
}

fn client(cached: Option<&CachedClient>, users: usize) -> Client {
    let credentials = Credentials::builder()
        .access_key_id("AKIDEXAMPLE")
        .secret_access_key("secret")
        .account_id("111111111111")
        .provider_name("bench")
        .build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials);
    let canned = Canned(page(users));
    let config = match cached {
        None => config.http_client(canned),
        Some(cached) => config
            .http_client(cached.http_client_over(canned))
            .interceptor(cached.interceptor()),
    };
    Client::from_conf(config.build())
}

fn cached(clock: impl Clock) -> CachedClient {
    let cache = Cache::builder()
        .memory(MemoryLimits::default())
        .clock(clock)
        .build()
        .unwrap();
    CachedClient::builder().cache(cache).build().unwrap()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let arguments: Vec<String> = std::env::args().collect();
    let counted = arguments.iter().position(|word| word == "instructions");
    // Valgrind does not know how the system clock reads the time.
    let cached = match counted {
        Some(_) => cached(ManualClock::at(SystemTime::now())),
        None => cached(SystemClock),
    };
    let users = counted.and_then(|at| arguments.get(at + 3));
    let users = users.map_or(20, |users| users.parse().unwrap());
    let (plain, caching) = (client(None, users), client(Some(&cached), users));
    let pages = Cell::new(0);
    let call = |client: &Client, page: Option<u32>| {
        let call = client.list_users().identity_store_id("d-1234567890");
        // Both name a page, so that both send the same request.
        let call = call.next_token(page.unwrap_or_default().to_string());
        let page = runtime.block_on(call.send()).unwrap();
        assert_eq!(black_box(page.users).len(), users);
    };
    let next = || {
        pages.set(pages.get() + 1);
        Some(pages.get())
    };
    if let Some(at) = counted {
        let count: usize = arguments[at + 2].parse().unwrap();
        for _ in 0..count {
            match arguments[at + 1].as_str() {
                "canned" => call(&plain, next()),
                "hit" => call(&caching, None),
                "miss" => call(&caching, next()),
                other => panic!("canned, hit or miss, not {other}"),
            }
        }
        return;
    }
    let best = compare(
        "ListUsers, a page of twenty",
        CALLS,
        vec![
            contender("the SDK on a canned connector", || {
                (0..CALLS).for_each(|_| call(&plain, next()));
            }),
            contender("a hit in memory", || {
                (0..CALLS).for_each(|_| call(&caching, None));
            }),
            contender("a miss, stored in memory", || {
                (0..CALLS).for_each(|_| call(&caching, next()));
            }),
        ],
    );
    println!("  a hit: {:.2}× (goal: at most 1.15×)", best[1] / best[0]);
    println!(
        "  a miss: {:.2}× in time (goal: at most 1.25× in instructions)",
        best[2] / best[0]
    );
}
