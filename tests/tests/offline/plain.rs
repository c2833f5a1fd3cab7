//! A reference model of the catalog: sets, maps and exhaustive search.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog::recording::Recording;
use bedrock_catalog::{Catalog, DestinationsEntry, Document, Policy};

/// The destinations of a profile; `None` for any region.
pub(crate) type To = Option<BTreeSet<String>>;

/// Every way to call one model from one region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) listed: bool,
    /// `None` if the listing does not say.
    pub(crate) types: Option<BTreeSet<String>>,
    pub(crate) profiles: BTreeMap<String, To>,
}

/// The access by model and region.
pub(crate) type Pairs = BTreeMap<(String, String), Ways>;

fn unlisted() -> Ways {
    Ways {
        types: Some(BTreeSet::new()),
        ..Ways::default()
    }
}

/// The access in a recording.
pub(crate) fn of_recording(recording: &Recording) -> Pairs {
    let mut pairs = Pairs::new();
    for (region, answers) in &recording.regions {
        for row in &answers.models {
            let ways = Ways {
                listed: true,
                types: row
                    .inference_types_supported
                    .clone()
                    .map(BTreeSet::from_iter),
                profiles: BTreeMap::new(),
            };
            pairs.insert((row.model_id.clone(), region.clone()), ways);
        }
        let system = |kind: Option<&str>| kind != Some("APPLICATION");
        for row in answers
            .profiles
            .iter()
            .filter(|row| system(row.kind.as_deref()))
        {
            for model in &row.models {
                let (head, id) = model.model_arn.split_once("::foundation-model/").unwrap();
                let to = head.strip_prefix("arn:aws:bedrock:").unwrap();
                let ways = pairs
                    .entry((id.to_owned(), region.clone()))
                    .or_insert_with(unlisted);
                let all = ways.profiles.entry(row.inference_profile_id.clone());
                let all = all.or_insert_with(|| Some(BTreeSet::new()));
                match (to, all) {
                    ("", all) => *all = None,
                    (to, Some(all)) => _ = all.insert(to.to_owned()),
                    (_, None) => {}
                }
            }
        }
    }
    pairs
}

/// The access in a document.
pub(crate) fn of_document(document: &Document<'_>) -> Pairs {
    let mut pairs = Pairs::new();
    for model in &document.models {
        for access in &model.access {
            for region in &access.regions {
                let types = access.inference_types.as_ref();
                let words = types.map(|types| types.iter().map(ToString::to_string).collect());
                let ways = Ways {
                    listed: true,
                    types: words,
                    profiles: BTreeMap::new(),
                };
                pairs.insert((model.id.to_string(), region.to_string()), ways);
            }
        }
    }
    for profile in &document.profiles {
        for route in &profile.routes {
            let to = match &route.destinations {
                DestinationsEntry::Regions(to) => {
                    Some(to.iter().map(|id| id.to_string()).collect())
                }
                _ => None,
            };
            for source in &route.sources {
                let pair = (route.model.to_string(), source.to_string());
                let ways = pairs.entry(pair).or_insert_with(unlisted);
                ways.profiles.insert(profile.id.to_string(), to.clone());
            }
        }
    }
    pairs
}

/// The access in a catalog.
pub(crate) fn of_catalog(catalog: &Catalog) -> Pairs {
    let ways = |access: bedrock_catalog::Access<'_>| Ways {
        listed: access.is_listed(),
        types: access
            .inference_types()
            .map(|types| types.iter().map(ToString::to_string).collect()),
        profiles: access
            .profiles()
            .map(|(profile, to)| {
                let regions = to.iter().map(str::to_owned).collect();
                (
                    profile.id().to_owned(),
                    (!to.is_global()).then_some(regions),
                )
            })
            .collect(),
    };
    let pair = |access: bedrock_catalog::Access<'_>| {
        (
            access.model().id().to_owned(),
            access.region().id().to_owned(),
        )
    };
    catalog
        .accesses()
        .map(|access| (pair(access), ways(access)))
        .collect()
}

impl Ways {
    fn says(&self, word: &str) -> bool {
        self.types
            .as_ref()
            .is_some_and(|types| types.contains(word))
    }

    pub(crate) fn on_demand(&self) -> bool {
        self.says("ON_DEMAND")
    }

    pub(crate) fn is_callable(&self) -> bool {
        self.on_demand() || self.says("PROVISIONED") || !self.profiles.is_empty()
    }

    /// The id to send and its destinations, by exhaustive search.
    pub(crate) fn route(
        &self,
        model: &str,
        region: &str,
        policy: Policy<'_>,
    ) -> Option<(String, To)> {
        let own = BTreeSet::from([region.to_owned()]);
        let own = self
            .on_demand()
            .then(|| (0, 1, model.to_owned(), Some(own)));
        let profiles = self.profiles.iter().map(|(id, to)| match to {
            Some(regions) => (1, regions.len(), id.clone(), to.clone()),
            None => (2, 0, id.clone(), None),
        });
        let inside = |to: &To, within: &[&str]| {
            let fits = |id: &String| {
                within.iter().any(|entry| match entry.split_once('*') {
                    Some((beginning, "")) => id.starts_with(beginning),
                    _ => id == entry,
                })
            };
            to.as_ref().is_some_and(|to| to.iter().all(fits))
        };
        let allowed = |(kind, _, _, to): &(i32, usize, String, To)| match policy {
            Policy::InRegion => *kind == 0,
            Policy::Geography => *kind < 2,
            Policy::Any => true,
            Policy::Global => *kind == 2,
            Policy::Within(within) => inside(to, within),
            _ => panic!("a policy this test does not know"),
        };
        let best = own.into_iter().chain(profiles).filter(allowed);
        best.min().map(|(_, _, id, to)| (id, to))
    }
}
