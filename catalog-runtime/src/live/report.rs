//! How a live catalog stands, in the shape that `status --json` prints.

use std::collections::BTreeMap;

use bedrock_catalog_data::Timestamp;
use serde::Serialize;

use super::snapshot::{Snapshot, Source};

/// How a catalog stands. Serializes to the document of `bedrock-catalog status --json`: keys may be
/// added, nothing else changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusReport {
    /// `api`, `cache` or `bundle`.
    pub source: &'static str,
    /// The cache tier it came from.
    pub tier: Option<String>,
    /// The file it came from.
    pub path: Option<String>,
    /// When the recording behind it was made.
    pub observed_at: Timestamp,
    /// Seconds since then; negative where that is in the future.
    pub age_seconds: i64,
    /// Whether it is less than what was asked for.
    pub degraded: bool,
    /// The partition.
    pub partition: String,
    /// The regions.
    pub regions: RegionsReport,
    /// How many models, retired ones not counted.
    pub models: usize,
    /// How many inference profiles, retired ones not counted.
    pub profiles: usize,
    /// How many retired models.
    pub retired: usize,
    /// How many models and profiles the caller's own overlay laid over it.
    pub overlay: usize,
    /// Why that overlay is not used, or an earlier one of it is.
    pub overlay_error: Option<String>,
    /// When this process asked AWS last, whatever came of it.
    pub asked_at: Option<Timestamp>,
    /// Why the last attempt to do better failed; else why the overlay is not used.
    pub error: Option<String>,
    /// What kind of reason: `unavailable`, `no_credentials`, …
    pub error_kind: Option<&'static str>,
    /// The format of catalog documents.
    pub format: u32,
    /// The version of this package.
    pub version: &'static str,
}

/// Which regions were asked: those that answered, and those that did not and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegionsReport {
    /// Sorted.
    pub answered: Vec<String>,
    /// By region id.
    pub failed: BTreeMap<String, String>,
}

impl Snapshot {
    /// How it stands at a moment.
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
