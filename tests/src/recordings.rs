//! The real recordings, which are never part of a clone.

use std::path::Path;

use bedrock_catalog::recording::Recording;

use crate::synthetic;

/// The real recording beside the checkout, dated as the synthetic ones are; `None` where it is not
/// there, which is said by name on stderr.
///
/// # Errors
///
/// Where it is there and cannot be read.
pub fn real(test: &str) -> Result<Option<Recording>, bedrock_catalog::RecordingError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/recordings/2026-10-07");
    if !folder.is_dir() {
        crate::leave_out(
            test,
            "with real data: ../shared/recordings/2026-10-07 is absent",
        );
        return Ok(None);
    }
    let recording = Recording::read(&folder, Some(synthetic::observed_at()))?;
    Ok(Some(recording))
}
