//! What a live catalog counts, with the feature `metrics`: counters of that facade, for the recorder
//! installed when it was built. Without it, nothing. Every fallback is counted here and nowhere else.

use super::snapshot::Snapshot;

#[cfg(feature = "metrics")]
pub(super) struct Counts {
    api: metrics::Counter,
    cache: metrics::Counter,
    bundle: metrics::Counter,
    degraded: metrics::Counter,
    regions: metrics::Counter,
    failed: metrics::Counter,
}

#[cfg(feature = "metrics")]
impl Counts {
    pub(super) fn new() -> Self {
        let served =
            |source: &'static str| metrics::counter!("catalog_served_total", "source" => source);
        Self {
            api: served("api"),
            cache: served("cache"),
            bundle: served("bundle"),
            degraded: metrics::counter!("catalog_degraded_total"),
            regions: metrics::counter!("catalog_regions_failed_total"),
            failed: metrics::counter!("catalog_asking_failures_total"),
        }
    }

    /// A catalog is served from now on.
    pub(super) fn serves(&self, snapshot: &Snapshot) {
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
        self.regions.increment(snapshot.missing().count() as u64);
    }

    /// AWS was asked in vain, or nobody could ask.
    pub(super) fn asked_in_vain(&self) {
        self.failed.increment(1);
    }
}

#[cfg(not(feature = "metrics"))]
pub(super) struct Counts;

#[cfg(not(feature = "metrics"))]
impl Counts {
    pub(super) fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self)]
    pub(super) fn serves(&self, _: &Snapshot) {}

    #[allow(clippy::unused_self)]
    pub(super) fn asked_in_vain(&self) {}
}
