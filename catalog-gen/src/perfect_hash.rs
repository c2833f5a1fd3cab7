//! Solves the perfect-hash table of a list of ids, with the generator of the `phf` family and the
//! hash of the data crate.

use std::collections::BTreeSet;

use bedrock_catalog_data::baked_v1::{KeyHash, Line, PerfectHash, StaticList};
use phf_generator::{HashState, generate_hash_with_hash_fn};

/// A table that finds each id's place in the list. The ids are distinct, and [`is_solvable`].
///
/// # Panics
/// Where the table does not find an id: the `phf` family changed under us.
#[expect(
    clippy::panic,
    reason = "a table that loses keys must never be written"
)]
pub(crate) fn solve(ids: &[&str]) -> PerfectHash {
    let state = displacements(ids);
    // A catalog has fewer rows than 16 bits can count.
    let line = |&row: &usize| Line::new(ids.get(row).copied().unwrap_or_default(), row as u16);
    let lines: Vec<Line> = state.map.iter().map(line).collect();
    let places = lines.len() as u32;
    let displacements = StaticList::Owned(state.disps);
    let table = PerfectHash::new(state.key, displacements, StaticList::Owned(lines), places);
    for (row, id) in ids.iter().enumerate() {
        let id_of = |row: u16| ids.get(usize::from(row)).copied();
        if table.find(id, id_of).map(usize::from) != Some(row) {
            panic!("the table does not find {id:?}: this release of the phf family is another");
        }
    }
    table
}

fn displacements(ids: &[&str]) -> HashState {
    if ids.is_empty() {
        // The generator would reduce by a length of zero.
        return HashState {
            key: 0,
            disps: Vec::new(),
            map: Vec::new(),
        };
    }
    // As many as the generator makes; were they others, `solve` would find no key.
    let buckets = ids.len().div_ceil(3);
    generate_hash_with_hash_fn(ids, |id, &seed| {
        // `Hashes` cannot be made outside its crate; one is taken and filled.
        let mut hashes = phf_shared::hash("", &0);
        let hash = KeyHash::new(id, seed);
        hashes.g = hash.bucket(buckets) as u32;
        hashes.f1 = hash.low();
        hashes.f2 = hash.high();
        hashes
    })
}

/// Whether ids can have a table at all: the generator looks for ever where two ids have one hash
/// under every seed, so the first seeds are tried here.
pub(crate) fn is_solvable(ids: &[&str]) -> bool {
    let distinct = |seed: u64| {
        let hashes: BTreeSet<KeyHash> = ids.iter().map(|id| KeyHash::new(id, seed)).collect();
        hashes.len() == ids.len()
    };
    (0..8u64).any(|seed| distinct(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_ids_and_one_id_have_tables() {
        assert_eq!(solve(&[]).parts().2.count(), 0);
        assert_eq!(solve(&["a"]).parts().2.count(), 1);
    }

    #[test]
    fn every_row_has_one_place() {
        let ids: Vec<String> = (0..500).map(|n| format!("provider.model-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
        assert!(is_solvable(&ids));
        let rows: BTreeSet<u16> = solve(&ids).parts().2.collect();
        assert_eq!(rows.len(), 500);
    }
}
