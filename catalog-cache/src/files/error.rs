//! The errors of the file tier.

use std::io;

use crate::{TierError, TierErrorKind};

/// A failed operation of the system, for `map_err`.
pub(crate) fn io<E: Into<io::Error>>(operation: &'static str) -> impl FnOnce(E) -> TierError {
    move |source| {
        let source = source.into();
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => TierErrorKind::Full,
            _ => TierErrorKind::Unavailable,
        };
        TierError::new(kind, format!("{operation} failed")).with_source(source)
    }
}

/// A folder or file that another user may have made or may change.
pub(crate) fn refused(why: impl Into<String>) -> TierError {
    TierError::new(TierErrorKind::Unsafe, why)
}

pub(crate) fn missing() -> TierError {
    TierError::new(TierErrorKind::Unavailable, "the folder does not exist")
}

pub(crate) fn no_location() -> TierError {
    TierError::new(
        TierErrorKind::Unavailable,
        "there is no usable cache folder",
    )
}

pub(crate) fn busy() -> TierError {
    TierError::new(TierErrorKind::Timeout, "another process holds the lock")
}

pub(crate) fn too_large(bytes: u64) -> TierError {
    let message = format!("it has {bytes} bytes or more, above the bound");
    TierError::new(TierErrorKind::TooLarge, message)
}
