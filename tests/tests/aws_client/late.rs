//! A write that reaches the service after its caller gave up, and after somebody has read again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_identitystore::Client;
use bedrock_catalog::cache::tier::disk::{DiskTier, Locations};
use bedrock_catalog::cache::{Cache, Codec, ManualClock, Tier};
use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_tests::fake_aws::{Fault, IDENTITY_STORE};

use crate::doubt::Gate;
use crate::stage::{ACCOUNT, World, cached, config, credentials, rename_once, store};

/// How long a write may be on its way, as the manual has it.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// A client over this folder, as each process has one.
fn over(folder: &Path, clock: &ManualClock) -> CachedClient {
    let disk = DiskTier::new(Locations::given([folder]), Codec::new("0.1.0"));
    let cache = Cache::builder().tier(Arc::new(disk) as Arc<dyn Tier>);
    let cache = cache.clock(clock.clone()).build().unwrap();
    cached(|builder| builder.cache(cache))
}

async fn name(client: &Client, user: &str) -> Option<String> {
    let read = client.describe_user().identity_store_id(IDENTITY_STORE);
    read.user_id(user).send().await.unwrap().display_name
}

#[tokio::test]
async fn what_is_read_before_a_write_in_doubt_is_done_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(SystemTime::now());
    let process = || over(folder.path(), &clock);
    // The caller gives up, or the service says that something went wrong.
    for gives_up in [true, false] {
        let w = World::with(process());
        let user = w.user("ann").await;
        let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
        let of_another = store(&config, &process());
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
        assert_eq!(w.cached.statistics().in_doubt, 1);
        // Somebody reads here, and in another process that knows of no write.
        assert_eq!(name(&w.store, &user).await.as_deref(), Some("ann"));
        assert_eq!(name(&of_another, &user).await.as_deref(), Some("ann"));
        // And now it is done.
        let late = Client::new(&config);
        assert!(rename_once(&late, &user, "Ann").await);
        assert_eq!(name(&w.store, &user).await.as_deref(), Some("Ann"));
        // After its time it is dropped once more, for the others too, and reads are kept again.
        clock.advance(ON_ITS_WAY);
        let mut others = None;
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while others.as_deref() != Some("Ann") && std::time::Instant::now() < deadline {
            name(&w.store, &user).await;
            others = name(&of_another, &user).await;
        }
        assert_eq!(others.as_deref(), Some("Ann"));
        let mut before = 0;
        while before != w.aws.requests("DescribeUser") && std::time::Instant::now() < deadline {
            before = w.aws.requests("DescribeUser");
            assert_eq!(name(&w.store, &user).await.as_deref(), Some("Ann"));
        }
        assert_eq!(before, w.aws.requests("DescribeUser"), "kept again");
    }
}

/// Nobody reads in the process that wrote, and another one has read meanwhile.
#[tokio::test]
async fn a_process_that_only_writes_drops_it_once_more_too() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(SystemTime::now());
    let process = || over(folder.path(), &clock);
    let w = World::with(process());
    let user = w.user("ann").await;
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let of_another = store(&config, &process());
    let fault = Fault::Refused(500, "InternalServerException");
    w.aws.fail_next("UpdateUser", fault);
    assert!(!rename_once(&w.store, &user, "Ann").await);
    assert_eq!(name(&of_another, &user).await.as_deref(), Some("ann"));
    // And now it is done.
    let late = Client::new(&config);
    assert!(rename_once(&late, &user, "Ann").await);
    clock.advance(ON_ITS_WAY);
    w.group("others").await;
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while name(&of_another, &user).await.as_deref() != Some("Ann") {
        assert!(std::time::Instant::now() < deadline, "it is never dropped");
    }
}
