//! The database file: verified, opened, created, and renamed if it is damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::error::SqliteError;
use crate::files::LOCK_WAIT;
use crate::files::error;
use crate::files::folder::{Folder, IfMissing, TrustCheck, VerifiedFile};
use crate::files::location::Location;
use crate::files::lock::Lock;
use crate::sync::lock;
use crate::{Deadline, TierError, TierErrorKind};

/// The application id `bcat`: it distinguishes this tier's files from those of other programs.
const APPLICATION: i32 = 0x6263_6174;

/// The format of the tables, SQLite's `user_version`. The codec's format is part of every entry.
pub(super) const FORMAT: i32 = 1;

/// The schema, as SQLite stores it, sorted by name.
///
/// `line` is the `MAJOR.MINOR` that wrote a row: versions share the file and never a row. Times are
/// milliseconds since 1970. Of a lease, `stored` is the oldest token whose result is still accepted.
const SCHEMA: [&str; 3] = [
    "CREATE TABLE entry (
  line TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  written_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (line, namespace, key)
) STRICT",
    "CREATE INDEX entry_by_age ON entry (written_at, bytes)",
    "CREATE TABLE lease (
  line TEXT NOT NULL,
  namespace TEXT NOT NULL,
  key TEXT NOT NULL,
  token INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  granted_at INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (line, namespace, key)
) STRICT",
];

/// The files that SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// One thread of the process opens or creates a file at a time: closing the handle that created it
/// releases the locks of another thread's connection to it.
static OPENING: Mutex<()> = Mutex::new(());

#[derive(Debug)]
pub(super) struct Database {
    pub(super) path: PathBuf,
    folder: Option<Location>,
    /// The longest value, in bytes.
    max_len: usize,
}

impl Database {
    pub(super) fn new(path: PathBuf, check: TrustCheck, max_len: usize) -> Self {
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => Path::new("/"),
        };
        Self {
            folder: Location::given(&[folder], check).pop(),
            path,
            max_len,
        }
    }

    fn name(&self) -> Result<&str, TierError> {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.ok_or_else(|| error::refused("the path names no file"))
    }

    fn folder(&self, if_missing: IfMissing) -> Result<Option<Folder>, TierError> {
        match &self.folder {
            Some(folder) => folder.open(if_missing),
            None => Err(error::refused("the path names no usable folder")),
        }
    }

    /// The verified file, if it exists.
    pub(super) fn file(&self) -> Result<Option<VerifiedFile>, TierError> {
        match self.folder(IfMissing::Leave)? {
            Some(folder) => folder.verified_file(self.name()?, IfMissing::Leave),
            None => Ok(None),
        }
    }

    /// Opens the file, and creates it with its tables on request. `wait` bounds the wait for other
    /// processes.
    pub(super) fn open(
        &self,
        if_missing: IfMissing,
        wait: Deadline,
    ) -> Result<Option<(Connection, VerifiedFile)>, SqliteError> {
        let _one = lock(&OPENING);
        let Some(folder) = self.folder(if_missing)? else {
            return Ok(None);
        };
        let Some(file) = folder.verified_file(self.name()?, if_missing)? else {
            return Ok(None);
        };
        let mut connection = self.connect(&file.path, wait)?;
        if is_empty(&connection)? {
            if if_missing == IfMissing::Leave {
                return Ok(None);
            }
            // Before the first page is written.
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
            set_journal(&connection)?;
            create_tables(&mut connection)?;
        } else {
            set_journal(&connection)?;
        }
        Ok(Some((connection, file)))
    }

    /// A connection that does not trust the file's content.
    fn connect(&self, path: &Path, wait: Deadline) -> Result<Connection, SqliteError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(wait.remaining().unwrap_or(LOCK_WAIT))?;
        for (setting, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            // Closing removes the log by its name, which may be another file's by then.
            (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        ] {
            connection.set_db_config(setting, value)?;
        }
        // With room for the schema's text.
        let longest = i32::try_from(self.max_len.saturating_add(64 << 10)).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        Ok(connection)
    }

    /// Renames a damaged file to `NAME.damaged`, so that a new one is created. Does nothing if another
    /// process has done it already.
    pub(super) fn set_aside(&self, damaged: &VerifiedFile, why: &str) -> Result<(), TierError> {
        let _one = lock(&OPENING);
        let name = self.name()?;
        let Some(folder) = self.folder(IfMissing::Leave)? else {
            return Ok(());
        };
        let _lock = Lock::acquire(&folder, Deadline::after(LOCK_WAIT))?;
        if folder.verified_file(name, IfMissing::Leave)?.as_ref() != Some(damaged) {
            return Ok(());
        }
        // First, so that a new file never meets the log of the old one.
        for end in BESIDE {
            folder.remove(&format!("{name}{end}"))?;
        }
        let aside = damaged.path.with_file_name(format!("{name}.damaged"));
        fs::rename(&damaged.path, &aside).map_err(error::io("renaming"))?;
        tracing::warn!(
            path = %damaged.path.display(), set_aside = %aside.display(), error = why,
            "the cache file is damaged; it is renamed, and a new one is created"
        );
        Ok(())
    }
}

/// Whether the file has no tables yet.
///
/// Another program's file and one of a newer format are errors and stay as they are. A file with this
/// tier's application id and other tables, or an older format, is damaged.
fn is_empty(connection: &Connection) -> Result<bool, SqliteError> {
    // One snapshot: another process may be creating the tables.
    let snapshot = connection.unchecked_transaction()?;
    let number = |name| snapshot.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, format) = (number("application_id")?, number("user_version")?);
    let mut tables = snapshot.prepare("SELECT sql FROM sqlite_schema ORDER BY name LIMIT 32")?;
    let text = |row: &rusqlite::Row<'_>| {
        Ok(match row.get_ref(0)? {
            // An index that SQLite made for a key.
            ValueRef::Null => None,
            ValueRef::Text(sql) => Some(sql.to_vec()),
            _ => Some(Vec::new()),
        })
    };
    let tables: Vec<Option<Vec<u8>>> = tables.query_map((), text)?.collect::<Result<_, _>>()?;
    let is_ours = || {
        let ours = SCHEMA.iter().map(|sql| sql.as_bytes());
        tables.iter().flatten().map(Vec::as_slice).eq(ours)
    };
    match (application, format) {
        (0, 0) if tables.is_empty() => Ok(true),
        (APPLICATION, newer) if newer > FORMAT => Err(TierError::new(
            TierErrorKind::Unavailable,
            format!("the file has format {newer}, newer than {FORMAT}"),
        )
        .into()),
        (APPLICATION, FORMAT) if is_ours() => Ok(false),
        (APPLICATION, _) => Err(SqliteError::Damaged("its tables differ".to_owned())),
        _ => Err(TierError::new(
            TierErrorKind::Unsafe,
            "the file is another program's database; it is left as it is",
        )
        .into()),
    }
}

/// Creates the tables, unless another process has done it already.
fn create_tables(connection: &mut Connection) -> Result<(), SqliteError> {
    let work = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 = work.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))?;
    if tables == 0 {
        for statement in SCHEMA {
            work.execute(statement, ())?;
        }
        work.pragma_update(None, "application_id", APPLICATION)?;
        work.pragma_update(None, "user_version", FORMAT)?;
    }
    Ok(work.commit()?)
}

/// Asks for a write-ahead log, with which readers and a writer do not wait for each other.
fn set_journal(connection: &Connection) -> Result<(), SqliteError> {
    let word = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let set = connection.pragma_update_and_check(None, "journal_mode", "WAL", word);
    let journal = match set.map_err(SqliteError::from) {
        // A read-only file keeps the journal it has.
        Err(SqliteError::Tier(error)) if error.kind() == TierErrorKind::Unavailable => {
            connection.pragma_query_value(None, "journal_mode", word)?
        }
        journal => journal?,
    };
    // With a log, a power cut loses the last writes and damages nothing, which is enough for a cache.
    let synchronous = if journal == "wal" { "NORMAL" } else { "FULL" };
    Ok(connection.pragma_update(None, "synchronous", synchronous)?)
}

/// Whether the path still leads to this file.
#[cfg(unix)]
pub(super) fn is_current(file: &VerifiedFile) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(&file.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == file.identity)
}

#[cfg(not(unix))]
pub(super) fn is_current(file: &VerifiedFile) -> bool {
    fs::symlink_metadata(&file.path).is_ok_and(|meta| meta.is_file())
}
