//! The statements on entries.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::error::SqliteError;
use super::lease;
use crate::entry::{duration_millis, to_millis};
use crate::{CLOCK_SKEW, Entry, Key, Namespace, Pattern};

/// Times and sizes are far below the bound of SQLite's signed numbers.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// The bytes of an entry. SQLite refuses a value beyond the bound before it loads it.
pub(super) fn get(
    connection: &Connection,
    line: &str,
    namespace: &Namespace,
    key: &Key,
) -> Result<Option<Vec<u8>>, SqliteError> {
    let mut get = connection
        .prepare_cached("SELECT data FROM entry WHERE line = ?1 AND namespace = ?2 AND key = ?3")?;
    let named = params![line, namespace.to_string(), key.as_str()];
    Ok(get.query_row(named, |row| row.get(0)).optional()?)
}

pub(super) fn put(
    work: &Transaction<'_>,
    line: &str,
    entry: &Entry,
    bytes: &[u8],
) -> Result<(), SqliteError> {
    let envelope = entry.envelope();
    let written_at = signed(to_millis(envelope.written_at));
    let kept = signed(duration_millis(envelope.ttl.keep_for));
    let mut put = work.prepare_cached(
        "INSERT INTO entry (line, namespace, key, written_at, expires_at, bytes, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (line, namespace, key) DO UPDATE SET written_at = excluded.written_at,
           expires_at = excluded.expires_at, bytes = excluded.bytes, data = excluded.data",
    )?;
    put.execute(params![
        line,
        envelope.namespace.to_string(),
        envelope.key.as_str(),
        written_at,
        written_at.saturating_add(kept),
        signed(bytes.len() as u64),
        bytes
    ])?;
    Ok(())
}

/// Visits the entries of a namespace, until `visit` returns false: key, size, and the first `head` bytes.
pub(super) fn scan(
    connection: &Connection,
    line: &str,
    namespace: &Namespace,
    head: usize,
    visit: &mut dyn FnMut(&str, u64, &[u8]) -> bool,
) -> Result<(), SqliteError> {
    let mut select = connection.prepare_cached(
        "SELECT key, bytes, substr(data, 1, ?3) FROM entry WHERE line = ?1 AND namespace = ?2",
    )?;
    let head = signed(head as u64);
    let mut rows = select.query(params![line, namespace.to_string(), head])?;
    while let Some(row) = rows.next()? {
        let (Ok(key), Ok(head)) = (row.get_ref(0)?.as_str(), row.get_ref(2)?.as_blob()) else {
            continue;
        };
        if !visit(key, unsigned(row.get(1)?), head) {
            break;
        }
    }
    Ok(())
}

/// Removes the entries that match, and refuses the later results of leases granted before; the number of
/// entries.
pub(super) fn remove(
    work: &Transaction<'_>,
    line: &str,
    namespace: &Namespace,
    pattern: &Pattern,
) -> Result<u64, SqliteError> {
    let namespace = namespace.to_string();
    let mut keys = Vec::new();
    match pattern.as_exact() {
        Some(key) => keys.push(key.to_string()),
        None => {
            let mut select = work.prepare_cached(
                "SELECT key FROM entry WHERE line = ?1 AND namespace = ?2
                 UNION SELECT key FROM lease WHERE line = ?1 AND namespace = ?2",
            )?;
            let mut rows = select.query(params![line, namespace])?;
            while let Some(row) = rows.next()? {
                let key = row.get_ref(0)?.as_str().unwrap_or_default();
                // A text that is no key is of no use either.
                if Key::parse(key).is_none_or(|key| pattern.matches(&key)) {
                    keys.push(key.to_owned());
                }
            }
        }
    }
    let mut delete =
        work.prepare_cached("DELETE FROM entry WHERE line = ?1 AND namespace = ?2 AND key = ?3")?;
    let mut removed = 0;
    for key in keys {
        removed += delete.execute(params![line, namespace, key])? as u64;
        lease::refuse(work, line, &namespace, &key)?;
    }
    Ok(removed)
}

/// The number of entries and their bytes.
pub(super) fn size(connection: &Connection) -> Result<(u64, u64), SqliteError> {
    let mut sum = connection
        .prepare_cached("SELECT count(*), total(bytes) FROM entry INDEXED BY entry_by_age")?;
    // `total` is a float: the sum of a damaged column may be beyond any number.
    Ok(sum.query_row((), |row| {
        Ok((unsigned(row.get(0)?), row.get::<_, f64>(1)? as u64))
    })?)
}

/// Removes the oldest entries until at most this many bytes are left; their number.
pub(super) fn evict(work: &Transaction<'_>, max_bytes: u64) -> Result<u64, SqliteError> {
    let mut evict = work.prepare_cached(
        "DELETE FROM entry WHERE rowid IN (
           SELECT id FROM (
             SELECT rowid AS id, total(bytes) OVER (ORDER BY written_at DESC, rowid DESC) AS sum
             FROM entry INDEXED BY entry_by_age)
           WHERE sum > ?1)",
    )?;
    Ok(evict.execute([signed(max_bytes)])? as u64)
}

/// Removes the expired entries of every version, by the rule of [`Envelope::is_expired`](crate::Envelope).
pub(super) fn remove_expired(work: &Transaction<'_>, now: i64) -> Result<u64, SqliteError> {
    let skew = signed(duration_millis(CLOCK_SKEW));
    let mut remove = work.prepare_cached(
        "DELETE FROM entry WHERE expires_at <= ?1
         OR (written_at - ?1 > ?2 AND written_at - ?1 >= expires_at - written_at)",
    )?;
    Ok(remove.execute(params![now, skew])? as u64)
}

/// Asks SQLite to check the whole file.
pub(super) fn check(work: &Transaction<'_>) -> Result<(), SqliteError> {
    let answer: String = work.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    match answer.as_str() {
        "ok" => Ok(()),
        _ => Err(SqliteError::Damaged(answer)),
    }
}

/// Writes the log into the file, and returns up to 16 MiB of free pages to the file system.
pub(super) fn shrink(connection: &Connection) -> Result<(), SqliteError> {
    for pragma in [
        "PRAGMA incremental_vacuum(4096)",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        let mut pragma = connection.prepare(pragma)?;
        let mut rows = pragma.query(())?;
        while rows.next()?.is_some() {}
    }
    Ok(())
}
