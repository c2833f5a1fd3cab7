//! Ids of models, inference profiles and regions, and the sealed traits of everything that names one.
//!
//! A constant of a bundle also carries its row number, so that a lookup by constant needs no hash.
//! The brand tells which catalog the number belongs to; other catalogs look the text up.

use alloc::borrow::Cow;
use alloc::string::String;
use core::borrow::Borrow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use sealed::{Claim, Named};

/// The brand of ids without a row number. No catalog has it.
pub(crate) const UNBRANDED: u64 = 0;

pub(crate) mod sealed {
    use super::UNBRANDED;
    use crate::catalog::Catalog;
    use alloc::string::String;

    /// Marker: names a model.
    #[derive(Debug, Clone, Copy)]
    pub enum OfModel {}
    /// Marker: names an inference profile.
    #[derive(Debug, Clone, Copy)]
    pub enum OfProfile {}
    /// Marker: names a region.
    #[derive(Debug, Clone, Copy)]
    pub enum OfRegion {}

    /// A row number in the catalog of a brand.
    #[derive(Debug, Clone, Copy)]
    pub struct Claim {
        pub brand: u64,
        pub number: u16,
    }

    impl Claim {
        /// The claim of a row; `None` where the catalog has no brand.
        #[inline]
        pub fn new(brand: u64, number: u16) -> Option<Self> {
            (brand != UNBRANDED).then_some(Self { brand, number })
        }
    }

    /// Everything that names one thing of the kind `K`.
    pub trait Named<K> {
        fn text(&self) -> &str;

        /// The row in this catalog, for its own constants and handles. Does not read the text.
        #[inline]
        fn number_in(&self, _: &Catalog) -> Option<u16> {
            None
        }

        /// The row in the catalog of the constant or handle.
        #[inline]
        fn claim(&self) -> Option<Claim> {
            None
        }
    }

    impl<K> Named<K> for str {
        #[inline]
        fn text(&self) -> &str {
            self
        }
    }

    impl<K> Named<K> for String {
        #[inline]
        fn text(&self) -> &str {
            self
        }
    }

    impl<K, T: Named<K> + ?Sized> Named<K> for &T {
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

/// Everything that names a model: text, a [`ModelId`], a constant of [`models`](crate::models), a
/// [`Model`](crate::Model) handle, or a reference to one of these.
///
/// Sealed. A lookup by text costs one hash; a constant or a handle of the same catalog costs none.
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
pub trait IntoModelId: Named<sealed::OfModel> {}

impl<T: Named<sealed::OfModel> + ?Sized> IntoModelId for T {}

/// Everything that names an inference profile: text, a [`ProfileId`], a constant of
/// [`profiles`](crate::profiles), a [`Profile`](crate::Profile) handle, or a reference to one of these.
///
/// Sealed.
pub trait IntoProfileId: Named<sealed::OfProfile> {}

impl<T: Named<sealed::OfProfile> + ?Sized> IntoProfileId for T {}

/// Everything that names a region: text, a [`RegionId`], a constant of [`regions`](crate::regions), a
/// [`Region`](crate::Region) handle, or a reference to one of these.
///
/// Sealed.
pub trait IntoRegionId: Named<sealed::OfRegion> {}

impl<T: Named<sealed::OfRegion> + ?Sized> IntoRegionId for T {}

/// Defines an id type. The types differ in what they name only.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident: $marker:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            text: Cow<'static, str>,
            brand: u64,
            number: u16,
        }

        impl $name {
            /// The id of a static text. No allocation.
            pub const fn from_static(text: &'static str) -> Self {
                Self::baked(text, UNBRANDED, 0)
            }

            /// A constant of a baked catalog: its text, the catalog's brand, and its row there.
            #[doc(hidden)]
            pub const fn baked(text: &'static str, brand: u64, number: u16) -> Self {
                Self { text: Cow::Borrowed(text), brand, number }
            }

            /// The id of a row, with the claim of its handle.
            pub(crate) fn of_row(text: Cow<'static, str>, claim: Option<Claim>) -> Self {
                let (brand, number) = claim.map_or((UNBRANDED, 0), |claim| (claim.brand, claim.number));
                Self { text, brand, number }
            }

            /// The text.
            #[inline]
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        impl Named<sealed::$marker> for $name {
            #[inline]
            fn text(&self) -> &str {
                self.as_str()
            }

            #[inline]
            fn number_in(&self, catalog: &crate::Catalog) -> Option<u16> {
                let own = self.brand == catalog.tables.brand && self.brand != UNBRANDED;
                own.then_some(self.number)
            }

            #[inline]
            fn claim(&self) -> Option<Claim> {
                Claim::new(self.brand, self.number)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        /// An id hashes and orders as its text: a map of ids is searched with text.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        /// Copies the text; [`from_static`](Self::from_static) does not.
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                String::from(text).into()
            }
        }

        impl From<&String> for $name {
            fn from(text: &String) -> Self {
                text.as_str().into()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::of_row(Cow::Owned(text), None)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.text.into_owned()
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(text.into())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }

        impl Eq for $name {}

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        impl PartialEq<$name> for str {
            fn eq(&self, other: &$name) -> bool {
                self == other.as_str()
            }
        }

        impl PartialEq<$name> for &str {
            fn eq(&self, other: &$name) -> bool {
                *self == other.as_str()
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.text.cmp(&other.text)
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = crate::text::Text::deserialize(deserializer)?;
                Ok(String::from(&*text).into())
            }
        }
    };
}

id_type! {
    /// The exact id of a model.
    ///
    /// Any text is an id; [`Catalog::model`](crate::Catalog::model) tells whether a catalog has it.
    /// Compared, ordered, hashed, printed and serialized as its text.
    ///
    /// ```
    /// use bedrock_catalog_data::ModelId;
    ///
    /// const NOVA: ModelId = ModelId::from_static("amazon.nova-pro-v1:0");
    /// let id: ModelId = "amazon.nova-pro-v1:0".parse()?;
    /// assert_eq!(id, NOVA);
    /// assert_eq!(id, "amazon.nova-pro-v1:0");
    /// # Ok::<(), core::convert::Infallible>(())
    /// ```
    ModelId: OfModel
}

id_type! {
    /// The exact id of an inference profile, for example `eu.anthropic.claude-sonnet-4-6`.
    ///
    /// Any text is an id; [`Catalog::profile`](crate::Catalog::profile) tells whether a catalog has it.
    /// Compared, ordered, hashed, printed and serialized as its text.
    ProfileId: OfProfile
}

id_type! {
    /// The id of a region, for example `eu-west-1`.
    ///
    /// Any text is an id; [`Catalog::region`](crate::Catalog::region) tells whether a catalog has it.
    /// Compared, ordered, hashed, printed and serialized as its text.
    RegionId: OfRegion
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn an_id_compares_and_converts_as_its_text() {
        let id = RegionId::from(&String::from("eu-west-1"));
        assert_eq!("eu-west-1", id);
        assert_eq!(*"eu-west-1", id);
        assert_eq!(id, "eu-west-1");
        assert!(BTreeSet::from([id.clone()]).contains("eu-west-1"));
        assert_eq!(String::from(id), "eu-west-1");
    }

    #[cfg(feature = "bundle")]
    #[test]
    fn a_handle_has_a_row_number_in_its_own_catalog_only() {
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
    fn the_id_of_a_handle_borrows_and_keeps_the_row_number() {
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
