//! The resources that a request names, as hashed ids in keys. A write invalidates by id.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

/// The most parts of an id that are names of their own.
const PARTS: usize = 4;

/// Whether a parameter is about the call, such as its page, order or protocol.
pub(crate) fn is_about_the_call(name: &str) -> bool {
    const WORDS: [&str; 6] = [
        "action",
        "version",
        "limit",
        "pagesize",
        "sortby",
        "sortorder",
    ];
    let name = name.rsplit(['.', ']']).next().unwrap_or(name);
    let starts_with_max = name
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("max"));
    starts_with_max
        || is_page_token(name)
        || WORDS.iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether a parameter asks for a later page of a list.
pub(crate) fn is_page_token(name: &str) -> bool {
    ["token", "marker", "cursor"].iter().any(|end| {
        let at = name.len().checked_sub(end.len());
        let tail = at.and_then(|at| name.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    })
}

/// The hash of an id: keys are logged, and names and account ids do not belong there.
pub(crate) fn hashed_id(id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    let bytes = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(bytes))
}

/// The ids in a value, so that a resource has a common id in all its forms:
/// - of an ARN, the parts of its resource without the type;
/// - the value itself, if it is no ARN;
/// - of a path `/app/x` or a URL, also its last segment; of `name:$LATEST`, also the parts between colons.
///
/// The other segments of a path are no ids: resources in one folder are different resources.
pub(crate) fn ids(value: &str) -> impl Iterator<Item = &str> {
    let resource = value
        .strip_prefix("arn:")
        .and_then(|rest| rest.splitn(5, ':').nth(4));
    let parts = move || {
        let parts = resource.into_iter().flat_map(|it| it.split(['/', ':']));
        parts.filter(|part| !part.is_empty())
    };
    let has_type = parts().nth(1).is_some();
    let of_arn = parts().skip(usize::from(has_type));

    let whole = (resource.is_none() && !value.is_empty()).then_some(value);
    // A value with spaces or quotes is a text or a document.
    let is_id = |id: &&str| !id.contains(|c: char| c.is_whitespace() || c == '"');
    let id = whole.filter(is_id).map(|id| match id.contains("://") {
        true => id.rsplit('/').next().unwrap_or_default(),
        false => id,
    });
    let last_segments = id
        .into_iter()
        .flat_map(|id| id.split(':'))
        .filter_map(|part| part.rsplit('/').find(|segment| !segment.is_empty()))
        .filter(move |segment| Some(*segment) != whole)
        .take(PARTS);
    whole.into_iter().chain(last_segments).chain(of_arn)
}

/// The segments of a REST path that are ids. A segment is a word of the API if the name of the operation
/// has it: `guardrails` in `/guardrails/abc` of `GetGuardrail`. Each occurrence in the name accounts for
/// one segment. A word that is taken for an id only invalidates too much.
pub(crate) fn ids_in_path<'a>(path: &'a str, operation: &str) -> Vec<Cow<'a, str>> {
    let mut words: Vec<String> = Vec::new();
    for c in operation.chars() {
        match words.last_mut() {
            Some(word) if !c.is_ascii_uppercase() => word.push(c),
            _ => words.push(c.to_ascii_lowercase().into()),
        }
    }
    let mut words = words.split_off(1.min(words.len()));
    let mut ids = Vec::new();
    for segment in path.split('/') {
        if segment.is_empty() || is_version(segment) {
            continue;
        }
        let letters = segment.chars().filter(char::is_ascii_alphanumeric);
        let word: String = letters.map(|c| c.to_ascii_lowercase()).collect();
        match find(&words, singular(&word)) {
            Some(range) => drop(words.drain(range)),
            None => ids.push(decode(segment)),
        }
    }
    ids
}

/// The range of consecutive words that make up this one.
fn find(words: &[String], word: &str) -> Option<std::ops::Range<usize>> {
    (0..words.len()).find_map(|from| {
        let mut joined = String::new();
        let mut words = words.iter().enumerate().skip(from);
        let (to, _) = words.find(|(_, next)| {
            joined.push_str(next);
            singular(&joined) == word
        })?;
        Some(from..to + 1)
    })
}

/// The word without the end of its singular or plural.
fn singular(word: &str) -> &str {
    let mut stems = ["ies", "y", "s"]
        .iter()
        .filter_map(|end| word.strip_suffix(end));
    stems.next().unwrap_or(word)
}

/// Whether a segment is the version of an API: `2015-03-31`, `v2`.
fn is_version(segment: &str) -> bool {
    let is_date = segment.len() == 10 && segment.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let number = segment
        .strip_prefix('v')
        .filter(|digits| !digits.is_empty());
    is_date || number.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Percent-decoded, or as it is where that is not UTF-8.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text)
        .decode_utf8()
        .unwrap_or(Cow::Borrowed(text))
}
