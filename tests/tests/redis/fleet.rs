//! Many processes on one Redis: of all of them one asks AWS, and where that one dies another does.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::cache::tier::redis::RedisOptions;
use bedrock_catalog::{CacheMode, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_test_support::redis_server::until;
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Rule, Stage, sdk_config};
use bedrock_catalog_tests::{count, synthetic};

use crate::server;
use bedrock_catalog_test_support::children::{self, Gate};

const HOUR: Duration = Duration::from_secs(3600);
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
    children::wait_at_the_gate();
    let loaded = live.load().await.unwrap();
    println!("served from={}", loaded.source().as_str());
}

/// Starts so many at once.
fn start(size: usize, fake: &FakeBedrock, redis: &str) -> Vec<Child> {
    let (gate, job) = (Gate::new(), format!("{} {redis}", fake.url()));
    let fleet = (0..size).map(|_| gate.start("fleet::child", &job));
    let mut fleet: Vec<_> = fleet.collect();
    gate.open(&mut fleet);
    fleet
}

/// Once all have ended: that one of them asked AWS, once for each list, and the others were served what it got.
/// So many requests were made before. How many were told that Redis, or they themselves, had not answered in
/// time.
fn one_asked(fleet: Vec<Child>, fake: &FakeBedrock, before: usize) -> usize {
    let (size, mut asked, mut cached, mut late) = (fleet.len(), 0, 0, 0);
    for child in fleet {
        let said = children::all_said(child);
        asked += usize::from(said.contains("served from=api"));
        cached += usize::from(said.contains("served from=cache"));
        let is_late = ["going on without it", "does not answer"];
        late += usize::from(is_late.iter().any(|words| said.contains(words)));
    }
    let requests = fake.stage().requests() - before;
    let of = format!("of {size}, {late} late");
    assert_eq!((asked, cached, requests), (1, size - 1, 4), "{of}");
    late
}

/// 200 in the long lane, optimized, as who uses it builds it (the weekly run has that). So many as tests are
/// built are one refresh too where nothing else runs; beside other tests on two cores Redis, which shares these
/// cores with them, may be late five times in a row, and then two ask.
#[test]
fn a_fleet_with_an_expired_catalog_refreshes_once() {
    let Some(server) = server() else { return };
    let is_large = std::env::var_os("BEDROCK_CATALOG_LONG").is_some() && !cfg!(debug_assertions);
    let size = if is_large { 200 } else { 16 };
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

    let fleet = start(size, &fake, &server.url());
    let late = one_asked(fleet, &fake, 0);
    let told = format_args!("{size} processes, 1 refreshed, {late} held up");
    count("a fleet on one Redis, its catalog expired", told);
}

#[test]
fn where_the_one_that_refreshes_is_killed_another_takes_over() {
    let Some(server) = server() else { return };
    // The first that asks is answered never, or at least not in time.
    let stuck = Rule::new(Fault::Latency(Duration::from_secs(600))).requests(1..=1);
    let fake = FakeBedrock::start(stage().rule(stuck)).unwrap();
    let mut first = start(1, &fake, &server.url()).remove(0);
    until("it asks", Duration::from_secs(30), || {
        fake.stage().requests() == 4
    });
    let others = start(4, &fake, &server.url());
    let killed = Instant::now();
    first.kill().unwrap();
    first.wait().unwrap();
    one_asked(others, &fake, 4);
    let took = killed.elapsed();
    // A lease without a sign of life lasts five seconds; the rest is the processes' own.
    assert!(took < Duration::from_secs(20), "{took:?}");
    println!("another took over, and all were served, within {took:?}");
}
