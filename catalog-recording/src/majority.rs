//! The most frequent value, for properties that regions report differently.

use std::collections::BTreeMap;

/// The most frequent value, the smallest of equally frequent ones; `None` values do not count.
pub(crate) fn majority<T: Ord>(values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for value in values.flatten() {
        *counts.entry(value).or_default() += 1;
    }
    // `max_by_key` returns the last maximum, hence the reverse order.
    counts
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map(|(value, _)| value)
}
