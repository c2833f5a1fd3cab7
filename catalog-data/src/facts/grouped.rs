//! Amounts in JSON: groups of one unit and threshold, `{"unit", "above", "prices": {KIND: AMOUNT}}`.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::document::AmountEntry;
use super::{Decimal, PriceKind, PriceUnit};

/// Amounts of one unit and threshold.
#[derive(Serialize, Deserialize)]
struct Group {
    unit: PriceUnit,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    above: Option<u32>,
    prices: BTreeMap<PriceKind, Decimal>,
}

pub(super) fn serialize<S: Serializer>(
    amounts: &[AmountEntry],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let same = |a: &AmountEntry, b: &AmountEntry| (&a.unit, a.above) == (&b.unit, b.above);
    let groups = amounts.chunk_by(same).filter_map(|group| {
        let first = group.first()?;
        let prices = group.iter().map(|entry| (entry.kind.clone(), entry.amount));
        Some(Group {
            unit: first.unit.clone(),
            above: first.above,
            prices: prices.collect(),
        })
    });
    serializer.collect_seq(groups)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<AmountEntry>, D::Error> {
    let groups: Vec<Group> = Vec::deserialize(deserializer)?;
    let amounts = groups.into_iter().flat_map(|group| {
        let Group {
            unit,
            above,
            prices,
        } = group;
        prices.into_iter().map(move |(kind, amount)| AmountEntry {
            unit: unit.clone(),
            above,
            kind,
            amount,
        })
    });
    Ok(amounts.collect())
}
