//! Many callers at once.

use std::time::Duration;

use bedrock_catalog_tests::fake_aws::{Fault, IDENTITY_STORE};
use tokio::task::JoinSet;

use crate::stage::World;

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
    assert_eq!((statistics.asked, statistics.answered), (1, 99));
}

/// The one who asks gives up: another one asks, and nobody waits for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_who_is_cancelled_is_replaced() {
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

/// The one who asks is refused: the others ask for themselves, and each has an answer of its own.
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
