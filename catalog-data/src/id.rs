//! Ids: exact strings of one kind, and what may be asked with.
//!
//! A constant of a bundle also carries its row number there, so that asking with it needs no
//! hashing. The number is only believed by the catalog whose brand it carries.

use alloc::borrow::Cow;
use alloc::string::String;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::str::FromStr;

/// What an id names. These types are never made; they keep ids of different things apart.
pub mod kind {
    /// A foundation model.
    #[derive(Debug, Clone, Copy)]
    pub enum Model {}
    /// A system-defined inference profile.
    #[derive(Debug, Clone, Copy)]
    pub enum Profile {}
    /// A region.
    #[derive(Debug, Clone, Copy)]
    pub enum Region {}
}

/// An exact id of one kind of thing. Any text is an id; whether a catalog knows it is another
/// question. Compared, ordered, hashed and printed as its text.
///
/// ```
/// use bedrock_catalog_data::{ModelId, RegionId};
///
/// let id: ModelId = "amazon.nova-pro-v1:0".parse().unwrap();
/// assert_eq!(id.as_str(), "amazon.nova-pro-v1:0");
/// assert_eq!(RegionId::from("eu-west-1").to_string(), "eu-west-1");
/// ```
pub struct Id<K> {
    text: Cow<'static, str>,
    brand: u64,
    number: u16,
    kind: PhantomData<fn() -> K>,
}

/// The exact id of a model.
pub type ModelId = Id<kind::Model>;
/// The exact id of an inference profile.
pub type ProfileId = Id<kind::Profile>;
/// The id of a region.
pub type RegionId = Id<kind::Region>;

/// No catalog has this brand.
pub(crate) const UNBRANDED: u64 = 0;

impl<K> Id<K> {
    /// An id made of a text of the program.
    pub const fn from_static(text: &'static str) -> Self {
        Self::baked(text, UNBRANDED, 0)
    }

    /// A constant of a baked catalog: its text, that catalog's brand, and its row there.
    #[doc(hidden)]
    pub const fn baked(text: &'static str, brand: u64, number: u16) -> Self {
        Self {
            text: Cow::Borrowed(text),
            brand,
            number,
            kind: PhantomData,
        }
    }

    /// The id of a row, with what its handle claims.
    pub(crate) fn of_row(text: Cow<'static, str>, claim: Option<sealed::Claim>) -> Self {
        let (brand, number) = claim.map_or((UNBRANDED, 0), |claim| (claim.brand, claim.number));
        Self {
            text,
            brand,
            number,
            kind: PhantomData,
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Anything an id can be asked with: an id, a constant, text, a handle, or a reference to one.
///
/// Sealed: implemented here only.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, ModelId, models};
///
/// let catalog = Catalog::bundled();
/// let nova = catalog.model(models::AMAZON_NOVA_PRO_V1_0).unwrap();
/// let owned = String::from("amazon.nova-pro-v1:0");
/// assert_eq!(catalog.model("amazon.nova-pro-v1:0"), Some(nova));
/// assert_eq!(catalog.model(&owned), Some(nova));
/// assert_eq!(catalog.model(owned), Some(nova));
/// assert_eq!(catalog.model(&ModelId::from(nova)), Some(nova));
/// assert_eq!(catalog.model(&nova), Some(nova));
/// # }
/// ```
pub trait Key<K>: sealed::Sealed<K> {}

impl<K, T: sealed::Sealed<K> + ?Sized> Key<K> for T {}

pub(crate) mod sealed {
    use super::{Id, UNBRANDED};
    use crate::catalog::Catalog;
    use alloc::string::String;

    /// The row a key claims in the catalog of a brand.
    #[derive(Debug, Clone, Copy)]
    pub struct Claim {
        pub brand: u64,
        pub number: u16,
    }

    impl Claim {
        /// The claim of a row; none where the catalog has no brand.
        #[inline]
        pub fn new(brand: u64, number: u16) -> Option<Self> {
            (brand != super::UNBRANDED).then_some(Self { brand, number })
        }
    }

    pub trait Sealed<K> {
        fn text(&self) -> &str;

        /// The row in this catalog: of its constants and its handles, without a look at the text.
        #[inline]
        fn number_in(&self, _: &Catalog) -> Option<u16> {
            None
        }

        #[inline]
        fn claim(&self) -> Option<Claim> {
            None
        }
    }

    impl<K> Sealed<K> for str {
        #[inline]
        fn text(&self) -> &str {
            self
        }
    }

    impl<K> Sealed<K> for String {
        #[inline]
        fn text(&self) -> &str {
            self
        }
    }

    impl<K> Sealed<K> for Id<K> {
        #[inline]
        fn text(&self) -> &str {
            self.as_str()
        }

        #[inline]
        fn number_in(&self, catalog: &Catalog) -> Option<u16> {
            let own = self.brand == catalog.tables.brand && self.brand != UNBRANDED;
            own.then_some(self.number)
        }

        #[inline]
        fn claim(&self) -> Option<Claim> {
            Claim::new(self.brand, self.number)
        }
    }

    impl<K, T: Sealed<K> + ?Sized> Sealed<K> for &T {
        #[inline]
        fn text(&self) -> &str {
            (**self).text()
        }

        #[inline]
        fn number_in(&self, catalog: &Catalog) -> Option<u16> {
            (**self).number_in(catalog)
        }

        #[inline]
        fn claim(&self) -> Option<Claim> {
            (**self).claim()
        }
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        Self {
            text: self.text.clone(),
            ..*self
        }
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<K> AsRef<str> for Id<K> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl<K> From<&str> for Id<K> {
    fn from(text: &str) -> Self {
        String::from(text).into()
    }
}

impl<K> From<String> for Id<K> {
    fn from(text: String) -> Self {
        Self::of_row(Cow::Owned(text), None)
    }
}

impl<K> From<&String> for Id<K> {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl<K> From<Id<K>> for String {
    fn from(id: Id<K>) -> Self {
        id.text.into_owned()
    }
}

/// An id is hashed and ordered as its text, so a map of ids can be asked with text.
impl<K> Borrow<str> for Id<K> {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl<K> FromStr for Id<K> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialEq<str> for Id<K> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl<K> PartialEq<&str> for Id<K> {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl<K> PartialEq<Id<K>> for str {
    fn eq(&self, other: &Id<K>) -> bool {
        self == other.as_str()
    }
}

impl<K> PartialEq<Id<K>> for &str {
    fn eq(&self, other: &Id<K>) -> bool {
        *self == other.as_str()
    }
}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(feature = "serde")]
impl<K> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de, K> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = crate::text::Text::deserialize(deserializer)?;
        Ok(String::from(&*text).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn an_id_is_its_text() {
        let id = RegionId::from(&String::from("eu-west-1"));
        assert_eq!("eu-west-1", id);
        assert_eq!(*"eu-west-1", id);
        assert_eq!(id, "eu-west-1");
        assert!(BTreeSet::from([id.clone()]).contains("eu-west-1"));
        assert_eq!(String::from(id), "eu-west-1");
    }

    #[cfg(feature = "bundle")]
    #[test]
    fn a_handle_is_asked_without_hashing_in_its_own_catalog() {
        use super::sealed::Sealed;
        let bundle = crate::Catalog::bundled();
        let built = crate::Catalog::from_document(&bundle.to_document()).unwrap();
        for (own, other) in [(bundle, &built), (&built, bundle)] {
            for (model, number) in own.all_models().zip(0..) {
                assert_eq!(model.number_in(own), Some(number));
                assert_eq!(model.number_in(other), None);
                assert_eq!(other.model(model).unwrap().id(), model.id());
            }
            for region in own.regions() {
                assert!(region.number_in(own).is_some());
                assert_eq!(region.number_in(other), None);
                assert_eq!(other.region(region).unwrap().id(), region.id());
            }
        }
    }

    #[cfg(feature = "bundle")]
    #[test]
    fn an_id_of_a_handle_is_asked_without_hashing() {
        use super::sealed::Sealed;
        let catalog = crate::Catalog::bundled();
        for model in catalog.all_models() {
            let id = ModelId::from(model);
            assert!(matches!(id.text, Cow::Borrowed(_)));
            assert!(id.claim().is_some());
            assert_eq!(catalog.model(&id), Some(model));
        }
        for region in catalog.regions() {
            assert_eq!(catalog.region(RegionId::from(region)), Some(region));
        }
        for profile in catalog.all_profiles() {
            assert_eq!(catalog.profile(ProfileId::from(profile)), Some(profile));
        }
    }
}
