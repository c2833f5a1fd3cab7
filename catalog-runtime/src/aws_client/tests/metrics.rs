//! The metrics are the statistics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::super::statistics::Counts;

#[derive(Default)]
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let counter = Arc::new(AtomicU64::new(0));
        let mut counters = self.0.lock().unwrap();
        counters.insert(key.name().to_owned(), Arc::clone(&counter));
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
fn each_count_is_a_counter() {
    let counters = Counters::default();
    let counts = metrics::with_local_recorder(&counters, Counts::new);
    counts.dropped.add(7);
    counts.answered.one();
    let read = |name: &str| counters.0.lock().unwrap()[name].load(Ordering::SeqCst);
    assert_eq!(
        (read("aws_client_dropped_total"), counts.snapshot().dropped),
        (7, 7)
    );
    assert_eq!(
        (
            read("aws_client_answered_total"),
            counts.snapshot().answered
        ),
        (1, 1)
    );
    assert_eq!(read("aws_client_writes_total"), 0);
}
