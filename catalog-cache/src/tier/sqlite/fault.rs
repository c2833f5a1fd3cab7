//! What SQLite answers when it does not do what it was asked, in the words of a tier. This file may
//! not know what was asked.

use rusqlite::{Error, ErrorCode};

use crate::tier::{TierError, TierErrorKind};

/// Why a piece of work on the file did not succeed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file itself is damaged: it is set aside and made anew.
    Damaged(String),
    /// Anything else.
    Tier(TierError),
}

impl From<TierError> for Fault {
    fn from(error: TierError) -> Self {
        Self::Tier(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged(error.to_string())
            }
            _ => Self::Tier(error_of(error)),
        }
    }
}

impl From<Fault> for TierError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Tier(error) => error,
            Fault::Damaged(how) => Self::new(
                TierErrorKind::Corrupt,
                format!("the file is damaged: {how}"),
            ),
        }
    }
}

fn error_of(error: Error) -> TierError {
    let (kind, message) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (TierErrorKind::Timeout, "another process holds the file")
        }
        Some(ErrorCode::OperationInterrupted) => (TierErrorKind::Timeout, "it took too long"),
        Some(ErrorCode::DiskFull) => (TierErrorKind::Full, "there is no room"),
        Some(ErrorCode::TooBig) => (TierErrorKind::TooLarge, "a value is beyond the bounds"),
        Some(
            ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::SystemIoFailure
            | ErrorCode::FileLockingProtocolFailed,
        ) => (TierErrorKind::Unavailable, "the file cannot be used"),
        // A row with something else in it than we write.
        None => (TierErrorKind::Corrupt, "a row is not what was expected"),
        Some(_) => (TierErrorKind::Other, "SQLite refused"),
    };
    TierError::new(kind, message).with_source(error)
}
