//! Ends of life from the listing and from facts.

use super::{Fact, FactSource};
use crate::Date;
use crate::model::Model;

impl<'a> Model<'a> {
    /// The end of life: the date in the listing, else that of the facts. The model is not served from
    /// this day on.
    ///
    /// ```
    /// # #[cfg(all(feature = "bundle", feature = "facts"))] {
    /// use bedrock_catalog_data::Catalog;
    ///
    /// // The listing has no end of Claude 3 Haiku; its model card has.
    /// let haiku = Catalog::bundled().model("anthropic.claude-3-haiku-20240307-v1:0").unwrap();
    /// assert_eq!(haiku.lifecycle().end_of_life(), None);
    /// let end = haiku.end_of_life().unwrap();
    /// assert_eq!((end.value.to_string().as_str(), end.source.name), ("2026-09-10", "card"));
    /// # }
    /// ```
    pub fn end_of_life(&self) -> Option<Fact<'a, Date>> {
        match self.lifecycle().end_of_life() {
            Some(value) => Some(Fact {
                value,
                source: FactSource::listing(self.catalog().observed_at().date()),
                inherited_from: None,
            }),
            None => self.facts()?.end_of_life(),
        }
    }

    /// The day of [`Model::end_of_life`], without its source.
    #[inline]
    pub(crate) fn end_day(&self) -> Option<Date> {
        let listed = self.lifecycle().end_of_life();
        listed.or_else(|| self.facts()?.end_day())
    }

    /// The day before which the end of life does not come, where a source announces one.
    pub fn no_sooner_than(&self) -> Option<Fact<'a, Date>> {
        self.facts()?.no_sooner_than()
    }

    /// The id of the model that takes its place; `None` if no source says.
    pub fn successor(&self) -> Option<Fact<'a, &'a str>> {
        self.facts()?.successor()
    }

    /// Whether the end of life comes on the day or within this many days after it. A model that ended
    /// before the day does not end within.
    ///
    /// ```
    /// # #[cfg(all(feature = "bundle", feature = "facts"))] {
    /// use bedrock_catalog_data::{Catalog, Date};
    ///
    /// let jamba = Catalog::bundled().model("ai21.jamba-1-5-mini-v1:0").unwrap();
    /// let day = Date::new(2026, 10, 1).unwrap(); // It ends on 2026-11-26.
    /// assert!(jamba.ends_within(day, 60));
    /// assert!(!jamba.ends_within(day, 30));
    /// # }
    /// ```
    pub fn ends_within(&self, day: Date, days: u32) -> bool {
        let end = self.end_day().map(|end| day.days_until(end));
        end.is_some_and(|left| (0..=i64::from(days)).contains(&left))
    }
}
