//! The catalog: one immutable type for the bundle and for catalogs built at run time, and the
//! questions that start from an id.

#[cfg(feature = "bundle")]
use alloc::vec::Vec;
use core::fmt;

use crate::access::Access;
use crate::error::Error;
use crate::id::sealed::Claim;
use crate::id::{Key, kind};
use crate::index::{BuiltIndex, Index, PerfectHash};
use crate::model::Model;
use crate::profile::Profile;
use crate::region::Region;
use crate::route::{Policy, Route};
use crate::rows::{NONE, Tables};
use crate::text::StaticList;
use crate::{Timestamp, near};

/// Everything known of one partition at one time: models, inference profiles, regions, and who may
/// call what from where.
///
/// Immutable, `Send + Sync`. The bundle is a `static` and never allocates; one built at run time
/// answers the same questions the same way. Models, profiles and regions are sorted by id and
/// unique. Lookups by id cost one hash; by constant or handle, none.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Policy, models};
///
/// let catalog = Catalog::bundled();
/// let route = catalog.route(models::ANTHROPIC_CLAUDE_SONNET_4_6, "eu-central-1", Policy::Geography)?;
/// assert_eq!(route.inference_id(), "eu.anthropic.claude-sonnet-4-6");
/// # }
/// # Ok::<(), bedrock_catalog_data::Error>(())
/// ```
pub struct Catalog {
    pub(crate) tables: Tables,
    models: Index,
    profiles: Index,
    regions: Index,
    aliases: Aliases,
}

/// From the row numbers in another catalog's constants to rows here.
#[derive(Default)]
struct Aliases {
    brand: u64,
    models: StaticList<u16>,
    profiles: StaticList<u16>,
    regions: StaticList<u16>,
}

impl Aliases {
    /// The row here that a constant's claim stands for, if this catalog knows its numbering.
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
    /// The catalog baked into this crate. No I/O, no allocation, cannot fail.
    #[cfg(feature = "bundle")]
    #[inline]
    pub fn bundled() -> &'static Self {
        &crate::bundle::CATALOG
    }

    /// A catalog of baked tables; for generated code only.
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

    /// A catalog of checked tables, with the indexes of models, profiles and regions. The bundle's
    /// constants get a shortcut.
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

    /// The row of a key: at once where it is a constant or a handle of this catalog, through the aliases
    /// where another catalog's constants claim it, else found by its text.
    #[inline]
    fn number<K>(
        &self,
        key: &impl Key<K>,
        aliases: impl Fn(&Aliases) -> &[u16],
        find: impl FnOnce(&Self, &str) -> Option<u16>,
    ) -> Option<u16> {
        key.number_in(self)
            .or_else(|| self.aliases.number(key.claim()?, aliases))
            .or_else(|| find(self, key.text()))
    }

    #[inline]
    pub(crate) fn model_number(&self, id: &impl Key<kind::Model>) -> Option<u16> {
        self.number(id, |aliases| &aliases.models, Self::find_model)
    }

    #[inline]
    pub(crate) fn region_number(&self, id: &impl Key<kind::Region>) -> Option<u16> {
        self.number(id, |aliases| &aliases.regions, Self::find_region)
    }

    /// The model of an exact id, retired ones included. One hash for text, none for a constant.
    #[inline]
    pub fn model(&self, id: impl Key<kind::Model>) -> Option<Model<'_>> {
        Model::new(self, self.model_number(&id)?)
    }

    /// The inference profile of an exact id, retired ones included.
    #[inline]
    pub fn profile(&self, id: impl Key<kind::Profile>) -> Option<Profile<'_>> {
        let number = self.number(&id, |aliases| &aliases.profiles, Self::find_profile)?;
        Profile::new(self, number)
    }

    /// A region the recording asked.
    #[inline]
    pub fn region(&self, id: impl Key<kind::Region>) -> Option<Region<'_>> {
        Region::new(self, self.region_number(&id)?).filter(Region::is_recorded)
    }

    /// The models, sorted by id, without the retired ones; [`Catalog::all_models`] has those too.
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

    /// All models, sorted by id, retired ones included.
    pub fn all_models(&self) -> impl ExactSizeIterator<Item = Model<'_>> + Clone {
        let rows = self.tables.models.iter().enumerate();
        // Rows are numbered in 16 bits: there are no more.
        rows.map(|(number, row)| Model::of(self, number as u16, row))
    }

    /// The profiles, sorted by id, without the retired ones; [`Catalog::all_profiles`] has those
    /// too.
    pub fn profiles(&self) -> impl Iterator<Item = Profile<'_>> + Clone {
        self.all_profiles().filter(|profile| !profile.is_retired())
    }

    /// All profiles, sorted by id, retired ones included.
    pub fn all_profiles(&self) -> impl ExactSizeIterator<Item = Profile<'_>> + Clone {
        let rows = self.tables.profiles.iter();
        rows.map(|row| Profile::of(self, row))
    }

    /// All regions that the recording asked, sorted by id.
    pub fn regions(&self) -> impl Iterator<Item = Region<'_>> + Clone {
        let rows = self.tables.regions.iter().zip(0u16..);
        rows.map(|(row, number)| Region::of(self, number, row))
            .filter(Region::is_recorded)
    }

    /// The ids of all regions this catalog has constants for, sorted: recorded ones, those known as
    /// destinations only, and former ones.
    pub fn known_regions(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let rows = self.tables.regions.iter();
        rows.map(|row| self.tables.text(row.id))
    }

    /// Every (model, region) pair with a model row or a profile, sorted by model, then region.
    pub fn accesses(&self) -> impl ExactSizeIterator<Item = Access<'_>> + Clone {
        let rows = self.tables.access.iter();
        rows.map(|row| Access::of(self, row))
    }

    /// Every way to call a model from a region, or what is wrong with the question.
    ///
    /// # Errors
    /// An unknown model or region names the closest ids; a model absent from the region names the
    /// regions that have it; a retired model says when it was last seen.
    #[inline]
    pub fn access(
        &self,
        model: impl Key<kind::Model>,
        region: impl Key<kind::Region>,
    ) -> Result<Access<'_>, Error> {
        let numbers = model.number_in(self).zip(region.number_in(self));
        let found = numbers.and_then(|(model, region)| Model::new(self, model)?.access_in(region));
        match found {
            Some(access) => Ok(access),
            None => self.access_found(model, region),
        }
    }

    /// Out of line, as [`Model::access_found`].
    #[inline(never)]
    fn access_found(
        &self,
        model: impl Key<kind::Model>,
        region: impl Key<kind::Region>,
    ) -> Result<Access<'_>, Error> {
        let number = self.model_number(&model);
        let found = number
            .and_then(|number| Model::new(self, number))
            .and_then(|model| model.access_in(self.region_number(&region)?));
        found.ok_or_else(|| self.no_access(model.text(), region.text()))
    }

    /// The one id to send for a model from a region under a policy, and where the request may be
    /// served.
    ///
    /// Two hashes for two texts, none for constants; no allocation unless it fails.
    ///
    /// # Errors
    /// As [`Catalog::access`]; and where no way in is allowed by the policy, the error says which
    /// ways there are and which policies allow them.
    #[inline]
    pub fn route<'a>(
        &'a self,
        model: impl Key<kind::Model>,
        region: impl Key<kind::Region>,
        policy: Policy<'_>,
    ) -> Result<Route<'a>, Error> {
        self.access(model, region)?.route(policy)
    }

    /// Every route that keeps a request inside these regions, sorted by model, then region, then
    /// preference. An entry is a region id, or a beginning of ids followed by `*`, as for
    /// [`Policy::Within`]. No allocation.
    ///
    /// Of one model or one region, filter: `route.model().id()`, `route.region().id()`. Of one model
    /// from one region, [`Access::routes`] costs less, and the best of those is what
    /// [`Policy::Within`] gives.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::Catalog;
    ///
    /// let catalog = Catalog::bundled();
    /// let from_ireland = catalog
    ///     .routes_within(&["eu-*"])
    ///     .filter(|route| route.region().id() == "eu-west-1");
    /// let mut ids = from_ireland.map(|route| route.inference_id());
    /// assert!(ids.any(|id| id == "eu.anthropic.claude-sonnet-4-6"));
    ///
    /// let mut all = catalog.routes_within(&["eu-*"]);
    /// assert!(all.all(|route| route.destinations().iter().all(|id| id.starts_with("eu-"))));
    /// # }
    /// ```
    pub fn routes_within<'a, 'r>(
        &'a self,
        regions: &'r [&'r str],
    ) -> impl Iterator<Item = Route<'a>> + Clone + use<'a, 'r> {
        self.accesses()
            .flat_map(|access| access.routes())
            .filter(move |route| route.destinations().are_within(regions))
    }

    /// The partition: `aws`, `aws-us-gov`, `aws-cn`, …
    pub fn partition(&self) -> &str {
        &self.tables.partition
    }

    /// When the recording behind this catalog was made.
    pub fn observed_at(&self) -> Timestamp {
        self.tables.observed_at
    }

    /// SHA-256 of the catalog document this was baked from, in hex; `None` where it was built at
    /// run time.
    pub fn digest(&self) -> Option<&str> {
        Some(&*self.tables.digest).filter(|digest| !digest.is_empty())
    }

    /// The tables, for the generator.
    #[doc(hidden)]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Why there is no answer for a model in a region.
    #[cold]
    #[inline(never)]
    pub(crate) fn no_access(&self, model: &str, region: &str) -> Error {
        let Some(model) = self
            .find_model(model)
            .and_then(|number| Model::new(self, number))
        else {
            return self.unknown_model(model);
        };
        if self.region(region).is_none() {
            return self.unknown_region(region);
        }
        if model.is_retired() {
            return Error::retired(model.id(), model.last_seen());
        }
        Error::not_in_region(
            model.id(),
            region,
            model.regions().map(|region| region.id()),
        )
    }

    /// Why an id is no model here, with the closest ids.
    #[cold]
    pub fn unknown_model(&self, id: &str) -> Error {
        // A profile's id where a model's was wanted: name the models it serves.
        if let Some(profile) = self.profile(id) {
            return Error::profile_for_model(id, profile.models().map(|model| model.id()));
        }
        Error::unknown(
            "model",
            id,
            near::closest(id, &mut self.models().map(|model| model.id())),
        )
    }

    /// Why an id is no profile here, with the closest ids.
    #[cold]
    pub fn unknown_profile(&self, id: &str) -> Error {
        let mut ids = self.profiles().map(|profile| profile.id());
        Error::unknown("inference profile", id, near::closest(id, &mut ids))
    }

    /// Why an id is no region here, with the closest ids.
    #[cold]
    pub fn unknown_region(&self, id: &str) -> Error {
        let mut ids = self.regions().map(|region| region.id());
        Error::unknown("region", id, near::closest(id, &mut ids))
    }
}

/// The number of each of `others` among `own`, or [`NONE`]. Both are sorted.
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

/// Two catalogs are equal where every answer is: numbering, brands and indexes do not count.
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
    use crate::ErrorKind;

    /// The bundle with one retired model and one retired profile.
    fn with_retired() -> Catalog {
        let mut document = Catalog::bundled().to_document();
        let day = Some(document.observed_at.date());
        document.models.push(crate::ModelEntry {
            id: "amazon.nova-promo-v1:0".into(),
            last_seen: day,
            retired: true,
            ..Default::default()
        });
        document.profiles.push(crate::ProfileEntry {
            id: "eu.amazon.nova-promo-v1:0".into(),
            last_seen: day,
            retired: true,
            ..Default::default()
        });
        Catalog::from_document(&document).unwrap()
    }

    #[test]
    fn the_ids_cut_out_at_compile_time_are_those_of_the_rows() {
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
    fn what_is_retired_is_in_no_listing_unless_asked_for() {
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

    #[test]
    fn what_is_retired_is_not_suggested() {
        let catalog = with_retired();
        let error = catalog.unknown_model("amazon.nova-promo-v1");
        assert_eq!(error.kind(), ErrorKind::UnknownModel);
        let named = |error: &Error| error.suggestions().iter().any(|id| id.contains("promo"));
        assert!(!error.suggestions().is_empty());
        assert!(!named(&error));
        assert!(!named(&catalog.unknown_profile("eu.amazon.nova-promo-v1")));
    }
}
