//! Catalog JSON: the format of `catalog.json`, of caches and of mirrors.

use bedrock_catalog_data::{Catalog, Document};

use crate::error::{RecordingError, RecordingErrorKind};

/// The largest catalog JSON in bytes: 64 MiB. That of the bundle has 0.3 MB.
pub const LARGEST_JSON: usize = 64 << 20;

/// Parses and checks a catalog JSON.
///
/// # Errors
/// [`InvalidCatalog`](crate::RecordingErrorKind::InvalidCatalog) if the text is larger than
/// [`LARGEST_JSON`], is no JSON, is nested deeper than 128 levels, has another shape or format, or is
/// refused by [`Catalog::from_document`].
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
    // One check of the whole text is faster than serde_json's check of each string.
    let json = std::str::from_utf8(json).map_err(|error| wrong(error.into()))?;
    let document: Document<'_> = serde_json::from_str(json).map_err(|error| wrong(error.into()))?;
    Catalog::from_document(&document)
        .map_err(|error| invalid("this catalog JSON is wrong").because(error))
}

/// The catalog as compact JSON in canonical order: equal catalogs give equal bytes.
pub fn catalog_to_json(catalog: &Catalog) -> String {
    // Serializing to memory cannot fail: all keys are strings.
    serde_json::to_string(&catalog.to_document()).unwrap_or_default()
}

/// The catalog as indented JSON in canonical order, as in `catalog.json`.
pub fn catalog_to_json_pretty(catalog: &Catalog) -> String {
    let mut json = serde_json::to_string_pretty(&catalog.to_document()).unwrap_or_default();
    json.push('\n');
    json
}
