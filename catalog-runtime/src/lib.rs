//! The Amazon Bedrock model catalog as a Rust dependency.

mod arn;
pub mod cache;
mod diff;
mod error;
#[cfg(feature = "aws")]
pub mod fetch;
mod json;
mod live;
mod read;
pub mod recording;
mod scrub;
mod transform;
mod vote;

pub use bedrock_catalog_data::*;
pub use bedrock_catalog_data::{Error as QueryError, ErrorKind as QueryErrorKind};
pub use diff::{
    CatalogDiff, DateChange, DestinationsChange, DiffSide, ModelChange, ModelNote, ProfileChange,
    ProfileNote, SetChange, StaleNote, StatusChange,
};
pub use error::{Error, ErrorKind};
pub use json::{LARGEST_JSON, catalog_from_json, catalog_to_json, catalog_to_json_pretty};
pub use live::{
    CacheMode, Change, Changes, Discovery, Latency, LiveCatalog, LiveCatalogBuilder, Overlay,
    PartialPolicy, Reader, RegionsReport, Snapshot, Source, StatusReport,
};
pub use read::read_bounded;
pub use transform::transform;
