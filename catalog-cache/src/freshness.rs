//! The answer of a read: the data, its state, and its origin.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::Envelope;

/// The answer of a read. "Serve stale when the refresh failed" is one match arm.
///
/// ```
/// use bedrock_catalog_cache::Freshness;
///
/// fn usable(answer: Freshness, refresh_failed: bool) -> Option<bytes::Bytes> {
///     match answer {
///         Freshness::Fresh(hit) => Some(hit.data),
///         Freshness::Stale(hit) if refresh_failed => Some(hit.data),
///         _ => None,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness<T = Bytes> {
    /// Served without a refresh.
    Fresh(Hit<T>),
    /// Served only because a refresh failed.
    Stale(Hit<T>),
    /// No usable entry.
    Missing,
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<T = Bytes> {
    /// The data.
    pub data: T,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) age: Duration,
    pub(crate) tier: Option<&'static str>,
    pub(crate) path: Option<Arc<Path>>,
}

impl<T> Freshness<T> {
    /// The entry, fresh or stale.
    #[must_use]
    pub fn hit(&self) -> Option<&Hit<T>> {
        match self {
            Self::Fresh(hit) | Self::Stale(hit) => Some(hit),
            Self::Missing => None,
        }
    }

    /// The entry, fresh or stale.
    #[must_use]
    pub fn into_hit(self) -> Option<Hit<T>> {
        match self {
            Self::Fresh(hit) | Self::Stale(hit) => Some(hit),
            Self::Missing => None,
        }
    }

    /// Whether there is a fresh entry.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh(_))
    }

    /// Whether there is a stale entry.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Stale(_))
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    pub(crate) fn try_map<U, E>(
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
    /// The age; zero where the entry was written ahead of this clock.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.age
    }

    /// The time of the write.
    #[must_use]
    pub fn written_at(&self) -> SystemTime {
        self.envelope.written_at
    }

    /// The origin of the value, as its writer named it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.envelope.source
    }

    /// The tier that had it; `None` for a value loaded by this call.
    #[must_use]
    pub fn tier(&self) -> Option<&'static str> {
        self.tier
    }

    /// The file that holds it, where the tier has files.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The metadata.
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
