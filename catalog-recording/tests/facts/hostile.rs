//! Broken and hostile inputs: each is a clear error, or leaves nothing behind.

use bedrock_catalog_data::Catalog;
use bedrock_catalog_data::facts::FactsDocument;
use bedrock_catalog_data::facts::{AmountEntry, FactEntry, FactsEntry, PriceEntry, PriceRouteKind};
use bedrock_catalog_data::facts::{Decimal, PriceKind, PriceUnit, SourceEntry, Tier};
use bedrock_catalog_recording::{
    LARGEST_FACTS_INPUT, RecordingErrorKind, facts_from_json, facts_to_json,
};

use crate::{Inputs, catalog};

fn refused(change: impl FnOnce(&mut Inputs)) -> String {
    let mut inputs = Inputs::golden();
    change(&mut inputs);
    let error = inputs.make(&catalog()).unwrap_err();
    assert_eq!(error.kind(), RecordingErrorKind::InvalidFacts);
    error.to_string()
}

#[test]
fn broken_inputs_are_refused_by_name() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "EOF"),
        (b"[]".to_vec(), "expected an object"),
        (b"null".to_vec(), "expected an object"),
        (b"{\"a.b\": 1}".to_vec(), "expected"),
        (b"\xff{}".to_vec(), "not in UTF-8"),
        (b"{\"a.b\": {}, \"a.b\": {}}".to_vec(), "occurs twice"),
        (vec![b'['; 1 << 20], "expected"),
        (vec![b' '; LARGEST_FACTS_INPUT + 1], "are allowed"),
    ];
    for (text, expected) in cases {
        for name in ["cards", "litellm", "mantle"] {
            let message = refused(|inputs| match name {
                "cards" => inputs.cards = text.clone(),
                "litellm" => inputs.litellm = text.clone(),
                _ => inputs.mantle = text.clone(),
            });
            assert!(message.contains(name), "{message}");
            assert!(message.contains(expected), "{expected}: {message}");
        }
    }
    for (text, expected) in [
        ("", "no column"),
        ("a,b\n1,2", "no column"),
        ("model_id,endpoint,quota_type,quota_code\na.b,us", "row 1"),
        (
            "model_id,endpoint,quota_type,quota_code\n\"a.b,us,rpm,L-1",
            "row 1",
        ),
    ] {
        let message = refused(|inputs| inputs.quotas = text.into());
        assert!(message.contains("quotas"), "{message}");
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn wrong_values_name_their_entry_and_member() {
    for (member, value) in [
        ("input_cost_per_token", "-1e-06"),
        ("input_cost_per_token", "\"0.1\""),
        ("input_cost_per_token", "1e-99"),
        ("input_cost_per_token", "1e300"),
        ("input_cost_per_token", "0.12345678901234567890"),
        ("input_cost_per_token", "{}"),
        ("max_input_tokens", "-1"),
        ("max_input_tokens", "1.5"),
        ("max_input_tokens", "99999999999"),
        ("max_output_tokens", "\"many\""),
        ("supports_vision", "\"yes\""),
        ("mode", "7"),
    ] {
        let message = refused(|inputs| {
            inputs.litellm = format!("{{\"a.b\": {{\"{member}\": {value}}}}}").into_bytes();
        });
        assert!(
            message.contains(member) && message.contains("a.b"),
            "{message}"
        );
    }
    let date = r#"{"a.b": {"deprecation_source": "https://docs.aws.amazon.com/x", "deprecation_date": "soon"}}"#;
    let message = refused(|inputs| inputs.litellm = date.into());
    assert!(message.contains("deprecation_date"), "{message}");
    for card in [
        r#"{"a.b": {"context_window": "big"}}"#,
        r#"{"a.b": {"end_of_life": "2026-13-01"}}"#,
    ] {
        assert!(refused(|inputs| inputs.cards = card.into()).contains("cards"));
    }
}

#[test]
fn ids_that_can_harm_become_no_facts() {
    let hostile = [
        "a.b\\u001b[2J",
        "a.b\\n",
        "a.b\\u202e",
        "a.123456789012",
        "a b.c",
        "../a.b",
        "a.b\\\"",
        "é.b",
        "us.",
    ];
    let long = format!("a.{}", "b".repeat(10_000));
    let ids = hostile.iter().copied().chain([long.as_str()]);
    let entry = |value: &str| {
        let members = ids.clone().map(|id| format!("\"{id}\": {value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    };
    let mut inputs = Inputs::golden();
    inputs.cards = entry(r#"{"context_window": 1, "endpoints": {"bedrockMantle": true}}"#).into();
    inputs.litellm = entry(r#"{"input_cost_per_token": 1}"#).into();
    inputs.mantle =
        entry(r#"{"mantle_supported_regions": ["a\u001b", "us-east-1"], "mantle_apis": []}"#)
            .into();
    let made = inputs.make(&catalog()).unwrap();
    let json = facts_to_json(&made.document);
    assert!(json.is_ascii());
    for forbidden in ["\\u00", "123456789012", "..", "a b", "bbbbbb"] {
        assert!(!json.contains(forbidden), "{forbidden}");
    }
}

fn document() -> FactsDocument<'static> {
    let mut document = FactsDocument::new();
    let day = "2026-08-22".parse().unwrap();
    document
        .sources
        .insert("card".into(), SourceEntry::new(day, "cards"));
    let mut entry = FactsEntry::new("acme.one");
    entry.context_window = Some(FactEntry::new(1, "card"));
    let mut price = PriceEntry::new(PriceRouteKind::Global, Tier::Standard, "card");
    let one = Decimal::new(1, 0).unwrap();
    price.amounts = vec![AmountEntry::new(
        PriceKind::Input,
        PriceUnit::MillionTokens,
        one,
    )];
    entry.prices = vec![price];
    document.models.push(entry);
    document
}

#[test]
fn documents_that_contradict_themselves_are_refused() {
    assert_eq!(document().canonical().unwrap(), document());
    type Change = fn(&mut FactsDocument<'static>);
    let wrong: [(&str, Change); 12] = [
        ("format", |d| d.format = 2),
        ("sources", |d| d.sources.clear()),
        ("twice", |d| d.models.push(d.models[0].clone())),
        ("empty id", |d| d.models[0].id = "".into()),
        ("two prices", |d| {
            let price = d.models[0].prices[0].clone();
            d.models[0].prices.push(price);
        }),
        ("no amount", |d| d.models[0].prices[0].amounts.clear()),
        ("two amounts", |d| {
            let amount = d.models[0].prices[0].amounts[0].clone();
            d.models[0].prices[0].amounts.push(amount);
        }),
        ("regions", |d| {
            d.models[0].prices[0].regions = vec!["us-east-1".into()]
        }),
        ("geography", |d| {
            d.models[0].prices[0].geography = Some("us".into())
        }),
        ("geography", |d| {
            d.models[0].prices[0].route = PriceRouteKind::Geography
        }),
        ("digits", |d| {
            d.models[0].prices[0].amounts[0].amount = Decimal::new(u128::MAX, 38).unwrap();
        }),
        ("too many", |d| {
            let price = d.models[0].prices[0].clone();
            d.models[0].prices = (0..300)
                .map(|number| {
                    let mut price = price.clone();
                    price.tier = Tier::from(&*format!("tier-{number}"));
                    price
                })
                .collect();
        }),
    ];
    for (place, (expected, change)) in wrong.into_iter().enumerate() {
        let mut document = document();
        change(&mut document);
        let error = document.canonical().unwrap_err().to_string();
        assert!(error.contains(expected), "{place}: {error}");
        let json = facts_to_json(&document);
        // In JSON the kinds are keys.
        let read = facts_from_json(json.as_bytes());
        assert_eq!(read.is_err(), expected != "two amounts", "{place}");
        let mut catalog = Catalog::bundled().to_document();
        catalog.facts = Some(document);
        assert!(Catalog::from_document(&catalog).is_err(), "{place}");
    }
}
