//! Which operations are reads and which are writes, what is never cached, and what a write drops. All of
//! it is data, checked when it is loaded; this room may not know a single operation by name, nor how a
//! request travels.

mod answer;
mod load;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::parameters::Parameters;
use super::tags::tags_of;
use answer::Ends;
use bedrock_catalog_cache::{Pattern, glob_matches};

/// What a caching client goes by: which operations are never cached, which change nothing, and which
/// entries a write drops.
///
/// An entry is named `service:Operation:identifier:…`, so a rule's patterns are `service:Operation`, or
/// `service:Operation:{Parameter}` for the entries whose request named the same value as the write's
/// parameter. `*` in a service or an operation stands for any text; in an operation that is harmless it
/// stands at the end, for further whole words. A parameter within another is written with a dot,
/// `{MemberId.UserId}`; one of a REST request's path is named by the rule's `path`.
/// Where a write leaves the parameter out, all entries of the operation go.
///
/// A write for which no rule is declared drops its service's lists, what was read without naming
/// anything, and every entry that names something the write names.
///
/// ```
/// use bedrock_catalog_aws_client::Rules;
/// use bedrock_catalog_cache::Key;
///
/// let own = Rules::from_json(r#"{
///     "format": 1,
///     "never": [{ "operations": "payroll:Get*" }],
///     "writes": [{
///         "service": "iam", "operations": ["UpdateRole"],
///         "drops": ["iam:GetRole:{RoleName}", "iam:ListRoles"]
///     }]
/// }"#)?;
/// let rules = Rules::shipped().and(own);
/// let dropped = rules.drops("iam", "UpdateRole", [("RoleName", "reader")]);
/// assert!(dropped.matches(&Key::new("iam", "ListRoles", "all")));
///
/// let refused = Rules::from_json(r#"{"format": 1, "writes": [{
///     "service": "iam", "operations": ["UpdateRole"], "drops": ["iam:GetRole:{RoleName"]}]}"#);
/// assert!(refused.unwrap_err().to_string().contains("iam:GetRole:{RoleName"));
/// # Ok::<(), bedrock_catalog_aws_client::ClientError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Rules {
    never: Vec<Never>,
    harmless: Vec<Operations>,
    unsettled: Vec<String>,
    secrets: Vec<String>,
    scopes: BTreeMap<String, Vec<String>>,
    writes: Vec<Write>,
    /// Of `secrets`.
    ends: Ends,
}

/// Operations of services, both as globs.
#[derive(Debug, Clone)]
struct Operations {
    service: String,
    operation: String,
}

impl Operations {
    fn has(&self, service: &str, operation: &str) -> bool {
        matches(&self.service, service) && matches(&self.operation, operation)
    }

    fn has_words(&self, service: &str, operation: &str) -> bool {
        let is_called = match self.operation.strip_suffix('*') {
            Some(words) => begins_with(operation, words),
            None => operation == self.operation,
        };
        is_called && matches(&self.service, service)
    }
}

#[derive(Debug, Clone)]
struct Never {
    operations: Operations,
    /// Only where this parameter is true.
    when: Option<String>,
}

#[derive(Debug, Clone)]
struct Write {
    service: String,
    operations: Vec<String>,
    path: Option<String>,
    drops: Vec<Drop>,
}

#[derive(Debug, Clone)]
struct Drop {
    operations: Operations,
    /// The parameter whose value the entries name.
    names: Option<String>,
}

/// What an operation does, as far as a cache is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// It may be answered from the cache, unless one of these parameters is true.
    Read { unless: Vec<String> },
    /// It changes something.
    Write,
    /// Neither: it goes its way.
    Other,
}

static SHIPPED: LazyLock<Rules> = LazyLock::new(|| {
    Rules::from_json(include_str!("rules.json")).unwrap_or_else(|error| {
        // A test reads the file; should it break all the same, a write without rules drops too much,
        // and nothing is taken for harmless.
        tracing::error!(%error, "the shipped rules of the AWS client cannot be read");
        Rules {
            never: vec![Never {
                operations: Operations {
                    service: "*".into(),
                    operation: "*".into(),
                },
                when: None,
            }],
            ..Rules::default()
        }
    })
});

impl Rules {
    /// The rules that come with this crate: secrets are never cached; Bedrock, Identity Store and SSO
    /// Admin have rules of their own for what a write drops.
    #[must_use]
    pub fn shipped() -> Self {
        SHIPPED.clone()
    }

    /// No service has rules of its own, and nothing is known to be secret or harmless. For callers who
    /// bring all of it themselves.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These rules and others: a write drops what either says, and what either calls secret is never
    /// cached.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.never.extend(others.never);
        self.harmless.extend(others.harmless);
        self.unsettled.extend(others.unsettled);
        self.secrets.extend(others.secrets);
        for (service, names) in others.scopes {
            self.scopes.entry(service).or_default().extend(names);
        }
        self.writes.extend(others.writes);
        self.ends = Ends::of(&self.secrets);
        self
    }

    /// The entries that a write drops, of whatever service: to drop them by hand, after a change that
    /// went another way. See [`CachedClient::forget`](super::CachedClient::forget).
    #[must_use]
    pub fn drops<'a>(
        &self,
        service: &str,
        operation: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Pattern {
        self.pattern(
            &service_word(service),
            operation,
            &Parameters::given(parameters),
        )
    }

    /// What the operation does. `List…`, `Describe…` and `Get…` are reads; what is neither a read nor
    /// known to be harmless changes something.
    pub(super) fn kind(&self, service: &str, operation: &str) -> Kind {
        if is_read(operation) {
            let mut unless = Vec::new();
            for never in &self.never {
                if never.operations.has(service, operation) {
                    match &never.when {
                        None => return Kind::Other,
                        Some(when) => unless.push(when.clone()),
                    }
                }
            }
            return Kind::Read { unless };
        }
        let is_harmless = |ops: &Operations| ops.has_words(service, operation);
        if self.harmless.iter().any(is_harmless) {
            Kind::Other
        } else {
            Kind::Write
        }
    }

    /// The parameters that every request of the service has, and that therefore tell nothing apart.
    pub(super) fn scopes(&self, service: &str) -> &[String] {
        self.scopes.get(service).map_or(&[], Vec::as_slice)
    }

    /// The entries that a write drops.
    pub(super) fn pattern(
        &self,
        service: &str,
        operation: &str,
        parameters: &Parameters<'_>,
    ) -> Pattern {
        let mut dropped = Vec::new();
        let scoped = parameters.tags_of_scopes(self.scopes(service));
        let mut declared = false;
        for write in self
            .writes
            .iter()
            .filter(|write| write.is_for(service, operation))
        {
            declared = true;
            for drop in &write.drops {
                let of = &drop.operations;
                let tags = drop.names.as_ref().map(|name| {
                    let values = write
                        .path
                        .as_deref()
                        .map_or(Vec::new(), |path| parameters.in_path(path, name));
                    let values = values.into_iter().chain(parameters.named(name));
                    let mut tags: Vec<_> = values.flat_map(|value| tags_of(&value)).collect();
                    tags.retain(|tag| !scoped.contains(tag));
                    tags
                });
                match tags {
                    Some(tags) if !tags.is_empty() => {
                        let tags = tags.iter();
                        dropped.extend(tags.map(|tag| naming(&of.service, &of.operation, tag)));
                    }
                    _ => dropped.push(Pattern::glob(&format!("{}:{}:*", of.service, of.operation))),
                }
            }
        }
        if !declared {
            let tags = parameters.tags(operation, self.scopes(service));
            if tags.is_empty() {
                dropped.push(Pattern::under([service]));
            } else {
                for lists in LISTS {
                    dropped.push(Pattern::glob(&format!("{service}:{lists}")));
                }
                dropped.push(Pattern::glob(&format!("{service}:*:{ALL}:*")));
                dropped.extend(tags.iter().map(|tag| naming(service, "*", tag)));
            }
        }
        Pattern::any(dropped)
    }
}

/// What lists are called: a plural, at the end or before what it goes by.
const LISTS: [&str; 7] = [
    "List*",
    "Describe*s:*",
    "Describe*sBy*",
    "Describe*sFor*",
    "Get*s:*",
    "Get*sBy*",
    "Get*sFor*",
];

/// In place of an identifier, where a request names nothing.
pub(super) const ALL: &str = "all";

/// The entries of an operation that name what has this tag, among whatever else they name.
fn naming(service: &str, operation: &str, tag: &str) -> Pattern {
    Pattern::glob(&format!("{service}:{operation}:*{tag}:*"))
}

impl Write {
    fn is_for(&self, service: &str, operation: &str) -> bool {
        matches(&self.service, service)
            && self.operations.iter().any(|glob| matches(glob, operation))
    }
}

fn matches(glob: &str, text: &str) -> bool {
    glob_matches(glob.as_bytes(), text.as_bytes())
}

/// `List…`, `Describe…`, `Get…`.
fn is_read(operation: &str) -> bool {
    ["List", "Describe", "Get"]
        .iter()
        .any(|verb| begins_with(operation, verb))
}

/// Whether an operation begins with these words, and not with a longer one such as `Getter`.
fn begins_with(operation: &str, words: &str) -> bool {
    operation
        .strip_prefix(words)
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// A service's name as keys and rules have it: `SSO Admin` is `sso-admin`.
pub(super) fn service_word(service: &str) -> String {
    service.to_ascii_lowercase().replace(' ', "-")
}
