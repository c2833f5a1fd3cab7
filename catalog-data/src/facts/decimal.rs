//! Exact decimal numbers. No binary floats: prices are parsed from text and printed as text.

use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

/// An exact decimal number that is not negative: an integer divided by a power of ten.
///
/// Equal numbers are equal values: `1.50` is `1.5`. Parsed from plain and exponent notation, printed in
/// plain notation. Arithmetic is exact, or `None` where the result does not fit.
///
/// ```
/// use bedrock_catalog_data::facts::Decimal;
///
/// let per_token: Decimal = "3.75e-06".parse()?;
/// assert_eq!(per_token.to_string(), "0.00000375");
/// assert_eq!(per_token.checked_mul(1_000_000).unwrap().to_string(), "3.75");
///
/// let tenth: Decimal = "0.1".parse()?;
/// let fifth = tenth.checked_add(tenth).unwrap();
/// assert_eq!(fifth.checked_add(tenth).unwrap(), "0.3".parse()?);
/// # Ok::<(), bedrock_catalog_data::facts::ParseDecimalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    // Canonical: the last digit of the mantissa is not 0, unless the scale is 0.
    mantissa: u128,
    scale: u8,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self {
        mantissa: 0,
        scale: 0,
    };

    /// The most digits after the decimal point.
    pub const MAX_SCALE: u8 = 38;

    /// `mantissa / 10^scale`; `None` for more than [`Decimal::MAX_SCALE`] digits after the point.
    ///
    /// ```
    /// use bedrock_catalog_data::facts::Decimal;
    ///
    /// assert_eq!(Decimal::new(150, 2).unwrap().to_string(), "1.5");
    /// assert_eq!(Decimal::new(1, 39), None);
    /// ```
    pub const fn new(mut mantissa: u128, mut scale: u8) -> Option<Self> {
        if mantissa == 0 {
            return Some(Self::ZERO);
        }
        while scale > 0 && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            scale -= 1;
        }
        if scale > Self::MAX_SCALE {
            return None;
        }
        Some(Self { mantissa, scale })
    }

    /// An amount of checked tables, which is canonical.
    pub(crate) const fn baked(mantissa: u32, scale: u8) -> Self {
        Self {
            mantissa: mantissa as u128,
            scale,
        }
    }

    /// The digits without the decimal point.
    pub const fn mantissa(self) -> u128 {
        self.mantissa
    }

    /// The number of digits after the decimal point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// The exact sum.
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        let scale = match self.scale > other.scale {
            true => self.scale,
            false => other.scale,
        };
        match (self.mantissa_at(scale), other.mantissa_at(scale)) {
            (Some(a), Some(b)) => match a.checked_add(b) {
                Some(sum) => Self::new(sum, scale),
                None => None,
            },
            _ => None,
        }
    }

    /// The exact product with an integer.
    pub const fn checked_mul(self, factor: u64) -> Option<Self> {
        match self.mantissa.checked_mul(factor as u128) {
            Some(product) => Self::new(product, self.scale),
            None => None,
        }
    }

    /// The exact product with `10^places`.
    ///
    /// ```
    /// use bedrock_catalog_data::facts::Decimal;
    ///
    /// let per_token: Decimal = "0.000003".parse()?;
    /// assert_eq!(per_token.shifted(6), Decimal::new(3, 0));
    /// assert_eq!(per_token.shifted(-2).unwrap().to_string(), "0.00000003");
    /// # Ok::<(), bedrock_catalog_data::facts::ParseDecimalError>(())
    /// ```
    pub const fn shifted(self, places: i8) -> Option<Self> {
        let scale = self.scale as i16 - places as i16;
        if scale > u8::MAX as i16 {
            return None;
        }
        if scale >= 0 {
            return Self::new(self.mantissa, scale as u8);
        }
        match times_power_of_ten(self.mantissa, scale.unsigned_abs()) {
            Some(mantissa) => Self::new(mantissa, 0),
            None => None,
        }
    }

    /// The mantissa with at least as many digits after the point.
    const fn mantissa_at(self, scale: u8) -> Option<u128> {
        times_power_of_ten(self.mantissa, (scale - self.scale) as u16)
    }
}

const fn times_power_of_ten(mantissa: u128, exponent: u16) -> Option<u128> {
    match 10u128.checked_pow(exponent as u32) {
        Some(power) => mantissa.checked_mul(power),
        None if mantissa == 0 => Some(0),
        None => None,
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.mantissa_at(scale), other.mantissa_at(scale)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Only the number with fewer digits after the point can overflow: it is the larger one.
            (None, _) => Ordering::Greater,
            (_, None) => Ordering::Less,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = 10u128.pow(u32::from(self.scale));
        write!(f, "{}", self.mantissa / power)?;
        match self.scale {
            0 => Ok(()),
            scale => {
                let (fraction, width) = (self.mantissa % power, usize::from(scale));
                write!(f, ".{fraction:0width$}")
            }
        }
    }
}

/// As `Display`.
impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is no decimal number that [`Decimal`] can hold exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseDecimalError {}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a decimal number that is not negative, like 0.75 or 7.5e-07")
    }
}

impl core::error::Error for ParseDecimalError {}

/// Parses digits with an optional fraction and an optional exponent. Signs are accepted in the exponent
/// only.
impl FromStr for Decimal {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, ParseDecimalError> {
        parse(text).ok_or(ParseDecimalError {})
    }
}

/// The longest accepted text. Longer ones are no prices.
const MAX_LEN: usize = 128;

fn parse(text: &str) -> Option<Decimal> {
    if text.len() > MAX_LEN {
        return None;
    }
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (number, ""),
    };
    if whole.is_empty() {
        return None;
    }
    // Zeros at the end of the fraction have no value.
    let fraction = fraction.trim_end_matches('0');
    let mut mantissa = 0u128;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        mantissa = mantissa
            .checked_mul(10)?
            .checked_add(u128::from(digit - b'0'))?;
    }
    // Both fit: a text has at most 128 characters, an exponent three digits.
    let scale = i16::try_from(fraction.len()).ok()? - exponent;
    if mantissa == 0 {
        return Some(Decimal::ZERO);
    }
    match u16::try_from(scale) {
        Ok(scale) => Decimal::new(mantissa, u8::try_from(scale).ok()?),
        Err(_) => Decimal::new(times_power_of_ten(mantissa, scale.unsigned_abs())?, 0),
    }
}

fn parse_exponent(text: &str) -> Option<i16> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    if digits.is_empty() || digits.len() > 3 || !all_digits {
        return None;
    }
    let value: i16 = digits.parse().ok()?;
    Some(match text.starts_with('-') {
        true => -value,
        false => value,
    })
}

#[cfg(feature = "serde")]
mod text_form {
    //! A decimal serializes as text, so that no reader makes a binary float of it.
    use super::Decimal;
    use core::fmt;
    use serde::de::{Deserialize, Deserializer, Error, Visitor};
    use serde::ser::{Serialize, Serializer};

    impl Serialize for Decimal {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Decimal {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Text;
            impl Visitor<'_> for Text {
                type Value = Decimal;
                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a decimal number as text, like \"0.75\"")
                }
                fn visit_str<E: Error>(self, text: &str) -> Result<Decimal, E> {
                    text.parse().map_err(E::custom)
                }
            }
            deserializer.deserialize_str(Text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn numbers_parse_exactly_in_every_notation() {
        for (text, printed) in [
            ("0", "0"),
            ("0.000", "0"),
            ("0e999", "0"),
            ("00.50", "0.5"),
            ("3e-06", "0.000003"),
            ("2.625e-07", "0.0000002625"),
            ("1.44375E-7", "0.000000144375"),
            ("1e+3", "1000"),
            ("12.50", "12.5"),
            (
                "340282366920938463463374607431768211455",
                "340282366920938463463374607431768211455",
            ),
            ("1e38", "100000000000000000000000000000000000000"),
            ("1e-38", "0.00000000000000000000000000000000000001"),
        ] {
            assert_eq!(
                text.parse::<Decimal>().unwrap().to_string(),
                printed,
                "{text}"
            );
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e",
            "1e-",
            "1e1000",
            "1e-39",
            "1e39",
            "NaN",
            "inf",
            "0x1",
            "1_000",
            "1,5",
            " 1",
            "1 ",
            "１",
            "340282366920938463463374607431768211456",
        ] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        assert!("0".repeat(129).parse::<Decimal>().is_err());
    }

    #[test]
    fn order_is_by_value_at_every_scale() {
        let sorted = ["0", "1e-38", "0.1", "0.11", "1", "1.0000001", "2", "1e38"];
        let values = sorted.map(|text| text.parse::<Decimal>().unwrap());
        assert!(values.is_sorted_by(|a, b| a < b), "{values:?}");
    }

    #[test]
    fn results_that_do_not_fit_are_none() {
        let most = Decimal::new(u128::MAX, 0).unwrap();
        let least = Decimal::new(1, 38).unwrap();
        assert_eq!(most.checked_add(least), None);
        assert_eq!(most.checked_mul(2), None);
        assert_eq!(most.shifted(1), None);
        assert_eq!(least.shifted(-1), None);
        assert_eq!(least.shifted(i8::MIN), None);
        assert_eq!(Decimal::ZERO.shifted(i8::MAX), Some(Decimal::ZERO));
        assert_eq!(Decimal::new(1, u8::MAX), None);
    }
}
