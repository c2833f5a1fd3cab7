//! Ends of life, successors, and ids that ended before the catalog's recordings.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::Date;
use bedrock_catalog_data::facts::{FactEntry, FactsEntry, FormerEntry};

use super::FactsInputs;
use super::cards::Card;
use super::collect::{CARD, Collected, HISTORY, LISTING, LITELLM, PUBLISHED};
use super::litellm::Entry;
use super::models::first;
use crate::recording::Recording;

/// The day of the first recording of this project.
pub(super) const FIRST_RECORDING: Date = Date::baked(2026, 2, 20);

/// Ids that ended before it, one a line.
const PUBLISHED_IDS: &str = include_str!("former.txt");

type Former = BTreeMap<String, FormerEntry<'static>>;

impl Collected<'_> {
    /// The announced end, AWS's word before LiteLLM's, and the successor.
    pub(super) fn ends(
        &mut self,
        entry: &mut FactsEntry<'static>,
        card: Option<&Card>,
        litellm: &[Entry],
    ) {
        let id = entry.id.to_string();
        let of_card = card.and_then(|card| card.end_of_life);
        // The entries of profiles and regions can have ends of their own: only the plain one counts.
        let plain = self.litellm.get(&id, super::litellm::Place::Plain);
        let of_litellm = plain.and_then(|entry| entry.end_of_life);
        let listed = self.catalog.model(&*id);
        let listed = listed.and_then(|model| model.lifecycle().end_of_life());
        let stated = [(LISTING, listed), (CARD, of_card), (LITELLM, of_litellm)];
        let mut stated = stated
            .into_iter()
            .filter_map(|(source, end)| Some((source, end?)));
        if let Some((source, end)) = stated.next() {
            for (other, day) in stated.filter(|(_, day)| *day != end) {
                let (counts, other) = ((source, end.to_string()), (other, day.to_string()));
                self.disagree("end_of_life", &id, counts, other);
            }
            // The date in the listing stands in the catalog.
            if source != LISTING {
                entry.end_of_life = Some(FactEntry::new(end, source));
            }
        }
        let later = card.and_then(|card| card.no_sooner_than);
        entry.no_sooner_than = later.map(|day| FactEntry::new(day, CARD));
        let period = card.and_then(|card| card.legacy_period_days);
        entry.legacy_period_days = period.map(|days| FactEntry::new(days, CARD));
        entry.successor = self.successor(&id, litellm);
    }

    /// The successor, without its geography, if it is another model that a source has.
    fn successor(
        &self,
        id: &str,
        litellm: &[Entry],
    ) -> Option<FactEntry<'static, bedrock_catalog_data::Text<'static>>> {
        let stated = first(litellm, |entry| entry.successor.clone())?;
        let (_, model) = self.split(&stated);
        let is_known = self.catalog.model(model).is_some()
            || self.cards.contains_key(model)
            || !self.of_litellm(model).is_empty();
        let model = Some(model).filter(|model| is_known && *model != id)?;
        Some(FactEntry::new(model.to_owned().into(), LITELLM))
    }

    /// The ids that the catalog does not have any more, or never had.
    pub(super) fn former(&mut self, inputs: &FactsInputs<'_>) -> Former {
        let mut former = Former::new();
        let previous = inputs.previous.iter().flat_map(|previous| &previous.former);
        for entry in previous {
            former.insert(entry.id.to_string(), entry.to_static());
        }
        let published = PUBLISHED_IDS.lines().filter(|line| !line.starts_with('#'));
        for id in published.filter(|line| !line.is_empty()) {
            let entry = former.entry(id.to_owned()).or_default();
            entry.id = id.to_owned().into();
            entry.gone_by = Some(FactEntry::new(FIRST_RECORDING, PUBLISHED));
        }
        self.seen_before(inputs.history, &mut former);
        self.ended_by_card(&mut former);
        for (id, entry) in &mut former {
            let litellm: Vec<Entry> = self.of_litellm(id).into_iter().cloned().collect();
            if let Some(successor) = self.successor(id, &litellm) {
                entry.successor = Some(successor);
            }
        }
        former.retain(|id, _| {
            let (id, catalog) = (id.as_str(), self.catalog);
            catalog.model(id).is_none() && catalog.profile(id).is_none()
        });
        former
    }

    /// Ids of earlier recordings: when they were last seen, and what the listing said of their end.
    fn seen_before(&self, history: &[Recording], former: &mut Former) {
        let mut recordings: Vec<&Recording> = history.iter().collect();
        recordings.sort_by_key(|recording| recording.observed_at);
        let last = self.catalog.observed_at();
        for (position, recording) in recordings.iter().enumerate() {
            let next = recordings.get(position + 1);
            let next = next.map_or(last, |next| next.observed_at);
            let day = FactEntry::new(recording.observed_at.date(), HISTORY);
            let gone = FactEntry::new(next.date(), HISTORY);
            let mut see = |id: &str, profile_of: Option<String>, end: Option<Date>| {
                let entry = former.entry(id.to_owned()).or_default();
                entry.id = id.to_owned().into();
                entry.profile_of = profile_of.map(Into::into);
                // Recordings are in the order of time: the last one that has the id counts.
                entry.last_seen = Some(day.clone());
                entry.gone_by = Some(gone.clone());
                if let Some(end) = end {
                    entry.end_of_life = Some(FactEntry::new(end, HISTORY));
                }
            };
            for answers in recording.regions.values() {
                for model in answers
                    .models
                    .iter()
                    .filter(|model| super::input::is_id(&model.model_id))
                {
                    let lifecycle = model.model_lifecycle.as_ref();
                    let end = lifecycle.and_then(|lifecycle| lifecycle.end_of_life_time.as_deref());
                    let end = end.and_then(|end| end.get(..10)?.parse().ok());
                    see(&model.model_id, None, end);
                }
                for profile in answers
                    .profiles
                    .iter()
                    .filter(|profile| profile.is_system_defined())
                {
                    let id = &profile.inference_profile_id;
                    let arns = profile
                        .models
                        .iter()
                        .filter_map(|model| crate::arn::ModelArn::parse(&model.model_arn));
                    let models: BTreeSet<&str> = arns.map(|arn| arn.model).collect();
                    let model = models.into_iter().next().map(ToOwned::to_owned);
                    if let Some(model) = model.filter(|_| super::input::is_id(id)) {
                        see(id, Some(model), None);
                    }
                }
            }
        }
    }

    /// Ids with an end in the past that the catalog does not have.
    fn ended_by_card(&mut self, former: &mut Former) {
        let newest = self.newest;
        let ended = self.cards.iter().filter_map(|(id, card)| {
            let end = card.end_of_life.filter(|end| *end <= newest)?;
            Some((id.clone(), end))
        });
        for (id, end) in ended.collect::<Vec<_>>() {
            let (scope, model) = self.split(&id);
            let profile_of = scope.map(|_| model.to_owned());
            if self.catalog.model(id.as_str()).is_some()
                || self.catalog.profile(id.as_str()).is_some()
            {
                continue;
            }
            let entry = former.entry(id.clone()).or_default();
            entry.id = id.into();
            if entry.profile_of.is_none() {
                entry.profile_of = profile_of.map(Into::into);
            }
            entry.end_of_life = Some(FactEntry::new(end, CARD));
        }
        let ended = self
            .litellm
            .entries
            .iter()
            .filter_map(|((id, place), entry)| {
                let end = entry.end_of_life.filter(|end| *end <= newest)?;
                let is_model = *place == super::litellm::Place::Plain && self.split(id).0.is_none();
                is_model.then(|| (id.clone(), end))
            });
        for (id, end) in ended.collect::<Vec<_>>() {
            if self.catalog.model(id.as_str()).is_none() {
                let entry = former.entry(id.clone()).or_default();
                entry.id = id.into();
                entry
                    .end_of_life
                    .get_or_insert_with(|| FactEntry::new(end, LITELLM));
            }
        }
    }
}
