//! Answers that are wrong, strange or far too long are the trouble of their own region.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bedrock_catalog::fetch::{Fetched, Fetcher, FetcherBuilder, Outcome};
use bedrock_catalog::recording::Recording;
use bedrock_catalog_tests::fake_bedrock::{
    FakeBedrock, Fault, Memory, Operation, Rule, Stage, sdk_config,
};
use bedrock_catalog_tests::synthetic;

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

/// Answers with status 200 that are wrong or strange: the operation, the body, and whether the region
/// survives them.
const GOLDEN: [(Operation, &str, bool); 27] = [
    (Operation::Models, "", true),
    (Operation::Models, "{}", true),
    (Operation::Models, r#"{"modelSummaries":null}"#, true),
    (
        Operation::Models,
        r#"{"modelSummaries":[],"new":{"a":[1]}}"#,
        true,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b"}]}"#,
        true,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b","modelLifecycle":{}}]}"#,
        true,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b","modelName":null}]}"#,
        true,
    ),
    (Operation::Models, r#"{"modelSummaries":[{}]}"#, false),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":""}]}"#,
        false,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":7}]}"#,
        false,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b","inputModalities":"TEXT"}]}"#,
        false,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b","responseStreamingSupported":"yes"}]}"#,
        false,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b","modelLifecycle":{"startOfLifeTime":"soon"}}]}"#,
        false,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":{"modelId":"a.b"}}"#,
        false,
    ),
    (
        Operation::Models,
        r#"{"modelSummaries":[{"modelId":"a.b""#,
        false,
    ),
    (Operation::Models, "[]", false),
    (Operation::Models, "null", false),
    (Operation::Models, "true", false),
    (Operation::Models, "{}{}", false),
    (Operation::Models, "\u{0}\u{1}\u{2}", false),
    (Operation::Models, "<html>", false),
    (Operation::Profiles, "{}", true),
    (
        Operation::Profiles,
        r#"{"inferenceProfileSummaries":[{"inferenceProfileId":"us.a"}]}"#,
        true,
    ),
    (
        Operation::Profiles,
        r#"{"inferenceProfileSummaries":[{"inferenceProfileId":"us.a","models":[{}]}]}"#,
        true,
    ),
    (
        Operation::Profiles,
        r#"{"inferenceProfileSummaries":[{"models":[]}]}"#,
        false,
    ),
    (
        Operation::Profiles,
        r#"{"inferenceProfileSummaries":[{"inferenceProfileId":["us.a"]}]}"#,
        false,
    ),
    (
        Operation::Profiles,
        r#"{"inferenceProfileSummaries":[],"nextToken":3}"#,
        false,
    ),
];

#[tokio::test(start_paused = true)]
async fn a_strange_answer_is_its_own_regions_trouble() {
    for (operation, body, survives) in GOLDEN {
        let rule = Rule::new(Fault::json(body))
            .region("us-east-1")
            .operation(operation);
        let wire = Memory::new(Stage::new(small()).rule(rule));
        let fetched = fetcher(&wire).build().unwrap().fetch().await.unwrap();
        let report = &fetched.reports()["us-east-1"];
        let expected = if survives {
            Outcome::Ok
        } else {
            Outcome::Failed
        };
        assert_eq!(report.outcome, expected, "{body}: {}", report.reason);
        assert_eq!(fetched.answered(), if survives { 3 } else { 2 }, "{body}");
        assert!(
            wire.stage().requests_of("us-east-1", operation) == 1,
            "{body} is not asked for again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn deep_nesting_is_survived() {
    for depth in [100, 10_000, 200_000] {
        let body = format!(r#"{{"deep":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let rule = Rule::new(Fault::json(&body))
            .region("us-east-1")
            .operation(Operation::Models);
        let fetched = fetch(Stage::new(small()).rule(rule)).await;
        assert!(fetched.answered() >= 2, "{depth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_cut_off_and_not_asked_for_again() {
    let flood = Rule::new(Fault::Huge(9 << 20))
        .region("us-east-1")
        .operation(Operation::Models);
    let wire = Memory::new(Stage::new(small()).rule(flood));
    let fetched = fetcher(&wire).build().unwrap().fetch().await.unwrap();
    let report = &fetched.reports()["us-east-1"];
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.reason.contains("larger than allowed"),
        "{}",
        report.reason
    );
    assert_eq!(wire.stage().requests_of("us-east-1", Operation::Models), 1);
    assert_eq!(fetched.answered(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_small_pages_are_one_flood() {
    let pages = Rule::new(Fault::Huge(10_000))
        .region("us-east-1")
        .operation(Operation::Profiles);
    let wire = Memory::new(Stage::new(small()).profile_page_size(1).rule(pages));
    let fetched = fetcher(&wire)
        .max_region_bytes(100_000)
        .build()
        .unwrap()
        .fetch()
        .await
        .unwrap();
    assert!(
        fetched.reports()["us-east-1"]
            .reason
            .contains("larger than allowed")
    );
    assert!(wire.stage().requests_of("us-east-1", Operation::Profiles) <= 10);
    assert_eq!(fetched.answered(), 2);
}

#[tokio::test]
async fn html_truncation_and_floods_over_http() {
    let regions = ["us-east-1", "us-east-2", "us-west-1", "us-west-2"];
    let stage = Stage::new(synthetic::recording(&regions, 5, 5))
        .rule(Rule::new(Fault::html()).region("us-east-1"))
        .rule(
            Rule::new(Fault::Truncate(100))
                .region("us-east-2")
                .operation(Operation::Profiles),
        )
        .rule(
            Rule::new(Fault::Huge(100 << 20))
                .region("us-west-1")
                .operation(Operation::Models),
        );
    let fake = FakeBedrock::start(stage).unwrap();
    let fetcher = Fetcher::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(fake.url())
        .regions(regions);
    let fetched = fetcher.build().unwrap().fetch().await.unwrap();
    for region in ["us-east-1", "us-east-2", "us-west-1"] {
        assert_eq!(
            fetched.reports()[region].outcome,
            Outcome::Failed,
            "{region}"
        );
        assert!(fetched.recording().failures[region].starts_with("failed: "));
    }
    assert_eq!(fetched.reports()["us-west-2"].outcome, Outcome::Ok);
}
