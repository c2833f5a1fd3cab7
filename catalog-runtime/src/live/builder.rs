//! What may be set of a live catalog, and what is allowed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::bounds::{DEADLINE, FRESH_FOR, KEEP_FOR, in_bounds, is_path, is_word, refused, wrong};
use super::handle::LiveCatalog;
use super::laid_over::OverlaySource;
use super::overlay::Overlay;
#[cfg(feature = "redis")]
use crate::cache::tier::redis::{RedisOptions, RedisTier};
use crate::cache::{Cache, Clock, Horizons, MemoryLimits, Namespace, Settings, SystemClock, Tier};
use crate::cache::{CacheConfig, Store};
use crate::error::CatalogError;

/// Where a live catalog is kept between runs.
pub use crate::cache::Store as CacheMode;

/// What becomes of a refresh in which some regions failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartialPolicy {
    /// The regions that answered are merged onto the last good catalog; the others keep their rows,
    /// marked stale.
    #[default]
    Merge,
    /// The refresh has failed and nothing is replaced. What others cached with regions that failed is
    /// served as a stale catalog is: where AWS gives none.
    RequireAllRegions,
}

/// Builds a [`LiveCatalog`].
#[derive(Debug, Clone)]
pub struct LiveCatalogBuilder {
    pub(super) store: Store,
    pub(super) locations: Option<Vec<PathBuf>>,
    pub(super) horizons: Horizons,
    pub(super) max_bytes: u64,
    pub(super) namespace: Option<String>,
    pub(super) tiers: Vec<Arc<dyn Tier>>,
    #[cfg(feature = "redis")]
    pub(super) redis: Option<RedisOptions>,
    #[cfg(feature = "sqlite")]
    pub(super) sqlite: Option<PathBuf>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) offline: bool,
    pub(super) force_refresh: bool,
    pub(super) bundled_fallback: bool,
    pub(super) partial: PartialPolicy,
    pub(super) partition: String,
    pub(super) regions: Vec<String>,
    /// The variable that named them.
    pub(super) regions_from: Option<String>,
    pub(super) endpoint_url: Option<String>,
    pub(super) deadline: Duration,
    pub(super) concurrency: usize,
    pub(super) overlay: OverlaySource,
    #[cfg(feature = "aws")]
    pub(super) aws: super::ask::Aws,
}

impl Default for LiveCatalogBuilder {
    fn default() -> Self {
        let config = CacheConfig::default();
        Self {
            store: config.store,
            locations: config.locations,
            horizons: config.horizons,
            max_bytes: config.max_bytes,
            namespace: None,
            tiers: Vec::new(),
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "sqlite")]
            sqlite: None,
            clock: Arc::new(SystemClock),
            offline: false,
            force_refresh: false,
            bundled_fallback: true,
            partial: PartialPolicy::default(),
            partition: "aws".to_owned(),
            regions: Vec::new(),
            regions_from: None,
            endpoint_url: None,
            deadline: Duration::from_secs(30),
            concurrency: 32,
            overlay: OverlaySource::None,
            #[cfg(feature = "aws")]
            aws: super::ask::Aws::default(),
        }
    }
}

impl LiveCatalogBuilder {
    /// Where the catalog is kept: in files (the default), in memory, nowhere.
    #[must_use]
    pub fn cache_mode(mut self, mode: CacheMode) -> Self {
        self.store = mode;
        self
    }

    /// The folders of the cache, the first choice first, instead of the platform's.
    #[must_use]
    pub fn cache_dirs<P: Into<PathBuf>>(mut self, folders: impl IntoIterator<Item = P>) -> Self {
        self.locations = Some(folders.into_iter().map(Into::into).collect());
        self
    }

    /// How old a catalog may be before AWS is asked again; 24 h if not said.
    #[must_use]
    pub fn max_age(mut self, fresh_for: Duration) -> Self {
        self.horizons.fresh_for = fresh_for;
        self.horizons.keep_for = self.horizons.keep_for.max(fresh_for);
        self
    }

    /// How old a catalog may be that is served because asking failed; 30 d if not said.
    #[must_use]
    pub fn keep_for(mut self, keep_for: Duration) -> Self {
        self.horizons.keep_for = keep_for;
        self
    }

    /// The caller's name for its own entries in a cache that others share.
    #[must_use]
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = Some(name.into());
        self
    }

    /// A SQLite file below memory and files, for the processes of one machine. It is on a local disk, in
    /// a folder of the user's own, and is made when something is first written.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(mut self, path: impl Into<PathBuf>) -> Self {
        self.sqlite = Some(path.into());
        self
    }

    /// One more tier, below memory and files.
    #[must_use]
    pub fn tier(mut self, tier: impl Into<Arc<dyn Tier>>) -> Self {
        self.tiers.push(tier.into());
        self
    }

    /// A Redis below all other tiers: a fleet shares one refresh, and is told of it.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis(mut self, options: RedisOptions) -> Self {
        self.redis = Some(options);
        self
    }

    /// The clock; the system's if not said.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Never ask AWS.
    #[must_use]
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Ask AWS at the first load whatever the cache has, and until it answers with each renewal.
    #[must_use]
    pub fn force_refresh(mut self, force: bool) -> Self {
        self.force_refresh = force;
        self
    }

    /// Whether the bundle serves when nothing else does; yes if not said.
    #[must_use]
    pub fn bundled_fallback(mut self, fallback: bool) -> Self {
        self.bundled_fallback = fallback;
        self
    }

    /// What becomes of a refresh in which some regions failed.
    #[must_use]
    pub fn partial(mut self, policy: PartialPolicy) -> Self {
        self.partial = policy;
        self
    }

    /// The partition; `aws` if not said, which is that of the bundle: no other is served it.
    #[must_use]
    pub fn partition(mut self, partition: impl Into<String>) -> Self {
        self.partition = partition.into();
        self
    }

    /// The regions to ask, instead of all of the partition.
    #[must_use]
    pub fn regions<R: Into<String>>(mut self, regions: impl IntoIterator<Item = R>) -> Self {
        self.regions = regions.into_iter().map(Into::into).collect();
        self.regions_from = None;
        self
    }

    /// Where to ask instead of AWS, for tests and private endpoints.
    #[must_use]
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// How long asking AWS may take in all; 30 s if not said.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many regions are asked at once; 32 if not said.
    #[must_use]
    pub fn concurrency(mut self, regions: usize) -> Self {
        self.concurrency = regions;
        self
    }

    /// The caller's own models and profiles.
    #[must_use]
    pub fn overlay(mut self, overlay: Overlay) -> Self {
        self.overlay = OverlaySource::Values(overlay);
        self
    }

    /// The caller's own models and profiles, from a file whose changes are noticed at each load.
    #[must_use]
    pub fn overlay_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.overlay = OverlaySource::File(path.into());
        self
    }

    /// The live catalog. No I/O, no thread, no task: the first load starts what it needs.
    ///
    /// # Errors
    /// A setting is out of range: its name, its value, and what is allowed.
    pub fn build(self) -> Result<LiveCatalog, CatalogError> {
        let age = &self.horizons;
        in_bounds("deadline", None, self.deadline, DEADLINE)?;
        in_bounds("max age", None, age.fresh_for, FRESH_FOR)?;
        in_bounds("keep for", None, age.keep_for, KEEP_FOR)?;
        if !(1..=62).contains(&self.concurrency) {
            return Err(refused(
                "concurrency",
                self.concurrency.to_string(),
                "1 to 62",
            ));
        }
        is_word("partition", &self.partition)?;
        for region in &self.regions {
            is_word("regions", region)?;
        }
        if self.namespace.as_deref() == Some("") {
            return Err(refused("namespace", "", "a name"));
        }
        #[cfg(feature = "sqlite")]
        is_path("sqlite", self.sqlite.as_deref())?;
        if let OverlaySource::File(path) = &self.overlay {
            is_path("overlay_file", Some(path))?;
        }
        if self.store == Store::File && self.locations.as_ref().is_some_and(Vec::is_empty) {
            return Err(refused("cache_dirs", "[]", "at least one folder"));
        }
        #[cfg(feature = "aws")]
        if let Some(url) = &self.endpoint_url {
            // Also where nobody is asked now.
            super::ask::check_endpoint_url(url)?;
        }
        #[cfg(feature = "aws")]
        if self.can_ask() {
            self.aws.check(&self)?;
        }
        #[cfg(not(feature = "bundle"))]
        if self.offline && self.store == Store::None && self.tiers.is_empty() {
            return Err(refused(
                "offline",
                "true",
                "a cache or a bundle to serve from",
            ));
        }
        if self.is_nobodys() && (self.locations.is_some() || self.shares_cache()) {
            return Err(refused(
                "namespace",
                "none",
                "a name, where a cache that others may see is used with client_factory: its clients do \
                 not say whose entries theirs are",
            ));
        }
        let cache = self.cache()?;
        LiveCatalog::start(self, cache)
    }

    /// The cache: memory, files, SQLite, and what else was added.
    fn cache(&self) -> Result<Cache, CatalogError> {
        let mut settings = Settings::default();
        settings.horizons = self.horizons;
        settings.lease = self.deadline.max(settings.patience);
        let mut builder = Cache::builder()
            .name("catalog")
            .clock(Arc::clone(&self.clock))
            .settings(settings);
        if self.store != Store::None {
            builder = builder.memory(MemoryLimits {
                bytes: self.max_bytes,
                ..MemoryLimits::default()
            });
        }
        #[cfg(feature = "files")]
        if self.store == Store::File && self.is_nobodys() {
            tracing::debug!("only memory caches: with client_factory, files need a namespace()");
        } else if self.store == Store::File {
            use crate::cache::Codec;
            use crate::cache::tier::disk::{DiskTier, Locations};
            let locations = match &self.locations {
                Some(folders) => Locations::given(folders),
                None => Locations::guess("bedrock-catalog"),
            };
            let disk = DiskTier::new(locations, Codec::new(env!("CARGO_PKG_VERSION")))
                .with_clock(Arc::clone(&self.clock))
                .with_max_bytes(self.max_bytes)
                .with_well_known(super::strategy::catalog_key(), "catalog");
            builder = builder.tier(Arc::new(disk) as Arc<dyn Tier>);
        }
        #[cfg(feature = "sqlite")]
        if let Some(path) = &self.sqlite {
            use crate::cache::Codec;
            use crate::cache::tier::sqlite::SqliteTier;
            let sqlite = SqliteTier::new(path, Codec::new(env!("CARGO_PKG_VERSION")))
                .with_clock(Arc::clone(&self.clock))
                .with_max_bytes(self.max_bytes);
            builder = builder.tier(Arc::new(sqlite) as Arc<dyn Tier>);
        }
        for tier in &self.tiers {
            builder = builder.tier(Arc::clone(tier));
        }
        #[cfg(feature = "redis")]
        if let Some(options) = &self.redis {
            let codec = crate::cache::Codec::new(env!("CARGO_PKG_VERSION"));
            let codec = codec.with_max_len(RedisTier::DEFAULT_MAX_LEN);
            let redis = RedisTier::new(options.clone(), codec).with_clock(Arc::clone(&self.clock));
            builder = builder.tier(Arc::new(redis) as Arc<dyn Tier>);
        }
        builder.build().map_err(wrong)
    }

    /// Where AWS is asked, where that is not its own address.
    fn endpoint(&self) -> Option<&str> {
        #[cfg(feature = "aws")]
        {
            self.endpoint_url.as_deref().or(self.aws.endpoint())
        }
        #[cfg(not(feature = "aws"))]
        {
            self.endpoint_url.as_deref()
        }
    }

    /// Whether nothing tells whose entries these are, or of which endpoint: they are shared with nobody.
    fn is_nobodys(&self) -> bool {
        #[cfg(feature = "aws")]
        {
            self.aws.is_made() && self.namespace.is_none()
        }
        #[cfg(not(feature = "aws"))]
        {
            false
        }
    }

    /// Whether the cache outlives the process, and others may see it.
    pub(super) fn shares_cache(&self) -> bool {
        let shared = cfg!(feature = "files") && self.store == Store::File && !self.is_nobodys();
        #[cfg(feature = "sqlite")]
        let shared = shared || self.sqlite.is_some();
        #[cfg(feature = "redis")]
        let shared = shared || self.redis.is_some();
        shared || !self.tiers.is_empty()
    }

    /// Whether there is anyone to ask.
    pub(super) fn can_ask(&self) -> bool {
        #[cfg(feature = "aws")]
        {
            !self.offline && self.aws.is_given()
        }
        #[cfg(not(feature = "aws"))]
        {
            false
        }
    }

    /// How long the credentials may take to name their account; who takes longer has none here.
    #[cfg(feature = "aws")]
    pub(super) fn naming(&self) -> Duration {
        Duration::from_secs(1).min(self.deadline / 5)
    }

    /// What is left of the deadline for asking, once the account is known or given up.
    #[cfg(feature = "aws")]
    pub(super) fn asking(&self) -> Duration {
        self.deadline - self.naming()
    }

    /// Whose entries: the partition, the account where it is known, else the caller's name; and what
    /// is asked, so that another endpoint or set of regions is a miss.
    pub(super) fn namespace_for(&self, account: Option<&str>) -> Namespace {
        let identity = account.or(self.namespace.as_deref()).unwrap_or_default();
        let mut regions = self.regions.clone();
        regions.sort_unstable();
        Namespace::of([
            "catalog",
            &self.partition,
            identity,
            self.endpoint().unwrap_or_default(),
            &regions.join(","),
        ])
    }
}
