//! The rules as data: which operations are cached, which responses are stored, what a write invalidates.

mod text;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bedrock_catalog_cache::Pattern;
use serde::Deserialize;

use crate::error::{ClientError, ClientErrorKind};
use crate::parameters::Parameters;

use text::{Glob, any_matches, begins_with, normalized, split_target, words};

/// In place of resource ids, in the key of a read whose request names no resource.
pub(crate) const ALL: &str = "all";

/// The shape of list operations: `List…`, or a plural at the end of the name or before its filter.
const LISTS: [&str; 7] = [
    "List*",
    "Describe*s:*",
    "Describe*sBy*",
    "Describe*sFor*",
    "Get*s:*",
    "Get*sBy*",
    "Get*sFor*",
];

/// The rules of a caching client: operations that are never cached, operations that change nothing,
/// responses that are not stored, and the entries that each write invalidates.
///
/// Rules are JSON, with the members below. All but `format` are optional; `*` in a word stands for any
/// text. [`rules.json`](https://github.com/bedrock-catalog/bedrock-catalog/blob/main/catalog-aws-client/src/rules.json)
/// has the shipped ones.
///
/// | member | content |
/// |---|---|
/// | `format` | 1 |
/// | `uncached` | lists of `service:Operation` that go past the cache, each with a reason |
/// | `neutral` | `service:Operation` that is neither a read nor a write; a `*` at its end stands for further whole words |
/// | `secrets` | names of `members` and of `link_parameters`, in lower case without `_` and `-`, and `texts`; a response with one of them is not stored |
/// | `in_motion` | `words` in states of resources that are changing, except the `settled` ones; a response with such a state is not stored |
/// | `scopes` | by service, parameters that each of its requests has; they identify no resource |
/// | `writes` | by service and operations, the entries that a write `invalidates` |
///
/// An entry is named `service:Operation:resource:…`. A rule invalidates `service:Operation`, or
/// `service:Operation:{Parameter}`: the entries that name the same resource as this parameter of the
/// write. A parameter within another is written with a dot, `{MemberId.UserId}`. One in the path of a REST
/// request is found with the rule's `path`, such as `/guardrails/{id}`. If the request does not have the
/// parameter, all entries of the operation are invalidated.
///
/// A write without a rule invalidates the lists of its service, the entries that name no resource, and
/// the entries that name a resource of the write.
///
/// ```
/// use bedrock_catalog_aws_client::Rules;
/// use bedrock_catalog_cache::Key;
///
/// let own = Rules::from_json(r#"{
///     "format": 1,
///     "uncached": [{ "why": "salaries", "operations": ["payroll:Get*"] }],
///     "writes": [{
///         "service": "iam", "operations": ["UpdateRole"],
///         "invalidates": ["iam:GetRole:{RoleName}", "iam:ListRoles"]
///     }]
/// }"#)?;
/// let rules = Rules::shipped().and(own);
/// let invalidated = rules.invalidated_by("iam", "UpdateRole", [("RoleName", "reader")]);
/// assert!(invalidated.matches(&Key::new("iam", "ListRoles", "all")));
///
/// let error = Rules::from_json(r#"{"format": 1, "writes": [{
///     "service": "iam", "operations": ["UpdateRole"], "invalidates": ["iam:GetRole:{RoleName"]}]}"#)
///     .unwrap_err();
/// assert!(error.to_string().contains("iam:GetRole:{RoleName"));
/// # Ok::<(), bedrock_catalog_aws_client::ClientError>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    format: u32,
    #[serde(default)]
    uncached: Vec<Uncached>,
    #[serde(default)]
    neutral: Vec<String>,
    #[serde(default)]
    secrets: Secrets,
    #[serde(default)]
    in_motion: InMotion,
    #[serde(default)]
    scopes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    writes: Vec<Write>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Uncached {
    #[serde(rename = "why")]
    _why: String,
    operations: Vec<Glob>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Secrets {
    members: Vec<Glob>,
    link_parameters: Vec<Glob>,
    texts: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct InMotion {
    words: Vec<Glob>,
    settled: Vec<Glob>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Write {
    service: Glob,
    operations: Vec<Glob>,
    path: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
    invalidates: Vec<String>,
}

/// The role of an operation for a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Its responses may be served from the cache.
    Read,
    /// It changes something.
    Write,
    /// It goes past the cache: it changes nothing, or its responses are not to be stored.
    Neutral,
}

static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    Rules::from_json(include_str!("rules.json")).unwrap_or_else(|error| {
        // A test reads the file, so this does not happen. If it did, nothing would be cached and each
        // write would invalidate.
        tracing::error!(%error, "the shipped rules cannot be read; AWS reads are not cached");
        let uncached = Uncached {
            _why: String::new(),
            operations: vec!["*:*".to_owned().into()],
        };
        Rules {
            uncached: vec![uncached],
            ..Rules::default()
        }
    })
});

impl Rules {
    /// The rules of this crate. Bedrock, Identity Store and SSO Admin have rules for their writes.
    #[must_use]
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }

    /// No rules: each `List…`, `Describe…` and `Get…` is cached, each other operation is a write, and
    /// secrets are stored. For callers that bring all rules themselves.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Rules from JSON.
    ///
    /// # Errors
    /// [`ClientErrorKind::InvalidRules`]: the text is not JSON of this format. The message names the rule.
    pub fn from_json(json: &str) -> Result<Self, ClientError> {
        let invalid = |cause: Box<dyn std::error::Error + Send + Sync>| {
            ClientError::new(ClientErrorKind::InvalidRules, "the rules cannot be read")
                .because(cause)
        };
        let rules: Self = serde_json::from_str(json).map_err(|error| invalid(error.into()))?;
        rules.check().map_err(|reason| invalid(reason.into()))?;
        Ok(rules)
    }

    /// These rules and others. A write invalidates what either set says; responses that either set calls
    /// secret or in motion are not stored.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.uncached.extend(others.uncached);
        self.neutral.extend(others.neutral);
        self.secrets.members.extend(others.secrets.members);
        self.secrets.texts.extend(others.secrets.texts);
        let links = others.secrets.link_parameters;
        self.secrets.link_parameters.extend(links);
        self.in_motion.words.extend(others.in_motion.words);
        self.in_motion.settled.extend(others.in_motion.settled);
        for (service, names) in others.scopes {
            self.scopes.entry(service).or_default().extend(names);
        }
        self.writes.extend(others.writes);
        self
    }

    /// The entries that a write invalidates.
    ///
    /// [`CachedClient::invalidate`](crate::CachedClient::invalidate) removes them.
    #[must_use]
    pub fn invalidated_by<'a>(
        &self,
        service: &str,
        operation: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Pattern {
        let parameters = Parameters::given(parameters);
        self.pattern(&service_word(service), operation, &parameters)
    }

    /// The role of an operation. `List…`, `Describe…` and `Get…` are reads; an operation that is neither
    /// a read nor neutral is a write.
    pub(crate) fn kind(&self, service: &str, operation: &str) -> Kind {
        let verbs = ["List", "Describe", "Get"];
        if verbs.iter().any(|verb| begins_with(operation, verb)) {
            let name = format!("{service}:{operation}");
            let mut uncached = self.uncached.iter();
            return match uncached.any(|group| any_matches(&group.operations, &name)) {
                true => Kind::Neutral,
                false => Kind::Read,
            };
        }
        let is_neutral = self.neutral.iter().any(|neutral| {
            let (of, name) = neutral.split_once(':').unwrap_or_default();
            let is_named = match name.strip_suffix('*') {
                Some(words) => begins_with(operation, words),
                None => name == operation,
            };
            is_named && Glob::from(of.to_owned()).matches(service)
        });
        match is_neutral {
            true => Kind::Neutral,
            false => Kind::Write,
        }
    }

    /// The parameters of a service that identify no resource.
    pub(crate) fn scopes(&self, service: &str) -> &[String] {
        self.scopes.get(service).map_or(&[], Vec::as_slice)
    }

    /// The entries that a write invalidates.
    pub(crate) fn pattern(
        &self,
        service: &str,
        operation: &str,
        parameters: &Parameters<'_>,
    ) -> Pattern {
        let scopes = self.scopes(service);
        let is_rule = |write: &&Write| {
            write.service.matches(service) && any_matches(&write.operations, operation)
        };
        let mut writes = self.writes.iter().filter(is_rule).peekable();
        if writes.peek().is_none() {
            return without_rule(service, &parameters.resource_ids(operation, scopes));
        }
        let mut invalidated = Vec::new();
        for write in writes {
            for target in &write.invalidates {
                let (operations, name) = split_target(target);
                let path = write.path.as_deref();
                let ids = name.map(|name| parameters.ids_of(name, path, scopes));
                match ids {
                    Some(ids) if !ids.is_empty() => {
                        invalidated.extend(ids.iter().map(|id| naming(operations, id)));
                    }
                    _ => invalidated.push(Pattern::glob(&format!("{operations}:*"))),
                }
            }
        }
        Pattern::any(invalidated)
    }

    /// Whether a response with a member of this name is secret. The name may be longer than the rule:
    /// `MasterUserPassword`.
    pub(crate) fn is_secret_member(&self, name: &str) -> bool {
        any_matches(&self.secrets.members, &normalized(name))
    }

    /// Whether a link with a parameter of this name lets its holder in.
    pub(crate) fn is_secret_in_link(&self, name: &str) -> bool {
        any_matches(&self.secrets.link_parameters, &normalized(name))
    }

    /// Whether a text is secret whatever its name, such as a PEM block.
    pub(crate) fn is_secret_text(&self, text: &str) -> bool {
        let mut texts = self.secrets.texts.iter();
        texts.any(|secret| text.contains(secret.as_str()))
    }

    /// Whether a member of this name has a state: `status`, `modelStatus`, `States`.
    pub(crate) fn is_state_member(name: &str) -> bool {
        let ends = ["status", "state", "statuses", "states"];
        name.to_ascii_lowercase().contains("stat")
            && words(name).any(|word| ends.iter().any(|end| word.ends_with(end)))
    }

    /// Whether a state says that the resource is changing: `CREATE_IN_PROGRESS`, `Updating`, `QUEUED`.
    pub(crate) fn is_in_motion(&self, state: &str) -> bool {
        // A state is a word or a few; a sentence or an ARN beside it is not.
        let is_state = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
        if state.len() > 64 || state.split(' ').count() > 2 || !state.chars().all(is_state) {
            return false;
        }
        let InMotion {
            words: changing,
            settled,
        } = &self.in_motion;
        words(state).any(|word| any_matches(changing, &word) && !any_matches(settled, &word))
    }
}

/// What a write without a rule invalidates: the whole service if its request names no resource.
fn without_rule(service: &str, ids: &[String]) -> Pattern {
    if ids.is_empty() {
        return Pattern::under([service]);
    }
    let lists = LISTS.iter().map(|list| format!("{service}:{list}"));
    let lists = lists.chain([format!("{service}:*:{ALL}:*")]);
    let lists = lists.map(|glob| Pattern::glob(&glob));
    let everything = format!("{service}:*");
    Pattern::any(lists.chain(ids.iter().map(|id| naming(&everything, id))))
}

/// The entries of operations that name the resource with this id, among others.
fn naming(operations: &str, id: &str) -> Pattern {
    Pattern::glob(&format!("{operations}:*{id}:*"))
}

/// The name of a service in keys and rules: `SSO Admin` is `sso-admin`.
pub(crate) fn service_word(service: &str) -> String {
    service.to_ascii_lowercase().replace(' ', "-")
}
