//! A live catalog is notified of what another process wrote to Redis.

use std::time::Duration;

use bedrock_catalog::cache::{ManualClock, RedisOptions};
use bedrock_catalog::{CacheMode, Catalog, LiveCatalog};
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Stage, sdk_config};
use bedrock_catalog_tests::synthetic;

use crate::server;

const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_secs(20);

fn live(fake: &FakeBedrock, url: &str, clock: &ManualClock) -> LiveCatalog {
    LiveCatalog::builder()
        .sdk_config(&sdk_config())
        .endpoint_url(fake.url())
        .regions(["eu-west-1", "us-east-1"])
        .cache_mode(CacheMode::Memory)
        .redis(RedisOptions::from_url(url).unwrap())
        .clock(clock.clone())
        .build()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_catalog_takes_up_the_catalog_of_another_one() {
    let Some(server) = server() else { return };
    let observed = Catalog::bundled().observed_at().unix();
    let observed = Duration::from_secs(u64::try_from(observed).unwrap());
    let clock = ManualClock::at(std::time::UNIX_EPOCH + observed + 24 * 90 * HOUR);
    let fake = FakeBedrock::start(Stage::new(synthetic::recording(
        &["eu-west-1", "us-east-1"],
        4,
        3,
    )))
    .unwrap();
    let (one, other) = (
        live(&fake, &server.url(), &clock),
        live(&fake, &server.url(), &clock),
    );
    assert_eq!(one.load().await.unwrap().source().as_str(), "api");
    let loaded = other.load().await.unwrap();
    assert_eq!(
        (loaded.source().as_str(), loaded.is_degraded()),
        ("cache", false)
    );
    assert_eq!(fake.stage().requests(), 4);
    let mut refreshed = 0;
    let start = std::time::Instant::now();
    loop {
        clock.advance(Duration::from_secs(60));
        let newest = one.refresh().await.unwrap().observed_at();
        refreshed += 1;
        for _ in 0..40 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if other.snapshot().observed_at() == newest {
                assert_eq!(other.snapshot().source().as_str(), "cache");
                assert_eq!(
                    fake.stage().requests(),
                    4 + 4 * refreshed,
                    "the other fetched"
                );
                return;
            }
        }
        assert!(start.elapsed() < SOON, "never taken up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_names_a_redis() {
    use bedrock_catalog::cache::Environment;
    let Some(server) = server() else { return };
    let url = server.url();
    let env = Environment::new("BEDROCK_CATALOG", |name| match name {
        "BEDROCK_CATALOG_REDIS_URL" => Some(url.clone().into()),
        "BEDROCK_CATALOG_CACHE" => Some("memory".into()),
        _ => None,
    });
    let fake = FakeBedrock::start(Stage::new(synthetic::recording(&["eu-west-1"], 4, 3))).unwrap();
    let build = || {
        let builder = LiveCatalog::builder().from_environment(&env).unwrap();
        let builder = builder.sdk_config(&sdk_config()).endpoint_url(fake.url());
        builder.regions(["eu-west-1"]).build().unwrap()
    };
    assert_eq!(build().load().await.unwrap().source().as_str(), "api");
    let shared = build();
    assert_eq!(shared.load().await.unwrap().source().as_str(), "cache");
    let health = shared.cache().await.health();
    let tiers: Vec<&str> = health.iter().map(|tier| tier.name).collect();
    assert_eq!(tiers, ["memory", "redis"]);

    let wrong = Environment::new("BEDROCK_CATALOG", |name| {
        (name == "BEDROCK_CATALOG_REDIS_URL").then(|| "http://u:secret@h".into())
    });
    let error = LiveCatalog::builder().from_environment(&wrong).unwrap_err();
    assert!(
        error.to_string().contains("BEDROCK_CATALOG_REDIS_URL"),
        "{error}"
    );
    assert!(!error.to_string().contains("secret"), "{error}");
}
