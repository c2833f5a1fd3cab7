//! Document to catalog. This module checks and numbers everything; [`tables`] builds the tables.

mod ids;
mod pools;
mod tables;

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use hashbrown::HashSet;

use crate::catalog::Catalog;
use crate::document::{AccessEntry, DestinationsEntry, Document, ModelEntry, ProfileEntry};
use crate::enums::{Customization, InferenceType, Modality};
use crate::error::QueryError;
use crate::rows::{AccessRow, LinkRow, NONE, Run};
use ids::Ids;
use pools::{Lists, Texts};

/// The most models, profiles or (model, region) pairs: 16-bit numbers, of which [`NONE`] is taken.
const MAX_ROWS: usize = NONE as usize;
/// The most regions, and the most cells of the region-by-model table: 8 MiB.
const MAX_REGIONS: usize = 1024;
const MAX_CELLS: usize = 4 << 20;

impl Catalog {
    /// The catalog of a document. Copies the texts; takes about 200 µs for the document of the bundle.
    ///
    /// # Errors
    /// [`InvalidCatalog`](crate::QueryErrorKind::InvalidCatalog) if the document has another format,
    /// refers to a missing region or model, repeats an entry, or exceeds 65,535 models, profiles or
    /// (model, region) pairs or 1,024 regions. The message says where.
    pub fn from_document(document: &Document<'_>) -> Result<Self, QueryError> {
        Builder::new(document)?.catalog()
    }
}

fn too_many(what: &str, most: usize) -> QueryError {
    QueryError::invalid(format!(
        "the document has too many {what}: at most {most} are allowed"
    ))
}

/// A row of access under construction.
struct Pair {
    model: u16,
    region: u16,
    types: u16,
    flags: u8,
    /// The last profile linked to it.
    profile: u16,
}

struct Builder<'d> {
    document: &'d Document<'d>,
    models: Ids<'d>,
    profiles: Ids<'d>,
    /// Recorded regions, other destinations, and former regions.
    regions: Ids<'d>,
    /// Whether each region is recorded.
    recorded: Vec<bool>,
    /// In order of appearance; `cells` finds them.
    pairs: Vec<Pair>,
    /// The number of the pair of each (model, region), model by model.
    cells: Vec<u16>,
    texts: Texts,
    types: Lists<InferenceType>,
    modalities: Lists<Modality>,
    customizations: Lists<Customization>,
    /// The region numbers of the destinations of the remaining routes, in document order.
    remaining: vec::IntoIter<u16>,
    destinations: Vec<u16>,
    /// `access` holds the number of the pair until the pairs are sorted.
    links: Vec<LinkRow>,
}

impl<'d> Builder<'d> {
    fn new(document: &'d Document<'d>) -> Result<Self, QueryError> {
        if document.format != Document::FORMAT {
            return Err(QueryError::invalid(format!(
                "the document has format {}; this version reads format {}",
                document.format,
                Document::FORMAT
            )));
        }
        if document.partition.is_empty() {
            return Err(QueryError::invalid(
                "the document names no partition".into(),
            ));
        }
        let models = document.models.iter().map(|entry| &*entry.id);
        let models = Ids::new("models", MAX_ROWS, models)?;
        let profiles = document.profiles.iter().map(|entry| &*entry.id);
        let profiles = Ids::new("profiles", MAX_ROWS, profiles)?;
        let recorded = document.regions.iter().map(|id| &**id);
        let recorded = Ids::new("regions", MAX_REGIONS, recorded)?;
        let stale = document
            .stale
            .keys()
            .find(|region| recorded.find(region).is_none());
        if let Some(region) = stale {
            return Err(QueryError::invalid(format!(
                "stale: {region:?} is not among the regions"
            )));
        }
        let routes = document.profiles.iter().flat_map(|profile| &profile.routes);
        let destinations = routes.flat_map(|route| match &route.destinations {
            DestinationsEntry::Regions(destinations) => destinations.as_slice(),
            DestinationsEntry::Global => &[],
        });
        // Usually all are recorded, and one lookup each suffices.
        let found = destinations.clone().map(|id| recorded.find(id));
        let found: Option<Vec<u16>> = found.collect();
        let former = &document.former_regions;
        let (regions, recorded, destinations) = match found {
            Some(found) if former.is_empty() => {
                let all = vec![true; recorded.len()];
                (recorded, all, found)
            }
            _ => {
                let named = destinations.clone().chain(former).map(|id| &**id);
                let others = named.filter(|id| recorded.find(id).is_none());
                let others: HashSet<&str> = others.collect();
                let all = Ids::new("regions", MAX_REGIONS, recorded.iter().chain(others))?;
                let flags = all.iter().map(|id| recorded.find(id).is_some()).collect();
                let found = destinations.filter_map(|id| all.find(id)).collect();
                (all, flags, found)
            }
        };
        let cells = models.len() * regions.len();
        if cells > MAX_CELLS {
            return Err(too_many("models times regions", MAX_CELLS));
        }
        // Capacities are bounded by the size of the document: they count its elements.
        let listed = document.models.iter().flat_map(|entry| &entry.access);
        let listed: usize = listed.map(|access| access.regions.len()).sum();
        let routes = document.profiles.iter().flat_map(|profile| &profile.routes);
        let links: usize = routes.map(|route| route.sources.len()).sum();
        // An estimate: an id, a name and a provider, or a description.
        let texts = (document.models.len() + document.profiles.len()) * 128;
        Ok(Self {
            document,
            models,
            profiles,
            regions,
            recorded,
            pairs: Vec::with_capacity((listed + links).min(MAX_ROWS)),
            cells: vec![NONE; cells],
            texts: Texts::with_capacity(texts),
            types: Lists::new(),
            modalities: Lists::new(),
            customizations: Lists::new(),
            remaining: destinations.into_iter(),
            destinations: Vec::new(),
            links: Vec::with_capacity(links),
        })
    }

    /// The number of a recorded region.
    fn source(&self, id: &str, of: &str) -> Result<u16, QueryError> {
        let found = self.regions.find(id);
        let recorded = |&number: &u16| self.recorded.get(usize::from(number)) == Some(&true);
        found.filter(recorded).ok_or_else(|| {
            QueryError::invalid(format!(
                "{of:?} names region {id:?}, which is not among the regions"
            ))
        })
    }

    /// The number of the pair of a model and a region, added if it is new.
    fn pair(&mut self, model: u16, region: u16) -> Result<u16, QueryError> {
        let cell = usize::from(model) * self.regions.len() + usize::from(region);
        let too_many = || too_many("(model, region) pairs", MAX_ROWS);
        let number = self.cells.get_mut(cell).ok_or_else(too_many)?;
        if *number == NONE {
            let new = u16::try_from(self.pairs.len()).ok();
            *number = new.filter(|&new| new != NONE).ok_or_else(too_many)?;
            self.pairs.push(Pair {
                model,
                region,
                types: NONE,
                flags: 0,
                profile: NONE,
            });
        }
        Ok(*number)
    }

    fn list(
        &mut self,
        entry: &'d ModelEntry<'d>,
        access: &'d AccessEntry<'d>,
    ) -> Result<(), QueryError> {
        let mut flags = AccessRow::LISTED;
        let mut types = NONE;
        if let Some(list) = &access.inference_types {
            types = self.types.number(list)?;
            for inference_type in list {
                flags |= match inference_type {
                    InferenceType::OnDemand => AccessRow::ON_DEMAND,
                    InferenceType::Provisioned => AccessRow::PROVISIONED,
                    _ => 0,
                };
            }
        }
        if entry.retired {
            let id = &entry.id;
            return Err(QueryError::invalid(format!(
                "{id:?} is retired and has access"
            )));
        }
        let model = self.models.find(&entry.id).unwrap_or(NONE);
        for region in &access.regions {
            let region = self.source(region, &entry.id)?;
            let number = self.pair(model, region)?;
            if let Some(pair) = self.pairs.get_mut(usize::from(number)) {
                if pair.flags & AccessRow::LISTED != 0 {
                    let id = &entry.id;
                    return Err(QueryError::invalid(format!(
                        "{id:?} is listed twice in one region"
                    )));
                }
                (pair.types, pair.flags) = (types, flags);
            }
        }
        Ok(())
    }

    fn link(&mut self, entry: &'d ProfileEntry<'d>) -> Result<(), QueryError> {
        let profile = self.profiles.find(&entry.id).unwrap_or(NONE);
        let mut numbers: Vec<u16> = Vec::new();
        for route in &entry.routes {
            let Some(model) = self.models.find(&route.model) else {
                return Err(QueryError::invalid(format!(
                    "profile {:?} serves {:?}, which is not among the models",
                    entry.id, route.model
                )));
            };
            let start = self.destinations.len();
            if let DestinationsEntry::Regions(ids) = &route.destinations {
                numbers.clear();
                numbers.extend(self.remaining.by_ref().take(ids.len()));
                numbers.sort_unstable();
                numbers.dedup();
                if numbers.is_empty() {
                    let id = &entry.id;
                    return Err(QueryError::invalid(format!(
                        "profile {id:?} has no destinations"
                    )));
                }
                // Without a source there is no link that would use them.
                if !route.sources.is_empty() {
                    self.destinations.extend_from_slice(&numbers);
                }
            }
            let len = u16::try_from(self.destinations.len() - start);
            let (Ok(start), Ok(len)) = (u32::try_from(start), len) else {
                return Err(too_many("destinations", u32::MAX as usize));
            };
            if entry.retired {
                let id = &entry.id;
                return Err(QueryError::invalid(format!(
                    "profile {id:?} is retired and has routes"
                )));
            }
            for source in &route.sources {
                let source = self.source(source, &entry.id)?;
                let number = self.pair(model, source)?;
                if let Some(pair) = self.pairs.get_mut(usize::from(number)) {
                    if pair.profile == profile {
                        return Err(QueryError::invalid(format!(
                            "profile {:?} serves one model from one region twice",
                            entry.id
                        )));
                    }
                    pair.profile = profile;
                }
                self.links.push(LinkRow {
                    access: number,
                    profile,
                    destinations: Run::new(start, len),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RouteEntry, Text, Timestamp};
    use alloc::string::{String, ToString};

    fn empty() -> Document<'static> {
        Document::new("aws", Timestamp::from_unix(0).unwrap())
    }

    #[test]
    fn the_largest_number_of_pairs_can_have_profiles_and_one_more_is_refused() {
        let regions: Vec<String> = (0..255).map(|n| format!("r-{n}")).collect();
        let ids: Vec<String> = (0..258).map(|n| format!("m.{n}")).collect();
        let regions: Vec<Text<'_>> = regions.iter().map(|id| Text::from(&**id)).collect();
        let model = |id: &String| ModelEntry {
            id: Text::from(&**id).to_static(),
            access: vec![AccessEntry {
                inference_types: None,
                regions: regions.clone(),
            }],
            ..ModelEntry::default()
        };
        let mut document = Document {
            regions: regions.clone(),
            models: ids.iter().take(257).map(model).collect(),
            profiles: vec![ProfileEntry {
                id: "us.m.0".into(),
                routes: vec![RouteEntry {
                    model: "m.0".into(),
                    sources: vec!["r-0".into()],
                    destinations: DestinationsEntry::Global,
                }],
                ..ProfileEntry::default()
            }],
            ..empty()
        };
        let catalog = Catalog::from_document(&document).unwrap();
        assert_eq!(catalog.accesses().count(), MAX_ROWS);
        document.models.extend(ids.last().map(model));
        let refused = Catalog::from_document(&document).unwrap_err();
        assert!(refused.to_string().contains("pairs"), "{refused}");
    }

    /// Routes without sources are dropped; their regions stay known.
    #[test]
    fn the_regions_of_a_route_without_sources_stay_known() {
        let document = Document {
            models: vec![ModelEntry {
                id: "m.0".into(),
                ..ModelEntry::default()
            }],
            profiles: vec![ProfileEntry {
                id: "us.m.0".into(),
                routes: vec![RouteEntry {
                    model: "m.0".into(),
                    sources: Vec::new(),
                    destinations: DestinationsEntry::Regions(vec!["r-0".into()]),
                }],
                ..ProfileEntry::default()
            }],
            ..empty()
        };
        let catalog = Catalog::from_document(&document).unwrap();
        assert!(catalog.known_regions().eq(["r-0"]));
        let again = Catalog::from_document(&catalog.to_document()).unwrap();
        assert!(again.known_regions().eq(["r-0"]));
    }
}
