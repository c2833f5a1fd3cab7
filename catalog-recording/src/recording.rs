//! Recordings: the answers of the Bedrock control plane for a set of regions.
//!
//! [`folder`] reads and writes them; [`render`] makes one of a catalog.

mod folder;
mod render;

use std::collections::BTreeMap;

use bedrock_catalog_data::Timestamp;
use serde::{Deserialize, Serialize};

pub use folder::RowProblem;
pub(crate) use folder::{Row, RowFault};

/// The answers of a set of regions of one partition, with the time of observation and the regions that
/// failed.
///
/// ```
/// use bedrock_catalog_recording::{ModelSummary, Recording, RegionAnswers, transform};
///
/// let mut recording = Recording::new("aws", "2026-08-22T00:52:43Z".parse()?);
/// let mut answers = RegionAnswers::default();
/// answers.models.push(ModelSummary::new("acme.small-v1:0"));
/// recording.regions.insert("eu-west-1".to_owned(), answers);
/// let (document, problems) = transform(&recording, None);
/// assert_eq!((document.models.len(), problems.len()), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recording {
    /// The time of observation.
    pub observed_at: Timestamp,
    /// The partition: `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: String,
    /// The answers by region id. Disjoint from `failures`.
    pub regions: BTreeMap<String, RegionAnswers>,
    /// The regions without a usable answer, with the reason.
    pub failures: BTreeMap<String, String>,
    /// The malformed rows that [`Recording::read`] skipped. A recording with any is incomplete.
    pub skipped_rows: Vec<RowProblem>,
}

impl Recording {
    /// A recording without answers.
    pub fn new(partition: impl Into<String>, observed_at: Timestamp) -> Self {
        Self {
            observed_at,
            partition: partition.into(),
            regions: BTreeMap::new(),
            failures: BTreeMap::new(),
            skipped_rows: Vec::new(),
        }
    }
}

/// The answers of one region. The order of rows has no influence on the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegionAnswers {
    /// The rows of `ListFoundationModels`.
    pub models: Vec<ModelSummary>,
    /// The system-defined rows of `ListInferenceProfiles`, of all pages.
    pub profiles: Vec<ProfileSummary>,
}

impl RegionAnswers {
    /// The answers with these rows.
    pub fn new(models: Vec<ModelSummary>, profiles: Vec<ProfileSummary>) -> Self {
        Self { models, profiles }
    }
}

/// One row of `ListFoundationModels`. Field names in JSON are those of the API. Absent is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ModelSummary {
    /// `arn:PARTITION:bedrock:REGION::foundation-model/ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_arn: Option<String>,
    /// The exact model id.
    pub model_id: String,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// The provider's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_name: Option<String>,
    /// Values such as `TEXT` and `IMAGE`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_modalities: Option<Vec<String>>,
    /// Values such as `TEXT` and `EMBEDDING`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<String>>,
    /// Whether the model streams its response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_streaming_supported: Option<bool>,
    /// Values such as `FINE_TUNING`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customizations_supported: Option<Vec<String>>,
    /// Values such as `ON_DEMAND`, `PROVISIONED` and `INFERENCE_PROFILE`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_types_supported: Option<Vec<String>>,
    /// The lifecycle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_lifecycle: Option<LifecycleSummary>,
}

impl ModelSummary {
    /// A row of which only the id is known.
    pub fn new(model_id: impl Into<String>) -> Self {
        Self {
            model_id: model_id.into(),
            ..Self::default()
        }
    }
}

/// The lifecycle of a model row. Times are RFC 3339 texts, as the AWS CLI prints them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LifecycleSummary {
    /// A value such as `ACTIVE` or `LEGACY`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_of_life_time: Option<String>,
    /// The first day as legacy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_time: Option<String>,
    /// The first day of public extended access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_extended_access_time: Option<String>,
    /// The end of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_life_time: Option<String>,
}

/// One row of `ListInferenceProfiles`. Field names in JSON are those of the API. Absent is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProfileSummary {
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_profile_name: Option<String>,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The time of creation, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// The time of the last update, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// The ARN of the profile. [`Recording::write`] redacts the account id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_profile_arn: Option<String>,
    /// The models served, one ARN per destination region; an ARN without a region is global.
    pub models: Vec<ProfileModel>,
    /// The exact profile id.
    pub inference_profile_id: String,
    /// A value such as `ACTIVE`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `SYSTEM_DEFINED` or `APPLICATION`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl ProfileSummary {
    /// A row of a profile that serves these models.
    pub fn new(inference_profile_id: impl Into<String>, models: Vec<ProfileModel>) -> Self {
        Self {
            inference_profile_id: inference_profile_id.into(),
            models,
            ..Self::default()
        }
    }
}

/// One model of a profile row.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProfileModel {
    /// `arn:PARTITION:bedrock:REGION::foundation-model/ID`; REGION is empty for a global profile.
    pub model_arn: String,
}

impl ProfileModel {
    /// The model with this ARN.
    pub fn new(model_arn: impl Into<String>) -> Self {
        Self {
            model_arn: model_arn.into(),
        }
    }
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
    /// Whether the profile belongs to the partition, not to an account. Unknown types count as such.
    pub(crate) fn is_system_defined(&self) -> bool {
        self.kind.as_deref() != Some("APPLICATION")
    }
}
