use super::{Stage, key, terms};
use bedrock_catalog_test_support::Counters;

#[test]
fn the_metrics_are_the_statistics() {
    let counters = Counters::default();
    let stage = metrics::with_local_recorder(&counters, Stage::new);
    stage.cache.put(&key(1), "x", &terms());
    stage
        .cache
        .invalidate_in("memory", &bedrock_catalog_cache::Pattern::all());
    for n in [1, 1, 2] {
        let _ = stage.cache.get(&key(n));
    }
    let statistics = stage.cache.statistics();
    let read = |name: &str| counters.read(name);
    assert_eq!((read("cache_misses_total"), statistics.misses), (1, 1));
    for tier in &statistics.tiers {
        assert_eq!(read(&format!("cache_hits_total {}", tier.name)), tier.hits);
        assert_eq!(
            read(&format!("cache_promotions_total {}", tier.name)),
            tier.promotions
        );
        assert_eq!(
            read(&format!("cache_written_bytes_total {}", tier.name)),
            tier.bytes_written
        );
    }
    assert_eq!(statistics.hits(), 2);
}
