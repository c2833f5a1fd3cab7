//! A general tiered cache. It knows nothing of Bedrock: keys and bytes in, keys and bytes out.
//!
//! A value travels as an [`Entry`]: bytes, and an [`Envelope`] that says whose they are and how
//! long they hold. A [`Tier`] is one storage layer; a [`Cache`] reads its tiers in order and writes
//! to all of them. Its answer is a [`Freshness`]. Two horizons: an entry is *fresh for* a while, and
//! *kept for* longer, so that a stale copy is there when asking again fails.
//!
//! What goes wrong in a tier is logged and counted, and the next tier is asked; it never reaches the
//! caller. Only a setting that cannot be used does, as a [`ConfigError`].

mod admin;
mod breaker;
#[cfg(test)]
mod breaker_model;
mod builder;
mod clock;
mod codec;
#[cfg(feature = "compression")]
mod compression;
mod compute;
mod core;
mod derived;
mod doubt;
mod entry;
mod environment;
mod fill;
mod flight;
mod freshness;
mod healing;
#[doc(hidden)]
pub mod hex;
mod joint;
mod key;
mod lease;
mod level;
mod namespace;
mod order;
mod others;
mod removal;
mod search;
mod settings;
mod shared;
mod statistics;
mod sync;
pub mod tier;

pub use admin::{Cleaner, Recent, TierHealth};
pub use breaker::{BreakerLimits, BreakerState};
pub use builder::CacheBuilder;
pub use clock::{Clock, ManualClock, Moment, SystemClock};
pub use codec::{Codec, Encoded};
pub use compute::ComputeError;
pub use core::{Cache, Stored, Terms, Watched};
pub use entry::{CLOCK_SKEW, Entry, Envelope, Horizons, Standing};
pub use environment::{CacheConfig, Environment, Store, parse_duration};
pub use freshness::{Freshness, Hit};
#[doc(hidden)]
pub use key::glob_matches;
pub use key::{Key, Pattern};
#[doc(hidden)]
pub use lease::{Leases, Others};
pub use namespace::{Namespace, NotANamespace};
pub use settings::{ConfigError, Settings};
pub use shared::SharedCache;
pub use statistics::{Statistics, TierStatistics};
pub use tier::{Begun, Change, Changed, MemoryLimits, MemoryTier, Tier, TierError, TierErrorKind};
