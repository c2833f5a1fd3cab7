//! What the file contains: our tables and nothing else. A file is ours by its application id; its
//! format is SQLite's `user_version`. This file may not know where the file lies.

use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, TransactionBehavior};

use super::fault::Fault;
use crate::tier::{TierError, TierErrorKind};

/// `bcat`: tells our files from every other program's.
const APPLICATION: i32 = 0x6263_6174;

/// The format of the tables. The codec's own stands in every entry.
pub(super) const FORMAT: i32 = 2;

/// `line` is the `MAJOR.MINOR` of the package that wrote the row: versions share the file and never a
/// row. The bytes have a table of their own, so that counting a read does not write them again.
/// Times are milliseconds since 1970.
///
/// A lease is also the counter of its key: `last` is the last number drawn, `floor` the one below which
/// nothing is stored any more, `holder` that of who has the lease, or 0.
const TABLES: &str = "
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  line TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  accesses INTEGER NOT NULL,
  last_access INTEGER,
  UNIQUE (line, namespace, key)
) STRICT;
CREATE INDEX entry_by_age ON entry (written_at, bytes);
CREATE TABLE value (
  id INTEGER PRIMARY KEY REFERENCES entry (id) ON DELETE CASCADE,
  data BLOB NOT NULL
) STRICT;
CREATE TABLE lease (
  line TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  last INTEGER NOT NULL,
  floor INTEGER NOT NULL,
  drawn_at INTEGER NOT NULL,
  holder INTEGER NOT NULL,
  granted_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (line, namespace, key)
) STRICT;
";

/// What a file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Our tables.
    Ours,
    /// Nothing yet.
    Nothing,
}

/// Looks at a file that was just opened.
///
/// Another program's file, and one of a newer format, is an error and stays as it is. One that calls
/// itself ours and has other tables, or an older format, is damaged.
pub(super) fn look(connection: &Connection) -> Result<Content, Fault> {
    // One view of the file: another process may be making the tables at this moment.
    let connection = &*connection.unchecked_transaction()?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, format) = (number("application_id")?, number("user_version")?);
    if application != APPLICATION && (application, format) != (0, 0) {
        return Err(foreign().into());
    }
    if application == APPLICATION && format > FORMAT {
        let message =
            format!("the file has format {format}, newer than {FORMAT}, which this version reads");
        return Err(TierError::new(TierErrorKind::Unavailable, message).into());
    }
    if application == APPLICATION && format < FORMAT {
        return Err(Fault::Damaged(format!("it has the older format {format}")));
    }
    let there = parts(connection)?;
    match application {
        APPLICATION if there == parts(&model()?)? => Ok(Content::Ours),
        APPLICATION => Err(Fault::Damaged("its tables are not ours".to_owned())),
        _ if there.is_empty() => Ok(Content::Nothing),
        _ => Err(foreign().into()),
    }
}

/// Makes our tables in an empty file, all or nothing.
pub(super) fn make(connection: &mut Connection) -> Result<(), Fault> {
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    work.execute_batch(TABLES)?;
    work.pragma_update(None, "application_id", APPLICATION)?;
    work.pragma_update(None, "user_version", FORMAT)?;
    Ok(work.commit()?)
}

/// Our tables in a file that is nowhere, to compare with.
fn model() -> Result<Connection, Fault> {
    let mut model = Connection::open_in_memory()?;
    make(&mut model)?;
    Ok(model)
}

/// A word of a schema: bytes, because a damaged one need not be text.
type Part = (Type, Vec<u8>);

/// What a schema consists of, to the letter, whatever stands where text should; of a large one, the
/// beginning.
fn parts(connection: &Connection) -> Result<Vec<[Part; 4]>, Fault> {
    let mut rows = connection.prepare(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name LIMIT 32",
    )?;
    let part = |value: ValueRef<'_>| {
        let bytes = value.as_bytes().map(<[u8]>::to_vec);
        (value.data_type(), bytes.unwrap_or_default())
    };
    let parts = rows.query_map((), |row| {
        let of = |index| row.get_ref(index).map(part);
        Ok([of(0)?, of(1)?, of(2)?, of(3)?])
    })?;
    Ok(parts.collect::<Result<_, _>>()?)
}

fn foreign() -> TierError {
    TierError::new(
        TierErrorKind::Unsafe,
        "the file is another program's database; it is left as it is",
    )
}
