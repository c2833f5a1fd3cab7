//! The offline catalog as a whole: what any recording becomes, what the compiler makes of it, and
//! that asking costs nothing.

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
