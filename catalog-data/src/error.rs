//! The crate's error, and how it quotes untrusted text.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::Timestamp;
use crate::catalog::Catalog;

/// A question has no answer, or a document is no valid catalog.
///
/// The message says what is wrong and what would be right, for people; [`kind`](Self::kind) and
/// [`suggestions`](Self::suggestions) say it for programs. `Display` and `Debug` print the message. One
/// word in size; only failures allocate.
///
/// ```
/// # #[cfg(feature = "bundle")] {
/// use bedrock_catalog_data::{Catalog, Policy, QueryErrorKind};
///
/// let catalog = Catalog::bundled();
/// let error = catalog.route("anthropic.claude-sonet-4-6", "eu-west-1", Policy::Any).unwrap_err();
/// assert_eq!(error.kind(), QueryErrorKind::UnknownModel);
/// assert_eq!(error.suggestions(), ["anthropic.claude-sonnet-4-6"]);
/// # }
/// ```
#[derive(Clone)]
pub struct QueryError {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: QueryErrorKind,
    message: String,
    suggestions: Vec<String>,
    observed_at: Option<Timestamp>,
    /// The age of the catalog in days, where the message shows it.
    age: Option<i64>,
}

/// The kind of a [`QueryError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueryErrorKind {
    /// No model has the id. Suggestions: close ids, or the models of a profile given instead of a model.
    UnknownModel,
    /// No inference profile has the id. Suggestions: close ids.
    UnknownProfile,
    /// No region has the id. Suggestions: close ids.
    UnknownRegion,
    /// The region is in another partition than the catalog.
    OtherPartition,
    /// The model is not in the region. Suggestions: the regions that have it.
    NotInRegion,
    /// A profile is given instead of a model, and the region is no source of it. Suggestions: the id to
    /// send from the region under the policy.
    NotASource,
    /// Neither a listing nor a profile names the model or profile any more.
    Retired,
    /// The policy allows none of the routes. Suggestions: the policies that allow one; none for
    /// [`Policy::Within`](crate::Policy::Within), because each would leave the residency set.
    PolicyForbids,
    /// The model can be called with purchased capacity only.
    ProvisionedOnly,
    /// The region lists the model without a way to call it.
    NoWayIn,
    /// An entry of a residency set matches no known region. Suggestions: close entries.
    UnknownResidency,
    /// The document is no valid catalog.
    InvalidCatalog,
}

impl QueryErrorKind {
    /// The kind in snake case: `unknown_model`, `not_in_region`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownModel => "unknown_model",
            Self::UnknownProfile => "unknown_profile",
            Self::UnknownRegion => "unknown_region",
            Self::OtherPartition => "other_partition",
            Self::NotInRegion => "not_in_region",
            Self::NotASource => "not_a_source",
            Self::Retired => "retired",
            Self::PolicyForbids => "policy_forbids",
            Self::ProvisionedOnly => "provisioned_only",
            Self::NoWayIn => "no_way_in",
            Self::UnknownResidency => "unknown_residency",
            Self::InvalidCatalog => "invalid_catalog",
        }
    }
}

impl fmt::Display for QueryErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The age from which an error mentions it, in days.
const OLD: i64 = 30;

impl QueryError {
    pub(crate) fn new(kind: QueryErrorKind, message: String) -> Self {
        Self {
            inner: Box::new(Inner {
                kind,
                message,
                suggestions: Vec::new(),
                observed_at: None,
                age: None,
            }),
        }
    }

    pub(crate) fn invalid(message: String) -> Self {
        Self::new(QueryErrorKind::InvalidCatalog, message)
    }

    pub(crate) fn suggesting(mut self, suggestions: Vec<String>) -> Self {
        self.inner.suggestions = suggestions;
        self
    }

    pub(crate) fn of(mut self, catalog: &Catalog) -> Self {
        self.inner.observed_at = Some(catalog.observed_at());
        self
    }

    /// The kind.
    pub fn kind(&self) -> QueryErrorKind {
        self.inner.kind
    }

    /// Corrections, the best first: ids, regions, policies or entries, depending on the kind.
    ///
    /// Another version of a model, or a model that ended before the recording, is never among them; the
    /// message names these with a mark.
    pub fn suggestions(&self) -> &[String] {
        &self.inner.suggestions
    }

    /// The time of the recording behind the catalog; `None` for an invalid document.
    pub fn observed_at(&self) -> Option<Timestamp> {
        self.inner.observed_at
    }

    /// Adds the age of the catalog at `now` to the message, if it is more than 30 days.
    ///
    /// This crate has no clock; callers with one use this where they report the error.
    ///
    /// ```
    /// # #[cfg(feature = "bundle")] {
    /// use bedrock_catalog_data::{Catalog, Timestamp};
    ///
    /// let catalog = Catalog::bundled();
    /// let error = catalog.unknown_model("acme.new");
    /// let later = Timestamp::from_unix(catalog.observed_at().unix() + 45 * 86_400).unwrap();
    /// let message = error.with_age_at(later).to_string();
    /// assert_eq!(message, "unknown model `acme.new`; the catalog is 45 days old");
    /// # }
    /// ```
    #[must_use]
    pub fn with_age_at(mut self, now: Timestamp) -> Self {
        let observed_at = self.inner.observed_at;
        let age = observed_at.map(|observed| observed.date().days_until(now.date()));
        self.inner.age = age.filter(|&days| days > OLD);
        self
    }

    /// Whether no model, profile or region has the id.
    pub fn is_unknown_id(&self) -> bool {
        use QueryErrorKind::{UnknownModel, UnknownProfile, UnknownRegion};
        matches!(self.kind(), UnknownModel | UnknownProfile | UnknownRegion)
    }

    /// Whether the policy forbids every route that there is.
    pub fn is_forbidden_by_policy(&self) -> bool {
        self.kind() == QueryErrorKind::PolicyForbids
    }

    /// Whether a document is no valid catalog.
    pub fn is_invalid_catalog(&self) -> bool {
        self.kind() == QueryErrorKind::InvalidCatalog
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        match self.inner.age {
            Some(days) => write!(f, "; the catalog is {days} days old"),
            None => Ok(()),
        }
    }
}

/// The message, as `Display`.
impl fmt::Debug for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for QueryError {}

/// Untrusted text in backticks: escaped, so that it cannot move the cursor or hide, and truncated.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 200;
    let mut shown = String::from("`");
    for (position, letter) in text.chars().enumerate() {
        if position == MAX_CHARS {
            shown.push('…');
            break;
        }
        escape(letter, &mut shown);
    }
    shown.push('`');
    shown
}

/// Escapes like Rust, except for quotes, which are harmless here.
fn escape(letter: char, shown: &mut String) {
    match letter {
        '"' | '\'' => shown.push(letter),
        _ => shown.extend(letter.escape_debug()),
    }
}

/// `a, b and c`, escaped; `last` is `and` or `or`.
pub(crate) fn list<S: AsRef<str>>(items: &[S], last: &str) -> String {
    let mut shown = String::new();
    for (position, item) in items.iter().enumerate() {
        if position > 0 && position + 1 == items.len() {
            shown.extend([" ", last, " "]);
        } else if position > 0 {
            shown.push_str(", ");
        }
        for letter in item.as_ref().chars() {
            escape(letter, &mut shown);
        }
    }
    shown
}
