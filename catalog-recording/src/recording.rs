//! A recording: the raw answers of the Bedrock control plane for a set of regions.
//!
//! This file knows the shape of the answers and nothing of the catalog they become. Reading and
//! writing the folder is in `recording/folder.rs`.

mod folder;
mod render;

use std::collections::BTreeMap;

use bedrock_catalog_data::Timestamp;
use serde::{Deserialize, Serialize};

pub use folder::RowProblem;
pub(crate) use folder::{Row, RowFault};

/// Raw answers of a set of regions of one partition, with the time they were observed and the
/// regions that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// When the answers were observed.
    pub observed_at: Timestamp,
    /// The partition: `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: String,
    /// What each region answered, by region id. Disjoint from `failures`.
    pub regions: BTreeMap<String, RegionAnswers>,
    /// The regions that were asked and gave no usable answer, with the reason.
    pub failures: BTreeMap<String, String>,
    /// The rows that were no rows of the API when the recording was read, and are not in `regions`. A
    /// recording that has any is not complete.
    pub left_out: Vec<RowProblem>,
}

/// What one region answered. The rows stand in the order of the answer; the transform does not
/// depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionAnswers {
    /// The rows of `ListFoundationModels`.
    pub models: Vec<ModelSummary>,
    /// The system-defined rows of `ListInferenceProfiles`, all pages joined.
    pub profiles: Vec<ProfileSummary>,
}

/// One row of `ListFoundationModels`, with the API's own field names in JSON. Absent is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    /// `arn:PARTITION:bedrock:REGION::foundation-model/ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_arn: Option<String>,
    /// The exact model id.
    pub model_id: String,
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// The provider's name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_name: Option<String>,
    /// Words such as `TEXT`, `IMAGE`; unknown ones as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_modalities: Option<Vec<String>>,
    /// Words such as `TEXT`, `EMBEDDING`; unknown ones as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<String>>,
    /// Whether the model streams its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_streaming_supported: Option<bool>,
    /// Words such as `FINE_TUNING`; unknown ones as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customizations_supported: Option<Vec<String>>,
    /// Words such as `ON_DEMAND`, `PROVISIONED`, `INFERENCE_PROFILE`; unknown ones as they came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_types_supported: Option<Vec<String>>,
    /// The lifecycle, where told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_lifecycle: Option<LifecycleSummary>,
}

/// The lifecycle of a model row. Times are RFC 3339 text, as the AWS CLI prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleSummary {
    /// `ACTIVE`, `LEGACY`, or a word this version does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_of_life_time: Option<String>,
    /// When the model became, or becomes, legacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_time: Option<String>,
    /// When public extended access begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_extended_access_time: Option<String>,
    /// When the model ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_life_time: Option<String>,
}

/// One row of `ListInferenceProfiles`, with the API's own field names in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileSummary {
    /// The name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_profile_name: Option<String>,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// RFC 3339 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// RFC 3339 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// The profile's ARN; its account id is scrubbed before anything is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_profile_arn: Option<String>,
    /// The models served, one ARN per destination region; an ARN without a region is global.
    pub models: Vec<ProfileModel>,
    /// The exact profile id.
    pub inference_profile_id: String,
    /// `ACTIVE`, or a word this version does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `SYSTEM_DEFINED` or `APPLICATION`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// One model of a profile row.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileModel {
    /// `arn:PARTITION:bedrock:REGION::foundation-model/ID`; REGION is empty for a global profile.
    pub model_arn: String,
}

impl LifecycleSummary {
    /// The times, with the names of their fields.
    pub(crate) fn times(&self) -> [(&'static str, Option<&str>); 4] {
        [
            ("startOfLifeTime", self.start_of_life_time.as_deref()),
            ("legacyTime", self.legacy_time.as_deref()),
            (
                "publicExtendedAccessTime",
                self.public_extended_access_time.as_deref(),
            ),
            ("endOfLifeTime", self.end_of_life_time.as_deref()),
        ]
    }
}

impl ProfileSummary {
    /// Whether it is of the partition rather than of an account. A word this version does not know
    /// is kept.
    pub(crate) fn is_system_defined(&self) -> bool {
        self.kind.as_deref() != Some("APPLICATION")
    }
}
