//! The checks of owner, mode and links, on the metadata of an open handle.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use super::{FILE_MODE, FOLDER_MODE, TrustCheck, error};
use crate::TierError;

impl TrustCheck {
    /// Verifies the folder of a location.
    pub(super) fn verify_location(self, meta: &Metadata) -> Result<(), TierError> {
        match self {
            Self::Trusted => Ok(()),
            // Others may look into it, as into any home.
            Self::Own => verify_owner(meta).and_then(|()| verify_mode(meta, 0o022, 0)),
            Self::Private => self.verify_inner(meta),
        }
    }

    /// Verifies a folder inside a location. The set-group-id bit is accepted: some systems pass it on to
    /// every new folder.
    pub(super) fn verify_inner(self, meta: &Metadata) -> Result<(), TierError> {
        verify_owner(meta)?;
        match self {
            Self::Trusted => Ok(()),
            _ => verify_mode(meta, 0o5777, FOLDER_MODE),
        }
    }

    pub(super) fn verify_file(self, meta: &Metadata) -> Result<(), TierError> {
        if meta.is_symlink() {
            return Err(error::refused("it is a symbolic link"));
        }
        if !meta.is_file() {
            return Err(error::refused("it is not a regular file"));
        }
        verify_owner(meta)?;
        if self != Self::Trusted {
            verify_mode(meta, 0o7777, FILE_MODE)?;
        }
        // Zero is possible: a writer replaced the file after it was opened here.
        match meta.nlink() {
            0 | 1 => Ok(()),
            _ => Err(error::refused("it has a second name")),
        }
    }
}

/// Whether only root and this user can create something in the folder.
pub(super) fn is_closed_to_others(meta: &Metadata) -> bool {
    is_trusted_owner(meta) && meta.mode() & 0o022 == 0
}

/// Verifies a parent: no other user can replace a folder of this user in it.
pub(super) fn verify_parent(meta: &Metadata) -> Result<(), TierError> {
    let is_sticky = meta.mode() & 0o1000 != 0;
    if is_closed_to_others(meta) || (is_trusted_owner(meta) && is_sticky) {
        return Ok(());
    }
    let why = "other users can replace it: its parent is neither sticky nor private";
    Err(error::refused(why))
}

fn is_trusted_owner(meta: &Metadata) -> bool {
    meta.uid() == 0 || meta.uid() == rustix::process::geteuid().as_raw()
}

fn verify_owner(meta: &Metadata) -> Result<(), TierError> {
    match meta.uid() {
        uid if uid == rustix::process::geteuid().as_raw() => Ok(()),
        uid => Err(error::refused(format!("its owner is user {uid}"))),
    }
}

fn verify_mode(meta: &Metadata, mask: u32, expected: u32) -> Result<(), TierError> {
    match meta.mode() & 0o7777 {
        mode if mode & mask == expected => Ok(()),
        mode => Err(error::refused(format!("its mode is {mode:04o}"))),
    }
}
