//! The catalog as plain data, for files, caches, mirrors and other languages. `catalog.schema.json` is
//! the JSON Schema.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

#[cfg(doc)]
use crate::Catalog;
use crate::enums::{Customization, Geography, InferenceType, LifecycleStatus, Modality};
use crate::text::Text;
use crate::{Date, Timestamp};

/// A catalog as plain data.
///
/// [`Catalog::to_document`] returns the canonical form: every list is sorted and unique. Any order is
/// accepted by [`Catalog::from_document`], which checks the document. Texts are borrowed or owned.
///
/// ```
/// use bedrock_catalog_data::{
///     AccessEntry, Catalog, Document, InferenceType, ModelEntry, Policy, Timestamp,
/// };
///
/// let mut document = Document::new("aws", Timestamp::from_unix(1_787_359_963).unwrap());
/// document.regions.push("eu-west-1".into());
/// let mut model = ModelEntry::new("acme.small-v1:0");
/// model.access.push(AccessEntry::new(
///     Some(vec![InferenceType::OnDemand]),
///     vec!["eu-west-1".into()],
/// ));
/// document.models.push(model);
///
/// let catalog = Catalog::from_document(&document)?;
/// assert!(catalog.route("acme.small-v1:0", "eu-west-1", Policy::InRegion).is_ok());
/// # Ok::<(), bedrock_catalog_data::QueryError>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Document<'a> {
    /// [`Document::FORMAT`].
    pub format: u32,
    /// The partition: `aws`, `aws-us-gov`, …
    #[cfg_attr(feature = "serde", serde(borrow))]
    pub partition: Text<'a>,
    /// The time of the recording.
    pub observed_at: Timestamp,
    /// The regions that were asked and have rows.
    pub regions: Vec<Text<'a>>,
    /// The regions with rows of an earlier recording, and its time.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "BTreeMap::is_empty")
    )]
    pub stale: BTreeMap<Text<'a>, Timestamp>,
    /// Regions of earlier catalogs that nothing names now. Their constants stay.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub former_regions: Vec<Text<'a>>,
    /// The models.
    pub models: Vec<ModelEntry<'a>>,
    /// The inference profiles.
    pub profiles: Vec<ProfileEntry<'a>>,
}

impl<'a> Document<'a> {
    /// The format version that this crate reads and writes.
    pub const FORMAT: u32 = 1;

    /// The JSON Schema of the catalog JSON.
    pub const JSON_SCHEMA: &'static str = include_str!("../catalog.schema.json");

    /// A document of [`Document::FORMAT`] without regions, models and profiles.
    pub fn new(partition: impl Into<Text<'a>>, observed_at: Timestamp) -> Self {
        Self {
            format: Self::FORMAT,
            partition: partition.into(),
            observed_at,
            regions: Vec::new(),
            stale: BTreeMap::new(),
            former_regions: Vec::new(),
            models: Vec::new(),
            profiles: Vec::new(),
        }
    }
}

/// A model of a document. Absent is unknown.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct ModelEntry<'a> {
    /// The exact id.
    pub id: Text<'a>,
    /// The display name.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<Text<'a>>,
    /// The provider's name.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub provider: Option<Text<'a>>,
    /// The input modalities.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub input_modalities: Option<Vec<Modality>>,
    /// The output modalities.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub output_modalities: Option<Vec<Modality>>,
    /// Whether it streams its response.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub streaming: Option<bool>,
    /// The ways to customize it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub customizations: Option<Vec<Customization>>,
    /// The lifecycle in the listing.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "LifecycleEntry::is_empty")
    )]
    pub lifecycle: LifecycleEntry,
    /// The regions that list it, grouped by inference types.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub access: Vec<AccessEntry<'a>>,
    /// The day of the last recording that has it, if this one does not.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub last_seen: Option<Date>,
    /// Whether a complete recording does not have it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub retired: bool,
    /// The name of its constant, if another id has the name that its own id gives.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub constant: Option<Text<'a>>,
}

impl<'a> ModelEntry<'a> {
    /// An entry of which only the id is known.
    pub fn new(id: impl Into<Text<'a>>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// A copy with owned texts.
    pub fn to_static(&self) -> ModelEntry<'static> {
        let access = self.access.iter().map(|access| AccessEntry {
            inference_types: access.inference_types.clone(),
            regions: own_all(&access.regions),
        });
        ModelEntry {
            id: self.id.to_static(),
            name: self.name.as_ref().map(Text::to_static),
            provider: self.provider.as_ref().map(Text::to_static),
            input_modalities: self.input_modalities.clone(),
            output_modalities: self.output_modalities.clone(),
            streaming: self.streaming,
            customizations: self.customizations.clone(),
            lifecycle: self.lifecycle.clone(),
            access: access.collect(),
            last_seen: self.last_seen,
            retired: self.retired,
            constant: self.constant.as_ref().map(Text::to_static),
        }
    }
}

fn own_all(texts: &[Text<'_>]) -> Vec<Text<'static>> {
    texts.iter().map(Text::to_static).collect()
}

/// The lifecycle of a model in the listing. Absent is unknown.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LifecycleEntry {
    /// The status at the time of the recording.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub status: Option<LifecycleStatus>,
    /// The launch.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub start: Option<Date>,
    /// The first day as legacy.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub legacy: Option<Date>,
    /// The first day of public extended access.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub extended_access: Option<Date>,
    /// The end of life; the model is not served from this day on.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub end_of_life: Option<Date>,
}

impl LifecycleEntry {
    #[cfg(feature = "serde")]
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Regions that list a model with the same inference types.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct AccessEntry<'a> {
    /// The inference types; absent if the listing does not say.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub inference_types: Option<Vec<InferenceType>>,
    /// The regions.
    pub regions: Vec<Text<'a>>,
}

impl<'a> AccessEntry<'a> {
    /// Regions that list a model with these inference types; `None` if the listing does not say.
    pub fn new(inference_types: Option<Vec<InferenceType>>, regions: Vec<Text<'a>>) -> Self {
        Self {
            inference_types,
            regions,
        }
    }
}

/// An inference profile of a document. Absent is unknown.
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct ProfileEntry<'a> {
    /// The exact id.
    pub id: Text<'a>,
    /// The display name.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<Text<'a>>,
    /// The description.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub description: Option<Text<'a>>,
    /// The status, if it is not `ACTIVE`.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub status: Option<Text<'a>>,
    /// The geography, if [`Geography::of_profile`] does not give it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub geography: Option<Geography>,
    /// The models it serves, with sources and destinations.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub routes: Vec<RouteEntry<'a>>,
    /// The day of the last recording that has it, if this one does not.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub last_seen: Option<Date>,
    /// Whether a complete recording does not have it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub retired: bool,
    /// The name of its constant, if another id has the name that its own id gives.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub constant: Option<Text<'a>>,
}

impl<'a> ProfileEntry<'a> {
    /// An entry of which only the id is known.
    pub fn new(id: impl Into<Text<'a>>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// A copy with owned texts.
    pub fn to_static(&self) -> ProfileEntry<'static> {
        let routes = self.routes.iter().map(|route| RouteEntry {
            model: route.model.to_static(),
            sources: own_all(&route.sources),
            destinations: match &route.destinations {
                DestinationsEntry::Regions(regions) => DestinationsEntry::Regions(own_all(regions)),
                DestinationsEntry::Global => DestinationsEntry::Global,
            },
        });
        ProfileEntry {
            id: self.id.to_static(),
            name: self.name.as_ref().map(Text::to_static),
            description: self.description.as_ref().map(Text::to_static),
            status: self.status.as_ref().map(Text::to_static),
            geography: self.geography.clone(),
            routes: routes.collect(),
            last_seen: self.last_seen,
            retired: self.retired,
            constant: self.constant.as_ref().map(Text::to_static),
        }
    }
}

/// One model of a profile. Requests from any of the sources may be served in any of the destinations.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct RouteEntry<'a> {
    /// The id of one of the document's models.
    pub model: Text<'a>,
    /// The source regions, all among the document's regions.
    pub sources: Vec<Text<'a>>,
    /// The destinations.
    pub destinations: DestinationsEntry<'a>,
}

impl<'a> RouteEntry<'a> {
    /// A model that is served from `sources` in `destinations`.
    pub fn new(
        model: impl Into<Text<'a>>,
        sources: Vec<Text<'a>>,
        destinations: DestinationsEntry<'a>,
    ) -> Self {
        Self {
            model: model.into(),
            sources,
            destinations,
        }
    }
}

/// The destinations of a route: a list of regions, or `"global"`.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DestinationsEntry<'a> {
    /// These regions. An empty list is invalid.
    Regions(Vec<Text<'a>>),
    /// Any region of the partition.
    Global,
}

#[cfg(feature = "serde")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(feature = "serde")]
mod text_or_list {
    //! `"global"` or a list.
    use super::{DestinationsEntry, Text, Vec};
    use core::fmt;
    use core::marker::PhantomData;
    use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    impl Serialize for DestinationsEntry<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Regions(regions) => regions.serialize(serializer),
                Self::Global => serializer.serialize_str("global"),
            }
        }
    }

    impl<'de: 'a, 'a> Deserialize<'de> for DestinationsEntry<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Either<'a>(PhantomData<&'a ()>);
            impl<'de: 'a, 'a> Visitor<'de> for Either<'a> {
                type Value = DestinationsEntry<'a>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a list of regions or \"global\"")
                }

                fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                    match text {
                        "global" => Ok(DestinationsEntry::Global),
                        _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                    }
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                    let mut regions: Vec<Text<'a>> = Vec::new();
                    while let Some(region) = seq.next_element()? {
                        regions.push(region);
                    }
                    Ok(DestinationsEntry::Regions(regions))
                }
            }
            deserializer.deserialize_any(Either(PhantomData))
        }
    }
}
