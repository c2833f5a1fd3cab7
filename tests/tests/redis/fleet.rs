//! Many processes on one Redis: of all of them one asks AWS, and where that one dies another does.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::cache::tier::redis::RedisOptions;
use bedrock_catalog::{CacheMode, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Rule, Stage, sdk_config};
use bedrock_catalog_tests::redis_server::until;
use bedrock_catalog_tests::{count, synthetic};

use crate::children;
use crate::stage::*;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

fn stage() -> Stage {
    Stage::new(synthetic::recording(&REGIONS, 4, 3))
}

/// As each of the fleet has one, with the timeout that is shipped: no folder is shared, as if they were on
/// machines of their own.
fn builder(fake: &str, redis: &str) -> LiveCatalogBuilder {
    let options = RedisOptions::from_url(redis).unwrap();
    LiveCatalog::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(fake)
        .regions(REGIONS)
        .cache_mode(CacheMode::Memory)
        .redis(options)
}

#[tokio::test]
async fn child() {
    let Some(job) = children::job() else { return };
    // It warns of all that did not answer it in time.
    let warnings = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    warnings.with_writer(std::io::stdout).init();
    let (fake, redis) = job.split_once(' ').unwrap();
    let live = builder(fake, redis).build().unwrap();
    let loaded = live.load().await.unwrap();
    println!("served from={}", loaded.source().as_str());
}

fn start(fake: &FakeBedrock, redis: &str) -> Child {
    children::start("fleet::child", &format!("{} {redis}", fake.url()))
}

/// Once all have ended, each with a catalog of AWS or of another: how many asked AWS, and how many were told
/// that Redis, or they themselves, had not answered in time. So many requests were made before.
fn ended(fleet: Vec<Child>, fake: &FakeBedrock, before: usize) -> (usize, usize) {
    let (size, mut asked, mut cached, mut late) = (fleet.len(), 0, 0, 0);
    for child in fleet {
        let said = children::all_said(child);
        asked += usize::from(said.contains("served from=api"));
        cached += usize::from(said.contains("served from=cache"));
        let is_late = ["going on without it", "does not answer"];
        late += usize::from(is_late.iter().any(|words| said.contains(words)));
    }
    assert_eq!(asked + cached, size, "{asked} asked, {late} late");
    // Who is held up may ask more than once for a list.
    let requests = fake.stage().requests() - before;
    let is_exact = requests == 4 * asked || (requests > 4 * asked && late > 0);
    assert!(is_exact, "{requests} requests, {asked} asked, {late} late");
    (asked, late)
}

/// 200 in the long lane. Optimized, as who uses it builds it, one of them asks (the weekly run has that). As tests
/// are built, so many that start at once are themselves too late for it, and who was held up so long that it
/// went on without Redis asks beside the others; nobody else does.
#[test]
fn a_fleet_with_an_expired_catalog_refreshes_once() {
    let Some(server) = server() else { return };
    let size = if is_long() { 200 } else { 16 };
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Forty days ago: kept for thirty.
    let then = ManualClock::at(SystemTime::now() - 40 * 24 * HOUR);
    let old = builder(&fake.url(), &server.url())
        .clock(then)
        .build()
        .unwrap();
    let loaded = runtime.block_on(old.load()).unwrap();
    assert_eq!(loaded.source().as_str(), "api");
    drop((loaded, old));
    assert!(server.tell(&["DBSIZE"]) != redis::Value::Int(0));
    fake.stage().forget();

    let fleet = (0..size).map(|_| start(&fake, &server.url())).collect();
    let (asked, late) = ended(fleet, &fake, 0);
    let most = if cfg!(debug_assertions) { 1 + late } else { 1 };
    assert!((1..=most).contains(&asked), "{asked}, {late} late");
    let told = format_args!("{size} processes, {asked} refreshed, {late} held up");
    count("a fleet on one Redis, its catalog expired", told);
}

#[test]
fn where_the_one_that_refreshes_is_killed_another_takes_over() {
    let Some(server) = server() else { return };
    // The first that asks is answered never, or at least not in time.
    let stuck = Rule::new(Fault::Latency(Duration::from_secs(600))).requests(1..=1);
    let fake = FakeBedrock::start(stage().rule(stuck)).unwrap();
    let mut first = start(&fake, &server.url());
    until("it asks", Duration::from_secs(30), || {
        fake.stage().requests() >= 4
    });
    let others = (0..4).map(|_| start(&fake, &server.url())).collect();
    let killed = Instant::now();
    first.kill().unwrap();
    first.wait().unwrap();
    let (asked, late) = ended(others, &fake, 4);
    let took = killed.elapsed();
    assert!((1..=1 + late).contains(&asked), "{asked}, {late} late");
    // A lease without a sign of life lasts five seconds; the rest is the processes' own.
    assert!(took < Duration::from_secs(20), "{took:?}");
    println!("another took over, and all were served, within {took:?}");
}
