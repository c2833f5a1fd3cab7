//! The portable operations, with the standard library alone.
//!
//! They give no protection against other users of the machine: the platform's cache folder has to be the
//! user's own. Links and other kinds of files are refused by name, not by handle.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{FileInfo, IfMissing, TrustCheck, error, found};
use crate::TierError;

/// A folder, known by its path.
#[derive(Debug)]
pub(crate) struct Handle(PathBuf);

impl Handle {
    #[allow(clippy::unnecessary_wraps)] // As `File::try_clone`, of which this takes the place.
    pub(super) fn try_clone(&self) -> io::Result<Self> {
        Ok(Self(self.0.clone()))
    }
}

/// The user's name, as far as it can be part of a file name.
pub(crate) fn user_suffix() -> String {
    std::env::var("USERNAME")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(32)
        .collect()
}

pub(super) fn open_location(
    path: &Path,
    check: TrustCheck,
    if_missing: IfMissing,
) -> Result<Option<Handle>, TierError> {
    let may_create = check != TrustCheck::Private || path.parent().is_some_and(Path::is_dir);
    if if_missing == IfMissing::Create && may_create {
        fs::create_dir_all(path).map_err(error::io("creating the folder"))?;
    }
    open_folder(path)
}

pub(super) fn open_child(
    folder: &Handle,
    name: &str,
    _check: TrustCheck,
    if_missing: IfMissing,
) -> Result<Option<Handle>, TierError> {
    let path = folder.0.join(name);
    let opened = open_folder(&path)?;
    if opened.is_some() || if_missing == IfMissing::Leave {
        return Ok(opened);
    }
    fs::create_dir_all(&path).map_err(error::io("creating the folder"))?;
    open_folder(&path)
}

fn open_folder(path: &Path) -> Result<Option<Handle>, TierError> {
    match metadata(path)? {
        None => Ok(None),
        Some(meta) if meta.is_dir() => Ok(Some(Handle(path.to_path_buf()))),
        Some(_) => Err(error::refused("it is not a folder")),
    }
}

pub(super) fn open_file(
    folder: &Handle,
    name: &str,
    _check: TrustCheck,
    write: bool,
) -> Result<Option<File>, TierError> {
    let path = folder.0.join(name);
    match metadata(&path)? {
        None => return Ok(None),
        Some(meta) if !meta.is_file() => return Err(error::refused("it is not a regular file")),
        Some(_) => {}
    }
    found(
        OpenOptions::new().read(true).write(write).open(&path),
        "opening",
    )
}

pub(super) fn create_new(folder: &Handle, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    options.open(folder.0.join(name))
}

pub(super) fn rename(folder: &Handle, from: &str, to: &str) -> io::Result<()> {
    fs::rename(folder.0.join(from), folder.0.join(to))
}

/// There is no portable way to sync a folder.
#[allow(clippy::unnecessary_wraps)] // The Unix operation can fail.
pub(super) fn sync(_folder: &Handle) -> io::Result<()> {
    Ok(())
}

pub(super) fn remove(folder: &Handle, name: &str) -> io::Result<()> {
    fs::remove_file(folder.0.join(name))
}

pub(super) fn info(folder: &Handle, name: &str) -> io::Result<FileInfo> {
    let meta = fs::symlink_metadata(folder.0.join(name))?;
    Ok(FileInfo {
        is_file: meta.is_file(),
        len: meta.len(),
        modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
    })
}

pub(super) fn names(folder: &Handle) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for item in fs::read_dir(&folder.0)? {
        names.extend(item?.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(feature = "sqlite")]
pub(super) fn verified_file(
    folder: &Handle,
    _path: &Path,
    name: &str,
    _check: TrustCheck,
) -> Result<Option<super::VerifiedFile>, TierError> {
    let path = folder.0.join(name);
    match metadata(&path)? {
        None => Ok(None),
        Some(meta) if meta.is_file() => Ok(Some(super::VerifiedFile {
            path,
            identity: (0, 0),
        })),
        Some(_) => Err(error::refused("it is not a regular file")),
    }
}

/// The metadata of a path; a link is refused.
fn metadata(path: &Path) -> Result<Option<Metadata>, TierError> {
    match found(fs::symlink_metadata(path), "reading the metadata")? {
        Some(meta) if meta.is_symlink() => Err(error::refused("it is a symbolic link")),
        meta => Ok(meta),
    }
}
