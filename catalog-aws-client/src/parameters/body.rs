//! A body taken apart: JSON into its leaves, a form into its pairs, anything else left whole. This file may
//! not know what the parameters mean.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::headers::has;
use super::pairs;

#[derive(Debug, Default)]
pub(super) enum Body<'a> {
    #[default]
    Empty,
    /// The leaves, sorted by name.
    Json(Vec<Leaf<'a>>),
    /// Sorted by name; of one name, in their order.
    Form(Vec<(&'a str, &'a str)>),
    Opaque(&'a [u8]),
}

/// A value that holds no other: where it is, and what it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf<'a> {
    pub(super) name: Cow<'a, str>,
    /// Whether it is a text, and not a number, a truth value, null or an empty container as written.
    pub(super) is_text: bool,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Body<'a> {
    pub(super) fn of(bytes: &'a [u8], kind: &[u8]) -> Self {
        if bytes.is_empty() {
            return Self::Empty;
        }
        if has(kind, b"json") {
            let mut leaves = Vec::with_capacity(8);
            let flat = std::str::from_utf8(bytes).is_ok_and(|json| {
                plain_members(json, &mut leaves).is_some() || {
                    leaves.clear();
                    flatten(json.trim(), &mut String::new(), &mut leaves).is_some()
                }
            });
            leaves.sort_unstable();
            // Two values of one name: which of them counts is not ours to say.
            let twice = leaves
                .array_windows()
                .any(|[one, other]| one.name == other.name);
            if flat && !twice {
                return Self::Json(leaves);
            }
        } else if has(kind, b"x-www-form-urlencoded")
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            let mut form: Vec<_> = pairs(text).collect();
            form.sort_by_key(|(name, _)| *name);
            return Self::Form(form);
        }
        Self::Opaque(bytes)
    }
}

/// What [`flatten`] makes of an object without escapes, spaces or another value in it, as nearly all
/// questions are: at a third of what it takes.
fn plain_members<'a>(json: &'a str, leaves: &mut Vec<Leaf<'a>>) -> Option<()> {
    let mut rest = json.strip_prefix('{')?.strip_suffix('}')?;
    loop {
        // A name that [`escape`] leaves as it is.
        let (name, after) = plain_text(rest, |byte| !matches!(byte, b'~' | b'.' | b'['))?;
        let after = after.strip_prefix(':').filter(|_| !name.is_empty())?;
        let text = plain_text(after, |_| true);
        let (value, after) = text.or_else(|| plain_word(after))?;
        leaves.push(Leaf {
            name: name.into(),
            is_text: text.is_some(),
            value: value.into(),
        });
        if after.is_empty() {
            return Some(());
        }
        rest = after.strip_prefix(',')?;
    }
}

/// A text of nothing but such bytes, and what comes after it.
fn plain_text(text: &str, may_be: impl Fn(u8) -> bool) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let is_other = |byte| byte < b' ' || matches!(byte, b'"' | b'\\') || !may_be(byte);
    let (plain, rest) = text.split_at_checked(text.bytes().position(is_other)?)?;
    Some((plain, rest.strip_prefix('"')?))
}

/// A truth value, null, or a number of digits.
fn plain_word(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr(b',', text.as_bytes()).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    let is_number = matches!(word.as_bytes(), [b'1'..=b'9', digits @ ..] if digits.iter().all(u8::is_ascii_digit));
    let is_word = matches!(word, "true" | "false" | "null" | "0");
    (is_word || is_number).then_some((word, rest))
}

/// Takes a JSON value apart; `None` where it is too deep or broken. Numbers stay as they are written: to
/// read one may round it, and then two questions would be one.
fn flatten<'a>(text: &'a str, name: &mut String, leaves: &mut Vec<Leaf<'a>>) -> Option<()> {
    let here = name.len();
    match text.as_bytes().first()? {
        b'{' => {
            let mut parser = serde_json::Deserializer::from_str(text);
            let before = leaves.len();
            parser.deserialize_map(Members { name, leaves }).ok()?;
            parser.end().ok()?;
            if leaves.len() == before {
                leaves.push(Leaf::of(name.clone().into(), "{}")?);
            }
        }
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            if items.is_empty() {
                leaves.push(Leaf::of(name.clone().into(), "[]")?);
            }
            for (index, item) in items.into_iter().enumerate() {
                name.push_str(&format!("[{index}]"));
                flatten(item.get(), name, leaves)?;
                name.truncate(here);
            }
        }
        _ => leaves.push(Leaf::of(name.clone().into(), text)?),
    }
    Some(())
}

impl<'a> Leaf<'a> {
    /// From the value as it is written.
    fn of(name: Cow<'a, str>, written: &'a str) -> Option<Self> {
        let quoted = written.strip_prefix('"');
        let value = match quoted {
            None => Cow::Borrowed(written),
            Some(rest) => match rest.strip_suffix('"')? {
                plain if !plain.contains(['\\', '"']) => Cow::Borrowed(plain),
                _ => serde_json::from_str::<Text<'a>>(written).ok()?.0,
            },
        };
        Some(Self {
            name,
            is_text: quoted.is_some(),
            value,
        })
    }
}

/// A text, borrowed where it can be.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Takes the members of an object apart, also those that come twice.
struct Members<'m, 'de> {
    name: &'m mut String,
    leaves: &'m mut Vec<Leaf<'de>>,
}

impl<'de> Visitor<'de> for Members<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { name, leaves } = self;
        let here = name.len();
        while let Some((Text(member), value)) = map.next_entry::<_, &RawValue>()? {
            name.extend((here > 0).then_some('.'));
            escape(&member, name);
            let done = flatten(value.get(), name, leaves);
            name.truncate(here);
            done.ok_or_else(|| A::Error::custom("it cannot be taken apart"))?;
        }
        Ok(())
    }
}

/// A member's name within a longer one, so that no two places have one name.
fn escape(member: &str, into: &mut String) {
    for c in member.chars() {
        match c {
            '~' => into.push_str("~0"),
            '.' => into.push_str("~1"),
            '[' => into.push_str("~2"),
            c => into.push(c),
        }
    }
    // An empty name is one too.
    if member.is_empty() {
        into.push_str("~3");
    }
}
