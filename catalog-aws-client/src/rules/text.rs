//! The texts of rules: how they match, and whether they are valid.

use std::fmt;

use serde::Deserialize;

use super::Rules;

/// The format of rules that this version reads.
const FORMAT: u32 = 1;

/// A text in which `*` stands for any text: the parts between.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub(super) struct Glob(Vec<String>);

impl From<String> for Glob {
    fn from(text: String) -> Self {
        Self(text.split('*').map(str::to_owned).collect())
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("*"))
    }
}

impl Glob {
    pub(super) fn matches(&self, mut text: &str) -> bool {
        let [start, middle @ .., end] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == text);
        };
        // The end first: most globs differ there.
        let Some(rest) = text.strip_suffix(end.as_str()) else {
            return false;
        };
        let Some(rest) = rest.strip_prefix(start.as_str()) else {
            return false;
        };
        text = rest;
        middle.iter().all(|part| {
            let after = text.split_once(part.as_str());
            text = after.map_or("", |(_, after)| after);
            after.is_some()
        })
    }
}

pub(super) fn any_matches(globs: &[Glob], text: &str) -> bool {
    globs.iter().any(|glob| glob.matches(text))
}

/// Whether an operation begins with these whole words: `Get` begins `GetUser`, not `Getaway`.
pub(super) fn begins_with(operation: &str, words: &str) -> bool {
    let rest = operation.strip_prefix(words);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Letters and digits in lower case: `private_key` and `PrivateKey` are one name.
pub(super) fn normalized(name: &str) -> String {
    let mut name = name.to_ascii_lowercase();
    name.retain(|c| c.is_ascii_alphanumeric());
    name
}

/// The words of a name, in lower case: `CREATE_IN_PROGRESS` and `createInProgress` have three.
pub(super) fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (after_lower && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        after_lower = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut() {
            word.extend(c.is_ascii_alphanumeric().then_some(c.to_ascii_lowercase()));
        }
    }
    words.into_iter().filter(|word| !word.is_empty())
}

/// The operations of `service:Operation:{Parameter}`, and the parameter.
pub(super) fn split_target(target: &str) -> (&str, Option<&str>) {
    match target.split_once(":{") {
        Some((operations, name)) => (operations, name.strip_suffix('}').or(Some(""))),
        None => (target, None),
    }
}

impl Rules {
    /// The first text that cannot mean anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            let format = self.format;
            return Err(format!(
                "format {format}; this version reads format {FORMAT}"
            ));
        }
        let uncached = self.uncached.iter().flat_map(|group| &group.operations);
        check(uncached, is_operations, "expected service:Operation")?;
        check(&self.neutral, is_operations, "expected service:Operation")?;
        let ends_in_words = |text: &str| {
            let (_, name) = text.split_once(':').unwrap_or_default();
            !name.strip_suffix('*').unwrap_or(name).contains('*')
        };
        let expected = "a * of a neutral operation stands at its end";
        check(&self.neutral, ends_in_words, expected)?;
        let names = [&self.secrets.members, &self.secrets.link_parameters];
        let words = [&self.in_motion.words, &self.in_motion.settled];
        let globs = names.into_iter().chain(words).flatten();
        check(globs, is_glob, "expected letters, digits and *")?;
        check(
            self.scopes.values().flatten(),
            is_parameter,
            "expected a parameter",
        )?;
        for write in &self.writes {
            let globs = [&write.service].into_iter().chain(&write.operations);
            check(globs, is_glob, "expected letters, digits, - and *")?;
            check(
                &write.path,
                |path| path.starts_with('/'),
                "a path begins with a slash",
            )?;
            let is_target = |target: &str| {
                let (operations, name) = split_target(target);
                is_operations(operations) && name.is_none_or(is_parameter)
            };
            let expected = "expected service:Operation or service:Operation:{Parameter}";
            check(&write.invalidates, is_target, expected)?;
            if write.operations.is_empty() || write.invalidates.is_empty() {
                return Err(format!("a write of \"{}\": an empty list", write.service));
            }
        }
        Ok(())
    }
}

fn check<'a, T: fmt::Display + 'a>(
    texts: impl IntoIterator<Item = &'a T>,
    is_valid: impl Fn(&str) -> bool,
    expected: &str,
) -> Result<(), String> {
    let mut texts = texts.into_iter().map(T::to_string);
    match texts.find(|text| !is_valid(text)) {
        Some(text) => Err(format!("{text:?}: {expected}")),
        None => Ok(()),
    }
}

fn is_operations(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(service, operation)| is_glob(service) && is_glob(operation))
}

fn is_glob(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '*');
    !text.is_empty() && text.chars().all(is_allowed)
}

fn is_parameter(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.chars().all(is_allowed)
}
