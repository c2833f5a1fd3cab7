//! Properties of every recording.

use std::collections::BTreeSet;

use bedrock_catalog::recording::Recording;
use bedrock_catalog::{
    Catalog, Customization, Date, Filter, Modality, Policy, QueryErrorKind, RegionId, Status,
    catalog_from_json, catalog_to_json,
};
use bedrock_catalog_gen::{baked_in_memory, name_constants};
use bedrock_catalog_recording::{catalog_to_json_pretty, transform};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::answers::answers;
use crate::arbitrary::{MODELS, REGIONS, recording, reversed};
use crate::plain;

fn config() -> ProptestConfig {
    // The environment variable PROPTEST_CASES sets the number of cases.
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The catalog of a recording over a previous catalog, as in `build`.
fn build(recording: &Recording, previous: Option<&Catalog>) -> Catalog {
    let (document, problems) = transform(recording, previous);
    assert_eq!(problems, []);
    name_constants(document, previous).unwrap()
}

/// A catalog with up to two earlier recordings.
fn catalog() -> impl Strategy<Value = Catalog> {
    proptest::collection::vec(recording(), 1..=3).prop_map(|recordings| {
        let mut last = None;
        for recording in &recordings {
            last = Some(build(recording, last.as_ref()));
        }
        last.unwrap()
    })
}

/// Residency sets. The last two entries match no region.
fn within() -> impl Strategy<Value = Vec<&'static str>> {
    let entries = [
        "eu-1",
        "eu-2",
        "us-1",
        "us-2",
        "eu-*",
        "us-*",
        "*",
        "\u{1b}*",
        "eu-central-1",
        "eu",
        "*-1",
    ];
    subsequence(entries.to_vec(), 0..=4)
}

/// Whether every entry matches a region of the catalog or of AWS.
fn is_known(catalog: &Catalog, within: &[&str]) -> bool {
    let aws = ["eu-central-1", "us-east-1"];
    within.iter().all(|entry| {
        let mut known = catalog.known_regions().chain(aws);
        known.any(|id| match entry.split_once('*') {
            Some((prefix, "")) => id.starts_with(prefix),
            _ => id == *entry,
        })
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_transform_keeps_every_row(recording in recording()) {
        let (document, problems) = transform(&recording, None);
        prop_assert_eq!(problems, []);
        let expected = plain::of_recording(&recording);
        prop_assert_eq!(&plain::of_document(&document), &expected);
        let catalog = Catalog::from_document(&document).unwrap();
        prop_assert_eq!(&plain::of_catalog(&catalog), &expected);
        prop_assert_eq!(transform(&reversed(&recording), None).0, document);
    }

    #[test]
    fn a_baked_catalog_answers_like_the_built_one(catalog in catalog()) {
        let baked = baked_in_memory(&catalog);
        prop_assert_eq!(answers(&baked), answers(&catalog));
        prop_assert_eq!(&baked, &catalog);
    }

    #[test]
    fn a_route_is_the_preferred_one_that_the_policy_accepts(catalog in catalog(), within in within()) {
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
                    if matches!(policy, Policy::Within(_)) && !is_known(catalog, &within) {
                        // Without access, the error is about the model or region.
                        let kind = route.unwrap_err().kind();
                        prop_assert_eq!(kind == QueryErrorKind::UnknownResidency, ways.is_some());
                        prop_assert!(catalog.routes_within(&within).is_err());
                        continue;
                    }
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
                    // The route is one of the accesses.
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
    fn suggestions_of_errors_are_right(catalog in catalog()) {
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
                // Some ids are profiles: `c.a.b` serves `a.b`.
                QueryErrorKind::Retired => match catalog.model(model) {
                    Some(model) => prop_assert!(model.is_retired()),
                    None => prop_assert!(catalog.profile(model).unwrap().is_retired()),
                },
                QueryErrorKind::NotASource => {
                    let profile = catalog.profile(model).unwrap();
                    prop_assert!(!profile.routes().any(|route| route.access.region().id() == region));
                    for id in suggested {
                        let leads_there = profile.models().any(|model| {
                            let route = model.route(region, Policy::InRegion);
                            route.is_ok_and(|route| route.inference_id() == id)
                        });
                        prop_assert!(leads_there);
                    }
                }
                QueryErrorKind::UnknownModel => prop_assert!(catalog.model(model).is_none()),
                QueryErrorKind::UnknownRegion | QueryErrorKind::OtherPartition => {
                    prop_assert!(catalog.region(region).is_none());
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_filter_selects_the_matching_models(
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
        if everything { filter = filter.include_uncallable(); }

        let pairs = plain::of_document(&catalog.to_document());
        let expected: Vec<&str> = catalog.all_models().filter(|model| {
            let mut places = pairs.iter().filter(|((id, place), _)| {
                id == model.id() && region.is_none_or(|region| region == place)
            });
            let retired = status == Some(Status::Retired);
            let there = match (region, retired) {
                (None, true) => true,
                (None, false) => everything || places.any(|(_, ways)| ways.is_callable()),
                (Some(_), _) => places.any(|(_, ways)| everything || ways.is_callable()),
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
    fn a_catalog_round_trips_through_its_document_and_json(catalog in catalog()) {
        let document = catalog.to_document();
        let again = Catalog::from_document(&document).unwrap();
        prop_assert_eq!(&again.to_document(), &document);
        for json in [catalog_to_json(&catalog), catalog_to_json_pretty(&catalog)] {
            let read = catalog_from_json(json.as_bytes()).unwrap();
            prop_assert_eq!(&read, &catalog);
            prop_assert_eq!(answers(&read), answers(&catalog));
        }
        // The order of lists does not matter.
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
    fn a_second_build_changes_nothing(before in catalog(), recording in recording()) {
        let first = build(&recording, Some(&before));
        let second = build(&recording, Some(&first));
        prop_assert_eq!(second.to_document(), first.to_document());
    }

    #[test]
    fn a_catalog_round_trips_through_its_recording(catalog in catalog()) {
        // A region that never answered leaves no trace except models that may be there.
        let unheard = catalog.models().any(|model| model.regions().len() == 0)
            || catalog.profiles().any(|p| p.last_seen().is_some());
        let stale = catalog.regions().any(|region| region.stale_since().is_some());
        prop_assume!(stale || !unheard);
        let again = build(&Recording::of_catalog(&catalog), Some(&catalog));
        prop_assert_eq!(again.to_document(), catalog.to_document());
    }

    #[test]
    fn a_failed_region_keeps_its_rows(before in catalog(), recording in recording()) {
        let after = build(&recording, Some(&before));
        let (old, new) = (plain::of_catalog(&before), plain::of_catalog(&after));
        for region in before.regions() {
            let id = region.id();
            if recording.regions.contains_key(id) {
                prop_assert_eq!(after.region(id).unwrap().stale_since(), None);
                continue;
            }
            if !recording.failures.contains_key(id) {
                // Neither asked nor failed: only the id stays.
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
        // Regions that answered have exactly their rows.
        for (pair, ways) in plain::of_recording(&recording) {
            prop_assert_eq!(new.get(&pair), Some(&ways));
        }
    }

    #[test]
    fn models_missing_in_a_complete_recording_are_retired(before in catalog(), recording in recording()) {
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
                // The day of the newest of its rows.
                let seen = old.routes().map(|route| {
                    route.access.region().stale_since().unwrap_or(before.observed_at()).date()
                });
                prop_assert_eq!(new.last_seen(), old.last_seen().or(seen.max()));
                prop_assert_eq!(new.geography(), old.geography());
            }
        }
    }

    #[test]
    fn names_of_constants_are_unique_and_never_change(before in catalog(), recording in recording()) {
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
