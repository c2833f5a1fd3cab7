//! Rows of several regions to one entry per model and profile.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{
    AccessEntry, Catalog, Date, Geography, LifecycleEntry, ModelEntry, ProfileEntry, ProfileRoute,
    RouteEntry, Text, Timestamp,
};

use super::rows::{ModelRows, ProfileRows, Rows};
use crate::majority::majority;
use crate::recording::{LifecycleSummary, ModelSummary};
use crate::redact::redact;

/// One entry per model, sorted by id, with those that only the previous catalog has.
pub(super) fn models(
    rows: &Rows<'_>,
    previous: Option<&Catalog>,
    complete: bool,
) -> Vec<ModelEntry<'static>> {
    let document = previous.map(Catalog::to_document);
    let mut known: BTreeMap<&str, &ModelEntry<'_>> = BTreeMap::new();
    if let Some(document) = &document {
        known.extend(document.models.iter().map(|entry| (&*entry.id, entry)));
    }
    let mut entries: BTreeMap<&str, ModelEntry<'static>> = BTreeMap::new();
    for (id, rows) in &rows.models {
        let last = known.get(&**id).copied();
        entries.insert(id, model(id, rows, last));
    }
    for (&id, entry) in &known {
        if entries.contains_key(id) {
            continue;
        }
        let last_seen = previous.and_then(|previous| previous.model(id));
        let mut gone = properties(entry);
        gone.last_seen = last_seen.map(|model| model.last_seen());
        gone.retired = entry.retired || complete;
        entries.insert(id, gone);
    }
    entries.into_values().collect()
}

fn model(
    id: &str,
    region_rows: &ModelRows<'_>,
    last: Option<&ModelEntry<'_>>,
) -> ModelEntry<'static> {
    let rows = || region_rows.rows.values().copied();
    // Without a row, because only profiles or carried-over regions have it, the last properties stay.
    let mut entry = match (region_rows.rows.is_empty(), last) {
        (true, Some(last)) => properties(last),
        _ => ModelEntry::new(id.to_owned()),
    };
    if !region_rows.rows.is_empty() {
        entry.name = majority(rows().map(|row| redacted(&row.model_name)));
        entry.provider = majority(rows().map(|row| redacted(&row.provider_name)));
        entry.input_modalities = united(rows().map(|row| &row.input_modalities));
        entry.output_modalities = united(rows().map(|row| &row.output_modalities));
        entry.streaming = majority(rows().map(|row| row.response_streaming_supported));
        entry.customizations = united(rows().map(|row| &row.customizations_supported));
        entry.lifecycle = lifecycle(rows());
    }
    let mut access: BTreeMap<_, Vec<Text<'static>>> = BTreeMap::new();
    for (region, types) in &region_rows.access {
        access.entry(types).or_default().push(region.clone().into());
    }
    let access = access.into_iter().map(|(types, regions)| {
        let types = types.as_ref().map(|types| types.iter().cloned().collect());
        AccessEntry::new(types, regions)
    });
    entry.access = access.collect();
    entry.constant = last.and_then(|last| last.constant.as_ref().map(Text::to_static));
    entry
}

/// The properties of a model, without access and history.
fn properties(entry: &ModelEntry<'_>) -> ModelEntry<'static> {
    let mut entry = entry.to_static();
    entry.access.clear();
    entry.last_seen = None;
    entry.retired = false;
    entry
}

fn lifecycle<'r>(rows: impl Iterator<Item = &'r ModelSummary> + Clone) -> LifecycleEntry {
    let lifecycles = || rows.clone().filter_map(|row| row.model_lifecycle.as_ref());
    let earliest = |time: fn(&LifecycleSummary) -> &Option<String>| -> Option<Date> {
        let times = lifecycles().filter_map(|lifecycle| time(lifecycle).as_deref());
        let times = times.filter_map(|time| time.parse::<Timestamp>().ok());
        times.min().map(Timestamp::date)
    };
    let mut entry = LifecycleEntry::default();
    entry.status = majority(lifecycles().map(|lifecycle| {
        let status = lifecycle.status.as_deref();
        status.map(|text| (&*redact(text)).into())
    }));
    entry.start = earliest(|lifecycle| &lifecycle.start_of_life_time);
    entry.legacy = earliest(|lifecycle| &lifecycle.legacy_time);
    entry.extended_access = earliest(|lifecycle| &lifecycle.public_extended_access_time);
    entry.end_of_life = earliest(|lifecycle| &lifecycle.end_of_life_time);
    entry
}

/// One entry per profile, sorted by id, with those that only the previous catalog has.
pub(super) fn profiles(
    rows: &Rows<'_>,
    previous: Option<&Catalog>,
    complete: bool,
) -> Vec<ProfileEntry<'static>> {
    let document = previous.map(Catalog::to_document);
    let mut known: BTreeMap<&str, &ProfileEntry<'_>> = BTreeMap::new();
    if let Some(document) = &document {
        known.extend(document.profiles.iter().map(|entry| (&*entry.id, entry)));
    }
    let mut entries: BTreeMap<&str, ProfileEntry<'static>> = BTreeMap::new();
    for (id, rows) in &rows.profiles {
        let last = known.get(&**id).copied();
        entries.insert(id, profile(id, rows, last));
    }
    for (&id, entry) in &known {
        if entries.contains_key(id) {
            continue;
        }
        let observed_on = previous.map(|previous| observed_on(previous, id));
        let geography = previous.and_then(|previous| previous.profile(id)?.geography());
        let mut gone = profile_properties(entry);
        // Without a model, the id no longer gives the geography.
        gone.geography = geography.cloned();
        gone.last_seen = entry.last_seen.or(observed_on);
        gone.retired = entry.retired || complete;
        entries.insert(id, gone);
    }
    entries.into_values().collect()
}

/// The day of the newest rows of a profile. Rows of stale regions are older than the catalog.
fn observed_on(catalog: &Catalog, id: &str) -> Date {
    let routes = catalog.profile(id).into_iter().flat_map(|p| p.routes());
    let stale = |route: ProfileRoute<'_>| route.access.region().stale_since();
    let observed = routes.map(|route| stale(route).unwrap_or(catalog.observed_at()));
    observed.max().unwrap_or(catalog.observed_at()).date()
}

fn profile(
    id: &str,
    region_rows: &ProfileRows<'_>,
    last: Option<&ProfileEntry<'_>>,
) -> ProfileEntry<'static> {
    let rows = || region_rows.rows.values().copied();
    let mut entry = match (region_rows.rows.is_empty(), last) {
        (true, Some(last)) => profile_properties(last),
        _ => ProfileEntry::new(id.to_owned()),
    };
    if !region_rows.rows.is_empty() {
        entry.name = majority(rows().map(|row| redacted(&row.inference_profile_name)));
        entry.description = majority(rows().map(|row| redacted(&row.description)));
        let status = majority(rows().map(|row| redacted(&row.status)));
        entry.status = status.filter(|status| &**status != "ACTIVE");
    }
    let mut routes: BTreeMap<_, Vec<Text<'static>>> = BTreeMap::new();
    for ((model, source), destinations) in &region_rows.routes {
        let sources = routes.entry((model, destinations)).or_default();
        sources.push(source.clone().into());
    }
    let routes = routes.into_iter().map(|((model, destinations), sources)| {
        RouteEntry::new(model.clone(), sources, destinations.clone())
    });
    entry.routes = routes.collect();
    let models = region_rows.routes.keys().map(|(model, _)| &**model);
    // An id that does not give its geography keeps the previous one.
    entry.geography = match Geography::of_profile(id, models) {
        Some(_) => None,
        None => last.and_then(|last| last.geography.clone()),
    };
    entry.constant = last.and_then(|last| last.constant.as_ref().map(Text::to_static));
    entry
}

/// The properties of a profile, without routes and history.
fn profile_properties(entry: &ProfileEntry<'_>) -> ProfileEntry<'static> {
    let mut entry = entry.to_static();
    entry.routes.clear();
    entry.last_seen = None;
    entry.retired = false;
    entry
}

fn redacted(text: &Option<String>) -> Option<Text<'static>> {
    text.as_deref().map(|text| redact(text).into_owned().into())
}

/// The values of all lists, sorted; `None` without a list.
fn united<'r, T: Ord + for<'t> From<&'t str>>(
    lists: impl Iterator<Item = &'r Option<Vec<String>>>,
) -> Option<Vec<T>> {
    let mut united: Option<BTreeSet<T>> = None;
    for list in lists.flatten() {
        let united = united.get_or_insert_default();
        united.extend(list.iter().map(|text| T::from(&*redact(text))));
    }
    united.map(|values| values.into_iter().collect())
}
