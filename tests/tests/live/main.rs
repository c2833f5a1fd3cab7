//! The live catalog as a whole: cache, then AWS, then the bundle, against a fake Bedrock.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod accounts;
mod background;
mod crowd;
mod decisions;
mod discovery;
mod factory;
mod faults;
#[cfg(unix)]
mod fork;
mod hangs;
mod lambda;
mod load;
mod metrics;
mod notifications;
mod overlay;
mod partial;
mod partitions;
mod processes;
mod properties;
mod settings;
mod stage;
