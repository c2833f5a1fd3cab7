//! The API's values as open enums: a value that this version does not know is kept unchanged.

use alloc::borrow::Cow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

/// Names of an open enum and its variants, for the generator.
pub trait OpenEnum: AsRef<str> {
    /// The enum's name.
    const NAME: &str;

    /// The name of the variant; `None` for `Other`.
    fn variant(&self) -> Option<&'static str>;
}

/// Defines an open enum over the API's values. Comparison, order and hash use the text, so that a
/// sorted list stays sorted when a later version knows more values.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A value that this version does not know, unchanged.
            Other(Cow<'static, str>),
        }

        impl $name {
            /// The value, as the API spells it.
            #[inline]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }

            /// The variant of a text; `None` where it is `Other`.
            fn from_known(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The texts of the variants other than `Other`.
            #[allow(dead_code)]
            pub(crate) const KNOWN: &[&str] = &[$($text),+];

            /// The position in [`Self::KNOWN`], for bit sets.
            #[allow(dead_code)]
            pub(crate) fn bit(&self) -> Option<u32> {
                let position = Self::KNOWN.iter().position(|text| *text == self.as_str())?;
                u32::try_from(position).ok()
            }
        }

        impl OpenEnum for $name {
            const NAME: &str = stringify!($name);

            fn variant(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some(stringify!($variant)),)+
                    Self::Other(_) => None,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::from_known(text).unwrap_or_else(|| Self::Other(Cow::Owned(text.into())))
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(Self::from(text))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq for $name {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
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
                Ok(Self::from(&*text))
            }
        }
    };
}

open_enum! {
    /// A kind of content that a model accepts as input or produces as output.
    ///
    /// Parsed from and printed as the API's text. Comparison and order use the text.
    ///
    /// ```
    /// use bedrock_catalog_data::Modality;
    ///
    /// assert_eq!(Modality::from("IMAGE"), Modality::Image);
    /// assert_eq!(Modality::from("SMELL").as_str(), "SMELL"); // kept unchanged
    /// ```
    Modality {
        /// Text.
        Text = "TEXT",
        /// Images.
        Image = "IMAGE",
        /// Video.
        Video = "VIDEO",
        /// Audio.
        Audio = "AUDIO",
        /// Speech.
        Speech = "SPEECH",
        /// Embedding vectors.
        Embedding = "EMBEDDING",
    }
}

open_enum! {
    /// A way to call a model that a region's listing names.
    ///
    /// Parsed from and printed as the API's text.
    InferenceType {
        /// The model id can be called without purchased capacity.
        OnDemand = "ON_DEMAND",
        /// Purchased capacity (provisioned throughput) can be called.
        Provisioned = "PROVISIONED",
        /// An inference profile can be called, where one serves the model.
        InferenceProfile = "INFERENCE_PROFILE",
    }
}

open_enum! {
    /// A way to customize a model.
    ///
    /// Parsed from and printed as the API's text.
    Customization {
        /// Fine-tuning.
        FineTuning = "FINE_TUNING",
        /// Continued pre-training.
        ContinuedPreTraining = "CONTINUED_PRE_TRAINING",
        /// Distillation.
        Distillation = "DISTILLATION",
        /// Preference fine-tuning.
        PreferenceFineTuning = "PREFERENCE_FINE_TUNING",
    }
}

open_enum! {
    /// The lifecycle status in the listing, as of the recording. The status at a date is [`Status`].
    ///
    /// Parsed from and printed as the API's text.
    LifecycleStatus {
        /// In service.
        Active = "ACTIVE",
        /// In service, superseded, with an end of life ahead.
        Legacy = "LEGACY",
    }
}

open_enum! {
    /// The scope of an inference profile: the part of its id before the model id.
    ///
    /// It names where requests are *served*, not where they come from: Canada is a source of `us`
    /// profiles. It is a label of AWS, not a border: compare the destinations with a set of
    /// [`residency`](crate::residency) where a border matters.
    ///
    /// ```
    /// use bedrock_catalog_data::Geography;
    ///
    /// assert_eq!(Geography::from("eu"), Geography::Eu);
    /// assert_eq!(Geography::UsGov.as_str(), "us-gov");
    /// ```
    Geography {
        /// United States.
        Us = "us",
        /// Europe.
        Eu = "eu",
        /// Asia Pacific.
        Apac = "apac",
        /// Japan.
        Jp = "jp",
        /// Australia.
        Au = "au",
        /// India.
        In = "in",
        /// Canada.
        Ca = "ca",
        /// AWS GovCloud (US).
        UsGov = "us-gov",
        /// Anywhere in the partition: no boundary.
        Global = "global",
    }
}

impl Geography {
    /// The geography in a profile id: the part before the id of a model that the profile serves.
    ///
    /// Where several models fit, the longest counts. Without a model that fits there is none: ids are
    /// not split at their dots.
    ///
    /// ```
    /// use bedrock_catalog_data::Geography;
    ///
    /// let models = ["anthropic.claude-sonnet-4-6"];
    /// let geography = Geography::of_profile("eu.anthropic.claude-sonnet-4-6", models.into_iter());
    /// assert_eq!(geography, Some(Geography::Eu));
    /// ```
    pub fn of_profile<'m>(id: &str, models: impl Iterator<Item = &'m str>) -> Option<Self> {
        let scopes = models.filter_map(|model| id.strip_suffix(model)?.strip_suffix('.'));
        let scope = scopes.min_by_key(|scope| scope.len())?;
        Some(Self::from(scope)).filter(|scope| !scope.as_str().is_empty())
    }
}

/// The status of a model at a date, computed by [`Model::status_at`](crate::Model::status_at).
///
/// Printed, parsed and serialized in lower case.
///
/// ```
/// use bedrock_catalog_data::Status;
///
/// assert_eq!("legacy".parse::<Status>()?, Status::Legacy);
/// assert_eq!(Status::Legacy.to_string(), "legacy");
/// assert!("gone".parse::<Status>().is_err());
/// # Ok::<(), bedrock_catalog_data::ParseEnumError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// In service.
    Active,
    /// In service, with an end of life ahead. AWS may refuse accounts that did not use it recently.
    Legacy,
    /// At or after its end of life.
    Ended,
    /// A complete recording neither lists it nor serves it through a profile.
    Retired,
    /// The listing does not say. Models that only a profile names are unknown.
    Unknown,
}

impl Status {
    /// Every status.
    pub const ALL: &[Self] = &[
        Self::Active,
        Self::Legacy,
        Self::Ended,
        Self::Retired,
        Self::Unknown,
    ];

    /// The status in lower case: `active`, `legacy`, `ended`, `retired`, `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Legacy => "legacy",
            Self::Ended => "ended",
            Self::Retired => "retired",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = ParseEnumError;

    fn from_str(text: &str) -> Result<Self, ParseEnumError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|status| status.as_str() == text)
            .ok_or(ParseEnumError("active, legacy, ended, retired or unknown"))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A text names no variant. The message lists the texts that do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseEnumError(pub(crate) &'static str);

impl fmt::Display for ParseEnumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl core::error::Error for ParseEnumError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_unknown_value_is_kept_and_sorts_by_its_text() {
        let mut values = [
            Modality::from("VIDEO"),
            Modality::from("SMELL"),
            Modality::from("TEXT"),
        ];
        values.sort();
        let texts = values.map(|value| value.to_string());
        assert_eq!(texts, ["SMELL", "TEXT", "VIDEO"]);
        assert_eq!(Modality::Other("TEXT".into()), Modality::Text);
    }
}
