//! The one connection of this process, handed to one thread at a time and for a bounded while. This
//! file may not know what the rows mean.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::fault::Fault;
use super::lease::Keeper;
use super::place::{Opened, Place};
use super::schema::FORMAT;
use crate::tier::disk::files::Absent;
use crate::tier::{Health, TierError, TierErrorKind};

/// How many steps of SQLite's machine go by between two looks at the time.
const STEPS: i32 = 1_000;

/// The file, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Store {
    place: Place,
    /// The longest wait for other processes, and for this process's other threads.
    busy: Duration,
    gate: Gate,
    /// When the work at hand has to stop, in nanoseconds since `origin`.
    stop: Arc<AtomicU64>,
    origin: Instant,
    pub(super) keeper: Arc<Keeper>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.keeper.end();
    }
}

impl Store {
    pub(super) fn new(place: Place, busy: Duration) -> Self {
        Self {
            place,
            busy,
            gate: Gate::default(),
            stop: Arc::default(),
            origin: Instant::now(),
            keeper: Arc::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.place.path()
    }

    /// Does work on the connection, which it may keep busy for `most` beyond the waiting. `None`
    /// where there is no file and `absent` says so. A damaged file is set aside, and the work done
    /// once more on a new one.
    pub(super) fn with<R>(
        &self,
        absent: Absent,
        most: Duration,
        mut work: impl FnMut(&mut Connection) -> Result<R, Fault>,
    ) -> Result<Option<R>, TierError> {
        let start = Instant::now();
        let mut turn = self.gate.enter(self.busy)?;
        let left = self.busy.saturating_sub(start.elapsed()).max(MIN_WAIT);
        self.stop_after(left + most);
        for _ in 0..2 {
            let done = self
                .ready(&mut turn.session, absent, left)
                .and_then(|session| {
                    let Some(session) = session else {
                        return Ok(None);
                    };
                    session.opened.connection.busy_timeout(left)?;
                    work(&mut session.opened.connection).map(Some)
                });
            match done {
                Ok(done) => return Ok(done),
                Err(Fault::Tier(error)) => return Err(error.at(self.path())),
                Err(Fault::Damaged(why)) => self.set_aside(&mut turn.session, &why)?,
            }
        }
        let again = Fault::Damaged("also the new one".to_owned());
        Err(TierError::from(again).at(self.path()))
    }

    /// The same in a transaction that writes.
    pub(super) fn write<R>(
        &self,
        absent: Absent,
        most: Duration,
        mut work: impl FnMut(&Transaction<'_>) -> Result<R, Fault>,
    ) -> Result<Option<R>, TierError> {
        self.with(absent, most, |connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }

    /// The same where it can be done at once, and not otherwise.
    pub(super) fn write_at_once(&self, work: impl FnOnce(&Transaction<'_>) -> Result<(), Fault>) {
        let Ok(mut turn) = self.gate.enter(Duration::ZERO) else {
            return;
        };
        let Some(session) = turn
            .session
            .as_mut()
            .filter(|session| session.is_of_this_process())
        else {
            return;
        };
        self.stop_after(MIN_WAIT);
        let connection = &mut session.opened.connection;
        let done = connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| connection.transaction_with_behavior(TransactionBehavior::Immediate))
            .map_err(Fault::from)
            .and_then(|transaction| {
                work(&transaction)?;
                Ok(transaction.commit()?)
            });
        if let Err(fault) = done {
            tracing::debug!(path = %self.path().display(), ?fault, "left out");
        }
    }

    /// The open file, which is still the one of this name.
    fn ready<'s>(
        &self,
        session: &'s mut Option<Session>,
        absent: Absent,
        busy: Duration,
    ) -> Result<Option<&'s mut Session>, Fault> {
        if let Some(open) = session.as_ref() {
            if !open.is_of_this_process() {
                return Err(forked().into());
            }
            let there = self.place.file()?;
            if there.is_none_or(|there| there.identity != open.opened.file.identity) {
                *session = None;
            }
        }
        if session.is_none() {
            *session = self
                .place
                .open(absent, busy)?
                .map(|opened| self.start(opened))
                .transpose()?;
        }
        Ok(session.as_mut())
    }

    /// Bounds the time of everything that is done on the connection.
    fn start(&self, mut opened: Opened) -> Result<Session, Fault> {
        let (stop, origin) = (Arc::clone(&self.stop), self.origin);
        let is_over = move || nanos(origin.elapsed()) > stop.load(Ordering::Relaxed);
        opened.connection.progress_handler(STEPS, Some(is_over))?;
        Ok(Session {
            opened,
            process: std::process::id(),
        })
    }

    fn stop_after(&self, time: Duration) {
        let stop = nanos(self.origin.elapsed().saturating_add(time));
        self.stop.store(stop, Ordering::Relaxed);
    }

    fn set_aside(&self, session: &mut Option<Session>, why: &str) -> Result<(), TierError> {
        let damaged = match session.take() {
            Some(session) => Some(session.opened.file.clone()),
            None => self.place.file()?,
        };
        damaged.map_or(Ok(()), |damaged| self.place.set_aside(&damaged, why))
    }

    /// Whether the file can be used, and how.
    pub(super) fn health(&self) -> Health {
        let path = self.path().display().to_string();
        let asked = self.gate.enter(self.busy).and_then(|mut turn| {
            self.stop_after(self.busy + MIN_WAIT);
            let session = self.ready(&mut turn.session, Absent::Leave, self.busy)?;
            let Some(session) = session else {
                return Ok("not yet made".to_owned());
            };
            let connection = &session.opened.connection;
            connection
                .query_row("SELECT count(*) FROM lease", (), |_| Ok(()))
                .map_err(Fault::from)?;
            let how = match session.opened.journal.as_str() {
                "wal" => "write-ahead log",
                _ => "rollback journal: readers wait for a writer here",
            };
            if connection.is_readonly("main").map_err(Fault::from)? {
                return Err(TierError::new(
                    TierErrorKind::Unavailable,
                    format!("read only, format {FORMAT}, {how}"),
                ));
            }
            Ok(format!("usable, format {FORMAT}, {how}"))
        });
        let (ok, what) = match asked {
            Ok(what) => (true, what),
            Err(error) => (false, format!("not used: {error}")),
        };
        Health {
            ok,
            message: format!("{path}: {what}"),
        }
    }
}

/// What is left for SQLite where the wait for the connection took all the time.
const MIN_WAIT: Duration = Duration::from_millis(10);

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn forked() -> TierError {
    TierError::new(
        TierErrorKind::Unavailable,
        "this process is a fork of the one that opened the file, and SQLite forbids to go on with it",
    )
}

/// An open file, in the process that opened it.
#[derive(Debug)]
struct Session {
    opened: Opened,
    process: u32,
}

impl Session {
    fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }
}

/// One at a time, and who does not come through within the wait is told so: a plain lock would make
/// the last of a crowd wait as many times as there are others.
#[derive(Debug, Default)]
struct Gate {
    /// `None` while somebody is inside.
    inside: Mutex<Room>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct Room {
    is_taken: bool,
    session: Option<Session>,
}

impl Drop for Room {
    fn drop(&mut self) {
        // A fork leaves it open: closing would meddle with the locks of the other.
        if let Some(session) = self.session.take()
            && !session.is_of_this_process()
        {
            std::mem::forget(session);
        }
    }
}

impl Gate {
    fn enter(&self, wait: Duration) -> Result<Turn<'_>, TierError> {
        let room = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .left
            .wait_timeout_while(room, wait, |room| room.is_taken);
        let (mut room, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if room.is_taken {
            return Err(TierError::new(
                TierErrorKind::Timeout,
                "other threads hold the file",
            ));
        }
        room.is_taken = true;
        Ok(Turn {
            session: room.session.take(),
            gate: self,
        })
    }
}

/// The connection, until this is dropped.
#[derive(Debug)]
struct Turn<'g> {
    session: Option<Session>,
    gate: &'g Gate,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut room = self
            .gate
            .inside
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        room.session = self.session.take();
        room.is_taken = false;
        drop(room);
        self.gate.left.notify_one();
    }
}
