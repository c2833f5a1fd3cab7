//! Ids that ended before the first recording of a catalog.

use core::fmt;

use super::Fact;
use super::rows::FactKind;
use super::value::RowOf;
use crate::Date;
use crate::catalog::Catalog;

/// The id of a model or profile that ended before the first recording of the catalog.
///
/// A handle into its catalog, `Copy`. No method allocates.
///
/// ```
/// # #[cfg(all(feature = "bundle", feature = "facts"))] {
/// use bedrock_catalog_data::{Catalog, QueryErrorKind};
///
/// let catalog = Catalog::bundled();
/// let id = "anthropic.claude-3-5-haiku-20241022-v1:0";
/// assert!(catalog.model(id).is_none());
/// let former = catalog.former(id).unwrap();
/// assert_eq!(former.end_of_life().unwrap().value.to_string(), "2026-06-19");
/// assert_eq!(catalog.unknown_model(id).kind(), QueryErrorKind::Ended);
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Former<'a> {
    of: RowOf<'a>,
}

impl<'a> Former<'a> {
    /// The id.
    pub fn id(&self) -> &'a str {
        self.of.id()
    }

    /// The id of the model that the profile served; `None` for a model.
    pub fn profile_of(&self) -> Option<&'a str> {
        self.of.base()
    }

    /// The end of life; `None` if no source says.
    pub fn end_of_life(&self) -> Option<Fact<'a, Date>> {
        self.of.day(FactKind::EndOfLife)
    }

    /// The day of the last recording that has it; `None` if none has.
    pub fn last_seen(&self) -> Option<Fact<'a, Date>> {
        self.of.day(FactKind::LastSeen)
    }

    /// The day of the first recording that does not have it any more.
    pub fn gone_by(&self) -> Option<Fact<'a, Date>> {
        self.of.day(FactKind::GoneBy)
    }

    /// The id of the model that takes its place; `None` if no source says.
    pub fn successor(&self) -> Option<Fact<'a, &'a str>> {
        self.of.word(FactKind::Successor)
    }
}

impl fmt::Debug for Former<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Former").field(&self.id()).finish()
    }
}

impl Catalog {
    /// The former model or profile with this id, unless the catalog has it again. A binary search.
    pub fn former(&self, id: &str) -> Option<Former<'_>> {
        let tables = self.facts.tables();
        let row = tables.find(&tables.former, id)?;
        let is_back = self.model(id).is_some() || self.profile(id).is_some();
        (!is_back).then_some(Former {
            of: RowOf { tables, row },
        })
    }

    /// All ids that ended before the first recording, sorted.
    pub fn former_ids(&self) -> impl ExactSizeIterator<Item = Former<'_>> + Clone {
        let tables = self.facts.tables();
        let rows = tables.former.iter();
        rows.map(move |row| Former {
            of: RowOf { tables, row },
        })
    }
}
