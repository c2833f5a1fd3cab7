//! What has changed between two catalogs: the reviewer's view of a new bundle, and the notice of a
//! refresh. Pure: no clock, no I/O, and every text as it came. Whoever shows a difference escapes it.

mod compare;

use bedrock_catalog_data::{Date, LifecycleStatus, Timestamp};
use serde::Serialize;

/// What one catalog says and another does not. Every list is sorted by id.
///
/// Of a model or profile the exact id counts. Times of observation, and the names of constants, are
/// no difference: [`is_empty`](Self::is_empty) where every question has the answer it had.
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

/// One of the two catalogs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DiffSide {
    /// Its partition.
    pub partition: String,
    /// When it was observed.
    pub observed_at: Timestamp,
}

/// A model that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelNote {
    /// The exact id.
    pub id: String,
    /// The name for people.
    pub name: Option<String>,
    /// The provider's name.
    pub provider: Option<String>,
    /// The regions that have it, or had it.
    pub regions: Vec<String>,
}

/// A model that is in both catalogs, with differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelChange {
    /// The exact id.
    pub id: String,
    /// The control plane's words for its life, before and now, where they differ.
    pub status: Option<StatusChange>,
    /// The dates of its life that differ.
    pub dates: Vec<DateChange>,
    /// The regions with a way in or a listing.
    pub regions: SetChange,
    /// The regions, of those in both, where it may be called on demand.
    pub on_demand: SetChange,
    /// The regions, of those in both, where bought capacity may be called.
    pub provisioned: SetChange,
    /// What else differs, by the names that the catalog JSON has for it.
    pub facts: Vec<&'static str>,
}

impl ModelChange {
    /// Whether it is legacy now and was not.
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

/// The control plane's word for a model's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StatusChange {
    /// The word before.
    pub from: Option<String>,
    /// The word now.
    pub to: Option<String>,
}

/// A date of a model's life that came, went or moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DateChange {
    /// `start`, `legacy`, `extended_access` or `end_of_life`.
    pub date: &'static str,
    /// The date before.
    pub from: Option<Date>,
    /// The date now.
    pub to: Option<Date>,
}

/// An inference profile that came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileNote {
    /// The exact id.
    pub id: String,
    /// The models it serves, or served.
    pub models: Vec<String>,
    /// The regions it serves, or served, callers of.
    pub sources: Vec<String>,
}

/// An inference profile that is in both catalogs, with differences.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ProfileChange {
    /// The exact id.
    pub id: String,
    /// The models it serves.
    pub models: SetChange,
    /// The regions it serves callers of.
    pub sources: SetChange,
    /// Where callers that it served before may be served now.
    pub destinations: Vec<DestinationsChange>,
    /// What else differs, by the names that the catalog JSON has for it.
    pub facts: Vec<&'static str>,
}

/// Where a model may be served for callers of some regions, all alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DestinationsChange {
    /// The model.
    pub model: String,
    /// The callers' regions.
    pub sources: Vec<String>,
    /// The destinations; `global` where there is no boundary.
    pub destinations: SetChange,
}

/// A region whose rows could not be renewed this time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StaleNote {
    /// The region.
    pub id: String,
    /// When its rows were observed.
    pub since: Timestamp,
}

/// What came to a set and what left it, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct SetChange {
    /// What is there and was not.
    pub gained: Vec<String>,
    /// What was there and is not.
    pub lost: Vec<String>,
}

impl SetChange {
    /// Whether nothing came and nothing left.
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty()
    }
}

impl CatalogDiff {
    /// Whether the two answer every question alike.
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

    /// The catalog before.
    pub fn from(&self) -> &DiffSide {
        &self.from
    }

    /// The catalog now.
    pub fn to(&self) -> &DiffSide {
        &self.to
    }

    /// Models that were not known.
    pub fn models_added(&self) -> &[ModelNote] {
        &self.models_added
    }

    /// Models that a complete recording does not have any more.
    pub fn models_retired(&self) -> &[ModelNote] {
        &self.models_retired
    }

    /// Models that are not there any more, though not every region was heard.
    pub fn models_gone(&self) -> &[ModelNote] {
        &self.models_gone
    }

    /// Models that were retired or gone and are there again.
    pub fn models_back(&self) -> &[ModelNote] {
        &self.models_back
    }

    /// Models that are there as before, with differences.
    pub fn models_changed(&self) -> &[ModelChange] {
        &self.models_changed
    }

    /// Profiles that were not known.
    pub fn profiles_added(&self) -> &[ProfileNote] {
        &self.profiles_added
    }

    /// Profiles that serve nothing any more.
    pub fn profiles_gone(&self) -> &[ProfileNote] {
        &self.profiles_gone
    }

    /// Profiles that served nothing and do again.
    pub fn profiles_back(&self) -> &[ProfileNote] {
        &self.profiles_back
    }

    /// Profiles that are there as before, with differences.
    pub fn profiles_changed(&self) -> &[ProfileChange] {
        &self.profiles_changed
    }

    /// Regions.
    pub fn regions(&self) -> &SetChange {
        &self.regions
    }

    /// Regions that gave no answer this time: their last good rows were kept.
    pub fn regions_stale(&self) -> &[StaleNote] {
        &self.regions_stale
    }

    /// Regions that answer again.
    pub fn regions_fresh(&self) -> &[String] {
        &self.regions_fresh
    }
}
