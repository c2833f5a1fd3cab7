//! The facts of a model as one JSON object: `{FACT: {"value", "source", "as_of"}}`, for programs that
//! print what a catalog knows. The format of `facts.json` is [`FactsDocument`](super::FactsDocument).

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Endpoint, Fact, Facts, Mantle, Price, PriceSet, Quota};

/// `{"value", "source", "as_of"}`, and `"inherited_from"` where the value is inherited.
impl<T: Serialize> Serialize for Fact<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &self.value)?;
        map.serialize_entry("source", self.source.name)?;
        map.serialize_entry("as_of", &self.source.as_of)?;
        if let Some(base) = self.inherited_from {
            map.serialize_entry("inherited_from", base)?;
        }
        map.end()
    }
}

/// A list from an iterator.
struct List<I>(I);

impl<I: Iterator<Item: Serialize> + Clone> Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.clone())
    }
}

fn listed<I>(fact: Fact<'_, I>) -> Fact<'_, List<I>> {
    Fact {
        value: List(fact.value),
        source: fact.source,
        inherited_from: fact.inherited_from,
    }
}

/// One object of all facts. Capabilities are facts of their own. Prices and quotas are lists.
impl Serialize for Facts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(fact) = self.apis() {
            map.serialize_entry("apis", &listed(fact))?;
        }
        for (capability, fact) in self.capabilities() {
            map.serialize_entry(capability, &fact)?;
        }
        if let Some(fact) = self.context_window() {
            map.serialize_entry("context_window", &fact)?;
        }
        if let Some(fact) = self.end_of_life() {
            map.serialize_entry("end_of_life", &fact)?;
        }
        if let Some(fact) = self.legacy_period_days() {
            map.serialize_entry("legacy_period_days", &fact)?;
        }
        if let Some(fact) = self.max_output_tokens() {
            map.serialize_entry("max_output_tokens", &fact)?;
        }
        if let Some(fact) = self.no_sooner_than() {
            map.serialize_entry("no_sooner_than", &fact)?;
        }
        if let Some(source) = self.prices().find_map(|set| set.source()) {
            let prices = Fact {
                value: List(self.prices()),
                source,
                inherited_from: None,
            };
            map.serialize_entry("prices", &prices)?;
        }
        if let Some(fact) = self.prompt_cache_min_tokens() {
            map.serialize_entry("prompt_cache_min_tokens", &fact)?;
        }
        if let Some(fact) = self.quotas() {
            map.serialize_entry("quotas", &listed(fact))?;
        }
        if let Some(fact) = self.reasoning_levels() {
            map.serialize_entry("reasoning_levels", &listed(fact))?;
        }
        if let Some(fact) = self.successor() {
            map.serialize_entry("successor", &fact)?;
        }
        map.end()
    }
}

/// `{"route", "geography", "regions", "tier", "currency", "source", "amounts"}`.
impl Serialize for PriceSet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("route", &self.kind())?;
        if let Some(geography) = self.geography() {
            map.serialize_entry("geography", geography)?;
        }
        if self.regions().next().is_some() {
            map.serialize_entry("regions", &List(self.regions()))?;
        }
        map.serialize_entry("tier", &self.tier())?;
        map.serialize_entry("currency", self.currency())?;
        map.serialize_entry("source", &self.source().map(|source| source.name))?;
        map.serialize_entry("amounts", &Amounts(*self))?;
        map.end()
    }
}

/// The prices of a set by unit and threshold: `{"unit", "above", "prices": {KIND: AMOUNT}}`.
struct Amounts<'a>(PriceSet<'a>);

/// One of these groups.
struct Group<'a> {
    set: PriceSet<'a>,
    first: Price<'a>,
}

impl Serialize for Amounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut last = None;
        let groups = self.0.iter().filter_map(|first| {
            let key = (first.unit, first.above);
            let new = last.replace(key) != Some(key);
            new.then_some(Group { set: self.0, first })
        });
        serializer.collect_seq(groups)
    }
}

impl Serialize for Group<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("unit", self.first.unit)?;
        if let Some(above) = self.first.above {
            map.serialize_entry("above", &above)?;
        }
        map.serialize_entry("prices", &Kinds(self))?;
        map.end()
    }
}

/// The prices of a group by kind.
struct Kinds<'g, 'a>(&'g Group<'a>);

impl Serialize for Kinds<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Group { set, first } = self.0;
        let same = |price: &Price<'_>| (price.unit, price.above) == (first.unit, first.above);
        let prices = set.iter().filter(same);
        serializer.collect_map(prices.map(|price| (price.kind, price.amount)))
    }
}

/// `{"endpoint", "metric", "code"}`.
impl Serialize for Quota<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("endpoint", self.endpoint)?;
        map.serialize_entry("metric", self.metric)?;
        map.serialize_entry("code", self.code)?;
        map.end()
    }
}

/// `{"endpoint"}`, and for bedrock-mantle the members of [`Mantle`].
impl Serialize for Endpoint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("endpoint", self.as_str())?;
        if let Self::Mantle(mantle) = self {
            serialize_mantle(mantle, &mut map)?;
        }
        map.end()
    }
}

/// `{"id", "model", "regions", "apis", "path", "prices"}`.
impl Serialize for Mantle<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        serialize_mantle(self, &mut map)?;
        map.end()
    }
}

fn serialize_mantle<M: SerializeMap>(mantle: &Mantle<'_>, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("id", mantle.id())?;
    map.serialize_entry("model", &mantle.model_id())?;
    map.serialize_entry("regions", &List(mantle.regions()))?;
    map.serialize_entry("apis", &List(mantle.apis()))?;
    map.serialize_entry("path", &mantle.path())?;
    if mantle.prices().next().is_some() {
        map.serialize_entry("prices", &List(mantle.prices()))?;
    }
    Ok(())
}
