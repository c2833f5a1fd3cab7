//! The parts of the caching client, each by itself. `tests/` has the whole.

mod identity;
mod invalidation;
#[cfg(feature = "metrics")]
mod metrics;
mod parameters;
mod response;
mod rules;
