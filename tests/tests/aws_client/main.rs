//! The caching client in front of the real SDK, against a server that keeps state.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod attached;
mod bedrock;
mod crowd;
mod data_plane;
mod died;
mod emulator;
mod identities;
mod late;
mod models;
mod people;
mod permissions;
mod protocols;
mod responses;
mod roles;
mod stage;
mod storm;
mod tier_calls;
mod tiers;
mod uncertain;
