//! Time, and tiers that outlive a process.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedrock_catalog::cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog::cache::tier::sqlite::SqliteTier;
use bedrock_catalog::cache::{
    Cache, Codec, Key, ManualClock, MemoryLimits, Namespace, Terms, Tier,
};
use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_tests::fake_aws::{FakeAws, Fault, IDENTITY_STORE};

use crate::doubt::Gate;
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

/// What is out of date is no answer, not even where the service cannot be reached.
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

/// Each client has a cache of its own over one folder, as processes have.
#[tokio::test]
async fn another_process_reads_what_one_kept() {
    let folder = tempfile::tempdir().unwrap();
    let process = || {
        let disk = DiskTier::new(Locations::given([folder.path()]), Codec::new("0.1.0"));
        let cache = Cache::builder()
            .memory(MemoryLimits::default())
            .tier(Arc::new(disk) as Arc<dyn Tier>);
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
    assert_eq!(w.aws.requests("ListUsers"), 1, "from the folder");
    // A write drops it from the folder: a third process does not find it.
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
        "the folder is shared, the entries are not"
    );
}

/// A read failed a moment ago, so the next one asks by itself; another process writes before its answer is
/// here. By the clock of who reads, the write would be the older: the number it drew says that it is not.
#[tokio::test]
async fn a_read_that_asks_by_itself_and_is_overtaken_by_another_process_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let process = |ahead: u64| {
        let clock = ManualClock::at(SystemTime::now() + Duration::from_secs(ahead));
        let file = folder.path().join("cache.sqlite");
        let tier = SqliteTier::new(file, Codec::new("0.1.0")).with_clock(Arc::new(clock.clone()));
        let cache = Cache::builder().tier(Arc::new(tier) as Arc<dyn Tier>);
        let cache = cache.clock(clock.clone()).build().unwrap();
        (cached(|builder| builder.cache(cache)), clock)
    };
    let (w, gate) = (World::with(process(0).0), Gate::of_answers());
    let (reader, clock) = process(60);
    let user = w.user("ann").await;
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let read = |client: &aws_sdk_identitystore::Client| {
        let read = client.describe_user().identity_store_id(IDENTITY_STORE);
        read.user_id(&user).send()
    };
    let refused = Fault::Refused(403, "AccessDeniedException");
    w.aws.fail_next("DescribeUser", refused);
    assert!(read(&store(&config, &reader)).await.is_err());
    clock.advance(Duration::from_millis(1));
    let old = tokio::spawn(read(&gate.before(&config, &reader)));
    gate.waiting.notified().await;
    w.rename(&user, "Ann").await;
    gate.open.notify_one();
    let old = old.await.unwrap().unwrap();
    assert_eq!(old.display_name.as_deref(), Some("ann"), "as it was asked");
    assert_eq!(w.described(&user).await.as_deref(), Some("Ann"));
    let kept = read(&store(&config, &process(0).0)).await.unwrap();
    assert_eq!(kept.display_name.as_deref(), Some("Ann"));
    assert_eq!(w.aws.requests("DescribeUser"), 3, "from the file");
}

/// What somebody else put in an entry's place is asked anew, and mended.
#[tokio::test]
async fn an_entry_that_is_no_answer_of_ours_is_asked() {
    let w = World::new();
    w.user("ann").await;
    w.users().await;
    let cache = w
        .cached
        .cache()
        .in_namespace(Namespace::of(["aws-client", "aws", ACCOUNT]));
    let key: Key = cache.recent(1)[0].key.clone();
    let good = cache.get(&key).into_hit().unwrap().data;
    let mut cut = good.to_vec();
    cut.truncate(12);
    for poison in [
        b"".to_vec(),
        b"reply2".to_vec(),
        b"{}".to_vec(),
        b"reply2\xf4\x01\0\0error".to_vec(),
        cut,
    ] {
        let before = w.aws.requests("ListUsers");
        cache.put(&key, poison, &Terms::source("somebody"));
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
