//! The statements on leases. A lease lasts for a fixed time. Its token grows with each lease of the key, so
//! that a write of an earlier holder is refused.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::SqliteError;
use super::rows::signed;
use crate::CLOCK_SKEW;
use crate::entry::duration_millis;

/// The time after its end at which a lease is forgotten, in milliseconds. No holder computes for longer.
const FORGOTTEN_AFTER: i64 = 3_600_000;
/// The number of leases that are remembered after their end.
const REMEMBERED: i64 = 16_384;

/// The row of a lease: line, namespace and key.
pub(super) type LeaseId = [String; 3];

/// Whether another process holds the lease. A lease from too far in the future is void, so that no clock
/// makes one last.
pub(super) fn is_held(
    connection: &Connection,
    [line, namespace, key]: &LeaseId,
    now: i64,
) -> Result<bool, SqliteError> {
    let mut held = connection.prepare_cached(
        "SELECT 1 FROM lease WHERE line = ?1 AND namespace = ?2 AND key = ?3
           AND until > ?4 AND granted_at <= ?4 + ?5",
    )?;
    let skew = signed(duration_millis(CLOCK_SKEW));
    Ok(held.exists(params![line, namespace, key, now, skew])?)
}

/// Grants the lease until `until`; its token. A token is at least the time, so that it grows also where
/// the row was forgotten.
pub(super) fn grant(
    work: &Transaction<'_>,
    [line, namespace, key]: &LeaseId,
    now: i64,
    until: i64,
) -> Result<u64, SqliteError> {
    let mut grant = work.prepare_cached(
        "INSERT INTO lease (line, namespace, key, token, stored, granted_at, until)
         VALUES (?1, ?2, ?3, ?4, 0, ?4, ?5)
         ON CONFLICT DO UPDATE SET token = max(token + 1, excluded.token),
           granted_at = excluded.granted_at, until = excluded.until
         RETURNING token",
    )?;
    let token: i64 =
        grant.query_row(params![line, namespace, key, now, until], |row| row.get(0))?;
    Ok(token.unsigned_abs())
}

/// Ends the lease, unless it has expired and is another holder's by now. The row keeps its token.
pub(super) fn release(
    work: &Transaction<'_>,
    [line, namespace, key]: &LeaseId,
    token: u64,
) -> Result<(), SqliteError> {
    let mut release = work.prepare_cached(
        "UPDATE lease SET until = 0 WHERE line = ?1 AND namespace = ?2 AND key = ?3 AND token = ?4",
    )?;
    release.execute(params![line, namespace, key, signed(token)])?;
    Ok(())
}

/// Refuses the results of all holders so far: the key was removed.
pub(super) fn refuse(
    work: &Transaction<'_>,
    line: &str,
    namespace: &str,
    key: &str,
) -> Result<(), SqliteError> {
    let mut refuse = work.prepare_cached(
        "UPDATE lease SET stored = token + 1 WHERE line = ?1 AND namespace = ?2 AND key = ?3",
    )?;
    refuse.execute(params![line, namespace, key])?;
    Ok(())
}

/// Accepts the result of the holder of this token, and from then on of no earlier one; whether it does.
pub(super) fn accept(
    work: &Transaction<'_>,
    [line, namespace, key]: &LeaseId,
    token: u64,
) -> Result<bool, SqliteError> {
    let mut stored = work.prepare_cached(
        "SELECT stored FROM lease WHERE line = ?1 AND namespace = ?2 AND key = ?3",
    )?;
    let stored: Option<i64> = stored
        .query_row(params![line, namespace, key], |row| row.get(0))
        .optional()?;
    if stored.is_some_and(|stored| signed(token) < stored) {
        return Ok(false);
    }
    let mut accept = work.prepare_cached(
        "UPDATE lease SET stored = ?4 WHERE line = ?1 AND namespace = ?2 AND key = ?3",
    )?;
    accept.execute(params![line, namespace, key, signed(token)])?;
    Ok(true)
}

/// Removes the leases that ended long ago, and beyond [`REMEMBERED`] those that ended first.
pub(super) fn forget(work: &Transaction<'_>, now: i64) -> Result<(), SqliteError> {
    let mut forget = work.prepare_cached(
        "DELETE FROM lease WHERE max(until, granted_at) + ?2 <= ?1 OR rowid IN
           (SELECT rowid FROM lease WHERE until <= ?1 ORDER BY granted_at DESC LIMIT -1 OFFSET ?3)",
    )?;
    forget.execute(params![now, FORGOTTEN_AFTER, REMEMBERED])?;
    Ok(())
}
