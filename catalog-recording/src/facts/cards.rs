//! The model cards of AWS: limits, APIs, endpoints and ends by id.

use std::collections::BTreeMap;

use bedrock_catalog_data::Date;
use bedrock_catalog_data::facts::Api;
use serde::Deserialize;

use super::input::{FactsInput, entries, is_id, is_region};
use crate::error::RecordingError;

/// A model card. Members that this version does not know are ignored.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Card {
    #[serde(default)]
    pub(super) context_window: Option<u32>,
    #[serde(default)]
    pub(super) max_output_tokens: Option<u32>,
    #[serde(default)]
    pub(super) end_of_life: Option<Date>,
    #[serde(default)]
    pub(super) no_sooner_than: Option<Date>,
    #[serde(default)]
    pub(super) legacy_period_days: Option<u32>,
    #[serde(default)]
    apis: Apis,
    #[serde(default)]
    pub(super) endpoints: Endpoints,
    #[serde(default)]
    mantle_regions: Vec<String>,
    /// The address of the page. Ids of one page are of one model.
    #[serde(default)]
    pub(super) source: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Apis {
    responses: bool,
    chat_completions: bool,
    invoke: bool,
    converse: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Endpoints {
    pub(super) bedrock_runtime: Option<bool>,
    pub(super) bedrock_mantle: Option<bool>,
}

impl Card {
    /// The APIs; empty if the card names none, which says nothing.
    pub(super) fn apis(&self) -> Vec<Api> {
        let apis = [
            (self.apis.chat_completions, Api::ChatCompletions),
            (self.apis.converse, Api::Converse),
            (self.apis.invoke, Api::Invoke),
            (self.apis.responses, Api::Responses),
        ];
        let named = apis.into_iter().filter(|(named, _)| *named);
        named.map(|(_, api)| api).collect()
    }

    /// The regions of bedrock-mantle.
    pub(super) fn mantle_regions(&self) -> Vec<String> {
        let mut regions = self.mantle_regions.clone();
        regions.retain(|region| is_region(region));
        regions.sort_unstable();
        regions.dedup();
        regions
    }
}

/// The cards by id. Ids that cannot be ids are dropped.
pub(super) fn read(input: &FactsInput<'_>) -> Result<BTreeMap<String, Card>, RecordingError> {
    let mut cards: BTreeMap<String, Card> = entries("cards", input)?;
    cards.retain(|id, _| is_id(id));
    Ok(cards)
}
