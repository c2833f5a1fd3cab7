//! The answers of a catalog as text. Compiled into the tests and into the program with the baked
//! catalogs, to compare both.

use bedrock_catalog::{Catalog, Policy};
use std::fmt::Write;

/// The answers to every question about known ids, and to some about unknown ones.
pub(crate) fn answers(catalog: &Catalog) -> String {
    let mut text = format!("{} {}\n", catalog.partition(), catalog.observed_at());
    let misses = ["", "a", "no.such", "eu", "global.", "a.b.c"];
    let models: Vec<&str> = catalog
        .all_models()
        .map(|model| model.id())
        .chain(misses)
        .collect();
    let regions: Vec<&str> = catalog
        .regions()
        .map(|region| region.id())
        .chain(misses)
        .collect();
    for &id in &models {
        let Some(model) = catalog.model(id) else {
            let _ = writeln!(text, "no model {id:?}");
            continue;
        };
        let profiles: Vec<_> = model.profiles().map(|profile| profile.id()).collect();
        let _ = writeln!(
            text,
            "model {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {} {} {:?}",
            model.id(),
            model.name(),
            model.provider(),
            model.input_modalities(),
            model.output_modalities(),
            model.streaming(),
            model.customizations(),
            model.lifecycle(),
            model.last_seen(),
            model.is_retired(),
            profiles,
        );
        for &region in &regions {
            for policy in [
                Policy::InRegion,
                Policy::Geography,
                Policy::Any,
                Policy::Global,
                Policy::Within(&["eu-*"]),
                Policy::Within(&["eu-1", "us-1"]),
                Policy::Within(&["nowhere"]),
                Policy::Within(&[]),
            ] {
                let _ = match catalog.route(id, region, policy) {
                    Ok(route) => writeln!(text, "{region:?} {policy:?} {route:?}"),
                    Err(error) => writeln!(text, "{region:?} {policy:?} {error}"),
                };
            }
        }
    }
    for id in catalog
        .all_profiles()
        .map(|profile| profile.id())
        .chain(misses)
    {
        let profile = catalog.profile(id);
        let properties = profile.map(|p| {
            (
                p.name(),
                p.description(),
                p.geography(),
                p.status(),
                p.last_seen(),
            )
        });
        let _ = writeln!(text, "profile {id:?} {properties:?}");
        for route in profile.into_iter().flat_map(|profile| profile.routes()) {
            let _ = writeln!(text, "{:?} {:?}", route.access, route.destinations);
        }
    }
    for id in regions {
        let region = catalog.region(id);
        let counts = region.map(|r| {
            (
                r.model_count(),
                r.on_demand_count(),
                r.profile_count(),
                r.stale_since(),
            )
        });
        let _ = writeln!(text, "region {id:?} {counts:?}");
    }
    text
}
