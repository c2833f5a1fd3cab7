//! What most say.

use std::collections::BTreeMap;

/// The value told most often; of equals the smallest.
pub(crate) fn majority<T: Ord>(told: impl Iterator<Item = Option<T>>) -> Option<T> {
    let mut votes: BTreeMap<T, usize> = BTreeMap::new();
    for value in told.flatten() {
        *votes.entry(value).or_default() += 1;
    }
    // `max_by_key` keeps the last of equals, so ask from the largest.
    votes
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map(|(value, _)| value)
}
