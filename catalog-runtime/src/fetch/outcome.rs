//! The result of a fetch: a recording, and for every region its outcome.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bedrock_catalog_recording::Recording;

/// How one region ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Outcome {
    /// All answers came and are in the recording.
    Ok,
    /// AWS refused: a policy, or credentials that are expired, wrong or wrongly signed.
    Denied,
    /// An opt-in region that the account has not enabled. No fault.
    NotEnabled,
    /// AWS was still throttling when the attempts or the retry budget were used up.
    Throttled,
    /// A deadline passed.
    TimedOut,
    /// Anything else: no connection, a server error, an answer that cannot be read.
    Failed,
    /// AWS answered with much less than the region had before.
    Suspicious,
}

impl Outcome {
    /// Whether a later fetch, with nothing changed, may well have another outcome.
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

/// The outcome of one region, without account ids.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionReport {
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, in one line for people; empty where the outcome is [`Outcome::Ok`].
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
/// [`Outcome::Denied`] may still become [`Outcome::NotEnabled`] once the other regions have answered.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// The region's id.
    pub region: &'a str,
    /// The report.
    pub report: &'a RegionReport,
    /// Regions that have ended, this one included.
    pub done: usize,
    /// The number of regions.
    pub total: usize,
}

/// The result of a fetch, also when some or all regions failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub(super) recording: Recording,
    pub(super) reports: BTreeMap<String, RegionReport>,
}

impl Fetched {
    /// The answers. Every region is either in `regions` or, with its outcome and reason, in
    /// `failures`. Regions that are not enabled are among the failures, so that earlier data of them is
    /// carried over.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The answers, owned.
    pub fn into_recording(self) -> Recording {
        self.recording
    }

    /// The report of every region, by its id.
    pub fn reports(&self) -> &BTreeMap<String, RegionReport> {
        &self.reports
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
