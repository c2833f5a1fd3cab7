//! The identifiers among what a request names, as tags of keys. This file may not know any service.

use std::borrow::Cow;

use super::parameters::decode;
use bedrock_catalog_cache::hex;

/// Whether the parameter says how the call goes (pages, order, the protocol) and not what it is about.
pub(super) fn is_about_the_call(name: &str) -> bool {
    let mut signs = name.bytes();
    let last = signs.rposition(|sign| matches!(sign, b'.' | b']'));
    let last = last.and_then(|at| name.get(at + 1..)).unwrap_or(name);
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

/// So many parts of a value that is no ARN are names of their own.
const PARTS: usize = 4;

/// What a value names: itself, or of an ARN the parts of its resource without its type, so that a thing is
/// the same by its ARN and by its id. An id may be a path, `/app/x`, or qualified, `name:$LATEST`: then
/// the last of the path and what stands between the colons are names too. The rest of a path is not: what
/// is in one folder is not the same thing.
pub(super) fn pieces(value: &str) -> impl Iterator<Item = &str> {
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
    // What has spaces or quotes is a text or a document. Of a URL only the end names something.
    let is_id = |of: &&str| !of.contains(|c: char| c.is_whitespace() || c == '"');
    let id = whole.filter(is_id).map(|of| match of.contains("://") {
        true => of.rsplit('/').next().unwrap_or_default(),
        false => of,
    });
    let ends = id.into_iter().flat_map(|id| id.split(':'));
    let ends = ends.filter_map(|part| part.rsplit('/').find(|end| !end.is_empty()));
    whole
        .into_iter()
        .filter(|whole| !whole.is_empty())
        .chain(ends.filter(move |end| Some(*end) != whole).take(PARTS))
        .chain(parts)
}

pub(super) fn tag(text: &str) -> String {
    let digest = blake3::hash(text.as_bytes());
    hex::lower(digest.as_slice().get(..8).unwrap_or_default())
}

/// The segments of a REST path that name something, and are not words of the API: a segment is such a
/// word if the operation's name has it, `/guardrails/abc` of `GetGuardrail`, once for each time it has
/// it. To take a word for a name is harmless, it drops too much; the other way round is rare: a thing
/// that has the very name of its kind, in a path that does not say the kind.
pub(super) fn identifiers<'a>(path: &'a str, operation: &str) -> Vec<Cow<'a, str>> {
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
