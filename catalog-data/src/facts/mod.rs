//! Facts: what the listing does not say. Limits, prices, capabilities, endpoints, announced ends and
//! successors of models, each with its source and date.
//!
//! Absent is unknown, not "no". A catalog has the facts of its document, else those of the bundle, so a
//! refreshed catalog keeps them. Lookups do not allocate.
//!
//! ```
//! # #[cfg(all(feature = "bundle", feature = "facts"))] {
//! use bedrock_catalog_data::facts::{Capability, Tier, Usage};
//! use bedrock_catalog_data::{Catalog, Policy};
//!
//! let catalog = Catalog::bundled();
//! let sonnet = catalog.model("anthropic.claude-sonnet-4-6").unwrap();
//! assert_eq!(sonnet.context_window(), Some(1_000_000));
//! assert_eq!(sonnet.supports(&Capability::Tools), Some(true));
//! let context = sonnet.facts().unwrap().context_window().unwrap();
//! assert_eq!(context.source.name, "card");
//!
//! let route = sonnet.route("eu-central-1", Policy::Geography)?;
//! let cost = route.cost(&Tier::Standard, &Usage::new(10_000, 500)).unwrap();
//! assert_eq!(cost.to_string(), "0.04125");
//! # }
//! # Ok::<(), bedrock_catalog_data::QueryError>(())
//! ```
//!
//! | question | items |
//! |---|---|
//! | limits, capabilities, APIs | [`Model::facts`](crate::Model::facts), [`Facts`], [`Capability`] |
//! | prices | [`Route::price`](crate::Route::price), [`PriceSet`], [`Usage`], [`Decimal`] |
//! | ends and successors | [`Model::end_of_life`](crate::Model::end_of_life), [`Model::successor`](crate::Model::successor), [`Former`] |
//! | bedrock-mantle | [`Catalog::mantle`](crate::Catalog::mantle), [`Mantle`] |
//! | plain data, `facts.json` | [`FactsDocument`] |
//!
//! `docs/facts.md` of the project names the sources and the rules where they disagree.

mod decimal;
mod document;
mod ends;
mod explain;
mod former;
mod from_document;
#[cfg(feature = "serde")]
mod grouped;
mod link;
mod mantle;
mod model;
mod owned;
mod price;
pub(crate) mod rows;
#[cfg(feature = "serde")]
mod serialize;
mod terms;
mod to_document;
mod usage;
mod value;

pub use decimal::{Decimal, ParseDecimalError};
pub use document::{
    AmountEntry, FactEntry, FactsDocument, FactsEntry, FormerEntry, MantleEntry, PriceEntry,
    QuotaEntry, SourceEntry,
};
pub use former::Former;
pub use mantle::{Endpoint, Mantle};
pub use model::{Facts, Quota};
pub use price::{Price, PriceRoute, PriceRouteKind, PriceSet};
pub use terms::{Api, Capability, PriceKind, PriceUnit, QuotaMetric, ReasoningLevel, Tier};
pub use usage::Usage;
pub use value::{Fact, FactSource};

pub(crate) use link::FactsOfCatalog;
