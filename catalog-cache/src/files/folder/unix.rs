//! The Unix operations: every check is made on the handle that is used afterwards.
//!
//! No path is walked twice. A folder is opened without following a link and verified on its handle;
//! everything in it is reached relative to that handle, again without following links. So the verified
//! folder is the one that is read and written, even if another user renames it meanwhile.

mod trust;

use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use self::trust::{is_closed_to_others, verify_parent};
use super::{FileInfo, IfMissing, TrustCheck, error};
use crate::TierError;

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// A folder on the way, which need not be readable.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PASS: OFlags = FOLDER.union(OFlags::PATH);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PASS: OFlags = FOLDER;
/// With `NONBLOCK`, opening a FIFO returns at once; it is refused afterwards.
const FILE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// An open folder.
pub(crate) type Handle = File;

/// The user id: it distinguishes the users' folders in the temp directory.
pub(crate) fn user_suffix() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

pub(super) fn open_location(
    path: &Path,
    check: TrustCheck,
    if_missing: IfMissing,
) -> Result<Option<Handle>, TierError> {
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(error::refused("the path is the root of the file system"));
    };
    let parent = match check {
        TrustCheck::Own => walk_to(above, if_missing)?,
        TrustCheck::Private => open_private_parent(above)?,
        TrustCheck::Trusted => open_trusted_parent(above, if_missing)?,
    };
    let Some(parent) = parent else {
        return Ok(None);
    };
    let links = match check {
        // The operator may have linked the name to a volume.
        TrustCheck::Trusted => OFlags::empty(),
        _ => OFlags::NOFOLLOW,
    };
    let handle = open_or_create(&parent, Path::new(name), FOLDER | links, if_missing)?;
    if let Some(handle) = &handle {
        check.verify_location(&metadata(handle)?)?;
    }
    Ok(handle)
}

pub(super) fn open_child(
    folder: &Handle,
    name: &str,
    check: TrustCheck,
    if_missing: IfMissing,
) -> Result<Option<Handle>, TierError> {
    let flags = FOLDER | OFlags::NOFOLLOW;
    let handle = open_or_create(folder, Path::new(name), flags, if_missing)?;
    if let Some(handle) = &handle {
        check.verify_inner(&metadata(handle)?)?;
    }
    Ok(handle)
}

/// Opens and verifies a file.
pub(super) fn open_file(
    folder: &Handle,
    name: &str,
    check: TrustCheck,
    write: bool,
) -> Result<Option<File>, TierError> {
    let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
    let file = open_at(folder, Path::new(name), FILE | access)?;
    if let Some(file) = &file {
        check.verify_file(&metadata(file)?)?;
    }
    Ok(file)
}

pub(super) fn create_new(folder: &Handle, name: &str) -> io::Result<File> {
    let flags = FILE | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    let mode = Mode::from_raw_mode(FILE_MODE as _);
    let file = rustix::fs::openat(folder, name, flags, mode)?;
    // The umask may have removed bits.
    rustix::fs::fchmod(&file, mode)?;
    Ok(File::from(file))
}

pub(super) fn rename(folder: &Handle, from: &str, to: &str) -> io::Result<()> {
    Ok(rustix::fs::renameat(folder, from, folder, to)?)
}

/// Makes the names in the folder durable. Some file systems (FUSE, network shares) do not sync folders; the
/// next location would not be more durable.
pub(super) fn sync(folder: &Handle) -> io::Result<()> {
    let unsupported = [Errno::INVAL, Errno::OPNOTSUPP, Errno::NOSYS].map(Errno::raw_os_error);
    match folder.sync_all() {
        Err(source)
            if source
                .raw_os_error()
                .is_some_and(|e| unsupported.contains(&e)) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

pub(super) fn remove(folder: &Handle, name: &str) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?)
}

pub(super) fn info(folder: &Handle, name: &str) -> io::Result<FileInfo> {
    let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let nanos = Duration::from_nanos(nanos.into());
    let modified = SystemTime::UNIX_EPOCH.checked_add(seconds.saturating_add(nanos));
    Ok(FileInfo {
        is_file: FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile,
        len: u64::try_from(stat.st_size).unwrap_or(0),
        modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
    })
}

pub(super) fn names(folder: &Handle) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for item in Dir::read_from(folder)? {
        match item?.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}

/// See [`super::Folder::verified_file`].
#[cfg(feature = "sqlite")]
pub(super) fn verified_file(
    handle: &Handle,
    path: &Path,
    name: &str,
    check: TrustCheck,
) -> Result<Option<super::VerifiedFile>, TierError> {
    use std::os::unix::fs::MetadataExt;
    let stat = |path: &Path| super::found(std::fs::symlink_metadata(path), "reading the owner");
    let folder = std::fs::canonicalize(path).map_err(error::io("reading the path"))?;
    let identity = |meta: &Metadata| (meta.dev(), meta.ino());
    if stat(&folder)?.as_ref().map(identity) != Some(identity(&metadata(handle)?)) {
        return Err(error::refused("the folder was replaced"));
    }
    if check != TrustCheck::Trusted {
        for above in folder.ancestors().skip(1) {
            verify_parent(&stat(above)?.ok_or_else(error::missing)?)?;
        }
    }
    let path = folder.join(name);
    let Some(meta) = stat(&path)? else {
        return Ok(None);
    };
    check.verify_file(&meta)?;
    let identity = identity(&meta);
    Ok(Some(super::VerifiedFile { path, identity }))
}

/// Opens `name` in `parent`; `None` if it does not exist.
fn open_at(parent: impl AsFd, name: &Path, flags: OFlags) -> Result<Option<File>, TierError> {
    let is_link = || {
        rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
    };
    Err(
        match rustix::fs::openat(&parent, name, flags, Mode::empty()) {
            Ok(handle) => return Ok(Some(File::from(handle))),
            Err(Errno::NOENT) => return Ok(None),
            // For a link, Linux reports ELOOP or ENOTDIR, and FreeBSD EMLINK.
            Err(Errno::LOOP | Errno::MLINK) => error::refused("it is a symbolic link"),
            Err(Errno::NOTDIR) if is_link() => error::refused("it is a symbolic link"),
            Err(Errno::NOTDIR) => error::refused("it is not a folder"),
            // A folder, a socket, or a device without a driver.
            Err(Errno::ISDIR | Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => {
                error::refused("it is not a regular file")
            }
            Err(errno) => error::io("opening")(errno),
        },
    )
}

fn open_or_create(
    parent: &File,
    name: &Path,
    flags: OFlags,
    if_missing: IfMissing,
) -> Result<Option<File>, TierError> {
    let opened = open_at(parent, name, flags)?;
    if opened.is_some() || if_missing == IfMissing::Leave {
        return Ok(opened);
    }
    match rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(FOLDER_MODE as _)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(error::io("creating the folder")(errno)),
    }
    // Missing only if another process has removed it.
    let created = open_at(parent, name, flags | OFlags::NOFOLLOW)?;
    created.ok_or_else(error::missing).map(Some)
}

fn metadata(file: &File) -> Result<Metadata, TierError> {
    file.metadata().map_err(error::io("reading owner and mode"))
}

/// Links on the way are followed; only the folder reached counts.
fn open_private_parent(path: &Path) -> Result<Option<File>, TierError> {
    let parent = open_at(CWD, path, FOLDER)?;
    if let Some(parent) = &parent {
        verify_parent(&metadata(parent)?)?;
    }
    Ok(parent)
}

fn open_trusted_parent(path: &Path, if_missing: IfMissing) -> Result<Option<File>, TierError> {
    if if_missing == IfMissing::Create {
        let mut builder = DirBuilder::new();
        let created = builder.recursive(true).mode(FOLDER_MODE).create(path);
        created.map_err(error::io("creating the folder"))?;
    }
    open_at(CWD, path, PASS)
}

/// Opens the parent of one of our folders from the root downwards, so that no other user can insert a link.
/// A link is followed where only root and this user can have put it; below the first folder in which others
/// can create something, no link is.
fn walk_to(path: &Path, if_missing: IfMissing) -> Result<Option<File>, TierError> {
    let mut parts = path.components().map(|part| Path::new(part.as_os_str()));
    let root = parts.next().unwrap_or(Path::new("/"));
    let Some(mut folder) = open_at(CWD, root, PASS)? else {
        return Ok(None);
    };
    let mut meta = metadata(&folder)?;
    let mut follow = is_closed_to_others(&meta);
    for part in parts {
        let mut flags = PASS;
        flags.set(OFlags::NOFOLLOW, !follow);
        let mut next = open_at(&folder, part, flags)?;
        if next.is_none() && if_missing == IfMissing::Create {
            // No folder is created where others could replace it.
            verify_parent(&meta)?;
            next = open_or_create(&folder, part, PASS, if_missing)?;
        }
        let Some(next) = next else {
            return Ok(None);
        };
        folder = next;
        meta = metadata(&folder)?;
        follow = follow && is_closed_to_others(&meta);
    }
    verify_parent(&meta)?;
    Ok(Some(folder))
}
