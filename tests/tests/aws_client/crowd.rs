//! Many callers at once.

use std::time::Duration;

use bedrock_catalog_tests::fake_aws::{Fault, IDENTITY_STORE};
use tokio::task::JoinSet;

use crate::stage::{ACCOUNT, World, cached, config, credentials, memory, rename_once, store};
use crate::uncertain::Gate;

async fn crowd(w: &World, callers: usize) -> (usize, usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let read = w
            .store
            .list_users()
            .identity_store_id(IDENTITY_STORE)
            .send();
        tasks.spawn(async move { read.await.map(|users| users.users.len()) });
    }
    let answers = tasks.join_all().await;
    let right = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(1)))
        .count();
    (right, answers.len() - right)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_are_one_request() {
    let w = World::new();
    w.user("ann").await;
    w.aws.delay(Duration::from_millis(100));
    assert_eq!(crowd(&w, 100).await, (100, 0));
    assert_eq!(w.aws.requests("ListUsers"), 1);
    let statistics = w.cached.statistics();
    assert_eq!((statistics.misses, statistics.hits), (1, 99));
}

/// A write with an uncertain outcome.
async fn leave_uncertain(w: &World, user: &str, name: &str) {
    let done = Fault::DoneBut(500, "InternalServerException");
    w.aws.fail_next("UpdateUser", done);
    assert!(!rename_once(&w.store, user, name).await);
}

/// The reads go past the cache, and share a request.
#[tokio::test]
async fn a_hundred_callers_are_one_request_while_a_write_is_uncertain() {
    let (w, gate) = (World::new(), Gate::of_answers());
    let user = w.user("ann").await;
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    leave_uncertain(&w, &user, "Ann").await;
    for round in 1..=2 {
        let store = gate.before(&config, &w.cached);
        let mut readers = JoinSet::new();
        for _ in 0..100 {
            let read = store.list_users().identity_store_id(IDENTITY_STORE);
            readers.spawn(read.send());
        }
        gate.waiting.notified().await;
        // The other readers run on this thread until they wait.
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        gate.open.notify_one();
        let answers = tokio::time::timeout(Duration::from_secs(60), readers.join_all()).await;
        assert!(answers.unwrap().iter().all(Result::is_ok));
        assert_eq!(w.aws.requests("ListUsers"), round, "and nothing is stored");
    }
    let statistics = w.cached.statistics();
    assert_eq!((statistics.misses, statistics.hits), (2, 198));
}

/// A caller with other credentials sends a request of its own, and does not wait.
#[tokio::test]
async fn while_a_write_is_uncertain_identities_do_not_share() {
    let (w, gate) = (World::new(), Gate::of_answers());
    let user = w.user("ann").await;
    let of = |key| config(&w.aws.url(), credentials(key, Some(ACCOUNT)));
    leave_uncertain(&w, &user, "Ann").await;
    let slow = gate.before(&of("AKIDONE"), &w.cached);
    let read = slow.list_users().identity_store_id(IDENTITY_STORE);
    let read = tokio::spawn(read.send());
    gate.waiting.notified().await;
    let other = store(&of("AKIDTWO"), &w.cached);
    let other = other.list_users().identity_store_id(IDENTITY_STORE).send();
    let other = tokio::time::timeout(Duration::from_secs(60), other).await;
    assert!(other.unwrap().is_ok());
    assert_eq!(w.aws.requests("ListUsers"), 2);
    gate.open.notify_one();
    assert!(read.await.unwrap().is_ok());
}

/// A read after another write neither shares a request from before it nor waits for it.
#[tokio::test]
async fn while_a_write_is_uncertain_a_read_after_another_write_is_a_request_of_its_own() {
    let (cache, gate) = (memory(), Gate::of_answers());
    let w = World::with(cached(|builder| builder.cache(cache.clone())));
    let user = w.user("ann").await;
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    leave_uncertain(&w, &user, "Ann").await;
    let elsewhere = aws_sdk_identitystore::Client::new(&config);
    // It does not know the uncertain write, as another process does not.
    let another = store(&config, &cached(|builder| builder.cache(cache)));
    for name in ["uncertain", "done", "by another", "elsewhere"] {
        let before = w.described(&user).await;
        let slow = gate.before(&config, &w.cached);
        let read = slow.describe_user().identity_store_id(IDENTITY_STORE);
        let read = tokio::spawn(read.user_id(&user).send());
        gate.waiting.notified().await;
        match name {
            "uncertain" => leave_uncertain(&w, &user, name).await,
            "done" => w.rename(&user, name).await,
            "by another" => assert!(rename_once(&another, &user, name).await),
            _ => {
                assert!(rename_once(&elsewhere, &user, name).await);
                let of = [("UserId", &*user)];
                w.cached.invalidate("identitystore", "UpdateUser", of).await;
            }
        }
        let soon = tokio::time::timeout(Duration::from_secs(60), w.described(&user));
        assert_eq!(soon.await.unwrap().as_deref(), Some(name));
        gate.open.notify_one();
        assert_eq!(read.await.unwrap().unwrap().display_name, before);
    }
}

/// The leader gives up: a waiter leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_leader_is_replaced() {
    let w = World::new();
    w.user("ann").await;
    w.aws.delay(Duration::from_millis(50));
    let read = w
        .store
        .list_users()
        .identity_store_id(IDENTITY_STORE)
        .send();
    let leader = tokio::spawn(read);
    while w.aws.requests("ListUsers") == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (answers, ()) = tokio::join!(crowd(&w, 20), async { leader.abort() });
    assert_eq!(answers, (20, 0));
    assert_eq!(w.aws.requests("ListUsers"), 2);
}

/// The leader is refused: each waiter sends a request of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_not_shared() {
    let w = World::new();
    w.user("ann").await;
    w.aws.delay(Duration::from_millis(50));
    w.aws
        .fail_next("ListUsers", Fault::Refused(400, "AccessDeniedException"));
    assert_eq!(crowd(&w, 20).await, (19, 1));
    assert_eq!(w.users().await.len(), 1);
}
