//! The ids of a document, checked and numbered in sorted order.

use alloc::format;
use alloc::vec::Vec;

use super::too_many;
use crate::error::QueryError;
use crate::index::BuiltIndex;

/// The longest id, in bytes.
const MAX_ID_LEN: usize = 16 << 10;

/// Distinct ids of one kind. The number of an id is its position in sorted order.
pub(super) struct Ids<'d> {
    sorted: Vec<&'d str>,
    index: BuiltIndex,
}

impl<'d> Ids<'d> {
    pub(super) fn new(
        what: &str,
        most: usize,
        ids: impl Iterator<Item = &'d str>,
    ) -> Result<Self, QueryError> {
        let mut sorted: Vec<&str> = ids.collect();
        if sorted.len() > most {
            return Err(too_many(what, most));
        }
        sorted.sort_unstable();
        if let Some([id, _]) = sorted.array_windows().find(|[a, b]| a == b) {
            return Err(QueryError::invalid(format!(
                "two {what} have the id {id:?}"
            )));
        }
        let strange = |id: &&&str| id.is_empty() || id.len() > MAX_ID_LEN;
        if let Some(id) = sorted.iter().find(strange) {
            let len = id.len();
            return Err(QueryError::invalid(format!(
                "an id of {what} has {len} bytes"
            )));
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

    /// The index from ids to rows, which have the same order.
    pub(super) fn into_index(self) -> BuiltIndex {
        self.index
    }
}
