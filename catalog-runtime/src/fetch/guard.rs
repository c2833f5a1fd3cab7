//! The guard against answers that are much smaller than what the region had before.

use std::collections::BTreeMap;

use bedrock_catalog_recording::{Recording, RegionAnswers};

/// How many rows a region had at its last good answer. A new answer is measured against it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegionExpectation {
    /// Rows of `ListFoundationModels`.
    pub models: usize,
    /// System-defined rows of `ListInferenceProfiles`.
    pub profiles: usize,
}

impl RegionExpectation {
    /// The counts of every region that answered in an earlier recording.
    pub fn of(recording: &Recording) -> BTreeMap<String, Self> {
        let count = |answers: &RegionAnswers| Self {
            models: answers.models.len(),
            profiles: answers.profiles.len(),
        };
        let regions = recording.regions.iter();
        regions
            .map(|(id, answers)| (id.clone(), count(answers)))
            .collect()
    }

    /// The reason why the answers are suspicious: a list lost more than a fifth of its rows.
    pub(super) fn suspicion(&self, answers: &RegionAnswers) -> Option<String> {
        let lists = [
            ("models", self.models, answers.models.len()),
            ("inference profiles", self.profiles, answers.profiles.len()),
        ];
        let shrunk = |&(_, before, now): &(&str, usize, usize)| {
            now.saturating_mul(5) < before.saturating_mul(4)
        };
        let (what, before, now) = lists.into_iter().find(shrunk)?;
        Some(format!("{now} {what} where there were {before}"))
    }
}

#[cfg(test)]
mod tests {
    use bedrock_catalog_recording::{ModelSummary, ProfileSummary};

    use super::*;

    #[test]
    fn a_list_that_lost_more_than_a_fifth_is_suspicious() {
        let answers = |models, profiles| {
            RegionAnswers::new(
                vec![ModelSummary::default(); models],
                vec![ProfileSummary::default(); profiles],
            )
        };
        let before = RegionExpectation {
            models: 100,
            profiles: 10,
        };
        for (models, profiles, suspicious) in [
            (100, 10, false),
            (80, 8, false),
            (1000, 100, false),
            (79, 10, true),
            (100, 7, true),
            (0, 10, true),
            (100, 0, true),
            (0, 0, true),
        ] {
            let suspicion = before.suspicion(&answers(models, profiles));
            assert_eq!(suspicion.is_some(), suspicious, "{models} {profiles}");
        }
        let nothing_known = RegionExpectation::default();
        assert_eq!(nothing_known.suspicion(&answers(0, 0)), None);
    }
}
