//! Parts for tests of the cache: the conformance suite of tiers, a tier that fails on demand, a real
//! Redis, counted skips.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod conformance;
mod counters;
mod faulty;
pub mod processes;
pub mod properties;
pub mod redis_server;
mod report;

pub use counters::Counters;
pub use faulty::{FaultyTier, Op};
pub use report::{count, leave_out, skip};
