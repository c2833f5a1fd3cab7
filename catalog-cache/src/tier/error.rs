//! Why a tier could not do what it was asked. It is never the caller's error: the cache logs it,
//! counts it, and goes on with the next tier.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// A failure inside one tier.
#[derive(Debug)]
pub struct TierError {
    kind: TierErrorKind,
    message: String,
    path: Option<PathBuf>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TierErrorKind {
    /// The storage cannot be reached, read or written now.
    Unavailable,
    /// The storage is full.
    Full,
    /// It took too long.
    Timeout,
    /// The storage does not let this process in, or not do this.
    Refused,
    /// What answers is not what should.
    Protocol,
    /// The storage could be touched by others, so it is not used.
    Unsafe,
    /// What is stored is damaged.
    Corrupt,
    /// What is stored is whole, but of another format, version, namespace or key.
    Foreign,
    /// What is stored, or to be stored, is beyond the bounds.
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

    /// The same, at this path.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// The same, with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> TierErrorKind {
        self.kind
    }

    /// The path it happened at, where the tier has paths.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it says something of the tier, not only of one entry. Only these count for the
    /// circuit breaker: a damaged file is no reason to stop using a disk.
    #[must_use]
    pub fn is_tier_failure(&self) -> bool {
        !matches!(
            self.kind,
            TierErrorKind::Corrupt | TierErrorKind::Foreign | TierErrorKind::TooLarge
        )
    }

    /// Whether trying again later may help.
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
        // The cause is one more line for people, so that one log field says all.
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
