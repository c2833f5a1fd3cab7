//! Document → catalog: checks everything, numbers everything.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use hashbrown::HashMap;

use crate::catalog::Catalog;
use crate::document::{
    AccessEntry, DestinationsEntry, Document, FORMAT, LifecycleEntry, ModelEntry, ProfileEntry,
    geography_of,
};
use crate::error::Error;
use crate::query;
use crate::rows::{
    AccessRow, LifecycleRow, LinkRow, ModelRow, NONE, ProfileRow, RegionRow, Run, Tables,
};
use crate::text::{StaticList, StaticText, Text};
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
}

/// A route while it is being gathered.
struct Link {
    pair: u16,
    profile: u16,
    destinations: Run,
    global: bool,
}

impl Link {
    /// The order of the table as one number: by pair, bounded before global, then by destinations
    /// and profile (profiles are numbered in the order of their ids).
    fn order(&self) -> u64 {
        let (pair, len) = (u64::from(self.pair), u64::from(self.destinations.len));
        pair << 33 | u64::from(self.global) << 32 | len << 16 | u64::from(self.profile)
    }
}

struct Builder<'d> {
    document: &'d Document<'d>,
    models: Numbers<'d>,
    profiles: Numbers<'d>,
    /// Recorded regions and regions known as destinations only.
    regions: Numbers<'d>,
    /// Their ids, sorted, and whether they are recorded.
    regions_rows: Vec<(&'d str, bool)>,
    /// In the order they were met; `place` finds them.
    pairs: Vec<Pair>,
    /// The pair of each (model, region), model by model.
    place: Vec<u16>,
    types: Vec<Vec<InferenceType>>,
    destinations: Vec<u16>,
    links: Vec<Link>,
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
        let mut all: HashMap<&str, bool> = recorded.into_keys().map(|id| (id, true)).collect();
        for id in destinations.chain(&document.former_regions) {
            all.entry(&**id).or_insert(false);
            if all.len() > MOST_REGIONS {
                return Err(too_many("regions", MOST_REGIONS));
            }
        }
        let mut regions_rows: Vec<(&str, bool)> = all.into_iter().collect();
        regions_rows.sort_unstable();
        check_ids("regions", regions_rows.iter().map(|(id, _)| id))?;
        let regions: Numbers<'_> = regions_rows.iter().map(|&(id, _)| id).zip(0u16..).collect();
        let cells = models.len() * regions.len();
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
            regions_rows,
            pairs: Vec::with_capacity(listed.min(MOST_ROWS)),
            place: vec![NONE; cells],
            types: Vec::new(),
            destinations: Vec::new(),
            links: Vec::with_capacity(links),
        })
    }

    /// The number of a region that has rows.
    fn source(&self, id: &str, of: &str) -> Result<u16, Error> {
        let number = self.regions.get(id).copied();
        let row = number.and_then(|number| self.regions_rows.get(usize::from(number)));
        match (number, row) {
            (Some(number), Some((_, true))) => Ok(number),
            _ => Err(Error::invalid(format!(
                "{of:?} names region {id:?}, which is not among the regions"
            ))),
        }
    }

    /// The pair of a model and a region, made on first sight.
    fn pair(&mut self, model: u16, region: u16) -> Result<u16, Error> {
        let cell = usize::from(model) * self.regions.len() + usize::from(region);
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
        let first_link = self.links.len();
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
                let mut numbers: Vec<u16> = ids
                    .iter()
                    .filter_map(|id| self.regions.get(&**id))
                    .copied()
                    .collect();
                numbers.sort_unstable();
                numbers.dedup();
                if numbers.is_empty() {
                    let id = &entry.id;
                    return Err(Error::invalid(format!(
                        "profile {id:?} has no destinations"
                    )));
                }
                self.destinations.append(&mut numbers);
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
                let pair = self.pair(model, source)?;
                self.links.push(Link {
                    pair,
                    profile,
                    destinations: Run::new(start, len),
                    global,
                });
            }
        }
        let own = self.links.get_mut(first_link..).unwrap_or_default();
        own.sort_unstable_by_key(|link| link.pair);
        if own.array_windows().any(|[a, b]| a.pair == b.pair) {
            return Err(Error::invalid(format!(
                "profile {:?} serves one model from one region twice",
                entry.id
            )));
        }
        Ok(())
    }

    fn tables(mut self) -> Result<Tables, Error> {
        let document = self.document;
        for entry in &document.models {
            for access in &entry.access {
                self.list(entry, access)?;
            }
        }
        for entry in &document.profiles {
            self.link(entry)?;
        }
        u32::try_from(self.links.len()).map_err(|_| too_many("routes", u32::MAX as usize))?;
        // From the order of sight to the order of (model, region): what `place` walks.
        let mut rank = vec![0u16; self.pairs.len()];
        let met = self.place.iter().filter(|&&pair| pair != NONE);
        for (&pair, number) in met.zip(0u16..) {
            if let Some(rank) = rank.get_mut(usize::from(pair)) {
                *rank = number;
            }
        }
        for link in &mut self.links {
            link.pair = rank
                .get(usize::from(link.pair))
                .copied()
                .unwrap_or_default();
        }
        self.links.sort_unstable_by_key(Link::order);
        let (access, links) = self.access();
        let mut model_profiles = Vec::new();
        let mut profile_links = Vec::new();
        let models = self.models(&access, &links, &mut model_profiles);
        let facets = models.iter().map(|row| {
            let has_way_in = row.access.of(&access).iter().any(AccessRow::has_way_in);
            query::facets(row, has_way_in)
        });
        Ok(Tables {
            brand: crate::id::UNBRANDED,
            partition: owned(&document.partition),
            observed_at: document.observed_at,
            digest: StaticText::Borrowed(""),
            facets: facets.collect::<Vec<_>>().into(),
            models: models.into(),
            profiles: self.profiles(&links, &mut profile_links).into(),
            regions: self.regions(&access, &links).into(),
            cells: self.cells(&rank).into(),
            access: access.into(),
            links: links.into(),
            types: self
                .types
                .drain(..)
                .map(StaticList::Owned)
                .collect::<Vec<_>>()
                .into(),
            destinations: self.destinations.into(),
            model_profiles: model_profiles.into(),
            profile_links: profile_links.into(),
        })
    }

    fn access(&self) -> (Vec<AccessRow>, Vec<LinkRow>) {
        let mut access = Vec::with_capacity(self.pairs.len());
        let mut links = Vec::with_capacity(self.links.len());
        let mut rest = &*self.links;
        let met = self
            .place
            .iter()
            .filter_map(|&pair| self.pairs.get(usize::from(pair)));
        for (pair, number) in met.zip(0u32..) {
            let own = rest.partition_point(|link| u32::from(link.pair) <= number);
            let (own, others) = rest.split_at_checked(own).unwrap_or_default();
            rest = others;
            let bounded = own.partition_point(|link| !link.global);
            access.push(AccessRow {
                model: pair.model,
                region: pair.region,
                types: pair.types,
                flags: pair.flags,
                // Both fit: a pair has at most one link per profile.
                links: Run::new(links.len() as u32, own.len() as u16),
                bounded: bounded as u16,
            });
            links.extend(own.iter().map(|link| LinkRow {
                access: number,
                profile: link.profile,
                destinations: link.destinations,
                global: link.global,
            }));
        }
        (access, links)
    }

    fn models(
        &self,
        access: &[AccessRow],
        links: &[LinkRow],
        pool: &mut Vec<u16>,
    ) -> Vec<ModelRow> {
        let mut entries: Vec<&ModelEntry<'_>> = self.document.models.iter().collect();
        entries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let mut rest = access;
        let row = |(entry, number): (&ModelEntry<'_>, u16)| {
            let own = rest.partition_point(|row| row.model <= number);
            let start = access.len() - rest.len();
            let (own, others) = rest.split_at_checked(own).unwrap_or_default();
            rest = others;
            let mut profiles: Vec<u16> = own
                .iter()
                .flat_map(|row| row.links.of(links))
                .map(|link| link.profile)
                .collect();
            profiles.sort_unstable();
            profiles.dedup();
            let run = Run::new(pool.len() as u32, profiles.len() as u16);
            pool.append(&mut profiles);
            ModelRow {
                id: owned(&entry.id),
                name: entry.name.as_ref().map(owned),
                provider: entry.provider.as_ref().map(owned),
                input: entry.input_modalities.as_deref().map(list),
                output: entry.output_modalities.as_deref().map(list),
                streaming: entry.streaming,
                customizations: entry.customizations.as_deref().map(list),
                lifecycle: LifecycleRow::from(&entry.lifecycle),
                last_seen: entry.last_seen,
                retired: entry.retired,
                constant: entry.constant.as_ref().map(owned),
                access: Run::new(start as u32, own.len() as u16),
                profiles: run,
            }
        };
        entries.into_iter().zip(0u16..).map(row).collect()
    }

    fn profiles(&self, links: &[LinkRow], pool: &mut Vec<u32>) -> Vec<ProfileRow> {
        let mut entries: Vec<&ProfileEntry<'_>> = self.document.profiles.iter().collect();
        entries.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        // By profile, then access row: model, then region; both in one number.
        let numbered = (0u32..).zip(links);
        let mut order: Vec<u64> = numbered
            .map(|(number, link)| u64::from(link.profile) << 32 | u64::from(number))
            .collect();
        order.sort_unstable();
        let mut rest = &*order;
        let row = |(entry, number): (&ProfileEntry<'_>, u16)| {
            let own = rest.partition_point(|&place| place >> 32 <= u64::from(number));
            let (own, others) = rest.split_at_checked(own).unwrap_or_default();
            rest = others;
            let run = Run::new(pool.len() as u32, own.len() as u16);
            pool.extend(own.iter().map(|&place| place as u32));
            let models = entry.routes.iter().map(|route| &*route.model);
            let geography = entry.geography.clone();
            ProfileRow {
                id: owned(&entry.id),
                name: entry.name.as_ref().map(owned),
                description: entry.description.as_ref().map(owned),
                status: entry.status.as_ref().map(owned),
                geography: geography.or_else(|| geography_of(&entry.id, models)),
                last_seen: entry.last_seen,
                retired: entry.retired,
                constant: entry.constant.as_ref().map(owned),
                links: run,
            }
        };
        entries.into_iter().zip(0u16..).map(row).collect()
    }

    fn regions(&self, access: &[AccessRow], links: &[LinkRow]) -> Vec<RegionRow> {
        let mut rows: Vec<RegionRow> = self
            .regions_rows
            .iter()
            .map(|&(id, recorded)| RegionRow {
                id: StaticText::Owned(String::from(id)),
                recorded,
                stale_since: self.document.stale.get(id).copied(),
                models: 0,
                on_demand: 0,
                profiles: 0,
            })
            .collect();
        for row in access {
            if let Some(region) = rows.get_mut(usize::from(row.region)) {
                region.models += 1;
                region.on_demand += u16::from(row.is(AccessRow::ON_DEMAND));
            }
        }
        let mut sources: Vec<u32> = links
            .iter()
            .filter_map(|link| {
                let row = access.get(link.access as usize)?;
                Some(u32::from(row.region) << 16 | u32::from(link.profile))
            })
            .collect();
        sources.sort_unstable();
        sources.dedup();
        for source in sources {
            if let Some(region) = rows.get_mut((source >> 16) as usize) {
                region.profiles += 1;
            }
        }
        rows
    }

    /// The access row of each (region, model), region by region.
    fn cells(&self, rank: &[u16]) -> Vec<u16> {
        let (models, regions) = (self.models.len(), self.regions.len());
        let cell = |(region, model): (usize, usize)| {
            let pair = self.place.get(model * regions + region).copied();
            let rank = pair.and_then(|pair| rank.get(usize::from(pair)));
            rank.copied().unwrap_or(NONE)
        };
        let cells = (0..regions).flat_map(|region| (0..models).map(move |model| (region, model)));
        cells.map(cell).collect()
    }
}

fn owned(text: &Text<'_>) -> StaticText {
    text.clone().into_static()
}

fn sorted<T: Clone + Ord>(words: &[T]) -> Vec<T> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.dedup();
    words
}

fn list<T: Clone + Ord>(words: &[T]) -> StaticList<T> {
    StaticList::Owned(sorted(words))
}

impl From<&LifecycleEntry> for LifecycleRow {
    fn from(entry: &LifecycleEntry) -> Self {
        Self {
            status: entry.status.clone(),
            start: entry.start,
            legacy: entry.legacy,
            extended_access: entry.extended_access,
            end_of_life: entry.end_of_life,
        }
    }
}
