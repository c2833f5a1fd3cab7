//! How often a write looks through a tier, and how long one that hangs holds it up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bedrock_catalog::cache::tier::redis::{RedisOptions, RedisTier};
use bedrock_catalog::cache::{Cache, Codec, MemoryLimits, Tier};
use bedrock_catalog_test_support::redis_server::{RedisServer, until};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_aws::IDENTITY_STORE;

use crate::stage::{ACCOUNT, World, cached, config, credentials, store};

const SOON: Duration = Duration::from_secs(20);

/// A client with memory over this tier, as each process has one.
fn over(tier: impl Into<Arc<dyn Tier>>) -> World {
    let cache = Cache::builder().memory(MemoryLimits::default()).tier(tier);
    World::with(cached(|builder| builder.cache(cache.build().unwrap())))
}

impl World {
    /// A write that changes the entries of two services.
    async fn delete(&self, user: &str) {
        let write = self.store.delete_user().identity_store_id(IDENTITY_STORE);
        write.user_id(user).send().await.unwrap();
    }
}

#[tokio::test]
async fn a_write_looks_through_each_tier_once_before_and_once_after() {
    let tier = FaultyTier::new("counting");
    let w = over(tier.clone());
    let user = w.user("ann").await;
    w.users().await;
    w.described(&user).await;
    let before = tier.calls(Op::Scan);
    w.delete(&user).await;
    assert_eq!(tier.calls(Op::Scan) - before, 2);
    assert!(w.users().await.is_empty());
}

/// 250 ms before the write and 250 ms after it, and what a wall clock may show beyond.
#[tokio::test]
async fn a_redis_that_hangs_holds_a_write_up_for_one_operation_before_and_one_after() {
    let Some(server) = RedisServer::start() else {
        return;
    };
    let redis = || {
        let options = RedisOptions::from_url(&server.url()).unwrap();
        Arc::new(RedisTier::new(options, Codec::new("0.1.0"))) as Arc<dyn Tier>
    };
    let w = over(redis());
    let user = w.user("ann").await;
    w.users().await;
    server.freeze();
    let start = Instant::now();
    w.delete(&user).await;
    let took = start.elapsed();
    assert!(took <= Duration::from_millis(2 * (250 + 250)), "{took:?}");
    println!("held for {took:?}");
    let statistics = w.cached.cache().statistics();
    assert_eq!(statistics.tier("redis").unwrap().errors, 2);
    server.thaw();
    // Nothing of it comes back here, and soon it is gone for others too.
    assert!(w.users().await.is_empty());
    let other = Cache::builder().tier(redis()).build().unwrap();
    let other = cached(|builder| builder.cache(other));
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let other = store(&config, &other);
    let mut rounds = 0;
    let start = Instant::now();
    while !other
        .list_users()
        .identity_store_id(IDENTITY_STORE)
        .send()
        .await
        .unwrap()
        .users
        .is_empty()
    {
        assert!(start.elapsed() < SOON, "it is never made up for");
        // The process that owes it asks something.
        w.described(&rounds.to_string()).await;
        rounds += 1;
    }
    until("it answers", SOON, || redis().health().ok);
}
