//! The list of ids that bedrock-mantle serves, with regions and APIs.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::facts::{Api, FactEntry, MantleEntry};
use serde::Deserialize;

use super::cards::Card;
use super::collect::{CARD, Collected, LITELLM, MANTLE};
use super::input::{FactsInput, entries, is_id, is_region};
use super::litellm::Place;
use crate::error::RecordingError;

/// An entry of the list.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Served {
    #[serde(default)]
    mantle_supported_regions: Vec<String>,
    #[serde(default)]
    mantle_apis: Vec<String>,
}

impl Served {
    pub(super) fn regions(&self) -> Vec<String> {
        let mut regions = self.mantle_supported_regions.clone();
        regions.retain(|region| is_region(region));
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    pub(super) fn apis(&self) -> Vec<Api> {
        let mut apis: Vec<Api> = self
            .mantle_apis
            .iter()
            .map(|name| match name.as_str() {
                "completions" => Api::ChatCompletions,
                other => Api::from(other),
            })
            .collect();
        apis.sort_unstable();
        apis.dedup();
        apis
    }
}

/// The list by id. Ids that cannot be ids are dropped.
pub(super) fn read(input: &FactsInput<'_>) -> Result<BTreeMap<String, Served>, RecordingError> {
    let mut served: BTreeMap<String, Served> = entries("mantle", input)?;
    served.retain(|id, _| is_id(id));
    Ok(served)
}

impl Collected<'_> {
    /// The ids of bedrock-mantle, of all inputs.
    pub(super) fn mantle_entries(&mut self) -> Vec<MantleEntry<'static>> {
        let keys = self.litellm.entries.keys();
        let of_litellm =
            keys.filter(|(_, place)| matches!(place, Place::Mantle | Place::MantleRegion(_)));
        let of_litellm = of_litellm.map(|(id, _)| id.clone());
        // The card of a model with an alias names the alias's endpoint.
        let aliased: BTreeSet<&String> = self.aliases.values().collect();
        let of_cards = self.cards.iter().filter_map(|(id, card)| {
            let served = card.endpoints.bedrock_mantle == Some(true);
            let own = self.split(id).0.is_none() && !aliased.contains(id);
            (served && own).then(|| id.clone())
        });
        let mut ids: BTreeSet<String> = self.served.keys().cloned().collect();
        ids.extend(of_litellm);
        ids.extend(of_cards);
        ids.iter().map(|id| self.mantle_entry(id)).collect()
    }

    fn mantle_entry(&mut self, id: &str) -> MantleEntry<'static> {
        let mut entry = MantleEntry::new(id.to_owned());
        let alias = self.aliases.get(id).cloned();
        let own = self.catalog.model(id).map(|model| model.id().to_owned());
        entry.model = alias.or(own).map(Into::into);
        let of_card = self.cards.get(id).map(Card::mantle_regions);
        let of_card = of_card.filter(|regions| !regions.is_empty());
        let served = self.served.get(id);
        let of_list = served
            .map(Served::regions)
            .filter(|regions| !regions.is_empty());
        // The list asks the endpoint itself and is newer than the cards.
        let regions = match (of_list, of_card) {
            (Some(list), Some(card)) if list != card => {
                let (counts, other) = ((MANTLE, list.join(" ")), (CARD, card.join(" ")));
                self.disagree("mantle_regions", id, counts, other);
                Some((list, MANTLE))
            }
            (Some(list), _) => Some((list, MANTLE)),
            (None, card) => card.map(|card| (card, CARD)),
        };
        entry.regions = regions.map(|(regions, source)| {
            let regions = regions.into_iter().map(Into::into);
            FactEntry::new(regions.collect(), source)
        });
        let apis = self.served.get(id).map(Served::apis);
        let apis = apis.filter(|apis| !apis.is_empty());
        entry.apis = apis.map(|apis| FactEntry::new(apis, MANTLE));
        let litellm = self.litellm.all(id).map(|(_, entry)| entry.path);
        let path = litellm.flatten().max();
        entry.path = path.map(|path| FactEntry::new(path.into(), LITELLM));
        entry.prices = self.mantle_prices(id);
        entry
    }
}
