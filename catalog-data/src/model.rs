//! A model, and what the control plane says of its life.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::access::Access;
use crate::catalog::Catalog;
use crate::error::Error;
use crate::id::sealed::{Claim, Sealed};
use crate::id::{Key, kind};
use crate::profile::Profile;
use crate::region::Region;
use crate::route::{Policy, Route};
use crate::rows::{self, LifecycleRow, ModelRow, NONE, Run};
use crate::words::{Customization, LifecycleStatus, Modality, Status};
use crate::{Date, ModelId};

/// A model of a catalog: a handle of three words, `Copy`, that belongs to its catalog.
///
/// Keep it to ask again without hashing.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Policy, regions};
///
/// let nova = Catalog::bundled().model("amazon.nova-pro-v1:0").unwrap();
/// assert_eq!(nova.provider(), Some("Amazon"));
/// let route = nova.route(regions::EU_WEST_2, Policy::Geography)?;
/// assert_eq!(route.inference_id(), "amazon.nova-pro-v1:0");
/// # }
/// # Ok::<(), bedrock_catalog_data::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Model<'a> {
    catalog: &'a Catalog,
    row: &'a ModelRow,
    number: u16,
}

impl<'a> Model<'a> {
    #[inline]
    pub(crate) fn new(catalog: &'a Catalog, number: u16) -> Option<Self> {
        let row = catalog.tables.models.get(usize::from(number))?;
        Some(Self::of(catalog, number, row))
    }

    #[inline]
    pub(crate) fn of(catalog: &'a Catalog, number: u16, row: &'a ModelRow) -> Self {
        Self {
            catalog,
            row,
            number,
        }
    }

    /// The model of a number that a row of the same catalog holds.
    #[inline]
    pub(crate) fn at(catalog: &'a Catalog, number: u16) -> Self {
        Self::new(catalog, number).unwrap_or(Self::of(catalog, number, &NO_MODEL))
    }

    /// The exact id.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.catalog.tables.model_id(self.number)
    }

    /// The name for people; `None` where no listing has the model.
    pub fn name(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.name?))
    }

    /// The provider's name; `None` where no listing has the model.
    pub fn provider(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.provider?))
    }

    /// What it takes, sorted; `None` where the control plane does not say.
    pub fn input_modalities(&self) -> Option<&'a [Modality]> {
        rows::told(&self.catalog.tables.modalities, self.row.input)
    }

    /// What it gives, sorted; `None` where the control plane does not say.
    pub fn output_modalities(&self) -> Option<&'a [Modality]> {
        rows::told(&self.catalog.tables.modalities, self.row.output)
    }

    /// Whether it streams its answer; `None` where the control plane does not say.
    pub fn streaming(&self) -> Option<bool> {
        self.row.streaming
    }

    /// The ways to customise it, sorted; `None` where the control plane does not say.
    pub fn customizations(&self) -> Option<&'a [Customization]> {
        rows::told(&self.catalog.tables.customizations, self.row.customizations)
    }

    /// What the control plane says of its life.
    pub fn lifecycle(&self) -> Lifecycle<'a> {
        Lifecycle {
            row: &self.row.lifecycle,
        }
    }

    /// Its state on a day.
    pub fn status_at(&self, day: Date) -> Status {
        if self.row.retired {
            Status::Retired
        } else {
            self.lifecycle().status_at(day)
        }
    }

    /// Whether a complete recording neither listed it nor served it through a profile any more.
    pub fn is_retired(&self) -> bool {
        self.row.retired
    }

    /// The day of the last recording that had it.
    pub fn last_seen(&self) -> Date {
        self.row.last_seen.unwrap_or_else(|| {
            let observed_at = self.catalog.observed_at();
            let seen = self
                .regions()
                .map(|region| region.stale_since().unwrap_or(observed_at));
            seen.max().unwrap_or(observed_at).date()
        })
    }

    /// Whether some region's listing has it.
    pub fn is_listed(&self) -> bool {
        self.accesses().any(|access| access.is_listed())
    }

    /// Whether some region has a way in: on demand, provisioned, or through a profile.
    pub fn has_way_in(&self) -> bool {
        self.accesses().any(|access| access.has_way_in())
    }

    /// The regions that have it, listed or through a profile, sorted by id.
    pub fn regions(&self) -> impl ExactSizeIterator<Item = Region<'a>> + Clone + use<'a> {
        self.accesses().map(|access| access.region())
    }

    /// Every way in, region by region, sorted by region.
    pub fn accesses(&self) -> impl ExactSizeIterator<Item = Access<'a>> + Clone + use<'a> {
        let catalog = self.catalog;
        let rows = self.row.access.of(&catalog.tables.access);
        rows.iter().map(move |row| Access::of(catalog, row))
    }

    /// The profiles that serve it from some region, sorted by id.
    pub fn profiles(&self) -> impl Iterator<Item = Profile<'a>> + Clone + use<'a> {
        let catalog = self.catalog;
        let numbers = self.row.profiles.of(&catalog.tables.model_profiles);
        numbers
            .iter()
            .filter_map(move |&number| Profile::new(catalog, number))
    }

    /// Every way to call it from a region; `None` where the region has no such model.
    #[inline]
    pub fn access(&self, region: impl Key<kind::Region>) -> Option<Access<'a>> {
        match region.number_in(self.catalog) {
            Some(number) => self.access_in(number),
            None => self.access_found(region),
        }
    }

    // What is found by its text is found out of line, and what is asked is given away: so asking by
    // a constant or handle keeps nothing in memory for it.

    #[inline(never)]
    fn access_found(self, region: impl Key<kind::Region>) -> Option<Access<'a>> {
        self.access_in(self.catalog.region_number(&region)?)
    }

    /// The access row in the region of a number; not of regions beyond the table.
    #[inline]
    pub(crate) fn access_in(&self, region: u16) -> Option<Access<'a>> {
        let tables = &self.catalog.tables;
        let cell = usize::from(region) * tables.models.len() + usize::from(self.number);
        let &number = tables.cells.get(cell)?;
        if number == NONE {
            return None;
        }
        let row = tables.access.get(usize::from(number))?;
        Some(Access::of(self.catalog, row))
    }

    /// The one id to send from a region under a policy.
    ///
    /// # Errors
    /// As [`Catalog::route`].
    #[inline(always)]
    pub fn route(
        &self,
        region: impl Key<kind::Region>,
        policy: Policy<'_>,
    ) -> Result<Route<'a>, Error> {
        let claimed = region.number_in(self.catalog);
        match claimed.and_then(|number| self.access_in(number)) {
            Some(access) => access.route(policy),
            None => self.route_found(region, policy),
        }
    }

    #[inline(never)]
    fn route_found(
        self,
        region: impl Key<kind::Region>,
        policy: Policy<'_>,
    ) -> Result<Route<'a>, Error> {
        let number = self.catalog.region_number(&region);
        match number.and_then(|number| self.access_in(number)) {
            Some(access) => access.route(policy),
            None => Err(self.catalog.no_access(self.id(), region.text())),
        }
    }

    /// The constant's name, where it is not the id's own; for the generator.
    #[doc(hidden)]
    pub fn constant(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.constant?))
    }

    pub(crate) fn row(&self) -> &'a ModelRow {
        self.row
    }
}

impl Sealed<kind::Model> for Model<'_> {
    // Asked for in other catalogs and errors only; inlined it would be most of a question.
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

impl PartialEq for Model<'_> {
    /// Same catalog, same model.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.row, other.row)
    }
}

impl Eq for Model<'_> {}

impl Hash for Model<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl From<Model<'_>> for ModelId {
    fn from(model: Model<'_>) -> Self {
        Self::of_row(model.catalog.tables.kept(model.row.id), model.claim())
    }
}

impl fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Model").field(&self.id()).finish()
    }
}

/// What a number beyond the table shows; a checked catalog has none.
static NO_MODEL: ModelRow = ModelRow {
    id: Run::new(0, 0),
    name: None,
    provider: None,
    input: NONE,
    output: NONE,
    streaming: None,
    customizations: NONE,
    lifecycle: LifecycleRow {
        status: None,
        start: None,
        legacy: None,
        extended_access: None,
        end_of_life: None,
    },
    last_seen: None,
    retired: false,
    constant: None,
    access: Run::new(0, 0),
    profiles: Run::new(0, 0),
};

/// What the control plane says of a model's life: a word and up to four days. Absent is unknown.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle<'a> {
    row: &'a LifecycleRow,
}

impl<'a> Lifecycle<'a> {
    /// The control plane's word.
    pub fn status(&self) -> Option<&'a LifecycleStatus> {
        self.row.status.as_ref()
    }

    /// The launch.
    pub fn start(&self) -> Option<Date> {
        self.row.start
    }

    /// The day it became, or becomes, legacy.
    pub fn legacy(&self) -> Option<Date> {
        self.row.legacy
    }

    /// The first day of public extended access.
    pub fn extended_access(&self) -> Option<Date> {
        self.row.extended_access
    }

    /// The day it ends; not served on that day any more.
    pub fn end_of_life(&self) -> Option<Date> {
        self.row.end_of_life
    }

    /// The state on a day, from the dates where there are any, else from the word.
    ///
    /// A word this version does not know, or none, without a date that decides, is
    /// [`Status::Unknown`]; so is every day before the launch.
    pub fn status_at(&self, day: Date) -> Status {
        let reached = |date: Option<Date>| date.is_some_and(|date| date <= day);
        if reached(self.row.end_of_life) {
            return Status::Ended;
        }
        if reached(self.row.legacy) {
            return Status::Legacy;
        }
        if self.row.start.is_some_and(|start| day < start) {
            return Status::Unknown;
        }
        match (&self.row.status, self.row.legacy) {
            (Some(LifecycleStatus::Active), _) => Status::Active,
            // Legacy now, but not yet on that day.
            (Some(LifecycleStatus::Legacy), Some(_)) => Status::Active,
            (Some(LifecycleStatus::Legacy), None) => Status::Legacy,
            _ => Status::Unknown,
        }
    }
}
