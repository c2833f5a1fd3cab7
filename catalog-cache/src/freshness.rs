//! The answer of a cache: what it has, how good that is, and where it came from.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::Envelope;

/// An answer. "Serve stale when asking failed" is one match arm.
///
/// ```
/// use bedrock_catalog_cache::Freshness;
///
/// fn usable(answer: Freshness, asking_failed: bool) -> Option<bytes::Bytes> {
///     match answer {
///         Freshness::Fresh(hit) => Some(hit.data),
///         Freshness::Stale(hit) if asking_failed => Some(hit.data),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness<T = Bytes> {
    /// To be served without asking again.
    Fresh(Hit<T>),
    /// To be served only because asking failed.
    Stale(Hit<T>),
    /// Nothing usable.
    Missing,
}

/// What was found, with where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<T = Bytes> {
    /// The data.
    pub data: T,
    pub(super) envelope: Arc<Envelope>,
    pub(super) age: Duration,
    pub(super) tier: Option<&'static str>,
    pub(super) path: Option<Arc<Path>>,
}

impl<T> Freshness<T> {
    /// What was found, fresh or stale.
    #[must_use]
    pub fn hit(&self) -> Option<&Hit<T>> {
        match self {
            Self::Fresh(hit) | Self::Stale(hit) => Some(hit),
            Self::Missing => None,
        }
    }

    /// What was found, fresh or stale.
    #[must_use]
    pub fn into_hit(self) -> Option<Hit<T>> {
        match self {
            Self::Fresh(hit) | Self::Stale(hit) => Some(hit),
            Self::Missing => None,
        }
    }

    /// Whether it is to be served without asking again.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh(_))
    }

    /// Whether there is something, but only for when asking failed.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale(_))
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    pub(super) fn try_map<U, E>(
        self,
        map: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Freshness<U>, E> {
        Ok(match self {
            Self::Fresh(hit) => Freshness::Fresh(hit.try_map(map)?),
            Self::Stale(hit) => Freshness::Stale(hit.try_map(map)?),
            Self::Missing => Freshness::Missing,
        })
    }
}

impl<T> Hit<T> {
    /// How old the data is; zero where it was written ahead of this clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }

    /// When it was written.
    #[must_use]
    pub fn written_at(&self) -> SystemTime {
        self.envelope.written_at
    }

    /// Where the value came from when it was written, in the writer's words.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.envelope.source
    }

    /// The tier it was found in; `None` where it was computed just now.
    #[must_use]
    pub fn tier(&self) -> Option<&'static str> {
        self.tier
    }

    /// The file it was found in, where the tier has files.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// All that is known beside the data.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn try_map<U, E>(self, map: impl FnOnce(T) -> Result<U, E>) -> Result<Hit<U>, E> {
        let Self {
            data,
            envelope,
            age,
            tier,
            path,
        } = self;
        Ok(Hit {
            data: map(data)?,
            envelope,
            age,
            tier,
            path,
        })
    }
}
