//! Many processes on one Redis: one of them fetches, and where it is killed another one does.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use bedrock_catalog::cache::{ManualClock, RedisOptions};
use bedrock_catalog::{CacheMode, LiveCatalog, LiveCatalogBuilder};
use bedrock_catalog_test_support::redis_server::wait_until;
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Rule, Stage, sdk_config};
use bedrock_catalog_tests::{count, synthetic};

use crate::server;
use bedrock_catalog_test_support::processes::{self, Gate};

const HOUR: Duration = Duration::from_secs(3600);
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

fn stage() -> Stage {
    Stage::new(synthetic::recording(&REGIONS, 4, 3))
}

/// One process of the fleet, with the default timeout. No folder is shared, as on machines of their own.
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
    let Some(job) = processes::job() else { return };
    // The log has the timeouts.
    let warnings = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN);
    warnings.with_writer(std::io::stdout).init();
    let (fake, redis) = job.split_once(' ').unwrap();
    let live = builder(fake, redis).build().unwrap();
    processes::wait_at_gate();
    let loaded = live.load().await.unwrap();
    println!("served from={}", loaded.source().as_str());
}

/// Starts this many at once.
fn start(size: usize, fake: &FakeBedrock, redis: &str) -> Vec<Child> {
    let (gate, job) = (Gate::new(), format!("{} {redis}", fake.url()));
    let fleet = (0..size).map(|_| gate.start("fleet::child", &job));
    let mut fleet: Vec<_> = fleet.collect();
    gate.open(&mut fleet);
    fleet
}

/// Waits for all: one of them has fetched, once each list, after this many requests, and the others were
/// served its catalog. The number of processes with a timeout.
fn one_fetched(fleet: Vec<Child>, fake: &FakeBedrock, before: usize) -> usize {
    let (size, mut fetched, mut cached, mut late) = (fleet.len(), 0, 0, 0);
    for child in fleet {
        let output = processes::output(child);
        fetched += usize::from(output.contains("served from=api"));
        cached += usize::from(output.contains("served from=cache"));
        late += usize::from(output.contains("does not answer") || output.contains("time"));
    }
    let requests = fake.stage().requests() - before;
    let of = format!("of {size}, {late} late");
    assert_eq!((fetched, cached, requests), (1, size - 1, 4), "{of}");
    late
}

/// 200 processes in the long lane, optimized.
#[test]
fn a_fleet_with_an_expired_catalog_refreshes_once() {
    let Some(server) = server() else { return };
    let is_large = std::env::var_os("BEDROCK_CATALOG_LONG").is_some() && !cfg!(debug_assertions);
    let size = if is_large { 200 } else { 16 };
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Forty days ago, beyond keep for.
    let then = ManualClock::at(SystemTime::now() - 40 * 24 * HOUR);
    let old = builder(&fake.url(), &server.url())
        .clock(then)
        .build()
        .unwrap();
    let loaded = runtime.block_on(old.load()).unwrap();
    assert_eq!(loaded.source().as_str(), "api");
    drop((loaded, old));
    assert!(server.command(&["DBSIZE"]) != redis::Value::Int(0));
    fake.stage().forget();

    let fleet = start(size, &fake, &server.url());
    let late = one_fetched(fleet, &fake, 0);
    let counted = format_args!("{size} processes, 1 fetched, {late} late");
    count("a fleet on one Redis, its catalog expired", counted);
}

#[test]
fn another_process_takes_over_from_a_killed_one() {
    let Some(server) = server() else { return };
    // The first fetch gets no answer in time.
    let stuck = Rule::new(Fault::Latency(Duration::from_secs(600))).requests(1..=1);
    let fake = FakeBedrock::start(stage().rule(stuck)).unwrap();
    let mut first = start(1, &fake, &server.url()).remove(0);
    wait_until("it fetches", Duration::from_secs(30), || {
        fake.stage().requests() == 4
    });
    let others = start(4, &fake, &server.url());
    let killed = Instant::now();
    first.kill().unwrap();
    first.wait().unwrap();
    one_fetched(others, &fake, 4);
    let took = killed.elapsed();
    // The lease expires after a third of the deadline.
    assert!(took < Duration::from_secs(25), "{took:?}");
    println!("another took over, and all were served, within {took:?}");
}
