//! Why a folder, a file or a step was refused: one typed answer that logs, health and tests share.
//!
//! This file knows words only. It touches no file and knows no cache.

use std::fmt;
use std::io;

use super::steps::Step;
use crate::tier::{TierError, TierErrorKind};

/// Why the disk tier left a folder or a file alone, or could not finish a step.
///
/// It never reaches the caller of a lookup as an error: it is what the log line says, what
/// [`LocationHealth`](super::LocationHealth) shows, and what decides that the next location is
/// tried.
///
/// ```
/// use std::path::Path;
/// use bedrock_catalog_cache::tier::disk::check_guess;
///
/// let reason = check_guess(Path::new("../elsewhere")).unwrap_err();
/// assert_eq!(reason.to_string(), "the path is relative");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The path is empty.
    Empty,
    /// The path is relative.
    Relative,
    /// The path contains `..`.
    ParentComponent,
    /// The path contains a NUL byte.
    Nul,
    /// The path has this many bytes, more than the platform takes.
    TooLong(usize),
    /// The path is not UTF-8.
    NotUtf8,
    /// The path is the root of the file system.
    Root,
    /// There is no such folder, and it is not ours to make.
    Missing,
    /// A link, where a folder or a file of our own was expected.
    Link,
    /// Not a folder.
    NotAFolder,
    /// Not a regular file.
    NotAFile,
    /// Owned by this user id, which is not ours.
    ForeignOwner(u32),
    /// These permission bits, which are not the ones we give.
    Mode(u32),
    /// The folder above belongs to this user, or others may rename what is in it.
    UnsafeParent,
    /// A second name (hard link) leads to the file.
    HardLinked,
    /// The file has this many bytes (or more), above the cap on one entry.
    TooLarge(u64),
    /// The content is not what was written: the text says what is wrong with it.
    Corrupt(String),
    /// Belongs to another key or namespace.
    OtherKey,
    /// Past its *keep for*, or from too far in the future.
    Expired,
    /// Another process holds the lock, and the bounded wait is over.
    Busy,
    /// The operating system said no.
    Io {
        /// What was being done.
        step: Step,
        /// What it answered.
        source: io::Error,
    },
}

impl Reason {
    /// As an error about one entry: an unsafe or odd file is a damaged entry, and no reason to stop
    /// using the disk.
    pub(crate) fn about_entry(self) -> TierError {
        let kind = match self.kind() {
            TierErrorKind::Unsafe => TierErrorKind::Corrupt,
            kind => kind,
        };
        TierError::new(kind, "the cache entry cannot be used").with_source(self)
    }

    /// Whether it says that something is not to be trusted.
    pub(crate) fn is_refusal(&self) -> bool {
        self.kind() == TierErrorKind::Unsafe
    }

    /// Whether it says that what is there was never ours, so that nothing of ours is in it.
    pub(crate) fn is_not_ours(&self) -> bool {
        matches!(
            self,
            Self::ForeignOwner(_) | Self::Link | Self::NotAFolder | Self::Root
        )
    }

    fn kind(&self) -> TierErrorKind {
        match self {
            Self::Busy => TierErrorKind::Timeout,
            Self::TooLarge(_) => TierErrorKind::TooLarge,
            Self::Corrupt(_) => TierErrorKind::Corrupt,
            Self::OtherKey | Self::Expired => TierErrorKind::Foreign,
            Self::Missing => TierErrorKind::Unavailable,
            Self::Io { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => TierErrorKind::Full,
                io::ErrorKind::TimedOut => TierErrorKind::Timeout,
                _ => TierErrorKind::Unavailable,
            },
            _ => TierErrorKind::Unsafe,
        }
    }
}

impl From<Reason> for TierError {
    fn from(reason: Reason) -> Self {
        Self::new(reason.kind(), "the cache location cannot be used").with_source(reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the path is empty"),
            Self::Relative => f.write_str("the path is relative"),
            Self::ParentComponent => f.write_str("the path contains `..`"),
            Self::Nul => f.write_str("the path contains a NUL byte"),
            Self::TooLong(bytes) => write!(f, "the path has {bytes} bytes"),
            Self::NotUtf8 => f.write_str("the path is not UTF-8"),
            Self::Root => f.write_str("the path is the root of the file system"),
            Self::Missing => f.write_str("there is no such folder"),
            Self::Link => f.write_str("it is a link"),
            Self::NotAFolder => f.write_str("it is not a folder"),
            Self::NotAFile => f.write_str("it is not a regular file"),
            Self::ForeignOwner(uid) => write!(f, "it belongs to user {uid}"),
            Self::Mode(mode) => write!(f, "its mode is {mode:04o}"),
            Self::UnsafeParent => {
                f.write_str("others may replace it: the folder above is neither sticky nor private")
            }
            Self::HardLinked => f.write_str("a second name leads to it"),
            Self::TooLarge(bytes) => write!(f, "it has {bytes} bytes or more, above the cap"),
            Self::Corrupt(what) => write!(f, "it is corrupt: {what}"),
            Self::OtherKey => f.write_str("it belongs to another key or namespace"),
            Self::Expired => f.write_str("it is past its keep-for, or from the future"),
            Self::Busy => f.write_str("another process holds the lock"),
            Self::Io { step, source } => write!(f, "{step} failed: {source}"),
        }
    }
}

impl std::error::Error for Reason {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
