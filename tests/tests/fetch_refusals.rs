//! Throttling, refusals and failures: each region its own fate, and no storm of retries.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeSet;

use bedrock_catalog::fetch::{Fetched, Fetcher, FetcherBuilder, Outcome, partition_regions};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Operation, Rule, Stage};
use bedrock_catalog_tests::{count, synthetic};
use proptest::prelude::*;

/// All 31 regions, with pages enough for nobody to need a second.
fn stage() -> Stage {
    Stage::new(synthetic::recording(&partition_regions("aws"), 3, 4))
}

fn fetcher(wire: &Memory) -> FetcherBuilder {
    Fetcher::builder().sdk_config(&wire.sdk_config())
}

async fn fetch(wire: &Memory) -> Fetched {
    fetcher(wire).build().unwrap().fetch().await.unwrap()
}

fn outcomes(fetched: &Fetched) -> BTreeSet<Outcome> {
    fetched
        .reports()
        .values()
        .map(|report| report.outcome)
        .collect()
}

/// The pass figure: 31 regions × 2 operations × 3 attempts.
async fn storm(refreshes: u32) {
    let wire = Memory::new(stage().rule(Rule::new(Fault::throttling())));
    let fetcher = fetcher(&wire).build().unwrap();
    let mut most = 0;
    for refresh in 0..refreshes {
        wire.stage().forget();
        let fetched = fetcher.fetch().await.unwrap();
        assert_eq!(
            outcomes(&fetched),
            BTreeSet::from([Outcome::Throttled]),
            "refresh {refresh}"
        );
        let seen = wire.stage().seen();
        most = most.max(seen.len());
        assert!(
            seen.iter().all(|request| request.nth <= 3),
            "more than three attempts"
        );
        assert!(
            seen.len() <= 186,
            "{} requests in refresh {refresh}",
            seen.len()
        );
        // Every refresh has its own budget: an earlier storm leaves none without retries.
        assert!(
            seen.len() > 93,
            "{} requests in refresh {refresh}",
            seen.len()
        );
    }
    assert!(wire.stage().peak() <= 62);
    let told = format_args!("{refreshes} refreshes, at most {most} requests in one");
    count("AWS throttles", told);
}

#[tokio::test(start_paused = true)]
async fn a_throttling_storm_stays_within_its_budget() {
    storm(50).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_throttling_storms_stay_within_their_budgets() {
    if std::env::var_os("BEDROCK_CATALOG_LONG").is_none() {
        let name = "a_thousand_throttling_storms_stay_within_their_budgets";
        bedrock_catalog_tests::leave_out(name, "of the long lane");
        return;
    }
    storm(1000).await;
}

/// With many pages the budget, not the attempts, is what bounds the retries.
#[tokio::test(start_paused = true)]
async fn pages_do_not_multiply_retries() {
    // Every page is throttled twice before it comes, page after page.
    let mut stage = Stage::new(synthetic::recording(&["us-east-1"], 3, 40)).profile_page_size(1);
    for page in 0..40 {
        let nth = page * 3;
        stage = stage.rule(
            Rule::new(Fault::throttling())
                .operation(Operation::Profiles)
                .requests(nth + 1..=nth + 2),
        );
    }
    let wire = Memory::new(stage);
    let fetched = fetcher(&wire)
        .regions(["us-east-1"])
        .build()
        .unwrap()
        .fetch()
        .await
        .unwrap();
    assert_eq!(fetched.reports()["us-east-1"].outcome, Outcome::Throttled);
    // Two pages with their two retries each, and the third page's first attempt.
    assert_eq!(
        wire.stage().requests_of("us-east-1", Operation::Profiles),
        7
    );
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_retried() {
    for fault in [
        Fault::throttling(),
        Fault::server_error(),
        Fault::error(503, "ServiceUnavailableException", ""),
        Fault::Raw(502, "text/html".into(), b"<html>Bad Gateway".to_vec()),
        Fault::Reset(10),
    ] {
        let wire =
            Memory::new(stage().rule(Rule::new(fault.clone()).region("us-east-1").requests(1..=2)));
        let fetched = fetch(&wire).await;
        assert!(
            fetched.is_complete(),
            "{fault:?}: {:?}",
            fetched.reports()["us-east-1"]
        );
        assert_eq!(wire.stage().requests_of("us-east-1", Operation::Models), 3);
        assert_eq!(wire.stage().requests_of("us-east-2", Operation::Models), 1);
    }
}

fn refusals() -> [(&'static str, Fault); 6] {
    [
        ("AccessDeniedException", Fault::access_denied()),
        ("UnrecognizedClientException", Fault::unrecognized_client()),
        ("ExpiredTokenException", Fault::expired_token()),
        ("InvalidSignatureException", Fault::invalid_signature()),
        (
            "InvalidClientTokenId",
            Fault::error(403, "InvalidClientTokenId", "The security token is invalid"),
        ),
        (
            "MissingAuthenticationTokenException",
            Fault::error(403, "MissingAuthenticationTokenException", "None"),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn six_refusals_in_each_of_31_regions() {
    for (code, fault) in refusals() {
        for region in partition_regions("aws") {
            let wire = Memory::new(stage().rule(Rule::new(fault.clone()).region(region)));
            let fetched = fetch(&wire).await;
            let report = &fetched.reports()[region];
            let opt_in = !ALWAYS_ON.contains(&region);
            let unknown = matches!(code, "UnrecognizedClientException" | "InvalidClientTokenId");
            let expected = if unknown && opt_in {
                Outcome::NotEnabled
            } else {
                Outcome::Denied
            };
            assert_eq!(report.outcome, expected, "{code} in {region}");
            assert!(report.reason.contains(code), "{}", report.reason);
            assert!(fetched.recording().failures[region].starts_with(expected.as_str()));
            assert_eq!(fetched.answered(), 30, "{code} in {region}");
            assert_eq!(fetched.is_complete(), expected == Outcome::NotEnabled);
            let asked = wire
                .stage()
                .seen()
                .into_iter()
                .filter(|request| request.region == region);
            assert!(
                asked.clone().count() <= 2 && asked.into_iter().all(|request| request.nth == 1),
                "retried"
            );
        }
    }
}

/// Written down a second time on purpose: the regions that every account has.
const ALWAYS_ON: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
];

#[tokio::test(start_paused = true)]
async fn unknown_everywhere_means_that_the_credentials_are_wrong() {
    let wire = Memory::new(stage().rule(Rule::new(Fault::unrecognized_client())));
    let fetched = fetch(&wire).await;
    assert_eq!(outcomes(&fetched), BTreeSet::from([Outcome::Denied]));
    assert_eq!(fetched.answered(), 0);
    assert!(!fetched.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_region_that_asks_to_opt_in_is_not_enabled() {
    let opt_in = Fault::error(403, "OptInRequired", "You need to opt in to this region.");
    let fetched = fetch(&Memory::new(
        stage().rule(Rule::new(opt_in).region("us-east-1")),
    ))
    .await;
    assert_eq!(fetched.reports()["us-east-1"].outcome, Outcome::NotEnabled);
}

/// A region that the recording does not have is one that the account has not enabled.
#[tokio::test(start_paused = true)]
async fn regions_not_enabled_do_not_make_a_fetch_incomplete() {
    let wire = Memory::new(Stage::new(synthetic::recording(&ALWAYS_ON, 3, 4)));
    let fetched = fetch(&wire).await;
    assert!(fetched.is_complete());
    assert_eq!(
        (fetched.answered(), fetched.recording().failures.len()),
        (17, 14)
    );
}

/// Every way to fail at once, each region another: none touches another's.
#[tokio::test(start_paused = true)]
async fn fates_are_their_own() {
    let faults = [
        (Fault::throttling(), Outcome::Throttled),
        (Fault::access_denied(), Outcome::Denied),
        (Fault::server_error(), Outcome::Failed),
        (Fault::html(), Outcome::Failed),
        (Fault::Hang, Outcome::TimedOut),
        (Fault::Silence(5), Outcome::TimedOut),
        (Fault::Reset(5), Outcome::Failed),
        (Fault::Huge(9 << 20), Outcome::Failed),
    ];
    let regions = partition_regions("aws");
    let mut stage = stage();
    for (region, (fault, _)) in regions.iter().zip(faults.iter().cycle()).take(30) {
        stage = stage.rule(Rule::new(fault.clone()).region(region));
    }
    let fetched = fetch(&Memory::new(stage)).await;
    for (region, (_, outcome)) in regions.iter().zip(faults.iter().cycle()).take(30) {
        assert_eq!(fetched.reports()[*region].outcome, *outcome, "{region}");
    }
    assert_eq!(fetched.reports()[regions[30]].outcome, Outcome::Ok);
}

fn subset(failing: &BTreeSet<&str>) {
    let mut stage = stage();
    for region in failing {
        stage = stage.rule(Rule::new(Fault::access_denied()).region(region));
    }
    let wire = Memory::new(stage);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let fetched = runtime.block_on(fetch(&wire));
    for region in partition_regions("aws") {
        let (ok, failed) = (&fetched.recording().regions, &fetched.recording().failures);
        assert_eq!(failed.contains_key(region), failing.contains(region));
        assert_eq!(
            ok.get(region),
            wire.stage()
                .recording()
                .regions
                .get(region)
                .filter(|_| !failing.contains(region))
        );
    }
}

#[test]
fn k_of_31_regions_fail() {
    let regions = partition_regions("aws");
    for k in 0..=31 {
        subset(&regions.iter().take(k).copied().collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_subset_of_regions_fails(failing in proptest::sample::subsequence(partition_regions("aws"), 0..=31)) {
        subset(&failing.into_iter().collect());
    }
}
