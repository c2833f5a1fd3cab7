//! Compiles where the runtime crate has no feature at all.

pub use bedrock_catalog::{Catalog, LiveCatalog};
