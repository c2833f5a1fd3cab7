//! What holds for every recording.

use std::collections::BTreeSet;

use bedrock_catalog::recording::Recording;
use bedrock_catalog::{
    Catalog, Customization, Date, Filter, Modality, Policy, QueryErrorKind, RegionId, Status,
    catalog_from_json, catalog_to_json, catalog_to_json_pretty, transform,
};
use bedrock_catalog_gen::{baked_in_memory, named};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::answers::answers;
use crate::arbitrary::{MODELS, REGIONS, recording, reversed};
use crate::plain;

fn config() -> ProptestConfig {
    // The number of cases is the environment's.
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The catalog of a recording after a previous one, as a build makes it.
fn build(recording: &Recording, previous: Option<&Catalog>) -> Catalog {
    let (document, problems) = transform(recording, previous);
    assert_eq!(problems, []);
    named(document, previous).unwrap()
}

/// A catalog that has a past: none, one or two recordings before it.
fn catalog() -> impl Strategy<Value = Catalog> {
    proptest::collection::vec(recording(), 1..=3).prop_map(|recordings| {
        let mut last = None;
        for recording in &recordings {
            last = Some(build(recording, last.as_ref()));
        }
        last.unwrap()
    })
}

fn within() -> impl Strategy<Value = Vec<&'static str>> {
    let entries = [
        "eu-1", "eu-2", "us-1", "us-2", "eu-*", "us-*", "*", "\u{1b}*", "eu", "*-1",
    ];
    subsequence(entries.to_vec(), 0..=4)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_recording_is_read_as_it_stands(recording in recording()) {
        let (document, problems) = transform(&recording, None);
        prop_assert_eq!(problems, []);
        let expected = plain::of_recording(&recording);
        prop_assert_eq!(&plain::of_document(&document), &expected);
        let catalog = Catalog::from_document(&document).unwrap();
        prop_assert_eq!(&plain::of_catalog(&catalog), &expected);
        prop_assert_eq!(transform(&reversed(&recording), None).0, document);
    }

    #[test]
    fn a_baked_catalog_answers_as_the_built_one(catalog in catalog()) {
        let baked = baked_in_memory(&catalog);
        prop_assert_eq!(answers(&baked), answers(&catalog));
        prop_assert_eq!(&baked, &catalog);
    }

    #[test]
    fn a_route_is_the_best_way_the_policy_allows(catalog in catalog(), within in within()) {
        let pairs = plain::of_document(&catalog.to_document());
        let baked = baked_in_memory(&catalog);
        let policies = [
            Policy::InRegion, Policy::Geography, Policy::Any, Policy::Global, Policy::Within(&within),
        ];
        for (model, region) in MODELS.iter().flat_map(|m| REGIONS.map(|r| (*m, r))) {
            let ways = pairs.get(&(model.to_owned(), region.to_owned()));
            for catalog in [&catalog, &baked] {
                let access = catalog.access(model, region);
                prop_assert_eq!(access.is_ok(), ways.is_some(), "availability and lookup agree");
                let handle = catalog.model(model);
                prop_assert_eq!(handle.and_then(|m| m.access(region)).is_some(), ways.is_some());
                for policy in policies {
                    let expected = ways.and_then(|ways| ways.route(model, region, policy));
                    let route = catalog.route(model, region, policy);
                    if let Some(handle) = handle {
                        let id = |r: bedrock_catalog::Route<'_>| r.inference_id().to_owned();
                        let again = handle.route(region, policy).map(id);
                        prop_assert_eq!(again.ok(), route.as_ref().ok().map(|&route| id(route)));
                    }
                    let Ok(route) = route else {
                        prop_assert_eq!(None, expected, "{} {} {}", model, region, policy);
                        continue;
                    };
                    let to = route.destinations();
                    let regions: BTreeSet<String> = to.iter().map(str::to_owned).collect();
                    let found = (route.inference_id().to_owned(), (!to.is_global()).then_some(regions));
                    prop_assert_eq!(Some(&found), expected.as_ref());
                    // Access lists what a route says.
                    let ways = ways.unwrap();
                    match route.profile() {
                        Some(profile) => prop_assert_eq!(ways.profiles.get(profile.id()), Some(&found.1)),
                        None => prop_assert!(ways.on_demand() && found.0 == model),
                    }
                    if let Policy::Within(within) = policy {
                        prop_assert!(to.are_within(within));
                    }
                }
            }
        }
    }

    #[test]
    fn a_no_names_what_would_be_a_yes(catalog in catalog()) {
        for (model, region) in MODELS.iter().flat_map(|m| REGIONS.map(|r| (*m, r))) {
            let Err(error) = catalog.route(model, region, Policy::InRegion) else { continue };
            let suggested = error.suggestions().iter().map(String::as_str);
            match error.kind() {
                QueryErrorKind::PolicyForbids => for policy in suggested {
                    let policy = match policy {
                        "geography" => Policy::Geography,
                        "any" => Policy::Any,
                        "global" => Policy::Global,
                        other => panic!("{other}"),
                    };
                    prop_assert!(catalog.route(model, region, policy).is_ok());
                },
                QueryErrorKind::NotInRegion => for region in suggested {
                    prop_assert!(catalog.access(model, region).is_ok());
                },
                QueryErrorKind::ProvisionedOnly | QueryErrorKind::NoWayIn => {
                    prop_assert!(catalog.route(model, region, Policy::Any).is_err());
                }
                QueryErrorKind::Retired => prop_assert!(catalog.model(model).unwrap().is_retired()),
                QueryErrorKind::UnknownModel => prop_assert!(catalog.model(model).is_none()),
                QueryErrorKind::UnknownRegion => prop_assert!(catalog.region(region).is_none()),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_filter_lets_through_what_fits(
        catalog in catalog(),
        region in proptest::option::of(select(&REGIONS)),
        input in proptest::option::of(select(&["TEXT", "SMELL", "IMAGE"])),
        custom in proptest::option::of(select(&["TEXT", "FINE_TUNING"])),
        streaming in any::<Option<bool>>(),
        status in proptest::option::of(select(&[
            Status::Active, Status::Legacy, Status::Ended, Status::Retired, Status::Unknown,
        ])),
        everything in any::<bool>(),
    ) {
        let day: Date = "2026-09-01".parse().unwrap();
        let mut filter = Filter::new();
        if let Some(region) = region { filter = filter.region(RegionId::from(region)); }
        if let Some(word) = input { filter = filter.input(Modality::from(word)); }
        if let Some(word) = custom { filter = filter.customization(Customization::from(word)); }
        if let Some(streams) = streaming { filter = filter.streaming(streams); }
        if let Some(status) = status { filter = filter.status(status, day); }
        if everything { filter = filter.without_way_in(); }

        let pairs = plain::of_document(&catalog.to_document());
        let expected: Vec<&str> = catalog.all_models().filter(|model| {
            let mut places = pairs.iter().filter(|((id, place), _)| {
                id == model.id() && region.is_none_or(|region| region == place)
            });
            let retired = status == Some(Status::Retired);
            let there = match (region, retired) {
                (None, true) => true,
                (None, false) => everything || places.any(|(_, ways)| ways.has_way_in()),
                (Some(_), _) => places.any(|(_, ways)| everything || ways.has_way_in()),
            };
            let says = |words: Option<Vec<String>>, word: &str| {
                words.is_some_and(|words| words.iter().any(|w| w == word))
            };
            let inputs = model.input_modalities().map(|l| l.iter().map(|w| w.to_string()).collect());
            let customs = model.customizations().map(|l| l.iter().map(|w| w.to_string()).collect());
            there
                && model.is_retired() == retired
                && input.is_none_or(|word| says(inputs, word))
                && custom.is_none_or(|word| says(customs, word))
                && streaming.is_none_or(|streams| model.streaming() == Some(streams))
                && status.is_none_or(|status| model.status_at(day) == status)
        }).map(|model| model.id()).collect();
        for catalog in [&catalog, &baked_in_memory(&catalog)] {
            let found: Vec<&str> = catalog.select(&filter).map(|model| model.id()).collect();
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn a_catalog_comes_back_from_its_document_and_its_json(catalog in catalog()) {
        let document = catalog.to_document();
        let again = Catalog::from_document(&document).unwrap();
        prop_assert_eq!(&again.to_document(), &document);
        for json in [catalog_to_json(&catalog), catalog_to_json_pretty(&catalog)] {
            let read = catalog_from_json(json.as_bytes()).unwrap();
            prop_assert_eq!(&read, &catalog);
            prop_assert_eq!(answers(&read), answers(&catalog));
        }
        // Any order is read, as the same catalog.
        let mut mixed = document.clone();
        mixed.models.reverse();
        mixed.profiles.reverse();
        mixed.regions.reverse();
        for profile in &mut mixed.profiles {
            profile.routes.reverse();
            profile.routes.iter_mut().for_each(|route| route.sources.reverse());
        }
        let mixed = Catalog::from_document(&mixed).unwrap();
        prop_assert_eq!(&mixed.to_document(), &document);
    }

    #[test]
    fn a_build_is_settled_after_the_first(before in catalog(), recording in recording()) {
        let first = build(&recording, Some(&before));
        let second = build(&recording, Some(&first));
        prop_assert_eq!(second.to_document(), first.to_document());
    }

    #[test]
    fn a_catalog_is_the_catalog_of_its_recording(catalog in catalog()) {
        // A region that was never heard leaves no trace in a catalog but the models it may have.
        let unheard = catalog.models().any(|model| model.regions().len() == 0)
            || catalog.profiles().any(|p| p.last_seen().is_some());
        let stale = catalog.regions().any(|region| region.stale_since().is_some());
        prop_assume!(stale || !unheard);
        let again = build(&Recording::of_catalog(&catalog), Some(&catalog));
        prop_assert_eq!(again.to_document(), catalog.to_document());
    }

    #[test]
    fn a_region_without_an_answer_loses_nothing(before in catalog(), recording in recording()) {
        let after = build(&recording, Some(&before));
        let (old, new) = (plain::of_catalog(&before), plain::of_catalog(&after));
        for region in before.regions() {
            let id = region.id();
            if recording.regions.contains_key(id) {
                prop_assert_eq!(after.region(id).unwrap().stale_since(), None);
                continue;
            }
            if !recording.failures.contains_key(id) {
                // Neither asked nor failed: gone, but for its name.
                prop_assert!(after.region(id).is_none());
                prop_assert!(after.known_regions().any(|known| known == id));
                continue;
            }
            let since = region.stale_since().unwrap_or(before.observed_at());
            prop_assert_eq!(after.region(id).unwrap().stale_since(), Some(since));
            let of = |pairs: &plain::Pairs| -> plain::Pairs {
                let own = pairs.iter().filter(|((_, region), _)| region == id);
                own.map(|(pair, ways)| (pair.clone(), ways.clone())).collect()
            };
            prop_assert_eq!(of(&new), of(&old));
        }
        // What answered is as it was answered.
        for (pair, ways) in plain::of_recording(&recording) {
            prop_assert_eq!(new.get(&pair), Some(&ways));
        }
    }

    #[test]
    fn retired_is_what_a_complete_recording_lacks(before in catalog(), recording in recording()) {
        let after = build(&recording, Some(&before));
        let complete = recording.failures.is_empty();
        for old in before.all_models() {
            let new = after.model(old.id()).expect("no model vanishes");
            let there = new.regions().len() > 0;
            prop_assert_eq!(new.is_retired(), !there && (complete || old.is_retired()));
            if there {
                let observed = |region: bedrock_catalog::Region<'_>| {
                    region.stale_since().unwrap_or(after.observed_at()).date()
                };
                prop_assert_eq!(Some(new.last_seen()), new.regions().map(observed).max());
                continue;
            }
            prop_assert_eq!(new.last_seen(), old.last_seen());
            prop_assert_eq!((new.name(), new.streaming()), (old.name(), old.streaming()));
            for region in REGIONS {
                prop_assert!(after.access(old.id(), region).is_err());
            }
        }
        for old in before.all_profiles() {
            let new = after.profile(old.id()).expect("no profile vanishes");
            let there = new.routes().next().is_some();
            prop_assert_eq!(new.is_retired(), !there && (complete || old.is_retired()));
            if !there {
                // The last day one of its rows was observed.
                let seen = old.routes().map(|route| {
                    route.access.region().stale_since().unwrap_or(before.observed_at()).date()
                });
                prop_assert_eq!(new.last_seen(), old.last_seen().or(seen.max()));
                prop_assert_eq!(new.geography(), old.geography());
            }
        }
    }

    #[test]
    fn names_of_constants_are_given_once(before in catalog(), recording in recording()) {
        let after = build(&recording, Some(&before));
        let name = |catalog: &Catalog, id: &str| {
            let model = catalog.all_models().find(|model| model.id() == id)?;
            let given = model.constant().map(str::to_owned);
            Some(given.unwrap_or_else(|| bedrock_catalog_gen::constant_name(id)))
        };
        let all: Vec<String> =
            after.all_models().map(|model| name(&after, model.id()).unwrap()).collect();
        prop_assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for old in before.all_models() {
            prop_assert_eq!(name(&after, old.id()), name(&before, old.id()));
        }
    }
}
