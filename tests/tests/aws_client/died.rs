//! A process that dies in the middle of a write, which the service has done.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bedrock_catalog_aws_client::CachedClient;
use bedrock_catalog_cache::{Cache, FilesOptions, RedisOptions};
use bedrock_catalog_test_support::redis_server::{RedisServer, wait_until};
use bedrock_catalog_tests::fake_aws::{FakeAws, Fault, IDENTITY_STORE};
use bedrock_catalog_tests::fake_bedrock::Delivery;

use crate::stage::{ACCOUNT, cached, change, config, credentials, store};

/// The variables with the server, the tier and the user of the child.
const VARIABLES: [&str; 3] = ["DIED_URL", "DIED_TIER", "DIED_USER"];

/// The cache of a process, over the Redis or the folder that all share.
fn process(tier: &str) -> CachedClient {
    let cache = Cache::builder();
    let cache = match tier.starts_with("redis:") {
        true => cache.redis(RedisOptions::from_url(tier).unwrap()),
        false => cache.files(FilesOptions::in_folders([tier])),
    };
    let cache = cache.build().unwrap();
    cached(|builder| builder.cache(cache))
}

fn client(url: &str, tier: &str) -> aws_sdk_identitystore::Client {
    let config = config(url, credentials("AKIDONE", Some(ACCOUNT)));
    store(&config, &process(tier))
}

async fn names(client: &aws_sdk_identitystore::Client) -> Vec<Option<String>> {
    let listed = client.list_users().identity_store_id(IDENTITY_STORE);
    let users = listed.send().await.unwrap().users;
    users.into_iter().map(|user| user.display_name).collect()
}

/// The child of the tests below. It is killed before its write returns.
#[tokio::test]
async fn child() {
    let [Ok(url), Ok(tier), Ok(user)] = VARIABLES.map(std::env::var) else {
        return;
    };
    let client = client(&url, &tier);
    // It has read, as any process has.
    names(&client).await;
    let write = client.update_user().identity_store_id(IDENTITY_STORE);
    let write = write.user_id(user).operations(change("displayName", "Ann"));
    write.send().await.unwrap();
    panic!("the answer never comes");
}

fn writer(values: [&str; 3]) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["died::child", "--exact", "--nocapture"])
        .envs(VARIABLES.into_iter().zip(values))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn a_write_of_the_dead_shows(tier: &str) {
    let aws = FakeAws::start().unwrap();
    let reader = client(&aws.url(), tier);
    let made = reader.create_user().identity_store_id(IDENTITY_STORE);
    let made = made.user_name("ann").display_name("ann").send().await;
    let user = made.unwrap().user_id;
    assert_eq!(names(&reader).await, [Some("ann".to_owned())]);
    assert_eq!(names(&client(&aws.url(), tier)).await.len(), 1);
    assert_eq!(aws.requests("ListUsers"), 1, "the tier is shared");
    aws.fail_next("UpdateUser", Fault::Delivered(Delivery::Never));
    let mut writer = writer([&aws.url(), tier, &user]);
    wait_until("the write is done", Duration::from_secs(60), || {
        aws.user_name(&user) == "Ann"
    });
    assert!(writer.try_wait().unwrap().is_none(), "it still waits");
    // SIGKILL: no destructor runs.
    writer.kill().unwrap();
    assert!(!writer.wait().unwrap().success());
    assert_eq!(
        aws.requests("ListUsers"),
        1,
        "the child read it from the tier"
    );
    for client in [client(&aws.url(), tier), reader] {
        assert_eq!(names(&client).await, [Some("Ann".to_owned())]);
    }
    assert_eq!(aws.requests("ListUsers"), 2, "one request, and stored");
}

#[tokio::test]
async fn the_write_of_a_dead_process_shows_over_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    a_write_of_the_dead_shows(folder.path().to_str().unwrap()).await;
}

#[tokio::test]
async fn the_write_of_a_dead_process_shows_over_redis() {
    if let Some(server) = RedisServer::start() {
        a_write_of_the_dead_shows(&server.url()).await;
    }
}
