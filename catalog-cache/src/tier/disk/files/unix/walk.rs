//! The way to a folder of ours: from the root down, by handles, so that nobody can put a link in the way.
//!
//! Nothing here knows what a folder holds.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::trust::{is_ours_alone, refuse_unsafe_parent};
use super::{Absent, FOLDER_MODE, NOFOLLOW, OPEN_FOLDER};
use crate::tier::disk::reason::Reason;
use crate::tier::disk::steps::{self, Step};

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const PASS_FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const PASS_FOLDER: OFlags = OPEN_FOLDER;

/// Not found is an answer; a link has a name of its own; the rest is an error.
pub(super) fn open_failed<T>(
    step: Step,
    source: io::Error,
    is_link: impl FnOnce() -> bool,
) -> Result<Option<T>, Reason> {
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT) => Ok(None),
        // Linux says ELOOP for a file and ENOTDIR for a folder, FreeBSD EMLINK.
        Some(Errno::LOOP | Errno::MLINK) => Err(Reason::Link),
        Some(Errno::NOTDIR) => Err(if is_link() {
            Reason::Link
        } else {
            Reason::NotAFolder
        }),
        // A socket, or a device without a driver.
        Some(Errno::NXIO | Errno::NODEV | Errno::OPNOTSUPP) => Err(Reason::NotAFile),
        Some(Errno::ISDIR) => Err(Reason::NotAFile),
        _ => Err(Reason::Io { step, source }),
    }
}

pub(super) fn is_link(parent: impl rustix::fd::AsFd, name: &Path) -> bool {
    rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

pub(super) fn make_at(parent: &File, name: &Path) -> Result<(), Reason> {
    let mode = Mode::from_raw_mode(FOLDER_MODE as _);
    match steps::raw(Step::MakeFolder, || {
        Ok(rustix::fs::mkdirat(parent, name, mode)?)
    }) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(Reason::Io {
            step: Step::MakeFolder,
            source,
        }),
        _ => Ok(()),
    }
}

/// The folder above a private folder. Links on the way to it are followed; what counts is the folder
/// reached.
pub(super) fn open_parent(path: &Path) -> Result<Option<File>, Reason> {
    let opened = steps::raw(Step::OpenFolder, || {
        Ok(rustix::fs::open(path, OPEN_FOLDER, Mode::empty())?)
    });
    let handle = match opened {
        Ok(handle) => File::from(handle),
        Err(source) => return open_failed(Step::OpenFolder, source, || false),
    };
    let meta = steps::run(Step::Stat, || handle.metadata())?;
    refuse_unsafe_parent(&meta)?;
    Ok(Some(handle))
}

/// Goes down to the folder above one of ours, making what is missing where `absent` says so. Where
/// only root and this user can have put a link, it is followed; from the first folder in which
/// others may, none is. The folder reached must keep others from replacing what is in it.
pub(super) fn walk_to(path: &Path, absent: Absent) -> Result<Option<File>, Reason> {
    let mut parts = path.components().map(|part| Path::new(part.as_os_str()));
    let Some(first) = parts.next() else {
        return Err(Reason::Empty);
    };
    let Some(mut at) = pass(rustix::fs::CWD, first, OFlags::empty())? else {
        return Ok(None);
    };
    let mut meta = steps::run(Step::Stat, || at.metadata())?;
    let mut follow = is_ours_alone(&meta);
    for part in parts {
        let links = if follow { OFlags::empty() } else { NOFOLLOW };
        at = match pass(&at, part, links)? {
            Some(next) => next,
            None if absent == Absent::Leave => return Ok(None),
            None => {
                // What others may replace is no place for a new folder either.
                refuse_unsafe_parent(&meta)?;
                make_at(&at, part)?;
                match pass(&at, part, NOFOLLOW)? {
                    Some(next) => next,
                    None => return Err(Reason::Missing),
                }
            }
        };
        meta = steps::run(Step::Stat, || at.metadata())?;
        follow = follow && is_ours_alone(&meta);
    }
    refuse_unsafe_parent(&meta)?;
    Ok(Some(at))
}

/// Opens a folder only to go through it, for which it need not be readable.
fn pass(parent: impl rustix::fd::AsFd, name: &Path, links: OFlags) -> Result<Option<File>, Reason> {
    let opened = steps::raw(Step::OpenFolder, || {
        Ok(rustix::fs::openat(
            &parent,
            name,
            PASS_FOLDER.union(links),
            Mode::empty(),
        )?)
    });
    match opened {
        Ok(handle) => Ok(Some(File::from(handle))),
        Err(source) => open_failed(Step::OpenFolder, source, || is_link(&parent, name)),
    }
}
