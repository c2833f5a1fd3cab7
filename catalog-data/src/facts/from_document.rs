//! Facts as plain data to tables. Checks references, distinct ids and sizes.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::PriceRouteKind;
use super::document::{
    AmountEntry, FactEntry, FactsDocument, FactsEntry, FormerEntry, MantleEntry, PriceEntry,
    QuotaEntry,
};
use super::rows::{
    AmountRow, FactKind, FactRow, FactTables, INHERITED, MemberRow, PriceRow, QuotaRow, Scope,
    SourceRow, TermRow, ValueRow,
};
use crate::Date;
use crate::error::QueryError;
use crate::rows::{NONE, Run};
use crate::text::{StaticList, Text};

/// The most sources: a mark has seven bits for their number.
const MAX_SOURCES: usize = INHERITED as usize;

type Result<T> = core::result::Result<T, QueryError>;

impl FactTables {
    /// The tables of a document.
    ///
    /// # Errors
    /// Another format, an unknown source, an id that occurs twice, or too many entries.
    pub(crate) fn new(document: &FactsDocument<'_>) -> Result<Self> {
        if document.format != FactsDocument::FORMAT {
            return Err(invalid(format!(
                "the facts have format {}; this version reads format {}",
                document.format,
                FactsDocument::FORMAT
            )));
        }
        let mut builder = Builder::default();
        let sources = builder.sources(document)?;
        let models = rows(&document.models, |entry| &entry.id, |e| builder.model(e))?;
        let mantle = rows(&document.mantle, |entry| &entry.id, |e| builder.mantle(e))?;
        let former = rows(&document.former, |entry| &entry.id, |e| builder.former(e))?;
        Ok(Self {
            sources,
            models,
            mantle,
            former,
            values: builder.values.into(),
            lists: builder.lists.runs.into(),
            members: builder.lists.items.into(),
            quota_lists: builder.quotas.runs.into(),
            quotas: builder.quotas.items.into(),
            prices: builder.prices.into(),
            amounts: builder.amounts.items.into(),
            terms: builder.price_terms.into_rows(),
            words: builder.words.ends.into(),
            texts: builder.words.texts.into(),
            capabilities: builder.capabilities.into_rows(),
            apis: builder.apis.into_rows(),
            levels: builder.levels.into_rows(),
            tiers: builder.tiers.into_rows(),
            kinds: builder.kinds.into_rows(),
            units: builder.units.into_rows(),
            metrics: builder.metrics.into_rows(),
            geographies: builder.geographies.into_rows(),
        })
    }
}

fn invalid(message: String) -> QueryError {
    QueryError::invalid(message)
}

fn too_many(what: &str) -> QueryError {
    invalid(format!("the facts have too many {what}"))
}

/// The rows of entries with distinct ids, sorted by id.
fn rows<'d, E>(
    entries: &'d [E],
    id: impl Fn(&E) -> &str,
    mut row: impl FnMut(&'d E) -> Result<FactRow>,
) -> Result<StaticList<FactRow>> {
    if entries.len() > usize::from(u16::MAX) {
        return Err(too_many("entries"));
    }
    let mut sorted: Vec<&E> = entries.iter().collect();
    sorted.sort_unstable_by(|a, b| id(a).cmp(id(b)));
    let twice = sorted.array_windows().find(|[a, b]| id(a) == id(b));
    if let Some([entry, _]) = twice {
        return Err(invalid(format!("the facts have {:?} twice", id(entry))));
    }
    let rows: Result<Vec<FactRow>> = sorted.into_iter().map(&mut row).collect();
    Ok(rows?.into())
}

/// Distinct texts. A tree finds them, because a document may be hostile.
#[derive(Default)]
struct Words {
    numbers: BTreeMap<String, u16>,
    ends: Vec<u32>,
    texts: String,
}

impl Words {
    fn number(&mut self, text: &str) -> Result<u16> {
        if let Some(&number) = self.numbers.get(text) {
            return Ok(number);
        }
        let number = u16::try_from(self.ends.len()).ok();
        let number = number.filter(|&number| number != NONE);
        let number = number.ok_or_else(|| too_many("words"))?;
        self.texts.push_str(text);
        let end = u32::try_from(self.texts.len()).map_err(|_| too_many("bytes of text"))?;
        self.ends.push(end);
        self.numbers.insert(text.into(), number);
        Ok(number)
    }

    fn optional(&mut self, text: Option<&Text<'_>>) -> Result<u16> {
        text.map_or(Ok(NONE), |text| self.number(text))
    }
}

/// Distinct terms.
struct Terms<E>(Vec<E>);

impl<E> Default for Terms<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E: Clone + PartialEq> Terms<E> {
    fn number(&mut self, term: &E) -> Result<u8> {
        let found = self.0.iter().position(|other| other == term);
        let number = found.unwrap_or(self.0.len());
        let short = u8::try_from(number).map_err(|_| too_many("different terms"))?;
        if found.is_none() {
            self.0.push(term.clone());
        }
        Ok(short)
    }

    fn into_rows(self) -> StaticList<E> {
        self.0.into()
    }
}

/// Distinct lists of rows, as ranges of one list.
struct Lists<R> {
    numbers: BTreeMap<Vec<R>, u32>,
    runs: Vec<Run>,
    items: Vec<R>,
}

impl<R> Default for Lists<R> {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            runs: Vec::new(),
            items: Vec::new(),
        }
    }
}

impl<R: Copy + Ord> Lists<R> {
    fn number(&mut self, list: Vec<R>) -> Result<u32> {
        if let Some(&number) = self.numbers.get(&list) {
            return Ok(number);
        }
        let run = run(self.items.len(), list.len())?;
        let number = u32::try_from(self.runs.len()).map_err(|_| too_many("lists"))?;
        self.items.extend_from_slice(&list);
        self.runs.push(run);
        self.numbers.insert(list, number);
        Ok(number)
    }

    fn run(&mut self, list: Vec<R>) -> Result<Run> {
        let number = self.number(list)?;
        Ok(self.runs.get(number as usize).copied().unwrap_or_default())
    }
}

fn run(start: usize, len: usize) -> Result<Run> {
    match (u32::try_from(start), u16::try_from(len)) {
        (Ok(start), Ok(len)) => Ok(Run::new(start, len)),
        _ => Err(too_many("values")),
    }
}

/// A range of a row, whose length has eight bits.
fn short(start: usize, len: usize) -> Result<(u32, u8)> {
    match (u32::try_from(start), u8::try_from(len)) {
        (Ok(start), Ok(len)) => Ok((start, len)),
        _ => Err(too_many("values or prices of one id")),
    }
}

/// A day as `yyyymmdd`.
fn packed(day: Date) -> u32 {
    u32::from(day.year()) * 10_000 + u32::from(day.month()) * 100 + u32::from(day.day())
}

#[derive(Default)]
struct Builder {
    sources: BTreeMap<String, u8>,
    words: Words,
    values: Vec<ValueRow>,
    lists: Lists<MemberRow>,
    quotas: Lists<QuotaRow>,
    prices: Vec<PriceRow>,
    amounts: Lists<AmountRow>,
    price_terms: Terms<TermRow>,
    capabilities: Terms<super::Capability>,
    apis: Terms<super::Api>,
    levels: Terms<super::ReasoningLevel>,
    tiers: Terms<super::Tier>,
    kinds: Terms<super::PriceKind>,
    units: Terms<super::PriceUnit>,
    metrics: Terms<super::QuotaMetric>,
    geographies: Terms<crate::Geography>,
}

impl Builder {
    fn sources(&mut self, document: &FactsDocument<'_>) -> Result<StaticList<SourceRow>> {
        if document.sources.len() > MAX_SOURCES {
            return Err(too_many("sources"));
        }
        let rows = document
            .sources
            .iter()
            .zip(0u8..)
            .map(|((name, entry), number)| {
                self.sources.insert((**name).into(), number);
                Ok(SourceRow {
                    name: self.words.number(name)?,
                    as_of: entry.as_of,
                    title: self.words.number(&entry.title)?,
                    url: self.words.optional(entry.url.as_ref())?,
                    license: self.words.optional(entry.license.as_ref())?,
                })
            });
        let rows: Result<Vec<SourceRow>> = rows.collect();
        Ok(rows?.into())
    }

    fn source(&self, name: &str, id: &str) -> Result<u8> {
        let number = self.sources.get(name).copied();
        number.ok_or_else(|| {
            invalid(format!(
                "a fact of {id:?} names the source {name:?}, which is not among the sources"
            ))
        })
    }

    fn mark<T>(&self, fact: &FactEntry<'_, T>, id: &str) -> Result<u8> {
        let inherited = if fact.inherited { INHERITED } else { 0 };
        Ok(self.source(&fact.source, id)? | inherited)
    }

    fn model(&mut self, entry: &FactsEntry<'_>) -> Result<FactRow> {
        let id = &*entry.id;
        let mut values = Values::new(id);
        values.number(self, FactKind::ContextWindow, &entry.context_window)?;
        values.number(self, FactKind::MaxOutputTokens, &entry.max_output_tokens)?;
        if !entry.capabilities.is_empty() {
            let mut list = Vec::with_capacity(entry.capabilities.len());
            for (capability, fact) in &entry.capabilities {
                let number = self.capabilities.number(capability)?;
                let mark = self.mark(fact, id)?;
                list.push(MemberRow::new(number.into(), fact.value, mark));
            }
            let number = self.lists.number(list)?;
            values.push(FactKind::Capabilities, 0, number);
        }
        values.terms(self, FactKind::Apis, &entry.apis, |b| &mut b.apis)?;
        let levels = &entry.reasoning_levels;
        values.terms(self, FactKind::ReasoningLevels, levels, |b| &mut b.levels)?;
        let cached = &entry.prompt_cache_min_tokens;
        values.number(self, FactKind::PromptCacheMinTokens, cached)?;
        values.day(self, FactKind::EndOfLife, &entry.end_of_life)?;
        values.day(self, FactKind::NoSoonerThan, &entry.no_sooner_than)?;
        values.number(self, FactKind::LegacyPeriodDays, &entry.legacy_period_days)?;
        values.word(self, FactKind::Successor, &entry.successor)?;
        if let Some(fact) = &entry.quotas {
            let number = self.quota_list(&fact.value)?;
            values.push(FactKind::Quotas, self.mark(fact, id)?, number);
        }
        self.row(id, entry.base.as_ref(), values, &entry.prices)
    }

    fn mantle(&mut self, entry: &MantleEntry<'_>) -> Result<FactRow> {
        let mut values = Values::new(&entry.id);
        values.terms(self, FactKind::Apis, &entry.apis, |b| &mut b.apis)?;
        if let Some(fact) = &entry.regions {
            let number = self.word_list(&fact.value)?;
            values.push(FactKind::Regions, self.mark(fact, &entry.id)?, number);
        }
        values.word(self, FactKind::Path, &entry.path)?;
        self.row(&entry.id, entry.model.as_ref(), values, &entry.prices)
    }

    fn former(&mut self, entry: &FormerEntry<'_>) -> Result<FactRow> {
        let mut values = Values::new(&entry.id);
        values.day(self, FactKind::EndOfLife, &entry.end_of_life)?;
        values.word(self, FactKind::Successor, &entry.successor)?;
        values.day(self, FactKind::LastSeen, &entry.last_seen)?;
        values.day(self, FactKind::GoneBy, &entry.gone_by)?;
        self.row(&entry.id, entry.profile_of.as_ref(), values, &[])
    }

    fn row(
        &mut self,
        id: &str,
        base: Option<&Text<'_>>,
        values: Values<'_>,
        prices: &[PriceEntry<'_>],
    ) -> Result<FactRow> {
        if id.is_empty() {
            return Err(invalid("the facts have an empty id".into()));
        }
        let (first_value, values_len) = short(self.values.len(), values.rows.len())?;
        self.values.extend(values.rows);
        let (first_price, prices_len) = self.prices(id, prices)?;
        let (id, base) = (self.words.number(id)?, self.words.optional(base)?);
        Ok(FactRow::new(
            id,
            base,
            first_value,
            values_len,
            first_price,
            prices_len,
        ))
    }

    /// The number of a list of distinct words, sorted.
    fn word_list(&mut self, words: &[Text<'_>]) -> Result<u32> {
        let mut sorted: Vec<&str> = words.iter().map(|word| &**word).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let members = sorted.into_iter().map(|word| {
            let number = self.words.number(word)?;
            Ok(MemberRow::new(number, true, 0))
        });
        let members: Result<Vec<MemberRow>> = members.collect();
        self.lists.number(members?)
    }

    fn quota_list(&mut self, quotas: &[QuotaEntry<'_>]) -> Result<u32> {
        let mut sorted: Vec<&QuotaEntry<'_>> = quotas.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let rows = sorted.into_iter().map(|quota| {
            let endpoint = self.words.number(&quota.endpoint)?;
            let code = self.words.number(&quota.code)?;
            Ok(QuotaRow::new(
                endpoint,
                code,
                self.metrics.number(&quota.metric)?,
            ))
        });
        let rows: Result<Vec<QuotaRow>> = rows.collect();
        self.quotas.number(rows?)
    }

    fn prices(&mut self, id: &str, prices: &[PriceEntry<'_>]) -> Result<(u32, u8)> {
        let mut sorted: Vec<_> = prices
            .iter()
            .map(|entry| (PriceKey::of(entry), entry))
            .collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if sorted.array_windows().any(|[(a, _), (b, _)]| a == b) {
            return Err(invalid(format!(
                "{id:?} has two prices of one route and tier"
            )));
        }
        let start = self.prices.len();
        for (_, entry) in &sorted {
            let row = self.price(id, entry)?;
            self.prices.push(row);
        }
        short(start, sorted.len())
    }

    fn price(&mut self, id: &str, entry: &PriceEntry<'_>) -> Result<PriceRow> {
        let has_regions = !entry.regions.is_empty();
        let scope = match (entry.route, &entry.geography, has_regions) {
            (PriceRouteKind::InRegion, None, true) => Scope::InRegion(self.scope(&entry.regions)?),
            (PriceRouteKind::Mantle, None, true) => Scope::Mantle(self.scope(&entry.regions)?),
            (PriceRouteKind::Geography, Some(geography), false) => {
                Scope::Geography(self.geographies.number(geography)?.into())
            }
            (PriceRouteKind::Global, None, false) => Scope::Global,
            _ => {
                return Err(invalid(format!(
                    "a price of {id:?} has a geography or regions that its route does not have"
                )));
            }
        };
        let mut sorted: Vec<_> = entry.amounts.iter().collect();
        sorted.sort_unstable();
        let same = |[a, b]: &[&AmountEntry; 2]| {
            (&a.unit, a.above.unwrap_or(0), &a.kind) == (&b.unit, b.above.unwrap_or(0), &b.kind)
        };
        if sorted.is_empty() || sorted.array_windows().any(same) {
            return Err(invalid(format!(
                "a price of {id:?} has no amount, or two amounts of one kind"
            )));
        }
        let currency = self.words.number(&entry.currency)?;
        let mut amounts = Vec::with_capacity(sorted.len());
        for amount in sorted {
            let kind = self.kinds.number(&amount.kind)?;
            let unit = self.units.number(&amount.unit)?;
            let term = TermRow::new(kind, unit, amount.above.unwrap_or(0), currency);
            let term = self.price_terms.number(&term)?;
            let mantissa = u32::try_from(amount.amount.mantissa());
            let mantissa = mantissa.map_err(|_| too_many("digits in a price"))?;
            amounts.push(AmountRow::new(term, mantissa, amount.amount.scale()));
        }
        let amounts = self.amounts.run(amounts)?;
        let (start, len) = short(amounts.start as usize, amounts.len.into())?;
        let (tier, mark) = (
            self.tiers.number(&entry.tier)?,
            self.source(&entry.source, id)?,
        );
        Ok(PriceRow::new(scope, tier, mark, start, len))
    }

    fn scope(&mut self, regions: &[Text<'_>]) -> Result<u16> {
        let number = self.word_list(regions)?;
        u16::try_from(number).map_err(|_| too_many("lists of regions"))
    }
}

/// The order of the prices of a model.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct PriceKey<'e> {
    route: PriceRouteKind,
    geography: Option<&'e crate::Geography>,
    regions: Vec<&'e str>,
    tier: &'e super::Tier,
}

impl<'e> PriceKey<'e> {
    fn of(entry: &'e PriceEntry<'_>) -> Self {
        let mut regions: Vec<&str> = entry.regions.iter().map(|id| &**id).collect();
        regions.sort_unstable();
        regions.dedup();
        Self {
            route: entry.route,
            geography: entry.geography.as_ref(),
            regions,
            tier: &entry.tier,
        }
    }
}

/// The values of a row under construction.
struct Values<'d> {
    id: &'d str,
    rows: Vec<ValueRow>,
}

impl<'d> Values<'d> {
    fn new(id: &'d str) -> Self {
        Self {
            id,
            rows: Vec::new(),
        }
    }

    fn push(&mut self, kind: FactKind, mark: u8, value: u32) {
        self.rows.push(ValueRow::new(kind, mark, value));
    }

    fn number(
        &mut self,
        builder: &Builder,
        kind: FactKind,
        fact: &Option<FactEntry<'_, u32>>,
    ) -> Result<()> {
        if let Some(fact) = fact {
            self.push(kind, builder.mark(fact, self.id)?, fact.value);
        }
        Ok(())
    }

    fn day(
        &mut self,
        builder: &Builder,
        kind: FactKind,
        fact: &Option<FactEntry<'_, Date>>,
    ) -> Result<()> {
        if let Some(fact) = fact {
            self.push(kind, builder.mark(fact, self.id)?, packed(fact.value));
        }
        Ok(())
    }

    fn word(
        &mut self,
        builder: &mut Builder,
        kind: FactKind,
        fact: &Option<FactEntry<'_, Text<'_>>>,
    ) -> Result<()> {
        if let Some(fact) = fact {
            let number = builder.words.number(&fact.value)?;
            self.push(kind, builder.mark(fact, self.id)?, number.into());
        }
        Ok(())
    }

    fn terms<E: Clone + Ord>(
        &mut self,
        builder: &mut Builder,
        kind: FactKind,
        fact: &Option<FactEntry<'_, Vec<E>>>,
        terms: impl Fn(&mut Builder) -> &mut Terms<E>,
    ) -> Result<()> {
        let Some(fact) = fact else { return Ok(()) };
        let mut sorted: Vec<&E> = fact.value.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut members = Vec::with_capacity(sorted.len());
        for term in sorted {
            let number = terms(builder).number(term)?;
            members.push(MemberRow::new(number.into(), true, 0));
        }
        let number = builder.lists.number(members)?;
        self.push(kind, builder.mark(fact, self.id)?, number);
        Ok(())
    }
}
