//! From what the regions say to one entry per model and profile.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{
    AccessEntry, Catalog, Date, LifecycleEntry, ModelEntry, ProfileEntry, ProfileRoute, RouteEntry,
    Text, Timestamp, geography_of,
};

use super::gather::{Gathered, ModelRows, ProfileRows};
use crate::majority::majority;
use crate::recording::{LifecycleSummary, ModelSummary};
use crate::redact::redact;

/// One entry per model, gone ones included, sorted by id.
pub(super) fn models(
    gathered: &Gathered<'_>,
    previous: Option<&Catalog>,
    complete: bool,
) -> Vec<ModelEntry<'static>> {
    let document = previous.map(Catalog::to_document);
    let mut known: BTreeMap<&str, &ModelEntry<'_>> = BTreeMap::new();
    if let Some(document) = &document {
        known.extend(document.models.iter().map(|entry| (&*entry.id, entry)));
    }
    let mut entries: BTreeMap<&str, ModelEntry<'static>> = BTreeMap::new();
    for (id, said) in &gathered.models {
        let last = known.get(&**id).copied();
        entries.insert(id, model(id, said, last));
    }
    for (&id, entry) in &known {
        if entries.contains_key(id) {
            continue;
        }
        let last_seen = previous.and_then(|previous| previous.model(id));
        let gone = ModelEntry {
            access: Vec::new(),
            last_seen: last_seen.map(|model| model.last_seen()),
            retired: entry.retired || complete,
            ..facts_of(entry)
        };
        entries.insert(id, gone);
    }
    entries.into_values().collect()
}

fn model(id: &str, said: &ModelRows<'_>, last: Option<&ModelEntry<'_>>) -> ModelEntry<'static> {
    let rows = || said.rows.values().copied();
    // Known through profiles alone, or from carried-over regions alone: the last facts stand.
    let facts = match said.rows.is_empty() {
        true => last.map(facts_of).unwrap_or_default(),
        false => ModelEntry {
            name: majority(rows().map(|row| clean(&row.model_name))),
            provider: majority(rows().map(|row| clean(&row.provider_name))),
            input_modalities: joined(rows().map(|row| &row.input_modalities)),
            output_modalities: joined(rows().map(|row| &row.output_modalities)),
            streaming: majority(rows().map(|row| row.response_streaming_supported)),
            customizations: joined(rows().map(|row| &row.customizations_supported)),
            lifecycle: lifecycle(rows()),
            ..ModelEntry::default()
        },
    };
    let mut access: BTreeMap<_, Vec<Text<'static>>> = BTreeMap::new();
    for (region, types) in &said.access {
        access.entry(types).or_default().push(region.clone().into());
    }
    let access = access.into_iter().map(|(types, regions)| AccessEntry {
        inference_types: types.as_ref().map(|types| types.iter().cloned().collect()),
        regions,
    });
    ModelEntry {
        id: id.to_owned().into(),
        access: access.collect(),
        constant: last.and_then(|last| last.constant.as_ref().map(Text::to_static)),
        ..facts
    }
}

/// What is known of a model besides where it is.
fn facts_of(entry: &ModelEntry<'_>) -> ModelEntry<'static> {
    ModelEntry {
        access: Vec::new(),
        last_seen: None,
        retired: false,
        ..entry.to_static()
    }
}

fn lifecycle<'r>(rows: impl Iterator<Item = &'r ModelSummary> + Clone) -> LifecycleEntry {
    let told = || rows.clone().filter_map(|row| row.model_lifecycle.as_ref());
    let earliest = |time: fn(&LifecycleSummary) -> &Option<String>| -> Option<Date> {
        let times = told().filter_map(|lifecycle| time(lifecycle).as_deref());
        let times = times.filter_map(|time| time.parse::<Timestamp>().ok());
        times.min().map(Timestamp::date)
    };
    LifecycleEntry {
        status: majority(told().map(|lifecycle| {
            lifecycle
                .status
                .as_deref()
                .map(|word| (&*redact(word)).into())
        })),
        start: earliest(|lifecycle| &lifecycle.start_of_life_time),
        legacy: earliest(|lifecycle| &lifecycle.legacy_time),
        extended_access: earliest(|lifecycle| &lifecycle.public_extended_access_time),
        end_of_life: earliest(|lifecycle| &lifecycle.end_of_life_time),
    }
}

/// One entry per profile, gone ones included, sorted by id.
pub(super) fn profiles(
    gathered: &Gathered<'_>,
    previous: Option<&Catalog>,
    complete: bool,
) -> Vec<ProfileEntry<'static>> {
    let document = previous.map(Catalog::to_document);
    let mut known: BTreeMap<&str, &ProfileEntry<'_>> = BTreeMap::new();
    if let Some(document) = &document {
        known.extend(document.profiles.iter().map(|entry| (&*entry.id, entry)));
    }
    let mut entries: BTreeMap<&str, ProfileEntry<'static>> = BTreeMap::new();
    for (id, said) in &gathered.profiles {
        let last = known.get(&**id).copied();
        entries.insert(id, profile(id, said, last));
    }
    for (&id, entry) in &known {
        if entries.contains_key(id) {
            continue;
        }
        let observed_on = previous.map(|previous| observed_on(previous, id));
        // No model completes its id any more, so its geography is written down.
        let geography = previous.and_then(|previous| previous.profile(id)?.geography());
        let gone = ProfileEntry {
            geography: geography.cloned(),
            last_seen: entry.last_seen.or(observed_on),
            retired: entry.retired || complete,
            ..profile_facts_of(entry)
        };
        entries.insert(id, gone);
    }
    entries.into_values().collect()
}

/// The day a profile's rows were observed: those of stale regions are older than the catalog.
fn observed_on(catalog: &Catalog, id: &str) -> Date {
    let routes = catalog.profile(id).into_iter().flat_map(|p| p.routes());
    let stale = |route: ProfileRoute<'_>| route.access.region().stale_since();
    let observed = routes.map(|route| stale(route).unwrap_or(catalog.observed_at()));
    observed.max().unwrap_or(catalog.observed_at()).date()
}

fn profile(
    id: &str,
    said: &ProfileRows<'_>,
    last: Option<&ProfileEntry<'_>>,
) -> ProfileEntry<'static> {
    let rows = || said.rows.values().copied();
    let facts = match said.rows.is_empty() {
        true => last.map(profile_facts_of).unwrap_or_default(),
        false => ProfileEntry {
            name: majority(rows().map(|row| clean(&row.inference_profile_name))),
            description: majority(rows().map(|row| clean(&row.description))),
            status: majority(rows().map(|row| clean(&row.status)))
                .filter(|word| &**word != "ACTIVE"),
            ..ProfileEntry::default()
        },
    };
    let mut routes: BTreeMap<_, Vec<Text<'static>>> = BTreeMap::new();
    for ((model, source), destinations) in &said.routes {
        let sources = routes.entry((model, destinations)).or_default();
        sources.push(source.clone().into());
    }
    let routes = routes
        .into_iter()
        .map(|((model, destinations), sources)| RouteEntry {
            model: model.clone().into(),
            sources,
            destinations: destinations.clone(),
        });
    let told = geography_of(id, said.routes.keys().map(|(model, _)| &**model));
    ProfileEntry {
        id: id.to_owned().into(),
        // An id that does not tell its geography keeps the one it was given.
        geography: last
            .and_then(|last| last.geography.clone())
            .filter(|_| told.is_none()),
        routes: routes.collect(),
        constant: last.and_then(|last| last.constant.as_ref().map(Text::to_static)),
        ..facts
    }
}

/// What is known of a profile besides what it serves.
fn profile_facts_of(entry: &ProfileEntry<'_>) -> ProfileEntry<'static> {
    ProfileEntry {
        routes: Vec::new(),
        last_seen: None,
        retired: false,
        ..entry.to_static()
    }
}

fn clean(text: &Option<String>) -> Option<Text<'static>> {
    text.as_deref().map(|text| redact(text).into_owned().into())
}

/// All words that some region tells, sorted; `None` where none tells any list.
fn joined<'r, W: Ord + for<'w> From<&'w str>>(
    told: impl Iterator<Item = &'r Option<Vec<String>>>,
) -> Option<Vec<W>> {
    let mut words: Option<BTreeSet<W>> = None;
    for list in told.flatten() {
        let words = words.get_or_insert_default();
        words.extend(list.iter().map(|word| W::from(&*redact(word))));
    }
    words.map(|words| words.into_iter().collect())
}
