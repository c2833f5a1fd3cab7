//! Bakes a Bedrock catalog into Rust: tables that are part of the program, and typed constants.
//!
//! The `catalog-gen` command renews the bundle of `bedrock-catalog-data` with it. The same baking is
//! a library call for a build script, for a private or GovCloud recording of one's own; it needs no
//! AWS crate and no network:
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     bedrock_catalog_gen::BuildScript::new("recording").write()?;
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
//! # How the files stand to each other
//! `names` gives the constants their names, `perfect_hash` solves the tables, `tables` and `constants` emit Rust, `print`
//! prints and checks it, `fingerprints` is the reviewer's short view, `bake` makes the files of a catalog of it, `script` is the call for build scripts. `report` prints what has changed
//! between two catalogs, and `escape` keeps its data from being more than text.

mod bake;
mod constants;
mod escape;
mod fingerprints;
mod names;
mod perfect_hash;
mod print;
mod report;
mod script;
mod tables;

#[doc(hidden)]
pub use bake::baked_in_memory;
pub use bake::{Baked, bake, digest, named};
pub use names::constant_name;
pub use report::{diff_json, diff_markdown, diff_text};
pub use script::BuildScript;
