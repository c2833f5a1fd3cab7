//! How the Amazon Bedrock model catalog is made: recordings of the API's answers, the transform to a
//! catalog, the difference of two catalogs, the guards, catalog JSON, ARNs, and redaction.
//!
//! Pure and synchronous: no network, no cache, no AWS crate. Only [`Recording::read`],
//! [`Recording::write`] and [`read_bounded`] touch the disk.
//!
//! ```
//! use bedrock_catalog_data::Catalog;
//! use bedrock_catalog_recording::{catalog_from_json, catalog_to_json};
//!
//! let json = catalog_to_json(Catalog::bundled());
//! assert_eq!(&catalog_from_json(json.as_bytes())?, Catalog::bundled());
//! # Ok::<(), bedrock_catalog_recording::RecordingError>(())
//! ```

mod arn;
mod diff;
mod error;
mod guards;
mod json;
mod majority;
mod read;
mod recording;
mod redact;
mod transform;

pub use arn::ModelArn;
pub use diff::{
    CatalogDiff, DateChange, DestinationsChange, DiffSide, ModelChange, ModelNote, ProfileChange,
    ProfileNote, SetChange, StaleNote, StatusChange,
};
pub use error::{RecordingError, RecordingErrorKind};
pub use guards::complaints;
pub use json::{LARGEST_JSON, catalog_from_json, catalog_to_json, catalog_to_json_pretty};
pub use read::read_bounded;
pub use recording::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
    RowProblem,
};
pub use redact::{one_line, redact};
pub use transform::transform;
