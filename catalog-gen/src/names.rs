//! The names of constants: given once, kept for ever.
//!
//! A name is the id in upper case with every other character as `_`. Where two ids have one name,
//! the one that had it before keeps it, else the smaller id; the others get `_2`, `_3`, …, which
//! the catalog records.

use std::collections::{BTreeMap, BTreeSet};

use bedrock_catalog_data::{Catalog, Document, Text};

/// Documentation has a file per constant, and file systems stop at 255 bytes. No real id is near.
const LONGEST: usize = 200;

/// The name an id gives by itself: an identifier in upper case.
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
        .take(LONGEST)
        .map(|letter| match letter.is_ascii_alphanumeric() {
            true => letter.to_ascii_uppercase(),
            false => '_',
        })
        .collect();
    let starts_well = name.starts_with(|first: char| first.is_ascii_uppercase());
    // A lone `_` is no name for a constant, and a digit begins none.
    let only_lines = name.bytes().all(|byte| byte == b'_');
    match (starts_well, only_lines) {
        (true, _) => name,
        (false, true) => format!("ID{name}"),
        (false, false) => format!("_{name}"),
    }
}

/// Writes into a document the names that differ from the ids' own. The ids of the previous catalog
/// keep the names they have there.
pub(crate) fn assign(document: &mut Document<'_>, previous: Option<&Catalog>) {
    let known = |id: &str| previous.is_some_and(|previous| previous.model(id).is_some());
    let models = document.models.iter_mut();
    settle(
        models
            .map(|entry| (&*entry.id, &mut entry.constant, known(&entry.id)))
            .collect(),
    );
    let known = |id: &str| previous.is_some_and(|previous| previous.profile(id).is_some());
    let profiles = document.profiles.iter_mut();
    settle(
        profiles
            .map(|entry| (&*entry.id, &mut entry.constant, known(&entry.id)))
            .collect(),
    );
}

/// Each id's name, in the order of the ids: those given, and fresh ones for the rest.
///
/// # Errors
/// Where a given name is none, or is another id's: a catalog may be anyone's file.
pub(crate) fn names<'a>(
    ids: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<Vec<String>, String> {
    let mut given: Vec<(&str, Option<Text<'_>>)> =
        ids.map(|(id, name)| (id, name.map(Text::from))).collect();
    settle(
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
            false => Err(format!("{id:?} cannot have the constant {name:?}")),
        }
    });
    names.collect()
}

/// What [`constant_name`] gives: an identifier in upper case that is more than `_`.
fn is_name(name: &str) -> bool {
    let is_letter = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
    name.bytes().all(is_letter)
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().any(|byte| byte != b'_')
}

/// Gives every id a name of its own: (id, its recorded name, whether it was known before). Recorded
/// names stand; then the known ids take the name of their own letters, then the others, by id.
fn settle(mut entries: Vec<(&str, &mut Option<Text<'_>>, bool)>) {
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
        let fresh = loop {
            *counter += 1;
            let fresh = format!("{own}_{counter}");
            if taken.insert(fresh.clone()) {
                break fresh;
            }
        };
        **name = Some(fresh.into());
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
    fn a_name_is_taken_once_and_kept() {
        assert_eq!(given(&[("a-b", None), ("a.b", None)]), ["A_B", "A_B_2"]);
        // The natural name of one id is the numbered name of another.
        assert_eq!(
            given(&[("a-b", None), ("a-b-2", None), ("a.b", None)]),
            ["A_B", "A_B_2", "A_B_3"]
        );
        // `a.b` came first, long ago: the newcomer `a-b` gets the number although it sorts before.
        assert_eq!(
            given(&[("a-b", Some("A_B_2")), ("a.b", None)]),
            ["A_B_2", "A_B"]
        );
    }
}
