//! Many callers write and read at once, at a server that fails, resets and hangs. A read after a write never
//! returns the state before it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{Cache, ManualClock, MemoryLimits};
use bedrock_catalog_test_support::FaultyTier;
use bedrock_catalog_tests::fake_aws::Fault;
use bedrock_catalog_tests::fake_bedrock::Delivery;
use tokio::task::JoinSet;

use crate::stage::{World, cached};

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_after_a_write_is_never_older() {
    let long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some();
    let (people, rounds) = if long { (16, 400) } else { (6, 25) };
    for has_lower_tier in [false, true] {
        let mut cache = Cache::builder().memory(MemoryLimits::default());
        if has_lower_tier {
            cache = cache.tier(FaultyTier::new("lower"));
        }
        let clock = ManualClock::at(SystemTime::now());
        let cache = cache.clock(clock.clone()).build().unwrap();
        let w = Arc::new(World::with(cached(|builder| builder.cache(cache))));
        let mut tasks = JoinSet::new();
        for person in 0..people {
            let (w, clock) = (Arc::clone(&w), clock.clone());
            tasks.spawn(async move {
                let mut dice = Dice(person);
                let user = w.user(&format!("{person}")).await;
                for round in 0..rounds {
                    let name = format!("{person} {round}");
                    // Uncertain writes are over; otherwise soon no read is cached.
                    clock.advance(Duration::from_secs(5));
                    match dice.roll(8) {
                        0 => w.aws.fail_next(
                            "UpdateUser",
                            Fault::DoneBut(500, "InternalServerException"),
                        ),
                        1 => w
                            .aws
                            .fail_next("UpdateUser", Fault::Delivered(Delivery::Reset(0))),
                        2 => w
                            .aws
                            .fail_next("UpdateUser", Fault::Delivered(Delivery::Never)),
                        3 => w.aws.fail_next(
                            "DescribeUser",
                            Fault::Refused(500, "InternalServerException"),
                        ),
                        _ => {}
                    }
                    let patience = Duration::from_millis(50 + dice.roll(50));
                    // The caller that meets the fault retries or gives up.
                    let write = tokio::time::timeout(patience, w.try_rename(&user, &name));
                    let done = write.await.unwrap_or(false);
                    let before = w.aws.user_name(&user);
                    let read = async || loop {
                        let read =
                            tokio::time::timeout(Duration::from_secs(10), w.described(&user));
                        if let Some(seen) = read.await.expect("an answer in time") {
                            break seen;
                        }
                    };
                    let seen = read().await;
                    if done {
                        assert_eq!(seen, name);
                        assert_eq!(read().await, name);
                    } else if w.aws.user_name(&user) == before {
                        // Given up, and not done between the two looks.
                        assert_eq!(seen, before);
                    }
                }
            });
        }
        tasks.join_all().await;
        let statistics = w.cached.statistics();
        println!("lower tier: {has_lower_tier}, {statistics:?}");
        assert!(4 * statistics.hits > statistics.misses && statistics.uncertain_writes > 0);
    }
}
