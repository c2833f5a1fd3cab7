//! Time, and tiers that processes share.

use std::time::{Duration, SystemTime};

use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_cache::{Cache, EntryOptions, Key, ManualClock, MemoryLimits, Namespace};
use bedrock_catalog_test_support::FaultyTier;
use bedrock_catalog_tests::fake_aws::{FakeAws, IDENTITY_STORE};

use crate::stage::{ACCOUNT, World, cached, config, credentials, store};

#[tokio::test]
async fn a_read_is_fresh_for_its_time() {
    let clock = ManualClock::at(SystemTime::now());
    let cache = Cache::builder()
        .memory(MemoryLimits::default())
        .clock(clock.clone())
        .build()
        .unwrap();
    let hour = Duration::from_secs(3600);
    let cached = cached(|builder| {
        let builder =
            builder
                .cache(cache)
                .fresh_for_operation("identitystore", "DescribeUser", hour);
        builder.fresh_for_operation("identitystore", "ListGroups", Duration::ZERO)
    });
    let w = World::with(cached);
    let user = w.user("ann").await;
    let read = async || {
        w.users().await;
        w.described(&user).await;
        w.store
            .list_groups()
            .identity_store_id(IDENTITY_STORE)
            .send()
            .await
            .unwrap();
        (
            w.aws.requests("ListUsers"),
            w.aws.requests("DescribeUser"),
            w.aws.requests("ListGroups"),
        )
    };
    assert_eq!(read().await, (1, 1, 1));
    assert_eq!(read().await, (1, 1, 2));
    clock.advance(Duration::from_secs(15 * 60) - Duration::from_millis(1));
    assert_eq!(read().await, (1, 1, 3));
    clock.advance(Duration::from_millis(1));
    assert_eq!(read().await, (2, 1, 4));
    clock.advance(hour);
    assert_eq!(read().await, (3, 2, 5));
}

/// Not even if the service cannot be reached.
#[tokio::test]
async fn nothing_stale_is_served() {
    let clock = ManualClock::at(SystemTime::now());
    let cache = Cache::builder()
        .memory(MemoryLimits::default())
        .clock(clock.clone())
        .build()
        .unwrap();
    let cached = cached(|builder| builder.cache(cache));
    let aws = FakeAws::start().unwrap();
    let client = store(
        &config(&aws.url(), credentials("AKIDONE", Some(ACCOUNT))),
        &cached,
    );
    let read = || client.list_users().identity_store_id(IDENTITY_STORE).send();
    read().await.unwrap();
    drop(aws);
    read()
        .await
        .expect("the server is gone, the answer is there");
    clock.advance(Duration::from_secs(3600));
    assert!(read().await.is_err());
}

/// Each client has a memory of its own over the tier, as processes have.
#[tokio::test]
async fn another_process_reads_the_stored_response() {
    let tier = FaultyTier::new("shared");
    let process = || {
        let cache = Cache::builder()
            .memory(MemoryLimits::default())
            .tier(tier.clone());
        cached(|builder| builder.cache(cache.build().unwrap()))
    };
    let w = World::with(process());
    let user = w.user("ann").await;
    assert_eq!(w.users().await.len(), 1);
    let other = process();
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let client = store(&config, &other);
    let read = || client.list_users().identity_store_id(IDENTITY_STORE).send();
    assert_eq!(read().await.unwrap().users.len(), 1);
    assert_eq!(w.aws.requests("ListUsers"), 1, "from the tier");
    // A write removes it from the tier: a third process does not find it.
    w.rename(&user, "Ann").await;
    let third = store(&config, &process());
    let users = third
        .list_users()
        .identity_store_id(IDENTITY_STORE)
        .send()
        .await
        .unwrap()
        .users;
    assert_eq!(users[0].display_name.as_deref(), Some("Ann"));
    assert_eq!(w.aws.requests("ListUsers"), 2);
    let stranger = config.into_builder();
    let stranger = stranger.credentials_provider(
        aws_credential_types::provider::SharedCredentialsProvider::new(credentials(
            "AKIDTWO",
            Some(ACCOUNT),
        )),
    );
    let stranger = store(&stranger.build(), &process());
    stranger
        .list_users()
        .identity_store_id(IDENTITY_STORE)
        .send()
        .await
        .unwrap();
    assert_eq!(
        w.aws.requests("ListUsers"),
        3,
        "the tier is shared, the entries are not"
    );
}

/// The entry of another program is replaced.
#[tokio::test]
async fn an_entry_that_is_no_response_is_a_miss() {
    let w = World::new();
    w.user("ann").await;
    w.users().await;
    let cache = w
        .cached
        .cache()
        .in_namespace(Namespace::of(["aws-client", ACCOUNT]));
    let key: Key = cache.recent(1)[0].key.clone();
    let good = cache.get(&key).into_hit().unwrap().data;
    let mut cut = good.to_vec();
    cut.truncate(12);
    for poison in [
        b"".to_vec(),
        b"aws-response/1\n".to_vec(),
        b"{}".to_vec(),
        b"aws-response/2\n\n{}".to_vec(),
        cut,
    ] {
        let before = w.aws.requests("ListUsers");
        cache.put(&key, poison, &EntryOptions::source("somebody"));
        assert_eq!(w.users().await.len(), 1);
        assert_eq!(w.users().await.len(), 1);
        assert_eq!(w.aws.requests("ListUsers"), before + 1);
    }
}

#[test]
fn a_client_needs_a_cache_and_whole_names() {
    assert!(CachedClient::builder().build().is_err());
    let cache = Cache::builder().build().unwrap();
    assert!(
        CachedClient::builder()
            .cache(cache.clone())
            .namespace("")
            .build()
            .is_err()
    );
    assert!(
        CachedClient::builder()
            .cache(cache)
            .identity("")
            .build()
            .is_err()
    );
}
