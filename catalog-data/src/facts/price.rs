//! Prices: sets of one route and tier, and single prices.

use core::fmt;

use super::rows::{AmountRow, FactTables, PriceRow, Scope};
use super::{Decimal, FactSource, PriceKind, PriceUnit, Tier, Usage};
use crate::enums::Geography;

/// The route that a price is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PriceRoute<'a> {
    /// On demand in this region.
    InRegion(&'a str),
    /// Through the profile of this geography.
    Geography(&'a Geography),
    /// Through the global profile.
    Global,
    /// On the endpoint bedrock-mantle of this region.
    Mantle(&'a str),
}

/// The kind of route that prices are for. Printed and serialized in kebab case.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum PriceRouteKind {
    /// On demand in a region.
    InRegion,
    /// Through the profile of a geography.
    Geography,
    /// Through the global profile.
    Global,
    /// On the endpoint bedrock-mantle of a region.
    Mantle,
}

impl PriceRouteKind {
    /// The kind in kebab case: `in-region`, `geography`, `global`, `mantle`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InRegion => "in-region",
            Self::Geography => "geography",
            Self::Global => "global",
            Self::Mantle => "mantle",
        }
    }
}

impl fmt::Display for PriceRouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The prices of one kind of route and one tier.
///
/// A handle into its catalog, `Copy`. No method allocates.
#[derive(Clone, Copy)]
pub struct PriceSet<'a> {
    tables: &'a FactTables,
    row: &'a PriceRow,
}

/// A price. Printed as `0.8 USD per million tokens`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Price<'a> {
    /// The thing that it is for.
    pub kind: &'a PriceKind,
    /// The number of tokens of input above which it holds.
    pub above: Option<u32>,
    /// The unit.
    pub unit: &'a PriceUnit,
    /// The amount for one unit.
    pub amount: Decimal,
    /// The currency, as ISO 4217 writes it.
    pub currency: &'a str,
}

impl<'a> PriceSet<'a> {
    pub(super) fn new(tables: &'a FactTables, row: &'a PriceRow) -> Self {
        Self { tables, row }
    }

    /// The kind of route.
    pub fn kind(&self) -> PriceRouteKind {
        match self.row.scope {
            Scope::InRegion(_) => PriceRouteKind::InRegion,
            Scope::Geography(_) => PriceRouteKind::Geography,
            Scope::Global => PriceRouteKind::Global,
            Scope::Mantle(_) => PriceRouteKind::Mantle,
        }
    }

    /// The geography of the profile; `None` for other routes.
    pub fn geography(&self) -> Option<&'a Geography> {
        match self.row.scope {
            Scope::Geography(number) => self.tables.geographies.get(usize::from(number)),
            _ => None,
        }
    }

    /// The regions in which the prices hold, sorted; empty for profiles, whose prices hold from every
    /// source region.
    pub fn regions(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let tables = self.tables;
        let members = match self.row.scope {
            Scope::InRegion(list) | Scope::Mantle(list) => tables.list(list.into()),
            _ => &[],
        };
        members.iter().map(|member| tables.word(member.number))
    }

    /// Whether these are prices of the route.
    pub fn holds_for(&self, route: PriceRoute<'_>) -> bool {
        match (route, self.row.scope) {
            (PriceRoute::InRegion(region), Scope::InRegion(_))
            | (PriceRoute::Mantle(region), Scope::Mantle(_)) => {
                self.regions().any(|id| id == region)
            }
            (PriceRoute::Geography(wanted), Scope::Geography(_)) => {
                self.geography() == Some(wanted)
            }
            (PriceRoute::Global, Scope::Global) => true,
            _ => false,
        }
    }

    /// The tier.
    pub fn tier(&self) -> Option<&'a Tier> {
        self.tables.tiers.get(usize::from(self.row.tier))
    }

    /// The currency, as ISO 4217 writes it.
    pub fn currency(&self) -> &'a str {
        self.iter().next().map_or("", |price| price.currency)
    }

    /// The source.
    pub fn source(&self) -> Option<FactSource<'a>> {
        FactSource::of(self.tables, self.row.mark)
    }

    /// All prices, sorted by unit, length of the input and kind.
    pub fn iter(&self) -> impl Iterator<Item = Price<'a>> + Clone + use<'a> {
        let set = *self;
        let rows = set.row.amounts().of(&set.tables.amounts).iter();
        rows.filter_map(move |row| set.read(row))
    }

    fn read(self, row: &AmountRow) -> Option<Price<'a>> {
        let term = self.tables.terms.get(usize::from(row.term))?;
        Some(Price {
            kind: self.tables.kinds.get(usize::from(term.kind))?,
            above: Some(term.above).filter(|&above| above > 0),
            unit: self.tables.units.get(usize::from(term.unit))?,
            amount: Decimal::baked(row.mantissa, row.scale),
            currency: self.tables.word(term.currency),
        })
    }

    /// The price of a kind for short inputs; `None` if it is unknown.
    pub fn price(&self, kind: &PriceKind) -> Option<Price<'a>> {
        self.price_at(kind, None, 0)
    }

    /// The price of a kind for an input of this many tokens, with those in the cache.
    pub fn price_for(&self, kind: &PriceKind, input_tokens: u64) -> Option<Price<'a>> {
        self.price_at(kind, None, input_tokens)
    }

    /// The price with the largest threshold below the length of the input.
    pub(super) fn price_at(
        &self,
        kind: &PriceKind,
        unit: Option<&PriceUnit>,
        input_tokens: u64,
    ) -> Option<Price<'a>> {
        let holds = |price: &Price<'a>| {
            price.kind == kind
                && unit.is_none_or(|unit| price.unit == unit)
                && price
                    .above
                    .is_none_or(|above| input_tokens > u64::from(above))
        };
        self.iter().filter(holds).max_by_key(|price| price.above)
    }

    /// The exact cost of a request; `None` if a price that it needs is unknown, or the sum is beyond 38
    /// digits.
    ///
    /// The length of the input, with the tokens of the cache, selects the prices of long inputs.
    ///
    /// ```
    /// # #[cfg(all(feature = "bundle", feature = "facts"))] {
    /// use bedrock_catalog_data::Catalog;
    /// use bedrock_catalog_data::facts::{PriceRoute, Tier, Usage};
    ///
    /// let sonnet = Catalog::bundled().model("anthropic.claude-sonnet-4-5-20250929-v1:0").unwrap();
    /// let prices = sonnet.price(PriceRoute::Global, &Tier::Standard).unwrap();
    /// let short = Usage::new(100_000, 1_000);
    /// assert_eq!(prices.cost(&short).unwrap().to_string(), "0.315");
    /// let long = Usage::new(300_000, 1_000);
    /// assert_eq!(prices.cost(&long).unwrap().to_string(), "1.8225");
    /// # }
    /// ```
    pub fn cost(&self, usage: &Usage) -> Option<Decimal> {
        let length = usage.input_length();
        let mut sum = Decimal::ZERO;
        for (kind, unit, count) in usage.parts() {
            if count == 0 {
                continue;
            }
            let price = self.price_at(kind, Some(unit), length)?;
            let cost = price.amount.checked_mul(count)?;
            let cost = match unit {
                PriceUnit::MillionTokens => cost.shifted(-6)?,
                _ => cost,
            };
            sum = sum.checked_add(cost)?;
        }
        Some(sum)
    }
}

impl fmt::Debug for PriceSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PriceSet");
        debug.field("kind", &self.kind());
        debug.field("tier", &self.tier());
        debug.finish_non_exhaustive()
    }
}

impl fmt::Display for Price<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            PriceUnit::MillionTokens => "million tokens",
            other => other.as_str(),
        };
        write!(f, "{} {} per {unit}", self.amount, self.currency)
    }
}
