//! For tests of caches and tiers: a tier that fails when told to, and the suite every tier must pass.
//! No promise of stability.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod conformance;
#[cfg(feature = "metrics")]
mod counters;
mod faulty;

#[cfg(feature = "metrics")]
pub use counters::Counters;
pub use faulty::{FaultyTier, Op};
