//! The status of a live catalog, in the shape that `status --json` prints.

use std::collections::BTreeMap;

use bedrock_catalog_data::Timestamp;
use serde::Serialize;

use super::snapshot::{Snapshot, Source};

/// The status of a catalog. Serializes to the document of `bedrock-catalog status --json`: keys may be
/// added, nothing else changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusReport {
    /// `api`, `cache` or `bundle`.
    pub source: &'static str,
    /// The cache tier that the catalog came from.
    pub tier: Option<String>,
    /// The file that the catalog came from.
    pub path: Option<String>,
    /// When the recording behind the catalog was made.
    pub observed_at: Timestamp,
    /// Seconds since then; negative for a time in the future.
    pub age_seconds: i64,
    /// Whether the catalog is less than what was requested.
    pub degraded: bool,
    /// The partition.
    pub partition: String,
    /// The regions.
    pub regions: RegionsReport,
    /// The number of models, without retired ones.
    pub models: usize,
    /// The number of inference profiles, without retired ones.
    pub profiles: usize,
    /// The number of retired models.
    pub retired: usize,
    /// The number of models and profiles of the caller's overlay.
    pub overlay: usize,
    /// The reason why the overlay, or its latest version, is not used.
    pub overlay_error: Option<String>,
    /// When this process last fetched from AWS, also without success.
    pub asked_at: Option<Timestamp>,
    /// The reason why the last fetch failed; else why the overlay is not used.
    pub error: Option<String>,
    /// The kind of that error: `unavailable`, `no_credentials`, …
    pub error_kind: Option<&'static str>,
    /// The format of catalog documents.
    pub format: u32,
    /// The version of this package.
    pub version: &'static str,
}

/// The regions that were fetched: those that answered, and those that failed with their reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegionsReport {
    /// Sorted.
    pub answered: Vec<String>,
    /// The reasons by region id.
    pub failed: BTreeMap<String, String>,
}

impl Snapshot {
    /// The status at a time.
    pub fn report(&self, now: Timestamp) -> StatusReport {
        let (tier, path) = match &self.source {
            Source::Cache { tier, path } => (Some(tier.clone()), path.as_ref()),
            _ => (None, None),
        };
        let fresh = self
            .regions()
            .filter(|region| !self.failed.contains_key(region.id()));
        let models = self.models().count();
        StatusReport {
            source: self.source.as_str(),
            tier,
            path: path.map(|path| path.display().to_string()),
            observed_at: self.observed_at(),
            age_seconds: now.unix() - self.observed_at().unix(),
            degraded: self.is_degraded(),
            partition: self.partition().to_owned(),
            regions: RegionsReport {
                answered: fresh.map(|region| region.id().to_owned()).collect(),
                failed: self.failed.clone(),
            },
            models,
            profiles: self.profiles().count(),
            retired: self.all_models().len() - models,
            overlay: self.overlay,
            overlay_error: self.overlay_error().map(ToOwned::to_owned),
            asked_at: self.asked_at,
            error: self.error().map(ToOwned::to_owned),
            error_kind: self.error_kind().map(crate::CatalogErrorKind::as_str),
            format: bedrock_catalog_data::Document::FORMAT,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
