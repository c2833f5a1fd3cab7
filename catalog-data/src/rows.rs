//! The tables a catalog is made of. Rows refer to each other by number and to texts by place; every
//! table is either part of the program or owned, so a catalog is a handful of allocations or none.
//!
//! Hidden and layout-versioned (`baked_v1`): generated code, ours and that of users' build scripts,
//! is written against these constructors. A change of layout gets a new version of the module.

use crate::text::{StaticList, StaticText};
use crate::words::{Customization, Geography, InferenceType, LifecycleStatus, Modality};
use crate::{Date, Timestamp};

/// A run of rows of another table, or of bytes of the texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Run {
    /// The first row.
    pub start: u32,
    /// How many.
    pub len: u16,
}

impl Run {
    /// A run.
    pub const fn new(start: u32, len: u16) -> Self {
        Self { start, len }
    }

    /// The rows of the run; none where the table is shorter, which a checked catalog never is.
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

    /// The text of the run in [`Tables::texts`]; empty where there is none such, as the rows are.
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
        /// The ids of these rows, cut out of their texts.
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
    /// The name for people.
    pub name: Option<Run>,
    /// The provider's name.
    pub provider: Option<Run>,
    /// The row of [`Tables::modalities`], or [`NONE`] where the control plane does not say.
    pub input: u16,
    /// As `input`.
    pub output: u16,
    /// Whether it streams.
    pub streaming: Option<bool>,
    /// The row of [`Tables::customizations`], or [`NONE`].
    pub customizations: u16,
    /// What the control plane says of its life.
    pub lifecycle: LifecycleRow,
    /// When it was last seen, where this catalog's own recording has not seen it.
    pub last_seen: Option<Date>,
    /// A complete recording has not seen it.
    pub retired: bool,
    /// The constant's name, where it is not the id's own.
    pub constant: Option<Run>,
    /// Its rows of [`AccessRow`], sorted by region.
    pub access: Run,
    /// Its entries of the pool of profile numbers, sorted.
    pub profiles: Run,
}

/// What the control plane says of a model's life.
#[derive(Debug, Clone, Default)]
pub struct LifecycleRow {
    /// The word.
    pub status: Option<LifecycleStatus>,
    /// Launch.
    pub start: Option<Date>,
    /// Becoming legacy.
    pub legacy: Option<Date>,
    /// Begin of public extended access.
    pub extended_access: Option<Date>,
    /// The end.
    pub end_of_life: Option<Date>,
}

/// An inference profile. Sorted by id.
#[derive(Debug, Clone)]
pub struct ProfileRow {
    /// The exact id.
    pub id: Run,
    /// The name for people.
    pub name: Option<Run>,
    /// A sentence for people.
    pub description: Option<Run>,
    /// The control plane's word, where it is not `ACTIVE`.
    pub status: Option<Run>,
    /// The scope.
    pub geography: Option<Geography>,
    /// When it was last seen, where this catalog's own recording has not seen it.
    pub last_seen: Option<Date>,
    /// A complete recording has not seen it.
    pub retired: bool,
    /// The constant's name, where it is not the id's own.
    pub constant: Option<Run>,
    /// Its entries of the pool of link numbers, sorted by model and source region.
    pub links: Run,
}

/// A region. Sorted by id.
#[derive(Debug, Clone)]
pub struct RegionRow {
    /// The id.
    pub id: Run,
    /// False for a region known only as a destination.
    pub recorded: bool,
    /// Since when its rows could not be renewed.
    pub stale_since: Option<Timestamp>,
    /// How many models have a row here.
    pub models: u16,
    /// How many of them are on demand.
    pub on_demand: u16,
    /// How many profiles have this source.
    pub profiles: u16,
}

/// Every way to call one model from one region. Sorted by model, then region.
#[derive(Debug, Clone, Copy)]
pub struct AccessRow {
    pub(crate) model: u16,
    pub(crate) region: u16,
    /// The row of the table of inference type lists, or [`NONE`] where the listing does not say.
    pub(crate) types: u16,
    pub(crate) flags: u8,
    // No run, so that a row has sixteen bytes.
    /// The first of its rows of [`LinkRow`]: the bounded ones by destinations and id, then the global ones by id.
    pub(crate) link: u32,
    /// How many there are.
    pub(crate) links: u16,
    /// How many of them are bounded.
    pub(crate) bounded: u16,
}

impl AccessRow {
    /// ListFoundationModels has the model in the region.
    pub const LISTED: u8 = 1;
    /// On demand.
    pub const ON_DEMAND: u8 = 2;
    /// Provisioned.
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
    pub(crate) fn has_way_in(&self) -> bool {
        self.is(Self::ON_DEMAND | Self::PROVISIONED) || self.links > 0
    }
}

/// One profile that serves one model from one region.
#[derive(Debug, Clone, Copy)]
pub struct LinkRow {
    pub(crate) access: u16,
    pub(crate) profile: u16,
    /// Its entries of the pool of region numbers, sorted; none where it is global.
    pub(crate) destinations: Run,
}

impl LinkRow {
    /// A row: access row, profile, first destination, destinations; none of these is global.
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

/// No row.
pub const NONE: u16 = u16::MAX;

/// All tables of one catalog.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Which catalog's constants number these rows; 0 where there are no constants.
    pub brand: u64,
    /// `aws`, `aws-us-gov`, …
    pub partition: StaticText,
    /// When the recording was made.
    pub observed_at: Timestamp,
    /// SHA-256 of the catalog document, in hex; empty where it was not baked.
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
    /// The texts of all rows, one after another; rows tell where theirs is.
    pub texts: StaticText,
    /// The ids of models and of profiles cut out of the texts already, where the tables are part of the
    /// program; none else.
    pub model_ids: &'static [&'static str],
    /// As `model_ids`.
    pub profile_ids: &'static [&'static str],
    /// Distinct lists of inference types, each sorted.
    pub types: StaticList<StaticList<InferenceType>>,
    /// Distinct lists of modalities, each sorted.
    pub modalities: StaticList<StaticList<Modality>>,
    /// Distinct lists of ways to customise, each sorted.
    pub customizations: StaticList<StaticList<Customization>>,
    /// Region numbers: runs of destinations.
    pub destinations: StaticList<u16>,
    /// Profile numbers: runs of the models' profiles.
    pub model_profiles: StaticList<u16>,
    /// Link numbers: runs of the profiles' links.
    pub profile_links: StaticList<u32>,
    /// What a filter asks of each model, as bits.
    pub facets: StaticList<u32>,
    /// The access row of each (region, model), region by region, or [`NONE`].
    pub cells: StaticList<u16>,
}

impl Tables {
    /// A text of a row.
    #[inline]
    pub fn text(&self, text: Run) -> &str {
        text.text(&self.texts)
    }

    /// The id of a model of this number; empty where there is none.
    #[inline]
    pub(crate) fn model_id(&self, number: u16) -> &str {
        let number = usize::from(number);
        match self.model_ids.get(number) {
            Some(id) => id,
            None => self.models.get(number).map_or("", |row| self.text(row.id)),
        }
    }

    /// As [`Tables::model_id`].
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

    /// A text of a row, as what outlives the tables: borrowed where they are part of the program.
    pub(crate) fn kept(&self, text: Run) -> StaticText {
        match &self.texts {
            StaticText::Borrowed(texts) => StaticText::Borrowed(text.text(texts)),
            StaticText::Owned(texts) => StaticText::Owned(text.text(texts).into()),
        }
    }
}

/// The list of a number; `None` for [`NONE`].
#[inline]
pub(crate) fn told<T: Clone>(lists: &[StaticList<T>], number: u16) -> Option<&[T]> {
    lists.get(usize::from(number)).map(|list| &**list)
}
