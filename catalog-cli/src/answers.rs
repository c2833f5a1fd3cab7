//! The shapes of the JSON answers. Programs rely on them: keys may be added, nothing else changes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use bedrock_catalog::cache::{Cache, Codec};
use bedrock_catalog::{
    Access, Customization, Date, Destinations, Geography, InferenceType, LifecycleStatus, Modality,
    Model, Policy, Profile, Region, Route, RouteKind, Status, Timestamp,
};
use serde::{Serialize, Serializer};

use crate::live;

#[derive(Serialize)]
pub(crate) struct ModelAnswer<'a> {
    id: &'a str,
    listed: bool,
    name: Option<&'a str>,
    provider: Option<&'a str>,
    input_modalities: Option<&'a [Modality]>,
    output_modalities: Option<&'a [Modality]>,
    streaming: Option<bool>,
    customizations: Option<&'a [Customization]>,
    lifecycle: LifecycleAnswer<'a>,
    status: Option<Status>,
    last_seen: Date,
    regions: Vec<&'a str>,
    profiles: Vec<&'a str>,
}

#[derive(Serialize)]
struct LifecycleAnswer<'a> {
    status: Option<&'a LifecycleStatus>,
    start: Option<Date>,
    legacy: Option<Date>,
    extended_access: Option<Date>,
    end_of_life: Option<Date>,
}

pub(crate) fn model(model: Model<'_>, day: Date) -> ModelAnswer<'_> {
    let lifecycle = model.lifecycle();
    ModelAnswer {
        id: model.id(),
        listed: model.is_listed(),
        name: model.name(),
        provider: model.provider(),
        input_modalities: model.input_modalities(),
        output_modalities: model.output_modalities(),
        streaming: model.streaming(),
        customizations: model.customizations(),
        lifecycle: LifecycleAnswer {
            status: lifecycle.status(),
            start: lifecycle.start(),
            legacy: lifecycle.legacy(),
            extended_access: lifecycle.extended_access(),
            end_of_life: lifecycle.end_of_life(),
        },
        status: Some(model.status_at(day)).filter(|status| *status != Status::Unknown),
        last_seen: model.last_seen(),
        regions: model.regions().map(|region| region.id()).collect(),
        profiles: model.profiles().map(|profile| profile.id()).collect(),
    }
}

/// A sorted list, or `"global"`.
pub(crate) enum DestinationsAnswer<'a> {
    Regions(BTreeSet<&'a str>),
    Global,
}

impl Serialize for DestinationsAnswer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Regions(regions) => regions.serialize(serializer),
            Self::Global => serializer.serialize_str("global"),
        }
    }
}

impl<'a> From<Destinations<'a>> for DestinationsAnswer<'a> {
    fn from(destinations: Destinations<'a>) -> Self {
        match destinations.is_global() {
            true => Self::Global,
            false => Self::Regions(destinations.iter().collect()),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct AccessAnswer<'a> {
    model: &'a str,
    region: &'a str,
    listed: bool,
    on_demand: Option<bool>,
    provisioned: Option<bool>,
    inference_types: Option<&'a [InferenceType]>,
    profiles: BTreeMap<&'a str, DestinationsAnswer<'a>>,
}

pub(crate) fn access(access: Access<'_>) -> AccessAnswer<'_> {
    let profiles = access.profiles();
    AccessAnswer {
        model: access.model().id(),
        region: access.region().id(),
        listed: access.is_listed(),
        on_demand: access.on_demand(),
        provisioned: access.provisioned(),
        inference_types: access.inference_types(),
        profiles: profiles
            .map(|(profile, to)| (profile.id(), to.into()))
            .collect(),
    }
}

#[derive(Serialize)]
pub(crate) struct RouteAnswer<'a> {
    model: &'a str,
    region: &'a str,
    policy: Policy<'a>,
    inference_id: &'a str,
    kind: RouteKind,
    geography: Option<&'a Geography>,
    destinations: DestinationsAnswer<'a>,
}

pub(crate) fn route<'a>(route: Route<'a>, policy: Policy<'a>) -> RouteAnswer<'a> {
    RouteAnswer {
        model: route.model().id(),
        region: route.region().id(),
        policy,
        inference_id: route.inference_id(),
        kind: route.kind(),
        geography: route.geography(),
        destinations: route.destinations().into(),
    }
}

#[derive(Serialize)]
pub(crate) struct ProfileAnswer<'a> {
    id: &'a str,
    name: Option<&'a str>,
    geography: Option<&'a Geography>,
    models: Vec<&'a str>,
    sources: BTreeMap<&'a str, DestinationsAnswer<'a>>,
}

pub(crate) fn profile(profile: Profile<'_>) -> ProfileAnswer<'_> {
    let mut sources: BTreeMap<&str, DestinationsAnswer<'_>> = BTreeMap::new();
    for route in profile.routes() {
        let source = route.access.region().id();
        let all = sources
            .entry(source)
            .or_insert(DestinationsAnswer::Regions(BTreeSet::new()));
        // A profile of several models is served wherever any of them is.
        match (all, route.destinations.into()) {
            (DestinationsAnswer::Regions(all), DestinationsAnswer::Regions(more)) => {
                all.extend(more)
            }
            (all, _) => *all = DestinationsAnswer::Global,
        }
    }
    ProfileAnswer {
        id: profile.id(),
        name: profile.name(),
        geography: profile.geography(),
        models: profile.models().map(|model| model.id()).collect(),
        sources,
    }
}

#[derive(Serialize)]
pub(crate) struct RegionAnswer<'a> {
    id: &'a str,
    models: usize,
    on_demand: usize,
    profiles: usize,
    stale_since: Option<Timestamp>,
}

pub(crate) fn region(region: Region<'_>) -> RegionAnswer<'_> {
    RegionAnswer {
        id: region.id(),
        models: region.model_count(),
        on_demand: region.on_demand_count(),
        profiles: region.profile_count(),
        stale_since: region.stale_since(),
    }
}

#[derive(Serialize)]
pub(crate) struct CacheAnswer {
    pub(crate) format: u32,
    pub(crate) tiers: Vec<TierAnswer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recent: Option<Vec<RecentAnswer>>,
}

#[derive(Serialize)]
pub(crate) struct TierAnswer {
    pub(crate) name: &'static str,
    pub(crate) healthy: bool,
    pub(crate) health: String,
    pub(crate) breaker: &'static str,
    pub(crate) entries: Option<u64>,
    pub(crate) bytes: Option<u64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) counted: Option<CountedAnswer>,
}

#[derive(Serialize)]
pub(crate) struct CountedAnswer {
    pub(crate) hits: u64,
    pub(crate) writes: u64,
    pub(crate) promotions: u64,
    pub(crate) evictions: u64,
    pub(crate) expirations: u64,
    pub(crate) errors: u64,
    /// Of the questions that came to this tier; `null` where none did.
    pub(crate) hit_rate: Option<f64>,
    pub(crate) oldest: Option<Timestamp>,
    /// Of the entries as stored; `null` in memory.
    pub(crate) format: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct RecentAnswer {
    pub(crate) key: String,
    pub(crate) tier: &'static str,
    pub(crate) path: Option<String>,
    pub(crate) written_at: Option<Timestamp>,
    pub(crate) age_seconds: u64,
    pub(crate) last_access: Option<Timestamp>,
    pub(crate) accesses: Option<u64>,
    pub(crate) bytes: u64,
}

/// How the cache is, tier by tier.
pub(crate) fn cache(cache: &Cache, detailed: bool, recent: Option<usize>) -> CacheAnswer {
    let statistics = cache.statistics();
    let mut asked = statistics.requests();
    let mut tiers = Vec::new();
    for tier in cache.health() {
        let counts = statistics.tier(tier.name);
        let came = asked;
        asked = asked.saturating_sub(counts.map_or(0, |counts| counts.hits));
        tiers.push(TierAnswer {
            name: tier.name,
            healthy: tier.status.ok,
            health: tier.status.message,
            breaker: live::breaker(tier.breaker),
            entries: tier.status.entries,
            bytes: tier.status.bytes,
            counted: counts.filter(|_| detailed).map(|counts| CountedAnswer {
                hits: counts.hits,
                writes: counts.writes,
                promotions: counts.promotions,
                evictions: counts.evictions,
                expirations: counts.expirations,
                errors: counts.errors,
                hit_rate: (came > 0).then(|| counts.hits as f64 / came as f64),
                oldest: cache.oldest_in(tier.name).and_then(live::moment),
                format: (tier.name != "memory").then_some(Codec::FORMAT),
            }),
        });
    }
    let now = SystemTime::now();
    let recent = recent.map(|count| {
        let recent = live::recent(cache, count).into_iter();
        recent
            .map(|entry| RecentAnswer {
                key: entry.key.to_string(),
                tier: entry.tier,
                path: entry.path.map(|path| path.display().to_string()),
                written_at: live::moment(entry.written_at),
                age_seconds: now
                    .duration_since(entry.written_at)
                    .unwrap_or_default()
                    .as_secs(),
                last_access: entry.last_access.and_then(live::moment),
                accesses: entry.accesses,
                bytes: entry.bytes,
            })
            .collect()
    });
    CacheAnswer {
        format: bedrock_catalog::Document::FORMAT,
        tiers,
        recent,
    }
}
