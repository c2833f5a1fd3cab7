//! A cache in front of any AWS SDK client: reads are answered from it, writes drop what they change, and
//! no call site changes. It works on the HTTP messages, below the SDK's own code and above its HTTP
//! client; it knows nothing of the catalog, and of services only what its rules say.

mod client;
mod identity;
mod layer;
mod mark;
mod parameters;
mod reply;
mod rules;
mod statistics;
#[cfg(test)]
mod tests;
mod writes;

pub use client::{CachedClient, CachedClientBuilder};
pub use layer::Dropped;
pub use mark::NoCache;
pub use rules::Rules;
pub use statistics::ClientStatistics;
