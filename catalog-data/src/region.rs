//! A region: which models may be called from it.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::access::Access;
use crate::catalog::Catalog;
use crate::id::kind;
use crate::id::sealed::{Claim, Sealed};
use crate::model::Model;
use crate::rows::{RegionRow, Run};
use crate::{RegionId, Timestamp};

/// A region of a catalog: a handle, `Copy`, that belongs to its catalog.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::Catalog;
///
/// let frankfurt = Catalog::bundled().region("eu-central-1").unwrap();
/// assert!(frankfurt.accesses().any(|access| access.has_way_in()));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Region<'a> {
    catalog: &'a Catalog,
    row: &'a RegionRow,
    number: u16,
}

/// What a number beyond the table shows; a checked catalog has none.
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

    /// The region of a number that a row of the same catalog holds.
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

    /// Whether the recording asked it; a region may be known only as a destination.
    pub(crate) fn is_recorded(&self) -> bool {
        self.row.recorded
    }

    /// Since when its rows could not be renewed: they are those of the last recording in which it
    /// answered, made then. `None` where they are of this catalog's own recording.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.row.stale_since
    }

    /// How many models it has, listed or through a profile.
    pub fn models_count(&self) -> usize {
        usize::from(self.row.models)
    }

    /// How many of them may be called on demand.
    pub fn on_demand_count(&self) -> usize {
        usize::from(self.row.on_demand)
    }

    /// How many inference profiles have it as a source.
    pub fn profiles_count(&self) -> usize {
        usize::from(self.row.profiles)
    }

    /// Every way to call each of its models, sorted by model.
    pub fn accesses(&self) -> impl Iterator<Item = Access<'a>> + Clone + use<'a> {
        let (models, region) = (self.catalog.all_models(), self.number);
        models.filter_map(move |model| model.access_in(region))
    }

    /// The models it has, listed or through a profile, sorted by id.
    pub fn models(&self) -> impl Iterator<Item = Model<'a>> + Clone + use<'a> {
        self.accesses().map(|access| access.model())
    }
}

impl Sealed<kind::Region> for Region<'_> {
    // As of a model.
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
        Self::of_row(region.catalog.tables.kept(region.row.id), region.claim())
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Region").field(&self.id()).finish()
    }
}
