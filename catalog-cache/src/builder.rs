//! The builder: tiers, a clock and settings make a cache.

use std::sync::{Arc, RwLock};

#[cfg(any(feature = "files", feature = "redis"))]
use crate::Codec;
use crate::cache::Inner;
use crate::invalidation::{InvalidationLog, Stamps, TierSet};
use crate::key_lock::KeyLocks;
use crate::load::{Failures, Flights};
use crate::notifications::Notifications;
use crate::statistics::Counts;
use crate::tier_slot::TierSlot;
use crate::{
    Cache, CacheConfig, Clock, ConfigError, Environment, MemoryLimits, MemoryTier, Namespace,
    Settings, StoreKind, SystemClock, Tier,
};
#[cfg(feature = "files")]
use crate::{FileTier, FilesOptions};
#[cfg(feature = "redis")]
use crate::{RedisOptions, RedisTier};
#[cfg(feature = "sqlite")]
use crate::{SqliteOptions, SqliteTier};

/// Makes a [`Cache`]. Without any tier the cache stores nothing.
///
/// Reads ask memory first, and then the other tiers in the order in which they were added.
#[derive(Debug)]
pub struct CacheBuilder {
    name: String,
    namespace: Namespace,
    memory: Option<MemoryLimits>,
    tiers: Vec<TierChoice>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    package_version: String,
    #[cfg(feature = "compression")]
    compress_above: Option<usize>,
}

/// A tier, made when the clock and the version are known.
#[derive(Debug)]
enum TierChoice {
    Custom(Arc<dyn Tier>),
    #[cfg(feature = "files")]
    Files(FilesOptions),
    #[cfg(feature = "sqlite")]
    Sqlite(SqliteOptions),
    #[cfg(feature = "redis")]
    Redis(RedisOptions),
}

impl CacheBuilder {
    /// The cache's name in metrics. Default `cache`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The namespace of the entries. Default: the namespace of no parts.
    #[must_use]
    pub fn namespace(mut self, namespace: Namespace) -> Self {
        self.namespace = namespace;
        self
    }

    /// A memory tier, above all others.
    #[must_use]
    pub fn memory(mut self, limits: MemoryLimits) -> Self {
        self.memory = Some(limits);
        self
    }

    /// The file tier, below those added before.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn files(mut self, options: FilesOptions) -> Self {
        self.tiers.push(TierChoice::Files(options));
        self
    }

    /// The SQLite tier in the file at this path, below those added before.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(self, path: impl Into<std::path::PathBuf>) -> Self {
        self.sqlite_options(SqliteOptions::new(path))
    }

    /// The SQLite tier, below those added before.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite_options(mut self, options: SqliteOptions) -> Self {
        self.tiers.push(TierChoice::Sqlite(options));
        self
    }

    /// The Redis tier, below those added before. Tiers between memory and Redis do not learn of changes that
    /// were missed while disconnected; their entries expire.
    #[cfg(feature = "redis")]
    #[must_use]
    pub fn redis(mut self, options: RedisOptions) -> Self {
        self.tiers.push(TierChoice::Redis(options));
        self
    }

    /// A tier of your own, below those added before. An `Arc` of a tier is a tier, too.
    #[must_use]
    pub fn tier(mut self, tier: impl Tier) -> Self {
        self.tiers.push(TierChoice::Custom(Arc::new(tier)));
        self
    }

    /// The tiers, lifetimes and namespace of [`CacheConfig`], read from variables. The platform's folder
    /// is named after the prefix of the variables: `MY_APP` is `my-app`.
    ///
    /// # Errors
    /// A variable cannot be used, or asks for a tier that this build has no feature for. The error names
    /// it, its value and what is allowed.
    ///
    /// ```
    /// use bedrock_catalog_cache::{Cache, Environment};
    ///
    /// let cache = Cache::builder().from_env(&Environment::process("MY_APP"))?.build()?;
    /// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
    /// ```
    pub fn from_env(mut self, env: &Environment<'_>) -> Result<Self, ConfigError> {
        let config = CacheConfig::from_env(env)?;
        self.settings.ttl = config.ttl;
        if let Some(name) = &config.namespace {
            self.namespace = Namespace::of([name]);
        }
        if config.store == StoreKind::None {
            return Ok(self);
        }
        self.memory = Some(MemoryLimits {
            bytes: config.max_bytes,
            ..MemoryLimits::default()
        });
        if config.store == StoreKind::Memory {
            return Ok(self);
        }
        #[cfg(feature = "files")]
        {
            self = self.files(config.files(env));
        }
        if let Some(path) = &config.sqlite {
            #[cfg(feature = "sqlite")]
            {
                self = self.sqlite_options(config.sqlite(path));
            }
            #[cfg(not(feature = "sqlite"))]
            return Err(env.without_feature("SQLITE", &path.to_string_lossy(), "sqlite"));
        }
        if let Some(url) = &config.redis_url {
            #[cfg(feature = "redis")]
            {
                let options = RedisOptions::from_setting(&env.variable("REDIS_URL"), url)?;
                self = self.redis(options);
            }
            #[cfg(not(feature = "redis"))]
            {
                let _ = url; // It may hold a password.
                return Err(env.without_feature("REDIS_URL", "set", "redis"));
            }
        }
        Ok(self)
    }

    /// Compresses payloads of more than so many bytes where a tier stores bytes. Default: none.
    #[cfg(feature = "compression")]
    #[must_use]
    pub fn compress_above(mut self, bytes: usize) -> Self {
        self.compress_above = Some(bytes);
        self
    }

    /// The clock. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The version of the caller's package, `MAJOR.MINOR.PATCH`. Tiers that outlive the process return
    /// only entries of the same `MAJOR.MINOR`. Default: this crate's.
    #[must_use]
    pub fn package_version(mut self, version: impl Into<String>) -> Self {
        self.package_version = version.into();
        self
    }

    /// Makes the cache. Touches no storage.
    ///
    /// # Errors
    /// A setting is out of range, two tiers have one name, or there are more than 64.
    pub fn build(self) -> Result<Cache, ConfigError> {
        self.settings.validate()?;
        let clock = self.clock;
        let memory = self.memory.map(|limits| {
            let memory = MemoryTier::new(limits, Arc::clone(&clock));
            memory.set_revalidate_after(self.settings.revalidate_after);
            Arc::new(memory)
        });
        #[cfg(any(feature = "files", feature = "redis"))]
        let codec = || {
            let codec = Codec::new(self.package_version.clone());
            #[cfg(feature = "compression")]
            let codec = codec.with_compression_above(self.compress_above);
            codec
        };
        let make = |choice: TierChoice| -> Arc<dyn Tier> {
            match choice {
                TierChoice::Custom(tier) => tier,
                #[cfg(feature = "files")]
                TierChoice::Files(options) => {
                    Arc::new(FileTier::new(&options, codec(), Arc::clone(&clock)))
                }
                #[cfg(feature = "sqlite")]
                TierChoice::Sqlite(options) => {
                    Arc::new(SqliteTier::new(&options, codec(), Arc::clone(&clock)))
                }
                #[cfg(feature = "redis")]
                TierChoice::Redis(options) => {
                    let codec = codec().with_max_len(RedisTier::DEFAULT_MAX_LEN);
                    Arc::new(RedisTier::new(options, codec, Arc::clone(&clock)))
                }
            }
        };
        let first = memory.clone().map(|memory| memory as Arc<dyn Tier>);
        let tiers: Vec<Arc<dyn Tier>> = first
            .into_iter()
            .chain(self.tiers.into_iter().map(make))
            .collect();
        validate(&tiers)?;
        let is_local = |tier: &Arc<dyn Tier>| tier.is_local() && tier.coordinator().is_none();
        let is_local = tiers.iter().all(is_local);
        let log = Arc::new(InvalidationLog::default());
        let has_memory = memory.is_some();
        let slot = |(index, tier)| {
            let (clock, log) = (Arc::clone(&clock), Arc::clone(&log));
            let can_miss = !(has_memory && index == 0);
            let limits = self.settings.breaker;
            TierSlot::new(index, tier, can_miss, &self.name, limits, clock, log)
        };
        let inner = Arc::new(Inner {
            slots: tiers.into_iter().enumerate().map(slot).collect(),
            memory,
            is_local,
            clock: Arc::clone(&clock),
            settings: RwLock::new(self.settings),
            log: Arc::clone(&log),
            stamps: Stamps::default(),
            locks: KeyLocks::new(),
            flights: Flights::new(),
            failures: Failures::default(),
            notifications: Notifications::default(),
            counts: Counts::new(&self.name, None),
            package_version: self.package_version.into(),
        });
        for slot in &inner.slots {
            if let Some(coordinator) = slot.tier.coordinator() {
                coordinator.subscribe(inner.listener(slot.index));
            }
        }
        Ok(Cache {
            namespace: self.namespace,
            inner,
        })
    }
}

fn validate(tiers: &[Arc<dyn Tier>]) -> Result<(), ConfigError> {
    let mut names: Vec<_> = tiers.iter().map(|tier| tier.name()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
        return Err(ConfigError::new("tiers", *name, "each name once"));
    }
    if tiers.len() > TierSet::MAX {
        let most = format!("at most {}", TierSet::MAX);
        return Err(ConfigError::new("tiers", tiers.len().to_string(), most));
    }
    Ok(())
}

impl Cache {
    /// Makes a cache.
    #[must_use]
    pub fn builder() -> CacheBuilder {
        CacheBuilder {
            name: "cache".into(),
            namespace: Namespace::of::<[&str; 0]>([]),
            memory: None,
            tiers: Vec::new(),
            clock: Arc::new(SystemClock),
            settings: Settings::default(),
            package_version: env!("CARGO_PKG_VERSION").into(),
            #[cfg(feature = "compression")]
            compress_above: None,
        }
    }
}
