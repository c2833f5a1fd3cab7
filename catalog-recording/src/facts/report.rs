//! What the making of facts found: coverage, disagreements between sources, and entries left out.

use std::collections::BTreeMap;

use bedrock_catalog_data::Catalog;
use bedrock_catalog_data::facts::{Capability, FactsDocument, FactsEntry};

/// How many models have a kind of fact.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The kind of fact.
    pub fact: String,
    /// The number of models of the catalog that have it.
    pub models: usize,
    /// The number of values by the short name of their source.
    pub sources: BTreeMap<String, usize>,
}

/// Two sources that state different values of one fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Disagreement {
    /// The kind of fact.
    pub fact: &'static str,
    /// The id of the model.
    pub id: String,
    /// The source that counts, and its value.
    pub counts: (&'static str, String),
    /// The other source, and its value.
    pub other: (&'static str, String),
    /// Whether the values are of one limit, rounded differently: 8,000 and 8,192.
    pub is_rounding: bool,
}

/// An entry of an input that became no fact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct LeftOut {
    /// The short name of the source.
    pub source: &'static str,
    /// The id or key.
    pub id: String,
    /// The reason.
    pub reason: &'static str,
}

/// Whether two limits are within five percent.
pub(super) fn is_rounding(a: u32, b: u32) -> bool {
    let (small, large) = (u64::from(a.min(b)), u64::from(a.max(b)));
    (large - small) * 20 <= large
}

/// The coverage of every kind of fact over the models of a catalog.
pub(super) fn coverage(document: &FactsDocument<'_>, catalog: &Catalog) -> Vec<Coverage> {
    let of_catalog = |entry: &&FactsEntry<'_>| catalog.model(&*entry.id).is_some();
    let entries: Vec<&FactsEntry<'_>> = document.models.iter().filter(of_catalog).collect();
    let mut all = Vec::new();
    let mut add = |fact: String, sources: Vec<Option<&str>>| {
        let mut counts = BTreeMap::new();
        let known = sources.into_iter().flatten();
        for source in known {
            *counts.entry(source.to_owned()).or_insert(0) += 1;
        }
        all.push(Coverage {
            fact,
            models: counts.values().sum(),
            sources: counts,
        });
    };
    macro_rules! field {
        ($name:literal, $field:ident) => {
            add(
                $name.to_owned(),
                entries
                    .iter()
                    .map(|entry| entry.$field.as_ref().map(|fact| &*fact.source))
                    .collect(),
            )
        };
    }
    field!("context_window", context_window);
    field!("max_output_tokens", max_output_tokens);
    add(
        "prices".to_owned(),
        entries
            .iter()
            .map(|entry| entry.prices.first().map(|price| &*price.source))
            .collect(),
    );
    field!("apis", apis);
    let known = entries.iter().flat_map(|entry| entry.capabilities.keys());
    let mut capabilities: Vec<&Capability> = known.collect();
    capabilities.sort_unstable();
    capabilities.dedup();
    for capability in capabilities {
        let fact = |entry: &&FactsEntry<'_>| {
            let fact = entry.capabilities.get(capability)?;
            Some(fact.source.to_string())
        };
        let sources: Vec<Option<String>> = entries.iter().map(fact).collect();
        add(
            capability.to_string(),
            sources.iter().map(Option::as_deref).collect(),
        );
    }
    field!("reasoning_levels", reasoning_levels);
    field!("prompt_cache_min_tokens", prompt_cache_min_tokens);
    field!("end_of_life", end_of_life);
    field!("no_sooner_than", no_sooner_than);
    field!("legacy_period_days", legacy_period_days);
    field!("successor", successor);
    field!("quotas", quotas);
    let served = |entry: &&FactsEntry<'_>| {
        let mut mantle = document.mantle.iter();
        let found = mantle.find(|mantle| mantle.model.as_ref() == Some(&entry.id))?;
        Some(
            found
                .regions
                .as_ref()
                .map_or("litellm", |fact| &*fact.source),
        )
    };
    add(
        "bedrock-mantle".to_owned(),
        entries.iter().map(served).collect(),
    );
    all
}
