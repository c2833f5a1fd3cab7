//! Recordings as folders. Reading is strict, writing is atomic.
//!
//! ```text
//! recording.json                        time, partition, regions, and failures with their reasons
//! REGION/list-foundation-models.json    the answers as the AWS CLI prints them, all pages joined
//! REGION/list-inference-profiles.json
//! ```
//!
//! A folder made with the AWS CLI alone has no `recording.json`; the caller supplies the time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog_data::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ModelSummary, ProfileSummary, Recording, RegionAnswers};
use crate::arn::ModelArn;
use crate::error::{RecordingError, RecordingErrorKind};
use crate::majority::majority;
use crate::read::read_bounded;
use crate::redact::redact;

const ABOUT: &str = "recording.json";
const MODELS: &str = "list-foundation-models.json";
const PROFILES: &str = "list-inference-profiles.json";

/// The largest file in bytes. Answers have about 50 kB.
const MAX_FILE_BYTES: usize = 64 << 20;

/// `recording.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct About {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    observed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partition: Option<String>,
    /// The regions that were asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regions: Option<BTreeSet<String>>,
    /// The regions that failed, with the reason.
    #[serde(default)]
    failures: BTreeMap<String, String>,
}

/// A malformed row of an answer, which is skipped. Printed as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowProblem {
    /// The file: `REGION/list-foundation-models.json` or `REGION/list-inference-profiles.json`.
    pub file: String,
    /// The position of the row in the list, from 0.
    pub index: usize,
    /// The reason.
    pub reason: String,
    duplicate: bool,
}

impl RowProblem {
    /// Whether another row of the answer has the same id and different content.
    pub fn is_duplicate(&self) -> bool {
        self.duplicate
    }

    /// The region of the answer.
    pub(crate) fn region(&self) -> &str {
        self.file.split('/').next().unwrap_or_default()
    }

    /// A problem with a row of a region's answer to an operation such as `list-foundation-models`.
    pub(crate) fn new(region: &str, operation: &str, index: usize, fault: RowFault) -> Self {
        Self {
            file: format!("{region}/{operation}.json"),
            index,
            duplicate: matches!(fault, RowFault::Duplicate(_)),
            reason: match fault {
                RowFault::Malformed(reason) => reason,
                RowFault::Duplicate(id) => format!("{id:?} has another row that says otherwise"),
            },
        }
    }
}

/// The reason why a row is skipped.
pub(crate) enum RowFault {
    Malformed(String),
    /// The id that a different row has too.
    Duplicate(String),
}

impl From<String> for RowFault {
    fn from(reason: String) -> Self {
        Self::Malformed(reason)
    }
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            index,
            reason,
            ..
        } = self;
        write!(
            f,
            "{}: row {index} is left out: {}",
            file.escape_debug(),
            reason.escape_debug()
        )
    }
}

impl Recording {
    /// Reads a recording folder. Malformed rows are skipped and listed in
    /// [`skipped_rows`](Self::skipped_rows).
    ///
    /// `observed_at` takes precedence over the time in `recording.json`, which a folder made with the
    /// AWS CLI does not have.
    ///
    /// # Errors
    /// A file is missing, larger than 64 MiB, malformed or one page of several; no time is known; or a
    /// region's name is no folder name.
    pub fn read(folder: &Path, observed_at: Option<Timestamp>) -> Result<Self, RecordingError> {
        let about = match folder.join(ABOUT) {
            path if path.exists() => json(&path)?,
            _ => About::default(),
        };
        let observed_at = observed_at.or(about.observed_at).ok_or_else(|| {
            let folder = folder.display();
            invalid(format!(
                "{folder} does not say when it was observed: it has no {ABOUT}; \
                 give the time with --observed-at, like 2026-08-22T00:52:43Z"
            ))
        })?;
        let found = region_folders(folder)?;
        if let Some(asked) = &about.regions {
            let unasked = found.iter().find(|region| !asked.contains(*region));
            if let Some(region) = unasked {
                let folder = folder.join(region);
                return Err(invalid(format!(
                    "{}: {ABOUT} has no such region",
                    folder.display()
                )));
            }
        }
        let asked = about.regions.unwrap_or(found);
        asked.iter().try_for_each(|region| check_name(region))?;
        let mut problems = Vec::new();
        let mut regions = BTreeMap::new();
        for region in asked
            .iter()
            .filter(|&region| !about.failures.contains_key(region))
        {
            let answers = RegionAnswers {
                models: rows(folder, region, MODELS, "modelSummaries", &mut problems)?,
                profiles: rows(
                    folder,
                    region,
                    PROFILES,
                    "inferenceProfileSummaries",
                    &mut problems,
                )?,
            };
            regions.insert(region.clone(), answers);
        }
        if regions.is_empty() {
            let folder = folder.display();
            return Err(invalid(format!(
                "{folder} has no region: expected REGION/{MODELS}"
            )));
        }
        let partition = about.partition.unwrap_or_else(|| partition(&regions));
        Ok(Self {
            observed_at,
            partition,
            regions,
            failures: about.failures,
            skipped_rows: problems,
        })
    }

    /// Writes the recording as a folder, which must be absent or empty. Account ids are redacted.
    ///
    /// Atomic: the files are written to a sibling folder, which is then renamed.
    ///
    /// # Errors
    /// The folder is not empty, or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), RecordingError> {
        let taken = || {
            let error = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
            RecordingError::io("write the recording over", folder, error)
        };
        let occupied = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => fs::symlink_metadata(folder).is_ok(),
        };
        if occupied {
            return Err(taken());
        }
        let mut regions = self.regions.keys().chain(self.failures.keys());
        regions.try_for_each(|region| check_name(region))?;
        let beside = sibling(folder);
        let written = self.write_files(&beside).and_then(|()| {
            // `rename` replaces an empty folder and fails on another.
            fs::rename(&beside, folder).map_err(|error| RecordingError::io("finish", folder, error))
        });
        if written.is_err() {
            // Best effort: the error of the write is the one to report.
            let _ = fs::remove_dir_all(&beside);
        }
        written
    }

    fn write_files(&self, folder: &Path) -> Result<(), RecordingError> {
        let make = |path: &Path| {
            fs::create_dir_all(path)
                .map_err(|error| RecordingError::io("make the folder", path, error))
        };
        make(folder)?;
        let regions = self.regions.keys().chain(self.failures.keys()).cloned();
        let about = About {
            observed_at: Some(self.observed_at),
            partition: Some(self.partition.clone()),
            regions: Some(regions.collect()),
            failures: self.failures.clone(),
        };
        write_json(&folder.join(ABOUT), &about)?;
        for (region, answers) in &self.regions {
            let folder = folder.join(region);
            make(&folder)?;
            let models = BTreeMap::from([("modelSummaries", &answers.models)]);
            write_json(&folder.join(MODELS), &models)?;
            let profiles = BTreeMap::from([("inferenceProfileSummaries", &answers.profiles)]);
            write_json(&folder.join(PROFILES), &profiles)?;
        }
        Ok(())
    }
}

/// Checks that a region id is the name of a visible folder: it cannot lead out of the recording.
fn check_name(region: &str) -> Result<(), RecordingError> {
    let is_name = Path::new(region).file_name() == Some(region.as_ref());
    match is_name && !region.starts_with('.') {
        true => Ok(()),
        false => Err(invalid(format!("{region:?} is no region"))),
    }
}

/// A sibling of the folder, on the same file system, unique to this process.
fn sibling(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{}.partial", std::process::id()))
}

fn invalid(message: String) -> RecordingError {
    RecordingError::new(RecordingErrorKind::InvalidRecording, message)
}

/// The names of the folders in a recording, except hidden ones.
fn region_folders(folder: &Path) -> Result<BTreeSet<String>, RecordingError> {
    let failed = |error| RecordingError::io("read the recording", folder, error);
    let mut regions = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_folder = fs::metadata(entry.path()).map_err(failed)?.is_dir();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if is_folder && !name.starts_with('.') {
            regions.insert(name.into_owned());
        }
    }
    Ok(regions)
}

fn json<T: DeserializeOwned>(path: &Path) -> Result<T, RecordingError> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)
        .map_err(|error| RecordingError::io("read", path, error))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| invalid(format!("{} is malformed", path.display())).because(error))
}

/// Writes indented JSON without account ids. Equal values give equal bytes.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), RecordingError> {
    let mut json = serde_json::to_string_pretty(value)
        .map_err(|error| invalid(format!("cannot print {}", path.display())).because(error))?;
    json.push('\n');
    fs::write(path, &*redact(&json)).map_err(|error| RecordingError::io("write", path, error))
}

/// The rows of one answer. Malformed rows are added to `problems` and skipped.
fn rows<R: Row>(
    folder: &Path,
    region: &str,
    file: &str,
    list: &str,
    problems: &mut Vec<RowProblem>,
) -> Result<Vec<R>, RecordingError> {
    let path = folder.join(region).join(file);
    let mut answer: serde_json::Map<String, serde_json::Value> = json(&path)?;
    let Some(serde_json::Value::Array(values)) = answer.remove(list) else {
        let path = path.display();
        return Err(invalid(format!(
            "{path} is malformed: it has no list `{list}`"
        )));
    };
    let more = ["nextToken", "NextToken"].map(|token| answer.get(token));
    if more.into_iter().flatten().any(|token| !token.is_null()) {
        let path = path.display();
        return Err(invalid(format!(
            "{path} is one page of several: it has a next token; record all pages"
        )));
    }
    let mut rows = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let row = serde_json::from_value::<R>(value).map_err(|error| error.to_string());
        match row.and_then(|row| row.check(region).map(|()| row)) {
            Ok(row) => rows.push(row),
            Err(reason) => {
                let operation = file.trim_end_matches(".json");
                problems.push(RowProblem::new(region, operation, index, reason.into()));
            }
        }
    }
    Ok(rows)
}

/// The partition in most of the ARNs, or `aws` without any. The transform skips rows of another one.
fn partition(regions: &BTreeMap<String, RegionAnswers>) -> String {
    let models = regions.values().flat_map(|answers| &answers.models);
    let profiles = regions.values().flat_map(|answers| &answers.profiles);
    let arns = models.filter_map(|row| row.model_arn.as_deref());
    let served = profiles.flat_map(|row| row.models.iter().map(|model| &*model.model_arn));
    let named = arns.chain(served).filter_map(ModelArn::parse);
    let partition = majority(named.map(|arn| Some(arn.partition)));
    partition.unwrap_or("aws").to_owned()
}

/// A row of an answer.
pub(crate) trait Row: DeserializeOwned {
    /// Checks the row of a region's answer. The error is the reason to skip it.
    fn check(&self, region: &str) -> Result<(), String>;
}

/// The longest text in bytes; ids have less than 100. Catalogs accept less than 64 KiB.
const MAX_TEXT_BYTES: usize = 16 << 10;

fn check_id(field: &str, id: &str) -> Result<(), String> {
    match id.is_empty() {
        true => Err(format!("{field} is empty")),
        false => check_text(field, Some(id)),
    }
}

fn check_text(field: &str, text: Option<&str>) -> Result<(), String> {
    match text.map_or(0, str::len) {
        length if length > MAX_TEXT_BYTES => Err(format!("{field} has {length} bytes")),
        _ => Ok(()),
    }
}

impl Row for ModelSummary {
    fn check(&self, region: &str) -> Result<(), String> {
        check_id("modelId", &self.model_id)?;
        check_text("modelName", self.model_name.as_deref())?;
        check_text("providerName", self.provider_name.as_deref())?;
        if let Some(arn) = &self.model_arn {
            let parsed = ModelArn::parse(arn)
                .ok_or_else(|| format!("modelArn {arn:?} is no ARN of a foundation model"))?;
            if parsed.model != self.model_id {
                return Err(format!(
                    "modelArn {arn:?} is not that of {:?}",
                    self.model_id
                ));
            }
            if parsed.region.is_some_and(|named| named != region) {
                return Err(format!("modelArn {arn:?} is not of {region}"));
            }
        }
        let lifecycle = self.model_lifecycle.iter();
        for (field, time) in lifecycle.flat_map(|lifecycle| lifecycle.times()) {
            if let Some(time) = time {
                time.parse::<Timestamp>()
                    .map_err(|error| format!("{field} {time:?}: {error}"))?;
            }
        }
        Ok(())
    }
}

impl Row for ProfileSummary {
    fn check(&self, _region: &str) -> Result<(), String> {
        check_id("inferenceProfileId", &self.inference_profile_id)?;
        let name = self.inference_profile_name.as_deref();
        check_text("inferenceProfileName", name)?;
        check_text("description", self.description.as_deref())?;
        check_text("status", self.status.as_deref())?;
        if self.models.is_empty() {
            return Err("models is empty".to_owned());
        }
        for model in &self.models {
            let arn = &model.model_arn;
            check_id("modelArn", arn)?;
            if self.is_system_defined() && ModelArn::parse(arn).is_none() {
                return Err(format!("modelArn {arn:?} is no ARN of a foundation model"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::ProfileModel;

    fn recording(region: &str) -> Recording {
        let mut recording = Recording::new("aws", Timestamp::baked(0));
        let answers = RegionAnswers::default();
        recording.regions.insert(region.to_owned(), answers);
        recording
    }

    #[test]
    fn a_written_recording_reads_back_and_is_not_overwritten() {
        let stage = tempfile::tempdir().unwrap();
        let folder = stage.path().join("recording");
        let mut recording = recording("eu-west-1");
        recording
            .failures
            .insert("eu-west-2".to_owned(), "denied \u{202e}".to_owned());
        recording.write(&folder).unwrap();
        assert_eq!(Recording::read(&folder, None).unwrap(), recording);
        assert!(recording.write(&folder).is_err(), "not overwritten");
    }

    #[test]
    fn a_region_id_cannot_lead_out_of_the_folder() {
        for region in [
            "",
            ".",
            "..",
            "../outside",
            "a/b",
            "a/",
            "/outside",
            ".hidden",
        ] {
            let stage = tempfile::tempdir().unwrap();
            let folder = stage.path().join("in/recording");
            fs::create_dir_all(&folder).unwrap();
            let written = recording(region).write(&folder);
            assert_eq!(
                written.unwrap_err().kind(),
                RecordingErrorKind::InvalidRecording,
                "{region}"
            );
            assert_eq!(
                fs::read_dir(stage.path().join("in")).unwrap().count(),
                1,
                "{region}"
            );
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{region}");

            let about = serde_json::json!({"observed_at": "2026-08-22", "regions": [region]});
            fs::write(folder.join(ABOUT), about.to_string()).unwrap();
            let read = Recording::read(&folder, None);
            assert_eq!(
                read.unwrap_err().kind(),
                RecordingErrorKind::InvalidRecording,
                "{region}"
            );
        }
    }

    #[test]
    fn a_row_with_a_text_too_long_for_a_catalog_is_skipped() {
        let long = "a".repeat(MAX_TEXT_BYTES + 1);
        let mut recording = recording("eu-west-1");
        let answers = recording.regions.get_mut("eu-west-1").unwrap();
        answers.models.push(ModelSummary::new(long.clone()));
        answers.models.push(ModelSummary {
            model_name: Some("n".repeat(1 << 16)),
            ..ModelSummary::new("a")
        });
        let arn = "arn:aws:bedrock:eu-west-1::foundation-model/a";
        answers.profiles.push(ProfileSummary {
            description: Some("d".repeat(1 << 16)),
            ..ProfileSummary::new("p", vec![ProfileModel::new(arn)])
        });
        for arn in [
            format!("arn:aws:bedrock:eu-west-1::foundation-model/{long}"),
            format!("arn:aws:bedrock:{long}::foundation-model/a"),
        ] {
            let id = format!("p{}", answers.profiles.len());
            let models = vec![ProfileModel::new(arn)];
            answers.profiles.push(ProfileSummary::new(id, models));
        }
        let (document, problems) = crate::transform(&recording, None);
        assert_eq!(problems.len(), 5);
        assert!(bedrock_catalog_data::Catalog::from_document(&document).is_ok());
    }
}
