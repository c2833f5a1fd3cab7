//! The committed facts.json, and the tables that were baked of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bedrock_catalog_data::facts::{Capability, PriceKind, PriceRoute, Tier};
use bedrock_catalog_data::{Catalog, QueryErrorKind, Status};
use bedrock_catalog_recording::{facts_from_json, facts_to_json};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("catalog-data")
}

pub(crate) fn committed() -> Vec<u8> {
    std::fs::read(data().join("facts.json")).unwrap()
}

#[test]
fn the_committed_facts_are_canonical_and_of_bounded_size() {
    let json = committed();
    let document = facts_from_json(&json).unwrap();
    assert!(facts_to_json(&document).into_bytes() == json);
    assert!(json.is_ascii());
    // The documented bound, see docs/facts.md.
    assert!(json.len() < 1_000_000, "{}", json.len());
    let text = String::from_utf8(json).unwrap();
    assert!(bedrock_catalog_recording::redact(&text) == text);
    for source in document.sources.values() {
        assert!(source.as_of.year() >= 2026);
    }
}

/// Every answer of the baked tables equals that of a catalog built from the JSON.
#[test]
fn the_baked_facts_equal_the_committed_json() {
    let bundle = Catalog::bundled();
    let mut document = bundle.to_document();
    document.facts = Some(facts_from_json(&committed()).unwrap());
    let own = Catalog::from_document(&document).unwrap();
    let mut with_facts = 0;
    for (baked, built) in bundle.all_models().zip(own.all_models()) {
        let json = |model: bedrock_catalog_data::Model<'_>| {
            let facts = model
                .facts()
                .map(|facts| serde_json::to_string(&facts).unwrap());
            let endpoints: Vec<_> = model.endpoints().collect();
            (facts, serde_json::to_string(&endpoints).unwrap())
        };
        assert_eq!(json(baked), json(built));
        assert_eq!(baked.context_window(), built.context_window());
        with_facts += usize::from(baked.facts().is_some());
    }
    assert!(with_facts > 100, "{with_facts}");
    let mantle = |catalog: &Catalog| {
        let ids = catalog.mantle_ids();
        ids.map(|id| serde_json::to_string(&id).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(mantle(bundle), mantle(&own));
    let former = |catalog: &Catalog| {
        let ids = catalog.former_ids();
        ids.map(|id| format!("{id:?} {:?} {:?}", id.end_of_life(), id.gone_by()))
            .collect::<Vec<_>>()
    };
    assert_eq!(former(bundle), former(&own));
    assert!(bundle.fact_sources().eq(own.fact_sources()));
}

#[test]
fn well_known_facts_have_their_values() {
    let catalog = Catalog::bundled();
    let model = |id: &str| catalog.model(id).unwrap();
    let sonnet = model("anthropic.claude-sonnet-4-6");
    assert_eq!(sonnet.context_window(), Some(1_000_000));
    assert_eq!(sonnet.max_output_tokens(), Some(64_000));
    assert_eq!(sonnet.supports(&Capability::PromptCaching), Some(true));
    let input = |id: &str, route: PriceRoute<'_>| {
        let prices = model(id).price(route, &Tier::Standard)?;
        Some(prices.price(&PriceKind::Input)?.amount.to_string())
    };
    let sonnet = "anthropic.claude-sonnet-4-6";
    for (scope, amount) in [("us", "3.3"), ("eu", "3.3"), ("jp", "3.3"), ("au", "3.3")] {
        let geography = bedrock_catalog_data::Geography::from(scope);
        assert_eq!(
            input(sonnet, PriceRoute::Geography(&geography)).as_deref(),
            Some(amount)
        );
    }
    assert_eq!(input(sonnet, PriceRoute::Global).as_deref(), Some("3"));
    // On demand in London only: the plain price of the source is the global one.
    assert_eq!(input(sonnet, PriceRoute::InRegion("eu-west-2")), None);
    // A price of another region is not made of that of us-east-1.
    let nova = "amazon.nova-pro-v1:0";
    assert_eq!(
        input(nova, PriceRoute::InRegion("us-east-1")).as_deref(),
        Some("0.8")
    );
    assert_eq!(input(nova, PriceRoute::InRegion("eu-west-2")), None);
    let haiku = model("anthropic.claude-3-haiku-20240307-v1:0");
    let end = haiku.facts().unwrap().end_of_life().unwrap();
    assert_eq!(
        (end.value.to_string().as_str(), end.source.name),
        ("2026-09-10", "card")
    );
    let successor = haiku.successor().unwrap().value;
    assert_eq!(successor, "anthropic.claude-haiku-4-5-20251001-v1:0");
    // The data is renewed without a person: then AWS can have taken it from the listing.
    if haiku.is_retired() || haiku.lifecycle().end_of_life().is_some() {
        return;
    }
    assert_eq!(
        haiku.status_at("2026-09-10".parse().unwrap()),
        Status::Ended
    );
    assert_eq!(
        haiku.status_at("2026-09-09".parse().unwrap()),
        Status::Active
    );
}

/// Ids that people still write although AWS no longer has them.
#[test]
fn former_ids_answer_with_their_end() {
    let catalog = Catalog::bundled();
    for (id, message) in [
        (
            "anthropic.claude-3-5-haiku-20241022-v1:0",
            "ended on 2026-06-19",
        ),
        (
            "anthropic.claude-opus-4-20250514-v1:0",
            "ended on 2026-05-31",
        ),
        ("cohere.command-r-v1:0", "ended on 2026-08-19"),
        ("amazon.titan-tg1-large", "ended on or before 2026-04-29"),
        ("anthropic.claude-v2", "ended on or before 2026-02-20"),
        (
            "stability.stable-diffusion-xl-v0",
            "ended on or before 2026-02-20",
        ),
        (
            "us.anthropic.claude-3-opus-20240229-v1:0",
            "ended on or before 2026-05-29",
        ),
    ] {
        let error = catalog.unknown_model(id);
        assert_eq!(error.kind(), QueryErrorKind::Ended, "{id}");
        assert!(error.to_string().contains(message), "{error}");
    }
    let ids: BTreeSet<&str> = catalog.former_ids().map(|former| former.id()).collect();
    assert!(
        ids.iter()
            .all(|id| catalog.model(*id).is_none() && catalog.profile(*id).is_none())
    );
    assert!(!ids.iter().any(|id| id.contains("mulberry")));
    for id in ["google.gemma-4-31b", "xai.grok-4.3", "zai.glm-4.6"] {
        if catalog.model(id).is_some() {
            continue;
        }
        let error = catalog.unknown_model(id);
        assert_eq!(error.kind(), QueryErrorKind::MantleOnly, "{id}");
        assert!(error.to_string().contains("us-east-1"), "{error}");
    }
}
