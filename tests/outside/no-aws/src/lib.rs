//! Compiles where the runtime crate has the feature `live` alone.

pub use bedrock_catalog::{Catalog, LiveCatalog};
