//! The statements. Each is prepared once per connection. This file may not know when they are run.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row as Line, Transaction, params};

use super::fault::Fault;
use super::signed;
use crate::entry::{duration_millis, from_millis, to_millis};
use crate::tier::{Listed, Size};
use crate::{CLOCK_SKEW, Codec, Envelope, Key, Namespace};

// Whether a value is beyond the bound is asked before it is loaded: SQLite gives up a statement that
// meets one.

/// How many rows a scan reads at once.
const PAGE: u32 = 256;
/// Of an entry, as many bytes as its envelope has at most.
const HEAD: u32 = 4096;
/// How many free pages go back to the file system at once: 16 MiB.
const FREE: u32 = 4096;

/// How many rows make room at once: a write waits for it.
pub(super) const AT_ONCE: u64 = 2048;

/// How often a row was read, and when last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Access {
    pub(super) count: i64,
    pub(super) last: i64,
}

/// A row as it is read.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: i64,
    pub(super) data: Vec<u8>,
}

/// What a row says beside the bytes.
#[derive(Debug)]
pub(super) struct Row<'a> {
    line: &'a str,
    namespace: String,
    key: &'a str,
    written_at: i64,
    expires_at: i64,
}

impl<'a> Row<'a> {
    pub(super) fn written_at(&self) -> i64 {
        self.written_at
    }

    pub(super) fn of(line: &'a str, envelope: &'a Envelope) -> Self {
        let written_at = signed(to_millis(envelope.written_at));
        Self {
            line,
            namespace: envelope.namespace.to_string(),
            key: envelope.key.as_str(),
            written_at,
            expires_at: written_at
                .saturating_add(signed(duration_millis(envelope.horizons.keep_for))),
        }
    }
}

pub(super) fn get(
    connection: &Connection,
    line: &str,
    namespace: &Namespace,
    key: &Key,
) -> Result<Option<Stored>, Fault> {
    let mut get = connection.prepare_cached(
        "SELECT id, data FROM entry JOIN value USING (id)
         WHERE line = ?1 AND namespace = ?2 AND key = ?3",
    )?;
    let stored = |row: &Line<'_>| {
        Ok(Stored {
            id: row.get(0)?,
            data: row.get(1)?,
        })
    };
    Ok(get
        .query_row(params![line, namespace.to_string(), key.as_str()], stored)
        .optional()?)
}

/// The bytes of the same entry, if it says that it was written after this. One that cannot be read is in
/// nobody's way.
pub(super) fn written_after(
    work: &Transaction<'_>,
    row: &Row<'_>,
    after: i64,
    max_len: usize,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut get = work.prepare_cached(
        "SELECT CASE WHEN length(data) <= ?5 THEN data END FROM entry JOIN value USING (id)
         WHERE line = ?1 AND namespace = ?2 AND key = ?3 AND written_at > ?4",
    )?;
    let longest = signed(max_len as u64);
    let named = params![row.line, row.namespace, row.key, after, longest];
    let bytes = |line: &Line<'_>| Ok(line.get_ref(0)?.as_blob().ok().map(<[u8]>::to_vec));
    Ok(get.query_row(named, bytes).optional()?.flatten())
}

pub(super) fn put(work: &Transaction<'_>, row: &Row<'_>, bytes: &[u8]) -> Result<(), Fault> {
    let mut entry = work.prepare_cached(
        "INSERT INTO entry (line, namespace, key, written_at, expires_at, bytes, accesses)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)
         ON CONFLICT (line, namespace, key) DO UPDATE SET written_at = excluded.written_at,
           expires_at = excluded.expires_at, bytes = excluded.bytes, accesses = 0, last_access = NULL
         RETURNING id",
    )?;
    let length = signed(bytes.len() as u64);
    let id: i64 = entry.query_row(
        params![
            row.line,
            row.namespace,
            row.key,
            row.written_at,
            row.expires_at,
            length
        ],
        |line| line.get(0),
    )?;
    let mut value = work.prepare_cached(
        "INSERT INTO value (id, data) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET data = excluded.data",
    )?;
    value.execute(params![id, bytes])?;
    Ok(())
}

pub(super) fn accessed(work: &Transaction<'_>, id: i64, access: Access) -> Result<(), Fault> {
    let mut count = work.prepare_cached(
        "UPDATE entry SET accesses = accesses + ?2, last_access = max(coalesce(last_access, 0), ?3)
         WHERE id = ?1",
    )?;
    count.execute(params![id, access.count, access.last])?;
    Ok(())
}

pub(super) fn remove(
    work: &Transaction<'_>,
    line: &str,
    namespace: &Namespace,
    key: &str,
) -> Result<u64, Fault> {
    let mut remove =
        work.prepare_cached("DELETE FROM entry WHERE line = ?1 AND namespace = ?2 AND key = ?3")?;
    Ok(remove.execute(params![line, namespace.to_string(), key])? as u64)
}

fn remove_ids(work: &Transaction<'_>, ids: &[i64]) -> Result<u64, Fault> {
    let mut remove = work.prepare_cached("DELETE FROM entry WHERE id = ?1")?;
    let mut removed = 0;
    for id in ids {
        removed += remove.execute([id])? as u64;
    }
    Ok(removed)
}

/// Keys are printing ASCII, so nothing that begins with the prefix is beyond this.
pub(super) fn range(prefix: &str) -> (&str, String) {
    (prefix, format!("{prefix}\u{7f}"))
}

/// A row of a scan.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) key: String,
    head: Vec<u8>,
    bytes: i64,
    accesses: i64,
    last_access: Option<i64>,
}

impl Seen {
    /// As a tier shows it; `None` where it cannot be read.
    pub(super) fn listed(
        self,
        codec: &Codec,
        namespace: &Namespace,
        path: &Path,
    ) -> Option<Listed> {
        let envelope = codec.peek(&self.head).ok()?;
        let is_ours = envelope.namespace == *namespace && envelope.key.as_str() == self.key;
        let time = |millis: i64| from_millis(u64::try_from(millis).ok()?);
        is_ours.then(|| Listed {
            envelope: Arc::new(envelope),
            bytes: u64::try_from(self.bytes).unwrap_or(0),
            path: Some(path.to_path_buf()),
            accesses: u64::try_from(self.accesses).ok(),
            last_access: self.last_access.and_then(time),
        })
    }
}

/// The rows after this key, in order.
pub(super) fn page(
    connection: &Connection,
    line: &str,
    namespace: &Namespace,
    prefix: &str,
    after: &str,
    max_len: usize,
) -> Result<Vec<Seen>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT key, CASE WHEN length(data) <= ?8 THEN substr(data, 1, ?6) ELSE x'' END, bytes, accesses, last_access
         FROM entry JOIN value USING (id)
         WHERE line = ?1 AND namespace = ?2 AND key > ?5
           AND ((key >= ?3 AND key < ?4) OR instr(key, '~') > 0)
         ORDER BY key LIMIT ?7",
    )?;
    let (from, to) = range(prefix);
    let named = params![
        line,
        namespace.to_string(),
        from,
        to,
        after,
        HEAD,
        PAGE,
        signed(max_len as u64)
    ];
    let seen = select.query_map(named, |row| {
        Ok(Seen {
            key: row.get(0)?,
            head: row.get(1)?,
            bytes: row.get(2)?,
            accesses: row.get(3)?,
            last_access: row.get(4)?,
        })
    })?;
    let seen: Vec<Seen> = seen.collect::<Result<_, _>>()?;
    // A damaged index may lead in a circle, and a scan that follows it never ends.
    let keys = std::iter::once(after).chain(seen.iter().map(|row| row.key.as_str()));
    if !keys.is_sorted_by(|one, next| one < next) {
        return Err(Fault::Damaged("its keys are out of order".to_owned()));
    }
    Ok(seen)
}

pub(super) fn size(connection: &Connection) -> Result<Size, Fault> {
    let mut sum = connection
        .prepare_cached("SELECT count(*), total(bytes) FROM entry INDEXED BY entry_by_age")?;
    Ok(sum.query_row((), |row| {
        Ok(Size {
            entries: u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0),
            // A float, because a hostile sum may be larger than a number.
            bytes: row.get::<_, f64>(1)? as u64,
        })
    })?)
}

/// Removes the longest unused counters that nobody holds a lease of, until so many are left, and at most
/// [`AT_ONCE`]; how many. A number whose counter is gone says nothing, and the clock has to do.
pub(super) fn forget_counters(work: &Transaction<'_>, most: u64, now: i64) -> Result<u64, Fault> {
    let mut count = work.prepare_cached("SELECT count(*) FROM lease")?;
    let there = u64::try_from(count.query_row((), |row| row.get::<_, i64>(0))?).unwrap_or(0);
    let excess = there.saturating_sub(most).min(AT_ONCE);
    if excess == 0 {
        return Ok(0);
    }
    let mut forget = work.prepare_cached(
        "DELETE FROM lease WHERE rowid IN
           (SELECT rowid FROM lease WHERE until <= ?1 ORDER BY rowid LIMIT ?2)",
    )?;
    Ok(forget.execute(params![now, signed(excess)])? as u64)
}

/// Removes the oldest until at most this many bytes are left, but never the newest, and at most
/// [`AT_ONCE`]; how many.
pub(super) fn evict(work: &Transaction<'_>, max_bytes: u64) -> Result<u64, Fault> {
    let size = size(work)?;
    let mut excess = size.bytes.saturating_sub(max_bytes);
    if excess == 0 {
        return Ok(0);
    }
    let mut oldest = work.prepare_cached(
        "SELECT id, bytes FROM entry INDEXED BY entry_by_age ORDER BY written_at LIMIT ?1",
    )?;
    let most = size.entries.saturating_sub(1).min(AT_ONCE);
    let mut rows = oldest.query([signed(most)])?;
    let mut ids = Vec::new();
    while excess > 0
        && let Some(row) = rows.next()?
    {
        ids.push(row.get(0)?);
        excess = excess.saturating_sub(u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0));
    }
    drop(rows);
    remove_ids(work, &ids)
}

/// Removes what has expired, of every version; the same rule as
/// [`Envelope::standing`](crate::Envelope::standing).
pub(super) fn remove_expired(work: &Transaction<'_>, now: i64) -> Result<u64, Fault> {
    let skew = signed(duration_millis(CLOCK_SKEW));
    let mut remove = work.prepare_cached(
        "DELETE FROM entry WHERE expires_at <= ?1
         OR (written_at - ?1 > ?2 AND written_at - ?1 >= expires_at - written_at)",
    )?;
    let removed = remove.execute(params![now, skew])? as u64;
    // Numbers have to grow for as long as somebody may hold the one before.
    let day = 86_400_000_i64;
    work.prepare_cached("DELETE FROM lease WHERE until + ?2 < ?1 AND drawn_at + ?2 < ?1")?
        .execute(params![now, day])?;
    Ok(removed)
}

/// Removes rows of our own version that no question will be answered with, or that say of themselves
/// what is not so; how many.
pub(super) fn remove_damaged(
    work: &Transaction<'_>,
    line: &str,
    codec: &Codec,
) -> Result<u64, Fault> {
    let mut select = work.prepare_cached(
        "SELECT entry.id, namespace, key, written_at, expires_at,
           CASE WHEN length(data) <= ?2 AND length(data) = bytes THEN data END
         FROM entry LEFT JOIN value USING (id) WHERE line = ?1",
    )?;
    let mut rows = select.query(params![line, signed(codec.max_len() as u64)])?;
    let mut ids: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        if !is_sound(row, line, codec).unwrap_or(false) {
            ids.push(row.get(0)?);
        }
    }
    drop(rows);
    remove_ids(work, &ids)
}

/// An error is something else than we write, in any column.
fn is_sound(row: &Line<'_>, line: &str, codec: &Codec) -> rusqlite::Result<bool> {
    let Some(data) = row.get::<_, Option<Vec<u8>>>(5)? else {
        return Ok(false);
    };
    let Ok(entry) = codec.decode_any(bytes::Bytes::from(data)) else {
        return Ok(false);
    };
    let told = Row::of(line, entry.envelope());
    Ok(row.get_ref(1)?.as_str()? == told.namespace
        && row.get_ref(2)?.as_str()? == told.key
        && row.get::<_, i64>(3)? == told.written_at
        && row.get::<_, i64>(4)? == told.expires_at)
}

/// Asks SQLite to look the file through.
pub(super) fn check(work: &Transaction<'_>) -> Result<(), Fault> {
    let answer: String = work.query_row("PRAGMA quick_check(1)", (), |row| row.get(0))?;
    match answer.as_str() {
        "ok" => Ok(()),
        _ => Err(Fault::Damaged(answer)),
    }
}

/// Gives free pages back, and writes the log into the file.
pub(super) fn tidy(connection: &Connection) -> Result<(), Fault> {
    let all = |_: &Line<'_>| Ok(());
    let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({FREE})"))?;
    vacuum.query_map((), all)?.collect::<Result<(), _>>()?;
    let mut checkpoint = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")?;
    checkpoint.query_map((), all)?.collect::<Result<(), _>>()?;
    Ok(())
}
