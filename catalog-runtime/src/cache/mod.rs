//! A general tiered cache. It knows nothing of Bedrock: keys and bytes in, keys and bytes out.
//!
//! A value travels as an [`Entry`]: bytes, and an [`Envelope`] that says whose they are and how
//! long they hold. A [`Tier`] is one storage layer; the cache reads its tiers in order.

mod clock;
mod codec;
#[cfg(feature = "compression")]
mod compression;
mod entry;
mod key;
mod namespace;
pub mod tier;

pub use clock::{Clock, ManualClock, SystemClock};
pub use codec::{Codec, Encoded};
pub use entry::{CLOCK_SKEW, Entry, Envelope, Horizons, Standing};
pub use key::{Key, Pattern};
pub use namespace::Namespace;
pub use tier::{Tier, TierError, TierErrorKind};
