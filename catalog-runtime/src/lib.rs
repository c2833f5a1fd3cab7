//! The Amazon Bedrock model catalog as a Rust dependency: which models exist, which id works from
//! which region, where a request may be served, what a model can do, and when it ends.
//!
//! The catalog is baked in at compile time, and kept fresh at run time: cache, then the AWS API, then
//! the baked-in bundle. The types of `bedrock-catalog-data` are re-exported here.
//!
//! ```
//! # #[cfg(feature = "bundle")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use bedrock_catalog::{Catalog, Policy, models, regions, residency};
//!
//! // Offline: everything is in the binary. No I/O, no allocation, cannot fail.
//! let catalog = Catalog::bundled();
//! let route = catalog.route(models::ANTHROPIC_CLAUDE_SONNET_4_6, "eu-central-1", Policy::Geography)?;
//! assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
//! println!("served in {}", route.destinations());
//!
//! // Hot paths resolve a string once and then ask by handle: no hashing, no allocation.
//! let sonnet = catalog.model("anthropic.claude-sonnet-4-6").ok_or("no such model")?;
//! let route = sonnet.route(regions::EU_CENTRAL_1, Policy::Geography)?;
//! assert!(route.destinations().are_within(residency::EU));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "bundle"))]
//! # fn main() {}
//! ```
//!
//! [`LiveCatalog`] keeps it fresh. [`recording`] holds AWS's answers, of which `bedrock-catalog-recording`
//! makes a catalog; [`cache`] is a general tiered cache.
//!
//! # Features
//! Additive; one that is off costs nothing to build.
//! - `bundle` (default): the catalog baked into the binary, and its typed constants.
//! - `live` (with `files`): [`LiveCatalog`], the cache, and the transform of recordings.
//! - `files` (default): the file tier of the cache.
//! - `aws`: fetch from AWS. Without it no AWS crate, no HTTP and no tokio is built.
//! - `router`: an interceptor for `aws-sdk-bedrockruntime` that sends the id that works.
//! - `redis`: the Redis tier of the cache, through which a fleet shares one refresh.
//! - `sqlite`: the SQLite tier of the cache, one file for the processes of a machine.
//! - `metrics`: counters through the `metrics` facade.

#[cfg(feature = "live")]
mod error;
#[cfg(feature = "aws")]
pub mod fetch;
#[cfg(feature = "live")]
// Without AWS the parts of a fetch are unused.
#[cfg_attr(not(feature = "aws"), allow(dead_code))]
mod live;
#[cfg(feature = "router")]
mod router;

#[cfg(feature = "live")]
pub use bedrock_catalog_cache as cache;
#[doc(hidden)]
pub use bedrock_catalog_data::baked_v1;
pub use bedrock_catalog_data::{
    Access, AccessEntry, Catalog, Customization, Date, DestinationIds, Destinations,
    DestinationsEntry, Document, Filter, Geography, InferenceType, IntoModelId, IntoProfileId,
    IntoRegionId, Lifecycle, LifecycleEntry, LifecycleStatus, Modality, Model, ModelEntry, ModelId,
    ParseEnumError, ParseTimeError, Policy, Profile, ProfileEntry, ProfileId, ProfileRoute,
    QueryError, QueryErrorKind, Region, RegionId, Route, RouteEntry, RouteKind, Status, Text,
    Timestamp, residency,
};
#[cfg(feature = "bundle")]
pub use bedrock_catalog_data::{models, profiles, regions};
#[cfg(feature = "live")]
pub use bedrock_catalog_recording::{
    CatalogDiff, DateChange, DestinationsChange, DiffSide, ModelArn, ModelChange, ModelNote,
    ProfileChange, ProfileNote, RecordingError, RecordingErrorKind, SetChange, StaleNote,
    StatusChange, catalog_from_json, catalog_to_json,
};
#[cfg(feature = "live")]
pub use error::{CatalogError, CatalogErrorKind};
#[cfg(feature = "live")]
pub use live::{
    CacheMode, Change, Changes, Discovery, Latency, LiveCatalog, LiveCatalogBuilder, Overlay,
    PartialPolicy, Reader, RegionsReport, Snapshot, Source, StatusReport,
};
#[cfg(feature = "router")]
pub use router::{HasCatalog, RouterInterceptor};

#[cfg(feature = "live")]
/// Recordings: the raw answers of the API for a set of regions.
pub mod recording {
    pub use bedrock_catalog_recording::{
        LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
        RowProblem,
    };
}
