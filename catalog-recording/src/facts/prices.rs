//! The prices of a model by kind of route.

use std::collections::BTreeMap;

use bedrock_catalog_data::facts::{AmountEntry, PriceEntry, PriceKind, PriceRouteKind, Tier};
use bedrock_catalog_data::{Geography, Text};

use super::collect::{Collected, LITELLM};
use super::litellm::{Entry, Place, Prices};

/// The regions in which the plain price of LiteLLM holds: it is that of us-east-1, and AWS charges the
/// same in these. Elsewhere prices differ by up to a half.
const REGIONS_OF_PLAIN_PRICES: &[&str] = &["us-east-1", "us-east-2", "us-west-2"];

impl Collected<'_> {
    /// All prices of a model on bedrock-runtime.
    pub(super) fn prices_of(&self, id: &str) -> Vec<PriceEntry<'static>> {
        let mut prices = Vec::new();
        let profiles = self.profiles_of_litellm(id);
        let regional = self.regional(id);
        let mut by_region: BTreeMap<&str, &Prices> = BTreeMap::new();
        if let Some(plain) = self.litellm.get(id, Place::Plain) {
            for region in self.regions_of_plain(id, plain, &profiles) {
                by_region.insert(region, &plain.prices);
            }
        }
        // A region's own entry counts before the plain one.
        by_region.extend(
            regional
                .iter()
                .map(|(region, entry)| (*region, &entry.prices)),
        );
        grouped(PriceRouteKind::InRegion, &by_region, &mut prices);
        for (scope, entry) in &profiles {
            let geography = Geography::from(scope.as_str());
            if !self.has_profile(id, &geography) {
                continue;
            }
            let is_global = geography == Geography::Global;
            for (tier, amounts) in &entry.prices {
                let kind = match is_global {
                    true => PriceRouteKind::Global,
                    false => PriceRouteKind::Geography,
                };
                let mut price = PriceEntry::new(kind, tier.clone(), LITELLM);
                price.geography = (!is_global).then(|| geography.clone());
                price.amounts = amounts.clone();
                prices.push(price);
            }
        }
        prices
    }

    /// The prices of an id on bedrock-mantle.
    pub(super) fn mantle_prices(&self, id: &str) -> Vec<PriceEntry<'static>> {
        let mut by_region: BTreeMap<&str, &Prices> = BTreeMap::new();
        if let Some(plain) = self.litellm.get(id, Place::Mantle) {
            let regions = REGIONS_OF_PLAIN_PRICES.iter();
            by_region.extend(regions.map(|region| (*region, &plain.prices)));
        }
        for (place, entry) in self.litellm.all(id) {
            if let Place::MantleRegion(region) = place {
                by_region.insert(region, &entry.prices);
            }
        }
        let mut prices = Vec::new();
        grouped(PriceRouteKind::Mantle, &by_region, &mut prices);
        prices
    }

    /// The entries of single regions.
    fn regional<'c>(&'c self, id: &'c str) -> Vec<(&'c str, &'c Entry)> {
        let entries = self
            .litellm
            .all(id)
            .filter_map(|(place, entry)| match place {
                Place::Region(region) => Some((region.as_str(), entry)),
                _ => None,
            });
        entries.collect()
    }

    /// Whether the profile of a geography exists, or can be assumed to: of models that the catalog does
    /// not have, and of geographies of other partitions.
    fn has_profile(&self, id: &str, geography: &Geography) -> bool {
        let Some(model) = self.catalog.model(id) else {
            return true;
        };
        let profile = format!("{geography}.{id}");
        let elsewhere = *geography == Geography::UsGov && self.catalog.partition() == "aws";
        model.is_retired() || elsewhere || self.catalog.profile(profile.as_str()).is_some()
    }

    /// The regions in which the plain entry is an in-region price: those of us-east-1's price, if the
    /// model is on demand there; else all in which it is on demand. None if it is the global price.
    fn regions_of_plain<'c>(
        &'c self,
        id: &str,
        plain: &Entry,
        profiles: &BTreeMap<String, Entry>,
    ) -> Vec<&'c str> {
        let Some(model) = self.catalog.model(id) else {
            return Vec::new();
        };
        let accesses = model
            .accesses()
            .filter(|access| access.on_demand() == Some(true));
        let on_demand: Vec<&str> = accesses.map(|access| access.region().id()).collect();
        if on_demand.is_empty() {
            return Vec::new();
        }
        let input = |entry: &Entry| of_kind(&entry.prices, &PriceKind::Input);
        let global = profiles.get("global").and_then(input);
        let is_global = global.is_some() && global == input(plain);
        let usual = REGIONS_OF_PLAIN_PRICES.iter();
        let is_usual = usual.clone().any(|region| on_demand.contains(region));
        let mut others = profiles.iter().filter(|(scope, _)| *scope != "global");
        let differs = others.any(|(_, entry)| input(entry) != input(plain));
        match (is_usual, is_global) {
            (_, true) if differs || !is_usual => Vec::new(),
            (true, _) => usual.copied().collect(),
            (false, _) => on_demand,
        }
    }
}

/// The amount of a kind in the standard tier.
fn of_kind(prices: &Prices, kind: &PriceKind) -> Option<AmountEntry> {
    let amounts = prices.get(&Tier::Standard)?.iter();
    amounts
        .clone()
        .find(|amount| amount.kind == *kind && amount.above.is_none())
        .cloned()
}

/// Price entries of the regions, those with equal amounts together.
fn grouped(
    kind: PriceRouteKind,
    by_region: &BTreeMap<&str, &Prices>,
    prices: &mut Vec<PriceEntry<'static>>,
) {
    let mut groups: BTreeMap<(&Tier, &[AmountEntry]), Vec<Text<'static>>> = BTreeMap::new();
    for (region, of_region) in by_region {
        for (tier, amounts) in *of_region {
            let group = groups.entry((tier, amounts)).or_default();
            group.push((*region).to_owned().into());
        }
    }
    for ((tier, amounts), regions) in groups {
        let mut price = PriceEntry::new(kind, tier.clone(), LITELLM);
        price.regions = regions;
        price.amounts = amounts.to_vec();
        prices.push(price);
    }
}
