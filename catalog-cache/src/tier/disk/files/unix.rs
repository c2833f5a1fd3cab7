//! The Unix twin of the files: every check is made on the handle that is then used.
//!
//! No path is walked twice. A folder is opened without following a link and verified on its handle;
//! everything inside it is reached relative to that handle, again without following links. So what
//! was verified is what is read and written, whatever others do to the names meanwhile.

#[cfg(feature = "sqlite")]
mod named;
mod trust;
mod walk;

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use self::trust::{refuse_foreign, refuse_not_private, refuse_writable, verify_file};
use self::walk::{is_link, make_at, open_failed, open_parent, walk_to};
use super::{Absent, Ground, Lasting, Meta, TEMPORARY, temporary_name};
use crate::tier::disk::reason::Reason;
use crate::tier::disk::steps::{self, Step};

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Opening never follows a link.
const NOFOLLOW: OFlags = OFlags::NOFOLLOW;
const OPEN_FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// `NONBLOCK`: a FIFO without a writer answers at once, and is then refused.
const OPEN_FILE: OFlags = NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// What tells users apart in the name of a folder under the temp directory: the user id.
pub(crate) fn user_tag() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

/// An open, verified folder.
#[derive(Debug)]
pub(crate) struct Folder {
    handle: File,
    path: PathBuf,
}

impl Folder {
    /// Opens and verifies the folder of a location. `None` where it is missing and `absent` says
    /// that it stays so.
    pub(crate) fn locate(
        path: &Path,
        ground: Ground,
        absent: Absent,
    ) -> Result<Option<Self>, Reason> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Reason::Root);
        };
        let name = Path::new(name);
        let parent = match ground {
            Ground::Own => walk_to(above, absent)?,
            Ground::Shared => open_parent(above)?,
        };
        let Some(parent) = parent else {
            return Ok(None);
        };
        let refuse = match ground {
            // Others may look, as in any home, and may not write.
            Ground::Own => refuse_writable,
            Ground::Shared => refuse_not_private,
        };
        match Self::open_at(&parent, name, path, refuse)? {
            None if absent == Absent::Make => {
                make_at(&parent, name)?;
                Self::open_at(&parent, name, path, refuse)
            }
            found => Ok(found),
        }
    }

    /// The folder `name` in this one; `None` where it is missing and stays so.
    pub(crate) fn child(&self, name: &str, absent: Absent) -> Result<Option<Self>, Reason> {
        let path = self.path.join(name);
        let name = Path::new(name);
        match Self::open_at(&self.handle, name, &path, refuse_not_private)? {
            None if absent == Absent::Make => {
                make_at(&self.handle, name)?;
                Self::open_at(&self.handle, name, &path, refuse_not_private)
            }
            found => Ok(found),
        }
    }

    fn open_at(
        parent: impl rustix::fd::AsFd,
        name: &Path,
        path: &Path,
        refuse: fn(&Metadata) -> Result<(), Reason>,
    ) -> Result<Option<Self>, Reason> {
        let opened = steps::raw(Step::OpenFolder, || {
            Ok(rustix::fs::openat(
                &parent,
                name,
                OPEN_FOLDER.union(NOFOLLOW),
                Mode::empty(),
            )?)
        });
        let handle = match opened {
            Ok(handle) => File::from(handle),
            Err(source) => return open_failed(Step::OpenFolder, source, || is_link(&parent, name)),
        };
        let meta = steps::run(Step::Stat, || handle.metadata())?;
        refuse_foreign(&meta)?;
        refuse(&meta)?;
        let path = path.to_path_buf();
        Ok(Some(Self { handle, path }))
    }

    /// Another handle to the same folder.
    pub(crate) fn same(&self) -> Result<Self, Reason> {
        let handle = steps::run(Step::OpenFolder, || self.handle.try_clone())?;
        let path = self.path.clone();
        Ok(Self { handle, path })
    }

    /// Where the folder is, for logs. Nothing is opened by it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a whole file of at most `cap` bytes; `None` where there is none. The size is checked
    /// before anything is allocated, and holds even while the file grows.
    pub(crate) fn read(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>, Reason> {
        let Some((file, meta)) = self.open(name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        if meta.len() > cap {
            return Err(Reason::TooLarge(meta.len()));
        }
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(usize::try_from(meta.len()).unwrap_or(usize::MAX))
            .map_err(|_| Reason::TooLarge(meta.len()))?;
        steps::run(Step::Read, || {
            // One byte more than the cap tells a file that grew from one that just fits.
            (&file).take(cap.saturating_add(1)).read_to_end(&mut bytes)
        })?;
        if bytes.len() as u64 > cap {
            return Err(Reason::TooLarge(bytes.len() as u64));
        }
        Ok(Some(bytes))
    }

    /// Reads at most the first `count` bytes of a file; `None` where there is none.
    pub(crate) fn read_head(&self, name: &str, count: u64) -> Result<Option<Vec<u8>>, Reason> {
        let Some((file, _)) = self.open(name, OFlags::RDONLY)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        steps::run(Step::Read, || (&file).take(count).read_to_end(&mut bytes))?;
        Ok(Some(bytes))
    }

    /// Opens a file of our own and verifies it on its handle.
    fn open(&self, name: &str, access: OFlags) -> Result<Option<(File, Metadata)>, Reason> {
        let opened = steps::raw(Step::Open, || {
            Ok(rustix::fs::openat(
                &self.handle,
                name,
                OPEN_FILE.union(access),
                Mode::empty(),
            )?)
        });
        let file = match opened {
            Ok(handle) => File::from(handle),
            Err(source) => {
                return open_failed(Step::Open, source, || {
                    is_link(&self.handle, Path::new(name))
                });
            }
        };
        let meta = steps::run(Step::Stat, || file.metadata())?;
        verify_file(&meta)?;
        Ok(Some((file, meta)))
    }

    /// Writes a whole file so that its name leads to the old content or the new, never to a mix; also
    /// after a power cut, where it is durable. A failure leaves the old content and no litter.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], lasting: Lasting) -> Result<(), Reason> {
        let temporary = temporary_name(name);
        let written = self
            .write_temporary(&temporary, bytes, lasting)
            .and_then(|()| {
                steps::run(Step::Rename, || {
                    Ok(rustix::fs::renameat(
                        &self.handle,
                        &*temporary,
                        &self.handle,
                        name,
                    )?)
                })
            });
        if let Err(reason) = written {
            // Best effort: what stays is swept by the cleanup.
            let _ = rustix::fs::unlinkat(&self.handle, &*temporary, AtFlags::empty());
            return Err(reason);
        }
        if lasting == Lasting::Fleeting {
            return Ok(());
        }
        match steps::run(Step::SyncFolder, || self.handle.sync_all()) {
            // Some file systems sync no folders (FUSE, network shares): the name is as durable there as
            // they make it, and the next location would be no better for it.
            Err(Reason::Io { source, .. }) if syncs_no_folders(&source) => Ok(()),
            synced => synced,
        }
    }

    fn write_temporary(
        &self,
        temporary: &str,
        bytes: &[u8],
        lasting: Lasting,
    ) -> Result<(), Reason> {
        let file = self.create_new(temporary)?;
        steps::run(Step::Write, || write_all(&file, bytes))?;
        let meta = steps::run(Step::Stat, || file.metadata())?;
        if meta.len() != bytes.len() as u64 {
            let source = io::Error::from(io::ErrorKind::WriteZero);
            return Err(Reason::Io {
                step: Step::Write,
                source,
            });
        }
        match lasting {
            Lasting::Durable => steps::run(Step::SyncFile, || file.sync_all()),
            Lasting::Fleeting => Ok(()),
        }
    }

    fn create_new(&self, name: &str) -> Result<File, Reason> {
        let flags = OPEN_FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let mode = Mode::from_raw_mode(FILE_MODE as _);
        let file = steps::run(Step::Create, || {
            Ok(rustix::fs::openat(&self.handle, name, flags, mode)?)
        })?;
        // Whatever the umask took away.
        steps::run(Step::SetMode, || Ok(rustix::fs::fchmod(&file, mode)?))?;
        Ok(File::from(file))
    }

    /// Opens the lock file `name`, made where it is missing and never truncated.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Reason> {
        // Twice: someone else may make it, or remove it, between the two steps.
        for _ in 0..2 {
            if let Some((file, _)) = self.open(name, OFlags::RDWR)? {
                return Ok(file);
            }
            match self.create_new(name) {
                Ok(file) => return Ok(file),
                Err(Reason::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                }
                Err(reason) => return Err(reason),
            }
        }
        Err(Reason::Busy)
    }

    /// Removes a file, or the link that stands in its place; whether there was one.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Reason> {
        match steps::raw(Step::Remove, || {
            Ok(rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?)
        }) {
            Ok(()) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(Reason::Io {
                step: Step::Remove,
                source,
            }),
        }
    }

    /// What is known of a name, without following a link; `None` where there is none.
    pub(crate) fn meta(&self, name: &str) -> Result<Option<Meta>, Reason> {
        let stat = match steps::raw(Step::Stat, || {
            Ok(rustix::fs::statat(
                &self.handle,
                name,
                AtFlags::SYMLINK_NOFOLLOW,
            )?)
        }) {
            Ok(stat) => stat,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(Reason::Io {
                    step: Step::Stat,
                    source,
                });
            }
        };
        let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
        // The type of the field is the platform's.
        let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
        let since = Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanos.into()));
        Ok(Some(Meta {
            is_file: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: SystemTime::UNIX_EPOCH
                .checked_add(since)
                .unwrap_or(SystemTime::UNIX_EPOCH),
        }))
    }

    /// The names in the folder, in no order. Names that are not UTF-8 are not ours and left out.
    pub(crate) fn names(&self) -> Result<Vec<String>, Reason> {
        steps::run(Step::List, || {
            let mut names = Vec::new();
            for item in Dir::read_from(&self.handle)? {
                let item = item?;
                if let Ok(name) = item.file_name().to_str()
                    && name != "."
                    && name != ".."
                {
                    names.push(name.to_owned());
                }
            }
            Ok(names)
        })
    }

    /// Whether a file can be made here: makes one and removes it.
    pub(crate) fn probe(&self) -> Result<(), Reason> {
        let name = temporary_name("probe");
        debug_assert!(name.ends_with(TEMPORARY));
        self.create_new(&name)?;
        self.remove(&name).map(drop)
    }
}

fn syncs_no_folders(source: &io::Error) -> bool {
    let errno = Errno::from_io_error(source);
    matches!(errno, Some(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS))
}

/// `Write::write_all`, except that a system that claims to have written more than it was given is
/// an error and not a panic.
fn write_all(file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).ok_or(io::ErrorKind::InvalidData)?,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}
