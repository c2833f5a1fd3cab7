//! `fingerprints.csv`: what a reviewer looks at first. One line per model and profile: its id, provider,
//! number of regions, and a short hash of all that is known of it.

use std::collections::BTreeSet;

use bedrock_catalog_data::Catalog;
use sha2::{Digest, Sha256};

use crate::bake::hex;

/// The text of the file.
pub(crate) fn csv(catalog: &Catalog) -> Result<String, String> {
    let failed = |error: csv::Error| format!("cannot print the fingerprints: {error}");
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["id", "provider", "regions", "hash"])
        .map_err(failed)?;
    let document = catalog.to_document();
    for (model, entry) in catalog.all_models().zip(&document.models) {
        let provider = model.provider().unwrap_or_default();
        let row = row(model.id(), provider, model.regions().len(), entry);
        writer.write_record(row).map_err(failed)?;
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
        writer.write_record(row).map_err(failed)?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| failed(error.into_error().into()))?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn row(id: &str, provider: &str, regions: usize, entry: &impl serde::Serialize) -> [String; 4] {
    let json = serde_json::to_vec(entry).unwrap_or_default();
    let hash = hex(&Sha256::digest(json)).chars().take(12).collect();
    // One line per row, whatever the text: what is not plain is escaped.
    let plain = |text: &str| text.escape_default().to_string();
    [plain(id), plain(provider), regions.to_string(), hash]
}
