//! The number of times that a write looks through a tier.

use bedrock_catalog_cache::{Cache, MemoryLimits};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_aws::IDENTITY_STORE;

use crate::stage::{World, cached};

#[tokio::test]
async fn a_write_looks_through_each_tier_once_before_and_once_after() {
    let tier = FaultyTier::new("counting");
    let cache = Cache::builder().memory(MemoryLimits::default());
    let cache = cache.tier(tier.clone()).build().unwrap();
    let w = World::with(cached(|builder| builder.cache(cache)));
    let user = w.user("ann").await;
    w.users().await;
    w.described(&user).await;
    let before = tier.calls(Op::Remove);
    // It changes the entries of two services.
    let write = w.store.delete_user().identity_store_id(IDENTITY_STORE);
    write.user_id(user).send().await.unwrap();
    assert_eq!(tier.calls(Op::Remove) - before, 2);
    assert!(w.users().await.is_empty());
}
