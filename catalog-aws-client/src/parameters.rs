//! What a request asks for, whatever the protocol: its parameters in one canonical form, written down,
//! and the identifiers among them. This file may not know any service.
//!
//! The canonical form is the same for the same question, in whatever order a serializer wrote it, and
//! different for different questions; what cannot be taken apart safely is taken as it is.

mod body;

use std::borrow::Cow;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use percent_encoding::percent_decode_str;

use body::{Body, Leaf};

use super::digest::{feed, feed_number};
use super::tags::{identifiers, is_about_the_call, pieces, tag, tags_of};

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

impl<'a> Parameters<'a> {
    /// The parameters of a request.
    pub(super) fn of(request: &'a HttpRequest) -> Self {
        let body = request.body().bytes();
        let endpoint = endpoint(request.uri());
        let target = request.uri().strip_prefix(endpoint).unwrap_or_default();
        let (path, query) = cut(target, b'?').unwrap_or((target, ""));
        let mut query: Vec<_> = pairs(query).collect();
        query.sort_by_key(|(name, _)| *name);
        // In a loop: `filter` and `collect` take twice as long over the dozen that there are on every call.
        let mut headers = Vec::with_capacity(4);
        for header in request.headers().iter_bytes() {
            if !is_travelling(header.0) {
                headers.push(header);
            }
        }
        headers.sort_by_key(|(name, _)| *name);
        let kind = headers.iter().find(|(name, _)| *name == "content-type");
        let kind = kind.map_or(&b""[..], |(_, kind)| kind);
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
            .filter(move |(is, _, _)| is_named(is, name))
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
        let is_scope = |name| scopes.iter().any(|scope| is_named(name, scope));
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
            if is_text && !is_scope(name) && !is_about_the_call(name) {
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

/// Whether a parameter is the one of this name, or one of a list of it.
fn is_named(parameter: &str, name: &str) -> bool {
    parameter == name || (parameter.len() > name.len() && without_indices(parameter) == name)
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
    let scheme = cut(uri, b':').filter(|(_, rest)| rest.starts_with("//"));
    let authority = scheme.map_or(0, |(scheme, _)| scheme.len() + 3);
    let path = uri.as_bytes().get(authority..);
    let path = path.and_then(|rest| memchr::memchr2(b'/', b'?', rest));
    path.and_then(|path| uri.get(..authority + path))
        .unwrap_or(uri)
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| cut(pair, b'=').unwrap_or((pair, "")))
}

/// Before and after the first of these signs, at a third of what `split_once` takes.
fn cut(text: &str, sign: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(sign, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Percent-decoded; what is not UTF-8 then, as it is.
pub(super) fn decode(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if plus_is_space && text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(decode(&spaced, false).into_owned());
    }
    percent_decode_str(text)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(text))
}
