//! Failures of tiers. They are never the caller's error: the cache logs and counts them, and continues with
//! the next tier.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// A failure of one tier.
#[derive(Debug)]
pub struct TierError {
    kind: TierErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TierErrorKind {
    /// The storage cannot be reached, read or written.
    Unavailable,
    /// The storage is full.
    Full,
    /// The call took too long.
    Timeout,
    /// The storage denies access.
    Refused,
    /// The answer does not follow the protocol.
    Protocol,
    /// Other users could change the storage, so it is not used.
    Unsafe,
    /// The stored entry is damaged.
    Corrupt,
    /// The stored entry is whole, but of another format, version, namespace or key.
    Foreign,
    /// The entry is larger than the bounds.
    TooLarge,
    /// Anything else.
    Other,
}

impl TierError {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: TierErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            path: None,
            source: None,
        }
    }

    /// Adds the path.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The kind of a failure.
    #[must_use]
    pub fn kind(&self) -> TierErrorKind {
        self.kind
    }

    /// The path concerned, where the tier has paths.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it concerns the tier and not one entry only. Only these count for the breaker: a damaged file
    /// is no reason to stop using a disk.
    #[must_use]
    pub fn is_tier_failure(&self) -> bool {
        !matches!(
            self.kind,
            TierErrorKind::Corrupt | TierErrorKind::Foreign | TierErrorKind::TooLarge
        )
    }

    /// Whether a later attempt may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            TierErrorKind::Unavailable | TierErrorKind::Full | TierErrorKind::Timeout
        )
    }
}

impl fmt::Display for TierError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(path) = &self.path {
            write!(f, " at {}", path.display())?;
        }
        // With the cause, one log field has the whole error.
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for TierError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
