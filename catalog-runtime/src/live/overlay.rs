//! The caller's own models and profiles, laid over every catalog. Never cached.

use bedrock_catalog_data::{Catalog, Document, ModelEntry, ProfileEntry};
use bedrock_catalog_recording::LARGEST_JSON;
use serde::Deserialize;

use crate::error::{CatalogError, CatalogErrorKind};

/// The models and profiles part of a catalog JSON: private models, application inference profiles,
/// provisioned throughput ARNs. An entry wins over one of the same id, whole.
///
/// ```
/// use bedrock_catalog::Overlay;
///
/// let own = Overlay::from_json(br#"{"models": [{"id": "acme.private-v1", "name": "Private",
///     "access": [{"inference_types": ["ON_DEMAND"], "regions": ["eu-west-1"]}]}]}"#)?;
/// assert_eq!(own.len(), 1);
/// # Ok::<(), bedrock_catalog::CatalogError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overlay {
    models: Vec<ModelEntry<'static>>,
    profiles: Vec<ProfileEntry<'static>>,
}

#[derive(Deserialize)]
struct Parts<'a> {
    #[serde(default, borrow)]
    models: Option<Vec<ModelEntry<'a>>>,
    #[serde(default, borrow)]
    profiles: Option<Vec<ProfileEntry<'a>>>,
}

impl Overlay {
    /// An overlay of entries.
    pub fn new(
        models: impl IntoIterator<Item = ModelEntry<'static>>,
        profiles: impl IntoIterator<Item = ProfileEntry<'static>>,
    ) -> Self {
        Self {
            models: models.into_iter().collect(),
            profiles: profiles.into_iter().collect(),
        }
    }

    /// An overlay from JSON: an object with `models`, `profiles` or both, of at most 64 MiB.
    ///
    /// # Errors
    /// The text is no overlay.
    pub fn from_json(json: &[u8]) -> Result<Self, CatalogError> {
        let invalid =
            |message: String| CatalogError::new(CatalogErrorKind::InvalidCatalog, message);
        if json.len() > LARGEST_JSON {
            return Err(invalid(format!("the overlay has {} bytes", json.len())));
        }
        let shape = || {
            let shape = "an overlay is a JSON object with `models`, `profiles` or both";
            invalid(shape.to_owned())
        };
        // serde would read a list as the fields in their order.
        if json.trim_ascii_start().first() != Some(&b'{') {
            return Err(shape());
        }
        let parts: Parts<'_> = serde_json::from_slice(json)
            .map_err(|error| invalid("this is no overlay".to_owned()).with_source(error))?;
        if parts.models.is_none() && parts.profiles.is_none() {
            // More likely a misspelt key than an empty overlay.
            return Err(shape());
        }
        let (models, profiles) = (parts.models.iter(), parts.profiles.iter());
        Ok(Self {
            models: models.flatten().map(ModelEntry::to_static).collect(),
            profiles: profiles.flatten().map(ProfileEntry::to_static).collect(),
        })
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.models.len() + self.profiles.len()
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The catalog with the overlay on it. Regions that only the overlay names become regions, and
    /// models that only its profiles name become models with nothing but an id.
    ///
    /// # Errors
    /// The two together are no valid catalog.
    pub fn lay_over(&self, catalog: &Catalog) -> Result<Catalog, CatalogError> {
        let mut document = catalog.to_document();
        document
            .models
            .retain(|entry| self.models.iter().all(|own| own.id != entry.id));
        document
            .profiles
            .retain(|entry| self.profiles.iter().all(|own| own.id != entry.id));
        document.models.extend(self.models.iter().cloned());
        document.profiles.extend(self.profiles.iter().cloned());
        self.add_regions(&mut document);
        self.add_models(&mut document);
        Catalog::from_document(&document).map_err(|error| {
            let message = "the overlay does not fit the catalog";
            CatalogError::new(CatalogErrorKind::InvalidCatalog, message).with_source(error)
        })
    }

    fn add_models(&self, document: &mut Document<'_>) {
        let routes = self.profiles.iter().flat_map(|entry| &entry.routes);
        for model in routes.map(|route| &route.model) {
            if document.models.iter().all(|entry| entry.id != *model) {
                document.models.push(ModelEntry::new(model.clone()));
            }
        }
    }

    fn add_regions(&self, document: &mut Document<'_>) {
        let listed = self.models.iter().flat_map(|entry| &entry.access);
        let listed = listed.flat_map(|access| &access.regions);
        let sources = self.profiles.iter().flat_map(|entry| &entry.routes);
        let sources = sources.flat_map(|route| &route.sources);
        for region in listed.chain(sources) {
            if !document.regions.contains(region) {
                document.regions.push(region.clone());
            }
        }
    }
}
