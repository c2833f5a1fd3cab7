//! Refreshes in which some regions fail.

use std::time::Duration;

use bedrock_catalog::recording::Recording;
use bedrock_catalog::{CacheMode, Catalog, LiveCatalog, PartialPolicy};
use bedrock_catalog_recording::transform;
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule, Stage};

use crate::stage::*;

/// All regions of the bundle, three months later.
fn everything() -> Stage {
    Stage::new(Recording::of_catalog(Catalog::bundled()))
}

fn all_regions(wire: &Memory) -> bedrock_catalog::LiveCatalogBuilder {
    LiveCatalog::builder()
        .sdk_config(&wire.sdk_config())
        .cache_mode(CacheMode::Memory)
        .clock(clock())
}

#[tokio::test]
async fn answers_are_merged_onto_the_last_good_catalog() {
    let refused = ["eu-west-1", "us-east-1", "ap-south-1"];
    let stage = refused.iter().fold(everything(), |stage, region| {
        stage.rule(Rule::new(Fault::access_denied()).region(region))
    });
    let wire = Memory::new(stage);
    let live = all_regions(&wire).build().unwrap();
    let snapshot = live.load().await.unwrap();
    let bundle = Catalog::bundled();
    assert_eq!(snapshot.source().as_str(), "api");
    let status = live.status();
    assert!(status.degraded);
    assert_eq!(
        status.regions.failed.keys().collect::<Vec<_>>(),
        ["ap-south-1", "eu-west-1", "us-east-1"]
    );
    for region in refused {
        let why = &status.regions.failed[region];
        assert!(
            why.starts_with("denied: ") && !why.contains("123456789012"),
            "{why}"
        );
        let now = snapshot.region(region).unwrap();
        assert_eq!(now.stale_since(), Some(bundle.observed_at()));
        let models = |catalog: &Catalog| -> Vec<String> {
            let region = catalog.region(region).unwrap();
            region
                .accesses()
                .map(|access| access.model().id().to_owned())
                .collect()
        };
        assert_eq!(models(&snapshot), models(bundle));
    }
    assert_eq!(status.regions.answered.len(), 28);
    for model in bundle.models() {
        assert!(
            snapshot.model(model.id()).is_some(),
            "{} is lost",
            model.id()
        );
    }
    // The reasons are stored beside the catalog.
    assert!(live.cache().await.get(&status_key()).is_fresh());
}

#[tokio::test]
async fn a_cached_catalog_has_its_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let (clock, wire) = (
        clock(),
        Memory::new(stage().rule(Rule::new(Fault::html()).region("us-east-1"))),
    );
    let first = in_files(&wire, &clock, folder.path()).build().unwrap();
    first.load().await.unwrap();
    let second = in_files(&wire, &clock, folder.path()).build().unwrap();
    second.load().await.unwrap();
    assert_eq!(second.status().source, "cache");
    assert_eq!(
        second.status().regions.failed,
        first.status().regions.failed
    );
    assert!(first.status().regions.failed["us-east-1"].starts_with("failed: "));
}

#[tokio::test]
async fn a_region_that_is_not_enabled_is_no_fault() {
    // AWS's answer in an opt-in region.
    let not_enabled = Rule::new(Fault::unrecognized_client()).region("ap-east-2");
    let folder = tempfile::tempdir().unwrap();
    let wire = Memory::new(everything().rule(not_enabled));
    let build = || {
        let builder = all_regions(&wire).partial(PartialPolicy::RequireAllRegions);
        builder
            .cache_mode(CacheMode::File)
            .cache_dirs([folder.path()])
            .build()
            .unwrap()
    };
    for source in ["api", "cache"] {
        let live = build();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), source, "{:?}", snapshot.error());
        let why = &snapshot.failed_regions()["ap-east-2"];
        assert!(why.starts_with("not enabled"), "{why}");
        assert!(!live.is_degraded(), "{source}");
    }
}

#[tokio::test]
async fn where_all_regions_are_required_nothing_is_replaced() {
    let failing = Rule::new(Fault::html())
        .region("us-east-1")
        .requests(2..=u64::MAX);
    let wire = Memory::new(stage().rule(failing));
    let clock = clock();
    let live = in_memory(&wire, &clock)
        .partial(PartialPolicy::RequireAllRegions)
        .build()
        .unwrap();
    let first = live.load().await.unwrap();
    clock.advance(HOUR);
    let error = live.refresh().await.unwrap_err().to_string();
    assert!(
        error.contains("all regions are required") && error.contains("us-east-1 (failed"),
        "{error}"
    );
    let now = live.snapshot();
    assert_eq!(now.observed_at(), first.observed_at());
    assert_eq!(now.error(), Some(&*error));
    // Nor in the cache.
    let cached = live.cache().await.get(&catalog_key()).into_hit().unwrap();
    let cached = bedrock_catalog::catalog_from_json(&cached.data).unwrap();
    assert_eq!(cached.observed_at(), first.observed_at());
}

/// A partial catalog of another process is taken up with its own reasons, not those in memory.
#[tokio::test]
async fn a_catalog_that_is_taken_up_has_its_reasons() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let denied = Rule::new(Fault::access_denied()).region("us-east-1");
    let wire = Memory::new(stage().rule(denied));
    let build = || in_files(&wire, &clock, folder.path());
    build().build().unwrap().load().await.unwrap();
    let live = build().fresh_for(HOUR / 6).build().unwrap();
    live.load().await.unwrap();
    clock.advance(HOUR / 3);
    let newest = build().build().unwrap().refresh().await.unwrap();
    live.load().await.unwrap();
    until(|| live.snapshot().observed_at() == newest.observed_at()).await;
    assert_eq!(live.status().source, "cache");
    assert_eq!(live.snapshot().failed_regions(), newest.failed_regions());
}

/// A partial catalog of another process is stale for a process that requires all regions.
#[tokio::test]
async fn where_all_regions_are_required_a_partial_catalog_is_stale() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let failing = Rule::new(Fault::html()).region("us-east-1");
    let failing = failing.operation(Operation::Models).requests(1..=3);
    let wire = Memory::new(stage().rule(failing));
    let build = || in_files(&wire, &clock, folder.path());
    let partial = build().build().unwrap().load().await.unwrap();
    assert_eq!(partial.failed_regions().len(), 1);
    let strict = build().partial(PartialPolicy::RequireAllRegions);
    let strict = strict.build().unwrap();
    let snapshot = strict.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "cache");
    assert_eq!(snapshot.observed_at(), partial.observed_at());
    let why = snapshot.error().unwrap();
    assert!(why.contains("all regions are required"), "{why}");
    // A minute later all are fetched again, though another process has a newer partial catalog.
    clock.advance(Duration::from_secs(30));
    build().build().unwrap().refresh().await.unwrap();
    clock.advance(Duration::from_secs(40));
    strict.load().await.unwrap();
    until(|| !strict.is_degraded()).await;
    assert_eq!(strict.status().source, "api");
    assert_eq!(
        strict.status().asked_at,
        Some(timestamp(later() + Duration::from_secs(70)))
    );
}

/// A model that the API no longer lists keeps its data.
#[tokio::test]
async fn a_retired_model_keeps_its_data() {
    let mut recording = Recording::of_catalog(Catalog::bundled());
    let gone = "amazon.nova-pro-v1:0";
    for answers in recording.regions.values_mut() {
        answers.models.retain(|model| model.model_id != gone);
        for profile in &mut answers.profiles {
            profile
                .models
                .retain(|model| !model.model_arn.ends_with(gone));
        }
        answers
            .profiles
            .retain(|profile| !profile.models.is_empty());
    }
    let wire = Memory::new(Stage::new(recording));
    let live = all_regions(&wire).build().unwrap();
    let snapshot = live.load().await.unwrap();
    let (before, after) = (
        Catalog::bundled().model(gone).unwrap(),
        snapshot.model(gone).unwrap(),
    );
    assert!(after.is_retired());
    assert_eq!(after.name(), before.name());
    assert_eq!(after.last_seen(), Catalog::bundled().observed_at().date());
}

async fn pass(clock: &bedrock_catalog::cache::ManualClock, time: Duration) {
    clock.advance(time);
    tokio::time::advance(time).await;
    settle().await;
}

/// A failed region is fetched again after a minute without the others; the catalog is then whole.
#[tokio::test(start_paused = true)]
async fn failed_regions_are_retried_alone() {
    let clock = clock();
    let once = Rule::new(Fault::html()).operation(Operation::Models);
    let wire = Memory::new(stage().rule(once.region("us-east-1").requests(1..=1)));
    let live = in_memory(&wire, &clock).build().unwrap();
    let partial = live.load().await.unwrap();
    assert_eq!(partial.failed_regions().len(), 1);
    let before = wire.stage().requests_of("us-east-1", Operation::Models);
    pass(&clock, Duration::from_secs(59)).await;
    let requests = |region, operation| wire.stage().requests_of(region, operation);
    assert_eq!(
        requests("us-east-1", Operation::Models),
        before,
        "not at once"
    );
    pass(&clock, Duration::from_secs(8)).await;
    assert_eq!(requests("us-east-1", Operation::Models), before + 1);
    for operation in [Operation::Models, Operation::Profiles] {
        assert_eq!(
            requests("eu-west-1", operation),
            1,
            "the other region is not fetched"
        );
    }
    let snapshot = live.snapshot();
    assert!(!live.is_degraded(), "{:?}", live.status());
    assert_eq!(snapshot.source().as_str(), "api");
    let mut recording = small();
    recording.observed_at = timestamp(later());
    let (expected, _) = transform(&recording, None);
    assert_eq!(
        snapshot.to_document(),
        expected,
        "as if no region had failed"
    );
    // So are the entries.
    let cache = live.cache().await;
    let cached = cache.get(&catalog_key()).into_hit().unwrap();
    let cached = bedrock_catalog::catalog_from_json(&cached.data).unwrap();
    assert_eq!(cached.to_document(), expected);
    let status = cache.get(&status_key()).into_hit().unwrap();
    assert!(!String::from_utf8_lossy(&status.data).contains("us-east-1"));
    // A day after the fetch, all regions are fetched.
    for _ in 0..54 {
        pass(&clock, HOUR / 2).await;
    }
    assert_eq!(requests("eu-west-1", Operation::Models), 2);
    assert_eq!(requests("us-east-1", Operation::Models), before + 2);
    assert!(live.snapshot().observed_at() > snapshot.observed_at());
}

/// A newer catalog of another process takes the place of a retry.
#[tokio::test]
async fn a_newer_catalog_of_another_process_replaces_a_retry() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let once = Rule::new(Fault::html()).operation(Operation::Models);
    let wire = Memory::new(stage().rule(once.region("us-east-1").requests(1..=1)));
    let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
    let (live, other) = (build(), build());
    assert!(live.load().await.unwrap().is_degraded());
    clock.advance(Duration::from_secs(30));
    other.refresh().await.unwrap();
    let requests = wire.stage().requests();
    clock.advance(Duration::from_secs(60));
    assert!(live.load().await.unwrap().is_degraded(), "served meanwhile");
    let changed = async {
        while live.is_degraded() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let changed = tokio::time::timeout(Duration::from_secs(30), changed);
    changed.await.expect("taken up");
    assert_eq!(live.status().source, "cache");
    assert_eq!(
        live.snapshot().observed_at(),
        other.snapshot().observed_at()
    );
    assert_eq!(wire.stage().requests(), requests);
}

/// A region that keeps failing is retried less and less often; one that denies, not at all.
#[tokio::test(start_paused = true)]
async fn retries_become_less_frequent() {
    for (fault, tries) in [(Fault::html(), 5..=7), (Fault::access_denied(), 0..=0)] {
        let clock = clock();
        let failing = Rule::new(fault.clone()).region("us-east-1");
        let wire = Memory::new(stage().rule(failing));
        let live = in_memory(&wire, &clock).build().unwrap();
        live.load().await.unwrap();
        wire.stage().forget();
        for _ in 0..70 {
            pass(&clock, Duration::from_secs(60)).await;
        }
        let requests = wire.stage().requests_of("us-east-1", Operation::Models);
        assert!(
            tries.contains(&requests),
            "{fault:?}: {requests} times in 70 minutes"
        );
        assert_eq!(wire.stage().requests_of("eu-west-1", Operation::Models), 0);
        assert!(live.is_degraded());
        assert_eq!(live.snapshot().observed_at(), timestamp(later()));
    }
}

/// Processes that read a partial catalog retry its failed regions: one of them, less and less often.
#[tokio::test]
async fn readers_of_a_partial_catalog_share_its_retries() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let failing = Rule::new(Fault::html()).operation(Operation::Models);
    let failing = failing.region("us-east-1").requests(1..=2);
    let denied = Rule::new(Fault::access_denied()).region("eu-west-1");
    let wire = Memory::new(
        stage_of(&["eu-west-1", "us-east-1", "us-west-2"])
            .rule(failing)
            .rule(denied),
    );
    let build = || {
        let regions = ["eu-west-1", "us-east-1", "us-west-2"];
        let live = in_files(&wire, &clock, folder.path()).regions(regions);
        live.build().unwrap()
    };
    let requests = |region| wire.stage().requests_of(region, Operation::Models);
    let failed =
        |live: &LiveCatalog| -> Vec<String> { live.status().regions.failed.into_keys().collect() };
    build().load().await.unwrap();
    assert_eq!(requests("us-east-1"), 1);
    let (one, other) = (build(), build());
    let (lines, _guard) = Lines::listen();
    let taken_up = || {
        let all = lines.all();
        all.iter()
            .filter(|line| line.contains("catalog loaded"))
            .count()
    };
    for live in [&one, &other] {
        live.load().await.unwrap();
        assert_eq!(live.status().source, "cache");
        assert_eq!(failed(live), ["eu-west-1", "us-east-1"]);
    }
    clock.advance(Duration::from_secs(50));
    one.load().await.unwrap();
    settle().await;
    assert_eq!(requests("us-east-1"), 1, "not at once");
    // One retries without success; the other one takes the result up.
    clock.advance(Duration::from_secs(20));
    one.load().await.unwrap();
    until(|| one.status().asked_at.is_some()).await;
    assert_eq!(requests("us-east-1"), 2);
    let before = taken_up();
    other.load().await.unwrap();
    until(|| taken_up() > before).await;
    assert_eq!((requests("us-east-1"), other.status().asked_at), (2, None));
    // The next retry is after two minutes.
    clock.advance(Duration::from_secs(100));
    for live in [&one, &other] {
        live.load().await.unwrap();
    }
    settle().await;
    assert_eq!(requests("us-east-1"), 2);
    clock.advance(Duration::from_secs(40));
    for live in [&other, &one] {
        live.load().await.unwrap();
        until(|| failed(live) == ["eu-west-1"]).await;
    }
    assert_eq!(
        (
            requests("us-east-1"),
            requests("eu-west-1"),
            requests("us-west-2")
        ),
        (3, 1, 1)
    );
    assert_eq!(one.status().observed_at, timestamp(later()));
}

/// A status without some members, as of an earlier version, is read.
#[tokio::test]
async fn a_status_of_an_earlier_version_is_read() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let wire = Memory::new(stage().rule(Rule::new(Fault::html()).region("us-east-1")));
    let build = || in_files(&wire, &clock, folder.path()).build().unwrap();
    let first = build();
    first.load().await.unwrap();
    let cache = first.cache().await;
    let written = cache.get(&status_key()).into_hit().unwrap();
    let mut status: serde_json::Value = serde_json::from_slice(&written.data).unwrap();
    for new in ["retryable", "tries", "fetched_at", "failure"] {
        assert!(
            status.as_object_mut().unwrap().remove(new).is_some(),
            "{new}"
        );
    }
    cache.put(&status_key(), status.to_string(), &options());
    let second = build();
    second.load().await.unwrap();
    assert_eq!(second.status().source, "cache");
    assert_eq!(second.status().regions, first.status().regions);
}
