//! The folder of one namespace in one location, and walks over all of them.

use super::error;
use super::folder::{Folder, IfMissing};
use super::layout::{ENTRIES, EntryPath, is_entries_folder};
use super::location::Location;
use crate::{Namespace, TierError};

#[derive(Debug)]
pub(crate) struct NamespaceDir(Folder);

impl NamespaceDir {
    /// Opens the folder of a namespace in the folder `format` of a location.
    pub(crate) fn open(
        location: &Location,
        format: &str,
        namespace: &Namespace,
        if_missing: IfMissing,
    ) -> Result<Option<Self>, TierError> {
        match open_format(location, format, if_missing)? {
            Some(format) => Ok(format.child(&namespace.to_string(), if_missing)?.map(Self)),
            None => Ok(None),
        }
    }

    /// The folder of hashed entries `name`, or the namespace's own for `None`.
    pub(crate) fn folder(
        &self,
        name: Option<&str>,
        if_missing: IfMissing,
    ) -> Result<Option<Folder>, TierError> {
        let Some(name) = name else {
            return self.0.try_clone().map(Some);
        };
        match self.0.child(ENTRIES, if_missing)? {
            Some(entries) => entries.child(name, if_missing),
            None => Ok(None),
        }
    }

    /// The folder of an entry, created if missing.
    pub(crate) fn create_folder_of(&self, path: &EntryPath) -> Result<Folder, TierError> {
        let folder = self.folder(path.folder(), IfMissing::Create)?;
        folder.ok_or_else(error::missing)
    }

    /// The bytes of an entry, at most `cap`.
    pub(crate) fn read(&self, path: &EntryPath, cap: u64) -> Result<Option<Vec<u8>>, TierError> {
        match path.folder() {
            None => self.0.read(&path.entry(), cap),
            name => match self.folder(name, IfMissing::Leave)? {
                Some(folder) => folder.read(&path.entry(), cap),
                None => Ok(None),
            },
        }
    }

    /// Removes an entry; whether there was one.
    pub(crate) fn remove(&self, path: &EntryPath) -> Result<bool, TierError> {
        match self.folder(path.folder(), IfMissing::Leave)? {
            Some(folder) => folder.remove(&path.entry()),
            None => Ok(false),
        }
    }

    /// Visits every folder with entries. After an error the others are visited, and the error is returned
    /// at the end.
    pub(crate) fn walk(
        &self,
        visit: &mut dyn FnMut(&Folder) -> Result<(), TierError>,
    ) -> Result<(), TierError> {
        let mut result = visit(&self.0);
        let Some(entries) = self.0.child(ENTRIES, IfMissing::Leave)? else {
            return result;
        };
        for name in entries.names()? {
            if !is_entries_folder(&name) {
                continue;
            }
            let visited = match entries.child(&name, IfMissing::Leave) {
                Ok(Some(folder)) => visit(&folder),
                Ok(None) => Ok(()),
                Err(error) => Err(error.at(entries.path().join(&name))),
            };
            result = result.and(visited);
        }
        result
    }
}

/// Visits every namespace of a location.
pub(crate) fn each_namespace(
    location: &Location,
    format: &str,
    visit: &mut dyn FnMut(Namespace, &NamespaceDir) -> Result<(), TierError>,
) -> Result<(), TierError> {
    let Some(format) = open_format(location, format, IfMissing::Leave)? else {
        return Ok(());
    };
    let mut result = Ok(());
    for name in format.names()? {
        let Ok(namespace) = name.parse() else {
            continue;
        };
        let visited = match format.child(&name, IfMissing::Leave) {
            Ok(Some(folder)) => visit(namespace, &NamespaceDir(folder)),
            Ok(None) => Ok(()),
            Err(error) => Err(error.at(format.path().join(&name))),
        };
        result = result.and(visited);
    }
    result
}

/// The folder of a format in a location.
pub(crate) fn open_format(
    location: &Location,
    format: &str,
    if_missing: IfMissing,
) -> Result<Option<Folder>, TierError> {
    match location.open(if_missing)? {
        Some(folder) => folder.child(format, if_missing),
        None => Ok(None),
    }
}
