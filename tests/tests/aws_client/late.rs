//! A write that reaches the service after its caller gave up, and after another caller has read.

use std::time::{Duration, SystemTime};

use aws_sdk_identitystore::Client;
use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_cache::{Cache, ManualClock};
use bedrock_catalog_test_support::FaultyTier;
use bedrock_catalog_tests::fake_aws::{Fault, IDENTITY_STORE};

use crate::stage::{ACCOUNT, World, cached, config, credentials, rename_once, store};
use crate::uncertain::Gate;

/// The time for which the outcome of a write is uncertain.
const UNCERTAIN_FOR: Duration = Duration::from_secs(5);

/// A client over the tier that the processes share.
fn process(tier: &FaultyTier, clock: &ManualClock) -> CachedClient {
    let cache = Cache::builder().tier(tier.clone()).clock(clock.clone());
    cached(|builder| builder.cache(cache.build().unwrap()))
}

async fn name(client: &Client, user: &str) -> Option<String> {
    let read = client.describe_user().identity_store_id(IDENTITY_STORE);
    read.user_id(user).send().await.unwrap().display_name
}

#[tokio::test]
async fn a_read_before_an_uncertain_write_is_done_is_not_stored() {
    // The caller gives up, or the service fails.
    for gives_up in [true, false] {
        let clock = ManualClock::at(SystemTime::now());
        let tier = FaultyTier::new("shared");
        let w = World::with(process(&tier, &clock));
        let user = w.user("ann").await;
        let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
        let of_another = store(&config, &process(&tier, &clock));
        let gate = Gate::default();
        let client = match gives_up {
            true => gate.before(&config, &w.cached),
            false => store(&config, &w.cached),
        };
        if !gives_up {
            let fault = Fault::Refused(500, "InternalServerException");
            w.aws.fail_next("UpdateUser", fault);
        }
        tokio::select! {
            done = rename_once(&client, &user, "Ann") => assert!(!gives_up && !done),
            () = gate.waiting.notified() => assert!(gives_up),
        }
        assert_eq!(w.cached.statistics().uncertain_writes, 1);
        // A read here, and one in another process, which knows of no write.
        assert_eq!(name(&w.store, &user).await.as_deref(), Some("ann"));
        assert_eq!(name(&of_another, &user).await.as_deref(), Some("ann"));
        // Now the write is done.
        let late = Client::new(&config);
        assert!(rename_once(&late, &user, "Ann").await);
        assert_eq!(name(&w.store, &user).await.as_deref(), Some("Ann"));
        // After its time the entries are removed once more, for other processes too.
        clock.advance(UNCERTAIN_FOR);
        assert_eq!(name(&w.store, &user).await.as_deref(), Some("Ann"));
        assert_eq!(name(&of_another, &user).await.as_deref(), Some("Ann"));
        let requests = w.aws.requests("DescribeUser");
        assert_eq!(name(&w.store, &user).await.as_deref(), Some("Ann"));
        assert_eq!(w.aws.requests("DescribeUser"), requests, "stored again");
    }
}

/// No read happens in the process of the write, and another process has read meanwhile.
#[tokio::test]
async fn a_process_that_only_writes_removes_the_entries_once_more_too() {
    let clock = ManualClock::at(SystemTime::now());
    let tier = FaultyTier::new("shared");
    let w = World::with(process(&tier, &clock));
    let user = w.user("ann").await;
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let of_another = store(&config, &process(&tier, &clock));
    let fault = Fault::Refused(500, "InternalServerException");
    w.aws.fail_next("UpdateUser", fault);
    assert!(!rename_once(&w.store, &user, "Ann").await);
    assert_eq!(name(&of_another, &user).await.as_deref(), Some("ann"));
    // Now the write is done.
    let late = Client::new(&config);
    assert!(rename_once(&late, &user, "Ann").await);
    clock.advance(UNCERTAIN_FOR);
    w.group("others").await;
    assert_eq!(name(&of_another, &user).await.as_deref(), Some("Ann"));
}
