//! One opaque error: what was wrong with the question, and what would be right.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::Date;
use crate::access::Access;
use crate::route::Policy;

/// Why a question has no answer, or why a document is no catalog.
///
/// One word in size. [`Error::kind`] is for programs, the message for people; it says what to do.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, ErrorKind, Policy};
///
/// let catalog = Catalog::bundled();
/// let error = catalog.route("anthropic.claude-sonet-4-6", "eu-west-1", Policy::Any).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::UnknownModel);
/// assert!(error.suggestions().iter().any(|id| id == "anthropic.claude-sonnet-4-6"));
/// # }
/// ```
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    suggestions: Vec<String>,
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No model has the id. Suggestions: the closest ids, or the models of the profile asked for.
    UnknownModel,
    /// No inference profile has the id. Suggestions: the closest ids.
    UnknownProfile,
    /// No region of the recording has the id. Suggestions: the closest ids.
    UnknownRegion,
    /// The region has no such model. Suggestions: the regions that have it.
    NotInRegion,
    /// The model is retired: nothing lists or serves it any more.
    Retired,
    /// There is a way in, but the policy does not allow it. Suggestions: the policies that do; none for
    /// [`Policy::Within`], which others would give up.
    PolicyForbids,
    /// Only bought capacity may be called.
    ProvisionedOnly,
    /// The listing has the model and names no way in.
    NoWayIn,
    /// The text or document is no valid catalog.
    InvalidCatalog,
}

impl ErrorKind {
    /// The kind's word, as the command line prints it: `unknown_model`, `not_in_region`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown_model",
            Self::UnknownProfile => "unknown_profile",
            Self::UnknownRegion => "unknown_region",
            Self::NotInRegion => "not_in_region",
            Self::Retired => "retired",
            Self::PolicyForbids => "policy_forbids",
            Self::ProvisionedOnly => "provisioned_only",
            Self::NoWayIn => "no_way_in",
            Self::InvalidCatalog => "invalid_catalog",
        }
    }
}

impl Error {
    fn new(kind: ErrorKind, message: String, suggestions: Vec<String>) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message,
                suggestions,
            }),
        }
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// What would have been right, the best first: ids, regions or policies, by kind.
    pub fn suggestions(&self) -> &[String] {
        &self.inner.suggestions
    }

    /// Whether the id of the model, profile or region is not known at all.
    pub fn is_unknown_id(&self) -> bool {
        use ErrorKind::{UnknownModel, UnknownProfile, UnknownRegion};
        matches!(self.kind(), UnknownModel | UnknownProfile | UnknownRegion)
    }

    /// Whether another policy has a route.
    pub fn is_policy(&self) -> bool {
        self.kind() == ErrorKind::PolicyForbids
    }

    pub(crate) fn unknown(what: &str, id: &str, near: Vec<String>) -> Self {
        let kind = match what {
            "model" => ErrorKind::UnknownModel,
            "region" => ErrorKind::UnknownRegion,
            _ => ErrorKind::UnknownProfile,
        };
        let message = match near.is_empty() {
            true => format!("unknown {what} {}", quoted(id)),
            false => format!(
                "unknown {what} {}; did you mean {}?",
                quoted(id),
                list(&near, "or")
            ),
        };
        Self::new(kind, message, near)
    }

    pub(crate) fn profile_for_model<'a>(id: &str, models: impl Iterator<Item = &'a str>) -> Self {
        let models: Vec<String> = models.map(ToOwned::to_owned).collect();
        let message = format!(
            "{} is an inference profile, not a model; it serves {}",
            quoted(id),
            list(&models, "and")
        );
        Self::new(ErrorKind::UnknownModel, message, models)
    }

    pub(crate) fn retired(id: &str, last_seen: Date) -> Self {
        let message = format!("{} is retired; it was last seen on {last_seen}", quoted(id));
        Self::new(ErrorKind::Retired, message, Vec::new())
    }

    pub(crate) fn not_in_region<'a>(
        model: &str,
        region: &str,
        regions: impl Iterator<Item = &'a str>,
    ) -> Self {
        let regions: Vec<String> = regions.map(ToOwned::to_owned).collect();
        let elsewhere = match regions.is_empty() {
            true => "no region has it now".to_string(),
            false => format!("it is in {}", list(&regions, "and")),
        };
        let message = format!(
            "{} is not in {}; {elsewhere}",
            quoted(model),
            quoted(region)
        );
        Self::new(ErrorKind::NotInRegion, message, regions)
    }

    pub(crate) fn no_route<'a>(
        access: Access<'_>,
        policy: Policy<'_>,
        allowing: impl Iterator<Item = &'a str>,
    ) -> Self {
        let (model, region) = (quoted(access.model().id()), quoted(access.region().id()));
        let allowing: Vec<String> = allowing.map(ToOwned::to_owned).collect();
        if matches!(policy, Policy::Within(_)) && access.routes().next().is_some() {
            // No other policy is suggested: it would give up what was asked for.
            let message = format!(
                "no way in to {model} from {region} stays within these regions: {}",
                ways(access)
            );
            return Self::new(ErrorKind::PolicyForbids, message, Vec::new());
        }
        if !allowing.is_empty() {
            let only = match access
                .routes()
                .all(|route| route.kind() == crate::RouteKind::Global)
            {
                true => "only a global profile serves",
                false => "the policy allows no way in to",
            };
            let message = format!(
                "{only} {model} from {region}: {}; policy {policy} does not allow that, policy {} does",
                ways(access),
                list(&allowing, "or"),
            );
            return Self::new(ErrorKind::PolicyForbids, message, allowing);
        }
        if access.provisioned() == Some(true) {
            let message = format!(
                "{model} may be called from {region} with provisioned throughput only: buy it and \
                 send the ARN of the provisioned model"
            );
            return Self::new(ErrorKind::ProvisionedOnly, message, Vec::new());
        }
        let types = access.inference_types().map(|types| {
            let words: Vec<String> = types.iter().map(ToString::to_string).collect();
            (!words.is_empty()).then(|| list(&words, "and"))
        });
        let message = match types {
            None => format!("{region} lists {model} and does not say how to call it"),
            Some(None) => format!("{region} lists {model} and names no way to call it"),
            Some(Some(words)) => {
                format!("{region} lists {model} for {words}, which gives no way to call it now")
            }
        };
        Self::new(ErrorKind::NoWayIn, message, Vec::new())
    }

    /// A document that is no catalog, with where and why.
    pub(crate) fn invalid(message: String) -> Self {
        Self::new(ErrorKind::InvalidCatalog, message, Vec::new())
    }
}

/// Text from outside, so that it cannot move the cursor or hide: escaped, and cut.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown = String::from("`");
    for (place, letter) in text.chars().enumerate() {
        if place == LONGEST {
            shown.push('…');
            break;
        }
        escape(letter, &mut shown);
    }
    shown.push('`');
    shown
}

/// As Rust writes it, but for quotes, which are harmless here.
fn escape(letter: char, shown: &mut String) {
    match letter {
        '"' | '\'' => shown.push(letter),
        _ => shown.extend(letter.escape_debug()),
    }
}

/// Every way in, with where it leads.
fn ways(access: Access<'_>) -> String {
    let way =
        |route: crate::Route<'_>| format!("{} ({})", route.inference_id(), route.destinations());
    list(&access.routes().map(way).collect::<Vec<_>>(), "and")
}

/// `a, b and c`.
fn list(items: &[String], last: &str) -> String {
    if items.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown = String::new();
    for (place, item) in items.iter().enumerate() {
        if place > 0 && place + 1 == items.len() {
            shown.extend([" ", last, " "]);
        } else if place > 0 {
            shown.push_str(", ");
        }
        for letter in item.chars() {
            escape(letter, &mut shown);
        }
    }
    shown
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, f)
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
#[cfg(feature = "bundle")]
mod tests {
    use super::*;
    use crate::{AccessEntry, Catalog, ModelEntry, Policy};

    /// A catalog with one more region and one model listed there.
    fn listed(region: &str, types: Option<&[&str]>) -> Catalog {
        let mut document = Catalog::bundled().to_document();
        let region = crate::Text::from(region).to_static();
        document.regions.push(region.clone());
        document.models.push(ModelEntry {
            id: "acme.new".into(),
            access: Vec::from([AccessEntry {
                inference_types: types.map(|words| words.iter().map(|&w| w.into()).collect()),
                regions: Vec::from([region]),
            }]),
            ..Default::default()
        });
        Catalog::from_document(&document).unwrap()
    }

    #[test]
    fn a_region_cannot_steer_a_terminal() {
        let hostile = "x\u{1b}[2J\u{202e}";
        let catalog = listed(hostile, Some(&["ODD\u{1b}"]));
        let errors = [
            catalog.route("acme.new", hostile, Policy::Any).unwrap_err(),
            catalog.access("amazon.nova-pro-v1:0", hostile).unwrap_err(),
            catalog.access("acme.new", "eu-west-1").unwrap_err(),
        ];
        for error in errors {
            assert!(!error.to_string().contains(char::is_control), "{error}");
            assert!(error.to_string().contains("\\u{202e}"), "{error}");
        }
    }

    #[test]
    fn no_way_in_names_what_the_listing_says() {
        for (types, expected) in [
            (None, "does not say how"),
            (Some(&[][..]), "names no way"),
            (Some(&["BATCH", "WISHING"]), "for BATCH and WISHING"),
        ] {
            let catalog = listed("xx-west-1", types);
            let route = catalog.route("acme.new", "xx-west-1", Policy::Any);
            let error = route.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoWayIn);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
