//! Processes that share a folder: a lock for the moment of a write, a lease for the time of a
//! computation.
//!
//! The lock is the operating system's and dies with its holder. It is waited for in small steps and
//! never long: who does not get it leaves the write out. The lease is a small file, read and written
//! under the lock, and runs out by itself, so that a holder that hangs is not waited for. Nothing
//! here knows what is computed.

use std::fs::{File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::files::{Folder, Lasting};
use super::layout::LOCK;
use super::reason::Reason;
use super::steps::{self, Step};
use crate::CLOCK_SKEW;
use crate::tier::{Held, TierError};

/// One poll. A wait is a number of polls, so that it ends whatever any clock says, and ends before its
/// time is over where the polls take longer.
const POLL: Duration = Duration::from_millis(2);
/// Without the lease the same is computed twice: the lock is waited for longer than for a write, but
/// never so long that both together take half a second.
const LEASE_LOCK_WAIT: Duration = Duration::from_millis(290);
const MAX_LEASE_FILE: u64 = 1 << 10;

/// The lock of one folder, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    /// `None` on a file system without locks: writes are atomic there too, only not ordered.
    _file: Option<File>,
}

impl Lock {
    /// Takes the lock in this folder, or answers [`Reason::Busy`] after `wait`.
    pub(crate) fn take(folder: &Folder, wait: Duration) -> Result<Self, Reason> {
        let file = folder.lock_file(LOCK)?;
        let attempt = || match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(source)) => Err(source),
        };
        patiently(wait, || match steps::raw(Step::Lock, attempt) {
            Ok(true) => Some(Ok(true)),
            Ok(false) => None,
            Err(source) if has_no_locks(&source) => Some(Ok(false)),
            Err(source) => Some(Err(Reason::Io {
                step: Step::Lock,
                source,
            })),
        })
        .unwrap_or(Err(Reason::Busy))
        .map(|locked| Self {
            _file: locked.then_some(file),
        })
    }
}

/// Whether the file system has no locks to give: ENOLCK is what NFS says without its lock daemon.
fn has_no_locks(source: &io::Error) -> bool {
    #[cfg(unix)]
    if rustix::io::Errno::from_io_error(source) == Some(rustix::io::Errno::NOLCK) {
        return true;
    }
    source.kind() == io::ErrorKind::Unsupported
}

/// Tries until there is an answer or `wait` is over; at least once.
fn patiently<T>(wait: Duration, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    let mut polls = wait.as_millis() / POLL.as_millis();
    let start = Instant::now();
    loop {
        let answer = attempt();
        if answer.is_some() || polls == 0 || start.elapsed() + 2 * POLL > wait {
            return answer;
        }
        polls -= 1;
        std::thread::sleep(POLL);
    }
}

/// What a lease file says. Times are milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Claim {
    token: u64,
    from: u64,
    until: u64,
}

impl Claim {
    /// Whether the holder still has it at `now`. A claim from the future is not believed, so that no
    /// clock makes it last.
    fn holds(&self, now: u64) -> bool {
        let skew = millis(CLOCK_SKEW);
        now < self.until && self.from <= now.saturating_add(skew)
    }
}

/// A lease on a name in a folder.
#[derive(Debug)]
pub(crate) struct HeldLease {
    folder: Folder,
    name: String,
    token: u64,
}

impl HeldLease {
    /// Tries for `wait` to get the lease `name` in `folder` until `now + length`. `None` while another
    /// holds it; [`Reason::Busy`] where the lock itself is not given back.
    pub(crate) fn take(
        folder: Folder,
        name: &str,
        wait: Duration,
        now: SystemTime,
        length: Duration,
    ) -> Result<Option<Self>, Reason> {
        let now = now.duration_since(UNIX_EPOCH).map_or(0, millis);
        // Who sees it held needs no lock to go on waiting, nor to wait for the lock: a crowd would keep
        // the holder from it, and who is held up by the crowd would go without the lease.
        let is_held = || read_claim(&folder, name).is_some_and(|claim| claim.holds(now));
        let attempt = || match Lock::take(&folder, Duration::ZERO) {
            Ok(_lock) => Some(claim(&folder, name, now, millis(length))),
            Err(Reason::Busy) => is_held().then_some(Ok(None)),
            Err(reason) => Some(Err(reason)),
        };
        let granted = patiently(wait, || {
            if is_held() {
                return None;
            }
            // A lock that is not given back soon is not a computation: waiting longer is no use.
            let granted = patiently(LEASE_LOCK_WAIT, attempt);
            granted.unwrap_or(Err(Reason::Busy)).transpose()
        });
        let token = granted.transpose()?;
        Ok(token.map(|token| Self {
            folder,
            name: name.to_owned(),
            token,
        }))
    }

    /// Grows from lease to lease.
    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// The lease file, for logs.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    fn remove(&self) -> Result<(), Reason> {
        let _lock = Lock::take(&self.folder, 10 * POLL)?;
        // It may have run out and be another's by now.
        if read_claim(&self.folder, &self.name).is_some_and(|claim| claim.token == self.token) {
            self.folder.remove(&self.name)?;
        }
        Ok(())
    }
}

impl Held for HeldLease {
    fn give_back(self: Box<Self>) -> Result<(), TierError> {
        self.remove()
            .map_err(|reason| TierError::from(reason).at(self.path()))
    }
}

/// Under the lock: takes the lease unless someone has it.
fn claim(folder: &Folder, name: &str, now: u64, length: u64) -> Result<Option<u64>, Reason> {
    let before = read_claim(folder, name);
    if before.is_some_and(|claim| claim.holds(now)) {
        return Ok(None);
    }
    // The time keeps it growing where the last lease is forgotten.
    let token = before
        .map_or(0, |claim| claim.token.saturating_add(1))
        .max(now);
    let claim = Claim {
        token,
        from: now,
        until: now.saturating_add(length),
    };
    let bytes = serde_json::to_vec(&claim).map_err(|e| Reason::Corrupt(e.to_string()))?;
    // Under the lock, for which a crowd waits: it is held no longer than it must be.
    folder.write(name, &bytes, Lasting::Fleeting)?;
    Ok(Some(token))
}

/// A lease that cannot be read is nobody's: it is written anew.
fn read_claim(folder: &Folder, name: &str) -> Option<Claim> {
    let bytes = folder.read(name, MAX_LEASE_FILE).ok()??;
    serde_json::from_slice(&bytes).ok()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
