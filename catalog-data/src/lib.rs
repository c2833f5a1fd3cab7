//! The Amazon Bedrock model catalog, baked into the binary: which models exist, which id works from
//! which region, where a request may be served, what a model can do, and when it ends.
//!
//! `no_std` with `alloc`, no unsafe code, no I/O, no clock. The bundle is a `static`: asking it
//! costs nanoseconds and allocates nothing. Most programs depend on `bedrock-catalog`, which
//! re-exports all of this and keeps it fresh at run time.
//!
//! ```
//! # #[cfg(feature = "bundle")] {
//! use bedrock_catalog_data::{Catalog, Policy, models};
//!
//! let catalog = Catalog::bundled();
//! let route = catalog.route(models::ANTHROPIC_CLAUDE_SONNET_4_6, "eu-central-1", Policy::Geography)?;
//! assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
//! assert!(route.destinations().are_within(&["eu-*"]));
//! # }
//! # Ok::<(), bedrock_catalog_data::Error>(())
//! ```
//!
//! # Features
//! - `bundle` (default): [`Catalog::bundled`] and the typed constants. Without it a catalog is built
//!   at run time from a [`Document`].
//! - `serde`: `Serialize` and `Deserialize` for ids, words, dates and the [`Document`]; `Serialize` for
//!   [`Status`], [`RouteKind`] and the word of a [`Policy`].
//!
//! # How the files stand to each other
//! `words`, `time`, `id`, `text` are values. `rows` are the tables, `index` finds rows, `catalog` and the
//! handles (`model`, `profile`, `region`, `route`, `query`) answer from them. `document` is the plain
//! form; `from_document` and `to_document` go between. `bundle` holds what the generator wrote.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod access;
mod catalog;
mod document;
mod error;
mod from_document;
mod id;
mod index;
mod model;
mod near;
mod profile;
mod query;
mod region;
mod route;
mod rows;
mod text;
mod time;
mod to_document;
mod words;

#[cfg(feature = "bundle")]
mod bundle;

pub use access::Access;
#[cfg(feature = "bundle")]
pub use bundle::{models, profiles, regions};
pub use catalog::Catalog;
pub use document::{
    AccessEntry, DestinationsEntry, Document, FORMAT, LifecycleEntry, ModelEntry, ProfileEntry,
    RouteEntry, geography_of,
};
pub use error::{Error, ErrorKind};
pub use id::{Id, Key, ModelId, ProfileId, RegionId, kind};
pub use model::{Lifecycle, Model};
pub use profile::{Profile, ProfileRoute};
pub use query::Filter;
pub use region::Region;
pub use route::{DestinationIds, Destinations, Policy, Route, RouteKind};
pub use text::Text;
pub use time::{Date, ParseTimeError, Timestamp};
pub use words::{
    Customization, Geography, InferenceType, LifecycleStatus, Modality, ParseWordError, Status,
};

/// The JSON Schema of the catalog JSON.
pub const CATALOG_SCHEMA: &str = include_str!("../catalog.schema.json");

/// What generated code is written against. Not public: its layout changes with its name only.
#[doc(hidden)]
pub mod baked_v1 {
    pub use crate::index::{KeyHash, Line, PerfectHash};
    pub use crate::rows::{
        AccessRow, LifecycleRow, LinkRow, ModelRow, NONE, ProfileRow, RegionRow, Run, Tables,
        ids_of_models, ids_of_profiles,
    };
    pub use crate::text::{StaticList, StaticText};
    pub use crate::words::Word;
    pub use crate::{
        Catalog, Customization, Date, Geography, InferenceType, LifecycleStatus, Modality, ModelId,
        ProfileId, RegionId, Timestamp,
    };
    pub use alloc::borrow::Cow;
    pub use alloc::borrow::Cow::Borrowed;
}
