//! Reading the inputs: bounded JSON objects with distinct keys, numbers as their text, and CSV.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use bedrock_catalog_data::Date;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{RecordingError, RecordingErrorKind};

/// The largest input in bytes: 32 MiB. Current ones have at most 0.6 MB.
pub const LARGEST_FACTS_INPUT: usize = 32 << 20;

/// The most entries of an input. Current ones have at most 700.
const MAX_ENTRIES: usize = 50_000;

/// The text of an input and the day on which it was true.
#[derive(Debug, Clone, Copy)]
pub struct FactsInput<'a> {
    /// The text of the file.
    pub text: &'a [u8],
    /// The day on which the source stated its values.
    pub as_of: Date,
}

impl<'a> FactsInput<'a> {
    /// An input.
    pub fn new(text: &'a [u8], as_of: Date) -> Self {
        Self { text, as_of }
    }
}

pub(super) fn invalid(message: impl Into<String>) -> RecordingError {
    RecordingError::new(RecordingErrorKind::InvalidFacts, message)
}

/// The text of an input, checked for its size and encoding.
pub(super) fn text<'a>(name: &str, input: &FactsInput<'a>) -> Result<&'a str, RecordingError> {
    let bytes = input.text;
    if bytes.len() > LARGEST_FACTS_INPUT {
        return Err(invalid(format!(
            "the input {name} has {} bytes; {LARGEST_FACTS_INPUT} are allowed",
            bytes.len()
        )));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes)
        .map_err(|error| invalid(format!("the input {name} is not in UTF-8")).because(error))
}

/// A JSON object of entries, sorted by key.
pub(super) fn entries<'a, T: Deserialize<'a>>(
    name: &str,
    input: &FactsInput<'a>,
) -> Result<BTreeMap<String, T>, RecordingError> {
    let text = text(name, input)?;
    let entries: Distinct<T> = serde_json::from_str(text).map_err(|error| {
        invalid(format!("the input {name} is no JSON of the expected shape")).because(error)
    })?;
    Ok(entries.0)
}

/// The members of an entry as their JSON text.
pub(super) type RawMembers<'a> = Distinct<&'a RawValue>;

/// A JSON object with distinct keys: of two equal ones, either could be meant.
#[derive(Debug, Clone)]
pub(super) struct Distinct<T>(pub(super) BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Distinct<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Distinct<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, T>()? {
                    if entries.len() == MAX_ENTRIES {
                        return Err(A::Error::custom(format!("more than {MAX_ENTRIES} entries")));
                    }
                    let shown = key.clone();
                    if entries.insert(key, value).is_some() {
                        return Err(A::Error::custom(format!("{shown:?} occurs twice")));
                    }
                }
                Ok(Distinct(entries))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// The rows of a CSV text after its heading, which must have these columns in any order.
pub(super) fn csv_rows<const N: usize>(
    name: &str,
    text: &str,
    columns: [&str; N],
) -> Result<Vec<[String; N]>, RecordingError> {
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let heading = csv_fields(lines.next().unwrap_or_default()).unwrap_or_default();
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        let found = heading.iter().position(|field| field == column);
        *place =
            found.ok_or_else(|| invalid(format!("the input {name} has no column {column:?}")))?;
    }
    let mut rows = Vec::new();
    for (number, line) in lines.enumerate() {
        let wrong = || invalid(format!("row {} of the input {name} is wrong", number + 1));
        if rows.len() == MAX_ENTRIES {
            return Err(invalid(format!(
                "the input {name} has more than {MAX_ENTRIES} rows"
            )));
        }
        let fields = csv_fields(line).ok_or_else(wrong)?;
        if fields.len() != heading.len() {
            return Err(wrong());
        }
        rows.push(places.map(|place| fields.get(place).cloned().unwrap_or_default()));
    }
    Ok(rows)
}

/// The fields of a line; `None` if a quoted field does not end.
fn csv_fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        let field = fields.last_mut()?;
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => field.push('"'),
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(String::new()),
            letter => field.push(letter),
        }
    }
    (!quoted).then_some(fields)
}

/// Whether a text can be an id: no text of an input becomes one otherwise.
pub(super) fn is_id(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".:_-".contains(&byte);
    !text.is_empty()
        && text.len() <= 200
        && text.bytes().all(is_letter)
        && text.contains('.')
        && text.split('.').all(|part| !part.is_empty())
        // An account id.
        && crate::redact::redact(text) == text
}

/// Whether a text can be the id of a region: `us-gov-west-1`.
pub(super) fn is_region(text: &str) -> bool {
    let mut parts = text.split('-').rev();
    let number = parts
        .next()
        .is_some_and(|part| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit()));
    let names: Vec<&str> = parts.collect();
    let is_name =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    number && (2..=3).contains(&names.len()) && text.len() <= 30 && names.iter().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_are_separated_at_commas_outside_of_quotes() {
        let fields = |line| csv_fields(line).unwrap();
        assert_eq!(fields("a,b,"), ["a", "b", ""]);
        assert_eq!(fields(r#""a,b","say ""x""",c"#), ["a,b", "say \"x\"", "c"]);
        assert_eq!(csv_fields("\"a"), None);
    }

    #[test]
    fn ids_and_regions_have_few_letters() {
        assert!(is_id("amazon.nova-pro-v1:0:300k"));
        for text in [
            "",
            "nova",
            "a b.c",
            "anthropic.claude-haiku-4-5@20251001",
            "x.123456789012",
            "é.a",
            "us.",
            ".a",
            "a..b",
        ] {
            assert!(!is_id(text), "{text}");
        }
        for text in ["us-east-1", "us-gov-west-1", "ap-southeast-7"] {
            assert!(is_region(text), "{text}");
        }
        for text in [
            "",
            "*",
            "1",
            "us-east",
            "us--1",
            "invoke",
            "1-month-commitment",
            "US-EAST-1",
        ] {
            assert!(!is_region(text), "{text}");
        }
    }
}
