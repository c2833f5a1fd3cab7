//! The words of the API as open enums: a word this version does not know is kept as it came.

use alloc::borrow::Cow;
use core::cmp::Ordering;
use core::convert::Infallible;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

/// What the generator asks of an open enum, to write a value down as Rust.
pub trait Word: AsRef<str> {
    /// The enum's name.
    const NAME: &str;

    /// The name of the variant; `None` for a word this version does not know.
    fn variant(&self) -> Option<&'static str>;
}

/// Defines an open enum over the API's words. Two values are equal, ordered and hashed by their
/// word, so a list sorted by value is sorted by text whatever this version knows.
macro_rules! open_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* $variant,)+
            /// A word this version does not know, exactly as it came.
            Other(Cow<'static, str>),
        }

        impl $name {
            /// The word, as the API spells it.
            #[inline]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }

            /// The known value of a word.
            fn known(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The words this version knows.
            #[allow(dead_code)]
            pub(crate) const KNOWN: &[&str] = &[$($word),+];

            /// The place of a known word among the known ones, for bit sets.
            #[allow(dead_code)]
            pub(crate) fn bit(&self) -> Option<u32> {
                let place = Self::KNOWN.iter().position(|word| *word == self.as_str())?;
                u32::try_from(place).ok()
            }
        }

        impl Word for $name {
            const NAME: &str = stringify!($name);

            fn variant(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some(stringify!($variant)),)+
                    Self::Other(_) => None,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self::known(word).unwrap_or_else(|| Self::Other(Cow::Owned(word.into())))
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(word: &str) -> Result<Self, Infallible> {
                Ok(Self::from(word))
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
                let word = crate::text::Text::deserialize(deserializer)?;
                Ok(Self::from(&*word))
            }
        }
    };
}

open_words! {
    /// What a model takes or gives.
    ///
    /// ```
    /// use bedrock_catalog_data::Modality;
    ///
    /// assert_eq!(Modality::from("IMAGE"), Modality::Image);
    /// assert_eq!(Modality::from("SMELL").as_str(), "SMELL"); // kept as it came
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

open_words! {
    /// A way in that the listing names for a model in a region.
    InferenceType {
        /// The bare model id may be called.
        OnDemand = "ON_DEMAND",
        /// Only capacity that was bought may be called.
        Provisioned = "PROVISIONED",
        /// An inference profile may be called, where there is one.
        InferenceProfile = "INFERENCE_PROFILE",
    }
}

open_words! {
    /// A way to make a model one's own.
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

open_words! {
    /// What the control plane says of a model's life. The status *at a date* is [`Status`].
    LifecycleStatus {
        /// In service.
        Active = "ACTIVE",
        /// In service, with an end in sight.
        Legacy = "LEGACY",
    }
}

open_words! {
    /// The scope of an inference profile: the part of its id before the model's. It names where a
    /// request may be *served*, not where it may come from: Canada is a source of `us` profiles.
    Geography {
        /// United States.
        Us = "us",
        /// European Union; some of its profiles serve other European callers too.
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

/// The state of a model at a date, computed from what the control plane said and the dates.
///
/// Printed, parsed and serialized in lower case.
///
/// ```
/// use bedrock_catalog_data::Status;
///
/// assert_eq!("legacy".parse::<Status>()?, Status::Legacy);
/// assert_eq!(Status::Legacy.to_string(), "legacy");
/// assert!("gone".parse::<Status>().is_err());
/// # Ok::<(), bedrock_catalog_data::ParseWordError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Status {
    /// In service.
    Active,
    /// In service, but on its way out; accounts that were idle may already be refused.
    Legacy,
    /// Its end of life is reached.
    Ended,
    /// A complete recording neither lists it nor serves it through a profile any more.
    Retired,
    /// The control plane does not say: unknown, not "no". Models known only through a profile.
    Unknown,
}

impl Status {
    /// Every status there is.
    pub const ALL: &[Self] = &[
        Self::Active,
        Self::Legacy,
        Self::Ended,
        Self::Retired,
        Self::Unknown,
    ];

    /// The status as the command line prints it.
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
    type Err = ParseWordError;

    fn from_str(word: &str) -> Result<Self, ParseWordError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|status| status.as_str() == word)
            .ok_or(ParseWordError("active, legacy, ended, retired or unknown"))
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Status {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A text is none of the words it could have been; the message lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseWordError(pub(crate) &'static str);

impl fmt::Display for ParseWordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

impl core::error::Error for ParseWordError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_unknown_word_is_kept_and_sorts_by_its_text() {
        let mut words = [
            Modality::from("VIDEO"),
            Modality::from("SMELL"),
            Modality::from("TEXT"),
        ];
        words.sort();
        let texts = words.map(|word| word.to_string());
        assert_eq!(texts, ["SMELL", "TEXT", "VIDEO"]);
        assert_eq!(Modality::Other("TEXT".into()), Modality::Text);
    }
}
