//! The live catalog: cache, then AWS, then the bundle.
//!
//! | file | content |
//! |---|---|
//! | `handle` | [`LiveCatalog`], [`Reader`], [`Changes`] |
//! | `builder`, `environment` | settings |
//! | `load` | a load and a refresh, in five steps |
//! | `account`, `session` | the namespace; the cache and the credentials of a call |
//! | `cached` | step 1: the catalog in the cache |
//! | `lease` | step 2: one process of many fetches |
//! | `fetch` | step 3: fetch from AWS |
//! | `merge` | step 4: merge onto the last good catalog |
//! | `publish`, `persist` | step 5: publish, then write |
//! | `schedule`, `background` | when to renew, and the task that does |
//! | `snapshot`, `report` | the catalog in service, and its status |
//! | `overlay`, `overlay_file` | the caller's own models |
//! | `discovery` | raw lists of single regions |
//! | `deadline`, `blocking`, `metrics` | time limits, a bound on blocking calls, counters |

mod account;
#[cfg(feature = "aws")]
mod background;
mod blocking;
mod builder;
mod cached;
mod deadline;
mod discovery;
mod environment;
#[cfg(feature = "aws")]
mod fetch;
#[cfg(not(feature = "aws"))]
#[path = "fetch_off.rs"]
mod fetch;
mod handle;
#[cfg(feature = "aws")]
mod lease;
mod load;
#[cfg(feature = "aws")]
mod merge;
mod metrics;
mod overlay;
mod overlay_file;
#[cfg(feature = "aws")]
mod persist;
mod publish;
mod report;
mod schedule;
mod session;
mod snapshot;

pub use builder::{CacheMode, LiveCatalogBuilder, PartialPolicy};
pub use discovery::{Discovery, Latency};
pub use handle::{Change, Changes, LiveCatalog, Reader};
pub use overlay::Overlay;
pub use report::{RegionsReport, StatusReport};
pub use snapshot::{Snapshot, Source};
