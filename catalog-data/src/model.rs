//! Models and their lifecycle.

use core::fmt;
use core::hash::{Hash, Hasher};

use crate::access::Access;
use crate::catalog::Catalog;
use crate::enums::{Customization, LifecycleStatus, Modality, Status};
use crate::error::QueryError;
use crate::id::IntoRegionId;
use crate::id::sealed::{Claim, Named, OfModel};
use crate::profile::Profile;
use crate::region::Region;
use crate::route::{Policy, Route};
use crate::rows::{self, LifecycleRow, ModelRow, NONE, Run};
use crate::{Date, ModelId};

/// A model of a catalog.
///
/// A handle into its catalog, `Copy`, three words. Keep it to ask again without a hash. Texts and lists
/// are borrowed from the catalog; lists are sorted and unique. No method allocates, except for errors.
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
/// # Ok::<(), bedrock_catalog_data::QueryError>(())
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

    /// The model with a number from a row of the same catalog.
    #[inline]
    pub(crate) fn at(catalog: &'a Catalog, number: u16) -> Self {
        Self::new(catalog, number).unwrap_or(Self::of(catalog, number, &NO_MODEL))
    }

    /// The exact id.
    #[inline]
    pub fn id(&self) -> &'a str {
        self.catalog.tables.model_id(self.number)
    }

    /// The display name; `None` if no listing has the model.
    pub fn name(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.name?))
    }

    /// The provider's name; `None` if no listing has the model.
    pub fn provider(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.provider?))
    }

    /// The input modalities, sorted; `None` if the listing does not say.
    pub fn input_modalities(&self) -> Option<&'a [Modality]> {
        rows::known(&self.catalog.tables.modalities, self.row.input)
    }

    /// The output modalities, sorted; `None` if the listing does not say.
    pub fn output_modalities(&self) -> Option<&'a [Modality]> {
        rows::known(&self.catalog.tables.modalities, self.row.output)
    }

    /// Whether it streams its response; `None` if the listing does not say.
    pub fn streaming(&self) -> Option<bool> {
        self.row.streaming
    }

    /// The ways to customize it, sorted; `None` if the listing does not say.
    pub fn customizations(&self) -> Option<&'a [Customization]> {
        rows::known(&self.catalog.tables.customizations, self.row.customizations)
    }

    /// The lifecycle in the listing.
    pub fn lifecycle(&self) -> Lifecycle<'a> {
        Lifecycle {
            row: &self.row.lifecycle,
        }
    }

    /// The status on a day: [`Status::Retired`] if it is retired, else [`Lifecycle::status_at`].
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Status};
    ///
    /// let nova = Catalog::bundled().model("amazon.nova-pro-v1:0").unwrap();
    /// let launch = nova.lifecycle().start().unwrap();
    /// assert_eq!(nova.status_at(launch), Status::Active);
    /// # }
    /// ```
    pub fn status_at(&self, day: Date) -> Status {
        if self.row.retired {
            Status::Retired
        } else {
            self.lifecycle().status_at(day)
        }
    }

    /// Whether a complete recording neither lists it nor serves it through a profile.
    pub fn is_retired(&self) -> bool {
        self.row.retired
    }

    /// The day of the last recording that has it.
    pub fn last_seen(&self) -> Date {
        self.row.last_seen.unwrap_or_else(|| {
            let observed_at = self.catalog.observed_at();
            let seen = self
                .regions()
                .map(|region| region.stale_since().unwrap_or(observed_at));
            seen.max().unwrap_or(observed_at).date()
        })
    }

    /// Whether the listing of any region has it.
    pub fn is_listed(&self) -> bool {
        self.accesses().any(|access| access.is_listed())
    }

    /// Whether it can be called from any region: on demand, provisioned, or through a profile.
    pub fn is_callable(&self) -> bool {
        self.accesses().any(|access| access.is_callable())
    }

    /// The regions that have it, listed or through a profile, sorted by id.
    pub fn regions(&self) -> impl ExactSizeIterator<Item = Region<'a>> + Clone + use<'a> {
        self.accesses().map(|access| access.region())
    }

    /// The access from each region that has it, sorted by region.
    pub fn accesses(&self) -> impl ExactSizeIterator<Item = Access<'a>> + Clone + use<'a> {
        let catalog = self.catalog;
        let rows = self.row.access.of(&catalog.tables.access);
        rows.iter().map(move |row| Access::of(catalog, row))
    }

    /// The profiles that serve it from any region, sorted by id.
    pub fn profiles(&self) -> impl Iterator<Item = Profile<'a>> + Clone + use<'a> {
        let catalog = self.catalog;
        let numbers = self.row.profiles.of(&catalog.tables.model_profiles);
        numbers
            .iter()
            .filter_map(move |&number| Profile::new(catalog, number))
    }

    /// The access from a region; `None` if the region does not have the model.
    ///
    /// One hash for a region given as text, none for a constant or a handle.
    #[inline]
    pub fn access(&self, region: impl IntoRegionId) -> Option<Access<'a>> {
        match region.number_in(self.catalog) {
            Some(number) => self.access_in(number),
            None => self.access_found(region),
        }
    }

    // Lookups by text are out of line and take the region by value: otherwise a lookup by constant or
    // handle would keep the region in memory for them.

    #[inline(never)]
    fn access_found(self, region: impl IntoRegionId) -> Option<Access<'a>> {
        self.access_in(self.catalog.region_number(&region)?)
    }

    /// The access from the region with this number; `None` beyond the table.
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

    /// The preferred route from a region that the policy accepts. No allocation unless it fails.
    ///
    /// # Errors
    /// Those of [`Catalog::route`].
    #[inline(always)]
    pub fn route(
        &self,
        region: impl IntoRegionId,
        policy: Policy<'_>,
    ) -> Result<Route<'a>, QueryError> {
        let claimed = region.number_in(self.catalog);
        match claimed.and_then(|number| self.access_in(number)) {
            Some(access) => access.route(policy),
            None => self.route_found(region, policy),
        }
    }

    #[inline(never)]
    fn route_found(
        self,
        region: impl IntoRegionId,
        policy: Policy<'_>,
    ) -> Result<Route<'a>, QueryError> {
        let number = self.catalog.region_number(&region);
        match number.and_then(|number| self.access_in(number)) {
            Some(access) => access.route(policy),
            None => Err(self.catalog.no_access(self.id(), region.text(), policy)),
        }
    }

    /// The name of the constant, if the id does not give it. For the generator.
    #[doc(hidden)]
    pub fn constant(&self) -> Option<&'a str> {
        Some(self.catalog.tables.text(self.row.constant?))
    }

    pub(crate) fn row(&self) -> &'a ModelRow {
        self.row
    }
}

impl Named<OfModel> for Model<'_> {
    // Only other catalogs and errors need the text; inlined it would dominate the lookup.
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
        Self::of_row(
            model.catalog.tables.static_text(model.row.id),
            model.claim(),
        )
    }
}

impl fmt::Debug for Model<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Model").field(&self.id()).finish()
    }
}

/// Stands for a number beyond the table, which checked tables exclude.
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

/// The lifecycle of a model in the listing: a status and up to four dates. Absent is unknown.
#[derive(Debug, Clone, Copy)]
pub struct Lifecycle<'a> {
    row: &'a LifecycleRow,
}

impl<'a> Lifecycle<'a> {
    /// The status at the time of the recording.
    pub fn status(&self) -> Option<&'a LifecycleStatus> {
        self.row.status.as_ref()
    }

    /// The launch.
    pub fn start(&self) -> Option<Date> {
        self.row.start
    }

    /// The first day as legacy.
    pub fn legacy(&self) -> Option<Date> {
        self.row.legacy
    }

    /// The first day of public extended access.
    pub fn extended_access(&self) -> Option<Date> {
        self.row.extended_access
    }

    /// The end of life; the model is not served from this day on.
    pub fn end_of_life(&self) -> Option<Date> {
        self.row.end_of_life
    }

    /// The status on a day, computed from the dates, else from the status in the listing.
    ///
    /// [`Status::Unknown`] before the launch, and where neither a date nor a known status decides.
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
            // Legacy at the time of the recording, but not yet on that day.
            (Some(LifecycleStatus::Legacy), Some(_)) => Status::Active,
            (Some(LifecycleStatus::Legacy), None) => Status::Legacy,
            _ => Status::Unknown,
        }
    }
}
