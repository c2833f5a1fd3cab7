//! The catalog: one immutable type for the bundle and for catalogs built at run time, with the lookups
//! by id.

#[cfg(feature = "bundle")]
use alloc::vec::Vec;
use core::fmt;

use crate::Timestamp;
use crate::access::Access;
use crate::error::QueryError;
use crate::id::sealed::{Claim, Named};
use crate::id::{IntoModelId, IntoProfileId, IntoRegionId};
use crate::index::{BuiltIndex, Index, PerfectHash};
use crate::model::Model;
use crate::profile::Profile;
use crate::region::Region;
use crate::route::{Policy, Route};
use crate::rows::{NONE, Tables};
use crate::text::StaticList;

/// The catalog of one partition at one time: models, inference profiles, regions and access.
///
/// Immutable, `Send + Sync`. [`Catalog::bundled`] is a `static`; [`Catalog::from_document`] builds one
/// at run time. Models, profiles and regions are sorted by id and unique. Answers borrow from the
/// catalog, and only errors allocate.
///
/// | lookup by | cost |
/// |---|---|
/// | text | one hash |
/// | constant of the bundle, in the bundle or a catalog built at run time | an index |
/// | handle of the same catalog ([`Model`], [`Region`]) | an index |
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Policy, models};
///
/// let catalog = Catalog::bundled();
/// let route = catalog.route(models::ANTHROPIC_CLAUDE_SONNET_4_6, "eu-central-1", Policy::Geography)?;
/// assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
/// # }
/// # Ok::<(), bedrock_catalog_data::QueryError>(())
/// ```
pub struct Catalog {
    pub(crate) tables: Tables,
    models: Index,
    profiles: Index,
    regions: Index,
    aliases: Aliases,
}

/// Maps the row numbers in the constants of another catalog to rows of this one.
#[derive(Default)]
struct Aliases {
    brand: u64,
    models: StaticList<u16>,
    profiles: StaticList<u16>,
    regions: StaticList<u16>,
}

impl Aliases {
    /// The row of a claim, if this catalog maps the numbers of its brand.
    #[inline]
    fn number(&self, claim: Claim, of: impl Fn(&Self) -> &[u16]) -> Option<u16> {
        if claim.brand != self.brand {
            return None;
        }
        let &number = of(self).get(usize::from(claim.number))?;
        (number != NONE).then_some(number)
    }
}

impl Catalog {
    /// The catalog baked into this crate. No I/O, no allocation, no failure.
    #[cfg(feature = "bundle")]
    #[inline]
    pub fn bundled() -> &'static Self {
        &crate::bundle::CATALOG
    }

    /// A catalog of baked tables. For generated code only.
    #[doc(hidden)]
    pub const fn baked(
        tables: Tables,
        models: PerfectHash,
        profiles: PerfectHash,
        regions: PerfectHash,
    ) -> Self {
        Self {
            tables,
            models: Index::Baked(models),
            profiles: Index::Baked(profiles),
            regions: Index::Baked(regions),
            aliases: Aliases {
                brand: 0,
                models: StaticList::Borrowed(&[]),
                profiles: StaticList::Borrowed(&[]),
                regions: StaticList::Borrowed(&[]),
            },
        }
    }

    /// A catalog of checked tables with the indexes of models, profiles and regions. Constants of the
    /// bundle are mapped.
    pub(crate) fn built(tables: Tables, indexes: [BuiltIndex; 3]) -> Self {
        let [models, profiles, regions] = indexes.map(Index::Built);
        #[allow(unused_mut)]
        let mut catalog = Self {
            tables,
            models,
            profiles,
            regions,
            aliases: Aliases::default(),
        };
        #[cfg(feature = "bundle")]
        {
            catalog.aliases = catalog.aliases_of(Self::bundled());
        }
        catalog
    }

    #[cfg(feature = "bundle")]
    fn aliases_of(&self, other: &Catalog) -> Aliases {
        Aliases {
            brand: other.tables.brand,
            models: aliases(
                other.all_models().map(|model| model.id()),
                self.all_models().map(|model| model.id()),
            ),
            profiles: aliases(
                other.all_profiles().map(|profile| profile.id()),
                self.all_profiles().map(|profile| profile.id()),
            ),
            regions: aliases(other.known_regions(), self.known_regions()),
        }
    }

    #[inline(never)]
    fn find_model(&self, id: &str) -> Option<u16> {
        let id_of = |number| Some(self.tables.model_id(number));
        self.models.find(id, id_of)
    }

    #[inline(never)]
    fn find_profile(&self, id: &str) -> Option<u16> {
        let id_of = |number| Some(self.tables.profile_id(number));
        self.profiles.find(id, id_of)
    }

    #[inline(never)]
    fn find_region(&self, id: &str) -> Option<u16> {
        let rows = &*self.tables.regions;
        self.regions.find(id, |number| {
            let row = rows.get(usize::from(number))?;
            Some(self.tables.text(row.id))
        })
    }

    /// The row of an id: by the number of its own constants and handles, by the aliases of another
    /// catalog's constants, else by text.
    #[inline]
    fn number<K>(
        &self,
        id: &impl Named<K>,
        aliases: impl Fn(&Aliases) -> &[u16],
        find: impl FnOnce(&Self, &str) -> Option<u16>,
    ) -> Option<u16> {
        id.number_in(self)
            .or_else(|| self.aliases.number(id.claim()?, aliases))
            .or_else(|| find(self, id.text()))
    }

    #[inline]
    pub(crate) fn model_number(&self, id: &impl IntoModelId) -> Option<u16> {
        self.number(id, |aliases| &aliases.models, Self::find_model)
    }

    #[inline]
    pub(crate) fn region_number(&self, id: &impl IntoRegionId) -> Option<u16> {
        self.number(id, |aliases| &aliases.regions, Self::find_region)
    }

    /// The model with this exact id, also if it is retired.
    ///
    /// [`Catalog::unknown_model`] makes an error with the closest ids of a `None`.
    #[inline]
    pub fn model(&self, id: impl IntoModelId) -> Option<Model<'_>> {
        Model::new(self, self.model_number(&id)?)
    }

    /// The inference profile with this exact id, also if it is retired.
    ///
    /// [`Catalog::unknown_profile`] makes an error with the closest ids of a `None`.
    #[inline]
    pub fn profile(&self, id: impl IntoProfileId) -> Option<Profile<'_>> {
        let number = self.number(&id, |aliases| &aliases.profiles, Self::find_profile)?;
        Profile::new(self, number)
    }

    /// The region with this id, if the recording asked it.
    ///
    /// [`Catalog::unknown_region`] makes an error with the closest ids of a `None`.
    #[inline]
    pub fn region(&self, id: impl IntoRegionId) -> Option<Region<'_>> {
        Region::new(self, self.region_number(&id)?).filter(Region::is_recorded)
    }

    /// The models without the retired ones, sorted by id.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::Catalog;
    ///
    /// let catalog = Catalog::bundled();
    /// assert!(catalog.models().all(|model| !model.is_retired()));
    /// assert!(catalog.models().count() <= catalog.all_models().len());
    /// # }
    /// ```
    pub fn models(&self) -> impl Iterator<Item = Model<'_>> + Clone {
        self.all_models().filter(|model| !model.is_retired())
    }

    /// All models with the retired ones, sorted by id.
    pub fn all_models(&self) -> impl ExactSizeIterator<Item = Model<'_>> + Clone {
        let rows = self.tables.models.iter().enumerate();
        // Fits: row numbers have 16 bits.
        rows.map(|(number, row)| Model::of(self, number as u16, row))
    }

    /// The profiles without the retired ones, sorted by id.
    pub fn profiles(&self) -> impl Iterator<Item = Profile<'_>> + Clone {
        self.all_profiles().filter(|profile| !profile.is_retired())
    }

    /// All profiles with the retired ones, sorted by id.
    pub fn all_profiles(&self) -> impl ExactSizeIterator<Item = Profile<'_>> + Clone {
        let rows = self.tables.profiles.iter();
        rows.map(|row| Profile::of(self, row))
    }

    /// The regions that the recording asked, sorted by id.
    pub fn regions(&self) -> impl Iterator<Item = Region<'_>> + Clone {
        let rows = self.tables.regions.iter().zip(0u16..);
        rows.map(|(row, number)| Region::of(self, number, row))
            .filter(Region::is_recorded)
    }

    /// The ids of all regions with a constant, sorted: recorded regions, other destinations, and former
    /// regions.
    pub fn known_regions(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let rows = self.tables.regions.iter();
        rows.map(|row| self.tables.text(row.id))
    }

    /// The access of every model from every region that has it, sorted by model, then region.
    pub fn accesses(&self) -> impl ExactSizeIterator<Item = Access<'_>> + Clone {
        let rows = self.tables.access.iter();
        rows.map(|row| Access::of(self, row))
    }

    /// Every way to call a model from a region. No allocation unless it fails.
    ///
    /// # Errors
    /// | kind | the error names |
    /// |---|---|
    /// | [`UnknownModel`](crate::QueryErrorKind::UnknownModel) | close ids; for the id of a profile its models |
    /// | [`UnknownRegion`](crate::QueryErrorKind::UnknownRegion) | close ids |
    /// | [`OtherPartition`](crate::QueryErrorKind::OtherPartition) | the partition of the region |
    /// | [`NotInRegion`](crate::QueryErrorKind::NotInRegion) | the regions that have the model |
    /// | [`NotASource`](crate::QueryErrorKind::NotASource) | for the id of a profile, the route from the region |
    /// | [`Retired`](crate::QueryErrorKind::Retired) | the day the model was last seen |
    #[inline]
    pub fn access(
        &self,
        model: impl IntoModelId,
        region: impl IntoRegionId,
    ) -> Result<Access<'_>, QueryError> {
        match self.access_by_number(&model, &region) {
            Some(access) => Ok(access),
            None => self.access_by_text(model, region, Policy::Any),
        }
    }

    /// The access where both are constants or handles of this catalog.
    #[inline]
    fn access_by_number(
        &self,
        model: &impl IntoModelId,
        region: &impl IntoRegionId,
    ) -> Option<Access<'_>> {
        let (model, region) = (model.number_in(self)?, region.number_in(self)?);
        Model::new(self, model)?.access_in(region)
    }

    /// Out of line, see [`Model::access`]. The policy is for the error.
    #[inline(never)]
    fn access_by_text(
        &self,
        model: impl IntoModelId,
        region: impl IntoRegionId,
        policy: Policy<'_>,
    ) -> Result<Access<'_>, QueryError> {
        let number = self.model_number(&model);
        let found = number
            .and_then(|number| Model::new(self, number))
            .and_then(|model| model.access_in(self.region_number(&region)?));
        found.ok_or_else(|| self.no_access(model.text(), region.text(), policy))
    }

    /// The preferred route to a model from a region that the policy accepts: the id to send, and where
    /// the request may be served.
    ///
    /// Two hashes for two texts, none for constants. No allocation unless it fails.
    ///
    /// # Errors
    /// Those of [`Catalog::access`], and those of [`Access::route`], which name the routes that there
    /// are and the policies that accept one.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Policy, QueryErrorKind, models, regions};
    ///
    /// let catalog = Catalog::bundled();
    /// let route = catalog.route(models::AMAZON_NOVA_PRO_V1_0, regions::EU_WEST_2, Policy::Geography)?;
    /// assert_eq!(route.inference_id(), "amazon.nova-pro-v1:0");
    ///
    /// // A profile is looked up, not built from a prefix: Frankfurt is no source of the `us` profile.
    /// let us = "us.anthropic.claude-sonnet-4-6";
    /// let error = catalog.route(us, "eu-central-1", Policy::Geography).unwrap_err();
    /// assert_eq!(error.kind(), QueryErrorKind::NotASource);
    /// assert_eq!(error.suggestions(), ["eu.anthropic.claude-sonnet-4-6"]);
    /// # }
    /// # Ok::<(), bedrock_catalog_data::QueryError>(())
    /// ```
    #[inline]
    pub fn route<'a>(
        &'a self,
        model: impl IntoModelId,
        region: impl IntoRegionId,
        policy: Policy<'_>,
    ) -> Result<Route<'a>, QueryError> {
        match self.access_by_number(&model, &region) {
            Some(access) => access.route(policy),
            None => self.access_by_text(model, region, policy)?.route(policy),
        }
    }

    /// Every route with all destinations in a residency set, sorted by model, then region, then
    /// preference. An entry is a region id, or the beginning of ids followed by `*`, as in
    /// [`Policy::Within`]. No allocation unless it fails.
    ///
    /// For one model and one region, [`Access::routes`] costs less.
    ///
    /// # Errors
    /// Those of [`Catalog::check_residency`].
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, residency};
    ///
    /// let catalog = Catalog::bundled();
    /// let from_ireland = catalog
    ///     .routes_within(residency::EU)?
    ///     .filter(|route| route.region().id() == "eu-west-1");
    /// let mut ids = from_ireland.map(|route| route.inference_id());
    /// assert!(ids.any(|id| id == "eu.anthropic.claude-sonnet-4-6"));
    /// # }
    /// # Ok::<(), bedrock_catalog_data::QueryError>(())
    /// ```
    pub fn routes_within<'a, 'r>(
        &'a self,
        regions: &'r [&'r str],
    ) -> Result<impl Iterator<Item = Route<'a>> + Clone + use<'a, 'r>, QueryError> {
        self.check_residency(regions)?;
        Ok(self
            .accesses()
            .flat_map(|access| access.routes())
            .filter(move |route| route.destinations().are_within(regions)))
    }

    /// The partition: `aws`, `aws-us-gov`, `aws-cn`, …
    pub fn partition(&self) -> &str {
        &self.tables.partition
    }

    /// The time of the recording behind this catalog.
    pub fn observed_at(&self) -> Timestamp {
        self.tables.observed_at
    }

    /// SHA-256 of the catalog document it was baked from, in hex; `None` if built at run time.
    pub fn digest(&self) -> Option<&str> {
        Some(&*self.tables.digest).filter(|digest| !digest.is_empty())
    }

    /// The tables. For the generator.
    #[doc(hidden)]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}

/// The number of each of `others` in `own`, or [`NONE`]. Both are sorted.
#[cfg(feature = "bundle")]
fn aliases<'a>(
    others: impl Iterator<Item = &'a str>,
    own: impl Iterator<Item = &'a str>,
) -> StaticList<u16> {
    let mut own = own.zip(0u16..).peekable();
    let number = |other: &str| {
        while own.next_if(|&(id, _)| id < other).is_some() {}
        let found = own.next_if(|&(id, _)| id == other);
        found.map_or(NONE, |(_, number)| number)
    };
    others.map(number).collect::<Vec<_>>().into()
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("partition", &self.partition())
            .field("observed_at", &self.observed_at())
            .field("models", &self.tables.models.len())
            .field("profiles", &self.tables.profiles.len())
            .field("regions", &self.tables.regions.len())
            .finish_non_exhaustive()
    }
}

/// Equal if the documents are equal: numbers, brands and indexes are ignored.
impl PartialEq for Catalog {
    fn eq(&self, other: &Self) -> bool {
        self.to_document() == other.to_document()
    }
}

impl Eq for Catalog {}

#[cfg(test)]
#[cfg(feature = "bundle")]
mod tests {
    use super::*;

    /// The bundle with one retired model and one retired profile.
    fn with_retired() -> Catalog {
        let mut document = Catalog::bundled().to_document();
        let day = Some(document.observed_at.date());
        document.models.push(crate::ModelEntry {
            last_seen: day,
            retired: true,
            ..crate::ModelEntry::new("amazon.nova-promo-v1:0")
        });
        document.profiles.push(crate::ProfileEntry {
            last_seen: day,
            retired: true,
            ..crate::ProfileEntry::new("eu.amazon.nova-promo-v1:0")
        });
        Catalog::from_document(&document).unwrap()
    }

    #[test]
    fn the_ids_sliced_at_compile_time_equal_those_of_the_rows() {
        let tables = Catalog::bundled().tables();
        let models = tables.models.iter().map(|row| row.id);
        let profiles = tables.profiles.iter().map(|row| row.id);
        assert!(
            models
                .map(|id| tables.text(id))
                .eq(tables.model_ids.iter().copied())
        );
        assert!(
            profiles
                .map(|id| tables.text(id))
                .eq(tables.profile_ids.iter().copied())
        );
    }

    #[test]
    fn retired_entries_are_in_the_complete_lists_only() {
        let (bundle, catalog) = (Catalog::bundled(), with_retired());
        assert!(catalog.models().all(|model| !model.is_retired()));
        assert!(catalog.profiles().all(|profile| !profile.is_retired()));
        assert_eq!(catalog.models().count(), bundle.models().count());
        assert_eq!(catalog.profiles().count(), bundle.profiles().count());
        assert_eq!(catalog.all_models().len(), bundle.all_models().len() + 1);
        assert_eq!(
            catalog.all_profiles().len(),
            bundle.all_profiles().len() + 1
        );
        let document = catalog.to_document();
        assert_eq!(Catalog::from_document(&document).unwrap(), catalog);
        assert!(catalog.model("amazon.nova-promo-v1:0").is_some());
        assert!(catalog.profile("eu.amazon.nova-promo-v1:0").is_some());
    }
}
