//! Inference profiles and their routes.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::access::Access;
use crate::catalog::Catalog;
use crate::enums::Geography;
use crate::id::sealed::{Named, OfProfile};
use crate::model::Model;
use crate::region::Region;
use crate::route::Destinations;
use crate::rows::{LinkRow, ProfileRow};
use crate::{Date, ProfileId};

/// A system-defined inference profile of a catalog.
///
/// A handle into its catalog, `Copy`. Texts are borrowed from the catalog. No method allocates.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Geography};
///
/// let profile = Catalog::bundled().profile("eu.anthropic.claude-sonnet-4-6").unwrap();
/// assert_eq!(profile.geography(), Some(&Geography::Eu));
/// assert!(profile.models().any(|model| model.id() == "anthropic.claude-sonnet-4-6"));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Profile<'a> {
    catalog: &'a Catalog,
    row: &'a ProfileRow,
}

/// One model of a profile from one source region, with the destinations.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ProfileRoute<'a> {
    /// The access of the model from the source region.
    pub access: Access<'a>,
    /// Where a request may be served.
    pub destinations: Destinations<'a>,
}

impl<'a> Profile<'a> {
    #[inline]
    pub(crate) fn new(catalog: &'a Catalog, number: u16) -> Option<Self> {
        let row = catalog.tables.profiles.get(usize::from(number))?;
        Some(Self { catalog, row })
    }

    pub(crate) fn of(catalog: &'a Catalog, row: &'a ProfileRow) -> Self {
        Self { catalog, row }
    }

    /// The exact id.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.catalog.tables.text(self.row.id)
    }

    /// The display name; `None` if the listing does not say.
    pub fn name(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.name?))
    }

    /// The description; `None` if the listing does not say.
    pub fn description(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.description?))
    }

    /// The geography; `None` if the id does not begin with one.
    pub fn geography(&self) -> Option<&'a Geography> {
        self.row.geography.as_ref()
    }

    /// The status in the listing, if it is not `ACTIVE`.
    pub fn status(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.status?))
    }

    /// Whether a complete recording does not have it.
    pub fn is_retired(&self) -> bool {
        self.row.retired
    }

    /// The day of the last recording that has it, if this catalog's own does not.
    pub fn last_seen(&self) -> Option<Date> {
        self.row.last_seen
    }

    /// The models it serves from each source region, sorted by model, then region.
    pub fn routes(&self) -> impl Iterator<Item = ProfileRoute<'a>> + Clone + use<'a> {
        let catalog = self.catalog;
        self.links().filter_map(move |link| {
            let row = catalog.tables.access.get(usize::from(link.access))?;
            Some(ProfileRoute {
                access: Access::of(catalog, row),
                destinations: Destinations::of_link(catalog, link),
            })
        })
    }

    /// The models it serves, sorted by id.
    pub fn models(&self) -> impl Iterator<Item = Model<'a>> + Clone + use<'a> {
        let mut last = None;
        self.routes().filter_map(move |route| {
            let model = route.access.model();
            let new = last != Some(model);
            last = Some(model);
            new.then_some(model)
        })
    }

    /// Whether it serves a model from the region.
    pub(crate) fn has_source(&self, region: Region<'_>) -> bool {
        self.routes().any(|route| route.access.region() == region)
    }

    fn links(&self) -> impl Iterator<Item = &'a LinkRow> + Clone + use<'a> {
        let tables = &self.catalog.tables;
        let numbers = self.row.links.of(&tables.profile_links);
        numbers
            .iter()
            .filter_map(|&number| tables.links.get(number as usize))
    }

    /// The name of the constant, if the id does not give it. For the generator.
    #[doc(hidden)]
    pub fn constant(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.constant?))
    }

    pub(crate) fn row(&self) -> &'a ProfileRow {
        self.row
    }
}

impl Named<OfProfile> for Profile<'_> {
    fn text(&self) -> &str {
        self.id()
    }
}

impl PartialEq for Profile<'_> {
    /// Same catalog, same profile.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.row, other.row)
    }
}

impl Eq for Profile<'_> {}

impl Hash for Profile<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl From<Profile<'_>> for ProfileId {
    fn from(profile: Profile<'_>) -> Self {
        Self::of_row(profile.catalog.tables.static_text(profile.row.id), None)
    }
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Profile").field(&self.id()).finish()
    }
}
