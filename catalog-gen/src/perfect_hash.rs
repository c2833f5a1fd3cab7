//! Perfect-hash tables of ids, computed by `phf_generator` with the hash of the data crate.

use std::collections::BTreeSet;

use bedrock_catalog_data::baked_v1::{KeyHash, Line, PerfectHash, StaticList};
use phf_generator::{HashState, generate_hash_with_hash_fn};

/// A table that finds the position of each id in the list. The ids must be distinct and
/// [solvable](is_solvable).
///
/// # Panics
/// The table does not find an id: the release of the `phf` family is incompatible.
#[expect(
    clippy::panic,
    reason = "a table that loses keys must never be written"
)]
pub(crate) fn solve(ids: &[&str]) -> PerfectHash {
    let state = displacements(ids);
    // Fits: row numbers have 16 bits.
    let line = |&row: &usize| Line::new(ids.get(row).copied().unwrap_or_default(), row as u16);
    let lines: Vec<Line> = state.map.iter().map(line).collect();
    let lines_len = lines.len() as u32;
    let displacements = StaticList::Owned(state.disps);
    let table = PerfectHash::new(
        state.key,
        displacements,
        StaticList::Owned(lines),
        lines_len,
    );
    for (row, id) in ids.iter().enumerate() {
        let id_of = |row: u16| ids.get(usize::from(row)).copied();
        if table.find(id, id_of).map(usize::from) != Some(row) {
            panic!(
                "the table does not find {id:?}: this release of the phf family is incompatible"
            );
        }
    }
    table
}

fn displacements(ids: &[&str]) -> HashState {
    if ids.is_empty() {
        // The generator would divide by zero.
        return HashState {
            key: 0,
            disps: Vec::new(),
            map: Vec::new(),
        };
    }
    // The generator's own number of buckets; with another, `solve` would find no key and panic.
    let buckets = ids.len().div_ceil(3);
    generate_hash_with_hash_fn(ids, |id, &seed| {
        // `Hashes` is non-exhaustive: it can only be taken from its crate and filled.
        let mut hashes = phf_shared::hash("", &0);
        let hash = KeyHash::new(id, seed);
        hashes.g = hash.bucket(buckets) as u32;
        hashes.f1 = hash.low();
        hashes.f2 = hash.high();
        hashes
    })
}

/// Whether a table exists. The generator never ends if two ids have equal hashes under every seed, so
/// this tries some seeds.
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
    fn zero_ids_and_one_id_have_tables() {
        assert_eq!(solve(&[]).parts().2.count(), 0);
        assert_eq!(solve(&["a"]).parts().2.count(), 1);
    }

    #[test]
    fn every_row_has_one_line() {
        let ids: Vec<String> = (0..500).map(|n| format!("provider.model-{n}")).collect();
        let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
        assert!(is_solvable(&ids));
        let rows: BTreeSet<u16> = solve(&ids).parts().2.collect();
        assert_eq!(rows.len(), 500);
    }
}
