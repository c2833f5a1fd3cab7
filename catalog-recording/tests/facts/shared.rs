//! The real inputs, which are never part of a clone: tests are left out, and say so, where they are absent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bedrock_catalog_data::facts::{Decimal, PriceKind, PriceRouteKind, Tier};
use bedrock_catalog_data::{Catalog, Geography};
use bedrock_catalog_recording::{
    FactsInput, FactsInputs, Recording, facts_from_json, facts_to_json, make_facts,
};
use serde_json::Value;

use crate::committed::committed;
use crate::file;

/// A file or folder beside the checkout.
fn shared(test: &str, path: &str) -> Option<PathBuf> {
    let path = file("../../shared").join(path);
    if !path.exists() {
        eprintln!("LEFT OUT {test}: {} is absent", path.display());
        return None;
    }
    Some(path)
}

fn litellm(test: &str) -> Option<Vec<u8>> {
    let path = shared(test, "facts/litellm-bedrock-2026-11-20.json")?;
    Some(std::fs::read(path).unwrap())
}

/// The recordings of a folder of recordings, each named by its day.
fn recordings(folder: &std::path::Path) -> Vec<Recording> {
    let folders = std::fs::read_dir(folder).unwrap();
    let mut folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|folder| recording(folder)).collect()
}

fn recording(folder: &std::path::Path) -> Recording {
    let day: bedrock_catalog_data::Date = folder
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    Recording::read(folder, Some(day.midnight())).unwrap()
}

#[test]
fn the_committed_facts_are_made_of_the_shared_inputs() {
    let test = "the_committed_facts_are_made_of_the_shared_inputs";
    let (Some(litellm), Some(folder), Some(history), Some(second)) = (
        litellm(test),
        shared(test, "facts"),
        shared(test, "recordings/history"),
        shared(test, "recordings/2026-08-22"),
    ) else {
        return;
    };
    // The bundle is renewed without a person, the facts are not.
    let document = facts_from_json(&committed()).unwrap();
    let of = document.sources["listing"].as_of;
    if of != Catalog::bundled().observed_at().date() {
        eprintln!("LEFT OUT {test}: the facts are of the bundle of {of}");
        return;
    }
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let cards = read("model-cards.json");
    let mantle = read("mantle-2026-10-27-mirai73.json");
    let quotas = read("quota-codes-2026-10-09-bedrock-usage-analyzer.csv");
    let mut history = recordings(&history);
    history.push(recording(&second));
    let input = |text, day: &str| Some(FactsInput::new(text, day.parse().unwrap()));
    let mut inputs = FactsInputs::new(Catalog::bundled());
    inputs.litellm = input(&litellm, "2026-11-20");
    inputs.cards = input(&cards, "2026-08-22");
    inputs.mantle = input(&mantle, "2026-10-27");
    inputs.quotas = input(&quotas, "2026-10-09");
    inputs.history = &history;
    let made = make_facts(&inputs).unwrap();
    assert!(facts_to_json(&made.document).into_bytes() == committed());
}

/// Read again without any code of the product: a price as digits and a power of ten.
fn exact(number: &Value) -> (u128, i32) {
    let text = number.to_string();
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa: u128 = format!("{whole}{fraction}").parse().unwrap();
    let exponent: i32 = exponent.parse().unwrap();
    (mantissa, exponent - i32::try_from(fraction.len()).unwrap())
}

/// Whether `per_million` is the price times a million.
fn is_times_a_million(per_million: Decimal, price: (u128, i32)) -> bool {
    let scale = i32::from(per_million.scale());
    let exponent = price.1 + 6 + scale;
    let power = 10u128.pow(exponent.unsigned_abs());
    match exponent >= 0 {
        true => per_million.mantissa() == price.0 * power,
        false => per_million.mantissa() * power == price.0,
    }
}

/// Every price of every profile equals its prefixed entry in the input.
#[test]
fn every_price_of_a_profile_equals_its_prefixed_entry() {
    let Some(text) = litellm("every_price_of_a_profile_equals_its_prefixed_entry") else {
        return;
    };
    let map: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(&text).unwrap();
    let catalog = Catalog::bundled();
    let members = [
        (Tier::Standard, PriceKind::Input, "input_cost_per_token"),
        (Tier::Standard, PriceKind::Output, "output_cost_per_token"),
        (
            Tier::Standard,
            PriceKind::CacheRead,
            "cache_read_input_token_cost",
        ),
        (
            Tier::Standard,
            PriceKind::CacheWrite,
            "cache_creation_input_token_cost",
        ),
        (
            Tier::Batch,
            PriceKind::Input,
            "input_cost_per_token_batches",
        ),
        (Tier::Flex, PriceKind::Output, "output_cost_per_token_flex"),
        (
            Tier::Priority,
            PriceKind::Input,
            "input_cost_per_token_priority",
        ),
    ];
    let (mut profiles, mut prices) = (BTreeSet::new(), 0);
    for profile in catalog.profiles() {
        let Some(entry) = map.get(profile.id()) else {
            continue;
        };
        let access = profile.routes().next().unwrap().access;
        let mut routes = access.routes();
        let route = routes
            .find(|route| route.profile() == Some(profile))
            .unwrap();
        for (tier, kind, member) in &members {
            let stated = entry
                .get(*member)
                .map(exact)
                .filter(|(mantissa, _)| *mantissa > 0);
            let known = route.price(tier).and_then(|set| set.price(kind));
            match (stated, known) {
                (None, None) => {}
                (Some(stated), Some(known)) => {
                    assert!(
                        is_times_a_million(known.amount, stated),
                        "{} {member}",
                        profile.id()
                    );
                    profiles.insert(profile.id());
                    prices += 1;
                }
                (stated, known) => panic!("{} {member}: {stated:?} {known:?}", profile.id()),
            }
        }
    }
    assert!(
        profiles.len() >= 119 && prices >= 460,
        "{} {prices}",
        profiles.len()
    );
}

/// AWS's public price list, to check figures against. Nothing of it is committed.
#[test]
fn prices_agree_with_the_public_price_list() {
    let test = "prices_agree_with_the_public_price_list";
    let Some(path) = shared(test, "facts/aws-price-list-2026-08-20-aToy0m0.json") else {
        return;
    };
    let list: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters
            .collect::<String>()
            .to_ascii_lowercase()
            .replace("instruct", "")
    };
    // By name, whether it is through a global profile, and region.
    let mut listed: BTreeMap<(String, bool, String), (f64, f64)> = BTreeMap::new();
    for row in list["rows"].as_array().unwrap() {
        let name = row["m"].as_str().unwrap();
        // The list marks batches and cross-region rows with a suffix in Japanese.
        let global = name.contains("クロスリージョン");
        if name.contains("バッチ") {
            continue;
        }
        let (Some(input), output) = (row["i"].as_f64(), row["o"].as_f64().unwrap_or(0.0)) else {
            continue;
        };
        for region in row["r"].as_array().unwrap() {
            let region = region.as_str().unwrap().to_owned();
            listed.insert((plain(name), global, region), (input, output));
        }
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for model in Catalog::bundled().models() {
        let name = plain(model.name().unwrap_or_default());
        for set in model.facts().into_iter().flat_map(|facts| facts.prices()) {
            let (Some(input), Some(&Tier::Standard)) = (set.price(&PriceKind::Input), set.tier())
            else {
                continue;
            };
            let output = set.price(&PriceKind::Output).map(|price| price.amount);
            let regions: Vec<&str> = match (set.kind(), set.geography()) {
                (PriceRouteKind::InRegion, _) => set.regions().collect(),
                (PriceRouteKind::Global, _) => vec!["us-east-1"],
                (_, Some(Geography::Us)) => vec!["us-east-1"],
                (_, Some(Geography::Eu)) => vec!["eu-central-1"],
                (_, Some(Geography::Jp)) => vec!["ap-northeast-1"],
                (_, Some(Geography::Au)) => vec!["ap-southeast-2"],
                // The list has the price of the source region, which differs for Nova.
                _ => continue,
            };
            // Its price changed after the day of the list.
            if model.id() == "qwen.qwen3-next-80b-a3b" {
                continue;
            }
            for region in regions {
                let global = set.kind() == PriceRouteKind::Global;
                let key = (name.clone(), global, region.to_owned());
                let Some((of_input, of_output)) = listed.get(&key) else {
                    continue;
                };
                let near = |amount: Decimal, stated: f64| {
                    (amount.to_string().parse::<f64>().unwrap() - stated).abs() < 1e-6
                };
                assert!(
                    near(input.amount, *of_input),
                    "{} {key:?} {input}",
                    model.id()
                );
                let output = output.unwrap_or(Decimal::ZERO);
                assert!(
                    *of_output == 0.0 || near(output, *of_output),
                    "{} {key:?}",
                    model.id()
                );
                let kind = set
                    .geography()
                    .map_or(set.kind().to_string(), ToString::to_string);
                *counts.entry(kind).or_default() += 1;
            }
        }
    }
    eprintln!("COUNTED prices equal to the price list: {counts:?}");
    for (kind, least) in [
        ("us", 20),
        ("eu", 10),
        ("global", 10),
        ("jp", 5),
        ("au", 5),
        ("in-region", 120),
    ] {
        assert!(
            counts.get(kind).is_some_and(|count| *count >= least),
            "{kind}: {counts:?}"
        );
    }
}

/// Ids that the cases know as gone are former, each of them.
#[test]
fn ids_that_are_gone_in_the_cases_are_former() {
    let Some(path) = shared(
        "ids_that_are_gone_in_the_cases_are_former",
        "cases/strings.jsonl",
    ) else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        if !["model-id-gone", "profile-id-gone"].contains(&case["kind"].as_str().unwrap()) {
            continue;
        }
        let id = case["text"].as_str().unwrap();
        assert!(Catalog::bundled().former(id).is_some(), "{id}");
        count += 1;
    }
    assert!(count >= 14, "{count}");
}
