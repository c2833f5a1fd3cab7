//! What a live catalog costs.
fn main() {}
