//! Baking in build scripts.

use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_recording::{
    LARGEST_JSON, Recording, catalog_from_json, read_bounded, transform,
};
use proc_macro2::TokenStream;
use quote::quote;

use crate::bake::{name_constants, one_file};
use crate::error::{GenError, GenErrorKind};

/// Bakes a recording folder or a catalog JSON file into one Rust file in `OUT_DIR`.
///
/// The file has `pub static CATALOG` and the modules `models`, `profiles` and `regions`. Include it with
/// `include!(concat!(env!("OUT_DIR"), "/bedrock_catalog.rs"))` in a module of its own. The crate must
/// depend on `bedrock-catalog`, or on `bedrock-catalog-data` with [`BuildScript::for_data_crate`].
///
/// ```no_run
/// // build.rs
/// fn main() -> Result<(), bedrock_catalog_gen::GenError> {
///     bedrock_catalog_gen::BuildScript::new("recording").for_data_crate().write()?;
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct BuildScript {
    input: PathBuf,
    observed_at: Option<Timestamp>,
    file_name: String,
    root: &'static str,
}

impl BuildScript {
    /// Bakes a recording folder or a catalog JSON file. A relative path starts at the package.
    pub fn new(input: impl Into<PathBuf>) -> Self {
        Self {
            input: input.into(),
            observed_at: None,
            file_name: "bedrock_catalog.rs".to_owned(),
            root: "bedrock_catalog",
        }
    }

    /// The time of the recording, for a folder made with the AWS CLI alone.
    pub fn observed_at(mut self, observed_at: Timestamp) -> Self {
        self.observed_at = Some(observed_at);
        self
    }

    /// The name of the file, by default `bedrock_catalog.rs`.
    pub fn file_name(mut self, file_name: impl Into<String>) -> Self {
        self.file_name = file_name.into();
        self
    }

    /// Generates paths into `bedrock-catalog-data` instead of `bedrock-catalog`.
    pub fn for_data_crate(mut self) -> Self {
        self.root = "bedrock_catalog_data";
        self
    }

    /// Writes the file to `OUT_DIR` and returns its path. Prints `cargo::rerun-if-changed` for the input
    /// and a `cargo::warning` for every skipped row.
    ///
    /// # Errors
    /// `OUT_DIR` is not set, the file cannot be written, or the errors of [`BuildScript::text`].
    pub fn write(&self) -> Result<PathBuf, GenError> {
        let Some(out) = std::env::var_os("OUT_DIR") else {
            let message = "OUT_DIR is not set: this is no build script";
            return Err(GenError::new(GenErrorKind::Io, message));
        };
        println!("cargo::rerun-if-changed={}", self.input.display());
        let (text, warnings) = self.text()?;
        for warning in warnings {
            println!("cargo::warning={}", warning.escape_debug());
        }
        let path = Path::new(&out).join(&self.file_name);
        fs::write(&path, text).map_err(|error| GenError::io("write", &path, error))?;
        Ok(path)
    }

    /// The text of the file, and a warning for every skipped row.
    ///
    /// # Errors
    /// The input cannot be read, or is no valid recording or catalog.
    pub fn text(&self) -> Result<(String, Vec<String>), GenError> {
        let (catalog, warnings) = self.catalog()?;
        let root: TokenStream = match self.root {
            "bedrock_catalog" => quote!(::bedrock_catalog),
            _ => quote!(::bedrock_catalog_data),
        };
        Ok((one_file(&catalog, &root)?, warnings))
    }

    fn catalog(&self) -> Result<(Catalog, Vec<String>), GenError> {
        let input = &self.input;
        if input.is_dir() {
            let recording = Recording::read(input, self.observed_at)
                .map_err(|error| GenError::input(input, error))?;
            let (document, problems) = transform(&recording, None);
            let warnings = problems.iter().map(ToString::to_string).collect();
            return Ok((name_constants(document, None)?, warnings));
        }
        let json = read_bounded(input, LARGEST_JSON)
            .map_err(|error| GenError::io("read", input, error))?;
        let catalog = catalog_from_json(&json).map_err(|error| GenError::input(input, error))?;
        let named = name_constants(catalog.to_document(), Some(&catalog))?;
        Ok((named, Vec::new()))
    }
}
