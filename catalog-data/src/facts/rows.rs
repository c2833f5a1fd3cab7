//! The tables of facts. Rows refer to each other by number and to texts by position.
//!
//! Hidden and versioned as `baked_v1`, like the tables of the catalog.

use super::terms::{Api, Capability, PriceKind, PriceUnit, QuotaMetric, ReasoningLevel, Tier};
use crate::Date;
use crate::enums::Geography;
use crate::rows::{NONE, Run};
use crate::text::{StaticList, StaticText};

/// A source. Texts are numbers of words.
#[derive(Debug, Clone, Copy)]
pub struct SourceRow {
    /// The short name.
    pub name: u16,
    /// The name for people.
    pub title: u16,
    /// The address, or [`NONE`].
    pub url: u16,
    /// The licence, or [`NONE`].
    pub license: u16,
    /// The day on which it stated its values.
    pub as_of: Date,
}

/// A model, an id of bedrock-mantle, or a former id. Each list is sorted by id.
#[derive(Debug, Clone, Copy)]
pub struct FactRow {
    pub(crate) values: u32,
    pub(crate) prices: u32,
    /// The word of the id.
    pub(crate) id: u16,
    /// The word of the id it inherits from, of that of the same model on bedrock-runtime, or of that of
    /// the model of a former profile; or [`NONE`].
    pub(crate) base: u16,
    pub(crate) values_len: u8,
    pub(crate) prices_len: u8,
}

impl FactRow {
    /// A row: id, base, first value, number of values, first price, number of prices.
    pub const fn new(
        id: u16,
        base: u16,
        values: u32,
        values_len: u8,
        prices: u32,
        prices_len: u8,
    ) -> Self {
        Self {
            values,
            prices,
            id,
            base,
            values_len,
            prices_len,
        }
    }

    /// The parts, in the order of [`FactRow::new`].
    pub const fn parts(&self) -> (u16, u16, u32, u8, u32, u8) {
        let Self {
            values,
            prices,
            id,
            base,
            values_len,
            prices_len,
        } = *self;
        (id, base, values, values_len, prices, prices_len)
    }

    /// Its range of [`FactTables::values`], sorted by kind.
    pub(crate) fn values(&self) -> Run {
        Run::new(self.values, self.values_len as u16)
    }

    /// Its range of [`FactTables::prices`].
    pub(crate) fn prices(&self) -> Run {
        Run::new(self.prices, self.prices_len as u16)
    }
}

/// The kind of a value. The order is that of the rows: limits first, for fast lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// A number of tokens.
    ContextWindow,
    /// A number of tokens.
    MaxOutputTokens,
    /// The list of capabilities.
    Capabilities,
    /// A list of APIs.
    Apis,
    /// A list of levels.
    ReasoningLevels,
    /// A number of tokens.
    PromptCacheMinTokens,
    /// A day.
    EndOfLife,
    /// A day.
    NoSoonerThan,
    /// A number of days.
    LegacyPeriodDays,
    /// A word.
    Successor,
    /// The list of quotas.
    Quotas,
    /// A list of words.
    Regions,
    /// A word.
    Path,
    /// A day.
    LastSeen,
    /// A day.
    GoneBy,
}

/// The bit of a mark that says that the value is inherited.
pub(crate) const INHERITED: u8 = 0x80;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueRow {
    pub(crate) kind: FactKind,
    /// The number of the source, and [`INHERITED`].
    pub(crate) mark: u8,
    /// A number, a day as `yyyymmdd`, or the number of a word or of a list.
    pub(crate) value: u32,
}

impl ValueRow {
    /// A value: kind, mark, value.
    pub const fn new(kind: FactKind, mark: u8, value: u32) -> Self {
        Self { kind, mark, value }
    }

    /// The parts, in the order of [`ValueRow::new`].
    pub const fn parts(&self) -> (FactKind, u8, u32) {
        (self.kind, self.mark, self.value)
    }
}

/// A member of a list: the number of a word or term, and for capabilities yes or no and the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberRow {
    pub(crate) number: u16,
    pub(crate) yes: bool,
    pub(crate) mark: u8,
}

impl MemberRow {
    /// A member: number, yes or no, mark.
    pub const fn new(number: u16, yes: bool, mark: u8) -> Self {
        Self { number, yes, mark }
    }

    /// The parts, in the order of [`MemberRow::new`].
    pub const fn parts(&self) -> (u16, bool, u8) {
        (self.number, self.yes, self.mark)
    }
}

/// The kind of route of a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In the regions of the list with this number.
    InRegion(u16),
    /// Through the profile of the geography with this number.
    Geography(u16),
    /// Through the global profile.
    Global,
    /// On bedrock-mantle, in the regions of the list with this number.
    Mantle(u16),
}

/// The prices of one kind of route and one tier.
#[derive(Debug, Clone, Copy)]
pub struct PriceRow {
    pub(crate) scope: Scope,
    pub(crate) amounts: u32,
    pub(crate) amounts_len: u8,
    pub(crate) tier: u8,
    pub(crate) mark: u8,
}

impl PriceRow {
    /// A row: kind of route, tier, source, first amount, number of amounts.
    pub const fn new(scope: Scope, tier: u8, mark: u8, amounts: u32, amounts_len: u8) -> Self {
        Self {
            scope,
            amounts,
            amounts_len,
            tier,
            mark,
        }
    }

    /// The parts, in the order of [`PriceRow::new`].
    pub const fn parts(&self) -> (Scope, u8, u8, u32, u8) {
        (
            self.scope,
            self.tier,
            self.mark,
            self.amounts,
            self.amounts_len,
        )
    }

    /// Its range of [`FactTables::amounts`].
    pub(crate) fn amounts(&self) -> Run {
        Run::new(self.amounts, self.amounts_len as u16)
    }
}

/// An amount: a mantissa, a scale, and the number of its term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AmountRow {
    pub(crate) mantissa: u32,
    pub(crate) scale: u8,
    pub(crate) term: u8,
}

impl AmountRow {
    /// An amount: term, mantissa, scale.
    pub const fn new(term: u8, mantissa: u32, scale: u8) -> Self {
        Self {
            mantissa,
            scale,
            term,
        }
    }

    /// The parts, in the order of [`AmountRow::new`].
    pub const fn parts(&self) -> (u8, u32, u8) {
        (self.term, self.mantissa, self.scale)
    }
}

/// The thing that an amount is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TermRow {
    pub(crate) above: u32,
    pub(crate) currency: u16,
    pub(crate) kind: u8,
    pub(crate) unit: u8,
}

impl TermRow {
    /// A term: kind, unit, number of tokens above which it holds or 0, word of the currency.
    pub const fn new(kind: u8, unit: u8, above: u32, currency: u16) -> Self {
        Self {
            above,
            currency,
            kind,
            unit,
        }
    }

    /// The parts, in the order of [`TermRow::new`].
    pub const fn parts(&self) -> (u8, u8, u32, u16) {
        (self.kind, self.unit, self.above, self.currency)
    }
}

/// A quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuotaRow {
    pub(crate) endpoint: u16,
    pub(crate) code: u16,
    pub(crate) metric: u8,
}

impl QuotaRow {
    /// A quota: the word of the endpoint, the word of the code, the number of the metric.
    pub const fn new(endpoint: u16, code: u16, metric: u8) -> Self {
        Self {
            endpoint,
            code,
            metric,
        }
    }

    /// The parts, in the order of [`QuotaRow::new`].
    pub const fn parts(&self) -> (u16, u16, u8) {
        (self.endpoint, self.code, self.metric)
    }
}

/// All tables of the facts.
#[derive(Debug, Clone)]
pub struct FactTables {
    /// Sorted by name.
    pub sources: StaticList<SourceRow>,
    /// Models, sorted by id.
    pub models: StaticList<FactRow>,
    /// Ids of bedrock-mantle, sorted.
    pub mantle: StaticList<FactRow>,
    /// Former ids, sorted.
    pub former: StaticList<FactRow>,
    /// The values of the rows.
    pub values: StaticList<ValueRow>,
    /// Distinct lists, as ranges of [`FactTables::members`].
    pub lists: StaticList<Run>,
    /// The members of the lists.
    pub members: StaticList<MemberRow>,
    /// Distinct lists of quotas, as ranges of [`FactTables::quotas`].
    pub quota_lists: StaticList<Run>,
    /// The quotas.
    pub quotas: StaticList<QuotaRow>,
    /// The prices of the rows.
    pub prices: StaticList<PriceRow>,
    /// The amounts of the prices.
    pub amounts: StaticList<AmountRow>,
    /// The terms of the amounts.
    pub terms: StaticList<TermRow>,
    /// Where each word ends in [`FactTables::texts`]; it begins at the end of the one before.
    pub words: StaticList<u32>,
    /// Distinct words: ids, titles, regions, codes, currencies.
    pub texts: StaticText,
    /// Distinct terms.
    pub capabilities: StaticList<Capability>,
    /// Distinct terms.
    pub apis: StaticList<Api>,
    /// Distinct terms.
    pub levels: StaticList<ReasoningLevel>,
    /// Distinct terms.
    pub tiers: StaticList<Tier>,
    /// Distinct terms.
    pub kinds: StaticList<PriceKind>,
    /// Distinct terms.
    pub units: StaticList<PriceUnit>,
    /// Distinct terms.
    pub metrics: StaticList<QuotaMetric>,
    /// Distinct terms.
    pub geographies: StaticList<Geography>,
}

impl FactTables {
    /// No facts.
    pub const EMPTY: Self = Self {
        sources: StaticList::Borrowed(&[]),
        models: StaticList::Borrowed(&[]),
        mantle: StaticList::Borrowed(&[]),
        former: StaticList::Borrowed(&[]),
        values: StaticList::Borrowed(&[]),
        lists: StaticList::Borrowed(&[]),
        members: StaticList::Borrowed(&[]),
        quota_lists: StaticList::Borrowed(&[]),
        quotas: StaticList::Borrowed(&[]),
        prices: StaticList::Borrowed(&[]),
        amounts: StaticList::Borrowed(&[]),
        terms: StaticList::Borrowed(&[]),
        words: StaticList::Borrowed(&[]),
        texts: StaticText::Borrowed(""),
        capabilities: StaticList::Borrowed(&[]),
        apis: StaticList::Borrowed(&[]),
        levels: StaticList::Borrowed(&[]),
        tiers: StaticList::Borrowed(&[]),
        kinds: StaticList::Borrowed(&[]),
        units: StaticList::Borrowed(&[]),
        metrics: StaticList::Borrowed(&[]),
        geographies: StaticList::Borrowed(&[]),
    };

    /// The word with this number; empty if there is none.
    pub fn word(&self, number: u16) -> &str {
        let number = usize::from(number);
        let start = number.checked_sub(1).map(|before| self.words.get(before));
        let start = start.map_or(Some(0), |end| end.copied());
        match (start, self.words.get(number)) {
            (Some(start), Some(&end)) => {
                let (start, end) = (start as usize, end as usize);
                self.texts.get(start..end).unwrap_or_default()
            }
            _ => "",
        }
    }

    /// The word with this number, unless it is [`NONE`].
    pub(crate) fn optional_word(&self, number: u16) -> Option<&str> {
        (number != NONE).then(|| self.word(number))
    }

    /// The members of the list with this number.
    pub(crate) fn list(&self, number: u32) -> &[MemberRow] {
        let list = self.lists.get(number as usize).copied();
        list.unwrap_or_default().of(&self.members)
    }

    /// The row of an id in one of the lists. Out of line; a binary search.
    pub(crate) fn find<'t>(&self, rows: &'t [FactRow], id: &str) -> Option<&'t FactRow> {
        let found = rows.binary_search_by(|row| self.word(row.id).cmp(id));
        rows.get(found.ok()?)
    }

    /// The value of a kind in a row.
    #[inline]
    pub(crate) fn value(&self, row: &FactRow, kind: FactKind) -> Option<&ValueRow> {
        let values = row.values().of(&self.values);
        values.iter().find(|value| value.kind == kind)
    }
}

/// The facts of baked tables and the row of each model of the catalog.
#[derive(Debug, Clone, Copy)]
pub struct BakedFacts {
    /// The tables.
    pub tables: &'static FactTables,
    /// The number of the row of each model, or [`NONE`].
    pub of_models: &'static [u16],
}

impl BakedFacts {
    /// No facts.
    pub const NONE: Self = Self {
        tables: &FactTables::EMPTY,
        of_models: &[],
    };
}
