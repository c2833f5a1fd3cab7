//! Faults of AWS through the whole stack, and missing credentials.

use std::time::Duration;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{CacheMode, Catalog, CatalogErrorKind, LiveCatalog};
use bedrock_catalog_tests::fake_bedrock::{
    Fault, Memory, Operation, Rule, Stage, Tokens, sdk_config,
};
use proptest::prelude::*;

use crate::stage::*;

#[tokio::test(start_paused = true)]
async fn a_fault_of_one_region_affects_no_other() {
    for (fault, outcome) in [
        (Fault::access_denied(), "denied"),
        (Fault::unrecognized_client(), "denied"),
        (Fault::expired_token(), "denied"),
        (Fault::invalid_signature(), "denied"),
        (Fault::throttling(), "throttled"),
        (Fault::server_error(), "failed"),
        (Fault::Truncate(30), "failed"),
        (Fault::Reset(30), "failed"),
        (Fault::Silence(30), "timed out"),
        (Fault::Slow(1, Duration::from_secs(1)), "timed out"),
        (Fault::Hang, "timed out"),
        (Fault::html(), "failed"),
        (Fault::json(r#"{"modelSummaries": 7}"#), "failed"),
        (Fault::Empty, "suspicious"),
        (Fault::Huge(9 << 20), "failed"),
        (Fault::Tokens(Tokens::Endless), "failed"),
        (Fault::Tokens(Tokens::Repeating), "failed"),
    ] {
        let clock = clock();
        let rule = Rule::new(fault.clone())
            .region("us-east-1")
            .requests(2..=u64::MAX);
        let wire = Memory::new(stage().rule(rule));
        let live = in_memory(&wire, &clock).build().unwrap();
        let good = live.load().await.unwrap();
        assert!(
            !good.is_degraded(),
            "{fault:?}: {:?}",
            good.failed_regions()
        );
        clock.advance(HOUR);
        let begun = tokio::time::Instant::now();
        let snapshot = live.refresh().await.unwrap();
        assert!(begun.elapsed() <= Duration::from_secs(33), "{fault:?}");
        assert_eq!(snapshot.source().as_str(), "api");
        assert_eq!(snapshot.failed_regions().len(), 1, "{fault:?}");
        let why = &snapshot.failed_regions()["us-east-1"];
        assert!(why.starts_with(outcome), "{fault:?}: {why}");
        assert!(!why.contains("123456789012"), "{why}");
        let region = snapshot.region("us-east-1").unwrap();
        assert_eq!(region.stale_since(), Some(good.observed_at()), "{fault:?}");
        assert_eq!(
            region.accesses().count(),
            good.region("us-east-1").unwrap().accesses().count()
        );
        settle().await;
        assert_eq!(wire.stage().open(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn an_answer_without_models_is_suspicious_even_for_new_regions() {
    for fault in [Fault::Empty, Fault::json("{}")] {
        let wire = Memory::new(stage().rule(Rule::new(fault)));
        let live = in_memory(&wire, &clock()).build().unwrap();
        let snapshot = live.load().await.unwrap();
        assert_eq!(snapshot.source().as_str(), "bundle");
        let live = in_memory(&wire, &clock())
            .bundled_fallback(false)
            .build()
            .unwrap();
        assert!(live.load().await.is_err());
    }
}

#[tokio::test]
async fn unknown_words_are_kept() {
    let wire = Memory::new(stage().rule(Rule::new(Fault::UnknownWords)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    let snapshot = live.load().await.unwrap();
    assert_eq!(snapshot.source().as_str(), "api");
    assert!(bedrock_catalog::catalog_to_json(&snapshot).contains("INVENTED"));
}

/// At most six requests a region, and the last good catalog stays.
#[tokio::test(start_paused = true)]
async fn a_throttling_storm_causes_no_storm() {
    let storm = Rule::new(Fault::throttling());
    let recording = Recording::of_catalog(Catalog::bundled());
    let wire = Memory::new(Stage::new(recording).rule(storm));
    let live = LiveCatalog::builder()
        .sdk_config(&wire.sdk_config())
        .cache_mode(CacheMode::None)
        .clock(clock())
        .build()
        .unwrap();
    for round in 0..10 {
        wire.stage().forget();
        assert!(live.refresh().await.is_err());
        assert!(
            wire.stage().requests() <= 186,
            "{round}: {}",
            wire.stage().requests()
        );
        assert_eq!(live.snapshot().source().as_str(), "bundle");
    }
}

#[derive(Debug)]
struct BlackHole;

impl ProvideCredentials for BlackHole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

#[tokio::test(start_paused = true)]
async fn no_credentials_and_a_black_hole_end_with_the_bundle_within_five_seconds() {
    let without = || sdk_config().into_builder();
    let none = {
        let mut builder = without();
        builder.set_credentials_provider(None);
        builder.build()
    };
    let hole = without()
        .credentials_provider(SharedCredentialsProvider::new(BlackHole))
        .build();
    for (config, deadline, at_most) in [(&none, 30, 0.1), (&hole, 30, 5.0), (&hole, 2, 2.2)] {
        let live = LiveCatalog::builder()
            .sdk_config(config)
            .cache_mode(CacheMode::None)
            .deadline(Duration::from_secs(deadline))
            .build()
            .unwrap();
        let begun = tokio::time::Instant::now();
        let snapshot = live.load().await.unwrap();
        let took = begun.elapsed();
        assert!(
            took <= Duration::from_secs_f64(at_most),
            "{took:?} of {at_most}"
        );
        assert_eq!(snapshot.source().as_str(), "bundle");
        let status = live.status();
        assert_eq!(
            status.error_kind,
            Some("no_credentials"),
            "{:?}",
            status.error
        );
        assert!(status.error.unwrap().contains("AWS_PROFILE"), "what to set");
        assert!(status.degraded);
        assert_eq!(snapshot.error_kind(), Some(CatalogErrorKind::NoCredentials));
    }
}

proptest! {
    // All regions each time: 500 cases take minutes.
    #![proptest_config(ProptestConfig { cases: cases(6).cases.min(500), ..cases(6) })]

    /// Any subset of regions may fail: no model is lost, and each failed region is named.
    #[test]
    fn any_subset_of_regions_may_fail(failing in proptest::collection::vec(any::<bool>(), 31)) {
        let bundle = Catalog::bundled();
        let mut stage = Stage::new(Recording::of_catalog(bundle));
        let mut failed = Vec::new();
        for (region, fails) in bundle.regions().zip(failing) {
            if fails {
                let rule = Rule::new(Fault::access_denied()).region(region.id());
                stage = stage.rule(rule.operation(Operation::Profiles));
                failed.push(region.id().to_owned());
            }
        }
        let wire = Memory::new(stage);
        let live = LiveCatalog::builder()
            .sdk_config(&wire.sdk_config())
            .cache_mode(CacheMode::None)
            .clock(clock())
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let snapshot = runtime.block_on(live.load()).unwrap();
        if failed.len() < bundle.regions().count() {
            prop_assert_eq!(snapshot.source().as_str(), "api");
            prop_assert!(snapshot.failed_regions().keys().eq(failed.iter()));
        } else {
            prop_assert_eq!(snapshot.source().as_str(), "bundle");
        }
        for model in bundle.models() {
            prop_assert!(snapshot.model(model.id()).is_some());
        }
    }
}
