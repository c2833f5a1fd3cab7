//! Guards: checks that stop a bad recording from becoming a catalog.

use std::collections::BTreeSet;

use bedrock_catalog_data::Catalog;

use crate::recording::{Recording, RowProblem};
use crate::transform::transform;

/// The largest share of models that may be gone or renamed at once, in percent.
const MAX_GONE_PERCENT: usize = 20;
/// A recording with this many times the models of the previous catalog is rejected.
const MAX_GROWTH: usize = 10;
/// The most ids in one message.
const MAX_NAMED: usize = 20;

/// The reasons not to build a catalog of a recording, given the previous catalog; empty if there are
/// none.
///
/// | guard | with a previous catalog only |
/// |---|---|
/// | no models, or two different rows with one id | |
/// | older than the previous catalog | yes |
/// | no answer, or no models or profiles, from a region that had some | yes |
/// | more than 20 % of the models gone or renamed | yes |
/// | ten times as many models | yes |
///
/// Regions in [`Recording::failures`] do not count, because their last rows are carried over.
///
/// ```
/// use bedrock_catalog_data::Catalog;
/// use bedrock_catalog_recording::{Recording, guard_violations};
///
/// let bundle = Catalog::bundled();
/// let mut recording = Recording::of_catalog(bundle);
/// assert!(guard_violations(&recording, Some(bundle)).is_empty());
/// recording.regions.remove("eu-west-1");
/// let violations = guard_violations(&recording, Some(bundle));
/// assert!(violations[0].starts_with("eu-west-1 answers nothing"));
/// ```
pub fn guard_violations(recording: &Recording, previous: Option<&Catalog>) -> Vec<String> {
    let (document, problems) = transform(recording, None);
    let mut violations = Vec::new();
    let duplicates = problems.iter().filter(|problem| problem.is_duplicate());
    violations.extend(duplicates.map(|problem: &RowProblem| format!("duplicate id: {problem}")));
    if document.models.is_empty() {
        violations.push("the recording has no models at all".to_owned());
    }
    let Some(previous) = previous else {
        return violations;
    };
    if recording.observed_at < previous.observed_at() {
        violations.push(format!(
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
            && region.profile_count() > 0;
        let silent = answers.is_none() && !recording.failures.contains_key(region.id());
        if no_models || silent {
            let models = region.model_count();
            violations.push(format!(
                "{} answers nothing; it had {models} models",
                region.id()
            ));
        } else if no_profiles {
            let profiles = region.profile_count();
            violations.push(format!(
                "{} answers no inference profile; it had {profiles}",
                region.id()
            ));
        }
    }
    let now: BTreeSet<&str> = document.models.iter().map(|entry| &*entry.id).collect();
    // Regions that failed may still have their models.
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
    if gone_or_renamed.len() * 100 > asked.len() * MAX_GONE_PERCENT {
        let named = gone_or_renamed
            .iter()
            .take(MAX_NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = match gone_or_renamed.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        violations.push(format!(
            "{} of {} models are gone or renamed (more than {MAX_GONE_PERCENT} %): {named}{more}",
            gone_or_renamed.len(),
            asked.len()
        ));
    }
    if !asked.is_empty() && now.len() >= asked.len() * MAX_GROWTH {
        violations.push(format!(
            "{} models where there were {} (×{MAX_GROWTH} or more)",
            now.len(),
            asked.len()
        ));
    }
    violations
}
