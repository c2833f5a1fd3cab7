//! The settings of a live catalog, and their bounds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "redis")]
use bedrock_catalog_cache::RedisOptions;
use bedrock_catalog_cache::{
    Cache, CacheConfig, Clock, MemoryLimits, Settings, StoreKind, SystemClock, Tier, Ttl,
    parse_duration,
};
use bedrock_catalog_data::Catalog;

use super::fetch::Aws;
use super::handle::LiveCatalog;
use super::overlay::Overlay;
use super::overlay_file::OverlaySource;
use crate::error::CatalogError;

/// Where a live catalog is cached between runs.
pub use bedrock_catalog_cache::StoreKind as CacheMode;

/// The least and the most of a duration.
pub(super) type Bounds = (&'static str, &'static str);

pub(super) const DEADLINE: Bounds = ("1ms", "10min");
pub(super) const FRESH_FOR: Bounds = ("1s", "365d");
pub(super) const KEEP_FOR: Bounds = ("1s", "3650d");

/// The effect of a refresh in which some regions failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartialPolicy {
    /// The regions that answered are merged onto the last good catalog. The others keep their rows,
    /// marked stale.
    #[default]
    Merge,
    /// The refresh fails and replaces nothing. A partial catalog that another process cached counts as
    /// stale.
    RequireAllRegions,
}

/// Builds a [`LiveCatalog`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LiveCatalogBuilder {
    pub(super) store: StoreKind,
    pub(super) folders: Option<Vec<PathBuf>>,
    pub(super) trusts_folders: bool,
    pub(super) ttl: Ttl,
    pub(super) max_bytes: u64,
    pub(super) namespace: Option<String>,
    pub(super) account: Option<String>,
    pub(super) tiers: Vec<Arc<dyn Tier>>,
    #[cfg(feature = "redis")]
    pub(super) redis: Option<RedisOptions>,
    #[cfg(feature = "sqlite")]
    pub(super) sqlite: Option<PathBuf>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) offline: bool,
    pub(super) force_refresh: bool,
    pub(super) bundle: Option<&'static Catalog>,
    pub(super) bundled_fallback: bool,
    pub(super) partial: PartialPolicy,
    pub(super) partition: Option<String>,
    pub(super) regions: Vec<String>,
    /// The variable that named the regions.
    pub(super) regions_from: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) deadline: Duration,
    pub(super) concurrency: usize,
    pub(super) overlay: OverlaySource,
    pub(super) aws: Aws,
}

impl Default for LiveCatalogBuilder {
    fn default() -> Self {
        let config = CacheConfig::default();
        Self {
            store: config.store,
            folders: config.locations,
            trusts_folders: config.trusts_folders,
            ttl: config.ttl,
            max_bytes: config.max_bytes,
            namespace: None,
            account: None,
            tiers: Vec::new(),
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "sqlite")]
            sqlite: None,
            clock: Arc::new(SystemClock),
            offline: false,
            force_refresh: false,
            #[cfg(feature = "bundle")]
            bundle: Some(Catalog::bundled()),
            #[cfg(not(feature = "bundle"))]
            bundle: None,
            bundled_fallback: true,
            partial: PartialPolicy::default(),
            partition: None,
            regions: Vec::new(),
            regions_from: None,
            endpoint_url: None,
            deadline: Duration::from_secs(30),
            concurrency: 32,
            overlay: OverlaySource::None,
            aws: Aws::default(),
        }
    }
}

impl LiveCatalogBuilder {
    /// Where the catalog is cached: in memory and files (the default), in memory, or nowhere.
    pub fn cache_mode(mut self, mode: CacheMode) -> Self {
        self.store = mode;
        self
    }

    /// The folders of the cache in order of preference, instead of the platform's.
    pub fn cache_dirs<P: Into<PathBuf>>(mut self, folders: impl IntoIterator<Item = P>) -> Self {
        self.folders = Some(folders.into_iter().map(Into::into).collect());
        self
    }

    /// Accepts any owner and mode of the folders given by name, for a container's volume. The operator vouches
    /// that no other user can write to them.
    pub fn trust_cache_dirs(mut self, trust: bool) -> Self {
        self.trusts_folders = trust;
        self
    }

    /// The age up to which a catalog is served without a refresh. Default: 24 h.
    pub fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.ttl.fresh_for = fresh_for;
        self.ttl.keep_for = self.ttl.keep_for.max(fresh_for);
        self
    }

    /// The age up to which a catalog is served because a refresh failed. Default: 30 d.
    pub fn keep_for(mut self, keep_for: Duration) -> Self {
        self.ttl.keep_for = keep_for;
        self
    }

    /// The name of the caller's entries in a shared cache, where the credentials name no account.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = Some(name.into());
        self
    }

    /// The account whose cached entries serve where no credentials can be resolved: offline, or when they
    /// are missing or expired. `fetch::account_from_env` finds it in the environment and the AWS profile.
    pub fn account(mut self, account: impl Into<String>) -> Self {
        self.account = Some(account.into());
        self
    }

    /// A SQLite file below memory and files, for the processes of one machine, on a local disk and in a
    /// folder of the user's own.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(mut self, path: impl Into<PathBuf>) -> Self {
        self.sqlite = Some(path.into());
        self
    }

    /// A custom tier below memory, files and SQLite.
    pub fn tier(mut self, tier: impl Tier) -> Self {
        self.tiers.push(Arc::new(tier));
        self
    }

    /// A Redis below all other tiers: a fleet shares one refresh, and is notified of it.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, options: RedisOptions) -> Self {
        self.redis = Some(options);
        self
    }

    /// The clock. Default: the system's.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Never fetches from AWS.
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// The first load fetches from AWS, ignoring cached data; until AWS answers, so does each renewal.
    pub fn force_refresh(mut self, force: bool) -> Self {
        self.force_refresh = force;
        self
    }

    /// The catalog that serves when nothing else does, in place of the bundle: one that a build script of
    /// the caller's own baked with `bedrock-catalog-gen`. It serves its own partition.
    pub fn bundle(mut self, catalog: &'static Catalog) -> Self {
        self.bundle = Some(catalog);
        self
    }

    /// Whether the bundle serves when nothing else does. Default: yes.
    pub fn bundled_fallback(mut self, fallback: bool) -> Self {
        self.bundled_fallback = fallback;
        self
    }

    /// The effect of a refresh in which some regions failed.
    pub fn partial(mut self, policy: PartialPolicy) -> Self {
        self.partial = policy;
        self
    }

    /// The partition. Default: that of the bundle, which serves no other one; without a bundle `aws`.
    pub fn partition(mut self, partition: impl Into<String>) -> Self {
        self.partition = Some(partition.into());
        self
    }

    /// The regions to fetch. Default: all of the partition.
    pub fn regions<R: Into<String>>(mut self, regions: impl IntoIterator<Item = R>) -> Self {
        self.regions = regions.into_iter().map(Into::into).collect();
        self.regions_from = None;
        self
    }

    /// The address to fetch from instead of AWS, for tests and private endpoints.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// The time limit of a load and of a refresh. Default: 30 s.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The number of regions fetched at once. Default: 32.
    pub fn concurrency(mut self, regions: usize) -> Self {
        self.concurrency = regions;
        self
    }

    /// The caller's own models and profiles.
    pub fn overlay(mut self, overlay: Overlay) -> Self {
        self.overlay = OverlaySource::Values(overlay);
        self
    }

    /// The caller's own models and profiles, from a file whose changes are noticed at each load.
    pub fn overlay_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.overlay = OverlaySource::File(path.into());
        self
    }

    /// The live catalog. No I/O, no thread, no task: the first load starts what it needs.
    ///
    /// # Errors
    /// A setting is out of range: its name, its value, and what is allowed.
    pub fn build(self) -> Result<LiveCatalog, CatalogError> {
        self.check()?;
        let cache = self.cache()?;
        LiveCatalog::start(self, cache)
    }

    fn check(&self) -> Result<(), CatalogError> {
        let refuse = |name: &str, value: &str, allowed: &str| {
            Err(CatalogError::setting(name, value, allowed))
        };
        check_bounds("deadline", None, self.deadline, DEADLINE)?;
        check_bounds("fresh for", None, self.ttl.fresh_for, FRESH_FOR)?;
        check_bounds("keep for", None, self.ttl.keep_for, KEEP_FOR)?;
        if !(1..=62).contains(&self.concurrency) {
            return refuse("concurrency", &self.concurrency.to_string(), "1 to 62");
        }
        check_id("partition", self.partition_id())?;
        for region in &self.regions {
            check_id("regions", region)?;
        }
        if self.namespace.as_deref() == Some("") {
            return refuse("namespace", "", "a name");
        }
        let is_empty = |path: &Path| path.as_os_str().is_empty();
        #[cfg(feature = "sqlite")]
        if self.sqlite.as_deref().is_some_and(is_empty) {
            return refuse("sqlite", "", "the path of a file");
        }
        if matches!(&self.overlay, OverlaySource::File(path) if is_empty(path)) {
            return refuse("overlay_file", "", "the path of a file");
        }
        if self.store == StoreKind::File && self.folders.as_ref().is_some_and(Vec::is_empty) {
            return refuse("cache_dirs", "[]", "at least one folder");
        }
        #[cfg(feature = "aws")]
        if let Some(url) = &self.endpoint_url {
            crate::fetch::check_endpoint("endpoint_url", url)?;
        }
        #[cfg(feature = "aws")]
        if self.can_fetch() {
            self.aws.check(self)?;
        }
        let has_cache = self.store != StoreKind::None || self.shares_cache();
        if self.offline && !has_cache && self.bundle.is_none() {
            return refuse("offline", "true", "a cache or a bundle to serve from");
        }
        if self.is_private() && (self.folders.is_some() || self.shares_cache()) {
            let allowed = "a name, where a shared cache is used with client_factory: its clients do not \
                name the account";
            return refuse("namespace", "none", allowed);
        }
        Ok(())
    }

    fn cache(&self) -> Result<Cache, CatalogError> {
        let mut settings = Settings::default();
        settings.ttl = self.ttl;
        // A process that waits for half of its deadline sees the lease of a killed one expire, and the
        // catalog of the next one.
        settings.lease_ttl = (self.deadline / 3).max(settings.lease_wait);
        let mut builder = Cache::builder()
            .name("catalog")
            .clock(Arc::clone(&self.clock))
            .package_version(env!("CARGO_PKG_VERSION"))
            .settings(settings);
        if self.store != StoreKind::None {
            builder = builder.memory(MemoryLimits {
                bytes: self.max_bytes,
                ..MemoryLimits::default()
            });
        }
        #[cfg(feature = "files")]
        if self.store == StoreKind::File && self.is_private() {
            tracing::debug!("only memory caches: with client_factory, files need a namespace()");
        } else if self.store == StoreKind::File {
            use bedrock_catalog_cache::FilesOptions;
            let options = match &self.folders {
                Some(folders) if self.trusts_folders => {
                    FilesOptions::in_folders(folders).trust_folders()
                }
                Some(folders) => FilesOptions::in_folders(folders),
                None => FilesOptions::platform("bedrock-catalog"),
            };
            let options = options.max_bytes(self.max_bytes);
            builder = builder.files(options.file_key(super::cached::catalog_key(), "catalog"));
        }
        #[cfg(feature = "sqlite")]
        if let Some(path) = &self.sqlite {
            use bedrock_catalog_cache::SqliteOptions;
            let options = SqliteOptions::new(path).max_bytes(self.max_bytes);
            builder = builder.sqlite_options(match self.trusts_folders {
                true => options.trust_folder(),
                false => options,
            });
        }
        for tier in &self.tiers {
            builder = builder.tier(Arc::clone(tier));
        }
        #[cfg(feature = "redis")]
        if let Some(options) = &self.redis {
            builder = builder.redis(options.clone());
        }
        Ok(builder.build()?)
    }

    pub(super) fn partition_id(&self) -> &str {
        let of_bundle = self.bundle.map(Catalog::partition);
        self.partition.as_deref().or(of_bundle).unwrap_or("aws")
    }

    /// The bundle, or the reason why it does not serve.
    pub(super) fn usable_bundle(&self) -> Result<&'static Catalog, String> {
        let (of, wanted) = (self.bundle.map(Catalog::partition), self.partition_id());
        match self.bundle {
            None => Err("this build has none".to_owned()),
            Some(_) if !self.bundled_fallback => Err("switched off".to_owned()),
            Some(bundle) if of == Some(wanted) => Ok(bundle),
            Some(bundle) => Err(format!("of partition {}, not {wanted}", bundle.partition())),
        }
    }

    /// The endpoint, where it is not AWS's own.
    pub(super) fn endpoint(&self) -> Option<&str> {
        #[cfg(feature = "aws")]
        let configured = self.aws.endpoint();
        #[cfg(not(feature = "aws"))]
        let configured = None;
        self.endpoint_url.as_deref().or(configured)
    }

    /// Whether nothing names the account or the endpoint: no other process may see the entries.
    fn is_private(&self) -> bool {
        #[cfg(feature = "aws")]
        let is_factory = self.aws.is_factory();
        #[cfg(not(feature = "aws"))]
        let is_factory = false;
        is_factory && self.namespace.is_none()
    }

    /// Whether the cache outlives the process.
    pub(super) fn shares_cache(&self) -> bool {
        let shared = cfg!(feature = "files") && self.store == StoreKind::File && !self.is_private();
        #[cfg(feature = "sqlite")]
        let shared = shared || self.sqlite.is_some();
        #[cfg(feature = "redis")]
        let shared = shared || self.redis.is_some();
        shared || !self.tiers.is_empty()
    }

    /// Whether AWS may be fetched from.
    pub(super) fn can_fetch(&self) -> bool {
        #[cfg(feature = "aws")]
        let is_given = self.aws.is_given();
        #[cfg(not(feature = "aws"))]
        let is_given = false;
        is_given && !self.offline
    }
}

/// Refuses a duration out of bounds, quoted as it was written.
pub(super) fn check_bounds(
    name: &str,
    written: Option<String>,
    is: Duration,
    (least, most): Bounds,
) -> Result<(), CatalogError> {
    let inside = parse_duration(least).is_none_or(|least| is >= least)
        && parse_duration(most).is_none_or(|most| is <= most);
    match inside {
        true => Ok(()),
        false => {
            let written = written.unwrap_or_else(|| format!("{is:?}"));
            Err(CatalogError::setting(
                name,
                &written,
                &format!("{least} to {most}"),
            ))
        }
    }
}

/// Refuses a text that cannot be the id of a partition or a region.
pub(super) fn check_id(name: &str, text: &str) -> Result<(), CatalogError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(()),
        false => Err(CatalogError::setting(
            name,
            text,
            "lower-case letters, digits and `-`",
        )),
    }
}
