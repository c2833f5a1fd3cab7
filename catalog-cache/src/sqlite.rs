//! The SQLite tier: one file that the processes of a machine share.
//!
//! - **The file** is created with mode 0600 by the first write, in a folder that is verified as the file
//!   tier verifies its own. It has to be on a local disk: SQLite's locks do not hold over a network.
//! - **Waiting** for other processes takes at most 200 ms, and a call on one entry at most 450 ms. Then it
//!   fails, and the cache goes on without this tier.
//! - **Writes** are transactions: a killed process leaves the old entry or the new one. The entry that was
//!   written later stays.
//! - **A lease** lasts for a fixed time. Its fencing token refuses the write of a holder whose lease expired.
//! - **A damaged file** is renamed to `NAME.damaged`, and a new one is created. Another program's database
//!   and one of a newer format are refused and stay as they are.
//!
//! Entries are encoded and verified as in the file tier. The checksum detects accidents; owner and mode of
//! file and folder are the protection against other users. Versions of this package share the file and
//! never a row. A fork of a process that has used the tier gets an error.

mod database;
mod error;
mod lease;
mod pool;
mod rows;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rusqlite::{Connection, Transaction};

use self::database::{Database, FORMAT};
use self::error::SqliteError;
use self::lease::LeaseId;
use self::pool::{LONG, Pool, SHORT};
use self::rows::signed;
use crate::codec::MAX_ENVELOPE;
use crate::entry::{duration_millis, to_millis};
use crate::files::folder::{IfMissing, TrustCheck};
use crate::{
    Acquired, Clock, Codec, Coordinator, Deadline, Entry, EntryInfo, FencingToken, Found, Key,
    LeaseGuard, Namespace, Pattern, Tier, TierError, TierErrorKind, TierStatus, Written,
};

/// The part of the bound after which a write enforces it.
const SLACK: u64 = 16;
/// The size of a lease's row, about, in bytes.
const LEASE: u64 = 256;

/// The file and the bound of the SQLite tier.
///
/// ```
/// use bedrock_catalog_cache::SqliteOptions;
///
/// let options = SqliteOptions::new("/var/cache/my-app/cache.sqlite").max_bytes(16 << 20);
/// ```
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    path: PathBuf,
    check: TrustCheck,
    max_bytes: u64,
}

impl SqliteOptions {
    /// The default of [`SqliteOptions::max_bytes`], in bytes.
    pub const DEFAULT_MAX_BYTES: u64 = 64 << 20;

    /// A tier in this file. Its folder must belong to this user and be closed to other writers.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            check: TrustCheck::Own,
            max_bytes: Self::DEFAULT_MAX_BYTES,
        }
    }

    /// Accepts any owner and mode of the folder, as
    /// [`FilesOptions::trust_folders`](crate::FilesOptions::trust_folders) does.
    #[must_use]
    pub fn trust_folder(mut self) -> Self {
        self.check = TrustCheck::Trusted;
        self
    }

    /// The largest size of all entries, in bytes; the oldest are evicted. 64 MiB by default. The file may
    /// be twice as large.
    #[must_use]
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }
}

/// Entries in one SQLite file.
///
/// [`CacheBuilder::sqlite`](crate::CacheBuilder::sqlite) adds it to a cache.
#[derive(Debug)]
pub struct SqliteTier {
    pool: Arc<Pool>,
    /// The path in answers.
    path: Arc<Path>,
    codec: Codec,
    /// The `MAJOR.MINOR` of this version.
    line: String,
    clock: Arc<dyn Clock>,
    max_bytes: u64,
    evictions: AtomicU64,
    /// The bytes written since the bound was enforced.
    unchecked: AtomicU64,
}

impl SqliteTier {
    /// A tier in this file. No file is touched; the first write creates it.
    #[must_use]
    pub fn new(options: &SqliteOptions, codec: Codec, clock: Arc<dyn Clock>) -> Self {
        let database = Database::new(options.path.clone(), options.check, codec.max_len());
        let line = codec.line().unwrap_or("other").to_owned();
        Self {
            pool: Arc::new(Pool::new(database)),
            path: options.path.as_path().into(),
            line,
            codec,
            clock,
            max_bytes: options.max_bytes,
            evictions: AtomicU64::new(0),
            // The file may have come with more than the bound.
            unchecked: AtomicU64::new(u64::MAX),
        }
    }

    fn now(&self) -> i64 {
        signed(to_millis(self.clock.now()))
    }

    fn find(
        &self,
        connection: &Connection,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Entry>, SqliteError> {
        let data = rows::get(connection, &self.line, namespace, key)?;
        let decode = |data| self.codec.decode(Bytes::from(data), namespace, key);
        Ok(data.map(decode).transpose()?)
    }

    /// Stores an encoded entry, unless the stored one supersedes it.
    fn store(
        &self,
        work: &Transaction<'_>,
        entry: &Entry,
        bytes: &[u8],
    ) -> Result<Option<Entry>, SqliteError> {
        let envelope = entry.envelope();
        let stored = match self.find(work, &envelope.namespace, &envelope.key) {
            // A damaged entry is replaced.
            Err(SqliteError::Tier(error)) if !error.is_tier_failure() => None,
            stored => stored?,
        };
        let now = self.clock.now();
        let superseding = stored.filter(|stored| stored.envelope().supersedes(envelope, now));
        if superseding.is_none() {
            rows::put(work, &self.line, entry, bytes)?;
            self.make_room(work, bytes.len() as u64)?;
        }
        Ok(superseding)
    }

    fn write(
        &self,
        entry: &Entry,
        token: Option<FencingToken>,
        deadline: Deadline,
    ) -> Result<Written, TierError> {
        let encoded = self.codec.encode(entry)?;
        let bytes = encoded.bytes.len() as u64;
        if bytes > self.max_bytes {
            let message = format!("the entry has {bytes} bytes, the tier {}", self.max_bytes);
            return Err(TierError::new(TierErrorKind::TooLarge, message));
        }
        let crate::Envelope { namespace, key, .. } = entry.envelope();
        let written = self
            .pool
            .write(IfMissing::Create, deadline, SHORT, |work| {
                if let Some(FencingToken(token)) = token
                    && !lease::accept(work, &self.lease_id(namespace, key), token)?
                {
                    let stored = self.find(work, namespace, key)?;
                    return Ok(stored.map_or(Written::Removed, Written::Superseded));
                }
                Ok(match self.store(work, entry, &encoded.bytes)? {
                    Some(newer) => Written::Superseded(newer),
                    None => Written::Stored {
                        path: Some(self.path.to_path_buf()),
                        bytes,
                        saved: encoded.saved,
                        fallback_from: Vec::new(),
                    },
                })
            })?;
        written.ok_or_else(|| TierError::new(TierErrorKind::Unavailable, "there is no file"))
    }

    /// Enforces the bounds after so many bytes were written, if it is time.
    fn make_room(&self, work: &Transaction<'_>, written: u64) -> Result<(), SqliteError> {
        let unchecked = self.unchecked.load(Ordering::Relaxed);
        let unchecked = unchecked.saturating_add(written);
        self.unchecked.store(unchecked, Ordering::Relaxed);
        if unchecked > self.max_bytes / SLACK {
            self.evict(work, self.now())?;
            self.unchecked.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    fn evict(&self, work: &Transaction<'_>, now: i64) -> Result<(), SqliteError> {
        lease::forget(work, now)?;
        let evicted = rows::evict(work, self.max_bytes)?;
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
        Ok(())
    }

    fn lease_id(&self, namespace: &Namespace, key: &Key) -> LeaseId {
        [
            self.line.clone(),
            namespace.to_string(),
            key.as_str().to_owned(),
        ]
    }
}

impl Tier for SqliteTier {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        deadline: Deadline,
    ) -> Result<Option<Found>, TierError> {
        let find = |connection: &mut Connection| self.find(connection, namespace, key);
        let found = self.pool.with(IfMissing::Leave, deadline, SHORT, find)?;
        let found = found.flatten();
        Ok(found.map(|entry| Found::new(entry, Some(Arc::clone(&self.path)))))
    }

    fn put(&self, entry: &Entry, deadline: Deadline) -> Result<Written, TierError> {
        self.write(entry, None, deadline)
    }

    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        deadline: Deadline,
    ) -> Result<u64, TierError> {
        let remove = |work: &Transaction<'_>| rows::remove(work, &self.line, namespace, pattern);
        let removed = self.pool.write(IfMissing::Leave, deadline, LONG, remove)?;
        Ok(removed.unwrap_or(0))
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let mut visit = |key: &str, bytes: u64, head: &[u8]| {
            let Ok(envelope) = self.codec.peek(head) else {
                return true;
            };
            let is_listed = envelope.namespace == *namespace
                && envelope.key.as_str() == key
                && envelope.key.starts_with(prefix);
            let path = Some(self.path.to_path_buf());
            !is_listed || visit(EntryInfo::new(Arc::new(envelope), bytes, path)).is_continue()
        };
        let scan = |connection: &mut Connection| {
            rows::scan(connection, &self.line, namespace, MAX_ENVELOPE, &mut visit)
        };
        self.pool
            .with(IfMissing::Leave, deadline, LONG, scan)
            .map(drop)
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let (now, all) = (signed(to_millis(now)), Deadline::NONE);
        let removed = self.pool.write(IfMissing::Leave, all, LONG, |work| {
            rows::check(work)?;
            let removed = rows::remove_expired(work, now)?;
            self.evict(work, now)?;
            Ok(removed)
        })?;
        let shrink = |connection: &mut Connection| rows::shrink(connection);
        if let Err(error) = self.pool.with(IfMissing::Leave, all, LONG, shrink) {
            tracing::debug!(path = %self.path.display(), %error, "free pages not returned now");
        }
        Ok(removed.unwrap_or(0))
    }

    fn status(&self) -> TierStatus {
        let look = |connection: &mut Connection| {
            let size = rows::size(connection)?;
            match connection.is_readonly("main")? {
                true => Err(TierError::new(TierErrorKind::Unavailable, "it is read-only").into()),
                false => Ok(size),
            }
        };
        let looked = self.pool.with(IfMissing::Leave, Deadline::NONE, LONG, look);
        let (ok, size, state) = match looked {
            Ok(Some(size)) => (true, Some(size), format!("usable, format {FORMAT}")),
            Ok(None) => (true, Some((0, 0)), "not created yet".to_owned()),
            Err(error) => (false, None, format!("not used: {error}")),
        };
        TierStatus {
            ok,
            message: format!("{}: {state}", self.path.display()),
            entries: size.map(|(entries, _)| entries),
            bytes: size.map(|(_, bytes)| bytes),
        }
    }

    fn evictions(&self) -> u64 {
        self.evictions.load(Ordering::Relaxed)
    }

    fn coordinator(&self) -> Option<&dyn Coordinator> {
        Some(self)
    }
}

impl Coordinator for SqliteTier {
    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        ttl: Duration,
        deadline: Deadline,
    ) -> Result<Acquired, TierError> {
        let (id, now) = (self.lease_id(namespace, key), self.now());
        let until = now.saturating_add(signed(duration_millis(ttl)));
        // A read first: waiting processes do not keep the holder from writing.
        let is_held = |connection: &mut Connection| lease::is_held(connection, &id, now);
        let held = self.pool.with(IfMissing::Leave, deadline, SHORT, is_held)?;
        if held == Some(true) {
            return Ok(Acquired::Busy);
        }
        let granted = self
            .pool
            .write(IfMissing::Create, deadline, SHORT, |work| {
                if lease::is_held(work, &id, now)? {
                    return Ok(None);
                }
                self.make_room(work, LEASE)?;
                lease::grant(work, &id, now, until).map(Some)
            })?;
        let Some(token) = granted.flatten() else {
            return Ok(Acquired::Busy);
        };
        let pool = Arc::clone(&self.pool);
        let release = move || {
            let release = |work: &Transaction<'_>| lease::release(work, &id, token);
            let released = pool.write(IfMissing::Leave, Deadline::NONE, SHORT, release);
            if let Err(error) = released {
                tracing::debug!(%error, "lease not released; it expires");
            }
        };
        Ok(Acquired::Held(LeaseGuard::new(
            Some(FencingToken(token)),
            release,
        )))
    }

    fn put_if_current(
        &self,
        entry: &Entry,
        token: FencingToken,
        deadline: Deadline,
    ) -> Result<Written, TierError> {
        self.write(entry, Some(token), deadline)
    }
}
