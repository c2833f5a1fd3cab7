//! Catalog ↔ JSON: the committed `catalog.json`, what the cache stores, what other languages read.

use bedrock_catalog_data::{Catalog, Document};

use crate::error::{RecordingError, RecordingErrorKind};

/// No catalog is near this size; the bundle's is 0.3 MB.
pub const LARGEST_JSON: usize = 64 << 20;

/// The catalog of a catalog JSON text.
///
/// # Errors
/// Where the text is larger than [`LARGEST_JSON`] bytes, no JSON, nested deeper than 128 levels, of
/// another shape or format, or contradicts itself.
///
/// ```
/// use bedrock_catalog_data::Catalog;
/// use bedrock_catalog_recording::{catalog_from_json, catalog_to_json};
///
/// let json = catalog_to_json(Catalog::bundled());
/// assert_eq!(&catalog_from_json(json.as_bytes())?, Catalog::bundled());
/// # Ok::<(), bedrock_catalog_recording::RecordingError>(())
/// ```
pub fn catalog_from_json(json: &[u8]) -> Result<Catalog, RecordingError> {
    let invalid = |message: &str| RecordingError::new(RecordingErrorKind::InvalidCatalog, message);
    if json.len() > LARGEST_JSON {
        let message = format!(
            "the catalog has {} bytes; {LARGEST_JSON} are allowed",
            json.len()
        );
        return Err(invalid(&message));
    }
    let wrong = |error: Box<dyn std::error::Error + Send + Sync>| {
        invalid("this is no catalog JSON").because(error)
    };
    // Checked once for the whole; serde_json would check string by string.
    let json = std::str::from_utf8(json).map_err(|error| wrong(error.into()))?;
    let document: Document<'_> = serde_json::from_str(json).map_err(|error| wrong(error.into()))?;
    Catalog::from_document(&document)
        .map_err(|error| invalid("this catalog JSON is wrong").because(error))
}

/// The catalog as compact JSON, in canonical order: a function of its answers alone.
pub fn catalog_to_json(catalog: &Catalog) -> String {
    // Printing a document to memory cannot fail: its keys are text.
    serde_json::to_string(&catalog.to_document()).unwrap_or_default()
}

/// The same, one fact a line, as it is committed.
pub fn catalog_to_json_pretty(catalog: &Catalog) -> String {
    let mut json = serde_json::to_string_pretty(&catalog.to_document()).unwrap_or_default();
    json.push('\n');
    json
}
