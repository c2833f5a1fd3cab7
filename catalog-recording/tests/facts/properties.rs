//! Properties of decimals and of the making of facts.

use std::collections::BTreeMap;
use std::fmt::Write;

use bedrock_catalog_data::facts::{Decimal, PriceKind, PriceRouteKind, Tier, Usage};
use bedrock_catalog_data::{Catalog, Geography};
use bedrock_catalog_recording::{FactsInput, FactsInputs, facts_to_json, make_facts};
use proptest::prelude::*;
use serde_json::Value;

use crate::{Inputs, catalog, with_facts};

fn decimal() -> impl Strategy<Value = Decimal> {
    (0..u128::from(u64::MAX), 0..20u8)
        .prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale).unwrap())
}

/// The digits of a number with 38 digits after the point, as an independent exact representation.
fn digits(text: &str) -> Vec<u8> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let padded = format!("{whole:0>60}{fraction:0<38}");
    padded.bytes().map(|byte| byte - b'0').collect()
}

/// Addition as on paper.
fn add(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut sum = Vec::new();
    let mut carry = 0;
    for (a, b) in a.iter().rev().zip(b.iter().rev()) {
        let digit = a + b + carry;
        sum.push(digit % 10);
        carry = digit / 10;
    }
    sum.reverse();
    sum
}

proptest! {
    #[test]
    fn decimals_print_and_parse_to_themselves(value in decimal(), exponent in -30i16..10) {
        prop_assert_eq!(value.to_string().parse::<Decimal>().unwrap(), value);
        let text = format!("{}e{exponent}", value.mantissa());
        let scale = i16::from(value.scale()) - exponent;
        if let Ok(parsed) = text.parse::<Decimal>() {
            prop_assert_eq!(parsed.shifted(-i8::try_from(exponent).unwrap()), Decimal::new(value.mantissa(), 0));
        } else {
            prop_assert!(scale > 38 || exponent > 0, "{text}");
        }
    }

    #[test]
    fn sums_and_products_are_those_on_paper(a in decimal(), b in decimal(), times in 0..50u64) {
        let sum = a.checked_add(b).unwrap();
        prop_assert_eq!(b.checked_add(a), Some(sum));
        let paper = add(&digits(&a.to_string()), &digits(&b.to_string()));
        prop_assert_eq!(digits(&sum.to_string()), paper);
        let mut product = Decimal::ZERO;
        for _ in 0..times {
            product = product.checked_add(a).unwrap();
        }
        prop_assert_eq!(a.checked_mul(times), Some(product));
        prop_assert_eq!(a.cmp(&b), digits(&a.to_string()).cmp(&digits(&b.to_string())));
    }
}

proptest! {
    // Each case makes and builds a catalog.
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Every price of a profile equals its prefixed entry in the input, exactly.
    #[test]
    fn prices_of_profiles_equal_their_entries(
        mantissas in prop::collection::vec(1..4_000_000u32, 500),
        exponent in 3..9u8,
    ) {
        let bundle = Catalog::bundled();
        let mut json = String::from("{");
        let mut expected = BTreeMap::new();
        for (profile, mantissa) in bundle.all_profiles().zip(&mantissas) {
            if !expected.is_empty() {
                json.push(',');
            }
            let id = profile.id();
            write!(json, "\"{id}\": {{\"input_cost_per_token\": {mantissa}e-{exponent}}}").unwrap();
            let million = Decimal::new((*mantissa).into(), exponent).unwrap().shifted(6).unwrap();
            expected.insert(id, million);
        }
        json.push('}');
        let mut inputs = FactsInputs::new(bundle);
        inputs.litellm = Some(FactsInput::new(json.as_bytes(), "2026-11-20".parse().unwrap()));
        let catalog = with_facts(bundle, &make_facts(&inputs).unwrap());
        let mut compared = 0;
        for profile in catalog.all_profiles() {
            for route in profile.routes() {
                let mut routes = route.access.routes();
                let route = routes.find(|route| route.profile() == Some(profile)).unwrap();
                let price = route.price(&Tier::Standard).unwrap();
                let amount = price.price(&PriceKind::Input).unwrap().amount;
                prop_assert_eq!(amount, expected[profile.id()]);
                let cost = route.cost(&Tier::Standard, &Usage::new(1_000_000, 0)).unwrap();
                prop_assert_eq!(cost, amount);
                let of_global = profile.geography() == Some(&Geography::Global);
                prop_assert_eq!(price.kind() == PriceRouteKind::Global, of_global);
                compared += 1;
            }
        }
        prop_assert!(compared > 1000);
    }
}

/// A small generator of numbers, so that a shuffle is the same on every run.
struct Dice(u64);

impl Dice {
    fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            list.swap(last, (self.0 >> 33) as usize % (last + 1));
        }
    }
}

/// The JSON with its members and lists in another order.
fn shuffled(value: &Value, dice: &mut Dice) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            dice.shuffle(&mut members);
            let members = members.into_iter().map(|(key, value)| {
                format!("{}:{}", Value::from(key.as_str()), shuffled(value, dice))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => {
            let mut items: Vec<_> = items.iter().collect();
            dice.shuffle(&mut items);
            let items = items.into_iter().map(|item| shuffled(item, dice));
            format!("[{}]", items.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[test]
fn a_hundred_shuffled_inputs_give_the_same_bytes() {
    let catalog = catalog();
    let golden = Inputs::golden();
    let expected = golden.make(&catalog).unwrap();
    let bytes = facts_to_json(&expected.document);
    let mut dice = Dice(7);
    for _ in 0..100 {
        let mut shuffle = |text: &[u8]| {
            let value: Value = serde_json::from_slice(text).unwrap();
            shuffled(&value, &mut dice).into_bytes()
        };
        let (cards, litellm, mantle) = (
            shuffle(&golden.cards),
            shuffle(&golden.litellm),
            shuffle(&golden.mantle),
        );
        let quotas = String::from_utf8(golden.quotas.clone()).unwrap();
        let mut lines: Vec<&str> = quotas.lines().collect();
        dice.shuffle(&mut lines[1..]);
        let quotas = lines.join("\r\n").into_bytes();
        let inputs = Inputs {
            cards,
            litellm,
            mantle,
            quotas,
        };
        let made = inputs.make(&catalog).unwrap();
        assert_eq!(facts_to_json(&made.document), bytes);
        assert_eq!(made.disagreements, expected.disagreements);
        assert_eq!(made.left_out, expected.left_out);
    }
}
