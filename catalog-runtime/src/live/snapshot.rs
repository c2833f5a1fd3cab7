//! One immutable state of a live catalog, and its source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::Moment;
use bedrock_catalog_data::{Catalog, Document, Timestamp};

use super::builder::LiveCatalogBuilder;
use super::overlay::Overlay;
use crate::error::{CatalogError, CatalogErrorKind};
use bedrock_catalog_recording::redact;

/// Where a catalog came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Fetched from AWS by this process.
    Api,
    /// Read from the cache.
    Cache {
        /// The tier: `memory`, `files`, …
        tier: String,
        /// The file, where the tier has files.
        path: Option<PathBuf>,
    },
    /// Baked into the binary.
    Bundle,
    /// An empty catalog: nothing is loaded yet, and there is no bundle.
    Nothing,
}

impl Source {
    /// The word of `status`: `api`, `cache`, `bundle`, `nothing`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Cache { .. } => "cache",
            Self::Bundle => "bundle",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A catalog that is part of the program, or shared.
#[derive(Debug, Clone)]
pub(super) enum Held {
    Baked(&'static Catalog),
    Built(Arc<Catalog>),
}

impl Deref for Held {
    type Target = Catalog;

    #[inline]
    fn deref(&self) -> &Catalog {
        match self {
            Self::Baked(catalog) => catalog,
            Self::Built(catalog) => catalog,
        }
    }
}

/// One state of a live catalog: an immutable [`Catalog`], to which it dereferences, with its source.
/// Handles borrowed from it belong to it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The catalog with the overlay.
    pub(super) served: Held,
    /// The catalog without the overlay, on which the next fetch builds.
    pub(super) base: Held,
    pub(super) source: Source,
    /// The reasons of the regions whose rows could not be renewed.
    pub(super) failed: BTreeMap<String, String>,
    /// Those regions that the account has not enabled, which is no fault.
    pub(super) not_enabled: BTreeSet<String>,
    /// The reason why the last fetch failed.
    pub(super) error: Option<(CatalogErrorKind, String)>,
    /// The number of models and profiles of the overlay.
    pub(super) overlay: usize,
    /// The reason why the overlay is not used.
    pub(super) overlay_error: Option<String>,
    /// When this process last fetched from AWS.
    pub(super) asked_at: Option<Timestamp>,
    /// When to renew; `None` where nothing can be fetched.
    pub(super) renew_at: Option<Moment>,
    /// The failed regions to retry before that.
    pub(super) retry: Option<Retry>,
    /// Whether the first load has ended.
    pub(super) settled: bool,
}

/// Failed regions to fetch again without the others.
#[derive(Debug, Clone)]
pub(super) struct Retry {
    pub(super) regions: BTreeSet<String>,
    /// How often they were fetched again without success.
    pub(super) tries: u32,
    /// When all regions are fetched.
    pub(super) all_at: Moment,
}

impl Snapshot {
    /// Where the catalog came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The age of the observation at a time; zero for an observation in the future.
    pub fn age(&self, now: Timestamp) -> Duration {
        let seconds = now.unix().saturating_sub(self.observed_at().unix());
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }

    /// Whether the catalog is less than what was requested: a region could not be renewed, the last fetch
    /// failed, the overlay cannot be used, or nothing is loaded. A region that the account has not
    /// enabled does not count.
    pub fn is_degraded(&self) -> bool {
        let missing = self.missing().next().is_some();
        self.error().is_some() || missing || self.source == Source::Nothing
    }

    /// The regions that could not be renewed, without those not enabled.
    pub(super) fn missing(&self) -> impl Iterator<Item = &String> {
        let failed = self.failed.keys();
        failed.filter(|region| !self.not_enabled.contains(*region))
    }

    /// The reason why the last fetch failed; else why the overlay is not used.
    pub fn error(&self) -> Option<&str> {
        let error = self.error.as_ref().map(|(_, why)| &**why);
        error.or(self.overlay_error())
    }

    /// The kind of that reason.
    pub fn error_kind(&self) -> Option<CatalogErrorKind> {
        let error = self.error.as_ref().map(|(kind, _)| *kind);
        error.or(self
            .overlay_error()
            .map(|_| CatalogErrorKind::InvalidCatalog))
    }

    /// The reason why the caller's overlay, or its latest version, is not used.
    pub fn overlay_error(&self) -> Option<&str> {
        self.overlay_error.as_deref()
    }

    /// Schedules a fetch of all regions, and no retry before.
    pub(super) fn renew_all_at(&mut self, at: Option<Moment>) {
        self.renew_at = at;
        self.retry = None;
    }

    /// The regions whose rows could not be renewed, with the reason.
    pub fn failed_regions(&self) -> &BTreeMap<String, String> {
        &self.failed
    }

    /// A snapshot without an overlay. Its stale regions count as failed.
    pub(super) fn of(base: Held, source: Source) -> Self {
        let failed = base.regions().filter_map(|region| {
            let since = region.stale_since()?;
            Some((region.id().to_owned(), format!("not renewed since {since}")))
        });
        Self {
            failed: failed.collect(),
            not_enabled: BTreeSet::new(),
            served: base.clone(),
            base,
            source,
            error: None,
            overlay: 0,
            overlay_error: None,
            asked_at: None,
            renew_at: None,
            retry: None,
            settled: true,
        }
    }

    /// The snapshot before the first load: the bundle, or an empty catalog.
    pub(super) fn before_loading(config: &LiveCatalogBuilder) -> Self {
        let snapshot = match config.usable_bundle() {
            Ok(bundle) => Self::of(Held::Baked(bundle), Source::Bundle),
            Err(_) => Self::of(empty(config.partition_id()), Source::Nothing),
        };
        Self {
            settled: false,
            ..snapshot
        }
    }
}

impl Snapshot {
    /// The same catalog under an overlay; without it, and with the reason, where it does not fit.
    pub(super) fn with_overlay(mut self, overlay: &Overlay) -> Self {
        match overlay.lay_over(&self.base) {
            Ok(catalog) => {
                self.served = Held::Built(Arc::new(catalog));
                self.overlay = overlay.len();
                self.overlay_error = None;
            }
            Err(error) => {
                // The error may quote ARNs, which name an account.
                let error = redact(&error.to_string()).into_owned();
                tracing::warn!(%error, "the overlay is not used");
                self.served = self.base.clone();
                self.overlay = 0;
                self.overlay_error = Some(error);
            }
        }
        self
    }

    /// The same catalog, which is served because a fetch failed.
    pub(super) fn with_error(mut self, error: &CatalogError) -> Self {
        self.error = Some((error.kind(), error.to_string()));
        self
    }
}

impl Deref for Snapshot {
    type Target = Catalog;

    #[inline]
    fn deref(&self) -> &Catalog {
        &self.served
    }
}

fn empty(partition: &str) -> Held {
    let nothing = Document::new(partition, Timestamp::baked(0));
    match Catalog::from_document(&nothing) {
        Ok(catalog) => Held::Built(Arc::new(catalog)),
        Err(_) => unreachable!("a document without rows is a catalog"),
    }
}
