//! The live catalog over real Redis servers, which these tests start. The tier itself is tested in catalog-cache.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod changes;
mod fleet;

use bedrock_catalog_test_support::redis_server::RedisServer;

fn server() -> Option<RedisServer> {
    RedisServer::start()
}
