//! The tables of a catalog. Rows refer to each other by number and to texts by position. Every table
//! is static or owned as a whole, so a catalog has a handful of allocations or none.
//!
//! Hidden and versioned as `baked_v1`: generated code of this crate and of build scripts calls these
//! constructors. A change of layout gets a new module.

use crate::enums::{Customization, Geography, InferenceType, LifecycleStatus, Modality};
use crate::text::{StaticList, StaticText};
use crate::{Date, Timestamp};

/// A range of rows of another table, or of bytes of the texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    /// The first row.
    pub start: u32,
    /// The number of rows.
    pub len: u16,
}

impl Run {
    /// The range of `len` rows from `start`.
    pub const fn new(start: u32, len: u16) -> Self {
        Self { start, len }
    }

    /// The rows of the range; empty where the table is shorter, which checked tables exclude.
    #[inline]
    pub(crate) fn of<T>(self, table: &[T]) -> &[T] {
        let start = self.start as usize;
        table
            .get(start..start + usize::from(self.len))
            .unwrap_or_default()
    }

    /// As [`Run::text`], at compile time.
    const fn cut(self, texts: &'static str) -> &'static str {
        if let Some((_, from)) = texts.split_at_checked(self.start as usize)
            && let Some((text, _)) = from.split_at_checked(self.len as usize)
        {
            return text;
        }
        ""
    }

    /// The text of the range in [`Tables::texts`]; empty where the range is invalid.
    #[inline]
    pub fn text(self, texts: &str) -> &str {
        let start = self.start as usize;
        texts
            .get(start..start + usize::from(self.len))
            .unwrap_or_default()
    }
}

macro_rules! ids_of {
    ($name:ident, $row:ty) => {
        /// The ids of these rows, as slices of the texts.
        pub const fn $name<const N: usize>(
            texts: &'static str,
            mut rows: &[$row],
        ) -> [&'static str; N] {
            let mut ids = [""; N];
            let mut left: &mut [&str] = &mut ids;
            while let (Some((row, others)), Some((id, rest))) =
                (rows.split_first(), left.split_first_mut())
            {
                *id = row.id.cut(texts);
                (rows, left) = (others, rest);
            }
            ids
        }
    };
}
ids_of!(ids_of_models, ModelRow);
ids_of!(ids_of_profiles, ProfileRow);

/// A model. Sorted by id.
#[derive(Debug, Clone)]
pub struct ModelRow {
    /// The exact id.
    pub id: Run,
    /// The display name.
    pub name: Option<Run>,
    /// The provider's name.
    pub provider: Option<Run>,
    /// The row of [`Tables::modalities`], or [`NONE`] where the listing does not say.
    pub input: u16,
    /// Like `input`.
    pub output: u16,
    /// Whether it streams its response.
    pub streaming: Option<bool>,
    /// The row of [`Tables::customizations`], or [`NONE`].
    pub customizations: u16,
    /// The lifecycle in the listing.
    pub lifecycle: LifecycleRow,
    /// The day of the last recording that has it, if this catalog's own does not.
    pub last_seen: Option<Date>,
    /// Whether a complete recording does not have it.
    pub retired: bool,
    /// The name of the constant, if the id does not give it.
    pub constant: Option<Run>,
    /// Its rows of [`AccessRow`], sorted by region.
    pub access: Run,
    /// Its range of [`Tables::model_profiles`], sorted.
    pub profiles: Run,
}

/// The lifecycle of a model in the listing.
#[derive(Debug, Clone, Default)]
pub struct LifecycleRow {
    /// The status at the time of the recording.
    pub status: Option<LifecycleStatus>,
    /// The launch.
    pub start: Option<Date>,
    /// The first day as legacy.
    pub legacy: Option<Date>,
    /// The first day of public extended access.
    pub extended_access: Option<Date>,
    /// The end of life.
    pub end_of_life: Option<Date>,
}

/// An inference profile. Sorted by id.
#[derive(Debug, Clone)]
pub struct ProfileRow {
    /// The exact id.
    pub id: Run,
    /// The display name.
    pub name: Option<Run>,
    /// The description.
    pub description: Option<Run>,
    /// The status, if it is not `ACTIVE`.
    pub status: Option<Run>,
    /// The geography.
    pub geography: Option<Geography>,
    /// The day of the last recording that has it, if this catalog's own does not.
    pub last_seen: Option<Date>,
    /// Whether a complete recording does not have it.
    pub retired: bool,
    /// The name of the constant, if the id does not give it.
    pub constant: Option<Run>,
    /// Its range of [`Tables::profile_links`], sorted by model and source region.
    pub links: Run,
}

/// A region. Sorted by id.
#[derive(Debug, Clone)]
pub struct RegionRow {
    /// The id.
    pub id: Run,
    /// Whether the recording asked it; `false` for destinations and former regions.
    pub recorded: bool,
    /// The time of its rows, if they are of an earlier recording.
    pub stale_since: Option<Timestamp>,
    /// The number of models with a row here.
    pub models: u16,
    /// The number of these models that are on demand.
    pub on_demand: u16,
    /// The number of profiles with this source.
    pub profiles: u16,
}

/// Every way to call one model from one region. Sorted by model, then region.
#[derive(Debug, Clone, Copy)]
pub struct AccessRow {
    pub(crate) model: u16,
    pub(crate) region: u16,
    /// The row of [`Tables::types`], or [`NONE`] where the listing does not say.
    pub(crate) types: u16,
    pub(crate) flags: u8,
    // Not a `Run`: this order of fields keeps the row at 16 bytes.
    /// The first of its rows of [`LinkRow`]: bounded ones by destinations and id, then global ones by id.
    pub(crate) link: u32,
    /// The number of links.
    pub(crate) links: u16,
    /// The number of bounded links.
    pub(crate) bounded: u16,
}

impl AccessRow {
    /// ListFoundationModels has the model in the region.
    pub const LISTED: u8 = 1;
    /// The listing names `ON_DEMAND`.
    pub const ON_DEMAND: u8 = 2;
    /// The listing names `PROVISIONED`.
    pub const PROVISIONED: u8 = 4;

    /// A row: model, region, inference types, flags, first link, links, bounded links.
    pub const fn new(
        model: u16,
        region: u16,
        types: u16,
        flags: u8,
        link: u32,
        links: u16,
        bounded: u16,
    ) -> Self {
        Self {
            model,
            region,
            types,
            flags,
            link,
            links,
            bounded,
        }
    }

    /// The parts, in the order of [`AccessRow::new`].
    pub const fn parts(&self) -> (u16, u16, u16, u8, u32, u16, u16) {
        (
            self.model,
            self.region,
            self.types,
            self.flags,
            self.link,
            self.links,
            self.bounded,
        )
    }

    #[inline]
    pub(crate) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Its rows of [`LinkRow`].
    #[inline]
    pub(crate) fn links(&self) -> Run {
        Run::new(self.link, self.links)
    }

    #[inline]
    pub(crate) fn is_callable(&self) -> bool {
        self.is(Self::ON_DEMAND | Self::PROVISIONED) || self.links > 0
    }
}

/// One profile that serves one model from one region.
#[derive(Debug, Clone, Copy)]
pub struct LinkRow {
    pub(crate) access: u16,
    pub(crate) profile: u16,
    /// Its range of [`Tables::destinations`], sorted; empty for global.
    pub(crate) destinations: Run,
}

impl LinkRow {
    /// A row: access row, profile, first destination, number of destinations; zero is global.
    pub const fn new(access: u16, profile: u16, start: u32, len: u16) -> Self {
        Self {
            access,
            profile,
            destinations: Run::new(start, len),
        }
    }

    /// The parts, in the order of [`LinkRow::new`].
    pub const fn parts(&self) -> (u16, u16, u32, u16) {
        let Run { start, len } = self.destinations;
        (self.access, self.profile, start, len)
    }

    #[inline]
    pub(crate) fn is_global(&self) -> bool {
        self.destinations.len == 0
    }
}

/// The number that stands for no row.
pub const NONE: u16 = u16::MAX;

/// All tables of one catalog.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Identifies the constants that number these rows; 0 without constants.
    pub brand: u64,
    /// The partition: `aws`, `aws-us-gov`, …
    pub partition: StaticText,
    /// The time of the recording.
    pub observed_at: Timestamp,
    /// SHA-256 of the catalog document, in hex; empty for catalogs built at run time.
    pub digest: StaticText,
    /// Sorted by id.
    pub models: StaticList<ModelRow>,
    /// Sorted by id.
    pub profiles: StaticList<ProfileRow>,
    /// Sorted by id.
    pub regions: StaticList<RegionRow>,
    /// Sorted by model, then region.
    pub access: StaticList<AccessRow>,
    /// In the order of the access rows.
    pub links: StaticList<LinkRow>,
    /// The texts of all rows, concatenated. Rows hold ranges of it.
    pub texts: StaticText,
    /// The ids of the models as slices of the texts, in static tables; empty in owned ones.
    pub model_ids: &'static [&'static str],
    /// Like `model_ids`.
    pub profile_ids: &'static [&'static str],
    /// Distinct lists of inference types, each sorted.
    pub types: StaticList<StaticList<InferenceType>>,
    /// Distinct lists of modalities, each sorted.
    pub modalities: StaticList<StaticList<Modality>>,
    /// Distinct lists of customizations, each sorted.
    pub customizations: StaticList<StaticList<Customization>>,
    /// Region numbers: the destinations of the links.
    pub destinations: StaticList<u16>,
    /// Profile numbers: the profiles of each model.
    pub model_profiles: StaticList<u16>,
    /// Link numbers: the links of each profile.
    pub profile_links: StaticList<u32>,
    /// The properties of each model that a filter tests, as bits.
    pub facets: StaticList<u32>,
    /// The access row of each (region, model) or [`NONE`], region by region.
    pub cells: StaticList<u16>,
}

impl Tables {
    /// A text of a row.
    #[inline]
    pub fn text(&self, text: Run) -> &str {
        text.text(&self.texts)
    }

    /// The id of the model with this number; empty if there is none.
    #[inline]
    pub(crate) fn model_id(&self, number: u16) -> &str {
        let number = usize::from(number);
        match self.model_ids.get(number) {
            Some(id) => id,
            None => self.models.get(number).map_or("", |row| self.text(row.id)),
        }
    }

    /// The id of the profile with this number; empty if there is none.
    #[inline]
    pub(crate) fn profile_id(&self, number: u16) -> &str {
        let number = usize::from(number);
        match self.profile_ids.get(number) {
            Some(id) => id,
            None => self
                .profiles
                .get(number)
                .map_or("", |row| self.text(row.id)),
        }
    }

    /// A text of a row that outlives the tables: borrowed from static tables, else copied.
    pub(crate) fn static_text(&self, text: Run) -> StaticText {
        match &self.texts {
            StaticText::Borrowed(texts) => StaticText::Borrowed(text.text(texts)),
            StaticText::Owned(texts) => StaticText::Owned(text.text(texts).into()),
        }
    }
}

/// The list with this number; `None` for [`NONE`].
#[inline]
pub(crate) fn known<T: Clone>(lists: &[StaticList<T>], number: u16) -> Option<&[T]> {
    lists.get(usize::from(number)).map(|list| &**list)
}
