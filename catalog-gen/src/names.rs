//! The names of constants. A name never changes once it is assigned.
//!
//! A name is the id in upper case with `_` for every character that is no letter or digit. If two ids
//! give one name, the id of the previous catalog keeps it, else the smaller id. The others get `_2`,
//! `_3`, …, which the catalog records.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{Catalog, Document, Text};

use crate::error::{GenError, GenErrorKind};

/// rustdoc writes a file per constant, and file names have at most 255 bytes.
const MAX_CHARS: usize = 200;

/// The name of a constant that an id gives, before collisions: an identifier in upper case.
///
/// ```
/// use bedrock_catalog_gen::constant_name;
///
/// assert_eq!(constant_name("anthropic.claude-sonnet-4-6"), "ANTHROPIC_CLAUDE_SONNET_4_6");
/// assert_eq!(constant_name("01-ai.yi"), "_01_AI_YI");
/// ```
pub fn constant_name(id: &str) -> String {
    let name: String = id
        .chars()
        .take(MAX_CHARS)
        .map(|letter| match letter.is_ascii_alphanumeric() {
            true => letter.to_ascii_uppercase(),
            false => '_',
        })
        .collect();
    let starts_well = name.starts_with(|first: char| first.is_ascii_uppercase());
    // `_` is no name, and a name cannot begin with a digit.
    let only_underscores = name.bytes().all(|byte| byte == b'_');
    match (starts_well, only_underscores) {
        (true, _) => name,
        (false, true) => format!("ID{name}"),
        (false, false) => format!("_{name}"),
    }
}

/// Records in a document the names that differ from those the ids give. Ids of the previous catalog keep
/// their names.
pub(crate) fn assign(document: &mut Document<'_>, previous: Option<&Catalog>) {
    let known = |id: &str| previous.is_some_and(|previous| previous.model(id).is_some());
    let models = document.models.iter_mut();
    assign_names(
        models
            .map(|entry| (&*entry.id, &mut entry.constant, known(&entry.id)))
            .collect(),
    );
    let known = |id: &str| previous.is_some_and(|previous| previous.profile(id).is_some());
    let profiles = document.profiles.iter_mut();
    assign_names(
        profiles
            .map(|entry| (&*entry.id, &mut entry.constant, known(&entry.id)))
            .collect(),
    );
}

/// The name of each id, in the order of the ids: the recorded one, else a new one.
///
/// # Errors
/// A recorded name is no constant name, or is taken. Catalogs are untrusted files.
pub(crate) fn names<'a>(
    ids: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Vec<String>, GenError> {
    let mut given: Vec<(&str, Option<Text<'_>>)> =
        ids.map(|(id, name)| (id, name.map(Text::from))).collect();
    assign_names(
        given
            .iter_mut()
            .map(|(id, name)| (*id, name, false))
            .collect(),
    );
    let mut taken = BTreeSet::new();
    let names = given.into_iter().map(|(id, name)| {
        let name = name.map_or_else(|| constant_name(id), |name| name.to_string());
        match is_name(&name) && taken.insert(name.clone()) {
            true => Ok(name),
            false => {
                let message = format!("{id:?} cannot have the constant {name:?}");
                Err(GenError::new(GenErrorKind::InvalidInput, message))
            }
        }
    });
    names.collect()
}

/// Whether it is an upper-case identifier with more than underscores.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    name.bytes().all(is_letter)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().any(|byte| byte != b'_')
}

/// Assigns names to entries of (id, recorded name, whether the previous catalog has the id). Recorded
/// names stay; then known ids get the name they give, then the others, by id.
fn assign_names(mut entries: Vec<(&str, &mut Option<Text<'_>>, bool)>) {
    let mut taken: BTreeSet<String> = entries
        .iter()
        .filter_map(|(_, name, _)| Some(name.as_ref()?.to_string()))
        .collect();
    entries.sort_by_key(|&(id, _, known)| (!known, id));
    let mut counters: BTreeMap<String, u32> = BTreeMap::new();
    for (id, name, _) in entries.iter_mut().filter(|(_, name, _)| name.is_none()) {
        let own = constant_name(id);
        if taken.insert(own.clone()) {
            continue;
        }
        let counter = counters.entry(own.clone()).or_insert(1);
        let new = loop {
            *counter += 1;
            let new = format!("{own}_{counter}");
            if taken.insert(new.clone()) {
                break new;
            }
        };
        **name = Some(new.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(ids: &[(&'static str, Option<&'static str>)]) -> Vec<String> {
        names(ids.iter().copied()).unwrap()
    }

    #[test]
    fn every_id_gives_an_identifier() {
        for (id, name) in [
            ("amazon.nova-pro-v1:0:300k", "AMAZON_NOVA_PRO_V1_0_300K"),
            ("ü", "ID_"),
            ("_", "ID_"),
            ("é1", "__1"),
            ("self", "SELF"),
        ] {
            assert_eq!(constant_name(id), name, "{id}");
        }
    }

    #[test]
    fn names_are_unique_and_recorded_ones_stay() {
        assert_eq!(given(&[("a-b", None), ("a.b", None)]), ["A_B", "A_B_2"]);
        // The name that one id gives is the numbered name of another.
        assert_eq!(
            given(&[("a-b", None), ("a-b-2", None), ("a.b", None)]),
            ["A_B", "A_B_2", "A_B_3"]
        );
        // A recorded name stays, although `a-b` sorts before `a.b`.
        assert_eq!(
            given(&[("a-b", Some("A_B_2")), ("a.b", None)]),
            ["A_B_2", "A_B"]
        );
    }
}
