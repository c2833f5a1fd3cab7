//! The portable twin of the files: the standard library alone.
//!
//! It makes no promise against other users of the machine: it relies on the platform's cache folder
//! being the user's own. Links and odd files are refused by name, not by handle.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Absent, Ground, Lasting, Meta, TEMPORARY, temporary_name};
use crate::tier::disk::reason::Reason;
use crate::tier::disk::steps::{self, Step};

/// What tells users apart in the name of a folder under the temp directory: the user's name, as far as
/// it can be part of a name.
pub(crate) fn user_tag() -> String {
    std::env::var("USERNAME")
        .or_else(|_| std::env::var("USER"))
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(32)
        .collect()
}

/// A folder that was looked at.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Looks at the folder of a location. `None` where it is missing and `absent` says that it
    /// stays so.
    pub(crate) fn locate(
        path: &Path,
        ground: Ground,
        absent: Absent,
    ) -> Result<Option<Self>, Reason> {
        let is_makeable = match ground {
            Ground::Own => true,
            Ground::Shared => path.parent().is_some_and(Path::is_dir),
        };
        if absent == Absent::Make && is_makeable {
            steps::run(Step::MakeFolder, || fs::create_dir_all(path))?;
        }
        Self::look(path)
    }

    /// The folder `name` in this one; `None` where it is missing and stays so.
    pub(crate) fn child(&self, name: &str, absent: Absent) -> Result<Option<Self>, Reason> {
        let path = self.path.join(name);
        match Self::look(&path)? {
            None if absent == Absent::Make => {
                match steps::raw(Step::MakeFolder, || fs::create_dir(&path)) {
                    Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(failed(Step::MakeFolder, source));
                    }
                    _ => {}
                }
                Self::look(&path)
            }
            found => Ok(found),
        }
    }

    fn look(path: &Path) -> Result<Option<Self>, Reason> {
        match kind_of(Step::OpenFolder, path)? {
            None => Ok(None),
            Some(meta) if meta.is_dir() => Ok(Some(Self {
                path: path.to_path_buf(),
            })),
            Some(_) => Err(Reason::NotAFolder),
        }
    }

    /// The same folder.
    #[allow(clippy::unnecessary_wraps)] // The Unix twin can fail.
    pub(crate) fn same(&self) -> Result<Self, Reason> {
        let path = self.path.clone();
        Ok(Self { path })
    }

    /// Where the folder is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a whole file of at most `cap` bytes; `None` where there is none.
    pub(crate) fn read(&self, name: &str, cap: u64) -> Result<Option<Vec<u8>>, Reason> {
        let Some(file) = self.open(name, OpenOptions::new().read(true))? else {
            return Ok(None);
        };
        let len = steps::run(Step::Stat, || file.metadata())?.len();
        if len > cap {
            return Err(Reason::TooLarge(len));
        }
        let mut bytes = Vec::new();
        steps::run(Step::Read, || {
            file.take(cap.saturating_add(1)).read_to_end(&mut bytes)
        })?;
        if bytes.len() as u64 > cap {
            return Err(Reason::TooLarge(bytes.len() as u64));
        }
        Ok(Some(bytes))
    }

    /// Reads at most the first `count` bytes of a file; `None` where there is none.
    pub(crate) fn read_head(&self, name: &str, count: u64) -> Result<Option<Vec<u8>>, Reason> {
        let Some(file) = self.open(name, OpenOptions::new().read(true))? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        steps::run(Step::Read, || file.take(count).read_to_end(&mut bytes))?;
        Ok(Some(bytes))
    }

    fn open(&self, name: &str, options: &OpenOptions) -> Result<Option<File>, Reason> {
        let path = self.path.join(name);
        match kind_of(Step::Open, &path)? {
            None => return Ok(None),
            Some(meta) if !meta.is_file() => return Err(Reason::NotAFile),
            Some(_) => {}
        }
        found(Step::Open, steps::raw(Step::Open, || options.open(&path)))
    }

    /// Writes a whole file under a temporary name and renames it. A failure leaves the old content
    /// and no litter.
    pub(crate) fn write(&self, name: &str, bytes: &[u8], lasting: Lasting) -> Result<(), Reason> {
        let temporary = self.path.join(temporary_name(name));
        let written = self
            .write_temporary(&temporary, bytes, lasting)
            .and_then(|()| {
                steps::run(Step::Rename, || {
                    fs::rename(&temporary, self.path.join(name))
                })
            });
        if written.is_err() {
            // Best effort: what stays is swept by the cleanup.
            let _ = fs::remove_file(&temporary);
        }
        written
    }

    fn write_temporary(
        &self,
        temporary: &Path,
        bytes: &[u8],
        lasting: Lasting,
    ) -> Result<(), Reason> {
        let mut file = create_new(temporary)?;
        steps::run(Step::Write, || file.write_all(bytes))?;
        match lasting {
            Lasting::Durable => steps::run(Step::SyncFile, || file.sync_all()),
            Lasting::Fleeting => Ok(()),
        }
    }

    /// Opens the lock file `name`, made where it is missing and never truncated.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Reason> {
        for _ in 0..2 {
            if let Some(file) = self.open(name, OpenOptions::new().read(true).write(true))? {
                return Ok(file);
            }
            match create_new(&self.path.join(name)) {
                Ok(file) => return Ok(file),
                Err(Reason::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                }
                Err(reason) => return Err(reason),
            }
        }
        Err(Reason::Busy)
    }

    /// The file `name` for a library that opens files by path; `None` where it is missing and stays
    /// so.
    #[cfg(feature = "sqlite")]
    pub(crate) fn named(&self, name: &str, absent: Absent) -> Result<Option<super::Named>, Reason> {
        let path = self.path.join(name);
        for _ in 0..2 {
            match kind_of(Step::Stat, &path)? {
                Some(meta) if meta.is_file() => {
                    return Ok(Some(super::Named {
                        path,
                        identity: (0, 0),
                        len: meta.len(),
                    }));
                }
                Some(_) => return Err(Reason::NotAFile),
                None if absent == Absent::Leave => return Ok(None),
                None => match create_new(&path) {
                    Err(Reason::Io { source, .. })
                        if source.kind() == io::ErrorKind::AlreadyExists => {}
                    made => drop(made?),
                },
            }
        }
        Err(Reason::Busy)
    }

    /// Removes a file; whether there was one.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Reason> {
        let removed = steps::raw(Step::Remove, || fs::remove_file(self.path.join(name)));
        Ok(found(Step::Remove, removed)?.is_some())
    }

    /// What is known of a name; `None` where there is none.
    pub(crate) fn meta(&self, name: &str) -> Result<Option<Meta>, Reason> {
        let meta = steps::raw(Step::Stat, || fs::symlink_metadata(self.path.join(name)));
        Ok(found(Step::Stat, meta)?.map(|meta| Meta {
            is_file: meta.is_file(),
            len: meta.len(),
            modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
        }))
    }

    /// The names in the folder, in no order; those that are not Unicode are left out.
    pub(crate) fn names(&self) -> Result<Vec<String>, Reason> {
        steps::run(Step::List, || {
            let mut names = Vec::new();
            for item in fs::read_dir(&self.path)? {
                names.extend(item?.file_name().into_string().ok());
            }
            Ok(names)
        })
    }

    /// Whether a file can be made here: makes one and removes it.
    pub(crate) fn probe(&self) -> Result<(), Reason> {
        let name = temporary_name("probe");
        debug_assert!(name.ends_with(TEMPORARY));
        drop(create_new(&self.path.join(&name))?);
        self.remove(&name).map(drop)
    }
}

fn create_new(path: &Path) -> Result<File, Reason> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    steps::run(Step::Create, || options.open(path))
}

/// The kind of what stands there; a link is refused.
fn kind_of(step: Step, path: &Path) -> Result<Option<fs::Metadata>, Reason> {
    match found(step, steps::raw(step, || fs::symlink_metadata(path)))? {
        Some(meta) if meta.is_symlink() => Err(Reason::Link),
        meta => Ok(meta),
    }
}

/// Not found is an answer.
fn found<T>(step: Step, result: io::Result<T>) -> Result<Option<T>, Reason> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(failed(step, source)),
    }
}

fn failed(step: Step, source: io::Error) -> Reason {
    Reason::Io { step, source }
}
