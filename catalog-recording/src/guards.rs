//! What stops a bad recording from becoming the bundle, before anything is carried over.

use std::collections::BTreeSet;

use bedrock_catalog_data::Catalog;

use crate::recording::{Recording, RowProblem};
use crate::transform::transform;

/// The most models that may be gone or renamed at once, in percent.
const MOST_GONE_PERCENT: usize = 20;
/// A recording this many times larger than the catalog before is not believed.
const MOST_GROWTH: usize = 10;
/// How many ids a complaint names.
const MOST_NAMED: usize = 20;

/// What is wrong with a recording, given the previous catalog; empty where it may be built. Only a
/// person's word lets the rest pass.
///
/// Regions that are named as failed do not count: their last good rows are carried over.
pub fn complaints(recording: &Recording, previous: Option<&Catalog>) -> Vec<String> {
    let (document, problems) = transform(recording, None);
    let mut complaints = Vec::new();
    let duplicates = problems.iter().filter(|problem| problem.is_duplicate());
    complaints.extend(duplicates.map(|problem: &RowProblem| format!("duplicate id: {problem}")));
    if document.models.is_empty() {
        complaints.push("the recording has no models at all".to_owned());
    }
    let Some(previous) = previous else {
        return complaints;
    };
    if recording.observed_at < previous.observed_at() {
        complaints.push(format!(
            "the recording was observed at {}, before the catalog's {}",
            recording.observed_at,
            previous.observed_at()
        ));
    }
    for region in previous.regions() {
        let answers = recording.regions.get(region.id());
        let no_models = answers.is_some_and(|answers| answers.models.is_empty())
            && region.accesses().any(|access| access.is_listed());
        let no_profiles = answers.is_some_and(|answers| answers.profiles.is_empty())
            && region.profiles_count() > 0;
        let silent = answers.is_none() && !recording.failures.contains_key(region.id());
        if no_models || silent {
            let models = region.models_count();
            complaints.push(format!(
                "{} answers nothing; it had {models} models",
                region.id()
            ));
        } else if no_profiles {
            let profiles = region.profiles_count();
            complaints.push(format!(
                "{} answers no inference profile; it had {profiles}",
                region.id()
            ));
        }
    }
    let now: BTreeSet<&str> = document.models.iter().map(|entry| &*entry.id).collect();
    // Models of regions that failed may still be there.
    let asked: Vec<_> = previous
        .models()
        .filter(|model| {
            model
                .regions()
                .any(|region| recording.regions.contains_key(region.id()))
        })
        .collect();
    let names = |id: &str| {
        let entry = document.models.iter().find(|entry| &*entry.id == id);
        entry.and_then(|entry| entry.name.as_deref())
    };
    let gone_or_renamed: Vec<&str> = asked
        .iter()
        .filter(|model| {
            !now.contains(model.id())
                || (model.name().is_some() && names(model.id()) != model.name())
        })
        .map(|model| model.id())
        .collect();
    if gone_or_renamed.len() * 100 > asked.len() * MOST_GONE_PERCENT {
        let named = gone_or_renamed
            .iter()
            .take(MOST_NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = match gone_or_renamed.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        complaints.push(format!(
            "{} of {} models are gone or renamed (more than {MOST_GONE_PERCENT} %): {named}{more}",
            gone_or_renamed.len(),
            asked.len()
        ));
    }
    if !asked.is_empty() && now.len() >= asked.len() * MOST_GROWTH {
        complaints.push(format!(
            "{} models where there were {} (×{MOST_GROWTH} or more)",
            now.len(),
            asked.len()
        ));
    }
    complaints
}
