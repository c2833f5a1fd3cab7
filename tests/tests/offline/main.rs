//! The offline catalog as a whole: properties over arbitrary recordings, compilation, and the cost of
//! lookups.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod answers;
mod arbitrary;
mod compiled;
mod hostile;
mod plain;
mod properties;
mod quiet;
