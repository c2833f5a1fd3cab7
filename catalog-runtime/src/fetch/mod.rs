//! Asking AWS: `ListFoundationModels` and `ListInferenceProfiles` of many regions, at once and within
//! bounds, become a [`Recording`](crate::recording::Recording).
//!
//! This room is the only one that knows the control plane's client. It knows nothing of the catalog
//! the answers become, of caches, or of files.
//!
//! - Every region ends as one [`Outcome`], with a reason; no region's fate touches another's, and a
//!   partial result is a result.
//! - Bounds: 32 regions and 62 requests in flight, 8 s an attempt, 20 s a request, 30 s in all, three
//!   attempts, four retries a region out of one shared budget, 100 pages, 8 MiB a region.
//! - *Not enabled*: a region outside the 17 that every account has, which does not know credentials
//!   (`UnrecognizedClientException`, `InvalidClientTokenId` and their kin) that another region of the
//!   same fetch accepted; or one that says `OptInRequired`. Where no region accepts them the
//!   credentials are wrong, and all are *denied*.
//! - *Suspicious*: less than was there before, see [`RegionExpectation`].
//! - Account ids are scrubbed from ARNs and reasons before anything leaves.

mod builder;
mod environment;
mod error;
mod fault;
mod fetcher;
mod guard;
mod outcome;
mod partition;
mod region;
mod rows;

pub use builder::FetcherBuilder;
pub(crate) use builder::{check_endpoint, check_region};
pub use environment::sdk_config_from_env;
pub use error::{Error, ErrorKind};
pub use fetcher::Fetcher;
pub use outcome::{Fetched, Outcome, Progress, RegionExpectation, RegionReport};
pub use partition::partition_regions;
