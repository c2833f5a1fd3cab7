//! File locks: one for the moment of a write, one for a lease. The operating system releases a lock with
//! its process.

use std::fs::{File, TryLockError};
use std::io;
use std::time::Duration;

use super::error;
use super::folder::Folder;
use super::layout::LOCK;
use crate::{Deadline, TierError};

/// The time between two attempts.
const POLL: Duration = Duration::from_millis(2);

/// The lock of a folder, released on drop.
#[derive(Debug)]
pub(crate) struct Lock {
    /// `None` on a file system without locks: its writes are atomic, but not ordered.
    _file: Option<File>,
}

impl Lock {
    /// Acquires the lock of a folder. Fails with a timeout at the deadline, after at least one
    /// attempt.
    pub(crate) fn acquire(folder: &Folder, deadline: Deadline) -> Result<Self, TierError> {
        let file = folder.lock_file(LOCK)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: Some(file) }),
                Err(TryLockError::WouldBlock) if deadline.is_over() => return Err(error::busy()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
                Err(TryLockError::Error(source)) if has_no_locks(&source) => {
                    return Ok(Self { _file: None });
                }
                Err(TryLockError::Error(source)) => return Err(error::io("locking")(source)),
            }
        }
    }
}

/// The lease file of an entry, locked until drop.
#[derive(Debug)]
pub(crate) struct LeaseFile {
    folder: Folder,
    name: String,
    /// Closed after the removal, which releases the lock. On a file system without locks it has none, and
    /// any number of processes have the lease.
    _file: File,
}

impl LeaseFile {
    /// Acquires the lease `name` in a folder; `None` while another process holds it.
    pub(crate) fn try_acquire(folder: Folder, name: String) -> Result<Option<Self>, TierError> {
        // The holder before may have removed the file after it was opened here.
        for _ in 0..3 {
            let file = folder.lock_file(&name)?;
            match file.try_lock() {
                Ok(()) if is_removed(&file) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) if !has_no_locks(&source) => {
                    return Err(error::io("locking")(source));
                }
                Ok(()) | Err(TryLockError::Error(_)) => {
                    return Ok(Some(Self {
                        folder,
                        name,
                        _file: file,
                    }));
                }
            }
        }
        Ok(None)
    }
}

impl Drop for LeaseFile {
    fn drop(&mut self) {
        if let Err(error) = self.folder.remove(&self.name) {
            let path = self.folder.path().join(&self.name);
            tracing::debug!(path = %path.display(), %error, "lease file not removed");
        }
    }
}

#[cfg(unix)]
fn is_removed(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|meta| meta.nlink() == 0)
}

#[cfg(not(unix))]
fn is_removed(_file: &File) -> bool {
    false
}

/// Whether the file system has no locks: NFS without its lock daemon reports ENOLCK.
fn has_no_locks(source: &io::Error) -> bool {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(source) == Some(rustix::io::Errno::NOLCK) {
        return true;
    }
    source.kind() == io::ErrorKind::Unsupported
}
