//! The parameters of a request, whatever its protocol: a digest of all that it asks for, and the named
//! values for rules and resource ids.

use std::borrow::Cow;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use sha2::{Digest, Sha256};

use crate::document::{Format, walk};
use crate::resource_ids::{decode, hashed_id, ids, ids_in_path, is_about_the_call, is_page_token};

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Parameters<'a> {
    path: &'a str,
    /// The texts of the query and of the body. A parameter within another has a name with a dot.
    named: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Parameters<'a> {
    pub(crate) fn of(request: &'a HttpRequest) -> Self {
        let (_, target) = split_uri(request.uri());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut named = form(query);
        let body = request.body().bytes().unwrap_or_default();
        let content_type = request.headers().get("content-type").unwrap_or_default();
        if content_type.contains("x-www-form-urlencoded") {
            named.extend(form(std::str::from_utf8(body).unwrap_or_default()));
        } else if let Some(format) = Format::of(content_type) {
            // A body that is not whole names what could be read of it; the service refuses it.
            let _ = walk(
                format,
                body,
                |_, name| name,
                |path: &[Cow<'_, str>], text| {
                    let name = match path {
                        [name] => name.clone(),
                        path => path.join(".").into(),
                    };
                    if let Some(text) = text {
                        named.push((name, text.to_owned().into()));
                    }
                },
            );
        }
        Self { path, named }
    }

    /// Parameters that a caller names.
    pub(crate) fn given(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let named = parameters.into_iter();
        Self {
            path: "",
            named: named
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }

    /// The values of a parameter of the query or the body.
    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        let named = self.named.iter().filter(move |(is, _)| is == name);
        named.map(|(_, value)| Cow::Borrowed(&**value))
    }

    /// The hashed ids of the resources that a parameter names: in the query or the body, or at its place in the
    /// template of the path, such as `/guardrails/{id}`.
    pub(crate) fn ids_of(
        &self,
        name: &str,
        template: Option<&str>,
        scopes: &[String],
    ) -> Vec<String> {
        let place = format!("{{{name}}}");
        let segments = template
            .unwrap_or_default()
            .split('/')
            .zip(self.path.split('/'));
        let in_path = segments.filter(|(segment, _)| *segment == place);
        let in_path = in_path.map(|(_, value)| decode(value));
        self.ids_except(scopes, in_path.chain(self.named(name)))
    }

    /// Whether the request asks for a later page of a list.
    pub(crate) fn is_later_page(&self) -> bool {
        self.named.iter().any(|(name, _)| is_page_token(name))
    }

    /// The hashed ids of the resources that the request names.
    pub(crate) fn resource_ids(&self, operation: &str, scopes: &[String]) -> Vec<String> {
        let in_path = ids_in_path(self.path, operation).into_iter();
        let is_id = |name: &str| !is_about_the_call(name) && !scopes.iter().any(|it| it == name);
        let named = self.named.iter().filter(|(name, _)| is_id(name));
        let values = in_path.chain(named.map(|(_, value)| Cow::Borrowed(&**value)));
        self.ids_except(scopes, values)
    }

    /// The hashed ids of values, each once, in their order. Scopes of the service identify no resource: an id
    /// of theirs is left out.
    fn ids_except<'v>(
        &self,
        scopes: &[String],
        values: impl Iterator<Item = Cow<'v, str>>,
    ) -> Vec<String> {
        let scoped: Vec<_> = scopes.iter().flat_map(|scope| self.named(scope)).collect();
        let is_scoped = |id: &str| scoped.iter().any(|value| ids(value).any(|of| of == id));
        let mut hashed: Vec<String> = Vec::new();
        for value in values {
            for id in ids(&value).filter(|id| !is_scoped(id)) {
                let id = hashed_id(id);
                if !hashed.contains(&id) {
                    hashed.push(id);
                }
            }
        }
        hashed
    }
}

/// A digest of the caller and of all that a request asks for: endpoint, method, path, query, headers and
/// body, as HTTP/1 writes them, so that different requests are different bytes. The SDK writes a request in
/// one order, so equal requests are equal bytes.
///
/// `None` if the body is a stream.
pub(crate) fn digest(caller: &[u8; 32], request: &HttpRequest) -> Option<String> {
    let body = request.body().bytes()?;
    let mut headers: Vec<_> = request.headers().iter_bytes().collect();
    headers.retain(|(name, _)| !is_unkeyed_header(name));
    headers.sort_unstable();
    let mut hash = Sha256::new();
    hash.update(caller);
    hash.update(format!("{} {}\n", request.method(), request.uri()));
    for (name, value) in headers {
        for part in [name.as_bytes(), b":", value, b"\n"] {
            hash.update(part);
        }
    }
    hash.update(b"\n");
    hash.update(body);
    let half = hash.finalize().first_chunk().copied().unwrap_or_default();
    Some(format!("{:032x}", u128::from_be_bytes(half)))
}

/// Whether a header says how a request is sent and signed, and not what it asks for.
fn is_unkeyed_header(header: &str) -> bool {
    matches!(
        header,
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
            | "x-amzn-trace-id"
    ) || header.starts_with("amz-sdk-")
        || header.starts_with("x-amz-checksum-")
}

/// Scheme and authority of a URI, and the rest of it.
fn split_uri(uri: &str) -> (&str, &str) {
    let authority = uri.find("://").map_or(0, |at| at + 3);
    let target = uri.get(authority..).and_then(|rest| rest.find(['/', '?']));
    uri.split_at(target.map_or(uri.len(), |at| authority + at))
}

/// The parameters of a query or a form.
fn form(text: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let parameter = |pair| {
        let (name, value) = str::split_once(pair, '=').unwrap_or((pair, ""));
        let value = match value.contains('+') {
            true => Cow::Owned(decode(&value.replace('+', " ")).into_owned()),
            false => decode(value),
        };
        (Cow::Borrowed(name), value)
    };
    pairs.map(parameter).collect()
}
