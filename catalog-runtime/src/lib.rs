//! The Amazon Bedrock model catalog as a Rust dependency.

pub mod cache;
#[cfg(feature = "aws")]
pub mod fetch;
pub mod recording;

pub use bedrock_catalog_data::{Date, Timestamp};
