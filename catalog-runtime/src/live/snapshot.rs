//! What is served: one immutable catalog, and where it came from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_data::{Catalog, Document, Timestamp};

use super::builder::LiveCatalogBuilder;
use crate::cache::Moment;
use crate::error::CatalogErrorKind;

/// Where a catalog came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Asked of AWS just now.
    Api,
    /// Read from the cache.
    Cache {
        /// The tier: `memory`, `disk`, …
        tier: String,
        /// The file, where the tier has files.
        path: Option<PathBuf>,
    },
    /// Baked into the binary.
    Bundle,
    /// Nothing was loaded yet, and no bundle may serve: the catalog is empty.
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

/// A catalog that is part of the program, or owned.
#[derive(Debug, Clone)]
pub(super) enum Held {
    #[cfg_attr(not(feature = "bundle"), expect(dead_code))]
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
    /// With the overlay.
    pub(super) served: Held,
    /// Without: what the next refresh builds on.
    pub(super) base: Held,
    pub(super) source: Source,
    /// The regions whose rows could not be renewed, and why.
    pub(super) failed: BTreeMap<String, String>,
    /// Those among them that the account has not enabled: nothing is wrong with these.
    pub(super) not_enabled: BTreeSet<String>,
    /// Why it is not what was asked for, if so.
    pub(super) error: Option<(CatalogErrorKind, String)>,
    /// How many models and profiles the overlay laid over it.
    pub(super) overlay: usize,
    /// Why the overlay is not what was asked for, if so.
    pub(super) overlay_error: Option<String>,
    /// When this process asked AWS last.
    pub(super) asked_at: Option<Timestamp>,
    /// When to ask again. Never, where nothing can be asked.
    pub(super) renew_at: Option<Moment>,
    /// The regions to be asked again before that.
    #[cfg(feature = "aws")]
    pub(super) retry: Option<Retry>,
    /// Whether loading has come to an end, however.
    pub(super) settled: bool,
}

/// Regions that failed, to be asked again without the others.
#[cfg(feature = "aws")]
#[derive(Debug, Clone)]
pub(super) struct Retry {
    pub(super) regions: BTreeSet<String>,
    /// How often they were asked again in vain.
    pub(super) tries: u32,
    /// When all regions are asked.
    pub(super) all_at: Moment,
}

impl Snapshot {
    /// Where the catalog came from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How old the observation is at a moment; zero where it is of the future.
    pub fn age(&self, now: Timestamp) -> Duration {
        let seconds = now.unix().saturating_sub(self.observed_at().unix());
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }

    /// Whether this is less than what was asked for: some region could not be renewed, asking
    /// failed, the overlay could not be used, or nothing was loaded. A region that the account has not enabled is no less.
    pub fn is_degraded(&self) -> bool {
        let missing = self.missing().next().is_some();
        self.error().is_some() || missing || self.source == Source::Nothing
    }

    /// The regions that could not be renewed and should have been.
    pub(super) fn missing(&self) -> impl Iterator<Item = &String> {
        let failed = self.failed.keys();
        failed.filter(|region| !self.not_enabled.contains(*region))
    }

    /// Why the last attempt to do better failed, if it did; else why the overlay is not used.
    pub fn error(&self) -> Option<&str> {
        let error = self.error.as_ref().map(|(_, why)| &**why);
        error.or(self.overlay_error())
    }

    /// What kind of reason that is.
    pub fn error_kind(&self) -> Option<CatalogErrorKind> {
        let error = self.error.as_ref().map(|(kind, _)| *kind);
        error.or(self
            .overlay_error()
            .map(|_| CatalogErrorKind::InvalidCatalog))
    }

    /// Why the caller's own overlay is not used, or an earlier one of it is: it cannot be read, or does
    /// not fit the catalog.
    pub fn overlay_error(&self) -> Option<&str> {
        self.overlay_error.as_deref()
    }

    /// Has all regions asked at this moment, and none of them before.
    pub(super) fn renew_all_at(&mut self, at: Option<Moment>) {
        self.renew_at = at;
        #[cfg(feature = "aws")]
        {
            self.retry = None;
        }
    }

    /// The regions whose rows could not be renewed, with the reason.
    pub fn failed_regions(&self) -> &BTreeMap<String, String> {
        &self.failed
    }

    /// A snapshot without an overlay, in which stale regions count as failed.
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
            #[cfg(feature = "aws")]
            retry: None,
            settled: true,
        }
    }

    /// The bundle, or an empty catalog where it may not serve. Not settled.
    pub(super) fn before_loading(config: &LiveCatalogBuilder) -> Self {
        let snapshot = match config.bundle() {
            Ok(bundle) => Self::of(bundle, Source::Bundle),
            Err(_) => Self::of(empty(&config.partition), Source::Nothing),
        };
        Self {
            settled: false,
            ..snapshot
        }
    }
}

impl Deref for Snapshot {
    type Target = Catalog;

    #[inline]
    fn deref(&self) -> &Catalog {
        &self.served
    }
}

impl LiveCatalogBuilder {
    /// The bundle, or why it may not serve. It serves no other partition than its own.
    #[cfg(feature = "bundle")]
    pub(super) fn bundle(&self) -> Result<Held, String> {
        let bundle = Catalog::bundled();
        let (of, wanted) = (bundle.partition(), &self.partition);
        match self.bundled_fallback {
            false => Err("switched off".to_owned()),
            true if of != wanted => Err(format!("of partition {of}, not {wanted}")),
            true => Ok(Held::Baked(bundle)),
        }
    }

    #[cfg(not(feature = "bundle"))]
    pub(super) fn bundle(&self) -> Result<Held, String> {
        Err("this build has none".to_owned())
    }
}

fn empty(partition: &str) -> Held {
    let nothing = Document::new(partition, Timestamp::baked(0));
    // A document without rows is valid; were it not, loading would still come.
    match Catalog::from_document(&nothing) {
        Ok(catalog) => Held::Built(Arc::new(catalog)),
        Err(_) => unreachable!("a document without rows is a catalog"),
    }
}
