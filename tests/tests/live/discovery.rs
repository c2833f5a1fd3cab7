//! The raw lists of single regions, and their latencies.

use std::time::Duration;

use bedrock_catalog::CacheMode;
use bedrock_catalog::cache::Key;
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule};

use crate::accounts::config_of;
use crate::stage::*;

fn key() -> Key {
    Key::new("discovery", "lists", "all")
}

#[tokio::test]
async fn a_refresh_stores_the_lists_of_each_region() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    live.load().await.unwrap();
    let requests = wire.stage().requests();
    // Another process, within three days.
    clock.advance(70 * HOUR);
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    let discovery = live.discovery();
    assert_eq!(discovery.models("eu-west-1").await.unwrap().len(), 4);
    assert_eq!(
        discovery.profiles("eu-west-1", None).await.unwrap().len(),
        3
    );
    let of_one = discovery
        .profiles("eu-west-1", Some("maker.model-1-v1:0"))
        .await
        .unwrap();
    assert_eq!(of_one.len(), 1);
    assert_eq!(of_one[0].inference_profile_id, "us.maker.model-1-v1:0");
    assert_eq!(discovery.latencies().await.len(), 2, "stored between runs");
    assert_eq!(wire.stage().requests(), requests);

    assert!(discovery.invalidate("eu-west-1").await);
    assert!(!discovery.invalidate("eu-west-1").await);
    assert_eq!(discovery.models("eu-west-1").await.unwrap().len(), 4);
    assert_eq!(
        discovery.profiles("us-east-1", None).await.unwrap().len(),
        3
    );
    assert_eq!(wire.stage().requests_of("eu-west-1", Operation::Models), 2);
    assert_eq!(
        wire.stage().requests_of("us-east-1", Operation::Models),
        1,
        "the other region keeps its lists"
    );
    // After three days a list is fetched again.
    clock.advance(4 * DAY);
    discovery.models("us-east-1").await.unwrap();
    assert_eq!(wire.stage().requests_of("us-east-1", Operation::Models), 2);
}

/// An empty list with status 200 is suspicious: the stored one serves.
#[tokio::test]
async fn a_list_that_is_suddenly_empty_is_suspicious() {
    let emptied = Rule::new(Fault::Empty).region("us-east-1");
    let wire = Memory::new(stage().rule(emptied.requests(2..=u64::MAX)));
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
    build().load().await.unwrap();
    clock.advance(4 * DAY);
    // The cached catalog is the measure, also before the first load.
    let discovery = build().discovery();
    for _ in 0..2 {
        assert_eq!(discovery.models("us-east-1").await.unwrap().len(), 4);
        let profiles = discovery.profiles("us-east-1", None).await.unwrap();
        assert_eq!(profiles.len(), 3);
    }
    discovery.invalidate("us-east-1").await;
    let error = discovery.models("us-east-1").await.unwrap_err().to_string();
    assert!(
        error.contains("suspicious") && error.contains("where there were 4"),
        "{error}"
    );
    assert_eq!(discovery.models("eu-west-1").await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_failed_region_affects_no_other() {
    let clock = clock();
    let wire = Memory::new(
        stage().rule(
            Rule::new(Fault::access_denied())
                .region("us-east-1")
                .requests(2..=u64::MAX),
        ),
    );
    let live = in_memory(&wire, &clock).build().unwrap();
    live.load().await.unwrap();
    clock.advance(4 * DAY);
    let discovery = live.discovery();
    assert_eq!(
        discovery.models("us-east-1").await.unwrap().len(),
        4,
        "the stored list"
    );
    assert_eq!(discovery.models("eu-west-1").await.unwrap().len(), 4);
    discovery.invalidate("us-east-1").await;
    clock.advance(HOUR);
    let error = discovery.models("us-east-1").await.unwrap_err().to_string();
    assert!(
        error.contains("us-east-1 has no list of models") && error.contains("denied"),
        "{error}"
    );
    assert!(discovery.models("no such region").await.is_err());
}

#[tokio::test]
async fn lists_are_returned_whether_or_not_they_are_stored() {
    let wire = wire();
    let live = in_memory(&wire, &clock())
        .cache_mode(CacheMode::None)
        .build()
        .unwrap();
    assert_eq!(live.discovery().models("eu-west-1").await.unwrap().len(), 4);
    assert_eq!(
        live.discovery()
            .profiles("eu-west-1", None)
            .await
            .unwrap()
            .len(),
        3
    );
}

#[tokio::test]
async fn a_crowd_fetches_a_region_once() {
    // Without a tier, only the callers that wait share the fetch.
    for mode in [CacheMode::Memory, CacheMode::None] {
        let wire = Memory::new(stage().latency(Duration::from_millis(5)));
        let live = in_memory(&wire, &clock()).cache_mode(mode).build().unwrap();
        let all: Vec<_> = (0..200)
            .map(|_| {
                let discovery = live.discovery();
                tokio::spawn(async move { discovery.models("eu-west-1").await.unwrap().len() })
            })
            .collect();
        for one in all {
            assert_eq!(one.await.unwrap(), 4);
        }
        for operation in [Operation::Models, Operation::Profiles] {
            let requests = wire.stage().requests_of("eu-west-1", operation);
            assert_eq!(requests, 1, "{mode:?}: {operation:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_nearest_region_is_the_one_that_answered_fastest() {
    let slow = Rule::new(Fault::Latency(Duration::from_millis(400))).region("us-east-1");
    let wire = Memory::new(stage().latency(Duration::from_millis(20)).rule(slow));
    let live = in_memory(&wire, &clock()).build().unwrap();
    let discovery = live.discovery();
    assert_eq!(
        discovery.nearest("maker.model-2-v1:0").await,
        None,
        "nothing is measured yet"
    );
    live.load().await.unwrap();
    assert_eq!(
        discovery.nearest("maker.model-2-v1:0").await.as_deref(),
        Some("eu-west-1")
    );
    assert_eq!(discovery.nearest("no.such-model").await, None);
    let latencies = discovery.latencies().await;
    assert!(
        latencies["us-east-1"].millis >= 400 && latencies["eu-west-1"].millis < 400,
        "{latencies:?}"
    );
}

/// Fetches of two regions at once store the lists of both.
#[tokio::test]
async fn fetches_at_once_are_all_stored() {
    let wire = Memory::new(stage().latency(Duration::from_millis(5)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    let discovery = live.discovery();
    for _ in 0..2 {
        let all: Vec<_> = REGIONS
            .map(|region| {
                let discovery = discovery.clone();
                tokio::spawn(async move { discovery.models(region).await.unwrap() })
            })
            .into();
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(wire.stage().requests(), 4, "both are stored");
        assert_eq!(discovery.latencies().await.len(), 2);
    }
    live.load().await.unwrap();
    assert!(discovery.nearest("maker.model-2-v1:0").await.is_some());
}

#[tokio::test]
async fn latencies_that_another_process_measured_decide_the_nearest_region() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    live.load().await.unwrap();
    let cache = live.cache().await;
    let stored = cache.get(&key()).into_hit().unwrap();
    let mut stored: serde_json::Value = serde_json::from_slice(&stored.data).unwrap();
    for (region, millis) in [("eu-west-1", 300), ("us-east-1", 20)] {
        stored[region]["latency"]["millis"] = millis.into();
    }
    cache.put(&key(), stored.to_string(), &options());
    let other = in_files(&wire, &clock, folder.path()).build().unwrap();
    assert_eq!(other.load().await.unwrap().source().as_str(), "cache");
    let nearest = other.discovery().nearest("maker.model-2-v1:0").await;
    assert_eq!(nearest.as_deref(), Some("us-east-1"));
}

/// A damaged entry is fetched again.
#[tokio::test]
async fn an_entry_that_cannot_be_read_is_fetched_again() {
    let (clock, wire) = (clock(), wire());
    let live = in_memory(&wire, &clock).build().unwrap();
    live.cache().await.put(&key(), "[]", &options());
    assert_eq!(live.discovery().models("eu-west-1").await.unwrap().len(), 4);
    assert_eq!(wire.stage().requests(), 2);
}

/// A tier that hangs delays a list by half a second for the read, and one for the write.
#[tokio::test]
async fn a_tier_that_hangs_does_not_stop_a_list() {
    for op in [Op::Get, Op::Put] {
        let (clock, wire) = (clock(), wire());
        let (tier, gate) = Gate::of(op);
        gate.open(false);
        let live = in_memory(&wire, &clock).tier(tier);
        let live = live.deadline(Duration::from_secs(1)).build().unwrap();
        let discovery = live.discovery();
        for _ in 0..3 {
            let rows = tokio::time::timeout(Duration::from_secs(10), discovery.models("eu-west-1"));
            let Ok(rows) = rows.await else {
                gate.open(true);
                panic!("{op:?}: it does not end");
            };
            assert_eq!(rows.unwrap().len(), 4, "{op:?}");
            clock.advance(4 * DAY);
        }
        assert!(gate.waiting() <= 4, "{op:?}");
        gate.open(true);
    }
}

/// Lists are stored for the account that the credentials name.
#[tokio::test]
async fn lists_are_stored_in_the_namespace_of_the_account() {
    let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
    let build = |config: &aws_config::SdkConfig| {
        let live = in_memory(&wire, &clock).tier(shared.clone());
        live.sdk_config(config).build().unwrap()
    };
    let anonymous = build(&wire.sdk_config()).cache().await;
    anonymous.put(&key(), "{}", &options());
    let live = build(&config_of(&wire, "111111111111"));
    assert_eq!(live.discovery().models("eu-west-1").await.unwrap().len(), 4);
    let own = live.cache().await;
    assert_ne!(own.namespace(), anonymous.namespace());
    assert!(shared.holds(&own.namespace(), &key()));
    assert_eq!(
        anonymous.get(&key()).into_hit().unwrap().data.as_ref(),
        b"{}"
    );
}
