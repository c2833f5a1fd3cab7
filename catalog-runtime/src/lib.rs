//! The Amazon Bedrock model catalog as a Rust dependency.

mod arn;
pub mod cache;
mod error;
#[cfg(feature = "aws")]
pub mod fetch;
mod json;
mod live;
pub mod recording;
#[cfg(feature = "router")]
mod router;
mod transform;

pub use bedrock_catalog_data::*;
pub use bedrock_catalog_data::{Error as QueryError, ErrorKind as QueryErrorKind};
pub use error::{Error, ErrorKind};
pub use json::{LARGEST_JSON, catalog_from_json, catalog_to_json, catalog_to_json_pretty};
pub use live::{
    CacheMode, Change, Changes, Discovery, Latency, LiveCatalog, LiveCatalogBuilder, Overlay,
    PartialPolicy, Reader, RegionsReport, Snapshot, Source, StatusReport,
};
#[cfg(feature = "router")]
pub use router::{HasCatalog, RouterInterceptor};
pub use transform::transform;
