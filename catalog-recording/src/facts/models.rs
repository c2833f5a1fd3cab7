//! The facts of one model: limits, APIs, capabilities, ends.

use bedrock_catalog_data::Modality;
use bedrock_catalog_data::facts::{Api, Capability, FactEntry, FactsEntry};

use super::collect::{CARD, Collected, ID, LISTING, LITELLM, QUOTAS};
use super::litellm::Entry;
use super::report::{Disagreement, is_rounding};

/// The capabilities of the model itself, which its variants have too. Others are of the service.
const OF_THE_MODEL: &[Capability] = &[
    Capability::Documents,
    Capability::Reasoning,
    Capability::ToolChoice,
    Capability::Tools,
];

impl Collected<'_> {
    /// The facts of a model; `None` if nothing is known.
    pub(super) fn model_entry(&mut self, id: &str) -> Option<FactsEntry<'static>> {
        let mut entry = self.own_facts(id);
        if let Some(base) = self.base_of(id) {
            self.inherit(&mut entry, &base);
        }
        entry.prices = self.prices_of(id);
        entry.quotas = self
            .quotas
            .get(id)
            .map(|list| FactEntry::new(list.clone(), QUOTAS));
        (entry != FactsEntry::new(id.to_owned())).then_some(entry)
    }

    /// What the inputs state of the id itself.
    fn own_facts(&mut self, id: &str) -> FactsEntry<'static> {
        let mut entry = FactsEntry::new(id.to_owned());
        let card = self.cards.get(id).cloned();
        let litellm: Vec<Entry> = self.of_litellm(id).into_iter().cloned().collect();
        let suffix = self.catalog.model(id).and_then(|_| tokens_of_suffix(id));
        let input = first(&litellm, |entry| entry.max_input_tokens);
        let context = card.as_ref().and_then(|card| card.context_window);
        let of_id = suffix.map(|tokens| (ID, tokens));
        let stated = context.map(|tokens| (CARD, tokens));
        entry.context_window = self.limit("context_window", id, of_id.or(stated), input);
        let output = card.as_ref().and_then(|card| card.max_output_tokens);
        let output = output.map(|tokens| (CARD, tokens));
        let other = first(&litellm, |entry| entry.max_output_tokens);
        entry.max_output_tokens = self.limit("max_output_tokens", id, output, other);
        let apis: Vec<Api> = card.as_ref().map(|card| card.apis()).unwrap_or_default();
        entry.apis = (!apis.is_empty()).then(|| FactEntry::new(apis, CARD));
        self.capabilities(&mut entry, &litellm);
        entry.prompt_cache_min_tokens =
            first(&litellm, |entry| entry.prompt_cache_min_tokens).map(of_litellm);
        entry.reasoning_levels =
            first(&litellm, |entry| entry.reasoning_levels.clone()).map(of_litellm);
        self.ends(&mut entry, card.as_ref(), &litellm);
        if let (Some(card), Some(model)) = (&card, self.catalog.model(id))
            && card.endpoints.bedrock_runtime == Some(false)
            && model.is_callable()
        {
            let (listing, card) = ((LISTING, "yes".to_owned()), (CARD, "no".to_owned()));
            self.disagree("bedrock-runtime", id, listing, card);
        }
        entry
    }

    /// A limit: AWS's word before LiteLLM's.
    fn limit(
        &mut self,
        fact: &'static str,
        id: &str,
        stated: Option<(&'static str, u32)>,
        litellm: Option<u32>,
    ) -> Option<FactEntry<'static, u32>> {
        let Some((source, tokens)) = stated else {
            return litellm.map(of_litellm);
        };
        if let Some(other) = litellm.filter(|other| *other != tokens) {
            self.disagreements.push(Disagreement {
                fact,
                id: id.to_owned(),
                counts: (source, tokens.to_string()),
                other: (LITELLM, other.to_string()),
                is_rounding: is_rounding(tokens, other),
            });
        }
        Some(FactEntry::new(tokens, source))
    }

    /// Capabilities of LiteLLM; images as input as the listing says; batch where it has a price.
    fn capabilities(&mut self, entry: &mut FactsEntry<'static>, litellm: &[Entry]) {
        for (capability, flag) in litellm.iter().flat_map(|entry| &entry.capabilities) {
            entry
                .capabilities
                .entry(capability.clone())
                .or_insert_with(|| FactEntry::new(*flag, LITELLM));
        }
        let batch = bedrock_catalog_data::facts::Tier::Batch;
        if litellm
            .iter()
            .any(|entry| entry.prices.contains_key(&batch))
        {
            let fact = FactEntry::new(true, LITELLM);
            entry.capabilities.insert(Capability::Batch, fact);
        }
        let model = self.catalog.model(&*entry.id);
        if let Some(modalities) = model.and_then(|model| model.input_modalities()) {
            let listed = modalities.contains(&Modality::Image);
            let fact = FactEntry::new(listed, LISTING);
            let other = entry.capabilities.insert(Capability::Vision, fact);
            if let Some(other) = other.filter(|other| other.value != listed) {
                let (counts, other) = (yes_or_no(listed), yes_or_no(other.value));
                let id = entry.id.to_string();
                self.disagree("vision", &id, (LISTING, counts), (LITELLM, other));
            }
        }
    }

    /// The id of which an id of the catalog is a variant: without its last parts after a colon.
    pub(super) fn base_of(&self, id: &str) -> Option<String> {
        let model = self.catalog.model(id)?;
        if self.cards.contains_key(id) {
            return None;
        }
        let mut base = model.id();
        loop {
            base = base.rsplit_once(':')?.0;
            if self.catalog.model(base).is_some() {
                return Some(base.to_owned());
            }
        }
    }

    /// Takes over what is true of a variant too. Not the context window, and nothing of the service: its
    /// prices, its tiers, its cache.
    fn inherit(&mut self, entry: &mut FactsEntry<'static>, base: &str) {
        let of_base = self.unreported(|collected| collected.own_facts(base));
        entry.base = Some(base.to_owned().into());
        let context = entry.context_window.as_ref().map(|fact| fact.value);
        let output = of_base.max_output_tokens.filter(|fact| {
            // A variant with a shorter context cannot answer as much.
            context.is_some_and(|context| fact.value <= context)
        });
        take_over(&mut entry.max_output_tokens, output);
        take_over(&mut entry.apis, of_base.apis);
        for (capability, fact) in of_base.capabilities {
            if OF_THE_MODEL.contains(&capability) {
                let inherited = inherited(fact);
                entry.capabilities.entry(capability).or_insert(inherited);
            }
        }
        take_over(&mut entry.reasoning_levels, of_base.reasoning_levels);
        take_over(&mut entry.successor, of_base.successor);
        take_over(&mut entry.no_sooner_than, of_base.no_sooner_than);
        take_over(&mut entry.legacy_period_days, of_base.legacy_period_days);
        let listed = self
            .catalog
            .model(base)
            .and_then(|model| model.lifecycle().end_of_life());
        let end = listed.map(|end| FactEntry::new(end, LISTING));
        take_over(&mut entry.end_of_life, end.or(of_base.end_of_life));
    }

    /// Reads without recording the disagreements, which are recorded for the base itself.
    fn unreported<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let count = self.disagreements.len();
        let value = read(self);
        self.disagreements.truncate(count);
        value
    }
}

fn of_litellm<T>(value: T) -> FactEntry<'static, T> {
    FactEntry::new(value, LITELLM)
}

/// The first value that an entry states.
pub(super) fn first<T>(entries: &[Entry], read: impl Fn(&Entry) -> Option<T>) -> Option<T> {
    entries.iter().find_map(read)
}

fn inherited<T>(mut fact: FactEntry<'static, T>) -> FactEntry<'static, T> {
    fact.inherited = true;
    fact
}

fn take_over<T>(own: &mut Option<FactEntry<'static, T>>, of_base: Option<FactEntry<'static, T>>) {
    if own.is_none() {
        *own = of_base.map(inherited);
    }
}

fn yes_or_no(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

/// The tokens of a suffix such as `:24k`, `:1m` or `:512`; smaller plain numbers are versions.
fn tokens_of_suffix(id: &str) -> Option<u32> {
    let (_, suffix) = id.rsplit_once(':')?;
    let (digits, factor) = match suffix.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1000),
        None => match suffix.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1_000_000),
            None => (suffix, 1),
        },
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let tokens = digits.parse::<u32>().ok()?.checked_mul(factor)?;
    Some(tokens).filter(|tokens| *tokens >= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_of_variants_state_tokens() {
        for (id, tokens) in [
            ("a.b-v1:0:24k", Some(24_000)),
            ("a.b-v1:0:1m", Some(1_000_000)),
            ("a.b-v3:0:512", Some(512)),
            ("a.b-v1:0", None),
            ("a.b-v1:0:mm", None),
            ("a.b-v1:0:m", None),
            ("a.b-v1:0:99999999999k", None),
            ("a.b", None),
        ] {
            assert_eq!(tokens_of_suffix(id), tokens, "{id}");
        }
    }
}
