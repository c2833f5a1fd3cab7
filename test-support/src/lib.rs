//! For tests of caches and tiers: a tier that fails when told to, the suite every tier must pass, real Redis
//! servers, and what tests report.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod children;
pub mod conformance;
#[cfg(feature = "metrics")]
mod counters;
mod faulty;
#[cfg(feature = "redis")]
pub mod redis_server;
mod report;

#[cfg(feature = "metrics")]
pub use counters::Counters;
pub use faulty::{FaultyTier, Op};
pub use report::{count, leave_out, skip};
