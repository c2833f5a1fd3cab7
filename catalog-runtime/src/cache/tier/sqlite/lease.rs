//! Leases: who computes a value, until when. A row; it runs out by itself, and its token grows from
//! lease to lease. This file may not know what is computed.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use rusqlite::{OptionalExtension, params};

use super::store::Store;
use super::{WORK, signed};
use crate::cache::CLOCK_SKEW;
use crate::cache::entry::{duration_millis, to_millis};
use crate::cache::tier::disk::files::Absent;
use crate::cache::tier::{Held, TierError};

/// Between two looks at a lease that another process has.
const POLL: Duration = Duration::from_millis(5);

/// What a lease is about: line, namespace and key.
pub(super) type Subject = [String; 3];

/// A lease.
#[derive(Debug)]
pub(super) struct Granted {
    store: Arc<Store>,
    subject: Subject,
    pub(super) token: u64,
}

/// Tries for `wait` to get the lease until `now + length`; `None` while another has it.
pub(super) fn take(
    store: &Arc<Store>,
    subject: Subject,
    wait: Duration,
    now: SystemTime,
    length: Duration,
) -> Result<Option<Granted>, TierError> {
    let start = Instant::now();
    loop {
        let token = claim(
            store,
            &subject,
            signed(to_millis(now)),
            signed(duration_millis(length)),
        )?;
        if let Some(token) = token {
            return Ok(Some(Granted {
                store: Arc::clone(store),
                subject,
                token,
            }));
        }
        if start.elapsed() + POLL > wait {
            return Ok(None);
        }
        std::thread::sleep(POLL);
    }
}

fn claim(
    store: &Store,
    [line, namespace, key]: &Subject,
    now: i64,
    length: i64,
) -> Result<Option<u64>, TierError> {
    // Who sees it held needs no lock to go on waiting: a crowd would keep the holder from it.
    let held = "SELECT 1 FROM lease WHERE line = ?1 AND namespace = ?2 AND key = ?3
        AND until > ?4 AND granted_at <= ?4 + ?5";
    let skew = signed(duration_millis(CLOCK_SKEW));
    let is_held = |connection: &rusqlite::Connection| {
        let mut held = connection.prepare_cached(held)?;
        held.exists(params![line, namespace, key, now, skew])
    };
    if store.with(Absent::Make, WORK, |connection| Ok(is_held(connection)?))? == Some(true) {
        return Ok(None);
    }
    let token = store.write(Absent::Make, WORK, |work| {
        if is_held(work)? {
            return Ok(None);
        }
        // The time keeps it growing where the last lease is forgotten.
        let mut grant = work.prepare_cached(
            "INSERT INTO lease (line, namespace, key, token, granted_at, until)
             VALUES (?1, ?2, ?3, ?4, ?4, ?4 + ?5)
             ON CONFLICT DO UPDATE SET token = max(token + 1, excluded.token),
               granted_at = excluded.granted_at, until = excluded.until
             RETURNING token",
        )?;
        let token = grant
            .query_row(params![line, namespace, key, now, length], |row| {
                row.get::<_, i64>(0)
            })
            .optional()?;
        Ok(token)
    })?;
    Ok(token.flatten().map(i64::unsigned_abs))
}

impl Held for Granted {
    fn give_back(self: Box<Self>) -> Result<(), TierError> {
        let [line, namespace, key] = &self.subject;
        self.store
            .write(Absent::Leave, WORK, |work| {
                // It may have run out and be another's by now. The row stays: its token has to grow.
                let mut give = work.prepare_cached(
                    "UPDATE lease SET until = 0
                 WHERE line = ?1 AND namespace = ?2 AND key = ?3 AND token = ?4",
                )?;
                Ok(give.execute(params![line, namespace, key, signed(self.token)])?)
            })
            .map(drop)
    }
}
