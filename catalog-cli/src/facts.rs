//! The facts of a model for people: limits, capabilities, prices, each with its source.

use std::collections::BTreeSet;
use std::fmt::Write;

use bedrock_catalog::facts::{
    Endpoint, Fact, FactSource, Facts, PriceRoute, PriceRouteKind, PriceSet, Quota,
};
use bedrock_catalog::{Geography, Model};

use crate::output::plain;
use crate::text::lines;

/// `VALUE (SOURCE, DATE)`.
fn sourced<T>(value: String, fact: &Fact<'_, T>) -> String {
    let base = fact
        .inherited_from
        .map(|base| format!(", of {base}"))
        .unwrap_or_default();
    format!("{value} ({}{base})", source(fact.source))
}

fn source(source: FactSource<'_>) -> String {
    format!("{}, {}", source.name, source.as_of)
}

/// The end of life with its source; empty if it is unknown.
pub(crate) fn end(model: Model<'_>) -> String {
    let end = model.end_of_life();
    end.map(|end| match model.lifecycle().end_of_life() {
        Some(date) => date.to_string(),
        None => sourced(end.value.to_string(), &end),
    })
    .unwrap_or_default()
}

/// A number with its thousands apart: `1,000,000`.
fn number(number: u32) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn tokens(fact: Option<Fact<'_, u32>>) -> String {
    fact.map(|fact| sourced(format!("{} tokens", number(fact.value)), &fact))
        .unwrap_or_default()
}

fn joined<I: IntoIterator<Item: AsRef<str>>>(items: I) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| item.as_ref().to_owned())
        .collect();
    items.join(", ")
}

/// All facts of a model as lines; empty if nothing is known.
pub(crate) fn model(model: Model<'_>) -> String {
    let Some(facts) = model.facts() else {
        return String::new();
    };
    let with = |wanted: bool| {
        let known = facts.capabilities();
        let terms = known.filter(|(_, fact)| fact.value == wanted);
        joined(terms.map(|(capability, _)| capability))
    };
    let apis = facts.apis();
    let levels = facts.reasoning_levels();
    let successor = model.successor();
    let later = facts.no_sooner_than();
    let mut text = lines(&[
        ("context", tokens(facts.context_window())),
        ("max output", tokens(facts.max_output_tokens())),
        (
            "apis",
            apis.map(|fact| sourced(joined(fact.value.clone()), &fact))
                .unwrap_or_default(),
        ),
        ("can", with(true)),
        ("cannot", with(false)),
        (
            "reasoning",
            levels
                .map(|fact| sourced(joined(fact.value.clone()), &fact))
                .unwrap_or_default(),
        ),
        ("cached from", tokens(facts.prompt_cache_min_tokens())),
        (
            "not before",
            later
                .map(|fact| sourced(fact.value.to_string(), &fact))
                .unwrap_or_default(),
        ),
        (
            "successor",
            successor
                .map(|fact| sourced(fact.value.to_owned(), &fact))
                .unwrap_or_default(),
        ),
        ("mantle", mantle(model)),
        ("quotas", quotas(facts)),
    ]);
    text.push_str(&prices(model, facts));
    text
}

/// The ids on bedrock-mantle with their regions.
fn mantle(model: Model<'_>) -> String {
    let ids = model.endpoints().filter_map(|endpoint| match endpoint {
        Endpoint::Mantle(mantle) => {
            let regions = joined(mantle.regions());
            Some(match regions.is_empty() {
                true => mantle.id().to_owned(),
                false => format!("{} in {regions}", mantle.id()),
            })
        }
        _ => None,
    });
    ids.collect::<Vec<_>>().join("; ")
}

/// The number of quota codes; the codes are in the JSON.
fn quotas(facts: Facts<'_>) -> String {
    let Some(fact) = facts.quotas() else {
        return String::new();
    };
    let codes: BTreeSet<&str> = fact
        .value
        .clone()
        .map(|quota: Quota<'_>| quota.code)
        .collect();
    sourced(format!("{} codes, see --json", codes.len()), &fact)
}

/// Whether a route of the model in its catalog has the prices.
fn is_of(model: Model<'_>, set: PriceSet<'_>) -> bool {
    match set.kind() {
        PriceRouteKind::InRegion => model
            .regions()
            .any(|region| set.holds_for(PriceRoute::InRegion(region.id()))),
        PriceRouteKind::Mantle => true,
        _ => model.profiles().any(|profile| match profile.geography() {
            Some(Geography::Global) => set.kind() == PriceRouteKind::Global,
            geography => geography.is_some() && geography == set.geography(),
        }),
    }
}

/// The prices of the routes that there are, one line for each route and tier.
fn prices(model: Model<'_>, facts: Facts<'_>) -> String {
    let mut text = String::new();
    for set in facts.prices().filter(|set| is_of(model, *set)) {
        if text.is_empty() {
            let source = set.source().map(source).unwrap_or_default();
            let heading = format!("prices, {} ({source})", set.currency());
            let _ = writeln!(text, "  {}", plain(&heading));
        }
        let _ = writeln!(text, "    {}", plain(&price(set)));
    }
    text
}

fn price(set: PriceSet<'_>) -> String {
    let mut line = set.kind().to_string();
    if let Some(geography) = set.geography() {
        let _ = write!(line, " {geography}");
    }
    let regions = joined(set.regions());
    if !regions.is_empty() {
        let _ = write!(line, " {regions}");
    }
    if let Some(tier) = set.tier() {
        let _ = write!(line, ", {tier}");
    }
    let mut unit = None;
    for price in set.iter() {
        let next = (price.unit, price.above);
        if unit.replace(next) != Some(next) {
            let _ = write!(line, "; per {}", price.unit.as_str().replace('_', " "));
            if let Some(above) = price.above {
                let _ = write!(line, " above {} of input", number(above));
            }
            line.push(':');
        }
        let kind = price.kind.as_str().replace('_', " ");
        let _ = write!(line, " {kind} {}", price.amount);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_048_576, "1,048,576"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
