//! Opt-in: one fetch from AWS itself, with whatever credentials are there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use bedrock_catalog::fetch::{Fetcher, Outcome, sdk_config_from_env};
use bedrock_catalog_tests::leave_out;

/// Runs with `BEDROCK_CATALOG_LIVE=1`; asks two regions, four requests.
#[tokio::test]
async fn live_fetch_of_two_regions() {
    if std::env::var_os("BEDROCK_CATALOG_LIVE").is_none() {
        leave_out(
            "live_fetch_of_two_regions",
            "BEDROCK_CATALOG_LIVE is not set",
        );
        return;
    }
    let config = sdk_config_from_env().await;
    let fetcher = Fetcher::builder()
        .sdk_config(&config)
        .regions(["us-east-1", "eu-central-1"])
        .build()
        .unwrap();
    let fetched = match fetcher.fetch().await {
        Err(error) if error.is_no_credentials() => {
            leave_out("live_fetch_of_two_regions", error);
            return;
        }
        fetched => fetched.unwrap(),
    };
    for (region, report) in fetched.reports() {
        assert_eq!(report.outcome, Outcome::Ok, "{region}: {}", report.reason);
        assert!(
            report.models > 10 && report.profiles > 0,
            "{region}: {report:?}"
        );
    }
}
