//! Makes a cache of tiers, a clock and settings. This file may not know what a cache does with them.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use super::core::Inner;
use super::flight::Flights;
use super::level::{Lates, Level};
use super::order::Order;
use super::removal::Joined;
use super::statistics::Counts;
use super::{
    Cache, Clock, ConfigError, MemoryLimits, MemoryTier, Namespace, Settings, SystemClock, Tier,
};

/// Makes a [`Cache`].
#[derive(Debug)]
pub struct CacheBuilder {
    name: String,
    namespace: Namespace,
    tiers: Vec<Arc<dyn Tier>>,
    memory: Option<MemoryLimits>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    package_version: String,
}

impl CacheBuilder {
    /// The cache's name in metrics. Default `cache`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Whose entries the cache holds. Default: the namespace of no parts.
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

    /// One more tier, below those added before. Without any, the cache remembers nothing.
    #[must_use]
    pub fn tier(mut self, tier: impl Into<Arc<dyn Tier>>) -> Self {
        self.tiers.push(tier.into());
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

    /// The version written into entries. Default: this crate's.
    #[must_use]
    pub fn package_version(mut self, version: impl Into<String>) -> Self {
        self.package_version = version.into();
        self
    }

    /// The cache. Touches no storage.
    ///
    /// # Errors
    /// A setting is out of range, or two tiers have one name.
    pub fn build(self) -> Result<Cache, ConfigError> {
        self.settings.validate()?;
        let memory = self.memory.map(|limits| {
            let memory = MemoryTier::new(limits, Arc::clone(&self.clock));
            memory.set_ask_below_after(self.settings.ask_below_after);
            Arc::new(memory)
        });
        let first = memory.clone().map(|memory| memory as Arc<dyn Tier>);
        let tiers: Vec<Arc<dyn Tier>> = first.into_iter().chain(self.tiers).collect();
        let mut names: Vec<_> = tiers.iter().map(|tier| tier.name()).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
            return Err(ConfigError::new("tiers", *name, "each name once"));
        }
        let instant = tiers.iter().take_while(|tier| tier.is_instant()).count();
        let lates = Lates::default();
        let level = |tier| {
            Level::new(
                tier,
                &self.name,
                self.settings.breaker,
                Arc::clone(&self.clock),
                lates.clone(),
            )
        };
        let inner = Inner {
            levels: tiers.into_iter().map(level).collect(),
            lates: lates.clone(),
            memory,
            instant,
            clock: self.clock,
            settings: RwLock::new(self.settings),
            order: Arc::new(Order::new()),
            joined: Joined::default(),
            removals: AtomicU64::new(0),
            flights: Flights::new(),
            counts: Counts::new(&self.name, None),
            package_version: self.package_version.into(),
            last_written: AtomicU64::new(0),
            listeners: RwLock::default(),
            heard: Mutex::default(),
        };
        let inner = Arc::new(inner);
        for (index, level) in inner.levels.iter().enumerate() {
            let weak = Arc::downgrade(&inner);
            level.owed.start_with(move || {
                if let Some(inner) = weak.upgrade() {
                    blocking::unblock(move || inner.make_up(index)).detach();
                }
            });
            level.tier.on_change(inner.listener(index));
        }
        Ok(Cache {
            namespace: self.namespace,
            inner,
        })
    }
}

impl Cache {
    /// Makes a cache.
    #[must_use]
    pub fn builder() -> CacheBuilder {
        CacheBuilder {
            name: "cache".into(),
            namespace: Namespace::of::<[&str; 0]>([]),
            tiers: Vec::new(),
            memory: None,
            clock: Arc::new(SystemClock),
            settings: Settings::default(),
            package_version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}
