//! A value with its source, read from a row.

use super::rows::{FactKind, FactRow, FactTables, INHERITED, MemberRow, ValueRow};
use crate::Date;

/// A value with its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fact<'a, T> {
    /// The value.
    pub value: T,
    /// The source that states it.
    pub source: FactSource<'a>,
    /// The id of the model of which the source states it, where that is the base of this one.
    pub inherited_from: Option<&'a str>,
}

/// A source of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FactSource<'a> {
    /// The short name: `card`, `listing`, `litellm`, …
    pub name: &'a str,
    /// The day on which it stated its values.
    pub as_of: Date,
    /// The name for people.
    pub title: &'a str,
    /// The address.
    pub url: Option<&'a str>,
}

impl<'a> FactSource<'a> {
    /// The listing of the control plane, for values that a catalog has itself.
    pub(crate) fn listing(as_of: Date) -> Self {
        Self {
            name: "listing",
            as_of,
            title: "ListFoundationModels",
            url: None,
        }
    }

    pub(crate) fn of(tables: &'a FactTables, mark: u8) -> Option<Self> {
        let row = tables.sources.get(usize::from(mark & !INHERITED))?;
        Some(Self {
            name: tables.word(row.name),
            as_of: row.as_of,
            title: tables.word(row.title),
            url: tables.optional_word(row.url),
        })
    }
}

/// The day of a value `yyyymmdd`.
pub(super) fn day_of(packed: u32) -> Option<Date> {
    let year = u16::try_from(packed / 10_000).ok()?;
    let (month, day) = (packed / 100 % 100, packed % 100);
    Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

/// A row and its tables.
#[derive(Clone, Copy)]
pub(super) struct RowOf<'a> {
    pub(super) tables: &'a FactTables,
    pub(super) row: &'a FactRow,
}

impl<'a> RowOf<'a> {
    pub(super) fn id(self) -> &'a str {
        self.tables.word(self.row.id)
    }

    pub(super) fn base(self) -> Option<&'a str> {
        self.tables.optional_word(self.row.base)
    }

    /// The plain number of a kind, without its source.
    #[inline]
    pub(super) fn number(self, kind: FactKind) -> Option<u32> {
        Some(self.tables.value(self.row, kind)?.value)
    }

    /// The value of a kind as a fact.
    pub(super) fn fact<T>(
        self,
        kind: FactKind,
        read: impl FnOnce(&'a FactTables, &'a ValueRow) -> Option<T>,
    ) -> Option<Fact<'a, T>> {
        let value = self.tables.value(self.row, kind)?;
        self.marked(value.mark, read(self.tables, value)?)
    }

    /// A value with the source of a mark.
    pub(super) fn marked<T>(self, mark: u8, value: T) -> Option<Fact<'a, T>> {
        Some(Fact {
            value,
            source: FactSource::of(self.tables, mark)?,
            inherited_from: self.base().filter(|_| mark & INHERITED != 0),
        })
    }

    pub(super) fn number_fact(self, kind: FactKind) -> Option<Fact<'a, u32>> {
        self.fact(kind, |_, value| Some(value.value))
    }

    pub(super) fn day(self, kind: FactKind) -> Option<Fact<'a, Date>> {
        self.fact(kind, |_, value| day_of(value.value))
    }

    pub(super) fn word(self, kind: FactKind) -> Option<Fact<'a, &'a str>> {
        self.fact(kind, |tables, value| {
            Some(tables.word(u16::try_from(value.value).ok()?))
        })
    }

    /// The members of the list of a kind; empty if it is unknown.
    pub(super) fn members(self, kind: FactKind) -> &'a [MemberRow] {
        let list = self.number(kind);
        list.map_or(&[], |list| self.tables.list(list))
    }

    /// The terms of the list of a kind.
    pub(super) fn terms<E>(
        self,
        kind: FactKind,
        terms: &'a [E],
    ) -> impl Iterator<Item = &'a E> + Clone + use<'a, E> {
        let members = self.members(kind).iter();
        members.filter_map(|member| terms.get(usize::from(member.number)))
    }

    /// The words of the list of a kind.
    pub(super) fn words(self, kind: FactKind) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        let members = self.members(kind).iter();
        members.map(move |member| self.tables.word(member.number))
    }
}
