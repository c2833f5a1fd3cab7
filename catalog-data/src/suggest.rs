//! The closest known ids to an unknown one, and whether they name the same version.

use alloc::vec::Vec;

/// The most suggestions.
const MAX_SUGGESTIONS: usize = 3;
/// Longer texts are not typing mistakes.
const MAX_LEN: usize = 256;

/// Up to three ids close to `wanted`, the closest first, ties by id.
///
/// An id that contains the text, or is contained in it, comes first: callers leave out the provider or
/// the version, or put a geography or an ARN in front. The part after an id's first `.` is compared
/// too, for misspelt names without a provider.
///
/// The iterator is `dyn` and nothing is sorted at the end, because every program carries this code.
pub(crate) fn closest<'a>(wanted: &str, ids: &mut dyn Iterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = resource(wanted);
    if wanted.is_empty() || wanted.len() > MAX_LEN {
        return Vec::new();
    }
    let wanted = wanted.to_ascii_lowercase();
    // Three characters in ten may differ.
    let limit = (wanted.chars().count() * 3).div_ceil(10);
    let mut row = Vec::new();
    let mut found: Vec<(bool, usize, &str)> = Vec::new();
    for id in ids.filter(|id| id.len() <= MAX_LEN) {
        let lower = id.to_ascii_lowercase();
        let contains = lower.contains(&wanted) || wanted.contains(&*lower);
        let contains = contains && wanted.len() > 2;
        let own = lower.split_once('.').map(|(_, own)| own);
        let parts = own.into_iter().chain([&*lower]);
        let distances = parts.map(|part| distance(&wanted, part, &mut row));
        let distance = distances.min().unwrap_or(usize::MAX);
        if contains || distance <= limit {
            let new = (!contains, distance, id);
            let position = found.partition_point(|other| *other < new);
            found.insert(position, new);
            found.truncate(MAX_SUGGESTIONS);
        }
    }
    found.into_iter().map(|(.., id)| id).collect()
}

/// The part of an ARN after the last slash, or the whole text.
fn resource(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text).trim()
}

/// Levenshtein distance in characters.
fn distance(a: &str, b: &str, row: &mut Vec<usize>) -> usize {
    row.clear();
    row.extend(0..=b.chars().count());
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, other) in row.iter_mut().skip(1).zip(b.chars()) {
            let substituted = diagonal + usize::from(letter != other);
            diagonal = *cell;
            left = substituted.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Whether the numbers in `wanted` allow that it means `id`. `claude-sonnet-4-7` does not mean
/// `anthropic.claude-sonnet-4-6`; `claude-sonnet` may mean either.
pub(crate) fn is_same_version(wanted: &str, id: &str) -> bool {
    let (wanted, id) = (Version::of(resource(wanted)), Version::of(id));
    let compatible = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    (wanted.numbers.is_empty() || wanted.numbers == id.numbers)
        && compatible(wanted.date, id.date)
        && compatible(wanted.release, id.release)
        && compatible(wanted.suffix, id.suffix)
}

/// The numbers of an id: `anthropic.claude-3-5-sonnet-20241022-v2:0` is 3 and 5, a date, release 2 and
/// suffix 0.
struct Version<'a> {
    numbers: Vec<&'a str>,
    date: &'a str,
    release: &'a str,
    suffix: &'a str,
}

impl<'a> Version<'a> {
    fn of(id: &'a str) -> Self {
        let (name, suffix) = id.split_once(':').unwrap_or((id, ""));
        // Only the last part is a release: `deepseek.v3-v1:0` is version 3.
        let (name, release) = match name.rsplit_once("-v") {
            Some((name, release)) if is_number(release) => (name, release),
            _ => (name, ""),
        };
        let numbers = name.split(|letter: char| !letter.is_ascii_digit());
        let mut version = Self {
            numbers: Vec::new(),
            date: "",
            release,
            suffix,
        };
        for number in numbers.filter(|number| !number.is_empty()) {
            match number.len() {
                8 => version.date = number,
                _ => version.numbers.push(number),
            }
        }
        version
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let mut row = Vec::new();
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("é", "e", 1),
        ] {
            assert_eq!(distance(a, b, &mut row), expected, "{a} {b}");
        }
    }

    #[test]
    fn typing_mistakes_find_their_ids() {
        let ids = [
            "amazon.nova-pro-v1:0",
            "anthropic.claude-sonnet-4-6",
            "meta.llama3-1-8b",
        ];
        let closest = |wanted| closest(wanted, &mut ids.into_iter());
        assert_eq!(
            closest("anthropic.claude-sonet-4-6"),
            ["anthropic.claude-sonnet-4-6"]
        );
        assert_eq!(
            closest("eu.anthropic.claude-sonnet-4-6"),
            ["anthropic.claude-sonnet-4-6"]
        );
        assert_eq!(closest("Claude-Sonnet"), ["anthropic.claude-sonnet-4-6"]);
        assert_eq!(
            closest("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0"),
            ["amazon.nova-pro-v1:0"]
        );
        // Without the provider, and misspelt.
        for wanted in ["claude-sonnet-4.6", "claude-sonet-4-6-v1:0"] {
            assert_eq!(closest(wanted), ["anthropic.claude-sonnet-4-6"], "{wanted}");
        }
        assert!(closest("gpt").is_empty());
        assert!(closest("").is_empty());
    }

    #[test]
    fn ids_that_contain_the_text_come_first_the_shortest_first() {
        let ids = ["a.nova-pro-v1:0:300k", "a.nova-pro-v1:0", "a.nova-prow"];
        assert_eq!(
            closest("nova-pro-v1", &mut ids.into_iter()),
            ["a.nova-pro-v1:0", "a.nova-pro-v1:0:300k", "a.nova-prow"]
        );
    }

    #[test]
    fn another_version_is_told_apart_from_a_misspelling() {
        for (wanted, id) in [
            ("claude-sonet-4-6", "anthropic.claude-sonnet-4-6"),
            ("claude-sonnet-4.6", "anthropic.claude-sonnet-4-6"),
            ("claude-sonnet-4-6-v1:0", "anthropic.claude-sonnet-4-6"),
            ("claude-sonnet", "anthropic.claude-sonnet-4-6"),
            ("nova-pro-v1", "amazon.nova-pro-v1:0"),
            ("nova-pro", "amazon.nova-pro-v1:0:300k"),
            (
                "claude-3-5-sonnet",
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
            ),
            ("arn:aws:bedrock:us-east-1::foundation-model/x-2", "x-2"),
        ] {
            assert!(is_same_version(wanted, id), "{wanted} {id}");
        }
        for (wanted, id) in [
            ("claude-sonnet-4-7", "anthropic.claude-sonnet-4-6"),
            ("claude-opus-4", "anthropic.claude-opus-4-7"),
            (
                "claude-3-sonnet",
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
            ),
            (
                "anthropic.claude-3-5-sonnet-20240620-v1:0",
                "anthropic.claude-3-5-sonnet-20241022-v2:0",
            ),
            ("amazon.titan-text-v1", "amazon.titan-text-v2:0"),
            ("amazon.nova-pro-v1:0:24k", "amazon.nova-pro-v1:0:300k"),
            ("openai.gpt-oss-20b-1:0", "openai.gpt-oss-120b-1:0"),
            ("deepseek.v3.1", "deepseek.v3-v1:0"),
        ] {
            assert!(!is_same_version(wanted, id), "{wanted} {id}");
        }
    }
}
