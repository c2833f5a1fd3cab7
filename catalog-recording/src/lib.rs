//! How the Amazon Bedrock model catalog is made: recordings of the control plane's answers, and their
//! transformation to a catalog.
//!
//! Use this crate to build a catalog of your own answers, to compare catalogs, and to read and write
//! catalog JSON. Programs that only look up models need `bedrock-catalog-data` alone.
//!
//! ```
//! use bedrock_catalog_data::{Catalog, Policy};
//! use bedrock_catalog_recording::{Recording, catalog_to_json_pretty, guard_violations, transform};
//!
//! # fn recording() -> Recording { Recording::of_catalog(Catalog::bundled()) }
//! let previous = Catalog::bundled();
//! let recording = recording(); // Recording::read(folder, None)?
//!
//! assert!(guard_violations(&recording, Some(previous)).is_empty());
//! let (document, skipped_rows) = transform(&recording, Some(previous));
//! assert!(skipped_rows.is_empty());
//! let catalog = Catalog::from_document(&document)?;
//! assert!(catalog.route("amazon.nova-pro-v1:0", "eu-west-2", Policy::InRegion).is_ok());
//! let json = catalog_to_json_pretty(&catalog);
//! # assert!(json.len() > 1000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | step | items |
//! |---|---|
//! | read and write answers | [`Recording`], [`RegionAnswers`], [`ModelSummary`], [`ProfileSummary`] |
//! | check them | [`guard_violations`] |
//! | transform them | [`transform()`] |
//! | read and write catalogs | [`catalog_from_json`], [`catalog_to_json`], [`catalog_to_json_pretty`] |
//! | compare catalogs | [`CatalogDiff`] |
//!
//! Pure and synchronous: no network, no clock, no AWS crate. Only [`Recording::read`],
//! [`Recording::write`] and [`read_bounded`] access files. There are no features.

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
pub use guards::guard_violations;
pub use json::{LARGEST_JSON, catalog_from_json, catalog_to_json, catalog_to_json_pretty};
pub use read::read_bounded;
pub use recording::{
    LifecycleSummary, ModelSummary, ProfileModel, ProfileSummary, Recording, RegionAnswers,
    RowProblem,
};
pub use redact::{one_line, redact};
pub use transform::transform;
