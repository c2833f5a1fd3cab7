//! SQLite's errors as errors of a tier.

use rusqlite::{Error, ErrorCode};

use crate::{TierError, TierErrorKind};

#[derive(Debug)]
pub(super) enum SqliteError {
    /// The file is damaged: it is set aside and made anew.
    Damaged(String),
    /// Any other failure.
    Tier(TierError),
}

impl From<TierError> for SqliteError {
    fn from(error: TierError) -> Self {
        Self::Tier(error)
    }
}

impl From<Error> for SqliteError {
    fn from(error: Error) -> Self {
        let (kind, message) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                return Self::Damaged(error.to_string());
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (TierErrorKind::Timeout, "another process holds the file")
            }
            Some(ErrorCode::OperationInterrupted) => (TierErrorKind::Timeout, "it took too long"),
            Some(ErrorCode::DiskFull) => (TierErrorKind::Full, "the disk is full"),
            Some(ErrorCode::TooBig) => (TierErrorKind::TooLarge, "a value is beyond the bounds"),
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::FileLockingProtocolFailed,
            ) => (TierErrorKind::Unavailable, "the file cannot be used"),
            // A column has another type than this tier writes.
            None => (TierErrorKind::Corrupt, "a row has unexpected content"),
            Some(_) => (TierErrorKind::Other, "SQLite refused"),
        };
        Self::Tier(TierError::new(kind, message).with_source(error))
    }
}

impl From<SqliteError> for TierError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Tier(error) => error,
            SqliteError::Damaged(why) => Self::new(
                TierErrorKind::Corrupt,
                format!("the file is damaged: {why}"),
            ),
        }
    }
}
