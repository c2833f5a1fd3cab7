//! The counters of the `metrics` facade.

use bedrock_catalog_test_support::Counters;

use crate::stage::{Stage, key, options};

#[test]
fn the_metrics_are_the_statistics() {
    let counters = Counters::default();
    let stage = metrics::with_local_recorder(&counters, Stage::new);
    stage.cache.put(&key(1), "x", &options());
    stage.forget();
    for n in [1, 1, 2] {
        let _ = stage.cache.get(&key(n));
    }
    let statistics = stage.cache.statistics();
    let read = |name: &str| counters.read(name);
    assert_eq!((read("cache_misses_total"), statistics.misses), (1, 1));
    for tier in &statistics.tiers {
        let read = |name: &str| read(&format!("cache_{name}_total {}", tier.name));
        assert_eq!(read("hits"), tier.hits);
        assert_eq!(read("promotions"), tier.promotions);
        assert_eq!(read("written_bytes"), tier.bytes_written);
    }
    assert_eq!(statistics.hits(), 2);
}
