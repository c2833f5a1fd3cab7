//! What a request asks for, whatever the protocol: its parameters in one canonical form, written down,
//! and the identifiers among them. This file may not know any service.
//!
//! The canonical form is the same for the same question, in whatever order a serializer wrote it, and
//! different for different questions; what cannot be taken apart safely is taken as it is.

use std::borrow::Cow;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use percent_encoding::percent_decode_str;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::digest::{feed, feed_number};
use crate::cache::hex;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Parameters<'a> {
    /// Scheme and authority.
    endpoint: &'a str,
    method: &'a str,
    path: &'a str,
    /// Sorted by name; of one name, in their order.
    query: Vec<(&'a str, &'a str)>,
    headers: Vec<(&'a str, &'a [u8])>,
    body: Body<'a>,
    is_stream: bool,
}

#[derive(Debug, Default)]
enum Body<'a> {
    #[default]
    Empty,
    /// The leaves, sorted by name.
    Json(Vec<Leaf<'a>>),
    /// Sorted by name; of one name, in their order.
    Form(Vec<(&'a str, &'a str)>),
    Opaque(&'a [u8]),
}

/// A value that holds no other: where it is, and what it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Leaf<'a> {
    name: Cow<'a, str>,
    /// Whether it is a text, and not a number, a truth value, null or an empty container as written.
    is_text: bool,
    value: Cow<'a, str>,
}

impl<'a> Parameters<'a> {
    /// The parameters of a request.
    pub(super) fn of(request: &'a HttpRequest) -> Self {
        let body = request.body().bytes();
        let kind = request.headers().get("content-type").unwrap_or_default();
        let endpoint = endpoint(request.uri());
        let target = request.uri().strip_prefix(endpoint).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut query: Vec<_> = pairs(query).collect();
        query.sort_by_key(|(name, _)| *name);
        let mut headers: Vec<_> = request
            .headers()
            .iter_bytes()
            .filter(|(name, _)| !is_travelling(name))
            .collect();
        headers.sort_by_key(|(name, _)| *name);
        Self {
            endpoint,
            method: request.method(),
            path,
            query,
            headers,
            body: Body::of(body.unwrap_or_default(), kind),
            is_stream: body.is_none(),
        }
    }

    /// Whether the body is a stream, and so no part of this.
    pub(super) fn is_stream(&self) -> bool {
        self.is_stream
    }

    /// Parameters told by hand.
    pub(super) fn given(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let leaf = |(name, value): (&'a str, &'a str)| Leaf {
            name: Cow::Borrowed(name),
            is_text: true,
            value: Cow::Borrowed(value),
        };
        Self {
            body: Body::Json(parameters.into_iter().map(leaf).collect()),
            ..Self::default()
        }
    }

    /// Writes down all but the body, so that no two different requests are written alike.
    pub(super) fn write_head(&self, into: &mut Vec<u8>) {
        feed(into, self.endpoint.as_bytes());
        feed(into, self.method.as_bytes());
        feed(into, self.path.as_bytes());
        feed_number(into, self.query.len());
        for (name, value) in &self.query {
            feed(into, name.as_bytes());
            feed(into, value.as_bytes());
        }
        feed_number(into, self.headers.len());
        for (name, value) in &self.headers {
            feed(into, name.as_bytes());
            feed(into, value);
        }
    }

    /// Writes down the body likewise, its kind first.
    pub(super) fn write_body(&self, into: &mut Vec<u8>) {
        match &self.body {
            Body::Empty => into.push(b'-'),
            Body::Json(leaves) => {
                into.push(b'j');
                for leaf in leaves {
                    feed(into, leaf.name.as_bytes());
                    into.push(if leaf.is_text { b't' } else { b'-' });
                    feed(into, leaf.value.as_bytes());
                }
            }
            Body::Form(pairs) => {
                into.push(b'f');
                for (name, value) in pairs {
                    feed(into, name.as_bytes());
                    feed(into, value.as_bytes());
                }
            }
            Body::Opaque(bytes) => {
                into.push(b'o');
                into.extend_from_slice(bytes);
            }
        }
    }

    /// The values of a parameter of the query or the body; of a list, all of them.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.all()
            .filter(move |(is, _, _)| without_indices(is) == name)
            .map(|(_, value, _)| value)
    }

    /// Whether a parameter is true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.named(name)
            .any(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The values a path has at the parameter's place in a template such as `/guardrails/{id}`.
    pub(super) fn in_path(&self, template: &str, name: &str) -> Vec<Cow<'_, str>> {
        let place = format!("{{{name}}}");
        let parts = template.split('/').zip(self.path.split('/'));
        parts
            .filter(|(part, _)| *part == place)
            .map(|(_, value)| decode(value, false))
            .collect()
    }

    /// The tags of the parameters that tell nothing apart.
    pub(super) fn tags_of_scopes(&self, scopes: &[String]) -> Vec<String> {
        let values = scopes.iter().flat_map(|scope| self.named(scope));
        values.flat_map(|value| tags_of(&value)).collect()
    }

    /// The tags of all that the request names, in the order of its parts.
    pub(super) fn tags(&self, operation: &str, scopes: &[String]) -> Vec<String> {
        let is_scoped = |piece: &str| {
            let mut scoped = scopes.iter().flat_map(|scope| self.named(scope));
            scoped.any(|value| pieces(&value).any(|of| of == piece))
        };
        let mut tags: Vec<String> = Vec::new();
        let mut add = |value: &str| {
            for piece in pieces(value).filter(|piece| !is_scoped(piece)) {
                let tag = tag(piece);
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        };
        for segment in identifiers(self.path, operation) {
            add(&segment);
        }
        for (name, value, is_text) in self.all() {
            if is_text && !is_about_the_call(name) {
                add(&value);
            }
        }
        tags
    }

    /// Name, value, and whether it is a text.
    fn all(&self) -> impl Iterator<Item = (&str, Cow<'_, str>, bool)> {
        let (leaves, form): (&[Leaf<'_>], &[(&str, &str)]) = match &self.body {
            Body::Json(leaves) => (leaves, &[]),
            Body::Form(form) => (&[], form),
            Body::Empty | Body::Opaque(_) => (&[], &[]),
        };
        let pairs = self.query.iter().chain(form);
        let pairs = pairs.map(|(name, value)| (*name, decode(value, true), true));
        let leaves = leaves.iter();
        let leaves = leaves.map(|leaf| (&*leaf.name, Cow::Borrowed(&*leaf.value), leaf.is_text));
        pairs.chain(leaves)
    }
}

impl<'a> Body<'a> {
    fn of(bytes: &'a [u8], kind: &str) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        if kind.contains("json") {
            let mut leaves = Vec::with_capacity(8);
            let flat = std::str::from_utf8(bytes)
                .is_ok_and(|json| flatten(json.trim(), &mut String::new(), &mut leaves).is_some());
            leaves.sort_unstable();
            // Two values of one name: which of them counts is not ours to say.
            let twice = leaves
                .array_windows()
                .any(|[one, other]| one.name == other.name);
            if flat && !twice {
                return Self::Json(leaves);
            }
        } else if kind.contains("x-www-form-urlencoded")
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            let mut form: Vec<_> = pairs(text).collect();
            form.sort_by_key(|(name, _)| *name);
            return Self::Form(form);
        }
        Self::Opaque(bytes)
    }
}

/// Takes a JSON value apart; `None` where it is too deep or broken. Numbers stay as they are written: to
/// read one may round it, and then two questions would be one.
fn flatten<'a>(text: &'a str, name: &mut String, leaves: &mut Vec<Leaf<'a>>) -> Option<()> {
    let here = name.len();
    match text.as_bytes().first()? {
        b'{' => {
            let mut parser = serde_json::Deserializer::from_str(text);
            let before = leaves.len();
            parser.deserialize_map(Members { name, leaves }).ok()?;
            parser.end().ok()?;
            if leaves.len() == before {
                leaves.push(Leaf::of(name.clone().into(), "{}")?);
            }
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            if items.is_empty() {
                leaves.push(Leaf::of(name.clone().into(), "[]")?);
            }
            for (index, item) in items.into_iter().enumerate() {
                name.push_str(&format!("[{index}]"));
                flatten(item.get(), name, leaves)?;
                name.truncate(here);
            }
        }
        _ => leaves.push(Leaf::of(name.clone().into(), text)?),
    }
    Some(())
}

impl<'a> Leaf<'a> {
    /// From the value as it is written.
    fn of(name: Cow<'a, str>, written: &'a str) -> Option<Self> {
        let quoted = written.strip_prefix('"');
        let value = match quoted {
            None => Cow::Borrowed(written),
            Some(rest) => match rest.strip_suffix('"')? {
                plain if !plain.contains(['\\', '"']) => Cow::Borrowed(plain),
                _ => serde_json::from_str::<Text<'a>>(written).ok()?.0,
            },
        };
        Some(Self {
            name,
            is_text: quoted.is_some(),
            value,
        })
    }
}

/// A text, borrowed where it can be.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Takes the members of an object apart, also those that come twice.
struct Members<'m, 'de> {
    name: &'m mut String,
    leaves: &'m mut Vec<Leaf<'de>>,
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { name, leaves } = self;
        let here = name.len();
        while let Some((Text(member), value)) = map.next_entry::<_, &RawValue>()? {
            let value = value.get();
            // Most are at the top, of a plain name, and hold no other.
            let done = if let Cow::Borrowed(member) = member
                && here == 0
                && is_plain(member)
                && !value.starts_with(['{', '['])
            {
                Leaf::of(member.into(), value).map(|leaf| leaves.push(leaf))
            } else {
                name.extend((here > 0).then_some('.'));
                escape(&member, name);
                let done = flatten(value, name, leaves);
                name.truncate(here);
                done
            };
            done.ok_or_else(|| A::Error::custom("it cannot be taken apart"))?;
        }
        Ok(())
    }
}

/// Whether [`escape`] leaves the name as it is.
fn is_plain(member: &str) -> bool {
    !member.is_empty() && !member.bytes().any(|b| matches!(b, b'~' | b'.' | b'['))
}

/// A member's name within a longer one, so that no two places have one name.
fn escape(member: &str, into: &mut String) {
    for c in member.chars() {
        match c {
            '~' => into.push_str("~0"),
            '.' => into.push_str("~1"),
            '[' => into.push_str("~2"),
            c => into.push(c),
        }
    }
    // An empty name is one too.
    if member.is_empty() {
        into.push_str("~3");
    }
}

/// `GroupIds[3]` is one of `GroupIds`.
fn without_indices(name: &str) -> Cow<'_, str> {
    if !name.contains('[') {
        return Cow::Borrowed(name);
    }
    let mut rest = name;
    let mut plain = String::with_capacity(name.len());
    while let Some((before, after)) = rest.split_once('[') {
        plain.push_str(before);
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Whether the parameter says how the call goes (pages, order, the protocol) and not what it is about.
fn is_about_the_call(name: &str) -> bool {
    let last = name.rsplit(['.', ']']).next().unwrap_or(name);
    let ends = ["token", "marker", "cursor"];
    let is = [
        "action",
        "version",
        "limit",
        "pagesize",
        "sortby",
        "sortorder",
    ];
    let begins = |with: &str| {
        last.get(..with.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    let ends_in = |with: &&str| {
        let from = last.len().checked_sub(with.len());
        from.and_then(|from| last.get(from..))
            .is_some_and(|tail| tail.eq_ignore_ascii_case(with))
    };
    begins("max") || ends.iter().any(ends_in) || is.iter().any(|is| last.eq_ignore_ascii_case(is))
}

/// The tags of what a value names. A tag is a hash, because names and account ids do not belong in keys,
/// which are logged.
pub(super) fn tags_of(value: &str) -> Vec<String> {
    pieces(value).map(tag).collect()
}

/// What a value names: itself, or of an ARN the parts of its resource without its type, so that a thing is
/// the same by its ARN and by its id.
fn pieces(value: &str) -> impl Iterator<Item = &str> {
    let resource = value
        .strip_prefix("arn:")
        .and_then(|rest| rest.splitn(5, ':').nth(4));
    let whole = resource.is_none().then_some(value);
    let parts = || {
        let parts = resource.into_iter().flat_map(|of| of.split(['/', ':']));
        parts.filter(|part| !part.is_empty())
    };
    let has_type = parts().nth(1).is_some();
    let parts = parts().skip(usize::from(has_type));
    whole
        .into_iter()
        .filter(|whole| !whole.is_empty())
        .chain(parts)
}

fn tag(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    hex::lower(digest.get(..8).unwrap_or_default())
}

/// The segments of a REST path that name something, and are not words of the API: a segment is such a
/// word if the operation's name has it, `/guardrails/abc` of `GetGuardrail`, once for each time it has
/// it. To take a word for a name is harmless, it drops too much; the other way round is rare: a thing
/// that has the very name of its kind, in a path that does not say the kind.
fn identifiers<'a>(path: &'a str, operation: &str) -> Vec<Cow<'a, str>> {
    if path == "/" {
        return Vec::new();
    }
    let mut words = words(operation);
    let mut named = Vec::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        if is_version(segment) {
            continue;
        }
        let word: String = segment
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let word = singular(&word.to_ascii_lowercase()).to_owned();
        match find(&words, &word) {
            Some(range) => drop(words.drain(range)),
            None => named.push(decode(segment, false)),
        }
    }
    named
}

/// The words of `GetCustomModel` after the first, in lower case.
fn words(operation: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in operation.chars() {
        match words.last_mut() {
            Some(word) if !c.is_ascii_uppercase() => word.push(c),
            _ => words.push(c.to_ascii_lowercase().into()),
        }
    }
    words.into_iter().skip(1).collect()
}

/// Where words in a row make up this one.
fn find(words: &[String], word: &str) -> Option<std::ops::Range<usize>> {
    for from in 0..words.len() {
        let mut joined = String::new();
        for (to, next) in words.iter().enumerate().skip(from) {
            joined.push_str(next);
            if singular(&joined) == word {
                return Some(from..to + 1);
            }
        }
    }
    None
}

fn singular(word: &str) -> &str {
    let end = ["ies", "y", "s"]
        .iter()
        .find_map(|end| word.strip_suffix(end));
    end.unwrap_or(word)
}

/// `2015-03-31`, `v2`.
fn is_version(segment: &str) -> bool {
    let is_date = segment.len() == 10 && segment.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let digits = segment.strip_prefix('v');
    is_date || digits.is_some_and(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether a header says how a request travels or who signed it, and not what it asks for.
fn is_travelling(header: &str) -> bool {
    match header {
        "accept-encoding"
        | "authorization"
        | "baggage"
        | "connection"
        | "content-length"
        | "content-md5"
        | "expect"
        | "host"
        | "traceparent"
        | "tracestate"
        | "transfer-encoding"
        | "user-agent"
        | "x-amz-content-sha256"
        | "x-amz-date"
        | "x-amz-region-set"
        | "x-amz-security-token"
        | "x-amz-trailer"
        | "x-amz-user-agent"
        | "x-amzn-trace-id" => true,
        _ => header.starts_with("amz-sdk-") || header.starts_with("x-amz-checksum-"),
    }
}

/// Scheme and authority of a URI.
fn endpoint(uri: &str) -> &str {
    let scheme = uri
        .split_once(':')
        .filter(|(_, rest)| rest.starts_with("//"));
    let authority = scheme.map_or(0, |(scheme, _)| scheme.len() + 3);
    let path = uri.get(authority..).and_then(|rest| rest.find(['/', '?']));
    path.and_then(|path| uri.get(..authority + path))
        .unwrap_or(uri)
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Percent-decoded; what is not UTF-8 then, as it is.
fn decode(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if plus_is_space && text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(decode(&spaced, false).into_owned());
    }
    percent_decode_str(text)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(text))
}
