//! A cache in front of any AWS SDK client: reads are answered from it, writes drop what they change, and
//! no call site changes. It works on the HTTP messages, below the SDK's own code and above its HTTP
//! client; it knows nothing of the catalog, and of services only what its [`Rules`] say.
//!
//! Two lines on a service's configuration:
//!
//! ```
//! # mod canned {
//! #     use aws_smithy_runtime_api::client::http::*;
//! #     use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
//! #     use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
//! #     use std::sync::{Arc, atomic::{AtomicUsize, Ordering}};
//! #     #[derive(Debug, Clone, Default)]
//! #     pub struct Canned(pub Arc<AtomicUsize>);
//! #     impl HttpClient for Canned {
//! #         fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
//! #             SharedHttpConnector::new(self.clone())
//! #         }
//! #     }
//! #     impl HttpConnector for Canned {
//! #         fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
//! #             self.0.fetch_add(1, Ordering::SeqCst);
//! #             let mut response = HttpResponse::new(200.try_into().unwrap(), r#"{"guardrails":[]}"#.into());
//! #             response.headers_mut().insert("content-type", "application/json");
//! #             HttpConnectorFuture::ready(Ok(response))
//! #         }
//! #     }
//! # }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run())
//! # }
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! # use aws_config::{BehaviorVersion, Region, SdkConfig};
//! # use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
//! # let credentials = Credentials::builder().access_key_id("AKIDEXAMPLE").secret_access_key("secret")
//! #     .account_id("111111111111").provider_name("doc").build();
//! # let inner = canned::Canned::default();
//! # let sdk_config = SdkConfig::builder().behavior_version(BehaviorVersion::latest())
//! #     .region(Region::new("us-east-1"))
//! #     .credentials_provider(SharedCredentialsProvider::new(credentials)).build();
//! use bedrock_catalog_aws_client::CachedClient;
//! use bedrock_catalog_cache::{Cache, MemoryLimits};
//!
//! let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
//! let cached = CachedClient::builder().cache(cache).build()?;
//!
//! let config = aws_sdk_bedrock::config::Builder::from(&sdk_config)
//!     .http_client(cached.http_client())
//! #     .http_client(cached.http_client_over(inner.clone()))
//!     .interceptor(cached.interceptor())
//!     .build();
//! let client = aws_sdk_bedrock::Client::from_conf(config);
//!
//! client.list_guardrails().send().await?; // asks
//! client.list_guardrails().send().await?; // does not
//! assert_eq!(cached.statistics().answered, 1);
//! # assert_eq!(inner.0.load(std::sync::atomic::Ordering::SeqCst), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is cached
//! `List…`, `Describe…` and `Get…` operations of the REST-JSON, AWS JSON, Query and the other protocols:
//! whole answers with a success status and at most [`largest_body`](CachedClientBuilder::largest_body)
//! bytes, for 15 minutes or what [`fresh_for`](CachedClientBuilder::fresh_for) says. Of callers who ask the
//! same at the same time one asks, and all are served. Never cached are errors, streams, answers that say
//! that something is on its way (`"status":"CREATING"`), and what the rules call secret: credentials,
//! tokens, secret values, pre-signed links. A [`NoCache`] on a single call goes past the cache.
//!
//! # Whose it is
//! An entry is of one account (of the name the caller gives, where the credentials do not say), and of one
//! access key, region and endpoint. No other ever sees it. Neither signatures nor secrets nor account ids
//! are in a key. The SDK still resolves credentials for each call and signs it: who has none gets nothing.
//!
//! # Writes
//! What is not a read drops what it changes, by [`Rules`], of all identities of its account: before it is
//! sent, so that a process that dies in the middle of it leaves nothing old in a tier that others read;
//! and after it came back, unless the service refused it (a 4xx that is no timeout has changed nothing).
//! An outcome in doubt, which is an error of the server or the connection, a timeout, a future that was
//! dropped, counts as done. A read under way while a write ends is answered, and not kept. This holds
//! within a process, and among those that share a Redis or an SQLite file: it numbers who asks, and does
//! not take what was asked before the write. Over files alone, or where the number could not be had in
//! time, another process's read under way may leave an old answer that is fresh for its time.

mod client;
mod digest;
mod error;
mod headers;
mod identity;
mod layer;
mod mark;
mod parameters;
mod reply;
mod rules;
mod statistics;
mod tags;
#[cfg(test)]
mod tests;
mod writes;

pub use client::{CachedClient, CachedClientBuilder};
pub use error::ClientError;
pub use layer::Dropped;
pub use mark::NoCache;
pub use rules::Rules;
pub use statistics::ClientStatistics;
