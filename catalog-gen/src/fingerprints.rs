//! `fingerprints.csv`, the short view for reviewers: id, provider, number of regions and a hash of each model
//! and profile.

use std::collections::BTreeSet;

use bedrock_catalog_data::Catalog;

use crate::bake::sha256;
use crate::error::{GenError, GenErrorKind};

/// The text of the file.
pub(crate) fn csv(catalog: &Catalog) -> Result<String, GenError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        GenError::new(GenErrorKind::Internal, "cannot print the fingerprints").because(error)
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["id", "provider", "regions", "hash"])
        .map_err(|error| failed(error.into()))?;
    let document = catalog.to_document();
    for (model, entry) in catalog.all_models().zip(&document.models) {
        let provider = model.provider().unwrap_or_default();
        let row = row(model.id(), provider, model.regions().len(), entry);
        writer
            .write_record(row)
            .map_err(|error| failed(error.into()))?;
    }
    for (profile, entry) in catalog.all_profiles().zip(&document.profiles) {
        let provider = profile
            .models()
            .find_map(|model| model.provider())
            .unwrap_or_default();
        let sources: BTreeSet<&str> = profile
            .routes()
            .map(|route| route.access.region().id())
            .collect();
        let row = row(profile.id(), provider, sources.len(), entry);
        writer
            .write_record(row)
            .map_err(|error| failed(error.into()))?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| failed(error.into_error().into()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.into()))
}

fn row(id: &str, provider: &str, regions: usize, entry: &impl serde::Serialize) -> [String; 4] {
    let json = serde_json::to_vec(entry).unwrap_or_default();
    let hash = sha256(&json).chars().take(12).collect();
    // Escaped, so that every row is one line.
    let plain = |text: &str| text.escape_default().to_string();
    [plain(id), plain(provider), regions.to_string(), hash]
}
