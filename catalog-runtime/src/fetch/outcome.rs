//! What a fetch hands back: a recording, and for every region how it went.
//!
//! This file knows no AWS type and does no I/O.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bedrock_catalog_recording::{Recording, RegionAnswers};

/// How one region ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Outcome {
    /// All answers came and are in the recording.
    Ok,
    /// AWS refused: a policy, or credentials that are expired, wrong or wrongly signed.
    Denied,
    /// An opt-in region that the account has not enabled. Nothing is wrong.
    NotEnabled,
    /// AWS was still throttling when the attempts or the retry budget were used up.
    Throttled,
    /// A deadline passed.
    TimedOut,
    /// Anything else: no connection, a server error, an answer that cannot be read.
    Failed,
    /// AWS answered, but with so much less than was known before that it is not believed.
    Suspicious,
}

impl Outcome {
    /// Whether asking again later, with nothing changed, may well give another outcome.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Throttled | Self::TimedOut)
    }

    /// The outcome in words: `ok`, `denied`, `not enabled`, `throttled`, `timed out`, `failed`,
    /// `suspicious`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::NotEnabled => "not enabled",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed out",
            Self::Failed => "failed",
            Self::Suspicious => "suspicious",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How one region went. Free of account ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionReport {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in one line for people; empty where the outcome is [`Outcome::Ok`].
    pub reason: String,
    /// Rows of `ListFoundationModels`; 0 where the answer was not usable.
    pub models: usize,
    /// Rows of `ListInferenceProfiles`; 0 where the answer was not usable.
    pub profiles: usize,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

/// A region that has just ended, for a progress bar.
///
/// The outcome may still turn from [`Outcome::Denied`] to [`Outcome::NotEnabled`], which takes the
/// other regions' answers to tell; [`Fetched`] has the last word.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The region's id.
    pub region: &'a str,
    /// How it went.
    pub report: &'a RegionReport,
    /// Regions that have ended, this one included.
    pub done: usize,
    /// Regions asked in all.
    pub total: usize,
}

/// How many rows a region had the last time it answered well: what a new answer is measured against.
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

    /// Why the answers are not to be believed: a list has lost more than a fifth of its rows, or all.
    pub(super) fn doubt(&self, answers: &RegionAnswers) -> Option<String> {
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

/// The result of a fetch: also when some regions failed, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub(super) recording: Recording,
    pub(super) reports: BTreeMap<String, RegionReport>,
    pub(super) account: Account,
}

/// The account of the credentials that were used, where they name one. Does not print.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Account(pub(super) Option<String>);

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account")
    }
}

impl Fetched {
    /// The answers. Every region asked is either in `regions` or, with its outcome and reason, in
    /// `failures`; regions that are not enabled are among the failures too, so that data known of
    /// them earlier is carried over and not lost.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The answers, owned.
    pub fn into_recording(self) -> Recording {
        self.recording
    }

    /// How every region asked went, by its id.
    pub fn reports(&self) -> &BTreeMap<String, RegionReport> {
        &self.reports
    }

    /// Whose credentials were used, where they name an account.
    pub(crate) fn account(&self) -> Option<&str> {
        self.account.0.as_deref()
    }

    /// How many regions answered.
    pub fn answered(&self) -> usize {
        self.recording.regions.len()
    }

    /// Whether every region answered that can: all are ok or not enabled, and at least one is ok.
    pub fn is_complete(&self) -> bool {
        let fine =
            |report: &RegionReport| matches!(report.outcome, Outcome::Ok | Outcome::NotEnabled);
        self.answered() > 0 && self.reports.values().all(fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedrock_catalog_recording::{ModelSummary, ProfileSummary};

    #[test]
    fn a_list_that_lost_more_than_a_fifth_is_doubted() {
        let answers = |models, profiles| {
            let models = vec![ModelSummary::default(); models];
            RegionAnswers::new(models, vec![ProfileSummary::default(); profiles])
        };
        let before = RegionExpectation {
            models: 100,
            profiles: 10,
        };
        for (models, profiles, doubted) in [
            (100, 10, false),
            (90, 9, false),
            (80, 8, false),
            (1000, 100, false),
            (79, 10, true),
            (100, 7, true),
            (0, 10, true),
            (100, 0, true),
            (0, 0, true),
        ] {
            let doubt = before.doubt(&answers(models, profiles));
            assert_eq!(doubt.is_some(), doubted, "{models} {profiles} {doubt:?}");
        }
        assert_eq!(RegionExpectation::default().doubt(&answers(0, 0)), None);
    }
}
