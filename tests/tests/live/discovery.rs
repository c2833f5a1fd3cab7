//! The raw lists of single regions, and how fast they answer.

use std::time::Duration;

use aws_credential_types::Credentials;
use bedrock_catalog::CacheMode;
use bedrock_catalog::cache::{Key, Terms};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule};

use crate::accounts::{credentials_of, slow_config_of};
use crate::stage::*;

#[tokio::test]
async fn a_refresh_keeps_the_lists_of_each_region() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    live.load().await.unwrap();
    let asked = wire.stage().requests();
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
    assert_eq!(discovery.latencies().await.len(), 2, "kept between runs");
    assert_eq!(wire.stage().requests(), asked);

    assert_eq!(discovery.invalidate("eu-west-1").await, 2);
    assert_eq!(discovery.models("eu-west-1").await.unwrap().len(), 4);
    assert_eq!(
        discovery.profiles("us-east-1", None).await.unwrap().len(),
        3
    );
    assert_eq!(wire.stage().requests_of("eu-west-1", Operation::Models), 2);
    assert_eq!(
        wire.stage().requests_of("us-east-1", Operation::Models),
        1,
        "the others keep theirs"
    );
    // After three days it is asked again; where that fails the last one serves.
    clock.advance(4 * DAY);
    discovery.models("us-east-1").await.unwrap();
    assert_eq!(wire.stage().requests_of("us-east-1", Operation::Models), 2);
}

/// An empty list with a 200 is a fault of theirs: the good one is not given up for it.
#[tokio::test]
async fn a_list_that_is_suddenly_empty_is_not_believed() {
    let emptied = Rule::new(Fault::Empty).region("us-east-1");
    let wire = Memory::new(stage().rule(emptied.requests(2..=u64::MAX)));
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
    build().load().await.unwrap();
    clock.advance(4 * DAY);
    // Also by who has loaded no catalog yet: the cached one tells.
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
async fn one_failed_region_costs_no_other() {
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
        "the last good one"
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
async fn lists_are_handed_out_whether_or_not_they_could_be_kept() {
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
async fn a_crowd_asks_a_region_once() {
    // Without a tier too, where only those who wait can be served what one of them got.
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
            let asked = wire.stage().requests_of("eu-west-1", operation);
            assert_eq!(asked, 1, "{mode:?}: {operation:?}");
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

/// Each region has a record of its own, here and in the cache.
#[tokio::test]
async fn measurements_at_once_are_all_kept_and_need_no_cache() {
    for mode in [CacheMode::Memory, CacheMode::None] {
        let wire = Memory::new(stage().latency(Duration::from_millis(5)));
        let live = in_memory(&wire, &clock()).cache_mode(mode).build().unwrap();
        let discovery = live.discovery();
        let all: Vec<_> = REGIONS
            .map(|region| {
                let discovery = discovery.clone();
                tokio::spawn(async move { discovery.models(region).await.unwrap() })
            })
            .into();
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(discovery.latencies().await.len(), 2, "{mode:?}");
        if mode == CacheMode::Memory {
            for region in REGIONS {
                let key = Key::new("discovery", "latency", region);
                assert!(!live.cache().get(&key).is_missing(), "{region}");
            }
        }
        live.load().await.unwrap();
        assert!(discovery.nearest("maker.model-2-v1:0").await.is_some());
    }
}

#[tokio::test]
async fn what_another_process_measured_says_which_region_is_near() {
    let (folder, clock, wire) = (tempfile::tempdir().unwrap(), clock(), wire());
    let live = in_files(&wire, &clock, folder.path()).build().unwrap();
    live.load().await.unwrap();
    for (region, millis) in [("eu-west-1", 300), ("us-east-1", 20)] {
        let key = Key::new("discovery", "latency", region);
        let kept = live.cache().get(&key).into_hit().unwrap();
        let mut kept: serde_json::Value = serde_json::from_slice(&kept.data).unwrap();
        kept["millis"] = millis.into();
        live.cache()
            .put(&key, kept.to_string(), &Terms::source("api"));
    }
    let other = in_files(&wire, &clock, folder.path()).build().unwrap();
    assert_eq!(other.load().await.unwrap().source().as_str(), "cache");
    let nearest = other.discovery().nearest("maker.model-2-v1:0").await;
    assert_eq!(nearest.as_deref(), Some("us-east-1"));
}

/// A tier that hangs costs half a second, or the answer's way into it, and one thread.
#[tokio::test]
async fn a_tier_that_hangs_keeps_nobody_from_a_list() {
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
        assert_eq!(gate.waiting(), 1, "{op:?}");
        gate.open(true);
    }
}

/// Once they have answered, credentials that name no account are no longer waited for.
#[tokio::test]
async fn slow_credentials_that_name_nobody_are_asked_for_a_list_once() {
    let (clock, wire) = (clock(), wire());
    let nameless = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let live = in_memory(&wire, &clock).sdk_config(&slow_config_of(&wire, nameless));
    let live = live.deadline(Duration::from_secs(2)).build().unwrap();
    for _ in 0..2 {
        let rows = live.discovery().models("eu-west-1").await.unwrap();
        assert_eq!((rows.len(), wire.stage().requests()), (4, 2));
    }
}

/// What credentials get that were too slow to name their account is their account's, and they are given
/// nobody else's.
#[tokio::test]
async fn what_slow_credentials_are_told_is_their_accounts() {
    let (clock, wire, shared) = (clock(), wire(), FaultyTier::new("shared"));
    let key = |list| Key::new("discovery", list, "eu-west-1");
    let slow = slow_config_of(&wire, credentials_of("111111111111"));
    let live = in_memory(&wire, &clock).tier(shared.clone());
    let live = live.sdk_config(&slow).deadline(Duration::from_secs(2));
    let live = live.build().unwrap();
    let nobodys = live.cache();
    nobodys.put(&key("models"), "[]", &Terms::source("api"));
    let rows = live.discovery().models("eu-west-1").await.unwrap();
    assert_eq!(rows.len(), 4);
    let own = live.cache();
    assert_ne!(own.namespace(), nobodys.namespace());
    for list in ["models", "profiles"] {
        assert!(shared.holds(&own.namespace(), &key(list)), "{list}");
    }
    assert!(!shared.holds(&nobodys.namespace(), &key("profiles")));
}
