//! Facts as plain data: the format of `facts.json`. `facts.schema.json` is the JSON Schema.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::terms::{Api, Capability, PriceKind, PriceUnit, QuotaMetric, ReasoningLevel, Tier};
use super::{Decimal, PriceRouteKind};
use crate::Date;
use crate::enums::Geography;
use crate::text::Text;

/// Facts as plain data.
///
/// Every value names one of the [`sources`](Self::sources). Absent is unknown, not "no". In canonical
/// form every list is sorted and unique; any order is accepted.
///
/// ```
/// use bedrock_catalog_data::facts::{FactEntry, FactsDocument, FactsEntry, SourceEntry};
/// use bedrock_catalog_data::{Catalog, Document, ModelEntry, Timestamp};
///
/// let mut facts = FactsDocument::new();
/// let day = "2026-08-22".parse()?;
/// facts.sources.insert("card".into(), SourceEntry::new(day, "model cards"));
/// let mut entry = FactsEntry::new("acme.small-v1:0");
/// entry.context_window = Some(FactEntry::new(200_000, "card"));
/// facts.models.push(entry);
///
/// let mut document = Document::new("aws", Timestamp::from_unix(0).unwrap());
/// document.models.push(ModelEntry::new("acme.small-v1:0"));
/// document.facts = Some(facts);
/// let catalog = Catalog::from_document(&document)?;
/// assert_eq!(catalog.model("acme.small-v1:0").unwrap().context_window(), Some(200_000));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct FactsDocument<'a> {
    /// [`FactsDocument::FORMAT`].
    pub format: u32,
    /// The sources by their short names.
    pub sources: BTreeMap<Text<'a>, SourceEntry<'a>>,
    /// Facts of models, also of models that no catalog lists.
    pub models: Vec<FactsEntry<'a>>,
    /// The ids that the endpoint bedrock-mantle serves.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub mantle: Vec<MantleEntry<'a>>,
    /// Ids of models and profiles that ended before the first recording of a catalog.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub former: Vec<FormerEntry<'a>>,
}

impl<'a> FactsDocument<'a> {
    /// The format version that this crate reads and writes.
    pub const FORMAT: u32 = 1;

    /// The JSON Schema of the facts JSON.
    pub const JSON_SCHEMA: &'static str = include_str!("../../facts.schema.json");

    /// A document of [`FactsDocument::FORMAT`] without facts.
    pub fn new() -> Self {
        Self {
            format: Self::FORMAT,
            sources: BTreeMap::new(),
            models: Vec::new(),
            mantle: Vec::new(),
            former: Vec::new(),
        }
    }
}

impl Default for FactsDocument<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A source of facts.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct SourceEntry<'a> {
    /// The day on which the source stated its values.
    pub as_of: Date,
    /// The name of the source for people.
    pub title: Text<'a>,
    /// The address of the source.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub url: Option<Text<'a>>,
    /// The licence of the source.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub license: Option<Text<'a>>,
}

impl<'a> SourceEntry<'a> {
    /// A source without an address and a licence.
    pub fn new(as_of: Date, title: impl Into<Text<'a>>) -> Self {
        Self {
            as_of,
            title: title.into(),
            url: None,
            license: None,
        }
    }
}

/// A value with its source.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(deserialize = "'de: 'a, T: serde::Deserialize<'de>"))
)]
pub struct FactEntry<'a, T> {
    /// The value.
    pub value: T,
    /// The short name of the source.
    pub source: Text<'a>,
    /// Whether the source states it of the entry's base, not of the model itself.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub inherited: bool,
}

impl<'a, T> FactEntry<'a, T> {
    /// A value that a source states of the model itself.
    pub fn new(value: T, source: impl Into<Text<'a>>) -> Self {
        Self {
            value,
            source: source.into(),
            inherited: false,
        }
    }
}

/// The facts of a model. Absent is unknown.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct FactsEntry<'a> {
    /// The exact id of the model.
    pub id: Text<'a>,
    /// The id of the model from which facts are inherited.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub base: Option<Text<'a>>,
    /// The most tokens of input and output together.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub context_window: Option<FactEntry<'a, u32>>,
    /// The most tokens of output.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub max_output_tokens: Option<FactEntry<'a, u32>>,
    /// The APIs that serve it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub apis: Option<FactEntry<'a, Vec<Api>>>,
    /// Things that it can or cannot do.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "BTreeMap::is_empty")
    )]
    pub capabilities: BTreeMap<Capability, FactEntry<'a, bool>>,
    /// The levels of reasoning effort.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub reasoning_levels: Option<FactEntry<'a, Vec<ReasoningLevel>>>,
    /// The fewest tokens that the prompt cache stores.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub prompt_cache_min_tokens: Option<FactEntry<'a, u32>>,
    /// The announced end of life; the model is not served from this day on.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub end_of_life: Option<FactEntry<'a, Date>>,
    /// The day before which the end of life does not come.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub no_sooner_than: Option<FactEntry<'a, Date>>,
    /// The length of the legacy period before the end of life, in days.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub legacy_period_days: Option<FactEntry<'a, u32>>,
    /// The id of the model that takes its place.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub successor: Option<FactEntry<'a, Text<'a>>>,
    /// The prices.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub prices: Vec<PriceEntry<'a>>,
    /// The codes of its quotas in Service Quotas.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub quotas: Option<FactEntry<'a, Vec<QuotaEntry<'a>>>>,
}

impl<'a> FactsEntry<'a> {
    /// An entry of which only the id is known.
    pub fn new(id: impl Into<Text<'a>>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

/// The prices of one kind of route and one tier.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct PriceEntry<'a> {
    /// The kind of route.
    pub route: PriceRouteKind,
    /// The geography of the profile, for [`PriceRouteKind::Geography`] only.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub geography: Option<Geography>,
    /// The regions in which the prices hold, for [`PriceRouteKind::InRegion`] and
    /// [`PriceRouteKind::Mantle`] only.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub regions: Vec<Text<'a>>,
    /// The service tier.
    pub tier: Tier,
    /// The currency, as ISO 4217 writes it.
    pub currency: Text<'a>,
    /// The short name of the source.
    pub source: Text<'a>,
    /// The amounts.
    #[cfg_attr(feature = "serde", serde(with = "super::grouped"))]
    pub amounts: Vec<AmountEntry>,
}

impl<'a> PriceEntry<'a> {
    /// Prices in US dollars without amounts.
    pub fn new(route: PriceRouteKind, tier: Tier, source: impl Into<Text<'a>>) -> Self {
        Self {
            route,
            geography: None,
            regions: Vec::new(),
            tier,
            currency: "USD".into(),
            source: source.into(),
            amounts: Vec::new(),
        }
    }
}

/// A price. The order is that of the JSON, which groups prices by unit and threshold.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AmountEntry {
    /// The unit.
    pub unit: PriceUnit,
    /// The number of tokens of input above which the price holds; absent for every length that no other
    /// price names.
    pub above: Option<u32>,
    /// The thing that the price is for.
    pub kind: PriceKind,
    /// The amount for one unit.
    pub amount: Decimal,
}

impl AmountEntry {
    /// A price for inputs of any length.
    pub fn new(kind: PriceKind, unit: PriceUnit, amount: Decimal) -> Self {
        Self {
            unit,
            above: None,
            kind,
            amount,
        }
    }
}

/// A quota of Service Quotas.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct QuotaEntry<'a> {
    /// The calls that it limits: `base` for the model id, `custom` for custom models, else the geography
    /// of the profile.
    pub endpoint: Text<'a>,
    /// The thing that it limits.
    pub metric: QuotaMetric,
    /// The code in Service Quotas, such as `L-F4CAA0FD`.
    pub code: Text<'a>,
}

impl<'a> QuotaEntry<'a> {
    /// A quota.
    pub fn new(
        endpoint: impl Into<Text<'a>>,
        metric: QuotaMetric,
        code: impl Into<Text<'a>>,
    ) -> Self {
        Self {
            endpoint: endpoint.into(),
            metric,
            code: code.into(),
        }
    }
}

/// An id that the endpoint bedrock-mantle serves.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct MantleEntry<'a> {
    /// The id on bedrock-mantle.
    pub id: Text<'a>,
    /// The id of the same model on bedrock-runtime; absent if bedrock-mantle alone serves it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub model: Option<Text<'a>>,
    /// The regions that serve it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub regions: Option<FactEntry<'a, Vec<Text<'a>>>>,
    /// The APIs.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub apis: Option<FactEntry<'a, Vec<Api>>>,
    /// The path of the API below the endpoint's address, such as `/openai/v1`.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub path: Option<FactEntry<'a, Text<'a>>>,
    /// The prices on this endpoint.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub prices: Vec<PriceEntry<'a>>,
}

impl<'a> MantleEntry<'a> {
    /// An entry of which only the id is known.
    pub fn new(id: impl Into<Text<'a>>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

/// An id that ended before the first recording of a catalog.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct FormerEntry<'a> {
    /// The id of the model or profile.
    pub id: Text<'a>,
    /// The id of the model that the profile served; absent for a model.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub profile_of: Option<Text<'a>>,
    /// The end of life.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub end_of_life: Option<FactEntry<'a, Date>>,
    /// The day of the last recording that has it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub last_seen: Option<FactEntry<'a, Date>>,
    /// The day of the first recording that does not have it any more.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub gone_by: Option<FactEntry<'a, Date>>,
    /// The id of the model that takes its place.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub successor: Option<FactEntry<'a, Text<'a>>>,
}

impl<'a> FormerEntry<'a> {
    /// An entry of which only the id is known.
    pub fn new(id: impl Into<Text<'a>>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }
}

#[cfg(feature = "serde")]
fn is_false(value: &bool) -> bool {
    !value
}
