//! Recordings on disk: reading a folder as the AWS CLI prints it, and finding the real data, which is
//! never part of a clone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bedrock_catalog::Timestamp;
use bedrock_catalog::recording::{Recording, RegionAnswers};
use serde_json::Value;

/// The folder of real recordings beside the checkout, or `None`, said by name on stderr.
pub fn real(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings/2026-08-22");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("{test}: skipped with real data, which is not here: ../shared/recordings/2026-08-22");
    None
}

/// Reads `FOLDER/REGION/list-foundation-models.json` and `list-inference-profiles.json`.
///
/// # Errors
///
/// Where the folder, or an answer in it, cannot be read.
pub fn read(folder: &Path, observed_at: Timestamp) -> io::Result<Recording> {
    let mut recording = Recording {
        observed_at,
        partition: "aws".to_owned(),
        regions: Default::default(),
        failures: Default::default(),
    };
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let region = entry.file_name().to_string_lossy().into_owned();
        let answers = RegionAnswers {
            models: rows(
                &entry.path().join("list-foundation-models.json"),
                "modelSummaries",
            )?,
            profiles: rows(
                &entry.path().join("list-inference-profiles.json"),
                "inferenceProfileSummaries",
            )?,
        };
        recording.regions.insert(region, answers);
    }
    if recording.regions.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no region in this folder",
        ));
    }
    Ok(recording)
}

fn rows<T: serde::de::DeserializeOwned>(file: &Path, key: &str) -> io::Result<Vec<T>> {
    let text = fs::read_to_string(file)?;
    let mut answer: Value = serde_json::from_str(&text)?;
    let rows = answer.get_mut(key).map(Value::take).unwrap_or_default();
    Ok(serde_json::from_value(rows)?)
}
