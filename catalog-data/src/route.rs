//! Routes: the policies, the one id to send, and where the request may be served.

use core::fmt;
use core::str::FromStr;

use crate::access::Access;
use crate::catalog::Catalog;
use crate::id::{Key, kind};
use crate::model::Model;
use crate::profile::Profile;
use crate::region::Region;
use crate::rows::{AccessRow, LinkRow};
use crate::words::{Geography, ParseWordError};

/// Which ways in a caller allows. Among the allowed ones the preferred is on demand, then the
/// profile with the fewest destinations, then the smallest id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Policy<'a> {
    /// On demand in the caller's own region only.
    InRegion,
    /// In the region, else through a geography's profile; never global. A geography may cross a
    /// border: the route lists the destinations.
    #[default]
    Geography,
    /// In the region, else through a geography's profile, else global.
    Any,
    /// Through the global profile only.
    Global,
    /// Any way whose every destination is one of these regions. An entry is a region id, or a
    /// beginning of ids followed by `*`: `eu-*`.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Policy, models, regions};
    ///
    /// let route = Catalog::bundled().route(
    ///     models::ANTHROPIC_CLAUDE_SONNET_4_6,
    ///     regions::EU_CENTRAL_1,
    ///     Policy::Within(&[regions::EU_CENTRAL_1.as_str(), "eu-*"]),
    /// )?;
    /// assert!(route.destinations().are_within(&["eu-*"]));
    /// # }
    /// # Ok::<(), bedrock_catalog_data::Error>(())
    /// ```
    Within(&'a [&'a str]),
}

impl Policy<'_> {
    /// The policies that a word alone names: all but [`Policy::Within`].
    pub const PLAIN: &'static [Policy<'static>] = &[
        Policy::InRegion,
        Policy::Geography,
        Policy::Any,
        Policy::Global,
    ];

    /// The policy's word: `in-region`, `geography`, `any`, `global`, `within`.
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

/// One of the plain policies; `within` is none, for it needs its regions.
///
/// ```
/// use bedrock_catalog_data::Policy;
///
/// assert_eq!("in-region".parse::<Policy>()?, Policy::InRegion);
/// assert!("within".parse::<Policy>().is_err());
/// # Ok::<(), bedrock_catalog_data::ParseWordError>(())
/// ```
impl FromStr for Policy<'_> {
    type Err = ParseWordError;

    fn from_str(word: &str) -> Result<Self, ParseWordError> {
        let mut plain = Self::PLAIN.iter().copied();
        plain
            .find(|policy| policy.as_str() == word)
            .ok_or(ParseWordError("in-region, geography, any or global"))
    }
}

/// As the policy's word; the regions of [`Policy::Within`] are left out.
#[cfg(feature = "serde")]
impl serde::Serialize for Policy<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What kind of way in a route is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RouteKind {
    /// On demand, served in the caller's region.
    InRegion,
    /// Through a profile with known destinations.
    Geography,
    /// Through a profile without a boundary inside the partition.
    Global,
}

impl RouteKind {
    /// The kind's word: `in-region`, `geography`, `global`.
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

/// The one id to send for a model from a region, and where the request may be served. `Copy`; it
/// belongs to its catalog.
#[derive(Clone, Copy)]
pub struct Route<'a> {
    access: Access<'a>,
    /// The profile's row; none for on demand.
    link: Option<&'a LinkRow>,
}

impl<'a> Route<'a> {
    #[inline]
    pub(crate) fn new(access: Access<'a>, link: Option<&'a LinkRow>) -> Self {
        Self { access, link }
    }

    /// The id to send as the model id: the model's own, or an inference profile's.
    #[inline]
    pub fn inference_id(&self) -> &'a str {
        let tables = &self.access.catalog().tables;
        match self.link {
            Some(link) => tables.profile_id(link.profile),
            None => tables.model_id(self.access.row().model),
        }
    }

    /// What kind of way it is.
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

    /// The region the call comes from.
    pub fn region(&self) -> Region<'a> {
        self.access.region()
    }

    /// The profile it goes through; `None` on demand.
    #[inline]
    pub fn profile(&self) -> Option<Profile<'a>> {
        Profile::new(self.access.catalog(), self.link?.profile)
    }

    /// The profile's geography; `None` on demand, and for a profile whose id names none.
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

/// Equal where model, region and the id to send are, whatever catalogs they come from.
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

/// Where a request may be served: a sorted, unique list of regions, or anywhere in the partition.
///
/// Printed as the ids, separated by a comma and a space, or `global`.
#[derive(Clone, Copy)]
pub struct Destinations<'a> {
    catalog: &'a Catalog,
    /// Region numbers; `None` is global.
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

    /// Whether there is no boundary inside the partition.
    pub fn is_global(&self) -> bool {
        self.regions.is_none()
    }

    /// The region ids, sorted; none where it is global.
    pub fn iter(&self) -> DestinationIds<'a> {
        DestinationIds {
            catalog: self.catalog,
            regions: self.regions.unwrap_or_default().iter(),
        }
    }

    /// Whether a request may be served in the region. Where it is global, in any.
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
    /// # Ok::<(), bedrock_catalog_data::Error>(())
    /// ```
    pub fn contains(&self, region: impl Key<kind::Region>) -> bool {
        self.is_global() || self.iter().any(|id| id == region.text())
    }

    /// Whether every destination is one of these regions, or begins with an entry's text before
    /// its `*`. Never, where it is global.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Policy};
    ///
    /// let catalog = Catalog::bundled();
    /// let route = catalog.route("anthropic.claude-sonnet-4-6", "eu-west-1", Policy::Geography)?;
    /// assert!(route.destinations().are_within(&["eu-*"]));
    /// assert!(!route.destinations().are_within(&["eu-west-1"]));
    /// # }
    /// # Ok::<(), bedrock_catalog_data::Error>(())
    /// ```
    pub fn are_within(&self, regions: &[&str]) -> bool {
        let allowed = |id: &str| {
            regions.iter().any(|entry| match entry.strip_suffix('*') {
                Some(beginning) => id.starts_with(beginning),
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

/// The region ids of [`Destinations`], sorted.
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

/// Equal where the ids are, whatever catalogs they come from.
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
        for (place, id) in self.iter().enumerate() {
            if place > 0 {
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
