//! Regions.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::access::Access;
use crate::catalog::Catalog;
use crate::id::sealed::{Claim, Named, OfRegion};
use crate::model::Model;
use crate::rows::{RegionRow, Run};
use crate::{RegionId, Timestamp};

/// A region of a catalog.
///
/// A handle into its catalog, `Copy`. No method allocates.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::Catalog;
///
/// let frankfurt = Catalog::bundled().region("eu-central-1").unwrap();
/// assert!(frankfurt.accesses().any(|access| access.is_callable()));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Region<'a> {
    catalog: &'a Catalog,
    row: &'a RegionRow,
    number: u16,
}

/// Stands for a number beyond the table, which checked tables exclude.
static NOWHERE: RegionRow = RegionRow {
    id: Run::new(0, 0),
    recorded: false,
    stale_since: None,
    models: 0,
    on_demand: 0,
    profiles: 0,
};

impl<'a> Region<'a> {
    #[inline]
    pub(crate) fn new(catalog: &'a Catalog, number: u16) -> Option<Self> {
        let row = catalog.tables.regions.get(usize::from(number))?;
        Some(Self::of(catalog, number, row))
    }

    #[inline]
    pub(crate) fn of(catalog: &'a Catalog, number: u16, row: &'a RegionRow) -> Self {
        Self {
            catalog,
            row,
            number,
        }
    }

    /// The region with a number from a row of the same catalog.
    #[inline]
    pub(crate) fn at(catalog: &'a Catalog, number: u16) -> Self {
        Self::new(catalog, number).unwrap_or(Self {
            catalog,
            row: &NOWHERE,
            number,
        })
    }

    /// The id.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.catalog.tables.text(self.row.id)
    }

    /// Whether the recording asked it; others are known as destinations or former regions.
    pub(crate) fn is_recorded(&self) -> bool {
        self.row.recorded
    }

    /// The time of its rows, if they are of an earlier recording because the region did not answer.
    /// `None` if they are of this catalog's own recording.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.row.stale_since
    }

    /// The number of its models, listed or through a profile.
    pub fn model_count(&self) -> usize {
        usize::from(self.row.models)
    }

    /// The number of its models that can be called on demand.
    pub fn on_demand_count(&self) -> usize {
        usize::from(self.row.on_demand)
    }

    /// The number of inference profiles that have it as a source.
    pub fn profile_count(&self) -> usize {
        usize::from(self.row.profiles)
    }

    /// The access to each of its models, sorted by model. Visits every model of the catalog.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'a>> + Clone + use<'a> {
        let (models, region) = (self.catalog.all_models(), self.number);
        models.filter_map(move |model| model.access_in(region))
    }

    /// Its models, listed or through a profile, sorted by id. Visits every model of the catalog.
    pub fn models(&self) -> impl Iterator<Item = Model<'a>> + Clone + use<'a> {
        self.accesses().map(|access| access.model())
    }
}

impl Named<OfRegion> for Region<'_> {
    // Like that of a model.
    #[cold]
    #[inline(never)]
    fn text(&self) -> &str {
        self.id()
    }

    #[inline]
    fn number_in(&self, catalog: &Catalog) -> Option<u16> {
        core::ptr::eq(self.catalog, catalog).then_some(self.number)
    }

    #[inline]
    fn claim(&self) -> Option<Claim> {
        Claim::new(self.catalog.tables.brand, self.number)
    }
}

impl PartialEq for Region<'_> {
    /// Same catalog, same region.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.row, other.row)
    }
}

impl Eq for Region<'_> {}

impl Hash for Region<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl From<Region<'_>> for RegionId {
    fn from(region: Region<'_>) -> Self {
        Self::of_row(
            region.catalog.tables.static_text(region.row.id),
            region.claim(),
        )
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Region").field(&self.id()).finish()
    }
}
