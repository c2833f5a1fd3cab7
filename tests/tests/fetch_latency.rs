//! Regions are asked at once: all of them take little longer than the slowest one's own chain.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::time::Duration;

use bedrock_catalog::fetch::{Fetched, Fetcher, Outcome, partition_regions};
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Memory, Rule, Stage, sdk_config};
use bedrock_catalog_tests::{recordings, synthetic};
use tokio::time::Instant;

const LATENCY: Duration = Duration::from_millis(200);

fn stage() -> Stage {
    let recording = recordings::real("fetch_latency").unwrap();
    let recording =
        recording.unwrap_or_else(|| synthetic::recording(&partition_regions("aws"), 60, 60));
    Stage::new(recording).profile_page_size(20).latency(LATENCY)
}

async fn timed(fetcher: &Fetcher) -> (Fetched, Duration) {
    let started = Instant::now();
    let fetched = fetcher.fetch().await.unwrap();
    (fetched, started.elapsed())
}

/// On a clock that moves by itself: what waiting alone costs.
#[tokio::test(start_paused = true)]
async fn all_regions_wait_no_longer_than_the_slowest() {
    let wire = Memory::new(stage());
    let fetcher = Fetcher::builder()
        .sdk_config(&wire.sdk_config())
        .build()
        .unwrap();
    let (all, wall) = timed(&fetcher).await;
    let mut slowest = Duration::ZERO;
    for region in partition_regions("aws") {
        let alone = Fetcher::builder()
            .sdk_config(&wire.sdk_config())
            .regions([region])
            .build()
            .unwrap();
        slowest = slowest.max(timed(&alone).await.1);
    }
    assert_eq!(all.answered(), 31);
    // The models come beside the pages of profiles, not before them.
    let pages = all
        .reports()
        .values()
        .map(|report| report.profiles.div_ceil(20))
        .max()
        .unwrap();
    assert_eq!(slowest, LATENCY * u32::try_from(pages).unwrap());
    println!("waiting: all regions {wall:?}, the slowest alone {slowest:?}");
    assert!(
        wall <= slowest.mul_f64(1.05),
        "{wall:?} for all, {slowest:?} for the slowest"
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_region_delays_itself_alone() {
    let slow = Rule::new(Fault::Latency(Duration::from_millis(800))).region("eu-west-1");
    let even = Memory::new(stage());
    let uneven = Memory::new(stage().rule(slow));
    let fetcher = |wire: &Memory| {
        Fetcher::builder()
            .sdk_config(&wire.sdk_config())
            .build()
            .unwrap()
    };
    let (before, _) = timed(&fetcher(&even)).await;
    let (after, _) = timed(&fetcher(&uneven)).await;
    for (region, report) in after.reports() {
        assert_eq!(report.outcome, Outcome::Ok);
        let (before, after) = (before.reports()[region].elapsed, report.elapsed);
        if region == "eu-west-1" {
            assert!(after >= before * 4, "{region}: {before:?} then {after:?}");
        } else {
            assert!(
                after <= before.mul_f64(1.05),
                "{region}: {before:?} then {after:?}"
            );
        }
    }
}

/// The same over sockets, work included: a ratio in one run. Others may be at work on the machine, so
/// one good run of five is enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_regions_take_little_longer_than_the_slowest() {
    if std::env::var_os("BEDROCK_CATALOG_LONG").is_none() {
        let name = "all_regions_take_little_longer_than_the_slowest";
        bedrock_catalog_tests::leave_out(name, "of the long lane");
        return;
    }
    let fake = FakeBedrock::start(stage()).unwrap();
    let fetcher = |regions: &[&str]| {
        let builder = Fetcher::builder()
            .sdk_config(&sdk_config())
            .endpoint_url(fake.url());
        builder.regions(regions.iter().copied()).build().unwrap()
    };
    // Of the first fetch only: the next one's connections may meet those that are still closing.
    fetcher(&[]).fetch().await.unwrap();
    let connections = fake.stage().peak();
    assert!(connections <= 62, "{connections} connections");
    let mut best = f64::MAX;
    for _ in 0..5 {
        let (all, wall) = timed(&fetcher(&[])).await;
        assert_eq!(all.answered(), 31);
        let (slowest, _) = all
            .reports()
            .iter()
            .max_by_key(|(_, report)| report.profiles)
            .unwrap();
        let (_, alone) = timed(&fetcher(&[slowest.as_str()])).await;
        let ratio = wall.as_secs_f64() / alone.as_secs_f64();
        println!("sockets: all regions {wall:?}, {slowest} alone {alone:?}, ratio {ratio:.2}");
        best = best.min(ratio);
        if best <= 1.3 {
            break;
        }
    }
    assert!(best <= 1.3, "ratio {best:.2}");
}
