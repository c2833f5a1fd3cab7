//! Access: every way to call one model from one region.

use core::fmt;

use crate::catalog::Catalog;
use crate::enums::InferenceType;
use crate::error::QueryError;
use crate::model::Model;
use crate::profile::Profile;
use crate::region::Region;
use crate::route::{Policy, Route};
use crate::rows::{self, AccessRow, LinkRow, NONE};
use crate::{Destinations, RegionId};

/// Every way to call one model from one region: on demand, provisioned, through profiles.
///
/// A handle into its catalog, `Copy`. All methods are lookups by index: no hash, no allocation.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::Catalog;
///
/// let access = Catalog::bundled().access("anthropic.claude-sonnet-4-6", "us-east-1")?;
/// assert_eq!(access.on_demand(), Some(false));
/// let profiles: Vec<&str> = access.profiles().map(|(profile, _)| profile.id()).collect();
/// assert_eq!(profiles, ["global.anthropic.claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6"]);
/// # }
/// # Ok::<(), bedrock_catalog_data::QueryError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Access<'a> {
    catalog: &'a Catalog,
    row: &'a AccessRow,
}

impl<'a> Access<'a> {
    #[inline]
    pub(crate) fn of(catalog: &'a Catalog, row: &'a AccessRow) -> Self {
        Self { catalog, row }
    }

    /// The model.
    #[inline]
    pub fn model(&self) -> Model<'a> {
        Model::at(self.catalog, self.row.model)
    }

    /// The region that the call comes from.
    pub fn region(&self) -> Region<'a> {
        Region::at(self.catalog, self.row.region)
    }

    /// Whether the listing of the region has the model; if not, only a profile names it.
    pub fn is_listed(&self) -> bool {
        self.row.is(AccessRow::LISTED)
    }

    /// Whether the model id can be called without purchased capacity; `None` if the listing does not say.
    pub fn on_demand(&self) -> Option<bool> {
        self.known(AccessRow::ON_DEMAND)
    }

    /// Whether purchased capacity can be called; `None` if the listing does not say.
    pub fn provisioned(&self) -> Option<bool> {
        self.known(AccessRow::PROVISIONED)
    }

    fn known(&self, flag: u8) -> Option<bool> {
        let unknown = self.is_listed() && self.row.types == NONE;
        (!unknown).then_some(self.row.is(flag))
    }

    /// The inference types in the listing, sorted and unique. Empty if the region does not list the
    /// model, `None` if the listing does not say.
    pub fn inference_types(&self) -> Option<&'a [InferenceType]> {
        let types = &self.catalog.tables.types;
        match rows::known(types, self.row.types) {
            Some(types) => Some(types),
            None if self.is_listed() => None,
            None => Some(&[]),
        }
    }

    /// Whether the model can be called at all: on demand, provisioned, or through a profile.
    pub fn is_callable(&self) -> bool {
        self.row.is_callable()
    }

    /// The profiles that serve the model from this region with their destinations, sorted by profile.
    ///
    /// Quadratic in the profiles of one row, of which there are few.
    pub fn profiles(&self) -> impl Iterator<Item = (Profile<'a>, Destinations<'a>)> + use<'a> {
        let catalog = self.catalog;
        let mut links = self.links();
        let mut last = None;
        // Profiles are numbered in the order of ids: the next id is the next larger number.
        core::iter::from_fn(move || {
            let next = links
                .iter()
                .filter(|link| last.is_none_or(|last| link.profile > last))
                .min_by_key(|link| link.profile);
            let Some(link) = next else {
                links = &[];
                return None;
            };
            last = Some(link.profile);
            let profile = Profile::new(catalog, link.profile)?;
            Some((profile, Destinations::of_link(catalog, link)))
        })
    }

    /// The routes that need no purchased capacity, in order of preference: on demand, then profiles of
    /// geographies by number of destinations and id, then global profiles by id.
    pub fn routes(&self) -> impl Iterator<Item = Route<'a>> + Clone + use<'a> {
        let access = *self;
        let in_region = self.row.is(AccessRow::ON_DEMAND).then_some(None);
        let profiles = self.links().iter().map(Some);
        in_region
            .into_iter()
            .chain(profiles)
            .map(move |link| Route::new(access, link))
    }

    /// The preferred route that the policy accepts. No allocation unless it fails.
    ///
    /// # Errors
    /// [`PolicyForbids`], [`ProvisionedOnly`] or [`NoWayIn`] if there is none; [`UnknownResidency`] for
    /// a wrong entry in [`Policy::Within`].
    ///
    /// [`PolicyForbids`]: crate::QueryErrorKind::PolicyForbids
    /// [`ProvisionedOnly`]: crate::QueryErrorKind::ProvisionedOnly
    /// [`NoWayIn`]: crate::QueryErrorKind::NoWayIn
    /// [`UnknownResidency`]: crate::QueryErrorKind::UnknownResidency
    #[inline(always)]
    pub fn route(&self, policy: Policy<'_>) -> Result<Route<'a>, QueryError> {
        if let Policy::Within(regions) = policy {
            return self.route_within(regions);
        }
        match self.choose(policy) {
            Some(link) => Ok(Route::new(*self, link)),
            None => Err(self.no_route(policy)),
        }
    }

    #[inline(never)]
    fn route_within(self, regions: &[&str]) -> Result<Route<'a>, QueryError> {
        self.catalog.check_residency(regions)?;
        match self.choose_within(regions) {
            Some(link) => Ok(Route::new(self, link)),
            None => Err(self.no_route(Policy::Within(regions))),
        }
    }

    /// The preferred route that the policy accepts. Does not check the entries of a residency set.
    pub(crate) fn best(self, policy: Policy<'_>) -> Option<Route<'a>> {
        let link = match policy {
            Policy::Within(regions) => self.choose_within(regions),
            _ => self.choose(policy),
        };
        Some(Route::new(self, link?))
    }

    // Always inlined: callers mostly write the policy as a constant, which removes most of the code.
    // By value: a reference would force the handle into memory.

    /// The preferred link that a policy other than `Within` accepts; `Some(None)` is on demand.
    #[inline(always)]
    fn choose(self, policy: Policy<'_>) -> Option<Option<&'a LinkRow>> {
        let (in_region, bounded, global) = match policy {
            Policy::InRegion => (true, false, false),
            Policy::Geography => (true, true, false),
            Policy::Any => (true, true, true),
            Policy::Global => (false, false, true),
            Policy::Within(_) => return None,
        };
        if in_region && self.row.is(AccessRow::ON_DEMAND) {
            return Some(None);
        }
        // Bounded links come before global ones, both in order of preference.
        let from = if bounded { 0 } else { self.row.bounded };
        let to = if global {
            self.row.links
        } else {
            self.row.bounded
        };
        self.link(from, to)
    }

    fn choose_within(self, regions: &[&str]) -> Option<Option<&'a LinkRow>> {
        let inside =
            |link: &Option<&'a LinkRow>| Route::new(self, *link).destinations().are_within(regions);
        let in_region = self.row.is(AccessRow::ON_DEMAND).then_some(None);
        in_region
            .filter(inside)
            .or_else(|| self.bounded().iter().map(Some).find(inside))
    }

    /// The first link from position `from` and before `to`.
    #[inline]
    fn link(&self, from: u16, to: u16) -> Option<Option<&'a LinkRow>> {
        if from >= to {
            return None;
        }
        let number = self.row.link as usize + usize::from(from);
        self.catalog.tables.links.get(number).map(Some)
    }

    #[inline]
    fn links(&self) -> &'a [LinkRow] {
        self.row.links().of(&self.catalog.tables.links)
    }

    #[inline]
    fn bounded(&self) -> &'a [LinkRow] {
        self.links()
            .get(..usize::from(self.row.bounded))
            .unwrap_or_default()
    }

    pub(crate) fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    pub(crate) fn row(&self) -> &'a AccessRow {
        self.row
    }
}

/// Equal if model and region are equal, also across catalogs.
impl PartialEq for Access<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.model().id() == other.model().id() && self.region().id() == other.region().id()
    }
}

impl Eq for Access<'_> {}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Access");
        debug
            .field("model", &self.model().id())
            .field("region", &RegionId::from(self.region().id()));
        debug.finish_non_exhaustive()
    }
}
