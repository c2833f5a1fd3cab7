//! Owned copies of facts, for documents that outlive a catalog.

use alloc::vec::Vec;

use super::document::{
    FactEntry, FactsDocument, FactsEntry, FormerEntry, MantleEntry, PriceEntry, QuotaEntry,
    SourceEntry,
};
use super::rows::FactTables;
use crate::error::QueryError;
use crate::text::Text;

impl FactsDocument<'_> {
    /// The document in canonical form: every list sorted and unique.
    ///
    /// # Errors
    /// [`InvalidCatalog`](crate::QueryErrorKind::InvalidCatalog) if the document has another format,
    /// names a source that it does not have, has an id twice, or is too large.
    pub fn canonical(&self) -> Result<FactsDocument<'static>, QueryError> {
        Ok(FactTables::new(self)?.to_document().to_static())
    }

    /// Calls a function with the source of every value.
    pub fn visit_sources(&self, visit: &mut dyn FnMut(&str)) {
        for entry in &self.models {
            let facts = [
                source(&entry.context_window),
                source(&entry.max_output_tokens),
                source(&entry.apis),
                source(&entry.reasoning_levels),
                source(&entry.prompt_cache_min_tokens),
                source(&entry.end_of_life),
                source(&entry.no_sooner_than),
                source(&entry.legacy_period_days),
                source(&entry.successor),
                source(&entry.quotas),
            ];
            let capabilities = entry.capabilities.values().map(|fact| &*fact.source);
            let prices = entry.prices.iter().map(|price| &*price.source);
            let all = facts.into_iter().flatten().chain(capabilities);
            all.chain(prices).for_each(&mut *visit);
        }
        for entry in &self.mantle {
            let facts = [
                source(&entry.regions),
                source(&entry.apis),
                source(&entry.path),
            ];
            let prices = entry.prices.iter().map(|price| &*price.source);
            facts
                .into_iter()
                .flatten()
                .chain(prices)
                .for_each(&mut *visit);
        }
        for entry in &self.former {
            let facts = [
                source(&entry.end_of_life),
                source(&entry.last_seen),
                source(&entry.gone_by),
                source(&entry.successor),
            ];
            facts.into_iter().flatten().for_each(&mut *visit);
        }
    }

    /// A copy with owned texts.
    pub fn to_static(&self) -> FactsDocument<'static> {
        let sources = self.sources.iter();
        let sources = sources.map(|(name, entry)| (name.to_static(), entry.to_static()));
        FactsDocument {
            format: self.format,
            sources: sources.collect(),
            models: self.models.iter().map(FactsEntry::to_static).collect(),
            mantle: self.mantle.iter().map(MantleEntry::to_static).collect(),
            former: self.former.iter().map(FormerEntry::to_static).collect(),
        }
    }
}

fn source<'f, T>(fact: &'f Option<FactEntry<'_, T>>) -> Option<&'f str> {
    fact.as_ref().map(|fact| &*fact.source)
}

fn optional(text: &Option<Text<'_>>) -> Option<Text<'static>> {
    text.as_ref().map(Text::to_static)
}

fn texts(texts: &[Text<'_>]) -> Vec<Text<'static>> {
    texts.iter().map(Text::to_static).collect()
}

impl SourceEntry<'_> {
    /// A copy with owned texts.
    pub fn to_static(&self) -> SourceEntry<'static> {
        SourceEntry {
            as_of: self.as_of,
            title: self.title.to_static(),
            url: optional(&self.url),
            license: optional(&self.license),
        }
    }
}

impl<T> FactEntry<'_, T> {
    fn with<U>(&self, own: impl FnOnce(&T) -> U) -> FactEntry<'static, U> {
        FactEntry {
            value: own(&self.value),
            source: self.source.to_static(),
            inherited: self.inherited,
        }
    }
}

/// An owned copy of an optional fact, with `own` for its value.
fn fact<T, U>(
    fact: &Option<FactEntry<'_, T>>,
    own: impl FnOnce(&T) -> U,
) -> Option<FactEntry<'static, U>> {
    fact.as_ref().map(|fact| fact.with(own))
}

impl FactsEntry<'_> {
    fn to_static(&self) -> FactsEntry<'static> {
        let capabilities = self.capabilities.iter();
        let quota = |quota: &QuotaEntry<'_>| QuotaEntry {
            endpoint: quota.endpoint.to_static(),
            metric: quota.metric.clone(),
            code: quota.code.to_static(),
        };
        FactsEntry {
            id: self.id.to_static(),
            base: optional(&self.base),
            context_window: fact(&self.context_window, |value| *value),
            max_output_tokens: fact(&self.max_output_tokens, |value| *value),
            apis: fact(&self.apis, Vec::clone),
            capabilities: capabilities
                .map(|(capability, fact)| (capability.clone(), fact.with(|value| *value)))
                .collect(),
            reasoning_levels: fact(&self.reasoning_levels, Vec::clone),
            prompt_cache_min_tokens: fact(&self.prompt_cache_min_tokens, |value| *value),
            end_of_life: fact(&self.end_of_life, |value| *value),
            no_sooner_than: fact(&self.no_sooner_than, |value| *value),
            legacy_period_days: fact(&self.legacy_period_days, |value| *value),
            successor: fact(&self.successor, Text::to_static),
            prices: self.prices.iter().map(PriceEntry::to_static).collect(),
            quotas: fact(&self.quotas, |list| list.iter().map(quota).collect()),
        }
    }
}

impl PriceEntry<'_> {
    fn to_static(&self) -> PriceEntry<'static> {
        PriceEntry {
            route: self.route,
            geography: self.geography.clone(),
            regions: texts(&self.regions),
            tier: self.tier.clone(),
            currency: self.currency.to_static(),
            source: self.source.to_static(),
            amounts: self.amounts.clone(),
        }
    }
}

impl MantleEntry<'_> {
    fn to_static(&self) -> MantleEntry<'static> {
        MantleEntry {
            id: self.id.to_static(),
            model: optional(&self.model),
            regions: fact(&self.regions, |list| texts(list)),
            apis: fact(&self.apis, Vec::clone),
            path: fact(&self.path, Text::to_static),
            prices: self.prices.iter().map(PriceEntry::to_static).collect(),
        }
    }
}

impl FormerEntry<'_> {
    /// A copy with owned texts.
    pub fn to_static(&self) -> FormerEntry<'static> {
        FormerEntry {
            id: self.id.to_static(),
            profile_of: optional(&self.profile_of),
            end_of_life: fact(&self.end_of_life, |value| *value),
            last_seen: fact(&self.last_seen, |value| *value),
            gone_by: fact(&self.gone_by, |value| *value),
            successor: fact(&self.successor, Text::to_static),
        }
    }
}
