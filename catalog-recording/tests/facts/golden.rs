//! The facts of small inputs, each of which shows a rule.

use bedrock_catalog_data::facts::{Capability, Endpoint, PriceKind, PriceRoute, Tier};
use bedrock_catalog_data::{Catalog, Geography, Policy, QueryErrorKind, Status};
use bedrock_catalog_recording::{
    catalog_from_json, catalog_to_json, facts_from_json, facts_to_json,
};

use crate::{Inputs, catalog, file, with_facts};

/// The golden file rewrites itself where it differs, and then fails.
#[test]
fn the_facts_of_the_golden_inputs() {
    let made = Inputs::golden().make(&catalog()).unwrap();
    let json = facts_to_json(&made.document);
    let path = file("tests/facts/golden/facts.json");
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if golden != json {
        std::fs::write(&path, &json).unwrap();
        panic!(
            "{} was not equal and is rewritten: review it",
            path.display()
        );
    }
    assert_eq!(facts_from_json(json.as_bytes()).unwrap(), made.document);
}

#[test]
fn disagreements_and_entries_left_out_are_reported() {
    let made = Inputs::golden().make(&catalog()).unwrap();
    let disagreements: Vec<String> = made
        .disagreements
        .iter()
        .map(|one| {
            let rounding = if one.is_rounding { " rounding" } else { "" };
            format!(
                "{} {} {}={} {}={}{rounding}",
                one.fact, one.id, one.counts.0, one.counts.1, one.other.0, one.other.1
            )
        })
        .collect();
    assert_eq!(
        disagreements,
        [
            "bedrock-runtime acme.two listing=yes card=no",
            "context_window acme.one-v1:0 card=128000 litellm=131072 rounding",
            "end_of_life acme.listed listing=2026-11-30 card=2026-12-31",
            "end_of_life acme.two card=2027-05-01 litellm=2027-05-02",
            "mantle_regions acme.two-mantle mantle=us-east-1 us-west-2 card=us-east-1",
            "max_output_tokens acme.one-v1:0 card=16000 litellm=8192",
            "max_output_tokens acme.two card=64000 litellm=32000",
            "vision acme.one-v1:0 listing=yes litellm=no",
        ]
    );
    let left_out: Vec<&str> = made.left_out.iter().map(|one| &*one.id).collect();
    assert_eq!(
        left_out,
        [
            "1024-x-1024/50-steps/acme.picture",
            "acme.rumour",
            "bedrock/us-east-1/1-month-commitment/acme.one-v1:0",
            "acme.claude-mulberry-trn2",
        ]
    );
    let of = |fact: &str| {
        let found = made.coverage.iter().find(|row| row.fact == fact);
        found.unwrap().models
    };
    assert_eq!((of("context_window"), of("prices"), of("tools")), (3, 4, 2));
}

/// The answers of the library to these facts.
#[test]
fn answers_follow_the_rules() {
    let plain = catalog();
    let catalog = with_facts(&plain, &Inputs::golden().make(&plain).unwrap());
    let price = |id: &str, route: PriceRoute<'_>, tier: &Tier, kind: &PriceKind| {
        let set = catalog.model(id).unwrap().price(route, tier)?;
        Some(set.price(kind)?.amount.to_string())
    };
    let input =
        |id: &str, route: PriceRoute<'_>| price(id, route, &Tier::Standard, &PriceKind::Input);
    let one = "acme.one-v1:0";
    // The plain price holds in the regions of us-east-1's price, a region's own before it.
    assert_eq!(
        input(one, PriceRoute::InRegion("us-west-2")).as_deref(),
        Some("0.8")
    );
    assert_eq!(
        input(one, PriceRoute::InRegion("eu-west-1")).as_deref(),
        Some("0.96")
    );
    assert_eq!(input(one, PriceRoute::InRegion("ap-south-1")), None);
    let batch = price(
        one,
        PriceRoute::InRegion("us-east-1"),
        &Tier::Batch,
        &PriceKind::Output,
    );
    assert_eq!(batch.as_deref(), Some("1.6"));
    // A model that only profiles serve has no price in a region.
    assert_eq!(input("acme.two", PriceRoute::InRegion("us-east-1")), None);
    let us = PriceRoute::Geography(&Geography::Us);
    assert_eq!(input("acme.two", us).as_deref(), Some("3.3"));
    assert_eq!(input("acme.two", PriceRoute::Global).as_deref(), Some("3"));
    // No such profile is in the catalog; that of another partition is kept.
    assert_eq!(
        input("acme.two", PriceRoute::Geography(&Geography::Eu)),
        None
    );
    let gov = PriceRoute::Geography(&Geography::UsGov);
    assert_eq!(input("acme.two", gov).as_deref(), Some("3.6"));
    // The plain price is the global one where no usual region has the model.
    assert_eq!(input("acme.three", PriceRoute::InRegion("eu-west-2")), None);
    // Zero is no price.
    assert_eq!(
        input("acme.picture", PriceRoute::InRegion("us-east-1")),
        None
    );
    let route = catalog
        .route("acme.two", "us-east-1", Policy::Geography)
        .unwrap();
    let prices = route.price(&Tier::Standard).unwrap();
    assert_eq!(prices.source().unwrap().as_of.to_string(), "2026-11-20");

    // A variant inherits what is true of it, not the context window.
    let variant = catalog.model("acme.one-v1:0:24k").unwrap();
    assert_eq!(variant.context_window(), Some(24_000));
    let output = variant.facts().unwrap().max_output_tokens().unwrap();
    assert_eq!((output.value, output.inherited_from), (16_000, Some(one)));
    assert_eq!(variant.supports(&Capability::Tools), Some(true));
    assert_eq!(variant.supports(&Capability::PromptCaching), None);
    assert_eq!(variant.facts().unwrap().prices().count(), 0);

    // Ends: the listing, then the card.
    let end = |id: &str| {
        let end = catalog.model(id).unwrap().end_of_life().unwrap();
        (end.value.to_string(), end.source.name.to_owned())
    };
    assert_eq!(end("acme.listed"), ("2026-11-30".into(), "listing".into()));
    assert_eq!(end("acme.two"), ("2027-05-01".into(), "card".into()));
    let two = catalog.model("acme.two").unwrap();
    assert_eq!(two.status_at("2027-05-01".parse().unwrap()), Status::Ended);
    assert_ne!(two.status_at("2027-04-30".parse().unwrap()), Status::Ended);
    assert_eq!(two.successor().unwrap().value, one);
    assert_eq!(two.facts().unwrap().legacy_period_days().unwrap().value, 45);

    // Endpoints.
    let names: Vec<String> = two
        .endpoints()
        .map(|endpoint| match endpoint {
            Endpoint::Mantle(mantle) => mantle.id().to_owned(),
            runtime => runtime.as_str().to_owned(),
        })
        .collect();
    assert_eq!(names, ["bedrock-runtime", "acme.two-mantle"]);
    let only = catalog.mantle("acme.only").unwrap();
    assert_eq!((only.model(), only.path()), (None, Some("/openai/v1")));
    assert_eq!(
        catalog
            .facts_of("acme.only")
            .unwrap()
            .context_window()
            .unwrap()
            .value,
        256_000
    );
    let kind = |id: &str| catalog.unknown_model(id).kind();
    assert_eq!(kind("acme.only"), QueryErrorKind::MantleOnly);
    assert_eq!(kind("acme.gone-v1:0"), QueryErrorKind::Ended);
    let alias = catalog.unknown_model("acme.one-v1:0-2026-03-05");
    assert_eq!(alias.suggestions(), [one]);
}

#[test]
fn own_facts_survive_json_and_a_refresh() {
    let plain = catalog();
    let own = with_facts(&plain, &Inputs::golden().make(&plain).unwrap());
    let json = catalog_to_json(&own);
    let read = catalog_from_json(json.as_bytes()).unwrap();
    assert_eq!(read, own);
    assert_eq!(
        read.model("acme.two").unwrap().context_window(),
        Some(200_000)
    );
    // A refresh brings new rows and no facts.
    let recording = bedrock_catalog_recording::Recording::of_catalog(&plain);
    let (document, _) = bedrock_catalog_recording::transform(&recording, Some(&own));
    let refreshed = Catalog::from_document(&document).unwrap();
    assert_eq!(refreshed.own_facts(), own.own_facts());
    // A catalog without facts of its own has those of the bundle.
    assert_eq!(plain.own_facts(), None);
    assert!(!catalog_to_json(&plain).contains("facts"));
    let bundle = Catalog::bundled();
    let (document, _) = bedrock_catalog_recording::transform(
        &bedrock_catalog_recording::Recording::of_catalog(bundle),
        Some(bundle),
    );
    let refreshed = Catalog::from_document(&document).unwrap();
    let sonnet = refreshed.model("anthropic.claude-sonnet-4-6").unwrap();
    assert_eq!(sonnet.context_window(), Some(1_000_000));
}

#[test]
fn missing_inputs_leave_their_facts_out() {
    let catalog = catalog();
    let inputs = bedrock_catalog_recording::FactsInputs::new(&catalog);
    let made = bedrock_catalog_recording::make_facts(&inputs).unwrap();
    assert!(
        made.document
            .models
            .iter()
            .all(|entry| entry.prices.is_empty())
    );
    let sources: Vec<&str> = made.document.sources.keys().map(|name| &**name).collect();
    assert_eq!(sources, ["id", "listing", "published"]);
}

#[test]
fn former_ids_are_kept_until_the_catalog_has_them_again() {
    let catalog = catalog();
    let first = Inputs::golden().make(&catalog).unwrap();
    let mut inputs = bedrock_catalog_recording::FactsInputs::new(&catalog);
    inputs.previous = Some(&first.document);
    let second = bedrock_catalog_recording::make_facts(&inputs).unwrap();
    let former = |made: &bedrock_catalog_recording::MadeFacts| {
        let ids = made.document.former.iter();
        ids.map(|entry| entry.id.to_string()).collect::<Vec<_>>()
    };
    assert!(former(&first).contains(&"acme.gone-v1:0".to_owned()));
    assert_eq!(former(&first), former(&second));
    let mut document = catalog.to_document();
    document
        .models
        .push(bedrock_catalog_data::ModelEntry::new("acme.gone-v1:0"));
    let back = Catalog::from_document(&document).unwrap();
    inputs.catalog = &back;
    let third = bedrock_catalog_recording::make_facts(&inputs).unwrap();
    assert!(!former(&third).contains(&"acme.gone-v1:0".to_owned()));
    // A catalog answers so too, before its facts are made again.
    let document = {
        let mut document = back.to_document();
        document.facts = Some(first.document.clone());
        document
    };
    let early = Catalog::from_document(&document).unwrap();
    assert!(early.former("acme.gone-v1:0").is_none());
}
