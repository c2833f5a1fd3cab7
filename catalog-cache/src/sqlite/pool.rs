//! The idle connections to the file, and the time that one call may take on one of them.

use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::database::{Database, is_current};
use super::error::SqliteError;
use crate::files::folder::{IfMissing, VerifiedFile};
use crate::sync::lock;
use crate::{Deadline, TierError, TierErrorKind};

/// The longest wait for other processes.
pub(super) const BUSY_WAIT: Duration = Duration::from_millis(200);
/// The longest time of a call that reads or writes one entry.
pub(super) const SHORT: Duration = Duration::from_millis(450);
/// The longest time of a call that visits all entries.
pub(super) const LONG: Duration = Duration::from_secs(10);

/// The number of SQLite's instructions between two looks at the clock.
const PROGRESS_INTERVAL: i32 = 1_000;
/// The number of idle connections that are kept.
const IDLE: usize = 4;

#[derive(Debug)]
pub(super) struct Pool {
    pub(super) database: Database,
    idle: Mutex<Vec<(Connection, VerifiedFile)>>,
    /// The process that opened the first connection.
    process: OnceLock<u32>,
}

impl Pool {
    pub(super) fn new(database: Database) -> Self {
        Self {
            database,
            idle: Mutex::default(),
            process: OnceLock::new(),
        }
    }

    /// Does work on a connection, for at most `limit`. `None` if there is no file and none is to be
    /// created. A damaged file is set aside, and the work is repeated once on a new one.
    pub(super) fn with<R>(
        &self,
        if_missing: IfMissing,
        deadline: Deadline,
        limit: Duration,
        mut work: impl FnMut(&mut Connection) -> Result<R, SqliteError>,
    ) -> Result<Option<R>, TierError> {
        let at = |error: TierError| error.at(&self.database.path);
        let wait = Deadline::after(deadline.at_most(BUSY_WAIT));
        let end = Instant::now() + deadline.at_most(limit);
        for _ in 0..2 {
            let session = match self.session(if_missing, wait) {
                Err(SqliteError::Damaged(why)) => {
                    self.set_aside(None, &why).map_err(at)?;
                    continue;
                }
                session => session.map_err(TierError::from).map_err(at)?,
            };
            let Some((mut connection, file)) = session else {
                return Ok(None);
            };
            let left = wait.remaining().unwrap_or(BUSY_WAIT).max(MIN_WAIT);
            let done = connection
                .busy_timeout(left)
                .and_then(|()| {
                    connection
                        .progress_handler(PROGRESS_INTERVAL, Some(move || Instant::now() >= end))
                })
                .map_err(SqliteError::from)
                .and_then(|()| work(&mut connection));
            match done {
                Err(SqliteError::Damaged(why)) => {
                    drop(connection);
                    self.set_aside(Some(&file), &why).map_err(at)?;
                }
                done => {
                    let mut idle = lock(&self.idle);
                    if idle.len() < IDLE {
                        idle.push((connection, file));
                    }
                    drop(idle);
                    return done.map(Some).map_err(TierError::from).map_err(at);
                }
            }
        }
        let again = SqliteError::Damaged("the new file too".to_owned());
        Err(at(again.into()))
    }

    /// The same in a transaction that writes.
    pub(super) fn write<R>(
        &self,
        if_missing: IfMissing,
        deadline: Deadline,
        limit: Duration,
        mut work: impl FnMut(&Transaction<'_>) -> Result<R, SqliteError>,
    ) -> Result<Option<R>, TierError> {
        self.with(if_missing, deadline, limit, |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// An idle connection to the file that the path leads to now, or a new one.
    fn session(
        &self,
        if_missing: IfMissing,
        wait: Deadline,
    ) -> Result<Option<(Connection, VerifiedFile)>, SqliteError> {
        let process = std::process::id();
        if self.process.get().is_some_and(|first| *first != process) {
            // In a fork, SQLite's state claims the locks of the parent.
            return Err(TierError::new(
                TierErrorKind::Unavailable,
                "this process is a fork of the one that opened the file",
            )
            .into());
        }
        let mut idle = lock(&self.idle);
        idle.retain(|(_, file)| is_current(file));
        if let Some(session) = idle.pop() {
            return Ok(Some(session));
        }
        drop(idle);
        self.process.get_or_init(|| process);
        self.database.open(if_missing, wait)
    }

    fn set_aside(&self, damaged: Option<&VerifiedFile>, why: &str) -> Result<(), TierError> {
        lock(&self.idle).clear();
        match damaged {
            Some(damaged) => self.database.set_aside(damaged, why),
            None => match self.database.file()? {
                Some(damaged) => self.database.set_aside(&damaged, why),
                None => Ok(()),
            },
        }
    }
}

/// The wait for other processes when opening the file took all of it.
const MIN_WAIT: Duration = Duration::from_millis(10);
