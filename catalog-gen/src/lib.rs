//! Bakes a catalog into Rust.
