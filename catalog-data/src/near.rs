//! The closest ids to one that is not known.

use alloc::string::String;
use alloc::vec::Vec;

/// How many ids are named at most.
const MOST: usize = 3;
/// Longer questions are no typing mistakes.
const LONGEST: usize = 256;

/// Up to three ids that are close to `wanted`, the closest first, ties by id. An id that contains
/// the question, or is contained in it, comes before all others: people leave the provider or the
/// version out, and glue a geography or an ARN in front. Who left the provider out may also have
/// misspelt the rest, so the part after an id's first `.` counts as well.
///
/// The iterator is `dyn` and no list is sorted: every program carries this, and asks it seldom.
pub(crate) fn closest(wanted: &str, ids: &mut dyn Iterator<Item = &str>) -> Vec<String> {
    let wanted = wanted.rsplit('/').next().unwrap_or(wanted).trim();
    if wanted.is_empty() || wanted.len() > LONGEST {
        return Vec::new();
    }
    let wanted = wanted.to_ascii_lowercase();
    // Three letters in ten may differ.
    let limit = (wanted.chars().count() * 3).div_ceil(10);
    let mut row = Vec::new();
    let mut found: Vec<(bool, usize, &str)> = Vec::new();
    for id in ids.filter(|id| id.len() <= LONGEST) {
        let lower = id.to_ascii_lowercase();
        let contains = lower.contains(&wanted) || wanted.contains(&*lower);
        let contains = contains && wanted.len() > 2;
        let own = lower.split_once('.').map(|(_, own)| own);
        let parts = own.into_iter().chain([&*lower]);
        let distances = parts.map(|part| distance(&wanted, part, &mut row));
        let distance = distances.min().unwrap_or(usize::MAX);
        if contains || distance <= limit {
            let new = (!contains, distance, id);
            let place = found.partition_point(|other| *other < new);
            found.insert(place, new);
            found.truncate(MOST);
        }
    }
    found.into_iter().map(|(.., id)| id.into()).collect()
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
    fn mistakes_find_their_ids() {
        let ids = [
            "amazon.nova-pro-v1:0",
            "anthropic.claude-sonnet-4-6",
            "meta.llama3-1-8b",
        ];
        let near = |wanted| closest(wanted, &mut ids.into_iter());
        assert_eq!(
            near("anthropic.claude-sonet-4-6"),
            ["anthropic.claude-sonnet-4-6"]
        );
        assert_eq!(
            near("eu.anthropic.claude-sonnet-4-6"),
            ["anthropic.claude-sonnet-4-6"]
        );
        assert_eq!(near("Claude-Sonnet"), ["anthropic.claude-sonnet-4-6"]);
        assert_eq!(
            near("arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0"),
            ["amazon.nova-pro-v1:0"]
        );
        // Without the provider, and misspelt besides.
        for wanted in ["claude-sonnet-4.6", "claude-sonet-4-6-v1:0"] {
            assert_eq!(near(wanted), ["anthropic.claude-sonnet-4-6"], "{wanted}");
        }
        assert!(near("gpt").is_empty());
        assert!(near("").is_empty());
    }

    #[test]
    fn what_contains_the_question_comes_first_by_how_little_it_adds() {
        let ids = ["a.nova-pro-v1:0:300k", "a.nova-pro-v1:0", "a.nova-prow"];
        assert_eq!(
            closest("nova-pro-v1", &mut ids.into_iter()),
            ["a.nova-pro-v1:0", "a.nova-pro-v1:0:300k", "a.nova-prow"]
        );
    }
}
