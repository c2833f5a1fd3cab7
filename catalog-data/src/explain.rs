//! Errors of questions without an answer: what is wrong, and what would be right. All of it is cold.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::access::Access;
use crate::catalog::Catalog;
use crate::error::{QueryError, QueryErrorKind, list, quoted};
use crate::model::Model;
use crate::profile::Profile;
use crate::route::{Policy, Route, RouteKind};
use crate::{Status, partition, residency, suggest};

impl Catalog {
    /// The error for an id that is no model of this catalog, with the closest ids.
    ///
    /// For lookups by [`Catalog::model`], which return `None`.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::Catalog;
    ///
    /// let catalog = Catalog::bundled();
    /// let id = "nova-pro-v1:0";
    /// let error = catalog.model(id).ok_or_else(|| catalog.unknown_model(id)).unwrap_err();
    /// assert_eq!(error.suggestions()[0], "amazon.nova-pro-v1:0");
    /// # }
    /// ```
    #[cold]
    pub fn unknown_model(&self, id: &str) -> QueryError {
        if let Some(profile) = self.profile(id) {
            return self.profile_instead_of_model(profile);
        }
        let mut ids = self.models().map(|model| model.id());
        let closest = suggest::closest(id, &mut ids);
        let marked = |id| (id, self.model(id).map(|model| self.end_mark(model)));
        self.unknown(
            QueryErrorKind::UnknownModel,
            id,
            closest.into_iter().map(marked),
        )
    }

    /// The error for an id that is no inference profile of this catalog, with the closest ids.
    #[cold]
    pub fn unknown_profile(&self, id: &str) -> QueryError {
        let mut ids = self.profiles().map(|profile| profile.id());
        let closest = suggest::closest(id, &mut ids);
        let marked = |id| {
            let model = self.profile(id).and_then(|profile| profile.models().next());
            (id, model.map(|model| self.end_mark(model)))
        };
        self.unknown(
            QueryErrorKind::UnknownProfile,
            id,
            closest.into_iter().map(marked),
        )
    }

    /// The error for an id that is no region of this catalog: the closest ids, or its partition.
    #[cold]
    pub fn unknown_region(&self, id: &str) -> QueryError {
        let own = self.partition();
        if let Some(other) = partition::partition_of(id).filter(|other| *other != own) {
            let message = format!(
                "region {} is in partition {other}; this catalog is of partition {}",
                quoted(id),
                quoted(own)
            );
            return QueryError::new(QueryErrorKind::OtherPartition, message).of(self);
        }
        let mut ids = self.regions().map(|region| region.id());
        let closest = owned(suggest::closest(id, &mut ids));
        let mut message = format!("unknown region {}", quoted(id));
        did_you_mean(&mut message, &closest);
        QueryError::new(QueryErrorKind::UnknownRegion, message)
            .suggesting(closest)
            .of(self)
    }

    /// Checks that every entry of a residency set names a region, or begins the id of one before its
    /// `*`. Known regions are those of this catalog and of AWS.
    ///
    /// [`Catalog::route`] and [`Catalog::routes_within`] check their set themselves. No allocation
    /// unless it fails.
    ///
    /// # Errors
    /// [`QueryErrorKind::UnknownResidency`] for the first entry that matches no known region, with the
    /// closest entries.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, residency};
    ///
    /// let catalog = Catalog::bundled();
    /// assert!(catalog.check_residency(residency::EU).is_ok());
    /// let error = catalog.check_residency(&["eu-wset-1"]).unwrap_err();
    /// assert_eq!(error.suggestions()[0], "eu-west-1");
    /// # }
    /// ```
    pub fn check_residency(&self, regions: &[&str]) -> Result<(), QueryError> {
        match regions.iter().find(|entry| !self.matches_a_region(entry)) {
            None => Ok(()),
            Some(entry) => Err(self.unknown_residency(entry)),
        }
    }

    fn matches_a_region(&self, entry: &str) -> bool {
        match entry.strip_suffix('*') {
            Some(prefix) => self
                .known_regions()
                .chain(partition::regions())
                .any(|id| id.starts_with(prefix)),
            None => {
                self.region_number(&entry).is_some() || partition::regions().any(|id| id == entry)
            }
        }
    }

    #[cold]
    fn unknown_residency(&self, entry: &str) -> QueryError {
        let known = self.known_regions().chain(partition::regions());
        let known: BTreeSet<&str> = known.collect();
        let closest = match entry.strip_suffix('*') {
            None => owned(suggest::closest(entry, &mut known.into_iter())),
            Some(prefix) => {
                // As many whole parts as the prefix has: `eu-`, or `eu-west-`.
                let parts = prefix.trim_end_matches('-').split('-').count();
                let prefixes = known.iter().filter_map(|id| {
                    let (dash, _) = id.match_indices('-').nth(parts - 1)?;
                    id.get(..=dash)
                });
                let prefixes: BTreeSet<&str> = prefixes.collect();
                let closest = suggest::closest(prefix, &mut prefixes.into_iter());
                closest.iter().map(|prefix| format!("{prefix}*")).collect()
            }
        };
        let mut message = format!("{} matches no known region", quoted(entry));
        if residency::by_name(entry).is_some() {
            let name = entry.to_ascii_uppercase();
            message.push_str(&format!("; the set of that name is residency::{name}"));
        } else {
            did_you_mean(&mut message, &closest);
        }
        QueryError::new(QueryErrorKind::UnknownResidency, message)
            .suggesting(closest)
            .of(self)
    }

    /// The error for a model and a region without access.
    #[cold]
    #[inline(never)]
    pub(crate) fn no_access(&self, model: &str, region: &str, policy: Policy<'_>) -> QueryError {
        let Some(model) = self.model(model) else {
            return match (self.profile(model), self.region(region)) {
                (Some(profile), Some(region)) if !profile.has_source(region) => {
                    self.not_a_source(profile, region.id(), policy)
                }
                _ => self.unknown_model(model),
            };
        };
        if self.region(region).is_none() {
            return self.unknown_region(region);
        }
        if model.is_retired() {
            return self.retired(model.id(), Some(model.last_seen()));
        }
        let regions = owned(model.regions().map(|region| region.id()));
        let elsewhere = match regions.is_empty() {
            true => "no region has it now".to_owned(),
            false => format!("it is in {}", list(&regions, "and")),
        };
        let message = format!(
            "{} is not in {}; {elsewhere}",
            quoted(model.id()),
            quoted(region)
        );
        QueryError::new(QueryErrorKind::NotInRegion, message)
            .suggesting(regions)
            .of(self)
    }

    fn retired(&self, id: &str, last_seen: Option<crate::Date>) -> QueryError {
        let mut message = format!("{} is retired", quoted(id));
        if let Some(day) = last_seen {
            message.push_str(&format!("; it was last seen on {day}"));
        }
        QueryError::new(QueryErrorKind::Retired, message).of(self)
    }

    fn profile_instead_of_model(&self, profile: Profile<'_>) -> QueryError {
        if profile.is_retired() {
            return self.retired(profile.id(), profile.last_seen());
        }
        let marked = profile
            .models()
            .map(|model| marked(model.id(), self.end_mark(model).text));
        let message = format!(
            "{} is an inference profile, not a model; it serves {}",
            quoted(profile.id()),
            list(&marked.collect::<Vec<_>>(), "and")
        );
        QueryError::new(QueryErrorKind::UnknownModel, message)
            .suggesting(owned(profile.models().map(|model| model.id())))
            .of(self)
    }

    /// The error for a profile given instead of a model, from a region that is no source of it.
    fn not_a_source(&self, profile: Profile<'_>, region: &str, policy: Policy<'_>) -> QueryError {
        let mut message = format!(
            "{} is no source of the inference profile {}",
            quoted(region),
            quoted(profile.id())
        );
        let mut suggestions = Vec::new();
        for model in profile.models() {
            let id = quoted(model.id());
            let access = model.access(region);
            let route = access.and_then(|access| access.best(policy));
            message.push_str(&match (route, access) {
                (Some(route), _) => {
                    suggestions.push(route.inference_id().to_owned());
                    format!(
                        "; from there, send {} for {id}",
                        list(&[way(&route)], "and")
                    )
                }
                (None, Some(access)) if access.routes().next().is_some() => format!(
                    "; policy {policy} allows none of the routes to {id} from there: {}",
                    ways(access)
                ),
                _ => format!("; there is no route to {id} from there"),
            });
        }
        QueryError::new(QueryErrorKind::NotASource, message)
            .suggesting(suggestions)
            .of(self)
    }

    /// The error for an unknown model or profile. Close ids of other versions are named as such, and
    /// those of models that end are marked.
    fn unknown<'a>(
        &self,
        kind: QueryErrorKind,
        id: &str,
        closest: impl Iterator<Item = (&'a str, Option<EndMark>)>,
    ) -> QueryError {
        let what = match kind {
            QueryErrorKind::UnknownModel => "model",
            _ => "inference profile",
        };
        let mut message = format!("unknown {what} {}", quoted(id));
        let (mut same, mut others, mut suggestions) = (Vec::new(), Vec::new(), Vec::new());
        for (close, mark) in closest {
            let mark = mark.unwrap_or_default();
            match suggest::is_same_version(id, close) {
                true => {
                    if !mark.ended {
                        suggestions.push(close.to_owned());
                    }
                    same.push(marked(close, mark.text));
                }
                false => others.push(marked(close, mark.text)),
            }
        }
        did_you_mean(&mut message, &same);
        if !others.is_empty() {
            message.push_str(match same.is_empty() {
                true => "; other versions or models have similar ids: ",
                false => " Other versions or models have similar ids: ",
            });
            message.push_str(&list(&others, "and"));
        }
        QueryError::new(kind, message)
            .suggesting(suggestions)
            .of(self)
    }

    /// How the end of a model is shown next to its id, as of the day of the recording.
    fn end_mark(&self, model: Model<'_>) -> EndMark {
        let status = model.status_at(self.observed_at().date());
        let end = model.lifecycle().end_of_life();
        let text = match (status, end) {
            (Status::Ended, Some(day)) => format!("ended {day}"),
            (Status::Legacy, Some(day)) => format!("legacy, ends {day}"),
            (Status::Legacy, None) => "legacy".to_owned(),
            (_, Some(day)) => format!("ends {day}"),
            (_, None) => String::new(),
        };
        EndMark {
            text,
            ended: status == Status::Ended,
        }
    }
}

#[derive(Default)]
struct EndMark {
    text: String,
    ended: bool,
}

impl<'a> Access<'a> {
    /// The error for a policy that allows none of the routes.
    #[cold]
    #[inline(never)]
    pub(crate) fn no_route(self, policy: Policy<'_>) -> QueryError {
        let (model, region) = (quoted(self.model().id()), quoted(self.region().id()));
        let has_routes = self.routes().next().is_some();
        let mut suggestions = Vec::new();
        let (kind, message) = if has_routes && matches!(policy, Policy::Within(_)) {
            let message = format!(
                "no route to {model} from {region} stays within these regions: {}",
                ways(self)
            );
            (QueryErrorKind::PolicyForbids, message)
        } else if has_routes {
            let allowing = Policy::PLAIN.iter();
            let allowing = allowing.filter(|&&policy| self.best(policy).is_some());
            suggestions = owned(allowing.map(|policy| policy.as_str()));
            let only_global = self.routes().all(|route| route.kind() == RouteKind::Global);
            let problem = match only_global {
                true => "only a global profile serves",
                false => "the policy allows no route to",
            };
            let message = format!(
                "{problem} {model} from {region}: {}; policy {policy} does not allow that, policy {} does",
                ways(self),
                list(&suggestions, "or"),
            );
            (QueryErrorKind::PolicyForbids, message)
        } else if self.provisioned() == Some(true) {
            let message = format!(
                "{model} can be called from {region} with provisioned throughput only: buy it and \
                 send the ARN of the provisioned model"
            );
            (QueryErrorKind::ProvisionedOnly, message)
        } else {
            let message = match self.inference_types() {
                None => format!("{region} lists {model} and does not say how to call it"),
                Some([]) => format!("{region} lists {model} without a way to call it"),
                Some(types) => format!(
                    "{region} lists {model} for {}, which gives no way to call it now",
                    list(types, "and")
                ),
            };
            (QueryErrorKind::NoWayIn, message)
        };
        QueryError::new(kind, message)
            .suggesting(suggestions)
            .of(self.catalog())
    }
}

/// The inference ids of all routes with their destinations.
fn ways(access: Access<'_>) -> String {
    let ways = access.routes().map(|route| way(&route));
    list(&ways.collect::<Vec<_>>(), "and")
}

fn way(route: &Route<'_>) -> String {
    format!("{} ({})", route.inference_id(), route.destinations())
}

fn marked(id: &str, mark: String) -> String {
    match mark.is_empty() {
        true => id.to_owned(),
        false => format!("{id} ({mark})"),
    }
}

fn did_you_mean(message: &mut String, closest: &[String]) {
    if !closest.is_empty() {
        message.push_str(&format!("; did you mean {}?", list(closest, "or")));
    }
}

fn owned<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    texts.into_iter().map(ToString::to_string).collect()
}

#[cfg(test)]
#[cfg(feature = "bundle")]
mod tests {
    use super::*;
    use crate::{
        AccessEntry, Date, DestinationsEntry, Document, LifecycleEntry, LifecycleStatus,
        ModelEntry, ProfileEntry, RouteEntry, Text,
    };

    fn model(id: &'static str, types: Option<&[&str]>, region: &str) -> ModelEntry<'static> {
        let types = types.map(|types| types.iter().map(|&text| text.into()).collect());
        let regions = Vec::from([Text::from(region).to_static()]);
        ModelEntry {
            access: Vec::from([AccessEntry::new(types, regions)]),
            ..ModelEntry::new(id)
        }
    }

    /// The bundle with one more region and one model listed there.
    fn with_model(region: &str, types: Option<&[&str]>) -> Catalog {
        let mut document = Catalog::bundled().to_document();
        document.regions.push(Text::from(region).to_static());
        document.models.push(model("acme.new", types, region));
        Catalog::from_document(&document).unwrap()
    }

    fn small(models: Vec<ModelEntry<'static>>, profiles: Vec<ProfileEntry<'static>>) -> Catalog {
        let mut document = Document::new("aws", "2026-08-22".parse().unwrap());
        document.regions = ["eu-west-1", "sa-east-1", "us-east-1"]
            .map(Text::from)
            .into();
        document.models = models;
        document.profiles = profiles;
        Catalog::from_document(&document).unwrap()
    }

    #[test]
    fn untrusted_texts_are_escaped() {
        let hostile = "x\u{1b}[2J\u{202e}";
        let catalog = with_model(hostile, Some(&["ODD\u{1b}"]));
        let errors = [
            catalog.route("acme.new", hostile, Policy::Any).unwrap_err(),
            catalog.access("amazon.nova-pro-v1:0", hostile).unwrap_err(),
            catalog.access("acme.new", "eu-west-1").unwrap_err(),
            catalog.unknown_model(hostile),
            catalog.check_residency(&["\u{1b}\u{202e}"]).unwrap_err(),
        ];
        for error in errors {
            assert!(!error.to_string().contains(char::is_control), "{error}");
            assert!(error.to_string().contains("\\u{202e}"), "{error}");
        }
    }

    #[test]
    fn a_model_without_a_way_to_call_it_names_the_inference_types() {
        for (types, expected) in [
            (None, "does not say how"),
            (Some(&[][..]), "without a way to call it"),
            (Some(&["BATCH", "WISHING"]), "for BATCH and WISHING"),
        ] {
            let catalog = with_model("xx-west-1", types);
            let route = catalog.route("acme.new", "xx-west-1", Policy::Any);
            let error = route.unwrap_err();
            assert_eq!(error.kind(), QueryErrorKind::NoWayIn);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn retired_models_and_profiles_are_not_suggested() {
        let retired = ModelEntry {
            retired: true,
            ..ModelEntry::new("acme.small-promo-v1:0")
        };
        let profile = ProfileEntry {
            retired: true,
            last_seen: Date::new(2026, 8, 1),
            ..ProfileEntry::new("eu.acme.small-promo-v1:0")
        };
        let current = model("acme.small-pro-v1:0", None, "eu-west-1");
        let catalog = small(Vec::from([current, retired]), Vec::from([profile]));
        let error = catalog.unknown_model("acme.small-promo-v1");
        assert_eq!(error.kind(), QueryErrorKind::UnknownModel);
        assert_eq!(error.suggestions(), ["acme.small-pro-v1:0"]);
        assert!(!error.to_string().contains("promo-v1:0"), "{error}");
        let error = catalog.unknown_profile("eu.acme.small-promo-v1");
        assert!(error.suggestions().is_empty());
        // By its exact id it is retired, not unknown.
        let error = catalog.unknown_model("eu.acme.small-promo-v1:0");
        assert_eq!(error.kind(), QueryErrorKind::Retired);
        assert!(error.to_string().ends_with("last seen on 2026-08-01"));
    }

    #[test]
    fn ended_models_and_other_versions_are_marked_and_not_suggested() {
        let ending = |id, status, day| ModelEntry {
            lifecycle: LifecycleEntry {
                status: Some(status),
                end_of_life: Some(day),
                ..LifecycleEntry::default()
            },
            ..model(id, None, "eu-west-1")
        };
        let (past, future) = ("2026-08-01", "2027-01-01");
        let models = Vec::from([
            ending(
                "acme.small-a",
                LifecycleStatus::Legacy,
                past.parse().unwrap(),
            ),
            ending(
                "acme.small-b",
                LifecycleStatus::Legacy,
                future.parse().unwrap(),
            ),
            model("acme.tall-3-1", None, "eu-west-1"),
        ]);
        let catalog = small(models, Vec::new());
        let error = catalog.unknown_model("acme.small-c");
        assert_eq!(
            error.to_string(),
            "unknown model `acme.small-c`; did you mean acme.small-a (ended 2026-08-01) or \
             acme.small-b (legacy, ends 2027-01-01)?"
        );
        assert_eq!(error.suggestions(), ["acme.small-b"]);
        let error = catalog.unknown_model("acme.tall-3-2");
        assert_eq!(
            error.to_string(),
            "unknown model `acme.tall-3-2`; other versions or models have similar ids: acme.tall-3-1"
        );
        assert!(error.suggestions().is_empty());
    }

    /// A profile of Europe, a global one, and one of the United States with its source there.
    fn routed() -> Catalog {
        let profile = |id, source: &'static str, destinations| ProfileEntry {
            routes: Vec::from([RouteEntry::new(
                "acme.one",
                Vec::from([source.into()]),
                destinations,
            )]),
            ..ProfileEntry::new(id)
        };
        let only = |id: &'static str| DestinationsEntry::Regions(Vec::from([id.into()]));
        small(
            Vec::from([ModelEntry::new("acme.one"), ModelEntry::new("acme.two")]),
            Vec::from([
                profile("eu.acme.one", "eu-west-1", only("eu-west-1")),
                profile("global.acme.one", "sa-east-1", DestinationsEntry::Global),
                profile("us.acme.one", "us-east-1", only("us-east-1")),
            ]),
        )
    }

    #[test]
    fn a_profile_from_a_region_that_is_no_source_names_the_route_from_there() {
        let catalog = routed();
        let ask = |region, policy| catalog.route("us.acme.one", region, policy).unwrap_err();
        let error = ask("eu-west-1", Policy::Geography);
        assert_eq!(error.kind(), QueryErrorKind::NotASource);
        assert_eq!(error.suggestions(), ["eu.acme.one"]);
        assert_eq!(
            error.to_string(),
            "`eu-west-1` is no source of the inference profile `us.acme.one`; from there, send \
             eu.acme.one (eu-west-1) for `acme.one`"
        );
        // The suggestion obeys the policy.
        let error = ask("sa-east-1", Policy::Geography);
        assert_eq!(error.kind(), QueryErrorKind::NotASource);
        assert!(error.suggestions().is_empty());
        assert!(
            error.to_string().contains("policy geography allows none"),
            "{error}"
        );
        assert_eq!(
            ask("sa-east-1", Policy::Any).suggestions(),
            ["global.acme.one"]
        );
        // From a source, the profile itself can be sent: the error is that it is no model.
        let error = ask("us-east-1", Policy::Geography);
        assert_eq!(error.kind(), QueryErrorKind::UnknownModel);
        assert_eq!(error.suggestions(), ["acme.one"]);
    }

    #[test]
    fn a_region_of_another_partition_is_named_as_such() {
        let catalog = routed();
        let error = catalog.access("acme.one", "us-gov-west-1").unwrap_err();
        assert_eq!(error.kind(), QueryErrorKind::OtherPartition);
        assert_eq!(
            error.to_string(),
            "region `us-gov-west-1` is in partition aws-us-gov; this catalog is of partition `aws`"
        );
        let error = catalog.access("acme.one", "eu-wset-1").unwrap_err();
        assert_eq!(error.kind(), QueryErrorKind::UnknownRegion);
        assert_eq!(error.suggestions(), ["eu-west-1"]);
    }

    #[test]
    fn an_unknown_entry_of_a_residency_set_is_an_error_also_where_a_route_exists() {
        let catalog = routed();
        fn within<'c>(catalog: &'c Catalog, regions: &[&str]) -> Result<Route<'c>, QueryError> {
            catalog.route("acme.one", "eu-west-1", Policy::Within(regions))
        }
        assert!(within(&catalog, &["eu-*"]).is_ok());
        assert!(within(&catalog, residency::EU).is_ok());
        // Regions of AWS are known, also if the catalog does not have them.
        assert!(within(&catalog, &["eu-west-1", "me-south-1", "us-gov-*"]).is_ok());
        for (entry, suggestions) in [
            ("eu-wset-1", &["eu-west-1", "eu-west-2", "eu-west-3"][..]),
            ("eu-wets-*", &["eu-west-*"]),
            ("", &[]),
            ("mars", &[]),
        ] {
            let error = within(&catalog, &["eu-west-1", entry]).unwrap_err();
            assert_eq!(error.kind(), QueryErrorKind::UnknownResidency);
            assert_eq!(error.suggestions(), suggestions, "{error}");
            assert!(catalog.routes_within(&[entry]).is_err());
        }
        let error = within(&catalog, &["uk"]).unwrap_err();
        assert!(error.to_string().ends_with("residency::UK"), "{error}");
        let error = within(&catalog, &[]).unwrap_err();
        assert_eq!(error.kind(), QueryErrorKind::PolicyForbids);
    }

    #[test]
    fn debug_prints_the_message_and_an_old_catalog_its_age() {
        let error = routed().unknown_model("acme.six");
        assert_eq!(format!("{error:?}"), error.to_string());
        let at = |day: &str| error.clone().with_age_at(day.parse().unwrap()).to_string();
        assert_eq!(at("2026-09-21"), error.to_string());
        assert_eq!(
            at("2026-09-22"),
            format!("{error}; the catalog is 31 days old")
        );
    }
}
