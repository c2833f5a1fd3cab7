//! Every way to call one model from one region.

use core::fmt;

use crate::catalog::Catalog;
use crate::error::Error;
use crate::model::Model;
use crate::profile::Profile;
use crate::region::Region;
use crate::route::{Policy, Route};
use crate::rows::{self, AccessRow, LinkRow, NONE};
use crate::words::InferenceType;
use crate::{Destinations, RegionId};

/// Every way to call one model from one region: a handle, `Copy`.
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

    /// The region the call comes from.
    pub fn region(&self) -> Region<'a> {
        Region::at(self.catalog, self.row.region)
    }

    /// Whether the region's listing has the model; if not, only a profile tells of it.
    pub fn is_listed(&self) -> bool {
        self.row.is(AccessRow::LISTED)
    }

    /// Whether the bare model id may be called; `None` where the listing does not say.
    pub fn on_demand(&self) -> Option<bool> {
        self.told(AccessRow::ON_DEMAND)
    }

    /// Whether bought capacity may be called; `None` where the listing does not say.
    pub fn provisioned(&self) -> Option<bool> {
        self.told(AccessRow::PROVISIONED)
    }

    fn told(&self, flag: u8) -> Option<bool> {
        let unsaid = self.is_listed() && self.row.types == NONE;
        (!unsaid).then_some(self.row.is(flag))
    }

    /// The words of the listing, sorted; empty where the listing does not have the model, `None`
    /// where it has it and does not say.
    pub fn inference_types(&self) -> Option<&'a [InferenceType]> {
        let types = &self.catalog.tables.types;
        match rows::told(types, self.row.types) {
            Some(types) => Some(types),
            None if self.is_listed() => None,
            None => Some(&[]),
        }
    }

    /// Whether there is any way in: on demand, provisioned, or through a profile.
    pub fn has_way_in(&self) -> bool {
        self.row.has_way_in()
    }

    /// The profiles that serve the model from here and where each may serve it, sorted by profile.
    /// (Allocates nothing; the few profiles of a row are picked in order.)
    pub fn profiles(&self) -> impl Iterator<Item = (Profile<'a>, Destinations<'a>)> + use<'a> {
        let catalog = self.catalog;
        let mut links = self.links();
        let mut last = None;
        // Rows are numbered in the order of ids, so the next id is the next larger number.
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

    /// Every way to call now, without buying capacity first, the preferred first: on demand, then
    /// bounded profiles by destinations and id, then global ones by id.
    pub fn routes(&self) -> impl Iterator<Item = Route<'a>> + Clone + use<'a> {
        let access = *self;
        let in_region = self.row.is(AccessRow::ON_DEMAND).then_some(None);
        let profiles = self.links().iter().map(Some);
        in_region
            .into_iter()
            .chain(profiles)
            .map(move |link| Route::new(access, link))
    }

    /// The one id to send under a policy.
    ///
    /// # Errors
    /// Where the policy allows none of the ways: which there are, and which policies allow them.
    #[inline(always)]
    pub fn route(&self, policy: Policy<'_>) -> Result<Route<'a>, Error> {
        match self.choose(policy) {
            Some(link) => Ok(Route::new(*self, link)),
            None => Err(self.no_route(policy)),
        }
    }

    // Inlined always: a policy is mostly written out where it is asked with, and then little of this
    // is left. By value: a reference would keep the handle in memory.

    /// The preferred way a policy allows: `Some(None)` is on demand.
    #[inline(always)]
    fn choose(self, policy: Policy<'_>) -> Option<Option<&'a LinkRow>> {
        let (in_region, bounded, global) = match policy {
            Policy::InRegion => (true, false, false),
            Policy::Geography => (true, true, false),
            Policy::Any => (true, true, true),
            Policy::Global => (false, false, true),
            Policy::Within(regions) => return self.choose_within(regions),
        };
        if in_region && self.row.is(AccessRow::ON_DEMAND) {
            return Some(None);
        }
        // Bounded links stand before global ones, the preferred first.
        let from = if bounded { 0 } else { self.row.bounded };
        let to = if global {
            self.row.links
        } else {
            self.row.bounded
        };
        self.link(from, to)
    }

    #[inline(never)]
    fn choose_within(self, regions: &[&str]) -> Option<Option<&'a LinkRow>> {
        let inside =
            |link: &Option<&'a LinkRow>| Route::new(self, *link).destinations().are_within(regions);
        let in_region = self.row.is(AccessRow::ON_DEMAND).then_some(None);
        in_region.filter(inside).or_else(|| {
            // Sorted by destinations and id: the first that fits is the preferred one.
            self.bounded().iter().map(Some).find(inside)
        })
    }

    /// The first of its links of these places.
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

    /// Why the policy allows none of the ways in.
    #[cold]
    #[inline(never)]
    fn no_route(self, policy: Policy<'_>) -> Error {
        let allowing = Policy::PLAIN
            .iter()
            .filter(|&&name| self.choose(name).is_some())
            .map(|policy| policy.as_str());
        Error::no_route(self, policy, allowing)
    }

    pub(crate) fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    pub(crate) fn row(&self) -> &'a AccessRow {
        self.row
    }
}

/// Equal where model and region are, whatever catalogs they come from.
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
