//! Document → catalog: checks everything and numbers everything; [`tables`] lays it out.

mod tables;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use hashbrown::{HashMap, HashSet};

use crate::catalog::Catalog;
use crate::document::{AccessEntry, DestinationsEntry, Document, FORMAT, ModelEntry, ProfileEntry};
use crate::error::Error;
use crate::rows::{AccessRow, LinkRow, NONE, Run};
use crate::text::Text;
use crate::words::InferenceType;

/// The most models, profiles or (model, region) pairs; numbers are 16 bits and one is taken.
const MOST_ROWS: usize = NONE as usize;
/// The most regions, and the most cells of the region-by-model table: 8 MiB.
const MOST_REGIONS: usize = 1024;
const MOST_CELLS: usize = 4 << 20;
/// The longest id, in bytes.
const LONGEST_ID: usize = 16 << 10;

type Numbers<'d> = HashMap<&'d str, u16>;

impl Catalog {
    /// The catalog of a document.
    ///
    /// # Errors
    /// Where the document is of another format, names something it does not hold, says something
    /// twice, or is larger than a catalog can be: where and why.
    pub fn from_document(document: &Document<'_>) -> Result<Self, Error> {
        let tables = Builder::new(document)?.tables()?;
        Self::built(tables).ok_or_else(|| too_many("rows", MOST_ROWS))
    }
}

fn too_many(what: &str, most: usize) -> Error {
    Error::invalid(format!(
        "the document has too many {what}: at most {most} are allowed"
    ))
}

/// Numbers distinct ids in their order.
fn number<'d>(
    what: &str,
    most: usize,
    ids: impl Iterator<Item = &'d Text<'d>>,
) -> Result<Numbers<'d>, Error> {
    let mut sorted: Vec<&str> = ids.map(|id| &**id).collect();
    if sorted.len() > most {
        return Err(too_many(what, most));
    }
    sorted.sort_unstable();
    if let Some([id, _]) = sorted.array_windows().find(|[a, b]| a == b) {
        return Err(Error::invalid(format!("two {what} have the id {id:?}")));
    }
    check_ids(what, sorted.iter())?;
    Ok(sorted.into_iter().zip(0u16..).collect())
}

/// Whether ids are as long as ids are.
fn check_ids<'d>(what: &str, mut ids: impl Iterator<Item = &'d &'d str>) -> Result<(), Error> {
    match ids.find(|id| id.is_empty() || id.len() > LONGEST_ID) {
        None => Ok(()),
        Some(id) => Err(Error::invalid(format!(
            "an id of {what} has {} bytes",
            id.len()
        ))),
    }
}

/// A row of access while it is being gathered.
struct Pair {
    model: u16,
    region: u16,
    types: u16,
    flags: u8,
    /// The last profile that serves it.
    profile: u16,
}

/// Recorded regions and regions known as destinations only.
struct Regions<'d> {
    /// Their ids, sorted, and whether they are recorded.
    rows: Vec<(&'d str, bool)>,
    numbers: Numbers<'d>,
}

impl<'d> Regions<'d> {
    /// Of distinct ids.
    fn new(rows: impl Iterator<Item = (&'d str, bool)>) -> Self {
        let mut rows: Vec<(&str, bool)> = rows.collect();
        rows.sort_unstable();
        let numbers = rows.iter().map(|&(id, _)| id).zip(0u16..).collect();
        Self { rows, numbers }
    }

    fn find(&self, id: &str) -> Option<u16> {
        self.numbers.get(id).copied()
    }
}

struct Builder<'d> {
    document: &'d Document<'d>,
    models: Numbers<'d>,
    profiles: Numbers<'d>,
    regions: Regions<'d>,
    /// In the order they were met; `place` finds them.
    pairs: Vec<Pair>,
    /// The pair of each (model, region), model by model.
    place: Vec<u16>,
    types: Vec<Vec<InferenceType>>,
    destinations: Vec<u16>,
    /// Their `access` is the pair, until the pairs are in order.
    links: Vec<LinkRow>,
}

impl<'d> Builder<'d> {
    fn new(document: &'d Document<'d>) -> Result<Self, Error> {
        if document.format != FORMAT {
            return Err(Error::invalid(format!(
                "the document has format {}; this version reads format {FORMAT}",
                document.format
            )));
        }
        if document.partition.is_empty() {
            return Err(Error::invalid("the document names no partition".into()));
        }
        let models = number(
            "models",
            MOST_ROWS,
            document.models.iter().map(|entry| &entry.id),
        )?;
        let profiles = document.profiles.iter().map(|entry| &entry.id);
        let profiles = number("profiles", MOST_ROWS, profiles)?;
        let recorded = number("regions", MOST_REGIONS, document.regions.iter())?;
        let stale = document
            .stale
            .keys()
            .find(|region| !recorded.contains_key(&***region));
        if let Some(region) = stale {
            return Err(Error::invalid(format!(
                "stale: {region:?} is not among the regions"
            )));
        }
        let routes = document.profiles.iter().flat_map(|profile| &profile.routes);
        let destinations = routes.flat_map(|route| match &route.destinations {
            DestinationsEntry::Regions(destinations) => destinations.as_slice(),
            DestinationsEntry::Global => &[],
        });
        let mut regions = Regions::new(recorded.into_keys().map(|id| (id, true)));
        let mut others = HashSet::new();
        for id in destinations.chain(&document.former_regions) {
            if regions.find(id).is_none() {
                others.insert(&**id);
            }
            if regions.rows.len() + others.len() > MOST_REGIONS {
                return Err(too_many("regions", MOST_REGIONS));
            }
        }
        if !others.is_empty() {
            let others = others.into_iter().map(|id| (id, false));
            regions = Regions::new(regions.rows.into_iter().chain(others));
        }
        check_ids("regions", regions.rows.iter().map(|(id, _)| id))?;
        let cells = models.len() * regions.rows.len();
        if cells > MOST_CELLS {
            return Err(too_many("models times regions", MOST_CELLS));
        }
        // What is borrowed of the document is no less than this: it was not made up by a number in it.
        let listed = document.models.iter().flat_map(|entry| &entry.access);
        let listed: usize = listed.map(|access| access.regions.len()).sum();
        let routes = document.profiles.iter().flat_map(|profile| &profile.routes);
        let links: usize = routes.map(|route| route.sources.len()).sum();
        Ok(Self {
            document,
            models,
            profiles,
            regions,
            pairs: Vec::with_capacity(listed.min(MOST_ROWS)),
            place: vec![NONE; cells],
            types: Vec::new(),
            destinations: Vec::new(),
            links: Vec::with_capacity(links),
        })
    }

    /// The number of a region that has rows.
    fn source(&self, id: &str, of: &str) -> Result<u16, Error> {
        let found = self.regions.find(id);
        let recorded = |number: &u16| {
            let row = self.regions.rows.get(usize::from(*number));
            row.is_some_and(|(_, recorded)| *recorded)
        };
        found.filter(recorded).ok_or_else(|| {
            Error::invalid(format!(
                "{of:?} names region {id:?}, which is not among the regions"
            ))
        })
    }

    /// The pair of a model and a region, made on first sight.
    fn pair(&mut self, model: u16, region: u16) -> Result<u16, Error> {
        let cell = usize::from(model) * self.regions.rows.len() + usize::from(region);
        let new = u16::try_from(self.pairs.len())
            .ok()
            .filter(|&new| new != NONE);
        let (Some(place), Some(new)) = (self.place.get_mut(cell), new) else {
            return Err(too_many("(model, region) pairs", MOST_ROWS));
        };
        if *place == NONE {
            *place = new;
            self.pairs.push(Pair {
                model,
                region,
                types: NONE,
                flags: 0,
                profile: NONE,
            });
        }
        Ok(*place)
    }

    fn list(
        &mut self,
        entry: &'d ModelEntry<'d>,
        access: &'d AccessEntry<'d>,
    ) -> Result<(), Error> {
        let mut flags = AccessRow::LISTED;
        let mut types = NONE;
        if let Some(words) = &access.inference_types {
            let words = sorted(words);
            for word in &words {
                flags |= match word {
                    InferenceType::OnDemand => AccessRow::ON_DEMAND,
                    InferenceType::Provisioned => AccessRow::PROVISIONED,
                    _ => 0,
                };
            }
            let known = self.types.iter().position(|types| *types == words);
            let place = known.unwrap_or(self.types.len());
            types = u16::try_from(place)
                .ok()
                .filter(|&types| types != NONE)
                .ok_or_else(|| too_many("lists of inference types", MOST_ROWS))?;
            if known.is_none() {
                self.types.push(words);
            }
        }
        if entry.retired {
            let id = &entry.id;
            return Err(Error::invalid(format!(
                "{id:?} is retired and has access all the same"
            )));
        }
        let model = self.models.get(&*entry.id).copied().unwrap_or(NONE);
        for region in &access.regions {
            let region = self.source(region, &entry.id)?;
            let number = self.pair(model, region)?;
            if let Some(pair) = self.pairs.get_mut(usize::from(number)) {
                if pair.flags & AccessRow::LISTED != 0 {
                    let id = &entry.id;
                    return Err(Error::invalid(format!(
                        "{id:?} is listed twice in one region"
                    )));
                }
                (pair.types, pair.flags) = (types, flags);
            }
        }
        Ok(())
    }

    fn link(&mut self, entry: &'d ProfileEntry<'d>) -> Result<(), Error> {
        let profile = self.profiles.get(&*entry.id).copied().unwrap_or(NONE);
        let mut numbers: Vec<u16> = Vec::new();
        for route in &entry.routes {
            let Some(&model) = self.models.get(&*route.model) else {
                return Err(Error::invalid(format!(
                    "profile {:?} serves {:?}, which is not among the models",
                    entry.id, route.model
                )));
            };
            let global = route.destinations == DestinationsEntry::Global;
            let start = self.destinations.len();
            if let DestinationsEntry::Regions(ids) = &route.destinations {
                let found = ids.iter().filter_map(|id| self.regions.find(id));
                numbers.clear();
                numbers.extend(found);
                numbers.sort_unstable();
                numbers.dedup();
                if numbers.is_empty() {
                    let id = &entry.id;
                    return Err(Error::invalid(format!(
                        "profile {id:?} has no destinations"
                    )));
                }
                self.destinations.extend_from_slice(&numbers);
            }
            let len = u16::try_from(self.destinations.len() - start);
            let (Ok(start), Ok(len)) = (u32::try_from(start), len) else {
                return Err(too_many("destinations", u32::MAX as usize));
            };
            if entry.retired {
                let id = &entry.id;
                return Err(Error::invalid(format!(
                    "profile {id:?} is retired and serves all the same"
                )));
            }
            for source in &route.sources {
                let source = self.source(source, &entry.id)?;
                let number = self.pair(model, source)?;
                if let Some(pair) = self.pairs.get_mut(usize::from(number)) {
                    if pair.profile == profile {
                        return Err(Error::invalid(format!(
                            "profile {:?} serves one model from one region twice",
                            entry.id
                        )));
                    }
                    pair.profile = profile;
                }
                self.links.push(LinkRow {
                    access: u32::from(number),
                    profile,
                    destinations: Run::new(start, len),
                    global,
                });
            }
        }
        Ok(())
    }
}

fn sorted<T: Clone + Ord>(words: &[T]) -> Vec<T> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.dedup();
    words
}
