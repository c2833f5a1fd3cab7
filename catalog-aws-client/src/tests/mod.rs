//! The parts of the caching client, each by itself. The whole, against a server, is in `tests/`.

mod answer;
#[cfg(feature = "metrics")]
mod metrics;
mod parameters;
mod reply;
mod rules;
