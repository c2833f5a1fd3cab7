//! The endpoint bedrock-mantle: the ids that it serves, its regions and APIs.

use core::fmt;

use super::rows::{FactKind, FactRow, FactTables};
use super::value::RowOf;
use super::{Api, Fact, PriceRoute, PriceSet, Tier};
use crate::catalog::Catalog;
use crate::model::Model;

/// An endpoint that serves a model.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Endpoint<'a> {
    /// bedrock-runtime, under the ids of the catalog.
    Runtime,
    /// bedrock-mantle, under an id of its own.
    Mantle(Mantle<'a>),
}

impl Endpoint<'_> {
    /// The name: `bedrock-runtime` or `bedrock-mantle`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Runtime => "bedrock-runtime",
            Self::Mantle(_) => "bedrock-mantle",
        }
    }
}

/// An id that the endpoint bedrock-mantle serves. It is no id of bedrock-runtime, unless a catalog has
/// it too.
///
/// A handle into its catalog, `Copy`. No method allocates.
///
/// ```
/// # #[cfg(all(feature = "bundle", feature = "facts"))] {
/// use bedrock_catalog_data::Catalog;
///
/// let catalog = Catalog::bundled();
/// let alias = catalog.mantle("openai.gpt-oss-120b").unwrap();
/// assert_eq!(alias.model().unwrap().id(), "openai.gpt-oss-120b-1:0");
/// let only = catalog.mantle("google.gemma-4-31b").unwrap();
/// assert!(only.regions().any(|region| region == "us-east-1"));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Mantle<'a> {
    catalog: &'a Catalog,
    of: RowOf<'a>,
}

impl<'a> Mantle<'a> {
    fn new(catalog: &'a Catalog, tables: &'a FactTables, row: &'a FactRow) -> Self {
        Self {
            catalog,
            of: RowOf { tables, row },
        }
    }

    /// The id on bedrock-mantle.
    pub fn id(&self) -> &'a str {
        self.of.id()
    }

    /// The id of the same model on bedrock-runtime, if the facts or the catalog know one.
    pub fn model_id(&self) -> Option<&'a str> {
        self.of
            .base()
            .or_else(|| Some(self.catalog.model(self.id())?.id()))
    }

    /// The model of the catalog; `None` if bedrock-mantle alone serves it.
    pub fn model(&self) -> Option<Model<'a>> {
        self.catalog.model(self.model_id()?)
    }

    /// The regions that serve it, sorted; empty if no source says.
    pub fn regions(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.of.words(FactKind::Regions)
    }

    /// The regions as text with their source.
    pub(crate) fn regions_fact(&self) -> Option<Fact<'a, ()>> {
        self.of.fact(FactKind::Regions, |_, _| Some(()))
    }

    /// The APIs, sorted; empty if no source says.
    pub fn apis(&self) -> impl Iterator<Item = &'a Api> + Clone + use<'a> {
        self.of.terms(FactKind::Apis, &self.of.tables.apis)
    }

    /// The path of the APIs below the endpoint's address, such as `/openai/v1`; `None` if no source says.
    ///
    /// The address is `https://bedrock-mantle.REGION.api.aws`.
    pub fn path(&self) -> Option<&'a str> {
        Some(self.of.word(FactKind::Path)?.value)
    }

    /// All known prices on this endpoint, sorted by region and tier.
    pub fn prices(&self) -> impl Iterator<Item = PriceSet<'a>> + Clone + use<'a> {
        let tables = self.of.tables;
        let rows = self.of.row.prices().of(&tables.prices).iter();
        rows.map(move |row| PriceSet::new(tables, row))
    }

    /// The prices in a region and tier; `None` if they are unknown.
    pub fn price(&self, region: &str, tier: &Tier) -> Option<PriceSet<'a>> {
        let route = PriceRoute::Mantle(region);
        self.prices()
            .find(|set| set.holds_for(route) && set.tier() == Some(tier))
    }
}

impl fmt::Debug for Mantle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mantle").field(&self.id()).finish()
    }
}

impl Catalog {
    /// The id with this text on the endpoint bedrock-mantle. A binary search.
    pub fn mantle(&self, id: &str) -> Option<Mantle<'_>> {
        let tables = self.facts.tables();
        Some(Mantle::new(self, tables, tables.find(&tables.mantle, id)?))
    }

    /// All ids of the endpoint bedrock-mantle, sorted.
    pub fn mantle_ids(&self) -> impl ExactSizeIterator<Item = Mantle<'_>> + Clone {
        let tables = self.facts.tables();
        let rows = tables.mantle.iter();
        rows.map(move |row| Mantle::new(self, tables, row))
    }
}
