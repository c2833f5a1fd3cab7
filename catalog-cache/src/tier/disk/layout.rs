//! Where things lie inside a location. This file knows names and touches nothing.

use sha2::{Digest, Sha256};

use crate::{Codec, Key, hex};

/// The file that writers to one folder lock.
pub(crate) const LOCK: &str = "lock";
/// The folder of the hashed entries of one namespace.
pub(crate) const ENTRIES: &str = "entries";

const ENTRY: &str = ".jsonl";
const LEASE: &str = ".lease";

/// A version of everything below: what the codec writes, and which `MAJOR.MINOR` of the package wrote it.
/// Two versions share a location and never meet: each writes its own folder and leaves the others
/// alone. A patch update keeps the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Format(String);

/// The `MAJOR.MINOR` that brought the codec's format, and has its folder without a suffix.
const FIRST_LINE: &str = "0.1";

impl Format {
    /// What a codec reads, newest first. The first is also what is written.
    pub(crate) fn all_of(codec: &Codec) -> Vec<Self> {
        let mut all: Vec<Self> = codec.lines().map(Self::of_line).collect();
        if all.is_empty() {
            all.push(Self::of_line(FIRST_LINE));
        }
        #[cfg(test)]
        all.push(Self("v0".to_owned())); // Never released: stands for an older format.
        all
    }

    /// `v1`, or `v1-0.2` where `0.2` still writes the format that `0.1` brought.
    fn of_line(line: &str) -> Self {
        let plain = line.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        Self(match line {
            FIRST_LINE => format!("v{}", Codec::FORMAT),
            _ if plain => format!("v{}-{line}", Codec::FORMAT),
            _ => format!("v{}-other", Codec::FORMAT),
        })
    }

    /// The name of its folder.
    pub(crate) fn folder(&self) -> &str {
        &self.0
    }
}

// A new format of the codec needs a first line of its own.
const _: () = assert!(Codec::FORMAT == 1);

/// Where an entry lies in the folder of its namespace.
///
/// ```text
/// LOCATION/
/// └── v1/                        the format (`v1-0.2/`: of a later minor version that kept it)
///     └── 6f1e…32 digits/        the namespace
///         ├── lock               locked while something is written here
///         ├── catalog.jsonl      Place::WellKnown: the one entry that people look for
///         ├── catalog.lease      who computes it, until when
///         └── entries/           Place::Hashed: all others
///             └── 3a/            the first two digits of the hash
///                 ├── lock       the same for this folder
///                 ├── 3a9c…64 digits.jsonl
///                 └── 3a9c…64 digits.lease
/// ```
/// Folders have mode 0700, files 0600. A name ending in `.tmp` is being written, or litter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A file with a name for people.
    WellKnown(String),
    /// A file named by the SHA-256 of the key.
    Hashed(String),
}

impl Place {
    /// The place of a key, where `well_known` is the key that has a name.
    pub(crate) fn of(key: &Key, well_known: Option<&(Key, String)>) -> Self {
        if let Some((_, name)) = well_known.filter(|(known, _)| known == key) {
            return Self::WellKnown(name.clone());
        }
        Self::Hashed(hex::lower(&Sha256::digest(key.as_str().as_bytes())))
    }

    /// The folder below [`ENTRIES`], where there is one.
    pub(crate) fn folder(&self) -> Option<&str> {
        match self {
            Self::WellKnown(_) => None,
            Self::Hashed(hash) => hash.get(..2),
        }
    }

    fn stem(&self) -> &str {
        match self {
            Self::WellKnown(stem) | Self::Hashed(stem) => stem,
        }
    }

    /// The name of the entry's file.
    pub(crate) fn entry(&self) -> String {
        format!("{}{ENTRY}", self.stem())
    }

    /// The name of the lease on computing it.
    pub(crate) fn lease(&self) -> String {
        format!("{}{LEASE}", self.stem())
    }

    /// The path below the folder of the namespace, for logs.
    pub(crate) fn path(&self) -> String {
        match self.folder() {
            None => self.entry(),
            Some(folder) => format!("{ENTRIES}/{folder}/{}", self.entry()),
        }
    }
}

/// What a file is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An entry.
    Entry,
    /// A lease.
    Lease,
    /// A file being written, or what is left of one.
    Temporary,
    /// Not ours to judge.
    Other,
}

impl Kind {
    /// The kind of the file of this name.
    pub(crate) fn of(name: &str) -> Self {
        if name.ends_with(super::files::TEMPORARY) {
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

/// Whether a name is that of a folder of hashed entries.
pub(crate) fn is_entries_folder(name: &str) -> bool {
    name.len() == 2 && hex::is_lower(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_key_has_a_name_and_the_others_a_hash() {
        let catalog = Key::new("catalog", "whole", "aws");
        let well_known = (catalog.clone(), "catalog".to_owned());
        let place = Place::of(&catalog, Some(&well_known));
        assert_eq!(place.path(), "catalog.jsonl");
        assert_eq!(place.lease(), "catalog.lease");

        let other = Place::of(&catalog.sub("x"), Some(&well_known));
        let path = other.path();
        let hash = path
            .rsplit('/')
            .next()
            .unwrap()
            .strip_suffix(".jsonl")
            .unwrap();
        assert_eq!(hash.len(), 64);
        assert_eq!(path, format!("entries/{}/{hash}.jsonl", &hash[..2]));
        assert!(is_entries_folder(other.folder().unwrap()));
        assert_eq!(Kind::of(&other.entry()), Kind::Entry);
    }

    #[test]
    fn temporary_files_are_told_by_their_end() {
        assert_eq!(Kind::of("catalog.jsonl.77.00.tmp"), Kind::Temporary);
        assert_eq!(Kind::of("catalog.lease"), Kind::Lease);
        assert_eq!(Kind::of(LOCK), Kind::Other);
        assert_eq!(Kind::of("README"), Kind::Other);
    }
}
