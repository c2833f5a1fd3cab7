//! What a question costs, beside the alternatives, as ratios of one run: `cargo bench --bench questions`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::cast_precision_loss
)]

mod ratio;

use std::collections::HashMap;
use std::hint::black_box;

use bedrock_catalog::{Catalog, Filter, Modality, Policy, models, regions};
use ratio::{compare, contender};

/// How often each run goes over its inputs, to be far above the clock's step.
const REPEATS: usize = 50;

fn main() {
    let catalog = Catalog::bundled();
    by_string(catalog);
    by_constant(catalog);
    route_by_strings(catalog);
    filter(catalog);
    load(catalog);
}

/// Looks all keys up; they are opaque to the optimiser.
fn all<'k, R>(keys: &[&'k str], mut find: impl FnMut(&'k str) -> R) {
    for &key in keys {
        black_box(find(black_box(key)));
    }
}

/// Many picks in no order: what is asked next cannot be foreseen from what was asked before, as in
/// a program; a short loop in order would time a branch predictor that knows it by heart.
fn shuffled<'k>(keys: &[&'k str]) -> Vec<&'k str> {
    const PICKS: usize = 16_384;
    let mut state = 7u64;
    let mut next = || {
        // Knuth's MMIX generator; its high bits are good enough to pick with.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..PICKS).map(|_| keys[next() % keys.len()]).collect()
}

fn by_string(catalog: &Catalog) {
    let ids: Vec<&str> = catalog.all_models().map(|model| model.id()).collect();
    // Same lengths and beginnings as real ids, and none of them known.
    let missing: Vec<String> = ids
        .iter()
        .map(|id| format!("{}~", &id[..id.len() - 1]))
        .collect();
    let missing: Vec<&str> = missing.iter().map(|id| &**id).collect();
    let numbered = || ids.iter().copied().zip(0u16..);
    let foldhash: hashbrown::HashMap<&str, u16> = numbered().collect();
    let std_map: HashMap<&str, u16> = numbered().collect();
    let sorted: Vec<(&str, u16)> = numbered().collect();
    let phf_state = phf_generator::generate_hash(&ids);
    let phf_entries: Vec<(&str, u16)> = phf_state.map.iter().map(|&row| sorted[row]).collect();
    let phf = |key: &str| {
        let hashes = phf_shared::hash(key, &phf_state.key);
        let place = phf_shared::get_index(&hashes, &phf_state.disps, phf_entries.len());
        let (id, row) = phf_entries[place as usize];
        (id == key).then_some(row)
    };
    let (hits, misses) = (shuffled(&ids), shuffled(&missing));
    for (what, keys) in [("a hit", &hits), ("a miss", &misses)] {
        let best = compare(
            &format!("model by string, {what} ({} ids, in no order)", ids.len()),
            keys.len(),
            vec![
                contender("hashbrown + foldhash, built at run time", || {
                    all(keys, |id| foldhash.get(id))
                }),
                contender("Catalog::model, the bundle", || {
                    all(keys, |id| catalog.model(id))
                }),
                contender("std HashMap, built at run time", || {
                    all(keys, |id| std_map.get(id))
                }),
                contender("phf 0.14 (SipHash)", || all(keys, phf)),
                contender("binary search", || {
                    all(keys, |id| sorted.binary_search_by_key(&id, |&(id, _)| id))
                }),
            ],
        );
        println!("  goal: at most 0.85×; is {:.2}×", best[1] / best[0]);
    }
}

fn by_constant(catalog: &'static Catalog) {
    const MANY: usize = 10_000;
    let sonnet = catalog.model(models::ANTHROPIC_CLAUDE_SONNET_4_6).unwrap();
    let frankfurt = catalog.region(regions::EU_CENTRAL_1).unwrap();
    macro_rules! many {
        ($ask:expr) => {
            || {
                for _ in 0..MANY {
                    black_box($ask);
                }
            }
        };
    }
    compare(
        "by constant or handle (goal: at most 3 ns)",
        MANY,
        vec![
            contender("an empty loop", many!(black_box(catalog))),
            contender(
                "model by constant",
                many!(black_box(catalog).model(models::ANTHROPIC_CLAUDE_SONNET_4_6)),
            ),
            contender(
                "access by constants",
                many!(
                    black_box(catalog)
                        .access(models::ANTHROPIC_CLAUDE_SONNET_4_6, regions::EU_CENTRAL_1)
                        .unwrap()
                ),
            ),
            contender(
                "route by constants",
                many!(
                    black_box(catalog)
                        .route(
                            models::ANTHROPIC_CLAUDE_SONNET_4_6,
                            regions::EU_CENTRAL_1,
                            Policy::Geography
                        )
                        .unwrap()
                        .inference_id()
                ),
            ),
            contender(
                "access by handle",
                many!(black_box(&sonnet).access(*black_box(&frankfurt))),
            ),
            contender(
                "route by handle",
                many!(
                    black_box(&sonnet)
                        .route(*black_box(&frankfurt), Policy::Geography)
                        .unwrap()
                        .inference_id()
                ),
            ),
        ],
    );
}

fn route_by_strings(catalog: &Catalog) {
    let pairs: Vec<(&str, &str)> = catalog
        .accesses()
        .filter(|access| access.route(Policy::Any).is_ok())
        .map(|access| (access.model().id(), access.region().id()))
        .collect();
    let ids: Vec<&str> = pairs.iter().map(|&(model, _)| model).collect();
    let foldhash: hashbrown::HashMap<&str, u16> = ids.iter().copied().zip(0..).collect();
    let best = compare(
        "route by two strings (goal: at most 40 ns)",
        pairs.len(),
        vec![
            contender("hashbrown + foldhash, one of the strings alone", || {
                for &(model, _) in &pairs {
                    black_box(foldhash.get(black_box(model)));
                }
            }),
            contender("Catalog::route", || {
                for &(model, region) in &pairs {
                    let route = catalog.route(black_box(model), black_box(region), Policy::Any);
                    black_box(route.unwrap().inference_id());
                }
            }),
        ],
    );
    println!("  is {:.1} ns", best[1]);
}

fn filter(catalog: &Catalog) {
    let filter = Filter::new()
        .region("eu-central-1")
        .input(Modality::Image)
        .streaming(true);
    let models = catalog.all_models().len();
    let best = compare(
        "filter over the whole catalog: region, modality, streaming",
        REPEATS * models,
        vec![contender(
            "Catalog::select, per model of the catalog",
            || {
                for _ in 0..REPEATS {
                    black_box(catalog.select(black_box(&filter)).count());
                }
            },
        )],
    );
    println!("  goal: at most 1 ns per model; is {:.2} ns", best[0]);
}

fn load(catalog: &Catalog) {
    let json = bedrock_catalog::catalog_to_json(catalog);
    let best = compare(
        &format!("catalog from {} bytes of JSON", json.len()),
        1,
        vec![
            contender("a bare parse of the same bytes", || {
                serde_json::from_str::<bedrock_catalog::Document<'_>>(&json).unwrap()
            }),
            contender("catalog_from_json", || {
                bedrock_catalog::catalog_from_json(json.as_bytes()).unwrap()
            }),
        ],
    );
    println!(
        "  goal with checksum: at most 1.8×; without is {:.2}×",
        best[1] / best[0]
    );
}
