//! What AWS answers is what the recording holds: every row, every page, every unknown word.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bedrock_catalog::fetch::{
    Fetched, Fetcher, FetcherBuilder, Outcome, RegionExpectation, partition_regions,
};
use bedrock_catalog::recording::Recording;
use bedrock_catalog_tests::fake_bedrock::{
    FakeBedrock, Fault, Memory, Operation, Rule, Stage, sdk_config,
};
use bedrock_catalog_tests::{recordings, synthetic};

/// The fetcher of everything that a stage in memory has.
fn fetcher(wire: &Memory) -> FetcherBuilder {
    Fetcher::builder()
        .sdk_config(&wire.sdk_config())
        .regions(wire.stage().recording().regions.keys().cloned())
        .observed_at(wire.stage().recording().observed_at)
}

async fn fetch(stage: Stage) -> Fetched {
    fetcher(&Memory::new(stage))
        .build()
        .unwrap()
        .fetch()
        .await
        .unwrap()
}

fn small() -> Recording {
    synthetic::recording(&["us-east-1", "eu-west-1", "af-south-1"], 7, 45)
}

#[tokio::test(start_paused = true)]
async fn a_recording_comes_back_as_it_was_played() {
    for page in [1, 20, 44, 45, 1000] {
        let fetched = fetch(Stage::new(small()).profile_page_size(page)).await;
        assert!(fetched.recording() == &small(), "pages of {page}");
        assert!(fetched.is_complete());
        let report = &fetched.reports()["eu-west-1"];
        assert_eq!(
            (report.outcome, report.models, report.profiles),
            (Outcome::Ok, 7, 45)
        );
    }
}

#[tokio::test]
async fn it_comes_back_over_http_too() {
    let fake = FakeBedrock::start(Stage::new(small()).profile_page_size(20)).unwrap();
    let fetcher = Fetcher::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(fake.url())
        .regions(small().regions.keys().cloned())
        .observed_at(synthetic::observed_at());
    // A fetch can be sent to another task.
    let fetcher = fetcher.build().unwrap();
    let fetched = tokio::spawn(async move { fetcher.fetch().await })
        .await
        .unwrap()
        .unwrap();
    assert!(fetched.is_complete(), "{:?}", fetched.reports());
    assert!(fetched.into_recording() == small());
    assert_eq!(fake.stage().requests_of("us-east-1", Operation::Models), 1);
    assert_eq!(
        fake.stage().requests_of("us-east-1", Operation::Profiles),
        3
    );
}

#[tokio::test]
async fn the_real_recording_comes_back_over_http() {
    let Some(mut expected) = recordings::real("the_real_recording_comes_back_over_http").unwrap()
    else {
        return;
    };
    let fake = FakeBedrock::start(Stage::new(expected.clone()).profile_page_size(20)).unwrap();
    let fetcher = Fetcher::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(fake.url())
        .observed_at(synthetic::observed_at());
    let fetched = fetcher.build().unwrap().fetch().await.unwrap();
    assert_eq!(fetched.answered(), 31);
    // The account id is the one thing that does not come through.
    for answers in expected.regions.values_mut() {
        for profile in &mut answers.profiles {
            let arn = profile.inference_profile_arn.take().unwrap();
            profile.inference_profile_arn = Some(arn.replace(":123456789012:", ":000000000000:"));
        }
    }
    assert!(fetched.recording() == &expected);
    assert!(
        fake.stage().peak() <= 62,
        "{} connections",
        fake.stage().peak()
    );
}

#[tokio::test(start_paused = true)]
async fn a_ready_client_serves_as_well() {
    let wire = Memory::new(Stage::new(small()));
    let config = wire.sdk_config();
    let fetcher = Fetcher::builder()
        .regions(["us-east-1", "eu-west-1", "af-south-1"])
        .client_factory(move |region| {
            let region = aws_sdk_bedrock::config::Region::new(region.to_owned());
            let builder = aws_sdk_bedrock::config::Builder::from(&config).region(region);
            aws_sdk_bedrock::Client::from_conf(builder.build())
        });
    let fetched = fetcher.build().unwrap().fetch().await.unwrap();
    assert_eq!(fetched.recording().regions, small().regions);
}

#[tokio::test(start_paused = true)]
async fn unknown_words_are_kept_as_they_came() {
    let fetched = fetch(Stage::new(small()).rule(Rule::new(Fault::UnknownWords))).await;
    assert!(fetched.is_complete());
    let answers = &fetched.recording().regions["us-east-1"];
    assert_eq!((answers.models.len(), answers.profiles.len()), (7, 45));
    for model in &answers.models {
        let words = Some(vec!["TEXT".to_owned(), "INVENTED".to_owned()]);
        assert_eq!(model.input_modalities, words);
        assert_eq!(model.inference_types_supported, words);
        assert_eq!(model.customizations_supported, words);
        assert_eq!(
            model.model_lifecycle.as_ref().unwrap().status.as_deref(),
            Some("INVENTED")
        );
    }
    assert!(
        answers
            .profiles
            .iter()
            .all(|profile| profile.status.as_deref() == Some("INVENTED"))
    );
}

#[tokio::test(start_paused = true)]
async fn less_than_before_is_suspicious() {
    let before = RegionExpectation::of(&small());
    let known = RegionExpectation {
        models: 7,
        profiles: 45,
    };
    assert_eq!(before["us-east-1"], known);
    for (now, accepted) in [
        (synthetic::recording(&["us-east-1"], 7, 45), true),
        (synthetic::recording(&["us-east-1"], 6, 36), true),
        (synthetic::recording(&["us-east-1"], 5, 45), false),
        (synthetic::recording(&["us-east-1"], 7, 35), false),
        (synthetic::recording(&["us-east-1"], 0, 45), false),
        (synthetic::recording(&["us-east-1"], 7, 0), false),
    ] {
        let wire = Memory::new(Stage::new(now));
        let fetched = fetcher(&wire)
            .expectations(before.clone())
            .build()
            .unwrap()
            .fetch()
            .await
            .unwrap();
        let report = &fetched.reports()["us-east-1"];
        let expected = if accepted {
            Outcome::Ok
        } else {
            Outcome::Suspicious
        };
        assert_eq!(report.outcome, expected, "{}", report.reason);
        assert_eq!(fetched.recording().regions.len(), usize::from(accepted));
    }
    // An empty list by fault, in each operation; without an expectation it is accepted.
    for operation in [Operation::Models, Operation::Profiles] {
        let empty = Rule::new(Fault::Empty)
            .region("us-east-1")
            .operation(operation);
        let wire = Memory::new(Stage::new(small()).rule(empty));
        let guarded = fetcher(&wire)
            .build()
            .unwrap()
            .with_expectations(before.clone())
            .fetch()
            .await
            .unwrap();
        assert_eq!(guarded.reports()["us-east-1"].outcome, Outcome::Suspicious);
        assert_eq!(guarded.answered(), 2);
        let unguarded = fetcher(&wire).build().unwrap().fetch().await.unwrap();
        assert!(unguarded.is_complete());
    }
}

#[tokio::test(start_paused = true)]
async fn account_ids_do_not_come_through() {
    let mut recording = small();
    for answers in recording.regions.values_mut() {
        for profile in &mut answers.profiles {
            let arn = profile.inference_profile_arn.take().unwrap();
            profile.inference_profile_arn = Some(arn.replace("000000000000", "210987654321"));
        }
    }
    let denied = Rule::new(Fault::access_denied()).region("eu-west-1");
    let fetched = fetch(Stage::new(recording).rule(denied)).await;
    let all = format!("{fetched:?}");
    assert!(!all.contains("210987654321") && !all.contains("123456789012"));
    assert!(
        fetched.reports()["eu-west-1"]
            .reason
            .contains("AccessDeniedException (403)")
    );
    assert_eq!(
        fetched.recording().regions["us-east-1"],
        small().regions["us-east-1"]
    );
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_once_a_region() {
    let told = Arc::new(Mutex::new(BTreeMap::new()));
    let ear = Arc::clone(&told);
    let wire = Memory::new(Stage::new(small()).rule(Rule::new(Fault::Hang).region("eu-west-1")));
    let fetcher = fetcher(&wire).on_progress(move |progress| {
        assert_eq!(progress.total, 3);
        let line = (progress.done, progress.report.outcome);
        assert!(
            ear.lock()
                .unwrap()
                .insert(progress.region.to_owned(), line)
                .is_none()
        );
    });
    fetcher.build().unwrap().fetch().await.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told["eu-west-1"], (3, Outcome::TimedOut));
    assert_eq!(told.len(), 3);
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let config = sdk_config();
    let with = || Fetcher::builder().sdk_config(&config);
    assert_eq!(with().build().unwrap().regions(), partition_regions("aws"));
    assert_eq!(
        with()
            .regions(["us-gov-west-1"])
            .build()
            .unwrap()
            .partition(),
        "aws-us-gov"
    );
    assert_eq!(
        with()
            .partition("aws-us-gov")
            .build()
            .unwrap()
            .regions()
            .len(),
        2
    );
    let named = with()
        .regions(["us-west-2", "mars-north-1", "us-west-2"])
        .build()
        .unwrap();
    assert_eq!(named.regions(), ["mars-north-1", "us-west-2"]);
    let time = std::time::Duration::ZERO;
    let made = with().client_factory(|_| panic!("nobody asks"));
    for (builder, setting, value, allowed) in [
        (Fetcher::builder(), "sdk_config", "none", "client_factory"),
        (
            with().regions(["../us-east-1"]),
            "regions",
            "../us-east-1",
            "like eu-west-1",
        ),
        (
            with().regions(["us-east-1", "us-gov-west-1"]),
            "regions",
            "us-gov-west-1",
            "of the partition aws",
        ),
        (
            with().partition("aws-cn"),
            "partition",
            "aws-cn",
            "aws-us-gov",
        ),
        (with().concurrency(0), "concurrency", "0", "at least 1"),
        (with().max_attempts(0), "max_attempts", "0", "1 to 3"),
        (with().max_attempts(4), "max_attempts", "4", "1 to 3"),
        (with().max_pages(0), "max_pages", "0", "1 to 100"),
        (with().max_pages(101), "max_pages", "101", "1 to 100"),
        (with().deadline(time), "deadline", "0s", "more than 0s"),
        (
            with().attempt_timeout(time),
            "attempt_timeout",
            "0s",
            "more than 0s",
        ),
        (
            with().operation_timeout(time),
            "operation_timeout",
            "0s",
            "more than 0s",
        ),
        (
            with().endpoint_url("nowhere"),
            "endpoint_url",
            "nowhere",
            "https://",
        ),
        (
            made.endpoint_url("http://a"),
            "endpoint_url",
            "http://a",
            "none with client_factory",
        ),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(
            error.kind(),
            bedrock_catalog::CatalogErrorKind::InvalidConfiguration,
            "{error}"
        );
        assert!(!error.is_transient());
        let error = error.to_string();
        let (is, may) = error.split_once("; allowed: ").expect(&error);
        assert_eq!(is, format!("{setting} is {value:?}"), "{error}");
        assert!(may.contains(allowed), "{allowed}: {error}");
    }
}
