//! A tiered cache for values that are slow to get and good for hours: memory, files, SQLite, Redis, or a
//! [`Tier`] of your own.
//!
//! ```
//! use bedrock_catalog_cache::{Cache, EntryOptions, Key, MemoryLimits};
//!
//! let cache = Cache::builder()
//!     .memory(MemoryLimits::default())
//!     // .files(FilesOptions::platform("my-app")) keeps entries across restarts
//!     .build()?;
//! let key = Key::new("reports", "list", "berlin");
//! let list = || Ok::<_, std::io::Error>("[1, 2, 3]".into()); // the slow part
//! let reports = cache.get_or_load(&key, &EntryOptions::source("api"), list)?;
//! assert!(reports.is_fresh());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - **Two lifetimes.** An entry is *fresh for* a while, and *kept for* longer: where a refresh fails, a stale
//!   value is served. [`Freshness`] tells them apart.
//! - **One load.** Concurrent callers of a key share one load. So do the processes that share files, SQLite
//!   or Redis, by a lease with a fencing token.
//! - **Invalidation** by key, prefix or glob reaches every tier and every process that Redis notifies. Within
//!   a process nothing invalidated comes back, and nothing older replaces newer.
//! - **Faults stay inside.** A tier that fails is skipped, logged once and counted; after five failures its
//!   breaker pauses it for a minute. Only a setting that cannot be used is the caller's error.
//! - **Namespaces** separate the entries of different owners in one cache.
//!
//! A read asks the tiers from the fastest down and copies a hit upwards; a write goes to all. Methods block up
//! to their documented limits; the `_async` twins keep that off an async thread, on any runtime. Time is
//! injected ([`Clock`]), and only [`CacheBuilder::from_env`] reads the environment.
//!
//! Cached bytes are untrusted input: a checksum detects damage, and file modes keep other users out.
//!
//! # Features
//! | feature | |
//! |---|---|
//! | `files` (default) | the file tier |
//! | `sqlite` | the SQLite tier: many processes, one file |
//! | `redis` | the Redis tier: a fleet shares one refresh and is notified of changes |
//! | `compression` | lz4 for large entries, where a tier stores bytes |
//! | `metrics` | the statistics as counters of the `metrics` facade |

mod blocking;
mod breaker;
mod builder;
mod cache;
mod cleanup;
mod clock;
mod codec;
#[cfg(feature = "compression")]
mod compression;
mod deadline;
mod entry;
mod environment;
mod file_key;
#[cfg(feature = "files")]
mod files;
mod freshness;
mod hex;
mod invalidation;
mod key;
mod key_lock;
mod lease;
mod load;
mod lookup;
mod memory;
mod namespace;
mod notifications;
#[cfg(feature = "redis")]
mod redis;
mod settings;
mod shared;
mod single_flight;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statistics;
mod status;
mod sync;
mod tier;
mod tier_error;
mod tier_slot;
mod write;

pub use blocking::spawn_blocking;
pub use breaker::{BreakerLimits, BreakerState};
pub use builder::CacheBuilder;
pub use cache::Cache;
pub use cleanup::Cleaner;
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use codec::{Codec, Encoded};
pub use deadline::Deadline;
pub use entry::{CLOCK_SKEW, Entry, Envelope, Ttl};
pub use environment::{CacheConfig, Environment, StoreKind, parse_duration};
#[cfg(feature = "files")]
pub use files::{FileTier, FilesOptions};
pub use freshness::{Freshness, Hit};
pub use key::{Key, Pattern};
pub use lease::{HeldLease, Lease};
pub use load::LoadError;
pub use memory::{MemoryLimits, MemoryTier};
pub use namespace::{Namespace, NotANamespace};
#[cfg(feature = "redis")]
pub use redis::{RedisOptions, RedisTier};
pub use settings::{ConfigError, Settings};
pub use shared::SharedCache;
pub use single_flight::{Join, SingleFlight};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteTier};
pub use statistics::{Statistics, TierStatistics};
pub use status::{Recent, TierHealth};
pub use tier::{
    Acquired, ChangeEvent, Coordinator, EntryInfo, FencingToken, Found, LeaseGuard, Listener, Tier,
    TierStatus, Written,
};
pub use tier_error::{TierError, TierErrorKind};
pub use write::{EntryOptions, LoadToken, WriteOutcome};
