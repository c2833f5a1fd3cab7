//! The cache as a whole, over tiers that fail on demand and a clock that the test moves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod breaker;
mod clocks;
mod codec;
mod environment;
mod file_key;
mod invalidation;
mod keys;
mod lease;
mod load;
mod logs;
mod maintenance;
#[cfg(feature = "metrics")]
mod metrics;
mod notifications;
mod properties;
mod reads;
mod single_flight;
mod stage;
