//! Bakes an Amazon Bedrock model catalog into Rust code: static tables and typed constants.
//!
//! As a library, it bakes your own recording, for example of AWS GovCloud, in a build script. It needs no
//! network, no AWS crate and no async runtime:
//!
//! ```toml
//! [build-dependencies]
//! bedrock-catalog-gen = { version = "0.1", default-features = false }
//! ```
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), bedrock_catalog_gen::GenError> {
//!     bedrock_catalog_gen::BuildScript::new("recording").for_data_crate().write()?;
//!     Ok(())
//! }
//! ```
//!
//! ```ignore
//! // src/main.rs
//! mod catalog {
//!     include!(concat!(env!("OUT_DIR"), "/bedrock_catalog.rs"));
//! }
//! let route = catalog::CATALOG.route(catalog::models::MY_MODEL, "us-gov-west-1", Policy::Any)?;
//! ```
//!
//! As the command `catalog-gen`, it renews the bundle of `bedrock-catalog-data`: `fetch`, `build`, `check`,
//! `diff`.
//!
//! # Features
//!
//! - `cli` (default): the command `catalog-gen`.
//! - `fetch` (default): the verb `fetch`, which asks AWS.
//! - `bundle` (with `cli`): the files of the data crate, and differences between catalogs as text.

mod bake;
mod constants;
mod error;
#[cfg(feature = "bundle")]
mod escape;
#[cfg(feature = "bundle")]
mod fingerprints;
mod names;
mod perfect_hash;
mod print;
#[cfg(feature = "bundle")]
mod report;
mod script;
mod tables;

#[doc(hidden)]
pub use bake::baked_in_memory;
#[cfg(feature = "bundle")]
pub use bake::{Baked, bake};
pub use bake::{digest, name_constants};
pub use error::{GenError, GenErrorKind};
pub use names::constant_name;
#[cfg(feature = "bundle")]
pub use report::{diff_json, diff_markdown, diff_text};
pub use script::BuildScript;
