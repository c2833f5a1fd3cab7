//! A recorder that keeps the counters, to be read by name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

/// Counters of the `metrics` facade. Made known with `metrics::with_local_recorder`.
#[derive(Debug, Default)]
pub struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counters {
    /// The value of a counter, by its name and then the values of its labels, a space before each but the
    /// cache's.
    ///
    /// # Panics
    /// Nobody made that counter.
    #[must_use]
    pub fn read(&self, name: &str) -> u64 {
        let counters = self.0.lock().unwrap();
        let counter = counters.get(name);
        let counter = counter.unwrap_or_else(|| panic!("{name:?} is not in {counters:?}"));
        counter.load(Ordering::SeqCst)
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels = key.labels().filter(|label| label.key() != "cache");
        let words = std::iter::once(key.name()).chain(labels.map(|label| label.value()));
        let name = words.collect::<Vec<_>>().join(" ");
        let counter = Arc::new(AtomicU64::new(0));
        self.0.lock().unwrap().insert(name, Arc::clone(&counter));
        Counter::from_arc(counter)
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
