//! Catalog to document, in canonical form.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::catalog::Catalog;
use crate::document::{
    AccessEntry, DestinationsEntry, Document, LifecycleEntry, ModelEntry, ProfileEntry, RouteEntry,
};
use crate::enums::Geography;
use crate::model::Model;
use crate::profile::Profile;
use crate::route::Destinations;
use crate::text::Text;

impl Catalog {
    /// The document of this catalog in canonical form: sorted and unique, the same for equal catalogs.
    ///
    /// Texts are borrowed from the catalog. Takes about 100 µs for the bundle.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::Catalog;
    ///
    /// let catalog = Catalog::bundled();
    /// assert_eq!(&Catalog::from_document(&catalog.to_document())?, catalog);
    /// # }
    /// # Ok::<(), bedrock_catalog_data::QueryError>(())
    /// ```
    pub fn to_document(&self) -> Document<'_> {
        let stale = self.regions().filter_map(|region| {
            let since = region.stale_since()?;
            Some((Text::from(region.id()), since))
        });
        Document {
            format: Document::FORMAT,
            partition: self.partition().into(),
            observed_at: self.observed_at(),
            regions: self.regions().map(|region| region.id().into()).collect(),
            stale: stale.collect(),
            former_regions: former_regions(self),
            models: self.all_models().map(model_entry).collect(),
            profiles: self.all_profiles().map(profile_entry).collect(),
        }
    }
}

/// The regions that are neither recorded nor destinations.
fn former_regions(catalog: &Catalog) -> Vec<Text<'_>> {
    let tables = catalog.tables();
    let mut named: Vec<bool> = tables.regions.iter().map(|row| row.recorded).collect();
    for &number in tables.destinations.iter() {
        if let Some(named) = named.get_mut(usize::from(number)) {
            *named = true;
        }
    }
    let unnamed = tables.regions.iter().zip(named).filter(|(_, named)| !named);
    let ids = unnamed.map(|(row, _)| tables.text(row.id));
    ids.map(Text::from).collect()
}

fn model_entry(model: Model<'_>) -> ModelEntry<'_> {
    let row = model.row();
    let mut access: BTreeMap<_, Vec<Text<'_>>> = BTreeMap::new();
    for listed in model.accesses().filter(|access| access.is_listed()) {
        let regions = access.entry(listed.inference_types()).or_default();
        regions.push(listed.region().id().into());
    }
    let access = access.into_iter().map(|(types, regions)| AccessEntry {
        inference_types: types.map(<[_]>::to_vec),
        regions,
    });
    let lifecycle = &row.lifecycle;
    ModelEntry {
        id: model.id().into(),
        name: model.name().map(Text::from),
        provider: model.provider().map(Text::from),
        input_modalities: model.input_modalities().map(<[_]>::to_vec),
        output_modalities: model.output_modalities().map(<[_]>::to_vec),
        streaming: model.streaming(),
        customizations: model.customizations().map(<[_]>::to_vec),
        lifecycle: LifecycleEntry {
            status: lifecycle.status.clone(),
            start: lifecycle.start,
            legacy: lifecycle.legacy,
            extended_access: lifecycle.extended_access,
            end_of_life: lifecycle.end_of_life,
        },
        access: access.collect(),
        last_seen: row.last_seen,
        retired: row.retired,
        constant: model.constant().map(Text::from),
    }
}

fn profile_entry(profile: Profile<'_>) -> ProfileEntry<'_> {
    let row = profile.row();
    let mut routes: BTreeMap<_, Vec<Text<'_>>> = BTreeMap::new();
    for route in profile.routes() {
        let key = (
            route.access.model().id(),
            destinations_entry(route.destinations),
        );
        let sources = routes.entry(key).or_default();
        sources.push(route.access.region().id().into());
    }
    let routes = routes
        .into_iter()
        .map(|((model, destinations), sources)| RouteEntry {
            model: model.into(),
            sources,
            destinations,
        });
    let models = profile.models().map(|model| model.id());
    let derived = Geography::of_profile(profile.id(), models);
    ProfileEntry {
        id: profile.id().into(),
        name: profile.name().map(Text::from),
        description: profile.description().map(Text::from),
        status: profile.status().map(Text::from),
        geography: profile
            .geography()
            .cloned()
            .filter(|geography| Some(geography) != derived.as_ref()),
        routes: routes.collect(),
        last_seen: row.last_seen,
        retired: row.retired,
        constant: profile.constant().map(Text::from),
    }
}

fn destinations_entry(destinations: Destinations<'_>) -> DestinationsEntry<'_> {
    match destinations.is_global() {
        true => DestinationsEntry::Global,
        false => DestinationsEntry::Regions(destinations.iter().map(Text::from).collect()),
    }
}
