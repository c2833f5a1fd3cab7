//! Page tokens that make no sense end in a bounded number of requests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bedrock_catalog::fetch::{Fetcher, Outcome};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule, Stage, Tokens};
use bedrock_catalog_tests::synthetic;

#[tokio::test(start_paused = true)]
async fn senseless_tokens_end() {
    for (tokens, outcome, pages, reason) in [
        (
            Tokens::Endless,
            Outcome::Failed,
            100,
            "no end after 100 pages",
        ),
        (
            Tokens::Repeating,
            Outcome::Failed,
            2,
            "a page token came twice",
        ),
        (
            Tokens::Alternating,
            Outcome::Failed,
            3,
            "a page token came twice",
        ),
        (Tokens::Empty, Outcome::Ok, 1, ""),
    ] {
        let recording = synthetic::recording(&["us-east-1", "us-west-2"], 3, 5);
        let rule = Rule::new(Fault::Tokens(tokens)).region("us-east-1");
        let wire = Memory::new(Stage::new(recording).rule(rule));
        let fetcher = Fetcher::builder()
            .sdk_config(&wire.sdk_config())
            .regions(["us-east-1", "us-west-2"]);
        let fetched = fetcher.build().unwrap().fetch().await.unwrap();
        let report = &fetched.reports()["us-east-1"];
        assert_eq!(report.outcome, outcome, "{tokens:?}");
        assert!(
            report.reason.contains(reason),
            "{tokens:?}: {}",
            report.reason
        );
        assert_eq!(
            wire.stage().requests_of("us-east-1", Operation::Profiles),
            pages,
            "{tokens:?}"
        );
        assert_eq!(fetched.reports()["us-west-2"].outcome, Outcome::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_allowed_page_is_a_page() {
    for (rows, outcome) in [(100, Outcome::Ok), (101, Outcome::Failed)] {
        let recording = synthetic::recording(&["us-east-1"], 3, rows);
        let wire = Memory::new(Stage::new(recording).profile_page_size(1));
        let fetcher = Fetcher::builder()
            .sdk_config(&wire.sdk_config())
            .regions(["us-east-1"]);
        let fetched = fetcher.build().unwrap().fetch().await.unwrap();
        assert_eq!(
            fetched.reports()["us-east-1"].outcome,
            outcome,
            "{rows} pages"
        );
        assert_eq!(
            wire.stage().requests_of("us-east-1", Operation::Profiles),
            100
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_accounts_own_profiles_are_left_out() {
    // The stage filters as AWS does; the second one does not know the filter's field.
    let mut recording = synthetic::recording(&["us-east-1"], 3, 6);
    let answers = recording.regions.get_mut("us-east-1").unwrap();
    answers.profiles[4].kind = Some("APPLICATION".to_owned());
    let rows: Vec<_> = answers
        .profiles
        .iter()
        .map(|row| serde_json::to_value(row).unwrap())
        .collect();
    let body = serde_json::json!({ "inferenceProfileSummaries": rows }).to_string();
    let unfiltered = Rule::new(Fault::json(&body)).operation(Operation::Profiles);
    for stage in [
        Stage::new(recording.clone()),
        Stage::new(recording).rule(unfiltered),
    ] {
        let wire = Memory::new(stage);
        let fetcher = Fetcher::builder()
            .sdk_config(&wire.sdk_config())
            .regions(["us-east-1"]);
        let fetched = fetcher.build().unwrap().fetch().await.unwrap();
        assert_eq!(fetched.recording().regions["us-east-1"].profiles.len(), 5);
    }
}
