//! The Redis tier on real servers, which these tests start: what every tier promises, every fault, and
//! the order between processes.
#![cfg(feature = "redis")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod acl;
mod changes;
mod conformance;
mod faults;
mod lying;
mod order;
#[path = "../support/properties.rs"]
mod properties;
mod quiet;
mod stage;
