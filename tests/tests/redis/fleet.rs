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

const SHIPPED: Duration = RedisOptions::DEFAULT_TIMEOUT;
/// Processes on a small machine are slow to answer, not only the server.
const PATIENT: Duration = Duration::from_secs(5);

/// As each of the fleet has one: no folder is shared, as if they were on machines of their own.
fn builder(fake: &str, redis: &str, timeout: Duration) -> LiveCatalogBuilder {
    let options = RedisOptions::from_url(redis).unwrap();
    let options = options.timeout(timeout).unwrap();
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
    let mut words = job.split(' ');
    let mut word = || words.next().unwrap();
    let (fake, redis, timeout) = (word(), word(), word().parse().unwrap());
    let live = builder(fake, redis, Duration::from_millis(timeout));
    let live = live.build().unwrap();
    let loaded = live.load().await.unwrap();
    println!("served from={}", loaded.source().as_str());
}

fn start(fake: &FakeBedrock, redis: &str, timeout: Duration) -> Child {
    let job = format!("{} {redis} {}", fake.url(), timeout.as_millis());
    children::start("fleet::child", &job)
}

/// So many processes on one Redis with an expired catalog: how many asked AWS, and how many were told that
/// Redis, or they themselves, had not answered in time.
fn refreshed(size: usize) -> Option<(usize, usize)> {
    let server = server()?;
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // Forty days ago: kept for thirty.
    let then = ManualClock::at(SystemTime::now() - 40 * 24 * HOUR);
    let old = builder(&fake.url(), &server.url(), PATIENT)
        .clock(then)
        .build()
        .unwrap();
    let loaded = runtime.block_on(old.load()).unwrap();
    assert_eq!(loaded.source().as_str(), "api");
    drop((loaded, old));
    assert!(server.tell(&["DBSIZE"]) != redis::Value::Int(0));
    fake.stage().forget();

    let fleet = (0..size).map(|_| start(&fake, &server.url(), SHIPPED));
    let fleet: Vec<Child> = fleet.collect();
    let (mut asked, mut cached, mut late) = (0, 0, 0);
    for child in fleet {
        let said = children::all_said(child);
        asked += usize::from(said.contains("served from=api"));
        cached += usize::from(said.contains("served from=cache"));
        let is_late = ["going on without it", "does not answer"];
        late += usize::from(is_late.iter().any(|words| said.contains(words)));
    }
    assert_eq!(asked + cached, size);
    assert_eq!(fake.stage().requests(), 4 * asked);
    let told = format_args!("{size} processes, {asked} refreshed, {late} held up");
    count("a fleet on one Redis, its catalog expired", told, 0);
    Some((asked, late))
}

/// 200 in the long lane, with the timeout that is shipped. Who was held up for so long that it went on without
/// Redis may ask beside the others; nobody else does. Optimized, one of 200 on two cores asks; as tests are
/// built, 200 processes that start at once are late themselves, so that figure is of the table, and of
/// `docs/operators.md`.
#[test]
fn a_fleet_with_an_expired_catalog_refreshes_once() {
    let size = if is_long() { 200 } else { 16 };
    let Some((asked, late)) = refreshed(size) else {
        return;
    };
    assert!((1..=1 + late).contains(&asked), "{asked}, {late} late");
}

#[test]
fn where_the_one_that_refreshes_is_killed_another_takes_over() {
    let Some(server) = server() else { return };
    // The first that asks is answered never, or at least not in time.
    let stuck = Rule::new(Fault::Latency(Duration::from_secs(600))).requests(1..=1);
    let fake = FakeBedrock::start(stage().rule(stuck)).unwrap();
    let mut first = start(&fake, &server.url(), PATIENT);
    until("it asks", Duration::from_secs(30), || {
        fake.stage().requests() >= 4
    });
    let others: Vec<Child> = (0..4)
        .map(|_| start(&fake, &server.url(), PATIENT))
        .collect();
    let killed = Instant::now();
    first.kill().unwrap();
    first.wait().unwrap();
    let mut sources: Vec<String> = others
        .into_iter()
        .map(|child| children::said(child, "from"))
        .collect();
    let took = killed.elapsed();
    sources.sort();
    assert_eq!(sources, ["api", "cache", "cache", "cache"]);
    assert_eq!(fake.stage().requests(), 8);
    // A lease without a sign of life lasts five seconds; the rest is the processes' own.
    assert!(took < Duration::from_secs(20), "{took:?}");
    println!("another took over, and all were served, within {took:?}");
}
