//! A file for a library that opens files by path, such as SQLite: verified so that the path leads to
//! the same file when the library walks it.
//!
//! A handle cannot be handed over, so more is asked of the way: every folder above is one in which
//! nobody else may rename. The file itself is never opened once it is there: closing any handle
//! to it would give back the locks that the library holds in this process.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::trust::refuse_unsafe_parent;
use super::{Absent, Folder, steps, verify_file};
use crate::tier::disk::files::Named;
use crate::tier::disk::reason::Reason;
use crate::tier::disk::steps::Step;

impl Folder {
    /// The verified file `name`, made with mode 0600 where it is missing; `None` where it stays so.
    pub(crate) fn named(&self, name: &str, absent: Absent) -> Result<Option<Named>, Reason> {
        let folder = steps::run(Step::Stat, || fs::canonicalize(&self.path))?;
        let (reached, held) = steps::run(Step::Stat, || {
            Ok((fs::symlink_metadata(&folder)?, self.handle.metadata()?))
        })?;
        if (reached.dev(), reached.ino()) != (held.dev(), held.ino()) {
            return Err(Reason::UnsafeParent);
        }
        for above in folder.ancestors().skip(1) {
            refuse_unsafe_parent(&steps::run(Step::Stat, || fs::symlink_metadata(above))?)?;
        }
        let path = folder.join(name);
        // Twice: someone else may make it between the two steps.
        for _ in 0..2 {
            if let Some(meta) = meta_of(&path)? {
                verify_file(&meta)?;
                return Ok(Some(Named {
                    path,
                    identity: (meta.dev(), meta.ino()),
                    len: meta.len(),
                }));
            }
            if absent == Absent::Leave {
                return Ok(None);
            }
            match self.create_new(name) {
                Err(Reason::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                }
                made => drop(made?),
            }
        }
        Err(Reason::Busy)
    }
}

fn meta_of(path: &Path) -> Result<Option<fs::Metadata>, Reason> {
    match steps::raw(Step::Stat, || fs::symlink_metadata(path)) {
        Ok(meta) if meta.is_symlink() => Err(Reason::Link),
        Ok(meta) => Ok(Some(meta)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Reason::Io {
            step: Step::Stat,
            source,
        }),
    }
}
