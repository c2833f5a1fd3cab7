//! The Amazon Bedrock model catalog, compiled into your program: which models exist, which id works
//! from which region, where a request may be served, what a model can do, and when it ends.
//!
//! A `no_std` library without I/O, clock or unsafe code. The catalog is a `static`: a lookup takes
//! nanoseconds and does not allocate.
//!
//! ```
//! # #[cfg(feature = "bundle")] {
//! use bedrock_catalog_data::{Catalog, Policy, models, regions, residency};
//!
//! let catalog = Catalog::bundled();
//! let route = catalog.route(models::ANTHROPIC_CLAUDE_SONNET_4_6, "eu-central-1", Policy::Geography)?;
//! assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
//! assert!(route.destinations().are_within(residency::EU));
//!
//! // Resolve a string once and keep the handle: lookups by handle need no hash.
//! let sonnet = catalog.model("anthropic.claude-sonnet-4-6").unwrap();
//! let route = sonnet.route(regions::US_EAST_1, Policy::Geography)?;
//! assert_eq!(route.inference_id(), "us.anthropic.claude-sonnet-4-6");
//! # }
//! # Ok::<(), bedrock_catalog_data::QueryError>(())
//! ```
//!
//! [`Catalog`] is the entry point. [`Model`], [`Profile`], [`Region`], [`Access`] and [`Route`] are `Copy`
//! handles into it. [`Document`] is the catalog as plain data. A [`QueryError`] says what is wrong with a
//! question and what would be right.
//!
//! The crate `bedrock-catalog` re-exports these items and keeps the catalog fresh at run time.
//!
//! # Features
//!
//! - `bundle` (default): [`Catalog::bundled`] and the typed constants. Without it, a catalog is built at
//!   run time from a [`Document`].
//! - `serde`: `Serialize` and `Deserialize` for ids, enums, dates and the [`Document`]; `Serialize` for
//!   [`Status`], [`RouteKind`] and [`Policy`].
//!
//! # `no_std`
//!
//! The crate needs `alloc` only, with every feature.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod access;
mod catalog;
mod document;
mod enums;
mod error;
mod explain;
mod filter;
mod from_document;
mod id;
mod index;
mod model;
mod partition;
mod profile;
mod region;
pub mod residency;
mod route;
mod rows;
mod suggest;
mod text;
mod time;
mod to_document;

#[cfg(feature = "bundle")]
mod bundle;

pub use access::Access;
#[cfg(feature = "bundle")]
pub use bundle::{models, profiles, regions};
pub use catalog::Catalog;
pub use document::{
    AccessEntry, DestinationsEntry, Document, LifecycleEntry, ModelEntry, ProfileEntry, RouteEntry,
};
pub use enums::{
    Customization, Geography, InferenceType, LifecycleStatus, Modality, ParseEnumError, Status,
};
pub use error::{QueryError, QueryErrorKind};
pub use filter::Filter;
pub use id::{IntoModelId, IntoProfileId, IntoRegionId, ModelId, ProfileId, RegionId};
pub use model::{Lifecycle, Model};
pub use partition::{bedrock_regions, partition_of};
pub use profile::{Profile, ProfileRoute};
pub use region::Region;
pub use route::{DestinationIds, Destinations, Policy, Route, RouteKind};
pub use text::Text;
pub use time::{Date, ParseTimeError, Timestamp};

/// The interface of generated code. Not public: a change of layout gets a new module.
#[doc(hidden)]
pub mod baked_v1 {
    pub use crate::enums::OpenEnum;
    pub use crate::index::{KeyHash, Line, PerfectHash};
    pub use crate::rows::{
        AccessRow, LifecycleRow, LinkRow, ModelRow, NONE, ProfileRow, RegionRow, Run, Tables,
        ids_of_models, ids_of_profiles,
    };
    pub use crate::text::{StaticList, StaticText};
    pub use crate::{
        Catalog, Customization, Date, Geography, InferenceType, LifecycleStatus, Modality, ModelId,
        ProfileId, RegionId, Timestamp,
    };
    pub use alloc::borrow::Cow;
    pub use alloc::borrow::Cow::Borrowed;
}
