//! Tables of facts to plain data, in canonical form.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::document::{
    AmountEntry, FactEntry, FactsDocument, FactsEntry, FormerEntry, MantleEntry, PriceEntry,
    QuotaEntry, SourceEntry,
};
use super::rows::{FactKind, FactRow, FactTables, INHERITED, PriceRow, Scope, ValueRow};
use super::value::day_of;
use super::{Decimal, PriceRouteKind};
use crate::text::{StaticList, Text};

impl FactTables {
    /// The facts as plain data, in canonical form. Borrows the texts.
    pub(crate) fn to_document(&self) -> FactsDocument<'_> {
        let mut document = FactsDocument::new();
        for row in &*self.sources {
            let mut entry = SourceEntry::new(row.as_of, self.word(row.title));
            entry.url = self.optional(row.url);
            entry.license = self.optional(row.license);
            document.sources.insert(self.word(row.name).into(), entry);
        }
        document.models = self.models.iter().map(|row| self.model(row)).collect();
        document.mantle = self.mantle.iter().map(|row| self.mantle(row)).collect();
        document.former = self.former.iter().map(|row| self.former(row)).collect();
        document
    }

    fn optional(&self, word: u16) -> Option<Text<'_>> {
        self.optional_word(word).map(Text::from)
    }

    fn source_name(&self, mark: u8) -> &str {
        let row = self.sources.get(usize::from(mark & !INHERITED));
        row.map_or("", |row| self.word(row.name))
    }

    fn fact<'t, T>(
        &'t self,
        row: &FactRow,
        kind: FactKind,
        read: impl Fn(&'t Self, &ValueRow) -> Option<T>,
    ) -> Option<FactEntry<'t, T>> {
        let value = self.value(row, kind)?;
        Some(FactEntry {
            value: read(self, value)?,
            source: self.source_name(value.mark).into(),
            inherited: value.mark & INHERITED != 0,
        })
    }

    fn model<'t>(&'t self, row: &FactRow) -> FactsEntry<'t> {
        let number = |_: &Self, value: &ValueRow| Some(value.value);
        let day = |_: &Self, value: &ValueRow| day_of(value.value);
        let mut capabilities = BTreeMap::new();
        if let Some(value) = self.value(row, FactKind::Capabilities) {
            for member in self.list(value.value) {
                let Some(capability) = self.capabilities.get(usize::from(member.number)) else {
                    continue;
                };
                let fact = FactEntry {
                    value: member.yes,
                    source: self.source_name(member.mark).into(),
                    inherited: member.mark & INHERITED != 0,
                };
                capabilities.insert(capability.clone(), fact);
            }
        }
        FactsEntry {
            id: self.word(row.id).into(),
            base: self.optional(row.base),
            context_window: self.fact(row, FactKind::ContextWindow, number),
            max_output_tokens: self.fact(row, FactKind::MaxOutputTokens, number),
            apis: self.fact(row, FactKind::Apis, |t, v| t.terms(&t.apis, v)),
            capabilities,
            reasoning_levels: self
                .fact(row, FactKind::ReasoningLevels, |t, v| t.terms(&t.levels, v)),
            prompt_cache_min_tokens: self.fact(row, FactKind::PromptCacheMinTokens, number),
            end_of_life: self.fact(row, FactKind::EndOfLife, day),
            no_sooner_than: self.fact(row, FactKind::NoSoonerThan, day),
            legacy_period_days: self.fact(row, FactKind::LegacyPeriodDays, number),
            successor: self.fact(row, FactKind::Successor, Self::word_of),
            prices: self.prices_of(row),
            quotas: self.fact(row, FactKind::Quotas, |t, v| {
                let list = t.quota_lists.get(v.value as usize).copied()?;
                let quotas = list.of(&t.quotas).iter().filter_map(|quota| {
                    Some(QuotaEntry::new(
                        t.word(quota.endpoint),
                        t.metrics.get(usize::from(quota.metric))?.clone(),
                        t.word(quota.code),
                    ))
                });
                Some(quotas.collect())
            }),
        }
    }

    fn mantle<'t>(&'t self, row: &FactRow) -> MantleEntry<'t> {
        MantleEntry {
            id: self.word(row.id).into(),
            model: self.optional(row.base),
            regions: self.fact(row, FactKind::Regions, |t, v| Some(t.words_of(v.value))),
            apis: self.fact(row, FactKind::Apis, |t, v| t.terms(&t.apis, v)),
            path: self.fact(row, FactKind::Path, Self::word_of),
            prices: self.prices_of(row),
        }
    }

    fn former<'t>(&'t self, row: &FactRow) -> FormerEntry<'t> {
        let day = |_: &Self, value: &ValueRow| day_of(value.value);
        FormerEntry {
            id: self.word(row.id).into(),
            profile_of: self.optional(row.base),
            end_of_life: self.fact(row, FactKind::EndOfLife, day),
            last_seen: self.fact(row, FactKind::LastSeen, day),
            gone_by: self.fact(row, FactKind::GoneBy, day),
            successor: self.fact(row, FactKind::Successor, Self::word_of),
        }
    }

    fn word_of(&self, value: &ValueRow) -> Option<Text<'_>> {
        Some(self.word(u16::try_from(value.value).ok()?).into())
    }

    fn words_of(&self, list: u32) -> Vec<Text<'_>> {
        let members = self.list(list).iter();
        members
            .map(|member| self.word(member.number).into())
            .collect()
    }

    fn terms<E: Clone>(&self, terms: &StaticList<E>, value: &ValueRow) -> Option<Vec<E>>
    where
        [E]: alloc::borrow::ToOwned<Owned = Vec<E>>,
    {
        let members = self.list(value.value).iter();
        let terms = members.filter_map(|member| terms.get(usize::from(member.number)).cloned());
        Some(terms.collect())
    }

    fn prices_of<'t>(&'t self, row: &FactRow) -> Vec<PriceEntry<'t>> {
        let prices = row.prices().of(&self.prices).iter();
        prices.filter_map(|price| self.price(price)).collect()
    }

    fn price(&self, row: &PriceRow) -> Option<PriceEntry<'_>> {
        let (route, geography, regions) = match row.scope {
            Scope::InRegion(list) => (PriceRouteKind::InRegion, None, Some(list)),
            Scope::Mantle(list) => (PriceRouteKind::Mantle, None, Some(list)),
            Scope::Global => (PriceRouteKind::Global, None, None),
            Scope::Geography(number) => {
                let geography = self.geographies.get(usize::from(number))?.clone();
                (PriceRouteKind::Geography, Some(geography), None)
            }
        };
        let amounts = row.amounts().of(&self.amounts);
        let terms = amounts.iter().filter_map(|amount| {
            let term = self.terms.get(usize::from(amount.term))?;
            Some((amount, term))
        });
        let currency = terms
            .clone()
            .next()
            .map_or("", |(_, term)| self.word(term.currency));
        let amounts = terms.filter_map(|(amount, term)| {
            Some(AmountEntry {
                unit: self.units.get(usize::from(term.unit))?.clone(),
                above: Some(term.above).filter(|&above| above > 0),
                kind: self.kinds.get(usize::from(term.kind))?.clone(),
                amount: Decimal::baked(amount.mantissa, amount.scale),
            })
        });
        Some(PriceEntry {
            route,
            geography,
            regions: regions.map_or_else(Vec::new, |list| self.words_of(list.into())),
            tier: self.tiers.get(usize::from(row.tier))?.clone(),
            currency: currency.into(),
            source: self.source_name(row.mark).into(),
            amounts: amounts.collect(),
        })
    }
}
