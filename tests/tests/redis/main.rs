//! The Redis tier on real servers, which these tests start: what every tier promises, every fault, the
//! order between processes, and a fleet of them.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod acl;
mod changes;
mod children;
mod conformance;
mod faults;
mod fleet;
mod lying;
mod order;
#[path = "../../../catalog-runtime/tests/support/properties.rs"]
mod properties;
mod quiet;
mod stage;
