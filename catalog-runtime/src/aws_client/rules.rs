//! Which operations are reads and which are writes, what is never cached, and what a write drops. All of
//! it is data, checked when it is loaded; this file may not know a single operation by name, nor how a
//! request travels.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::parameters::{Parameters, tags_of};
use crate::cache::{Pattern, glob_matches};
use crate::{Error, ErrorKind};

/// The format of the rules this version reads.
const FORMAT: u32 = 1;

/// What a caching client goes by: which operations are never cached, which change nothing, and which
/// entries a write drops.
///
/// An entry is named `service:Operation:identifier:…`, so a rule's patterns are `service:Operation`, or
/// `service:Operation:{Parameter}` for the entries whose request named the same value as the write's
/// parameter. `*` in a service or an operation stands for any text; in an operation that is harmless it
/// stands at the end, for further whole words. A parameter within another is written with a dot, `{MemberId.UserId}`; one of a REST request's path is named by the rule's `path`.
/// Where a write leaves the parameter out, all entries of the operation go.
///
/// A write for which no rule is declared drops its service's lists, what was read without naming
/// anything, and every entry that names something the write names.
///
/// ```
/// use bedrock_catalog::aws_client::Rules;
/// use bedrock_catalog::cache::Pattern;
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
/// let patterns = rules.drops("iam", "UpdateRole", [("RoleName", "reader")]);
/// assert_eq!(patterns.len(), 1, "one pattern for each service");
///
/// let refused = Rules::from_json(r#"{"format": 1, "writes": [{
///     "service": "iam", "operations": ["UpdateRole"], "drops": ["iam:GetRole:{RoleName"]}]}"#);
/// assert!(refused.unwrap_err().to_string().contains("iam:GetRole:{RoleName"));
/// # Ok::<(), bedrock_catalog::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Rules {
    never: Vec<Never>,
    harmless: Vec<Operations>,
    unsettled: Vec<String>,
    secrets: Vec<String>,
    scopes: BTreeMap<String, Vec<String>>,
    writes: Vec<Write>,
}

/// The rules as they are written down.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    never: Vec<NeverText>,
    #[serde(default)]
    harmless: Vec<String>,
    #[serde(default)]
    unsettled: Vec<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    scopes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    writes: Vec<WriteText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NeverText {
    operations: String,
    when: Option<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteText {
    service: String,
    operations: Vec<String>,
    path: Option<String>,
    drops: Vec<String>,
    #[serde(rename = "why")]
    _why: Option<String>,
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

    /// Rules from JSON, as `rules.json` in this crate's source has them.
    ///
    /// # Errors
    /// It is no such JSON, or a rule in it cannot mean anything: the message names the rule.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let file: File = serde_json::from_str(json)
            .map_err(|cause| wrong("these are no rules").because(cause))?;
        if file.format != FORMAT {
            return Err(wrong(format!(
                "rules of format {}; this version reads format {FORMAT}",
                file.format
            )));
        }
        let never = file.never.into_iter().map(|never| {
            if let Some(when) = &never.when {
                parameter(when, &never.operations)?;
            }
            Ok(Never {
                operations: operations(&never.operations, &never.operations)?,
                when: never.when,
            })
        });
        let harmless = file.harmless.iter().map(|text| {
            let harmless = operations(text, text)?;
            let words = &harmless.operation;
            if words.strip_suffix('*').unwrap_or(words).contains('*') {
                return Err(wrong(format!(
                    "the harmless {text:?}: a * stands at the end, for further words"
                )));
            }
            Ok(harmless)
        });
        for (service, names) in &file.scopes {
            glob(service, service)?;
            names.iter().try_for_each(|name| parameter(name, service))?;
        }
        if file.unsettled.iter().any(|word| word.is_empty()) {
            return Err(wrong("an empty word under \"unsettled\""));
        }
        if file.secrets.iter().any(|word| word.len() < 4) {
            return Err(wrong("a word of less than four letters under \"secrets\""));
        }
        Ok(Self {
            never: never.collect::<Result<_, Error>>()?,
            harmless: harmless.collect::<Result<_, Error>>()?,
            unsettled: file
                .unsettled
                .iter()
                .map(|word| word.to_ascii_lowercase())
                .collect(),
            secrets: file.secrets,
            scopes: file.scopes,
            writes: file
                .writes
                .into_iter()
                .map(Write::checked)
                .collect::<Result<_, Error>>()?,
        })
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
        self
    }

    /// The entries that a write drops, one pattern for each service they are of: to drop them by hand,
    /// after a change that went another way. See [`CachedClient::forget`](super::CachedClient::forget).
    #[must_use]
    pub fn drops<'a>(
        &self,
        service: &str,
        operation: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Vec<Pattern> {
        self.patterns(
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

    /// Whether an answer says that something is on its way: the next one will be another. That is said in a
    /// status or a state, under whatever longer name; most answers have neither. A word may be a part of
    /// a longer one, as in `CREATE_IN_PROGRESS`.
    pub(super) fn is_unsettled(&self, body: &[u8]) -> bool {
        let has = |part: &[u8]| memchr::memmem::find(body, part).is_some();
        if !has(b"tatus") && !has(b"tate") {
            return false;
        }
        let letter = |byte: u8| 1_u32 << (byte.to_ascii_lowercase().wrapping_sub(b'a') & 31);
        let firsts = self.unsettled.iter().filter_map(|word| word.bytes().next());
        let firsts = firsts.fold(0, |firsts, byte| firsts | letter(byte));
        let says = |value: &[u8]| {
            let joins = value.iter().enumerate().filter(|(_, byte)| is_join(byte));
            let starts = std::iter::once(0).chain(joins.map(|(at, _)| at + 1));
            let texts = starts.filter_map(|at| value.get(at..));
            texts
                .filter(|text| text.first().is_some_and(|byte| firsts & letter(*byte) != 0))
                .any(|text| self.unsettled.iter().any(|word| begins(text, word)))
        };
        if is_cbor(body) {
            let mut texts = (0..body.len()).filter_map(|at| cbor_text(body.get(at..)?));
            return texts.any(says);
        }
        memchr::memchr2_iter(b'"', b'>', body)
            .filter_map(|at| body.get(at + 1..))
            .filter_map(|text| {
                let value = text.get(..LONGEST_STATUS).unwrap_or(text);
                value.get(..memchr::memchr2(b'"', b'<', value)?)
            })
            .any(says)
    }

    /// Whether an answer has a member that is called like a secret, or a link with such a parameter,
    /// whatever the operation is called. A name may be longer than the word: `MasterUserPassword`.
    pub(super) fn is_secret(&self, body: &[u8]) -> bool {
        // Most names are told apart by how they end.
        let mut ends = [0_u64; 16];
        for (at, bit) in self.secrets.iter().filter_map(|word| end(word.as_bytes())) {
            ends.get_mut(at).into_iter().for_each(|bits| *bits |= bit);
        }
        let is_called = |name: &[u8]| {
            let is_like = |word: &String| {
                let cut = name.len().checked_sub(word.len());
                let end = cut.and_then(|cut| name.get(cut..));
                end.is_some_and(|end| end.eq_ignore_ascii_case(word.as_bytes()))
            };
            end(name).is_some_and(|(at, bit)| ends.get(at).is_some_and(|bits| bits & bit != 0))
                && self.secrets.iter().any(is_like)
        };
        let up_to = |at| body.get(..at).unwrap_or_default();
        if is_cbor(body) {
            // Nothing stands after a name.
            return (0..=body.len()).any(|at| is_called(up_to(at)));
        }
        memchr::memchr3_iter(b':', b'>', b'=', body).any(|at| {
            let name = up_to(at);
            match body.get(at) {
                Some(b':') => name
                    .trim_ascii_end()
                    .strip_suffix(b"\"")
                    .is_some_and(|name| is_called(name.strip_suffix(b"\\").unwrap_or(name))),
                _ => is_called(name),
            }
        })
    }

    /// The entries that a write drops.
    pub(super) fn patterns(
        &self,
        service: &str,
        operation: &str,
        parameters: &Parameters<'_>,
    ) -> Vec<Pattern> {
        let mut dropped: BTreeMap<&str, Vec<Pattern>> = BTreeMap::new();
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
                let to = dropped.entry(&of.service).or_default();
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
                        to.extend(
                            tags.iter()
                                .map(|tag| naming(&of.service, &of.operation, tag)),
                        );
                    }
                    _ => to.push(Pattern::glob(&format!("{}:{}:*", of.service, of.operation))),
                }
            }
        }
        if !declared {
            let to = dropped.entry(service).or_default();
            let tags = parameters.tags(operation, self.scopes(service));
            if tags.is_empty() {
                to.push(Pattern::under([service]));
            } else {
                for lists in ["List*", "Describe*s:*", "Get*s:*"] {
                    to.push(Pattern::glob(&format!("{service}:{lists}")));
                }
                to.push(Pattern::glob(&format!("{service}:*:{ALL}:*")));
                to.extend(tags.iter().map(|tag| naming(service, "*", tag)));
            }
        }
        dropped.into_values().map(Pattern::any).collect()
    }
}

/// A place among 16 times 64 for the last four letters of a name, of either case.
fn end(name: &[u8]) -> Option<(usize, u64)> {
    let letters = u32::from_le_bytes(*name.last_chunk()?) | 0x2020_2020;
    let hash = letters.wrapping_mul(0x9E37_79B1) >> 22;
    Some((hash as usize / 64, 1 << (hash % 64)))
}

/// Whether it is CBOR: a map, whose first byte no text begins with.
fn is_cbor(body: &[u8]) -> bool {
    matches!(body.first(), Some(0xa0..=0xbf))
}

/// The text that begins here, should one begin here: its length stands before it.
fn cbor_text(from: &[u8]) -> Option<&[u8]> {
    match from {
        [length @ 0x60..=0x77, text @ ..] => text.get(..usize::from(length - 0x60)),
        [0x78, length, text @ ..] => text.get(..usize::from(*length)),
        _ => None,
    }
}

/// The longest word for a status that is looked at.
const LONGEST_STATUS: usize = 64;

/// What joins the words of a status: `CREATE_IN_PROGRESS`.
fn is_join(byte: &u8) -> bool {
    matches!(byte, b'_' | b'-')
}

/// Whether the text begins with the whole word.
fn begins(text: &[u8], word: &str) -> bool {
    text.split_at_checked(word.len()).is_some_and(|(is, rest)| {
        word.as_bytes().eq_ignore_ascii_case(is) && rest.first().is_none_or(is_join)
    })
}

/// In place of an identifier, where a request names nothing.
pub(super) const ALL: &str = "all";

/// The entries of an operation that name what has this tag, among whatever else they name.
fn naming(service: &str, operation: &str, tag: &str) -> Pattern {
    Pattern::glob(&format!("{service}:{operation}:*{tag}:*"))
}

impl Write {
    fn checked(text: WriteText) -> Result<Self, Error> {
        let rule = format!("{}:{}", text.service, text.operations.join("|"));
        glob(&text.service, &rule)?;
        if text.operations.is_empty() || text.drops.is_empty() {
            return Err(wrong(format!(
                "the rule {rule:?} has no operations, or drops nothing"
            )));
        }
        text.operations
            .iter()
            .try_for_each(|operation| glob(operation, &rule))?;
        if text
            .path
            .as_ref()
            .is_some_and(|path| !path.starts_with('/'))
        {
            return Err(wrong(format!(
                "the path of the rule {rule:?} does not begin with a slash"
            )));
        }
        let drops = text.drops.iter().map(|drop| Drop::checked(drop));
        Ok(Self {
            drops: drops.collect::<Result<_, Error>>()?,
            service: text.service,
            operations: text.operations,
            path: text.path,
        })
    }

    fn is_for(&self, service: &str, operation: &str) -> bool {
        matches(&self.service, service)
            && self.operations.iter().any(|glob| matches(glob, operation))
    }
}

impl Drop {
    /// From `service:Operation` or `service:Operation:{Parameter}`.
    fn checked(text: &str) -> Result<Self, Error> {
        let mut parts = text.splitn(3, ':');
        let (service, operation, names) = (parts.next(), parts.next(), parts.next());
        let names = names.map(|names| {
            let name = names
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let name = name.ok_or_else(|| {
                wrong(format!(
                    "the pattern {text:?} has to end in {{Parameter}}, or after the operation"
                ))
            })?;
            parameter(name, text).map(|()| name.to_owned())
        });
        Ok(Self {
            operations: operations(
                &[service, operation]
                    .map(Option::unwrap_or_default)
                    .join(":"),
                text,
            )?,
            names: names.transpose()?,
        })
    }
}

/// From `service:Operation`.
fn operations(text: &str, rule: &str) -> Result<Operations, Error> {
    let (service, operation) = text.split_once(':').unwrap_or((text, ""));
    glob(service, rule)?;
    glob(operation, rule)?;
    Ok(Operations {
        service: service.into(),
        operation: operation.into(),
    })
}

fn glob(text: &str, rule: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '*');
    if text.is_empty() || !text.chars().all(allowed) {
        return Err(wrong(format!(
            "{text:?} in the rule {rule:?}: a service or an operation is letters, digits, - and *, as in service:Operation"
        )));
    }
    Ok(())
}

fn parameter(text: &str, rule: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || !text.chars().all(allowed) {
        return Err(wrong(format!(
            "{text:?} in the rule {rule:?}: a parameter is letters, digits, - and _, with a dot between one and what is within it"
        )));
    }
    Ok(())
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidConfiguration, message)
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
