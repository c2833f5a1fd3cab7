//! The facts of a model.

use core::fmt;

use super::rows::{FactKind, FactRow, FactTables, PriceRow};
use super::value::{RowOf, day_of};
use super::{
    Api, Capability, Decimal, Endpoint, Fact, FactSource, FactsDocument, PriceRoute, PriceSet,
    QuotaMetric, ReasoningLevel, Tier, Usage,
};
use crate::Date;
use crate::catalog::Catalog;
use crate::model::Model;
use crate::route::{Route, RouteKind};

/// The facts of a model. Absent is unknown.
///
/// A handle into its catalog, `Copy`. No method allocates.
///
/// ```
/// # #[cfg(all(feature = "bundle", feature = "facts"))] {
/// use bedrock_catalog_data::Catalog;
///
/// let nova = Catalog::bundled().model("amazon.nova-pro-v1:0").unwrap();
/// let context = nova.facts().unwrap().context_window().unwrap();
/// assert_eq!((context.value, context.source.name), (300_000, "card"));
///
/// // A variant with a shorter context has the capabilities of its base.
/// let short = Catalog::bundled().model("amazon.nova-pro-v1:0:24k").unwrap();
/// let facts = short.facts().unwrap();
/// assert_eq!(facts.context_window().unwrap().value, 24_000);
/// assert_eq!(facts.base(), Some("amazon.nova-pro-v1:0"));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    of: RowOf<'a>,
}

/// A quota of Service Quotas. AWS publishes no default values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quota<'a> {
    /// The calls that it limits: `base` for the model id, `custom` for custom models, else the geography
    /// of the profile.
    pub endpoint: &'a str,
    /// The thing that it limits.
    pub metric: &'a QuotaMetric,
    /// The code in Service Quotas, such as `L-F4CAA0FD`.
    pub code: &'a str,
}

impl<'a> Facts<'a> {
    pub(super) fn new(tables: &'a FactTables, row: &'a FactRow) -> Self {
        Self {
            of: RowOf { tables, row },
        }
    }

    /// The id of the model.
    pub fn id(&self) -> &'a str {
        self.of.id()
    }

    /// The id of the model from which facts are inherited; each inherited value names it too.
    pub fn base(&self) -> Option<&'a str> {
        self.of.base()
    }

    /// The most tokens of input and output together.
    pub fn context_window(&self) -> Option<Fact<'a, u32>> {
        self.of.number_fact(FactKind::ContextWindow)
    }

    /// The most tokens of output.
    pub fn max_output_tokens(&self) -> Option<Fact<'a, u32>> {
        self.of.number_fact(FactKind::MaxOutputTokens)
    }

    /// The APIs that serve it, sorted, on any endpoint; `None` if no source says.
    pub fn apis(&self) -> Option<Fact<'a, impl Iterator<Item = &'a Api> + Clone + use<'a>>> {
        let of = self.of;
        of.fact(FactKind::Apis, |tables, _| {
            Some(of.terms(FactKind::Apis, &tables.apis))
        })
    }

    /// The known capabilities, sorted, each with yes or no.
    pub fn capabilities(
        &self,
    ) -> impl Iterator<Item = (&'a Capability, Fact<'a, bool>)> + Clone + use<'a> {
        let of = self.of;
        let members = of.members(FactKind::Capabilities).iter();
        members.filter_map(move |member| {
            let term = of.tables.capabilities.get(usize::from(member.number))?;
            Some((term, of.marked(member.mark, member.yes)?))
        })
    }

    /// Whether the model has a capability; `None` if no source says.
    pub fn supports(&self, capability: &Capability) -> Option<bool> {
        let members = self.of.members(FactKind::Capabilities).iter();
        let terms = &self.of.tables.capabilities;
        members
            .filter(|member| terms.get(usize::from(member.number)) == Some(capability))
            .map(|member| member.yes)
            .next()
    }

    /// The levels of reasoning effort, sorted by name; `None` if no source says.
    pub fn reasoning_levels(
        &self,
    ) -> Option<Fact<'a, impl Iterator<Item = &'a ReasoningLevel> + Clone + use<'a>>> {
        let of = self.of;
        of.fact(FactKind::ReasoningLevels, |tables, _| {
            Some(of.terms(FactKind::ReasoningLevels, &tables.levels))
        })
    }

    /// The fewest tokens that the prompt cache stores.
    pub fn prompt_cache_min_tokens(&self) -> Option<Fact<'a, u32>> {
        self.of.number_fact(FactKind::PromptCacheMinTokens)
    }

    /// The announced end of life. [`Model::end_of_life`] prefers the date in the listing.
    pub fn end_of_life(&self) -> Option<Fact<'a, Date>> {
        self.of.day(FactKind::EndOfLife)
    }

    pub(super) fn end_day(&self) -> Option<Date> {
        day_of(self.of.number(FactKind::EndOfLife)?)
    }

    /// The day before which the end of life does not come.
    pub fn no_sooner_than(&self) -> Option<Fact<'a, Date>> {
        self.of.day(FactKind::NoSoonerThan)
    }

    /// The length of the legacy period before the end of life, in days.
    pub fn legacy_period_days(&self) -> Option<Fact<'a, u32>> {
        self.of.number_fact(FactKind::LegacyPeriodDays)
    }

    /// The id of the model that takes its place.
    pub fn successor(&self) -> Option<Fact<'a, &'a str>> {
        self.of.word(FactKind::Successor)
    }

    /// All known prices, sorted by route and tier.
    pub fn prices(&self) -> impl Iterator<Item = PriceSet<'a>> + Clone + use<'a> {
        let tables = self.of.tables;
        let rows = self.price_rows().iter();
        rows.map(move |row| PriceSet::new(tables, row))
    }

    /// The prices of a route in a tier; `None` if they are unknown.
    pub fn price(&self, route: PriceRoute<'_>, tier: &Tier) -> Option<PriceSet<'a>> {
        self.prices()
            .find(|set| set.holds_for(route) && set.tier() == Some(tier))
    }

    fn price_rows(&self) -> &'a [PriceRow] {
        self.of.row.prices().of(&self.of.tables.prices)
    }

    /// The quotas, sorted; `None` if no source names them.
    pub fn quotas(&self) -> Option<Fact<'a, impl Iterator<Item = Quota<'a>> + Clone + use<'a>>> {
        self.of.fact(FactKind::Quotas, |tables, value| {
            let list = tables.quota_lists.get(value.value as usize).copied()?;
            let rows = list.of(&tables.quotas).iter();
            Some(rows.filter_map(move |row| {
                Some(Quota {
                    endpoint: tables.word(row.endpoint),
                    metric: tables.metrics.get(usize::from(row.metric))?,
                    code: tables.word(row.code),
                })
            }))
        })
    }
}

impl fmt::Debug for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Facts").field(&self.id()).finish()
    }
}

impl Catalog {
    /// The tables of the facts, and the row of each model. For the generator.
    #[doc(hidden)]
    pub fn fact_tables(&self) -> (&FactTables, &[u16]) {
        (self.facts.tables(), self.facts.of_models())
    }

    /// The facts of the catalog's own document; `None` if it has those of the bundle, or none.
    pub fn own_facts(&self) -> Option<FactsDocument<'_>> {
        self.facts.own()
    }

    /// The facts of an id, also of a model that this catalog does not have. A binary search.
    ///
    /// For a model of the catalog, [`Model::facts`] costs less.
    pub fn facts_of(&self, id: &str) -> Option<Facts<'_>> {
        let tables = self.facts.tables();
        Some(Facts::new(tables, tables.find(&tables.models, id)?))
    }

    /// The sources of the facts, sorted by name.
    pub fn fact_sources(&self) -> impl Iterator<Item = FactSource<'_>> {
        let tables = self.facts.tables();
        let marks = (0u8..).take(tables.sources.len());
        marks.filter_map(|mark| FactSource::of(tables, mark))
    }
}

impl<'a> Model<'a> {
    /// What is known of the model beyond the listing; `None` if nothing is. An index.
    #[inline]
    pub fn facts(&self) -> Option<Facts<'a>> {
        let facts = &self.catalog().facts;
        Some(Facts::new(facts.tables(), facts.row(self.number())?))
    }

    /// The most tokens of input and output together; `None` if it is unknown.
    ///
    /// [`Facts::context_window`] names the source.
    #[inline]
    pub fn context_window(&self) -> Option<u32> {
        self.facts()?.of.number(FactKind::ContextWindow)
    }

    /// The most tokens of output; `None` if it is unknown.
    #[inline]
    pub fn max_output_tokens(&self) -> Option<u32> {
        self.facts()?.of.number(FactKind::MaxOutputTokens)
    }

    /// Whether the model has a capability; `None` if it is unknown.
    ///
    /// ```
    /// # #[cfg(all(feature = "bundle", feature = "facts"))] {
    /// use bedrock_catalog_data::Catalog;
    /// use bedrock_catalog_data::facts::Capability;
    ///
    /// let titan = Catalog::bundled().model("amazon.titan-embed-text-v2:0").unwrap();
    /// assert_eq!(titan.supports(&Capability::Vision), Some(false));
    /// assert_eq!(titan.supports(&Capability::WebSearch), None);
    /// # }
    /// ```
    pub fn supports(&self, capability: &Capability) -> Option<bool> {
        self.facts()?.supports(capability)
    }

    /// The capabilities that the model is known to have, sorted.
    pub fn capabilities(&self) -> impl Iterator<Item = &'a Capability> + Clone + use<'a> {
        let known = self
            .facts()
            .into_iter()
            .flat_map(|facts| facts.capabilities());
        known.filter_map(|(capability, fact)| fact.value.then_some(capability))
    }

    /// The endpoints that serve the model: bedrock-runtime as the listing says, bedrock-mantle as the
    /// facts say.
    pub fn endpoints(&self) -> impl Iterator<Item = Endpoint<'a>> + use<'a> {
        let runtime = self.is_callable().then_some(Endpoint::Runtime);
        let id = self.id();
        let mantle = self.catalog().mantle_ids();
        let mantle = mantle.filter(move |mantle| mantle.model_id() == Some(id));
        runtime.into_iter().chain(mantle.map(Endpoint::Mantle))
    }

    /// The prices of a route in a tier; `None` if they are unknown.
    ///
    /// ```
    /// # #[cfg(all(feature = "bundle", feature = "facts"))] {
    /// use bedrock_catalog_data::Catalog;
    /// use bedrock_catalog_data::facts::{PriceKind, PriceRoute, Tier};
    ///
    /// let nova = Catalog::bundled().model("amazon.nova-pro-v1:0").unwrap();
    /// let prices = nova.price(PriceRoute::InRegion("us-east-1"), &Tier::Standard).unwrap();
    /// let input = prices.price(&PriceKind::Input).unwrap();
    /// assert_eq!(input.to_string(), "0.8 USD per million tokens");
    /// # }
    /// ```
    pub fn price(&self, route: PriceRoute<'_>, tier: &Tier) -> Option<PriceSet<'a>> {
        self.facts()?.price(route, tier)
    }
}

impl<'a> Route<'a> {
    /// The prices of this route in a tier; `None` if they are unknown.
    ///
    /// An in-region price is known for the regions that its source states, not for others.
    pub fn price(&self, tier: &Tier) -> Option<PriceSet<'a>> {
        let route = match self.kind() {
            RouteKind::InRegion => PriceRoute::InRegion(self.region().id()),
            RouteKind::Geography => PriceRoute::Geography(self.geography()?),
            RouteKind::Global => PriceRoute::Global,
        };
        self.model().price(route, tier)
    }

    /// The cost of a request on this route in a tier: [`PriceSet::cost`] of its prices.
    pub fn cost(&self, tier: &Tier, usage: &Usage) -> Option<Decimal> {
        self.price(tier)?.cost(usage)
    }
}
