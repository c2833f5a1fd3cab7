//! From a question to its answer, out of a catalog.

use std::collections::BTreeSet;

use bedrock_catalog::{
    Access, Catalog, Date, Filter, Modality, Policy, Profile, QueryError, RegionId, Route,
    RouteKind,
};

use crate::args::{Command, Models};
use crate::output::{Failure, Output};
use crate::{answers, text};

/// Answers a question that a catalog alone can answer.
pub(crate) fn answer(
    output: &Output,
    catalog: &Catalog,
    command: &Command,
    today: Date,
) -> Result<(), Failure> {
    match command {
        Command::Models(models) => {
            let day = models.at.unwrap_or(today);
            let filter = filter(catalog, models, day)?;
            warn_unknown_values(output, catalog, models);
            let found: Vec<_> = catalog.select(&filter).collect();
            match output.is_json() {
                true => {
                    let answers = found.iter().map(|&model| answers::model(model, day));
                    output.json(&answers.collect::<Vec<_>>());
                }
                false => output.text(&text::models(&found, day)),
            }
        }
        Command::Model { id, .. } => {
            let model = catalog.model(id).ok_or_else(|| catalog.unknown_model(id))?;
            match output.is_json() {
                true => output.json(&answers::model(model, today)),
                false => output.text(&text::model(model, today)),
            }
        }
        Command::Access { all: true, .. } => {
            let rows = catalog.accesses();
            match output.is_json() {
                true => output.json_lines(rows.map(|access| answers::access(access))),
                false => output.text(&text::accesses(&rows.collect::<Vec<_>>())),
            }
        }
        Command::Access { model, region, .. } => {
            let (model, region) = (model.as_deref(), region.as_deref());
            let access = catalog.access(model.unwrap_or_default(), region.unwrap_or_default())?;
            match output.is_json() {
                true => output.json(&answers::access(access)),
                false => output.text(&text::access(access)),
            }
        }
        Command::Route {
            model,
            region,
            policy,
            within,
            ..
        } => {
            let within: Vec<&str> = within.iter().map(|entry| entry.trim()).collect();
            let access = catalog.access(model, region)?;
            catalog.check_residency(&within)?;
            let (route, policy) = match (*policy, within.is_empty()) {
                (Some(policy), false) => (both(access, policy, &within)?, policy),
                (None, false) => (
                    access.route(Policy::Within(&within))?,
                    Policy::Within(&within),
                ),
                (policy, true) => {
                    let policy = policy.unwrap_or_default();
                    (access.route(policy)?, policy)
                }
            };
            match output.is_json() {
                true => output.json(&answers::route(route, policy)),
                false => output.text(&text::route(route)),
            }
            if let Some(warning) = text::ending(route.model(), today) {
                output.warn(&warning);
            }
        }
        Command::Profiles {
            model,
            region,
            geography,
            ..
        } => {
            if let Some(model) = model {
                catalog
                    .model(model)
                    .ok_or_else(|| catalog.unknown_model(model))?;
            }
            if let Some(region) = region {
                catalog
                    .region(region)
                    .ok_or_else(|| catalog.unknown_region(region))?;
            }
            let (model, region) = (model.as_deref(), region.as_deref());
            let wanted = catalog.profiles().filter(|profile| {
                let scope = profile.geography().map(|scope| scope.as_str());
                let is_wanted = |word: &String| scope.is_some_and(|s| s.eq_ignore_ascii_case(word));
                serves(*profile, model, region) && geography.as_ref().is_none_or(is_wanted)
            });
            let scopes = catalog.profiles().filter_map(|profile| profile.geography());
            let scopes = scopes.map(|scope| scope.as_str());
            warn_unknown_value(output, "profile is of geography", geography, scopes);
            match output.is_json() {
                true => output.json(&wanted.map(answers::profile).collect::<Vec<_>>()),
                false => output.text(&text::profiles(&wanted.collect::<Vec<_>>())),
            }
        }
        Command::Regions { .. } => match output.is_json() {
            true => output.json(&catalog.regions().map(answers::region).collect::<Vec<_>>()),
            false => output.text(&text::regions(&catalog.regions().collect::<Vec<_>>())),
        },
        // Of the live catalog, not of a catalog.
        Command::Status { .. } | Command::Refresh { .. } | Command::Cache { .. } => {}
    }
    Ok(())
}

/// The preferred way in that a plain policy allows and that stays within the regions.
fn both<'a>(
    access: Access<'a>,
    policy: Policy<'_>,
    regions: &[&str],
) -> Result<Route<'a>, Failure> {
    let is_allowed = |route: &Route<'_>| match policy {
        Policy::InRegion => route.kind() == RouteKind::InRegion,
        Policy::Geography => route.kind() != RouteKind::Global,
        Policy::Global => route.kind() == RouteKind::Global,
        _ => true,
    };
    let mut routes = access.routes().filter(is_allowed);
    if let Some(route) = routes.find(|route| route.destinations().are_within(regions)) {
        return Ok(route);
    }
    // An error of one of the two alone comes first.
    access.route(policy)?;
    access.route(Policy::Within(regions))?;
    Err(Failure::forbidden(format!(
        "no way in to `{}` from `{}` that policy {policy} allows stays within these regions",
        access.model().id(),
        access.region().id(),
    )))
}

/// Whether the profile has a route of the model from the region, where they are asked for.
fn serves(profile: Profile<'_>, model: Option<&str>, region: Option<&str>) -> bool {
    let asked = model.is_some() || region.is_some();
    let mut routes = profile.routes().map(|route| route.access);
    !asked
        || routes.any(|access| {
            model.is_none_or(|id| access.model().id() == id)
                && region.is_none_or(|id| access.region().id() == id)
        })
}

/// Notes which of the words of a `models` question no model has.
fn warn_unknown_values(output: &Output, catalog: &Catalog, models: &Models) {
    let all = || catalog.all_models();
    let providers = all().filter_map(|model| model.provider());
    warn_unknown_value(output, "model is of provider", &models.provider, providers);
    let taken = all().filter_map(|model| model.input_modalities());
    let taken = taken.flatten().map(Modality::as_str);
    warn_unknown_value(output, "model takes", &models.input, taken);
    let given = all().filter_map(|model| model.output_modalities());
    let given = given.flatten().map(Modality::as_str);
    warn_unknown_value(output, "model gives", &models.output, given);
}

/// Notes that a word is none of those there are.
fn warn_unknown_value<'a>(
    output: &Output,
    what: &str,
    word: &Option<String>,
    known: impl Iterator<Item = &'a str>,
) {
    let Some(word) = word else { return };
    let known: BTreeSet<&str> = known.collect();
    if !known.iter().any(|known| known.eq_ignore_ascii_case(word)) {
        let known = Vec::from_iter(known).join(", ");
        output.note(&format!("no {what} `{word}`; the words are {known}"));
    }
}

/// The filter of a `models` question; an unknown region is a wrong question.
fn filter(catalog: &Catalog, models: &Models, day: Date) -> Result<Filter, QueryError> {
    let mut filter = Filter::new();
    if let Some(region) = &models.region {
        catalog
            .region(region)
            .ok_or_else(|| catalog.unknown_region(region))?;
        filter = filter.region(RegionId::from(region.as_str()));
    }
    if let Some(provider) = &models.provider {
        filter = filter.provider(provider);
    }
    let modality = |word: &String| Modality::from(&*word.to_uppercase());
    if let Some(word) = &models.input {
        filter = filter.input(modality(word));
    }
    if let Some(word) = &models.output {
        filter = filter.output(modality(word));
    }
    if models.streaming {
        filter = filter.streaming(true);
    }
    if let Some(status) = models.status {
        filter = filter.status(status, day);
    }
    if models.all {
        filter = filter.include_uncallable();
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedrock_catalog::{DestinationsEntry, RouteEntry};

    #[test]
    fn a_profile_matches_by_one_route_not_by_two() {
        let mut document = Catalog::bundled().to_document();
        let route = |model: &'static str, source: &'static str| {
            RouteEntry::new(model, vec![source.into()], DestinationsEntry::Global)
        };
        let (nova, lite) = ("amazon.nova-pro-v1:0", "amazon.nova-lite-v1:0");
        let mut profile = bedrock_catalog::ProfileEntry::new("acme.two");
        profile.routes = vec![route(nova, "eu-west-1"), route(lite, "us-east-1")];
        document.profiles.push(profile);
        let catalog = Catalog::from_document(&document).unwrap();
        let profile = catalog.profile("acme.two").unwrap();
        assert!(serves(profile, None, None));
        assert!(serves(profile, Some(nova), None));
        assert!(serves(profile, None, Some("us-east-1")));
        assert!(serves(profile, Some(nova), Some("eu-west-1")));
        assert!(!serves(profile, Some(nova), Some("us-east-1")));
    }
}
