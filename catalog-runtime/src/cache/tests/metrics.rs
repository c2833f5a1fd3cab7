use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{Stage, key, terms};

#[derive(Default)]
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let tier = key
            .labels()
            .find(|label| label.key() == "tier")
            .map_or("", |label| label.value());
        let counter = Arc::new(AtomicU64::new(0));
        self.0
            .lock()
            .unwrap()
            .insert(format!("{} {tier}", key.name()), Arc::clone(&counter));
        Counter::from_arc(counter)
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[test]
fn the_metrics_are_the_statistics() {
    let counters = Counters::default();
    let stage = metrics::with_local_recorder(&counters, Stage::new);
    stage.cache.put(&key(1), "x", &terms());
    stage
        .cache
        .invalidate_in("memory", &super::super::Pattern::all());
    for n in [1, 1, 2] {
        let _ = stage.cache.get(&key(n));
    }
    let statistics = stage.cache.statistics();
    let read = |name: &str| counters.0.lock().unwrap()[name].load(Ordering::SeqCst);
    assert_eq!((read("cache_misses_total "), statistics.misses), (1, 1));
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
