//! What many rows share: one text that holds all texts, and distinct lists of words. Their sizes are
//! checked here, where they are numbered.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{MOST_ROWS, too_many};
use crate::error::Error;
use crate::rows::Run;
use crate::text::{StaticList, Text};

/// All texts, one after another.
pub(super) struct Texts(String);

impl Texts {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    pub(super) fn put(&mut self, text: &str) -> Result<Run, Error> {
        let len = u16::try_from(text.len()).map_err(|_| {
            let (has, most) = (text.len(), u16::MAX);
            Error::invalid(format!(
                "a text has {has} bytes: at most {most} are allowed"
            ))
        })?;
        let start = u32::try_from(self.0.len());
        let start = start.map_err(|_| too_many("bytes of text", u32::MAX as usize))?;
        self.0.push_str(text);
        Ok(Run::new(start, len))
    }

    pub(super) fn maybe(&mut self, text: Option<&Text<'_>>) -> Result<Option<Run>, Error> {
        text.map(|text| self.put(text)).transpose()
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// Distinct lists of words, each sorted, numbered as they are met. Found in order, not one by one: a
/// document may have many that differ at their ends only.
pub(super) struct Lists<T>(BTreeMap<Vec<T>, u16>);

impl<T: Clone + Ord> Lists<T> {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn number(&mut self, words: &[T]) -> Result<u16, Error> {
        // Mostly they are sorted already.
        if let Some(&number) = self.0.get(words) {
            return Ok(number);
        }
        let mut words = words.to_vec();
        words.sort_unstable();
        words.dedup();
        let next = self.0.len();
        if next == MOST_ROWS && !self.0.contains_key(&words) {
            return Err(too_many("lists of words", MOST_ROWS));
        }
        Ok(*self.0.entry(words).or_insert(next as u16))
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
    fn texts_stand_one_after_another() {
        let mut texts = Texts::with_capacity(0);
        let runs = ["eu", "", "é"].map(|text| texts.put(text).unwrap());
        let whole = texts.into_text();
        assert_eq!(whole, "eué");
        assert_eq!(runs.map(|run| run.text(&whole)), ["eu", "", "é"]);
        assert_eq!(Run::new(3, 1).text(&whole), "", "in the middle of a letter");
    }

    #[test]
    fn a_text_has_as_many_bytes_as_a_run() {
        let mut texts = Texts::with_capacity(0);
        let longest = "a".repeat(usize::from(u16::MAX));
        assert!(texts.put(&longest).is_ok());
        let error = texts.put(&(longest + "a")).unwrap_err();
        assert!(format!("{error}").contains("65536"), "{error}");
    }

    const LISTS: usize = 1024;

    /// A word that counts how often it is compared.
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

    /// Long lists that differ at their ends only: not each is compared with all.
    #[test]
    fn many_lists_are_not_looked_for_one_by_one() {
        let (compared, mut lists) = (core::cell::Cell::new(0), Lists::new());
        for last in 0..LISTS {
            let words = (0..100).chain([100 + last]);
            let words: Vec<_> = words.map(|word| Counted(word, &compared)).collect();
            lists.number(&words).unwrap();
        }
        let most = LISTS * 101 * 50;
        assert!(compared.get() < most, "{}", compared.get());
    }

    #[test]
    fn a_list_has_one_number_in_any_order() {
        let mut lists = Lists::new();
        let asked: [&[u8]; 5] = [&[2, 1], &[], &[1, 2, 2], &[3], &[]];
        let numbers = asked.map(|words| lists.number(words).unwrap());
        assert_eq!(numbers, [0, 1, 0, 2, 1]);
        assert_eq!(lists.into_rows(), [&[1, 2][..], &[], &[3]]);
    }
}
