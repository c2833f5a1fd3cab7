//! The ids of a document: checked, and numbered in their order.

use alloc::format;
use alloc::vec::Vec;

use super::too_many;
use crate::error::Error;
use crate::index::BuiltIndex;

/// The longest id, in bytes.
const LONGEST_ID: usize = 16 << 10;

/// Distinct ids of one kind; the number of one is its place among them, sorted.
pub(super) struct Ids<'d> {
    sorted: Vec<&'d str>,
    index: BuiltIndex,
}

impl<'d> Ids<'d> {
    pub(super) fn new(
        what: &str,
        most: usize,
        ids: impl Iterator<Item = &'d str>,
    ) -> Result<Self, Error> {
        let mut sorted: Vec<&str> = ids.collect();
        if sorted.len() > most {
            return Err(too_many(what, most));
        }
        sorted.sort_unstable();
        if let Some([id, _]) = sorted.array_windows().find(|[a, b]| a == b) {
            return Err(Error::invalid(format!("two {what} have the id {id:?}")));
        }
        let strange = |id: &&&str| id.is_empty() || id.len() > LONGEST_ID;
        if let Some(id) = sorted.iter().find(strange) {
            let len = id.len();
            return Err(Error::invalid(format!("an id of {what} has {len} bytes")));
        }
        let index = BuiltIndex::new(sorted.iter().copied());
        let index = index.ok_or_else(|| too_many(what, most))?;
        Ok(Self { sorted, index })
    }

    pub(super) fn find(&self, id: &str) -> Option<u16> {
        let id_of = |number| self.sorted.get(usize::from(number)).copied();
        self.index.find(id, id_of)
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'d str> {
        self.sorted.iter().copied()
    }

    /// What finds the rows of a catalog, which are in the same order.
    pub(super) fn into_index(self) -> BuiltIndex {
        self.index
    }
}
