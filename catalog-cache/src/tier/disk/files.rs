//! Safe files: a folder that was verified, and operations relative to its handle.
//!
//! Two twins with the same methods keep `cfg` out of the callers: `unix.rs` works on handles
//! (`openat`, `O_NOFOLLOW`, `fstat`) and checks owner and mode; `portable.rs` is the standard
//! library alone, for platforms where the folders of a user are private by themselves.
//! Nothing here knows what the bytes mean.

use std::time::SystemTime;

#[cfg(any(not(unix), portable_files))]
mod portable;
#[cfg(all(unix, not(portable_files)))]
mod unix;

#[cfg(any(not(unix), portable_files))]
pub(crate) use portable::{Folder, user_tag};
#[cfg(all(unix, not(portable_files)))]
pub(crate) use unix::{Folder, user_tag};

/// What a location's own folder has to prove. The folders inside it are always exactly ours:
/// our owner, mode 0700, no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Given by the caller, or the platform's cache folder: ours, nobody else may write to it, and
    /// the folder above must keep others from replacing it. It is made with its parents where it
    /// is missing.
    Own,
    /// Under a folder that everybody may write to: exactly ours, and the folder above must keep
    /// others from replacing it. Only the last component is ever made.
    Shared,
}

/// Whether a folder that is missing is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    /// It is made: this is a write.
    Make,
    /// It stays missing: this is a read.
    Leave,
}

/// How long what is written has to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// Through a power cut: it is synced before its name leads to it, and the name after.
    Durable,
    /// As long as the machine runs. Syncing waits for all that others write to the disk.
    Fleeting,
}

/// What is known of a name without opening it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meta {
    /// A regular file: no link, folder, FIFO or device.
    pub(crate) is_file: bool,
    /// Bytes.
    pub(crate) len: u64,
    /// The file system's time of the last change.
    pub(crate) modified: SystemTime,
}

/// A file for a library that opens files by path and not by handle.
#[cfg(feature = "sqlite")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The path, without links.
    pub(crate) path: std::path::PathBuf,
    /// Which file it is, whatever it is called; 0 where the platform does not say.
    pub(crate) identity: (u64, u64),
    /// Bytes.
    pub(crate) len: u64,
}

/// The end of the name of a file that is still being written.
pub(crate) const TEMPORARY: &str = ".tmp";

/// A name for a temporary file beside `name` that no other writer takes.
fn temporary_name(name: &str) -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(name);
    format!("{name}.{}.{random:016x}{TEMPORARY}", std::process::id())
}
