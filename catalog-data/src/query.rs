//! Filters over all models.

use alloc::vec::Vec;

use crate::Date;
use crate::catalog::Catalog;
use crate::id::RegionId;
use crate::model::Model;
use crate::rows::{ModelRow, NONE};
use crate::text::StaticList;
use crate::words::{Customization, Modality, Status};

/// What models must be like. Everything asked must hold; a fact the control plane does not say
/// does not hold. Retired models never match, except where [`Status::Retired`] is asked for.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Filter, Modality};
///
/// let eyes = Filter::new().region("eu-central-1").input(Modality::Image).streaming(true);
/// assert!(Catalog::bundled().select(&eyes).any(|m| m.id() == "anthropic.claude-sonnet-4-6"));
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Filter {
    region: Option<RegionId>,
    provider: Option<alloc::string::String>,
    input: Option<Modality>,
    output: Option<Modality>,
    streaming: Option<bool>,
    customization: Option<Customization>,
    status: Option<(Status, Date)>,
    any_way: bool,
}

// The bits of a model's facets: known input modalities from 0, output modalities from 8,
// customizations from 16, then what is said of streaming.
const OUTPUT: u32 = 8;
const CUSTOMIZATION: u32 = 16;
const STREAMS: u32 = 1 << 24;
const STREAMS_NOT: u32 = 1 << 25;
const RETIRED: u32 = 1 << 26;
const WAY_IN: u32 = 1 << 27;

// The ranges do not overlap, however many words this version knows.
const _: () = {
    assert!(Modality::KNOWN.len() <= OUTPUT as usize);
    assert!(Modality::KNOWN.len() <= (CUSTOMIZATION - OUTPUT) as usize);
    assert!(Customization::KNOWN.len() <= (STREAMS.trailing_zeros() - CUSTOMIZATION) as usize);
};

/// What the lists of words come to in bits, asked once for each list: facets of models.
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

    /// The facets of a model, given whether it has a way in anywhere.
    pub(crate) fn of(&self, row: &ModelRow, has_way_in: bool) -> u32 {
        let of = |bits: &[u32], list: u16| bits.get(usize::from(list)).copied().unwrap_or_default();
        let input = of(&self.modalities, row.input);
        let output = of(&self.modalities, row.output) << OUTPUT;
        let customizations = of(&self.customizations, row.customizations) << CUSTOMIZATION;
        let streaming = match row.streaming {
            Some(true) => STREAMS,
            Some(false) => STREAMS_NOT,
            None => 0,
        };
        let retired = if row.retired { RETIRED } else { 0 };
        let way_in = if has_way_in { WAY_IN } else { 0 };
        input | output | customizations | streaming | retired | way_in
    }
}

/// The bits of the known words of each list.
fn bits<T: Clone>(lists: &[StaticList<T>], bit: impl Fn(&T) -> Option<u32>) -> Vec<u32> {
    let of = |list: &StaticList<T>| {
        list.iter()
            .filter_map(&bit)
            .fold(0, |all, bit| all | 1 << bit)
    };
    lists.iter().map(of).collect()
}

impl Filter {
    /// Every model with a way in.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a way in from the region, bought capacity included: a model that [`Access::provisioned`]
    /// alone lets in matches, although no route leads to it.
    ///
    /// [`Access::provisioned`]: crate::Access::provisioned
    pub fn region(mut self, region: impl Into<RegionId>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Of the provider, by its name, in any case.
    pub fn provider(mut self, provider: &str) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Takes this.
    pub fn input(mut self, modality: Modality) -> Self {
        self.input = Some(modality);
        self
    }

    /// Gives this.
    pub fn output(mut self, modality: Modality) -> Self {
        self.output = Some(modality);
        self
    }

    /// Streams its answer, or is known not to.
    pub fn streaming(mut self, streams: bool) -> Self {
        self.streaming = Some(streams);
        self
    }

    /// May be customised so.
    pub fn customization(mut self, customization: Customization) -> Self {
        self.customization = Some(customization);
        self
    }

    /// Has the status on a day.
    pub fn status(mut self, status: Status, day: Date) -> Self {
        self.status = Some((status, day));
        self
    }

    /// Models without a way in too (in the region, where one is asked for).
    pub fn without_way_in(mut self) -> Self {
        self.any_way = true;
        self
    }

    /// The facet bits that must be set, and those that are looked at.
    fn bits(&self) -> (u32, u32) {
        let bit = |bit: Option<u32>, first: u32| bit.map_or(0, |bit| 1 << (first + bit));
        let mut set = bit(self.input.as_ref().and_then(Modality::bit), 0)
            | bit(self.output.as_ref().and_then(Modality::bit), OUTPUT)
            | bit(
                self.customization.as_ref().and_then(Customization::bit),
                CUSTOMIZATION,
            );
        set |= match self.streaming {
            Some(true) => STREAMS,
            Some(false) => STREAMS_NOT,
            None => 0,
        };
        let retired = matches!(self.status, Some((Status::Retired, _)));
        if retired {
            set |= RETIRED;
        } else if !self.any_way {
            set |= WAY_IN;
        }
        (set, set | RETIRED)
    }

    /// What the bits do not tell.
    #[inline]
    fn holds_for(&self, model: Model<'_>) -> bool {
        let has = |wanted: &Option<Modality>, words: Option<&[Modality]>| match wanted {
            Some(wanted) if wanted.bit().is_none() => words.is_some_and(|w| w.contains(wanted)),
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
                    .is_some_and(|words| words.contains(wanted)),
                _ => true,
            }
            && self
                .status
                .is_none_or(|(status, day)| model.status_at(day) == status)
    }
}

impl Catalog {
    /// The models a filter lets through, sorted by id. No allocation; about a nanosecond per model
    /// of the catalog. An unknown region has none.
    pub fn select<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = Model<'a>> + 'a {
        let (set, looked_at) = filter.bits();
        let tables = &self.tables;
        let count = tables.models.len();
        let region = filter
            .region
            .as_ref()
            .map(|region| self.region_number(&region));
        // The region's cells; of no region, none, and every model passes.
        let cells = match region {
            None => None,
            Some(None) => Some(&[][..]),
            Some(Some(number)) => {
                let start = usize::from(number) * count;
                Some(tables.cells.get(start..start + count).unwrap_or_default())
            }
        };
        // In a region the row decides whether there is a way in, not the model's own bit.
        let in_region = move |number: usize| match cells {
            None => true,
            Some(cells) => match cells.get(number) {
                None | Some(&NONE) => false,
                Some(&row) => {
                    filter.any_way
                        || tables
                            .access
                            .get(usize::from(row))
                            .is_some_and(|row| row.has_way_in())
                }
            },
        };
        let plain = filter.is_plain();
        tables
            .facets
            .iter()
            .enumerate()
            .filter(move |&(number, facets)| facets & looked_at == set && in_region(number))
            .filter_map(move |(number, _)| Model::new(self, u16::try_from(number).ok()?))
            .filter(move |&model| plain || filter.holds_for(model))
    }
}

impl Filter {
    /// Whether the bits and the region tell everything.
    fn is_plain(&self) -> bool {
        let unknown = |word: &Option<Modality>| word.as_ref().is_some_and(|w| w.bit().is_none());
        self.provider.is_none()
            && self.status.is_none()
            && !unknown(&self.input)
            && !unknown(&self.output)
            && self
                .customization
                .as_ref()
                .is_none_or(|word| word.bit().is_some())
    }
}
