//! Policies, routes and destinations: the id to send, and where the request may be served.

use core::fmt;
use core::str::FromStr;

use crate::access::Access;
use crate::catalog::Catalog;
use crate::enums::{Geography, ParseEnumError};
use crate::id::IntoRegionId;
use crate::model::Model;
use crate::profile::Profile;
use crate::region::Region;
use crate::rows::{AccessRow, LinkRow};

/// The routes that a caller accepts.
///
/// Of the accepted routes, on demand comes first, then the profile with the fewest destinations, then
/// the smallest id.
///
/// | policy | in the region | profile of a geography | global profile |
/// |---|---|---|---|
/// | `InRegion` | yes | | |
/// | `Geography` (default) | yes | yes | |
/// | `Any` | yes | yes | yes |
/// | `Global` | | | yes |
/// | `Within(regions)` | if the region is in the set | if all destinations are in the set | |
///
/// A geography is a label of AWS and may cross borders: `Geography` accepts an `eu` profile that serves
/// in London or Zürich. Use `Within` with a set of [`residency`](crate::residency) where a border matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy<'a> {
    /// On demand in the caller's own region only.
    InRegion,
    /// In the region, else through the profile of a geography; never global.
    #[default]
    Geography,
    /// In the region, else through the profile of a geography, else global.
    Any,
    /// Through a global profile only.
    Global,
    /// Any route with all destinations among these regions.
    ///
    /// An entry is a region id, or the beginning of ids followed by `*`. `eu-*` is not the European
    /// Union: it matches London and Zürich too. An entry that matches no known region is an error, see
    /// [`Catalog::check_residency`].
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Policy, QueryErrorKind, models, residency};
    ///
    /// let sonnet = Catalog::bundled().model(models::ANTHROPIC_CLAUDE_SONNET_4_6).unwrap();
    /// let route = sonnet.route("eu-central-1", Policy::Within(residency::EU))?;
    /// assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
    ///
    /// let error = sonnet.route("eu-central-1", Policy::Within(&["eu-wets-*"])).unwrap_err();
    /// assert_eq!(error.kind(), QueryErrorKind::UnknownResidency);
    /// # }
    /// # Ok::<(), bedrock_catalog_data::QueryError>(())
    /// ```
    Within(&'a [&'a str]),
}

impl Policy<'_> {
    /// The policies without a set of regions: all except [`Policy::Within`].
    pub const PLAIN: &'static [Policy<'static>] = &[
        Policy::InRegion,
        Policy::Geography,
        Policy::Any,
        Policy::Global,
    ];

    /// The policy in kebab case: `in-region`, `geography`, `any`, `global`, `within`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InRegion => "in-region",
            Self::Geography => "geography",
            Self::Any => "any",
            Self::Global => "global",
            Self::Within(_) => "within",
        }
    }
}

impl fmt::Display for Policy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Parses one of [`Policy::PLAIN`]. `within` is an error, because it needs a set of regions.
///
/// ```
/// use bedrock_catalog_data::Policy;
///
/// assert_eq!("in-region".parse::<Policy>()?, Policy::InRegion);
/// assert!("within".parse::<Policy>().is_err());
/// # Ok::<(), bedrock_catalog_data::ParseEnumError>(())
/// ```
impl FromStr for Policy<'_> {
    type Err = ParseEnumError;

    fn from_str(text: &str) -> Result<Self, ParseEnumError> {
        let mut plain = Self::PLAIN.iter().copied();
        plain
            .find(|policy| policy.as_str() == text)
            .ok_or(ParseEnumError("in-region, geography, any or global"))
    }
}

/// Serializes [`Policy::as_str`], without the regions of [`Policy::Within`].
#[cfg(feature = "serde")]
impl serde::Serialize for Policy<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The kind of a [`Route`]. Printed and serialized in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RouteKind {
    /// On demand, served in the caller's region.
    InRegion,
    /// Through a profile with a list of destinations.
    Geography,
    /// Through a profile that may serve in any region of the partition.
    Global,
}

impl RouteKind {
    /// The kind in kebab case: `in-region`, `geography`, `global`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InRegion => "in-region",
            Self::Geography => "geography",
            Self::Global => "global",
        }
    }
}

impl fmt::Display for RouteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RouteKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The id to send for a model from a region, and where the request may be served.
///
/// A handle into its catalog, `Copy`. All methods are lookups by index: no hash, no allocation.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Policy, RouteKind};
///
/// let route = Catalog::bundled().route("anthropic.claude-sonnet-4-6", "eu-west-1", Policy::Geography)?;
/// assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
/// assert_eq!(route.kind(), RouteKind::Geography);
/// assert!(route.destinations().contains("eu-central-1"));
/// # }
/// # Ok::<(), bedrock_catalog_data::QueryError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Route<'a> {
    access: Access<'a>,
    /// The link to the profile; `None` on demand.
    link: Option<&'a LinkRow>,
}

impl<'a> Route<'a> {
    #[inline]
    pub(crate) fn new(access: Access<'a>, link: Option<&'a LinkRow>) -> Self {
        Self { access, link }
    }

    /// The id to send as the model id: that of the model, or of an inference profile.
    #[inline]
    pub fn inference_id(&self) -> &'a str {
        let tables = &self.access.catalog().tables;
        match self.link {
            Some(link) => tables.profile_id(link.profile),
            None => tables.model_id(self.access.row().model),
        }
    }

    /// Whether it is on demand, through a geography, or global.
    #[inline]
    pub fn kind(&self) -> RouteKind {
        match self.link {
            None => RouteKind::InRegion,
            Some(link) if link.is_global() => RouteKind::Global,
            Some(_) => RouteKind::Geography,
        }
    }

    /// The model.
    pub fn model(&self) -> Model<'a> {
        self.access.model()
    }

    /// The region that the call comes from.
    pub fn region(&self) -> Region<'a> {
        self.access.region()
    }

    /// The inference profile; `None` on demand.
    #[inline]
    pub fn profile(&self) -> Option<Profile<'a>> {
        Profile::new(self.access.catalog(), self.link?.profile)
    }

    /// The geography of the profile; `None` on demand and for a profile without one.
    pub fn geography(&self) -> Option<&'a Geography> {
        self.profile()?.geography()
    }

    /// Where the request may be served.
    #[inline]
    pub fn destinations(&self) -> Destinations<'a> {
        match self.link {
            None => Destinations::own(self.access.catalog(), self.access.row()),
            Some(link) => Destinations::of_link(self.access.catalog(), link),
        }
    }
}

/// Equal if model, region and inference id are equal, also across catalogs.
impl PartialEq for Route<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.access == other.access && self.inference_id() == other.inference_id()
    }
}

impl Eq for Route<'_> {}

impl fmt::Debug for Route<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("inference_id", &self.inference_id())
            .field("kind", &self.kind())
            .field("destinations", &self.destinations())
            .finish_non_exhaustive()
    }
}

/// Where a request may be served: a sorted, unique list of regions, or any region of the partition.
///
/// Printed as the ids separated by `, `, or as `global`. A handle, `Copy`.
#[derive(Clone, Copy)]
pub struct Destinations<'a> {
    catalog: &'a Catalog,
    /// Region numbers; `None` for global.
    regions: Option<&'a [u16]>,
}

impl<'a> Destinations<'a> {
    #[inline]
    pub(crate) fn of_link(catalog: &'a Catalog, link: &'a LinkRow) -> Self {
        let regions =
            (!link.is_global()).then(|| link.destinations.of(&catalog.tables.destinations));
        Self { catalog, regions }
    }

    #[inline]
    fn own(catalog: &'a Catalog, access: &'a AccessRow) -> Self {
        Self {
            catalog,
            regions: Some(core::slice::from_ref(&access.region)),
        }
    }

    /// Whether any region of the partition may serve.
    pub fn is_global(&self) -> bool {
        self.regions.is_none()
    }

    /// The region ids, sorted and unique; empty if it is global.
    pub fn iter(&self) -> DestinationIds<'a> {
        DestinationIds {
            catalog: self.catalog,
            regions: self.regions.unwrap_or_default().iter(),
        }
    }

    /// Whether a request may be served in the region; always `true` if it is global.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Policy, models, regions};
    ///
    /// let nova = Catalog::bundled().model(models::AMAZON_NOVA_PRO_V1_0).unwrap();
    /// let route = nova.route("eu-west-2", Policy::InRegion)?;
    /// assert!(route.destinations().contains(regions::EU_WEST_2));
    /// assert!(!route.destinations().contains("us-east-1"));
    /// # }
    /// # Ok::<(), bedrock_catalog_data::QueryError>(())
    /// ```
    pub fn contains(&self, region: impl IntoRegionId) -> bool {
        self.is_global() || self.iter().any(|id| id == region.text())
    }

    /// Whether every destination matches an entry; always `false` if it is global.
    ///
    /// An entry is a region id, or the beginning of ids followed by `*`. Entries that match no known
    /// region are not reported here; [`Catalog::check_residency`] reports them. `eu-*` is not the
    /// European Union, [`residency::EU`](crate::residency::EU) is.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Policy, residency};
    ///
    /// let catalog = Catalog::bundled();
    /// let route = catalog.route("anthropic.claude-sonnet-4-6", "eu-west-1", Policy::Geography)?;
    /// assert!(route.destinations().are_within(residency::EU));
    /// assert!(!route.destinations().are_within(&["eu-west-1"]));
    /// # }
    /// # Ok::<(), bedrock_catalog_data::QueryError>(())
    /// ```
    pub fn are_within(&self, regions: &[&str]) -> bool {
        let allowed = |id: &str| {
            regions.iter().any(|entry| match entry.strip_suffix('*') {
                Some(prefix) => id.starts_with(prefix),
                None => id == *entry,
            })
        };
        !self.is_global() && self.iter().all(allowed)
    }
}

impl<'a> IntoIterator for Destinations<'a> {
    type Item = &'a str;
    type IntoIter = DestinationIds<'a>;

    fn into_iter(self) -> DestinationIds<'a> {
        self.iter()
    }
}

/// Iterator over the region ids of [`Destinations`], sorted.
#[derive(Clone)]
pub struct DestinationIds<'a> {
    catalog: &'a Catalog,
    regions: core::slice::Iter<'a, u16>,
}

impl<'a> Iterator for DestinationIds<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let &number = self.regions.next()?;
        Some(Region::at(self.catalog, number).id())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.regions.size_hint()
    }
}

impl ExactSizeIterator for DestinationIds<'_> {}

impl fmt::Debug for DestinationIds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Equal if the ids are equal, also across catalogs.
impl PartialEq for Destinations<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.is_global() == other.is_global() && self.iter().eq(other.iter())
    }
}

impl Eq for Destinations<'_> {}

impl fmt::Display for Destinations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_global() {
            return f.write_str("global");
        }
        for (position, id) in self.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            f.write_str(id)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Destinations<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_global() {
            return f.write_str("Global");
        }
        f.debug_list().entries(self.iter()).finish()
    }
}
