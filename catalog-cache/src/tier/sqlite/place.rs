//! Where the file lies: found, verified, opened and, when it is damaged, set aside. This file knows
//! nothing of the rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::fault::Fault;
use super::schema::{self, Content};
use crate::tier::disk::files::{Absent, Folder, Named};
use crate::tier::disk::lock::Lock;
use crate::tier::disk::{LOCK_WAIT, Locations, Reason};
use crate::tier::{TierError, TierErrorKind};

/// How many damaged files are kept beside the one in use.
pub(super) const KEPT: usize = 3;

/// The files SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Of this process, one at a time opens or replaces a file: making it opens and closes a handle, and
/// that gives back the locks which another thread's connection to the same file may have.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Where the file lies.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    folder: Locations,
    /// The longest value, in bytes.
    pub(super) max_len: usize,
}

/// An open file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) file: Named,
    /// How it is protected against interrupted writes, in SQLite's word: `wal` where the file system
    /// allows.
    pub(super) journal: String,
}

impl Place {
    pub(super) fn new(path: PathBuf, max_len: usize) -> Self {
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => Path::new("/"),
        };
        Self {
            folder: Locations::given([folder]),
            path,
            max_len,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn name(&self) -> Result<&str, TierError> {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.ok_or_else(|| TierError::new(TierErrorKind::Unavailable, "the path names no file"))
    }

    fn folder(&self, absent: Absent) -> Result<Option<Folder>, TierError> {
        match self.folder.list.first() {
            Some(location) => Ok(location.open(absent)?),
            None => Err(Reason::Empty.into()),
        }
    }

    /// What lies there now; nothing is opened or made.
    pub(super) fn file(&self) -> Result<Option<Named>, TierError> {
        match self.folder(Absent::Leave)? {
            Some(folder) => Ok(folder.named(self.name()?, Absent::Leave)?),
            None => Ok(None),
        }
    }

    /// Opens the file, made where it is missing and `absent` says so.
    pub(super) fn open(&self, absent: Absent, busy: Duration) -> Result<Option<Opened>, Fault> {
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.name()?;
        let Some(folder) = self.folder(absent)? else {
            return Ok(None);
        };
        let there = folder.named(name, Absent::Leave).map_err(TierError::from)?;
        if let Some(file) = &there
            && let Some(opened) = self.open_file(file, busy)?
        {
            return Ok(Some(opened));
        }
        if absent == Absent::Leave {
            return Ok(None);
        }
        // Of all processes, one makes the tables.
        let _lock = Lock::take(&folder, LOCK_WAIT.min(busy)).map_err(TierError::from)?;
        let file = folder.named(name, Absent::Make).map_err(TierError::from)?;
        let file = file.ok_or_else(|| TierError::from(Reason::Missing))?;
        if let Some(opened) = self.open_file(&file, busy)? {
            return Ok(Some(opened));
        }
        let mut connection = self.connect(&file, busy)?;
        // Before the first page is written.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        let journal = journal(&connection)?;
        schema::make(&mut connection)?;
        Ok(Some(Opened {
            connection,
            file,
            journal,
        }))
    }

    /// Opens a file that is there; `None` where there is nothing in it yet.
    fn open_file(&self, file: &Named, busy: Duration) -> Result<Option<Opened>, Fault> {
        let connection = self.connect(file, busy)?;
        match schema::look(&connection)? {
            Content::Nothing => Ok(None),
            Content::Ours => Ok(Some(Opened {
                journal: journal(&connection)?,
                connection,
                file: file.clone(),
            })),
        }
    }

    /// A connection that trusts nothing in the file.
    fn connect(&self, file: &Named, busy: Duration) -> Result<Connection, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(&file.path, flags)?;
        connection.busy_timeout(busy)?;
        for (setting, value) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            // Closing would remove the log by its name, which may be another file's by then.
            (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        ] {
            connection.set_db_config(setting, value)?;
        }
        // Room for the schema's own text beside a value.
        let longest = i32::try_from(self.max_len.saturating_add(64 << 10)).unwrap_or(i32::MAX);
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, longest)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cache_size", -2_000)?; // KiB
        connection.pragma_update(None, "journal_size_limit", 4 << 20)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        Ok(connection)
    }

    /// Gives a damaged file another name, so that a new one is made in its place. Does nothing where
    /// another process has done it already.
    pub(super) fn set_aside(&self, damaged: &Named, why: &str) -> Result<(), TierError> {
        let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let name = self.name()?;
        let Some(folder) = self.folder(Absent::Leave)? else {
            return Ok(());
        };
        let _lock = Lock::take(&folder, LOCK_WAIT)?;
        let there = folder.named(name, Absent::Leave)?;
        let Some(there) = there.filter(|there| there.identity == damaged.identity) else {
            return Ok(());
        };
        let aside = aside(&folder, &there.path, name)?;
        let failed = |source| {
            TierError::new(
                TierErrorKind::Unavailable,
                "the damaged file cannot be set aside",
            )
            .with_source(source)
        };
        fs::rename(&there.path, &aside).map_err(failed)?;
        for end in BESIDE {
            folder.remove(&format!("{name}{end}"))?;
        }
        tracing::warn!(
            path = %there.path.display(), set_aside = %aside.display(), error = why,
            "the cache file is damaged; it is set aside, and a new one is made"
        );
        Ok(())
    }
}

/// The name for the next damaged file: the first that is free, else that of the oldest.
fn aside(folder: &Folder, path: &Path, name: &str) -> Result<PathBuf, TierError> {
    let mut oldest = None;
    for number in 1..=KEPT {
        let name = format!("{name}.damaged-{number}");
        let Some(meta) = folder.meta(&name)? else {
            return Ok(path.with_file_name(name));
        };
        if oldest
            .as_ref()
            .is_none_or(|(than, _)| meta.modified < *than)
        {
            oldest = Some((meta.modified, name));
        }
    }
    Ok(path.with_file_name(oldest.map(|(_, name)| name).unwrap_or_default()))
}

/// Asks for a write-ahead log, with which readers and a writer do not wait for each other; what the
/// file has then.
fn journal(connection: &Connection) -> Result<String, Fault> {
    let word = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    let asked = connection.pragma_update_and_check(None, "journal_mode", "WAL", word);
    let journal = match asked.map_err(Fault::from) {
        Ok(journal) => journal,
        // A file or a folder that can only be read keeps what it has.
        Err(Fault::Tier(error)) if error.kind() == TierErrorKind::Unavailable => {
            connection.pragma_query_value(None, "journal_mode", word)?
        }
        Err(fault) => return Err(fault),
    };
    // With a log, nothing is damaged by a power cut, only the last writes are lost: it is a cache.
    let synchronous = if journal == "wal" { "NORMAL" } else { "FULL" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    Ok(journal)
}
