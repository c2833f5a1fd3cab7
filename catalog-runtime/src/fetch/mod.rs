//! Fetching from AWS: `ListFoundationModels` and `ListInferenceProfiles` of many regions, at once and
//! within bounds, become a [`Recording`](crate::recording::Recording).
//!
//! - Each region ends as one [`Outcome`] with a reason. Regions do not affect each other, and a partial
//!   result is a result.
//! - Bounds: 32 regions and 62 requests in flight, 8 s an attempt, 20 s a request, 30 s in all, three
//!   attempts, four retries a region out of one shared budget, 100 pages, 8 MiB a region.
//! - *Not enabled*: a region outside the 17 that every account has, which rejects credentials that
//!   another region of the same fetch accepts; or a region that answers `OptInRequired`. Where no
//!   region accepts the credentials, they are wrong, and all regions are *denied*.
//! - *Suspicious*: much less than the region had before, see [`RegionExpectation`].
//! - Account ids are redacted from ARNs and reasons.

mod body_limit;
mod builder;
mod fault;
mod fetcher;
mod guard;
mod outcome;
mod partition;
mod region;
mod rows;
mod sdk_config;

pub use builder::FetcherBuilder;
pub(crate) use builder::{check_endpoint, check_region};
pub use fetcher::Fetcher;
pub(crate) use fetcher::{CREDENTIALS_LIMIT, resolve};
pub use guard::RegionExpectation;
pub use outcome::{Fetched, Outcome, Progress, RegionReport};
pub use partition::partition_regions;
pub use sdk_config::{account_from_env, sdk_config_from_env};
