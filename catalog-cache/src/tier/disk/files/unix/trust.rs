//! Whom to trust: what owner, mode and links of a file or a folder say of it. Judges what was read from an
//! open handle, and opens nothing.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use super::{FILE_MODE, FOLDER_MODE};
use crate::tier::disk::reason::Reason;

fn is_trusted_owner(meta: &Metadata) -> bool {
    meta.uid() == 0 || meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether only root and this user may put something into the folder.
pub(super) fn is_ours_alone(meta: &Metadata) -> bool {
    is_trusted_owner(meta) && meta.mode() & 0o022 == 0
}

/// A folder above one of ours: owned by us or by root, and either sticky or theirs to write alone.
pub(super) fn refuse_unsafe_parent(meta: &Metadata) -> Result<(), Reason> {
    let is_sticky = meta.mode() & 0o1000 != 0;
    if is_ours_alone(meta) || (is_trusted_owner(meta) && is_sticky) {
        Ok(())
    } else {
        Err(Reason::UnsafeParent)
    }
}

pub(super) fn refuse_foreign(meta: &Metadata) -> Result<(), Reason> {
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Reason::ForeignOwner(meta.uid()));
    }
    Ok(())
}

pub(super) fn refuse_writable(meta: &Metadata) -> Result<(), Reason> {
    if meta.mode() & 0o022 != 0 {
        return Err(Reason::Mode(meta.mode() & 0o7777));
    }
    Ok(())
}

/// The set-group-id bit is let pass: some systems hand it down to every new folder.
pub(super) fn refuse_not_private(meta: &Metadata) -> Result<(), Reason> {
    if meta.mode() & 0o5777 != FOLDER_MODE {
        return Err(Reason::Mode(meta.mode() & 0o7777));
    }
    Ok(())
}

pub(super) fn verify_file(meta: &Metadata) -> Result<(), Reason> {
    if !meta.is_file() || meta.file_type().is_fifo() {
        return Err(Reason::NotAFile);
    }
    refuse_foreign(meta)?;
    if meta.mode() & 0o7777 != FILE_MODE {
        return Err(Reason::Mode(meta.mode() & 0o7777));
    }
    // None is lawful: a writer gave the name to a newer file since we opened this one.
    if meta.nlink() > 1 {
        return Err(Reason::HardLinked);
    }
    Ok(())
}
