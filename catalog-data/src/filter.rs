//! Filters over the models of a catalog.

use alloc::vec::Vec;

use crate::Date;
use crate::catalog::Catalog;
use crate::enums::{Customization, Modality, Status};
use crate::id::RegionId;
use crate::model::Model;
use crate::rows::{ModelRow, NONE};
use crate::text::StaticList;

/// Conditions on models for [`Catalog::select`]. A model must meet all of them.
///
/// An unknown property meets no condition. Without [`include_uncallable`](Self::include_uncallable)
/// only callable models match; retired models match [`Status::Retired`] only.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Filter, Modality};
///
/// let vision = Filter::new().region("eu-central-1").input(Modality::Image).streaming(true);
/// let mut models = Catalog::bundled().select(&vision);
/// assert!(models.any(|model| model.id() == "anthropic.claude-sonnet-4-6"));
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Filter {
    region: Option<RegionId>,
    provider: Option<alloc::string::String>,
    input: Option<Modality>,
    output: Option<Modality>,
    streaming: Option<bool>,
    customization: Option<Customization>,
    status: Option<(Status, Date)>,
    uncallable: bool,
}

// The facet bits of a model: known input modalities from bit 0, output modalities from 8,
// customizations from 16, then the flags.
const OUTPUT: u32 = 8;
const CUSTOMIZATION: u32 = 16;
const STREAMING: u32 = 1 << 24;
const NOT_STREAMING: u32 = 1 << 25;
const RETIRED: u32 = 1 << 26;
const CALLABLE: u32 = 1 << 27;

// The ranges do not overlap.
const _: () = {
    assert!(Modality::KNOWN.len() <= OUTPUT as usize);
    assert!(Modality::KNOWN.len() <= (CUSTOMIZATION - OUTPUT) as usize);
    assert!(Customization::KNOWN.len() <= (STREAMING.trailing_zeros() - CUSTOMIZATION) as usize);
};

/// The bits of the lists of modalities and customizations, computed once for each distinct list.
pub(crate) struct Facets {
    modalities: Vec<u32>,
    customizations: Vec<u32>,
}

impl Facets {
    pub(crate) fn new(
        modalities: &[StaticList<Modality>],
        customizations: &[StaticList<Customization>],
    ) -> Self {
        Self {
            modalities: bits(modalities, Modality::bit),
            customizations: bits(customizations, Customization::bit),
        }
    }

    /// The facet bits of a model.
    pub(crate) fn of(&self, row: &ModelRow, is_callable: bool) -> u32 {
        let of = |bits: &[u32], list: u16| bits.get(usize::from(list)).copied().unwrap_or_default();
        let input = of(&self.modalities, row.input);
        let output = of(&self.modalities, row.output) << OUTPUT;
        let customizations = of(&self.customizations, row.customizations) << CUSTOMIZATION;
        let streaming = match row.streaming {
            Some(true) => STREAMING,
            Some(false) => NOT_STREAMING,
            None => 0,
        };
        let retired = if row.retired { RETIRED } else { 0 };
        let callable = if is_callable { CALLABLE } else { 0 };
        input | output | customizations | streaming | retired | callable
    }
}

/// The bits of the known values of each list.
fn bits<T: Clone>(lists: &[StaticList<T>], bit: impl Fn(&T) -> Option<u32>) -> Vec<u32> {
    let of = |list: &StaticList<T>| {
        list.iter()
            .filter_map(&bit)
            .fold(0, |all, bit| all | 1 << bit)
    };
    lists.iter().map(of).collect()
}

impl Filter {
    /// Every callable model.
    pub fn new() -> Self {
        Self::default()
    }

    /// Callable from the region. Models that can be called with provisioned throughput only match too,
    /// although they have no route.
    ///
    /// A region that the catalog does not know matches no model.
    pub fn region(mut self, region: impl Into<RegionId>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Of the provider with this name, in upper or lower case.
    pub fn provider(mut self, provider: &str) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Accepts this input modality.
    pub fn input(mut self, modality: Modality) -> Self {
        self.input = Some(modality);
        self
    }

    /// Produces this output modality.
    pub fn output(mut self, modality: Modality) -> Self {
        self.output = Some(modality);
        self
    }

    /// Streams its response (`true`), or is known not to (`false`).
    pub fn streaming(mut self, streaming: bool) -> Self {
        self.streaming = Some(streaming);
        self
    }

    /// Can be customized this way.
    pub fn customization(mut self, customization: Customization) -> Self {
        self.customization = Some(customization);
        self
    }

    /// Has this status on this day.
    pub fn status(mut self, status: Status, day: Date) -> Self {
        self.status = Some((status, day));
        self
    }

    /// Includes models that cannot be called, from the region if one is given.
    pub fn include_uncallable(mut self) -> Self {
        self.uncallable = true;
        self
    }

    /// The facet bits that must be set, and the mask of the bits to compare.
    fn bits(&self) -> (u32, u32) {
        let bit = |bit: Option<u32>, first: u32| bit.map_or(0, |bit| 1 << (first + bit));
        let mut set = bit(self.input.as_ref().and_then(Modality::bit), 0)
            | bit(self.output.as_ref().and_then(Modality::bit), OUTPUT)
            | bit(
                self.customization.as_ref().and_then(Customization::bit),
                CUSTOMIZATION,
            );
        set |= match self.streaming {
            Some(true) => STREAMING,
            Some(false) => NOT_STREAMING,
            None => 0,
        };
        let retired = matches!(self.status, Some((Status::Retired, _)));
        if retired {
            set |= RETIRED;
        } else if !self.uncallable {
            set |= CALLABLE;
        }
        (set, set | RETIRED)
    }

    /// Whether the conditions hold that have no bits.
    #[inline]
    fn matches(&self, model: Model<'_>) -> bool {
        let has = |wanted: &Option<Modality>, list: Option<&[Modality]>| match wanted {
            Some(wanted) if wanted.bit().is_none() => list.is_some_and(|l| l.contains(wanted)),
            _ => true,
        };
        self.provider.as_ref().is_none_or(|wanted| {
            model
                .provider()
                .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
        }) && has(&self.input, model.input_modalities())
            && has(&self.output, model.output_modalities())
            && match &self.customization {
                Some(wanted) if wanted.bit().is_none() => model
                    .customizations()
                    .is_some_and(|list| list.contains(wanted)),
                _ => true,
            }
            && self
                .status
                .is_none_or(|(status, day)| model.status_at(day) == status)
    }
}

impl Catalog {
    /// The models that match a filter, sorted by id.
    ///
    /// No allocation; about a nanosecond per model of the catalog.
    pub fn select<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = Model<'a>> + 'a {
        let (set, mask) = filter.bits();
        let tables = &self.tables;
        let count = tables.models.len();
        let region = filter
            .region
            .as_ref()
            .map(|region| self.region_number(&region));
        // `None` without a region: every model passes.
        let cells = match region {
            None => None,
            Some(None) => Some(&[][..]),
            Some(Some(number)) => {
                let start = usize::from(number) * count;
                Some(tables.cells.get(start..start + count).unwrap_or_default())
            }
        };
        // With a region, its access row decides whether the model is callable, not the model's bit.
        let in_region = move |number: usize| match cells {
            None => true,
            Some(cells) => match cells.get(number) {
                None | Some(&NONE) => false,
                Some(&row) => {
                    filter.uncallable
                        || tables
                            .access
                            .get(usize::from(row))
                            .is_some_and(|row| row.is_callable())
                }
            },
        };
        let bits_decide = filter.bits_decide();
        tables
            .facets
            .iter()
            .enumerate()
            .filter(move |&(number, facets)| facets & mask == set && in_region(number))
            .filter_map(move |(number, _)| Model::new(self, u16::try_from(number).ok()?))
            .filter(move |&model| bits_decide || filter.matches(model))
    }
}

impl Filter {
    /// Whether the bits and the region express all conditions.
    fn bits_decide(&self) -> bool {
        let unknown = |value: &Option<Modality>| value.as_ref().is_some_and(|v| v.bit().is_none());
        self.provider.is_none()
            && self.status.is_none()
            && !unknown(&self.input)
            && !unknown(&self.output)
            && self
                .customization
                .as_ref()
                .is_none_or(|value| value.bit().is_some())
    }
}
