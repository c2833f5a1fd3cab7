//! Many processes on one Redis: of all of them one asks AWS, and where that one dies another does.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::cache::tier::redis::RedisOptions;
use bedrock_catalog::{CacheMode, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Rule, Stage, sdk_config};
use bedrock_catalog_tests::redis_server::until;
use bedrock_catalog_tests::synthetic;

use crate::children;
use crate::stage::*;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

fn stage() -> Stage {
    Stage::new(synthetic::recording(&REGIONS, 4, 3))
}

/// As each of the fleet has one: no folder is shared, as if they were on machines of their own.
fn builder(fake: &str, redis: &str) -> LiveCatalogBuilder {
    let options = RedisOptions::from_url(redis).unwrap();
    // So many processes on a small machine are slow to answer, not only the server.
    let options = options.timeout(Duration::from_secs(5)).unwrap();
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
    let (fake, redis) = job.split_once(' ').unwrap();
    let live = builder(fake, redis).build().unwrap();
    let loaded = live.load().await.unwrap();
    println!("source={}", loaded.source().as_str());
}

fn start(fake: &FakeBedrock, redis: &str) -> Child {
    children::start("fleet::child", &format!("{} {redis}", fake.url()))
}

/// 200 in the long lane.
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

    let fleet: Vec<Child> = (0..size).map(|_| start(&fake, &server.url())).collect();
    let mut sources = std::collections::BTreeMap::<String, usize>::new();
    for child in fleet {
        *sources.entry(children::said(child, "source")).or_default() += 1;
    }
    assert_eq!(fake.stage().requests(), 4, "{sources:?}");
    assert_eq!(sources.get("api"), Some(&1), "{sources:?}");
    assert_eq!(sources.get("cache"), Some(&(size - 1)), "{sources:?}");
    println!(
        "{size} processes: {sources:?}, {} requests",
        fake.stage().requests()
    );
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
    let others: Vec<Child> = (0..4).map(|_| start(&fake, &server.url())).collect();
    let killed = Instant::now();
    first.kill().unwrap();
    first.wait().unwrap();
    let mut sources: Vec<String> = others
        .into_iter()
        .map(|child| children::said(child, "source"))
        .collect();
    let took = killed.elapsed();
    sources.sort();
    assert_eq!(sources, ["api", "cache", "cache", "cache"]);
    assert_eq!(fake.stage().requests(), 8);
    // A lease without a sign of life lasts five seconds; the rest is the processes' own.
    assert!(took < Duration::from_secs(20), "{took:?}");
    println!("another took over, and all were served, within {took:?}");
}
