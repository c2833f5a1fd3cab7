//! The difference between two catalogs, for reviews of a new bundle and for notices of a refresh.

mod compare;

use bedrock_catalog_data::{Date, LifecycleStatus, Timestamp};
use serde::Serialize;

/// The difference between two catalogs. Every list is sorted by id and unique.
///
/// Models and profiles are compared by exact id. Times of observation and names of constants are not
/// compared. Texts are unchanged: escape them for output.
///
/// ```
/// use bedrock_catalog_data::Catalog;
/// use bedrock_catalog_recording::CatalogDiff;
///
/// let bundle = Catalog::bundled();
/// assert!(CatalogDiff::between(bundle, bundle).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogDiff {
    from: DiffSide,
    to: DiffSide,
    models_added: Vec<ModelNote>,
    models_retired: Vec<ModelNote>,
    models_gone: Vec<ModelNote>,
    models_back: Vec<ModelNote>,
    models_changed: Vec<ModelChange>,
    profiles_added: Vec<ProfileNote>,
    profiles_gone: Vec<ProfileNote>,
    profiles_back: Vec<ProfileNote>,
    profiles_changed: Vec<ProfileChange>,
    regions: SetChange,
    regions_stale: Vec<StaleNote>,
    regions_fresh: Vec<String>,
}

/// One of the compared catalogs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DiffSide {
    /// The partition.
    pub partition: String,
    /// The time of its recording.
    pub observed_at: Timestamp,
}

/// An added or removed model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelNote {
    /// The exact id.
    pub id: String,
    /// The display name.
    pub name: Option<String>,
    /// The provider's name.
    pub provider: Option<String>,
    /// The regions that have it or had it.
    pub regions: Vec<String>,
}

/// A model in both catalogs, with differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelChange {
    /// The exact id.
    pub id: String,
    /// The status in the listing, if it differs.
    pub status: Option<StatusChange>,
    /// The lifecycle dates that differ.
    pub dates: Vec<DateChange>,
    /// The regions that have it.
    pub regions: SetChange,
    /// The regions where it is on demand, among those that have it in both catalogs.
    pub on_demand: SetChange,
    /// The regions where it is provisioned, among those that have it in both catalogs.
    pub provisioned: SetChange,
    /// The names of other properties that differ, as in the catalog JSON.
    pub facts: Vec<&'static str>,
}

impl ModelChange {
    /// Whether its status changed to legacy.
    pub fn is_newly_legacy(&self) -> bool {
        let legacy = LifecycleStatus::Legacy;
        let now = self.status.as_ref().and_then(|status| status.to.as_deref());
        now == Some(legacy.as_str())
    }

    fn is_empty(&self) -> bool {
        self.status.is_none()
            && self.dates.is_empty()
            && self.facts.is_empty()
            && [&self.regions, &self.on_demand, &self.provisioned]
                .iter()
                .all(|set| set.is_empty())
    }
}

/// A change of a model's status in the listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusChange {
    /// The old status.
    pub from: Option<String>,
    /// The new status.
    pub to: Option<String>,
}

/// An added, removed or changed lifecycle date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DateChange {
    /// `start`, `legacy`, `extended_access` or `end_of_life`.
    pub date: &'static str,
    /// The old date.
    pub from: Option<Date>,
    /// The new date.
    pub to: Option<Date>,
}

/// An added or removed inference profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileNote {
    /// The exact id.
    pub id: String,
    /// The models it serves or served.
    pub models: Vec<String>,
    /// Its source regions.
    pub sources: Vec<String>,
}

/// An inference profile in both catalogs, with differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileChange {
    /// The exact id.
    pub id: String,
    /// The models it serves.
    pub models: SetChange,
    /// Its source regions.
    pub sources: SetChange,
    /// The destinations that differ for models and sources in both catalogs.
    pub destinations: Vec<DestinationsChange>,
    /// The names of other properties that differ, as in the catalog JSON.
    pub facts: Vec<&'static str>,
}

/// A change of destinations that is the same for several source regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DestinationsChange {
    /// The model.
    pub model: String,
    /// The source regions.
    pub sources: Vec<String>,
    /// The destinations; `global` stands for any region of the partition.
    pub destinations: SetChange,
}

/// A region that became stale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StaleNote {
    /// The region.
    pub id: String,
    /// The time of its rows.
    pub since: Timestamp,
}

/// The added and removed elements of a set, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct SetChange {
    /// The added elements.
    pub gained: Vec<String>,
    /// The removed elements.
    pub lost: Vec<String>,
}

impl SetChange {
    /// Whether nothing is added or removed.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

impl CatalogDiff {
    /// Whether the catalogs give the same answers.
    pub fn is_empty(&self) -> bool {
        let Self {
            from,
            to,
            models_added,
            models_retired,
            models_gone,
            models_back,
            models_changed,
            profiles_added,
            profiles_gone,
            profiles_back,
            profiles_changed,
            regions,
            regions_stale,
            regions_fresh,
        } = self;
        let models = [models_added, models_retired, models_gone, models_back];
        let profiles = [profiles_added, profiles_gone, profiles_back];
        from.partition == to.partition
            && models.iter().all(|list| list.is_empty())
            && profiles.iter().all(|list| list.is_empty())
            && models_changed.is_empty()
            && profiles_changed.is_empty()
            && regions.is_empty()
            && regions_stale.is_empty()
            && regions_fresh.is_empty()
    }

    /// The old catalog.
    pub fn from(&self) -> &DiffSide {
        &self.from
    }

    /// The new catalog.
    pub fn to(&self) -> &DiffSide {
        &self.to
    }

    /// Models that the old catalog does not know.
    pub fn models_added(&self) -> &[ModelNote] {
        &self.models_added
    }

    /// Models that became retired: a complete recording does not have them.
    pub fn models_retired(&self) -> &[ModelNote] {
        &self.models_retired
    }

    /// Models that no region has now, while some regions failed.
    pub fn models_gone(&self) -> &[ModelNote] {
        &self.models_gone
    }

    /// Models that were retired or gone and are available again.
    pub fn models_back(&self) -> &[ModelNote] {
        &self.models_back
    }

    /// Models in both catalogs, with differences.
    pub fn models_changed(&self) -> &[ModelChange] {
        &self.models_changed
    }

    /// Profiles that the old catalog does not know.
    pub fn profiles_added(&self) -> &[ProfileNote] {
        &self.profiles_added
    }

    /// Profiles that serve no model now.
    pub fn profiles_gone(&self) -> &[ProfileNote] {
        &self.profiles_gone
    }

    /// Profiles that served no model and do again.
    pub fn profiles_back(&self) -> &[ProfileNote] {
        &self.profiles_back
    }

    /// Profiles in both catalogs, with differences.
    pub fn profiles_changed(&self) -> &[ProfileChange] {
        &self.profiles_changed
    }

    /// The recorded regions.
    pub fn regions(&self) -> &SetChange {
        &self.regions
    }

    /// Regions that became stale: they failed, and their previous rows are kept.
    pub fn regions_stale(&self) -> &[StaleNote] {
        &self.regions_stale
    }

    /// Regions that are no longer stale.
    pub fn regions_fresh(&self) -> &[String] {
        &self.regions_fresh
    }
}
