//! The call for build scripts: a recording or a catalog of one's own, baked into `OUT_DIR`.

use std::fs;
use std::path::{Path, PathBuf};

use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_recording::{
    LARGEST_JSON, Recording, catalog_from_json, read_bounded, transform,
};
use proc_macro2::TokenStream;
use quote::quote;

use crate::bake::{named, one_file};

/// Bakes a recording folder, or a catalog JSON file, into one Rust file below `OUT_DIR`, from a build
/// script. No network, no clock, no AWS crate.
///
/// The file holds `pub static CATALOG` and the modules `models`, `profiles` and `regions`; a module of the crate
/// takes it in with `include!(concat!(env!("OUT_DIR"), "/bedrock_catalog.rs"))`. The crate must depend on
/// `bedrock-catalog`, or on `bedrock-catalog-data` if [`BuildScript::for_data_crate`] is called.
#[derive(Debug, Clone)]
pub struct BuildScript {
    input: PathBuf,
    observed_at: Option<Timestamp>,
    file_name: String,
    root: &'static str,
}

impl BuildScript {
    /// Of a recording folder or a catalog JSON file. A relative path begins at the package.
    pub fn new(input: impl Into<PathBuf>) -> Self {
        Self {
            input: input.into(),
            observed_at: None,
            file_name: "bedrock_catalog.rs".to_owned(),
            root: "bedrock_catalog",
        }
    }

    /// When the recording was made, for a folder made with the AWS CLI alone.
    pub fn observed_at(mut self, observed_at: Timestamp) -> Self {
        self.observed_at = Some(observed_at);
        self
    }

    /// The name of the file; `bedrock_catalog.rs` if not said.
    pub fn file_name(mut self, file_name: impl Into<String>) -> Self {
        self.file_name = file_name.into();
        self
    }

    /// The crate depends on `bedrock-catalog-data`, not on `bedrock-catalog`.
    pub fn for_data_crate(mut self) -> Self {
        self.root = "bedrock_catalog_data";
        self
    }

    /// Writes the file to `OUT_DIR`, tells Cargo what it was made of, and warns of rows left out.
    ///
    /// # Errors
    /// Where this is no build script, the input cannot be read, or is no recording or catalog.
    pub fn write(&self) -> Result<PathBuf, Box<dyn std::error::Error>> {
        let out =
            std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: this is no build script")?;
        println!("cargo::rerun-if-changed={}", self.input.display());
        let (text, warnings) = self.text()?;
        for warning in warnings {
            println!("cargo::warning={}", warning.escape_debug());
        }
        let path = Path::new(&out).join(&self.file_name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// The text of the file, and what should be warned of.
    ///
    /// # Errors
    /// Where the input cannot be read, or is no recording or catalog.
    pub fn text(&self) -> Result<(String, Vec<String>), Box<dyn std::error::Error>> {
        let (catalog, warnings) = self.catalog()?;
        let root: TokenStream = match self.root {
            "bedrock_catalog" => quote!(::bedrock_catalog),
            _ => quote!(::bedrock_catalog_data),
        };
        Ok((one_file(&catalog, &root)?, warnings))
    }

    fn catalog(&self) -> Result<(Catalog, Vec<String>), Box<dyn std::error::Error>> {
        if self.input.is_dir() {
            let recording = Recording::read(&self.input, self.observed_at)?;
            let (document, problems) = transform(&recording, None);
            let warnings = problems.iter().map(ToString::to_string).collect();
            return Ok((named(document, None)?, warnings));
        }
        let catalog = catalog_from_json(&read_bounded(&self.input, LARGEST_JSON)?)?;
        Ok((named(catalog.to_document(), Some(&catalog))?, Vec::new()))
    }
}
