//! The Redis tier on real servers: the conformance suite, faults, TLS, permissions, the order of writes by
//! several processes, notifications, and a fleet.
#![cfg(feature = "redis")]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod acl;
mod cache;
mod conformance;
mod faults;
mod fencing;
mod fleet;
mod notifications;
mod resources;
mod support;
mod tls;
