//! A read cache in front of any AWS SDK client. Reads are answered from the cache, writes invalidate, and
//! no call changes. It works on HTTP messages, between the SDK and its HTTP client.
//!
//! Two lines on the configuration of a service install it:
//!
//! ```no_run
//! use aws_config::BehaviorVersion;
//! use bedrock_catalog_aws_client::CachedClient;
//! use bedrock_catalog_cache::{Cache, MemoryLimits};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
//!     let cached = CachedClient::builder().cache(cache).build()?;
//!
//!     let sdk_config = aws_config::load_defaults(BehaviorVersion::latest()).await;
//!     let config = aws_sdk_bedrock::config::Builder::from(&sdk_config)
//!         .http_client(cached.http_client())
//!         .interceptor(cached.interceptor())
//!         .build();
//!     let client = aws_sdk_bedrock::Client::from_conf(config);
//!
//!     client.list_guardrails().send().await?; // sends a request
//!     client.list_guardrails().send().await?; // does not
//!     assert_eq!(cached.statistics().hits, 1);
//!     Ok(())
//! }
//! ```
//!
//! # Cached operations
//! `List…`, `Describe…` and `Get…` in the JSON, XML, Query and CBOR protocols, for 15 minutes
//! ([`fresh_for`](CachedClientBuilder::fresh_for)). Callers that read the same at the same time share one
//! request. A response is stored if it is a 200 with a whole JSON, XML or CBOR body of at most 1 MiB
//! ([`largest_body`](CachedClientBuilder::largest_body)), without `content-encoding` and `no-store`. If
//! the SDK cannot deserialize it, it is removed again.
//!
//! Never stored, by the [`Rules`]: secrets, tokens, keys, signed links; states of resources that are
//! changing (`CREATING`); reads of the data plane. A waiter of the SDK and a call with [`NoCache`] go past
//! the cache. If a later page of a list fails, its earlier pages are removed.
//!
//! # Callers
//! An entry belongs to one account, identity (access key, secret and session token, or a bearer token),
//! region and endpoint. Keys have only hashes of them. The SDK resolves credentials and signs as without
//! a cache: a caller without credentials gets nothing.
//!
//! # Writes
//! Every other operation is a write, unless the rules call it neutral. A write invalidates by the
//! [`Rules`], for all identities of its account: before it is sent, and after it has returned. A write
//! that the service refuses changes nothing. If the outcome is uncertain (an error of the service or the
//! connection, a timeout, a future that is dropped), reads of the same entries go past the cache for five
//! seconds. A read is not stored if a write invalidates its entry
//! meanwhile. Other processes see an invalidation as soon as
//! their tiers do, at the latest when the entry is no longer fresh.
//!
//! # Features
//! `metrics` publishes the [`ClientStatistics`] through the `metrics` facade.

mod builder;
mod client;
mod connector;
mod document;
mod error;
mod identity;
mod interceptor;
mod invalidation;
mod parameters;
mod resource_ids;
mod response;
mod rules;
mod statistics;
#[cfg(test)]
mod tests;

pub use builder::CachedClientBuilder;
pub use client::CachedClient;
pub use connector::Invalidated;
pub use error::{ClientError, ClientErrorKind};
pub use interceptor::NoCache;
pub use rules::Rules;
pub use statistics::ClientStatistics;
