//! From a question to its answer, out of a catalog.

use bedrock_catalog::{Catalog, Date, Filter, Modality, Policy, QueryError, RegionId};

use crate::args::{Models, Question};
use crate::output::Output;
use crate::{answers, text};

/// Answers a question that a catalog alone can answer.
pub(crate) fn answer(
    output: &Output,
    catalog: &Catalog,
    question: &Question,
    today: Date,
) -> Result<(), QueryError> {
    match question {
        Question::Models(models) => {
            let day = models.at.unwrap_or(today);
            let filter = filter(catalog, models, day)?;
            let found: Vec<_> = catalog.select(&filter).collect();
            match output.is_json() {
                true => {
                    let answers = found.iter().map(|&model| answers::model(model, day));
                    output.json(&answers.collect::<Vec<_>>());
                }
                false => output.text(&text::models(&found, day)),
            }
        }
        Question::Model { id, .. } => {
            let model = catalog.model(id).ok_or_else(|| catalog.unknown_model(id))?;
            match output.is_json() {
                true => output.json(&answers::model(model, today)),
                false => output.text(&text::model(model, today)),
            }
        }
        Question::Access { all: true, .. } => {
            let rows = catalog.accesses();
            match output.is_json() {
                true => output.json_lines(rows.map(|access| answers::access(access))),
                false => output.text(&text::accesses(&rows.collect::<Vec<_>>())),
            }
        }
        Question::Access { model, region, .. } => {
            let (model, region) = (model.as_deref(), region.as_deref());
            let access = catalog.access(model.unwrap_or_default(), region.unwrap_or_default())?;
            match output.is_json() {
                true => output.json(&answers::access(access)),
                false => output.text(&text::access(access)),
            }
        }
        Question::Route {
            model,
            region,
            policy,
            within,
            ..
        } => {
            let within: Vec<&str> = within.iter().map(|entry| entry.trim()).collect();
            let policy = match within.is_empty() {
                true => Policy::from(*policy),
                false => Policy::Within(&within),
            };
            let route = catalog.route(model, region, policy)?;
            match output.is_json() {
                true => output.json(&answers::route(route, policy)),
                false => output.text(&text::route(route)),
            }
            if let Some(warning) = text::ending(route.model(), today) {
                output.warn(&warning);
            }
        }
        Question::Profiles {
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
            let wanted = catalog.profiles().filter(|profile| {
                let serves = |id: &String| profile.models().any(|model| model.id() == id);
                let from = |id: &String| profile.routes().any(|r| r.access.region().id() == id);
                let scope = |word: &String| {
                    profile
                        .geography()
                        .is_some_and(|scope| scope.as_str().eq_ignore_ascii_case(word))
                };
                model.as_ref().is_none_or(serves)
                    && region.as_ref().is_none_or(from)
                    && geography.as_ref().is_none_or(scope)
            });
            match output.is_json() {
                true => output.json(&wanted.map(answers::profile).collect::<Vec<_>>()),
                false => output.text(&text::profiles(&wanted.collect::<Vec<_>>())),
            }
        }
        Question::Regions { .. } => match output.is_json() {
            true => output.json(&catalog.regions().map(answers::region).collect::<Vec<_>>()),
            false => output.text(&text::regions(&catalog.regions().collect::<Vec<_>>())),
        },
        // Of the live catalog, not of a catalog.
        Question::Status { .. } | Question::Refresh { .. } | Question::Cache { .. } => {}
    }
    Ok(())
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
        filter = filter.status(status.into(), day);
    }
    if models.all {
        filter = filter.without_way_in();
    }
    Ok(filter)
}
