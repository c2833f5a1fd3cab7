//! Comparison of two catalogs by id.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{Access, Catalog, Lifecycle, Model, Profile};

use super::{
    CatalogDiff, DateChange, DestinationsChange, DiffSide, ModelChange, ModelNote, ProfileChange,
    ProfileNote, SetChange, StaleNote, StatusChange,
};

/// The state of a model or profile in a catalog.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Unknown,
    Present,
    /// An incomplete recording does not have it.
    Gone,
    Retired,
}

impl Presence {
    fn of(present: bool, retired: bool) -> Self {
        match (present, retired) {
            (_, true) => Self::Retired,
            (true, false) => Self::Present,
            (false, false) => Self::Gone,
        }
    }

    fn of_model(model: Option<Model<'_>>) -> Self {
        model.map_or(Self::Unknown, |model| {
            Self::of(model.accesses().len() > 0, model.is_retired())
        })
    }

    fn of_profile(profile: Option<Profile<'_>>) -> Self {
        profile.map_or(Self::Unknown, |profile| {
            Self::of(profile.routes().next().is_some(), profile.is_retired())
        })
    }
}

impl CatalogDiff {
    /// Compares two catalogs. Linear in their sizes, apart from sorting.
    pub fn between(old: &Catalog, new: &Catalog) -> Self {
        let mut diff = Self {
            from: DiffSide::of(old),
            to: DiffSide::of(new),
            models_added: Vec::new(),
            models_retired: Vec::new(),
            models_gone: Vec::new(),
            models_back: Vec::new(),
            models_changed: Vec::new(),
            profiles_added: Vec::new(),
            profiles_gone: Vec::new(),
            profiles_back: Vec::new(),
            profiles_changed: Vec::new(),
            regions: SetChange::between(
                old.regions().map(|region| region.id()),
                new.regions().map(|region| region.id()),
            ),
            regions_stale: Vec::new(),
            regions_fresh: Vec::new(),
        };
        diff.compare_models(old, new);
        diff.compare_profiles(old, new);
        diff.compare_staleness(old, new);
        diff
    }

    fn compare_models(&mut self, old: &Catalog, new: &Catalog) {
        let ids = old
            .all_models()
            .chain(new.all_models())
            .map(|model| model.id());
        for id in ids.collect::<BTreeSet<_>>() {
            let (before, now) = (old.model(id), new.model(id));
            let list = match (Presence::of_model(before), Presence::of_model(now)) {
                (Presence::Unknown, Presence::Present) => &mut self.models_added,
                (Presence::Gone | Presence::Retired, Presence::Present) => &mut self.models_back,
                (Presence::Present, Presence::Present) => {
                    if let (Some(before), Some(now)) = (before, now) {
                        let change = ModelChange::between(before, now);
                        self.models_changed
                            .extend((!change.is_empty()).then_some(change));
                    }
                    continue;
                }
                (was, is) if was == is => continue,
                (_, Presence::Retired) => &mut self.models_retired,
                _ => &mut self.models_gone,
            };
            let regions = |model: &Model<'_>| model.regions().len() > 0;
            let noted = now.filter(regions).or(before).or(now);
            list.extend(noted.map(ModelNote::of));
        }
    }

    fn compare_profiles(&mut self, old: &Catalog, new: &Catalog) {
        let profiles = old.all_profiles().chain(new.all_profiles());
        for id in profiles
            .map(|profile| profile.id())
            .collect::<BTreeSet<_>>()
        {
            let (before, now) = (old.profile(id), new.profile(id));
            let list = match (Presence::of_profile(before), Presence::of_profile(now)) {
                (Presence::Unknown, Presence::Present) => &mut self.profiles_added,
                (Presence::Gone | Presence::Retired, Presence::Present) => &mut self.profiles_back,
                (Presence::Present, Presence::Present) => {
                    if let (Some(before), Some(now)) = (before, now) {
                        let change = ProfileChange::between(before, now);
                        self.profiles_changed
                            .extend((!change.is_empty()).then_some(change));
                    }
                    continue;
                }
                (Presence::Present | Presence::Unknown, _) => &mut self.profiles_gone,
                _ => continue,
            };
            let noted = now.filter(|profile| profile.routes().next().is_some());
            list.extend(noted.or(before).or(now).map(ProfileNote::of));
        }
    }

    fn compare_staleness(&mut self, old: &Catalog, new: &Catalog) {
        for region in new.regions() {
            let was = old.region(region.id()).and_then(|was| was.stale_since());
            match (was, region.stale_since()) {
                (None, Some(since)) => self.regions_stale.push(StaleNote {
                    id: region.id().to_owned(),
                    since,
                }),
                (Some(_), None) => self.regions_fresh.push(region.id().to_owned()),
                _ => {}
            }
        }
    }
}

impl SetChange {
    fn between<'a>(
        old: impl IntoIterator<Item = &'a str>,
        new: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let old: BTreeSet<&str> = old.into_iter().collect();
        let new: BTreeSet<&str> = new.into_iter().collect();
        Self {
            gained: texts(new.difference(&old).copied()),
            lost: texts(old.difference(&new).copied()),
        }
    }

    fn names(&self, id: &str) -> bool {
        self.gained.iter().chain(&self.lost).any(|name| name == id)
    }
}

impl DiffSide {
    fn of(catalog: &Catalog) -> Self {
        Self {
            partition: catalog.partition().to_owned(),
            observed_at: catalog.observed_at(),
        }
    }
}

impl ModelNote {
    fn of(model: Model<'_>) -> Self {
        Self {
            id: model.id().to_owned(),
            name: model.name().map(str::to_owned),
            provider: model.provider().map(str::to_owned),
            regions: texts(model.regions().map(|region| region.id())),
        }
    }
}

impl ModelChange {
    fn between(old: Model<'_>, new: Model<'_>) -> Self {
        let by_region = |model: Model<'_>, test: fn(Access<'_>) -> bool| -> BTreeSet<String> {
            let common = |id: &str| old.access(id).is_some() && new.access(id).is_some();
            let counted = move |access: &Access<'_>| common(access.region().id()) && test(*access);
            let accesses = model.accesses().filter(counted);
            accesses
                .map(|access| access.region().id().to_owned())
                .collect()
        };
        let change = |test: fn(Access<'_>) -> bool| {
            let (old, new) = (by_region(old, test), by_region(new, test));
            SetChange::between(
                old.iter().map(String::as_str),
                new.iter().map(String::as_str),
            )
        };
        let status = |lifecycle: Lifecycle<'_>| lifecycle.status().map(ToString::to_string);
        let (was, is) = (status(old.lifecycle()), status(new.lifecycle()));
        let listed = |access: &Access<'_>| {
            (
                access.is_listed(),
                access.inference_types().map(<[_]>::to_vec),
            )
        };
        let types_differ = old.accesses().any(|access| {
            let now = new.access(access.region().id());
            now.is_some_and(|now| listed(&now) != listed(&access))
        });
        let on_demand = change(|access| access.on_demand() == Some(true));
        let provisioned = change(|access| access.provisioned() == Some(true));
        let facts = [
            ("name", old.name() != new.name()),
            ("provider", old.provider() != new.provider()),
            (
                "input_modalities",
                old.input_modalities() != new.input_modalities(),
            ),
            (
                "output_modalities",
                old.output_modalities() != new.output_modalities(),
            ),
            ("streaming", old.streaming() != new.streaming()),
            (
                "customizations",
                old.customizations() != new.customizations(),
            ),
            (
                "inference_types",
                types_differ && on_demand.is_empty() && provisioned.is_empty(),
            ),
        ];
        Self {
            id: new.id().to_owned(),
            status: (was != is).then_some(StatusChange { from: was, to: is }),
            dates: dates(old.lifecycle(), new.lifecycle()),
            regions: SetChange::between(
                old.regions().map(|region| region.id()),
                new.regions().map(|region| region.id()),
            ),
            on_demand,
            provisioned,
            facts: differing(facts),
        }
    }
}

fn dates(old: Lifecycle<'_>, new: Lifecycle<'_>) -> Vec<DateChange> {
    let dates = [
        ("start", old.start(), new.start()),
        ("legacy", old.legacy(), new.legacy()),
        (
            "extended_access",
            old.extended_access(),
            new.extended_access(),
        ),
        ("end_of_life", old.end_of_life(), new.end_of_life()),
    ];
    let moved = dates.into_iter().filter(|(_, from, to)| from != to);
    moved
        .map(|(date, from, to)| DateChange { date, from, to })
        .collect()
}

impl ProfileNote {
    fn of(profile: Profile<'_>) -> Self {
        Self {
            id: profile.id().to_owned(),
            models: texts(profile.models().map(|model| model.id())),
            sources: texts(sources(profile)),
        }
    }
}

impl ProfileChange {
    fn between(old: Profile<'_>, new: Profile<'_>) -> Self {
        let (before, now) = (destinations(old), destinations(new));
        let models = SetChange::between(
            old.models().map(|model| model.id()),
            new.models().map(|model| model.id()),
        );
        let changed_sources = SetChange::between(sources(old), sources(new));
        // Sources with the same change share an entry.
        let mut changes: BTreeMap<(&str, SetChange), Vec<String>> = BTreeMap::new();
        for &(model, source) in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (before.get(&(model, source)), now.get(&(model, source)));
            let reported = models.names(model) || changed_sources.names(source);
            if (was.is_none() || is.is_none()) && reported {
                continue;
            }
            let change = SetChange::between(
                was.into_iter().flatten().copied(),
                is.into_iter().flatten().copied(),
            );
            if !change.is_empty() {
                let sources = changes.entry((model, change)).or_default();
                sources.push(source.to_owned());
            }
        }
        let destinations =
            changes
                .into_iter()
                .map(|((model, destinations), sources)| DestinationsChange {
                    model: model.to_owned(),
                    sources,
                    destinations,
                });
        let facts = [
            ("name", old.name() != new.name()),
            ("description", old.description() != new.description()),
            ("status", old.status() != new.status()),
            ("geography", old.geography() != new.geography()),
        ];
        Self {
            id: new.id().to_owned(),
            models,
            sources: changed_sources,
            destinations: destinations.collect(),
            facts: differing(facts),
        }
    }

    fn is_empty(&self) -> bool {
        self.models.is_empty()
            && self.sources.is_empty()
            && self.destinations.is_empty()
            && self.facts.is_empty()
    }
}

/// The source regions of a profile.
fn sources(profile: Profile<'_>) -> BTreeSet<&str> {
    let routes = profile.routes();
    routes.map(|route| route.access.region().id()).collect()
}

/// The destinations by model and source.
fn destinations(profile: Profile<'_>) -> BTreeMap<(&str, &str), Vec<&str>> {
    let routes = profile.routes().map(|route| {
        let key = (route.access.model().id(), route.access.region().id());
        let destinations = match route.destinations.is_global() {
            true => vec!["global"],
            false => route.destinations.iter().collect(),
        };
        (key, destinations)
    });
    routes.collect()
}

fn differing<const N: usize>(facts: [(&'static str, bool); N]) -> Vec<&'static str> {
    let differing = facts.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(fact, _)| fact).collect()
}

fn texts<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    ids.into_iter().map(str::to_owned).collect()
}
