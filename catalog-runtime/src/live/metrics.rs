//! Counters of the `metrics` facade, for the recorder installed when the catalog was built.

use super::snapshot::Snapshot;

#[cfg(feature = "metrics")]
pub(super) struct Metrics {
    api: metrics::Counter,
    cache: metrics::Counter,
    bundle: metrics::Counter,
    degraded: metrics::Counter,
    failed_regions: metrics::Counter,
    failed_fetches: metrics::Counter,
}

#[cfg(feature = "metrics")]
impl Metrics {
    pub(super) fn new() -> Self {
        let served =
            |source: &'static str| metrics::counter!("catalog_served_total", "source" => source);
        Self {
            api: served("api"),
            cache: served("cache"),
            bundle: served("bundle"),
            degraded: metrics::counter!("catalog_degraded_total"),
            failed_regions: metrics::counter!("catalog_regions_failed_total"),
            failed_fetches: metrics::counter!("catalog_fetch_failures_total"),
        }
    }

    /// A snapshot is published.
    pub(super) fn published(&self, snapshot: &Snapshot) {
        use super::snapshot::Source;
        match snapshot.source {
            Source::Api => self.api.increment(1),
            Source::Cache { .. } => self.cache.increment(1),
            Source::Bundle => self.bundle.increment(1),
            Source::Nothing => {}
        }
        if snapshot.is_degraded() {
            self.degraded.increment(1);
        }
        let missing = snapshot.missing().count();
        self.failed_regions.increment(missing as u64);
    }

    /// A fetch gave no catalog.
    pub(super) fn fetch_failed(&self) {
        self.failed_fetches.increment(1);
    }
}

#[cfg(not(feature = "metrics"))]
pub(super) struct Metrics;

#[cfg(not(feature = "metrics"))]
#[allow(clippy::unused_self)]
impl Metrics {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn published(&self, _: &Snapshot) {}

    pub(super) fn fetch_failed(&self) {}
}
