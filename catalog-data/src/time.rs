//! A calendar day and a UTC second. No clock: callers pass the time.

use core::fmt;
use core::str::FromStr;

/// A calendar day (proleptic Gregorian, years 0 to 9999), in UTC.
///
/// Ordered by time; printed, parsed and serialized as `YYYY-MM-DD`. Four bytes, `Copy`.
///
/// ```
/// use bedrock_catalog_data::Date;
///
/// let end: Date = "2026-09-30".parse()?;
/// assert!(end > Date::new(2026, 9, 29).unwrap());
/// assert_eq!(end.to_string(), "2026-09-30");
/// assert_eq!(Date::new(2026, 2, 29), None);
///
/// // Which models end within 180 days?
/// let today = Date::new(2026, 8, 22).unwrap();
/// assert_eq!(today.days_until(end), 39);
/// assert!(today.checked_add_days(180).is_some_and(|limit| end <= limit));
/// # Ok::<(), bedrock_catalog_data::ParseTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    // The order of the fields is the order of time.
    year: u16,
    month: u8,
    day: u8,
}

/// A moment in UTC, in whole seconds since 1970-01-01T00:00:00Z; years 0 to 9999.
///
/// Ordered by time; printed and serialized as RFC 3339 (`2026-08-22T00:52:43Z`). Parsing accepts RFC
/// 3339 with `Z` or any offset, drops fractions of a second, and reads a date as its midnight. `Copy`.
///
/// ```
/// use bedrock_catalog_data::Timestamp;
///
/// let t: Timestamp = "2026-08-22T02:52:43.5+02:00".parse()?;
/// assert_eq!(t.to_string(), "2026-08-22T00:52:43Z");
/// assert_eq!(t.date().to_string(), "2026-08-22");
/// # Ok::<(), bedrock_catalog_data::ParseTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text is not a date or not a time. The message shows the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseTimeError {
    expected: &'static str,
}

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl core::error::Error for ParseTimeError {}

const NOT_A_DATE: ParseTimeError = ParseTimeError {
    expected: "a date like 2026-08-22",
};
const NOT_A_TIME: ParseTimeError = ParseTimeError {
    expected: "a time like 2026-08-22T00:52:43Z",
};

const SECONDS_PER_DAY: i64 = 86_400;
/// 0000-01-01 and 9999-12-31, in days since 1970-01-01.
const FIRST_DAY: i64 = -719_528;
const LAST_DAY: i64 = 2_932_896;

impl Date {
    /// The day, or `None` if the calendar does not have it.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self { year, month, day })
    }

    /// A day of baked tables. The generator has checked it.
    #[doc(hidden)]
    pub const fn baked(year: u16, month: u8, day: u8) -> Self {
        Self { year, month, day }
    }

    /// The year, 0 to 9999.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, 1 to 31.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// The first second of the day.
    pub const fn midnight(self) -> Timestamp {
        Timestamp(self.days() * SECONDS_PER_DAY)
    }

    /// The day `days` after this one, or before it if negative; `None` outside the years 0 to 9999.
    ///
    /// ```
    /// use bedrock_catalog_data::Date;
    ///
    /// let day = Date::new(2026, 12, 31).unwrap();
    /// assert_eq!(day.checked_add_days(1), Date::new(2027, 1, 1));
    /// assert_eq!(day.checked_add_days(-365), Date::new(2025, 12, 31));
    /// assert_eq!(day.checked_add_days(i64::MAX), None);
    /// ```
    pub const fn checked_add_days(self, days: i64) -> Option<Self> {
        match self.days().checked_add(days) {
            Some(days) if FIRST_DAY <= days && days <= LAST_DAY => Some(Self::from_days(days)),
            _ => None,
        }
    }

    /// Days from this day to `other`; negative where `other` is earlier.
    ///
    /// ```
    /// use bedrock_catalog_data::Date;
    ///
    /// let (end, today) = (Date::new(2026, 9, 30).unwrap(), Date::new(2026, 10, 2).unwrap());
    /// assert_eq!(today.days_until(end), -2);
    /// ```
    pub const fn days_until(self, other: Self) -> i64 {
        other.days() - self.days()
    }

    /// Days since 1970-01-01, negative before. Howard Hinnant's `days_from_civil`.
    const fn days(self) -> i64 {
        let month = self.month as i64;
        let year = self.year as i64 - (month <= 2) as i64;
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + self.day as i64 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }

    /// The inverse of [`Date::days`], for days between [`FIRST_DAY`] and [`LAST_DAY`].
    const fn from_days(days: i64) -> Self {
        let days = days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        Self {
            year: (year_of_era + era * 400 + (month <= 2) as i64) as u16,
            month: month as u8,
            day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8,
        }
    }
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

impl Timestamp {
    /// The moment `seconds` after 1970-01-01T00:00:00Z, or before it if negative; `None` outside the
    /// years 0 to 9999.
    pub const fn from_unix(seconds: i64) -> Option<Self> {
        let day = seconds.div_euclid(SECONDS_PER_DAY);
        if day < FIRST_DAY || day > LAST_DAY {
            return None;
        }
        Some(Self(seconds))
    }

    /// A moment of baked tables. The generator has checked it.
    #[doc(hidden)]
    pub const fn baked(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// The UTC day of this moment.
    pub const fn date(self) -> Date {
        Date::from_days(self.0.div_euclid(SECONDS_PER_DAY))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0.rem_euclid(SECONDS_PER_DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(
            f,
            "{}T{hour:02}:{minute:02}:{:02}Z",
            self.date(),
            second % 60
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Removes exactly `count` ASCII digits from the front.
fn digits(text: &mut &[u8], count: usize) -> Option<u16> {
    let (head, tail) = text.split_at_checked(count)?;
    let mut number = 0u16;
    for &byte in head {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number
            .checked_mul(10)?
            .checked_add(u16::from(byte - b'0'))?;
    }
    *text = tail;
    Some(number)
}

/// Removes one byte of `allowed` from the front.
fn one_of(text: &mut &[u8], allowed: &[u8]) -> Option<u8> {
    let (&first, tail) = text.split_first()?;
    if !allowed.contains(&first) {
        return None;
    }
    *text = tail;
    Some(first)
}

fn date(text: &mut &[u8]) -> Option<Date> {
    let year = digits(text, 4)?;
    one_of(text, b"-")?;
    let month = digits(text, 2)?;
    one_of(text, b"-")?;
    let day = digits(text, 2)?;
    Date::new(year, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

fn timestamp(text: &mut &[u8]) -> Option<Timestamp> {
    let midnight = date(text)?.midnight();
    if text.is_empty() {
        return Some(midnight);
    }
    one_of(text, b"Tt ")?;
    let hour = digits(text, 2).filter(|&hour| hour < 24)?;
    one_of(text, b":")?;
    let minute = digits(text, 2).filter(|&minute| minute < 60)?;
    one_of(text, b":")?;
    // 60 is a leap second, which Unix time does not count: it becomes the next second.
    let second = digits(text, 2).filter(|&second| second <= 60)?;
    if text.first() == Some(&b'.') {
        one_of(text, b".")?;
        digits(text, 1)?;
        while digits(text, 1).is_some() {}
    }
    let offset = match one_of(text, b"Zz+-")? {
        sign @ (b'+' | b'-') => {
            let hours = digits(text, 2).filter(|&hours| hours < 24)?;
            // The tools of AWS print both `+02:00` and `+0200`.
            let _ = one_of(text, b":");
            let minutes = digits(text, 2).filter(|&minutes| minutes < 60)?;
            let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
            if sign == b'+' { seconds } else { -seconds }
        }
        _ => 0,
    };
    let of_day = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
    Timestamp::from_unix(midnight.unix() + of_day - offset)
}

impl FromStr for Date {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text.as_bytes();
        date(&mut rest)
            .filter(|_| rest.is_empty())
            .ok_or(NOT_A_DATE)
    }
}

impl FromStr for Timestamp {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut rest = text.as_bytes();
        timestamp(&mut rest)
            .filter(|_| rest.is_empty())
            .ok_or(NOT_A_TIME)
    }
}

#[cfg(feature = "serde")]
mod text_form {
    //! Both types serialize as text in every format.
    use super::{Date, Timestamp};
    use core::fmt;
    use serde::de::{Deserialize, Deserializer, Error, Visitor};
    use serde::ser::{Serialize, Serializer};

    macro_rules! as_text {
        ($type:ty, $expecting:literal) => {
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    struct Text;
                    impl Visitor<'_> for Text {
                        type Value = $type;
                        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                            f.write_str($expecting)
                        }
                        fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                            text.parse().map_err(E::custom)
                        }
                    }
                    deserializer.deserialize_str(Text)
                }
            }
        };
    }
    as_text!(Date, "a date like 2026-08-22");
    as_text!(Timestamp, "a time like 2026-08-22T00:52:43Z");
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_day_of_ten_thousand_years_round_trips() {
        let mut yesterday = None;
        for days in FIRST_DAY..=LAST_DAY {
            let date = Date::from_days(days);
            assert_eq!(date.days(), days);
            assert_eq!(Date::new(date.year(), date.month(), date.day()), Some(date));
            if let Some(yesterday) = yesterday.replace(date) {
                assert!(yesterday < date);
                assert_eq!(yesterday.checked_add_days(1), Some(date));
                assert_eq!(date.days_until(yesterday), -1);
            }
        }
        assert_eq!(Date::from_days(FIRST_DAY).checked_add_days(-1), None);
        assert_eq!(Date::from_days(LAST_DAY).checked_add_days(1), None);
        assert_eq!(Date::from_days(FIRST_DAY).to_string(), "0000-01-01");
        assert_eq!(Date::from_days(LAST_DAY).to_string(), "9999-12-31");
    }

    #[test]
    fn times_parse_in_every_form_that_aws_prints() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-08-22T00:52:43Z", 1_787_359_963),
            ("2026-08-22T00:52:43.166511Z", 1_787_359_963),
            ("2026-08-21T17:52:43-07:00", 1_787_359_963),
            ("2026-08-22T02:52:43+0200", 1_787_359_963),
            ("2026-08-22", 1_787_356_800),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().unix(), seconds, "{text}");
        }
    }

    #[test]
    fn texts_that_are_not_times_are_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "2026-08-22T",
            "2026-08-22T24:00:00Z",
            "2026-08-22T00:00:00",
            "2026-08-22T00:00:00.Z",
            "2026-08-22T00:00:00ZZ",
            "+026-08-22",
            "2026-08-2２",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert!("2026-08-22T00:00:00Z".parse::<Date>().is_err());
    }
}
