//! The catalog as a document: what is committed, cached, and read by other languages. Its JSON form
//! is described by `catalog.schema.json`.
//!
//! A document is plain data that anyone may have edited; [`Catalog::from_document`] checks it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

#[cfg(doc)]
use crate::Catalog;
use crate::text::Text;
use crate::words::{Customization, Geography, InferenceType, LifecycleStatus, Modality};
use crate::{Date, Timestamp};

/// The format this version reads and writes.
pub const FORMAT: u32 = 1;

/// A catalog as a document. In its canonical form, which [`Catalog::to_document`] makes, every list
/// is sorted and unique; any order is read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Document<'a> {
    /// [`FORMAT`].
    pub format: u32,
    /// `aws`, `aws-us-gov`, …
    #[cfg_attr(feature = "serde", serde(borrow))]
    pub partition: Text<'a>,
    /// When the recording was made.
    pub observed_at: Timestamp,
    /// The regions whose rows are here.
    pub regions: Vec<Text<'a>>,
    /// Those of them whose rows could not be renewed, and when the rows were observed.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "BTreeMap::is_empty")
    )]
    pub stale: BTreeMap<Text<'a>, Timestamp>,
    /// Regions that were known before and that nothing names any more; their constants stay.
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

/// A model of a document. What is absent is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct ModelEntry<'a> {
    /// The exact id.
    pub id: Text<'a>,
    /// The name for people.
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
    /// What it takes.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub input_modalities: Option<Vec<Modality>>,
    /// What it gives.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub output_modalities: Option<Vec<Modality>>,
    /// Whether it streams.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub streaming: Option<bool>,
    /// The ways to customise it.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub customizations: Option<Vec<Customization>>,
    /// What the control plane says of its life.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "LifecycleEntry::is_empty")
    )]
    pub lifecycle: LifecycleEntry,
    /// The regions whose listing has it, by the ways in it names there.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub access: Vec<AccessEntry<'a>>,
    /// The day of the last recording that had it, where this one has not.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub last_seen: Option<Date>,
    /// Whether a complete recording has not had it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub retired: bool,
    /// The name of its constant, where another id took the one of its own letters.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub constant: Option<Text<'a>>,
}

impl ModelEntry<'_> {
    /// The same entry with texts of its own.
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

/// What the control plane says of a model's life.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LifecycleEntry {
    /// The word.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub status: Option<LifecycleStatus>,
    /// Launch.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub start: Option<Date>,
    /// Becoming legacy.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub legacy: Option<Date>,
    /// Begin of public extended access.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub extended_access: Option<Date>,
    /// The end.
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

/// Regions whose listings name the same ways in for a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct AccessEntry<'a> {
    /// The listing's words; absent where it does not say.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub inference_types: Option<Vec<InferenceType>>,
    /// The regions.
    pub regions: Vec<Text<'a>>,
}

/// An inference profile of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct ProfileEntry<'a> {
    /// The exact id.
    pub id: Text<'a>,
    /// The name for people.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub name: Option<Text<'a>>,
    /// A sentence for people.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub description: Option<Text<'a>>,
    /// The control plane's word, where it is not `ACTIVE`.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub status: Option<Text<'a>>,
    /// The scope, where it is not the id's part before a served model's id.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub geography: Option<Geography>,
    /// What it serves from where.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub routes: Vec<RouteEntry<'a>>,
    /// The day of the last recording that had it, where this one has not.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub last_seen: Option<Date>,
    /// Whether a complete recording has not had it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_false"))]
    pub retired: bool,
    /// The name of its constant, where another id took the one of its own letters.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub constant: Option<Text<'a>>,
}

impl ProfileEntry<'_> {
    /// The same entry with texts of its own.
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

/// One model of a profile: callers in any of the sources may be served in any of the destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound(deserialize = "'de: 'a")))]
pub struct RouteEntry<'a> {
    /// The model's id; it is among the document's models.
    pub model: Text<'a>,
    /// The source regions; they are among the document's regions.
    pub sources: Vec<Text<'a>>,
    /// Where it is served.
    pub destinations: DestinationsEntry<'a>,
}

/// Where a route is served: a list of regions, or `"global"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DestinationsEntry<'a> {
    /// These regions; never empty in a valid document.
    Regions(Vec<Text<'a>>),
    /// Anywhere in the partition.
    Global,
}

#[cfg(feature = "serde")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The geography of a profile's id: what stands before the id of a model it serves. Where several
/// models complete it, before the longest, whatever their order.
///
/// An id is never taken apart by itself: without a model that completes it there is none.
pub fn geography_of<'m>(id: &str, models: impl Iterator<Item = &'m str>) -> Option<Geography> {
    let scopes = models.filter_map(|model| id.strip_suffix(model)?.strip_suffix('.'));
    let scope = scopes.min_by_key(|scope| scope.len())?;
    Some(Geography::from(scope)).filter(|scope| !scope.as_str().is_empty())
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
