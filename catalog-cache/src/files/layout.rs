//! The names of folders and files inside a location.

use hmac_sha256::Hash;

use crate::{Codec, Key, hex};

/// The lock file of a folder.
pub(crate) const LOCK: &str = "lock";
/// The folder of the hashed entries of a namespace.
pub(crate) const ENTRIES: &str = "entries";

const ENTRY: &str = ".jsonl";
const LEASE: &str = ".lease";

/// The first `MAJOR.MINOR` with the codec's current format; its folder has no suffix.
const FIRST_LINE: &str = "0.1";

// A new format of the codec needs a first line of its own.
const _: () = assert!(Codec::FORMAT == 1);

/// The folder of this codec's entries. Versions of the package that differ in `MAJOR.MINOR` share a
/// location, and each leaves the folders of the others alone.
pub(crate) fn format_folder(codec: &Codec) -> String {
    let is_plain = |line: &&str| line.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match codec.line() {
        None | Some(FIRST_LINE) => format!("v{}", Codec::FORMAT),
        Some(line) if is_plain(&line) => format!("v{}-{line}", Codec::FORMAT),
        Some(_) => format!("v{}-other", Codec::FORMAT),
    }
}

/// The place of an entry in the folder of its namespace.
///
/// ```text
/// LOCATION/
/// └── v1/                        the format (`v1-0.2/` for a later `MAJOR.MINOR` with the same one)
///     └── 6f1e…32 digits/        the namespace
///         ├── lock               held during a write to this folder
///         ├── catalog.jsonl      EntryPath::Named: the one entry with a readable name
///         ├── catalog.lease      held while a process computes it
///         └── entries/           EntryPath::Hashed: all others
///             └── 3a/            the first two digits of the hash
///                 ├── lock
///                 ├── 3a9c…64 digits.jsonl
///                 └── 3a9c…64 digits.lease
/// ```
/// Folders have mode 0700, files 0600. A name that ends in `.tmp` is a write in progress, or one of
/// a killed process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryPath {
    Named(String),
    /// Named by the SHA-256 of the key.
    Hashed(String),
}

impl EntryPath {
    /// The place of a key, where `named` is the key with a readable file name.
    pub(crate) fn of(key: &Key, named: Option<&(Key, String)>) -> Self {
        match named {
            Some((named, name)) if named == key => Self::Named(name.clone()),
            _ => Self::Hashed(hex::lower(&Hash::hash(key.as_str().as_bytes()))),
        }
    }

    /// The folder inside [`ENTRIES`], if it is in one.
    pub(crate) fn folder(&self) -> Option<&str> {
        match self {
            Self::Named(_) => None,
            Self::Hashed(hash) => hash.get(..2),
        }
    }

    fn stem(&self) -> &str {
        match self {
            Self::Named(stem) | Self::Hashed(stem) => stem,
        }
    }

    /// The file of the entry.
    pub(crate) fn entry(&self) -> String {
        format!("{}{ENTRY}", self.stem())
    }

    /// The file of its lease.
    pub(crate) fn lease(&self) -> String {
        format!("{}{LEASE}", self.stem())
    }

    /// The path from the folder of the namespace, for logs.
    pub(crate) fn path(&self) -> String {
        match self.folder() {
            None => self.entry(),
            Some(folder) => format!("{ENTRIES}/{folder}/{}", self.entry()),
        }
    }
}

/// The kind of a file, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    Entry,
    Lease,
    Temporary,
    Other,
}

impl FileKind {
    pub(crate) fn of(name: &str) -> Self {
        if name.ends_with(super::folder::TEMPORARY) {
            Self::Temporary
        } else if name.ends_with(ENTRY) {
            Self::Entry
        } else if name.ends_with(LEASE) {
            Self::Lease
        } else {
            Self::Other
        }
    }
}

/// The folder inside [`ENTRIES`] of a file with this name; `None` for one with a readable name.
pub(crate) fn folder_of(name: &str) -> Option<&str> {
    let (stem, _) = name.split_once('.')?;
    let is_hash = stem.len() == 64 && hex::is_lower(stem);
    is_hash.then(|| stem.get(..2)).flatten()
}

/// Whether a name is that of a folder of hashed entries.
pub(crate) fn is_entries_folder(name: &str) -> bool {
    name.len() == 2 && hex::is_lower(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_key_has_a_readable_name_and_the_others_a_hash() {
        let catalog = Key::new("catalog", "whole", "aws");
        let named = (catalog.clone(), "catalog".to_owned());
        let path = EntryPath::of(&catalog, Some(&named));
        assert_eq!(path.path(), "catalog.jsonl");
        assert_eq!(path.lease(), "catalog.lease");

        let other = EntryPath::of(&catalog.sub("x"), Some(&named));
        let hash = other.stem();
        assert_eq!(hash.len(), 64);
        assert_eq!(other.path(), format!("entries/{}/{hash}.jsonl", &hash[..2]));
        assert!(is_entries_folder(other.folder().unwrap()));
        assert_eq!(folder_of(&other.entry()), other.folder());
        assert_eq!(folder_of(&path.entry()), None);
        assert_eq!(FileKind::of(&other.entry()), FileKind::Entry);
    }

    #[test]
    fn a_minor_version_has_a_folder_of_its_own_and_a_patch_has_not() {
        let folder = |version: &str| format_folder(&Codec::new(version));
        assert_eq!(folder("0.1.0"), "v1");
        assert_eq!(folder("0.1.9"), "v1");
        assert_eq!(folder("0.2.3"), "v1-0.2");
        assert_eq!(folder("0.2/../../x.3.4"), "v1-other");
    }

    #[test]
    fn a_temporary_file_is_known_by_its_suffix() {
        assert_eq!(FileKind::of("catalog.jsonl.77.00.tmp"), FileKind::Temporary);
        assert_eq!(FileKind::of("catalog.lease"), FileKind::Lease);
        assert_eq!(FileKind::of(LOCK), FileKind::Other);
        assert_eq!(FileKind::of("README"), FileKind::Other);
    }
}
