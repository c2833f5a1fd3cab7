//! Data that rows share: one string with all texts, and distinct lists of enum values. Sizes are
//! checked here.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{MAX_ROWS, too_many};
use crate::error::QueryError;
use crate::rows::Run;
use crate::text::{StaticList, Text};

/// All texts, concatenated.
pub(super) struct Texts(String);

impl Texts {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn push(&mut self, text: &str) -> Result<Run, QueryError> {
        let len = u16::try_from(text.len()).map_err(|_| {
            let (has, most) = (text.len(), u16::MAX);
            QueryError::invalid(format!(
                "a text has {has} bytes: at most {most} are allowed"
            ))
        })?;
        let start = u32::try_from(self.0.len());
        let start = start.map_err(|_| too_many("bytes of text", u32::MAX as usize))?;
        self.0.push_str(text);
        Ok(Run::new(start, len))
    }

    pub(super) fn push_optional(
        &mut self,
        text: Option<&Text<'_>>,
    ) -> Result<Option<Run>, QueryError> {
        text.map(|text| self.push(text)).transpose()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Distinct sorted lists, numbered in order of appearance. A tree finds them, because a document may
/// have many lists that differ at the end only.
pub(super) struct Lists<T>(BTreeMap<Vec<T>, u16>);

impl<T: Clone + Ord> Lists<T> {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// The number of a list in any order, added if it is new.
    pub(super) fn number(&mut self, list: &[T]) -> Result<u16, QueryError> {
        // Usually the list is sorted already.
        if let Some(&number) = self.0.get(list) {
            return Ok(number);
        }
        let mut list = list.to_vec();
        list.sort_unstable();
        list.dedup();
        let next = self.0.len();
        if next == MAX_ROWS && !self.0.contains_key(&list) {
            return Err(too_many("lists of values", MAX_ROWS));
        }
        Ok(*self.0.entry(list).or_insert(next as u16))
    }

    /// The lists in the order of their numbers.
    pub(super) fn into_rows(self) -> Vec<StaticList<T>> {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_unstable_by_key(|&(_, number)| number);
        let rows = rows.into_iter();
        rows.map(|(list, _)| StaticList::Owned(list)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_concatenated() {
        let mut texts = Texts::with_capacity(0);
        let runs = ["eu", "", "é"].map(|text| texts.push(text).unwrap());
        let whole = texts.into_text();
        assert_eq!(whole, "eué");
        assert_eq!(runs.map(|run| run.text(&whole)), ["eu", "", "é"]);
        assert_eq!(Run::new(3, 1).text(&whole), "", "inside a character");
    }

    #[test]
    fn a_text_longer_than_a_run_is_refused() {
        let mut texts = Texts::with_capacity(0);
        let longest = "a".repeat(usize::from(u16::MAX));
        assert!(texts.push(&longest).is_ok());
        let error = texts.push(&(longest + "a")).unwrap_err();
        assert!(format!("{error}").contains("65536"), "{error}");
    }

    const LISTS: usize = 1024;

    /// A value that counts its comparisons.
    #[derive(Clone, Debug)]
    struct Counted<'c>(usize, &'c core::cell::Cell<usize>);

    impl Ord for Counted<'_> {
        fn cmp(&self, other: &Self) -> core::cmp::Ordering {
            self.1.set(self.1.get() + 1);
            self.0.cmp(&other.0)
        }
    }

    impl PartialOrd for Counted<'_> {
        fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
            Some(self.cmp(other))
        }
    }

    impl PartialEq for Counted<'_> {
        fn eq(&self, other: &Self) -> bool {
            self.cmp(other).is_eq()
        }
    }

    impl Eq for Counted<'_> {}

    /// Long lists that differ at the end only are not all compared with each other.
    #[test]
    fn many_lists_are_found_without_a_linear_search() {
        let (compared, mut lists) = (core::cell::Cell::new(0), Lists::new());
        for last in 0..LISTS {
            let values = (0..100).chain([100 + last]);
            let values: Vec<_> = values.map(|value| Counted(value, &compared)).collect();
            lists.number(&values).unwrap();
        }
        let most = LISTS * 101 * 50;
        assert!(compared.get() < most, "{}", compared.get());
    }

    #[test]
    fn a_list_has_one_number_in_any_order() {
        let mut lists = Lists::new();
        let inputs: [&[u8]; 5] = [&[2, 1], &[], &[1, 2, 2], &[3], &[]];
        let numbers = inputs.map(|list| lists.number(list).unwrap());
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
        assert_eq!(lists.into_rows(), [&[1, 2][..], &[], &[3]]);
    }
}
