//! The facts of a catalog: its own, or those of the bundle.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::document::FactsDocument;
use super::rows::{BakedFacts, FactRow, FactTables};
use crate::error::QueryError;
use crate::rows::NONE;
use crate::text::StaticList;

/// The facts of a catalog, and the row of each of its models.
pub(crate) struct FactsOfCatalog {
    tables: Source,
    of_models: StaticList<u16>,
}

enum Source {
    /// Baked into the program.
    Baked(&'static FactTables),
    /// Of the catalog's document.
    Own(Box<FactTables>),
}

impl FactsOfCatalog {
    pub(crate) const fn baked(facts: BakedFacts) -> Self {
        Self {
            tables: Source::Baked(facts.tables),
            of_models: StaticList::Borrowed(facts.of_models),
        }
    }

    /// The facts of a catalog built at run time: those of its document, else those of the bundle.
    pub(crate) fn of<'m>(
        own: Option<&FactsDocument<'_>>,
        models: impl Iterator<Item = &'m str>,
    ) -> Result<Self, QueryError> {
        let tables = match own {
            Some(document) => Source::Own(Box::new(FactTables::new(document)?)),
            None => Source::Baked(bundled()),
        };
        let mut facts = Self {
            tables,
            of_models: StaticList::Borrowed(&[]),
        };
        facts.of_models = facts.numbers(models).into();
        Ok(facts)
    }

    /// The row of each model, or [`NONE`]. Both are sorted.
    fn numbers<'m>(&self, models: impl Iterator<Item = &'m str>) -> Vec<u16> {
        let tables = self.tables();
        let mut rows = tables.models.iter().zip(0u16..).peekable();
        let number = |id: &str| {
            while rows.next_if(|(row, _)| tables.word(row.id) < id).is_some() {}
            match rows.peek() {
                Some(&(row, number)) if tables.word(row.id) == id => number,
                _ => NONE,
            }
        };
        models.map(number).collect()
    }

    #[inline]
    pub(crate) fn tables(&self) -> &FactTables {
        match &self.tables {
            Source::Baked(tables) => tables,
            Source::Own(tables) => tables,
        }
    }

    /// The number of the row of each model.
    pub(crate) fn of_models(&self) -> &[u16] {
        &self.of_models
    }

    /// The facts of the document, for the inverse of [`Catalog::from_document`](crate::Catalog::from_document).
    pub(crate) fn own(&self) -> Option<FactsDocument<'_>> {
        match &self.tables {
            Source::Baked(_) => None,
            Source::Own(tables) => Some(tables.to_document()),
        }
    }

    /// The row of the model with this number.
    #[inline]
    pub(crate) fn row(&self, model: u16) -> Option<&FactRow> {
        let number = *self.of_models.get(usize::from(model))?;
        self.tables().models.get(usize::from(number))
    }
}

#[cfg(feature = "bundle")]
fn bundled() -> &'static FactTables {
    crate::bundle::FACTS.tables
}

#[cfg(not(feature = "bundle"))]
fn bundled() -> &'static FactTables {
    BakedFacts::NONE.tables
}
