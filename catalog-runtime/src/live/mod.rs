//! The live catalog: cache, then AWS, then the bundle; always an answer, and it says how good it is.
//!
//! This room joins the fetch, the transform, the cache and the bundle. It owns no file and no HTTP of
//! its own. `builder` holds what may be set, `environment` what variables say of it, `bounds` which values
//! are allowed; `strategy` decides where a catalog comes from, `snapshot`
//! is what is served, `report` says how it stands, `overlay` and `laid_over` lay the caller's own models
//! over it, `owner` says whose entries of the cache are meant, `discovery` keeps the raw lists of each
//! region and how fast it answered. `rounds` does once what many ask for at once,
//! `calls` keeps a cache that hangs from costing more than one thread.

#[cfg(feature = "aws")]
mod ask;
mod bounds;
mod builder;
mod calls;
mod counts;
mod discovery;
mod environment;
mod handle;
mod laid_over;
mod overlay;
mod owner;
mod report;
mod rounds;
mod snapshot;
mod strategy;

pub use builder::{CacheMode, LiveCatalogBuilder, PartialPolicy};
pub use discovery::{Discovery, Latency};
pub use handle::{Change, Changes, LiveCatalog, Reader};
pub use overlay::Overlay;
pub use report::{RegionsReport, StatusReport};
pub use snapshot::{Snapshot, Source};
