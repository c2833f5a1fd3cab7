//! A slice of the fuzzing in every test run: the checks of `fuzz/` over its seeds and mutations of them.
//! What the fuzzer itself found is among the seeds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;

use bedrock_catalog_fuzz_checks as checks;
use bedrock_catalog_tests::count;
use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};

/// The full figure in the long lane, the slice otherwise.
fn figure(full: u64, slice: u64) -> u64 {
    let is_long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|value| value == "1");
    if is_long { full } else { slice }
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/seeds")
        .join(target);
    let files = fs::read_dir(&folder).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no seeds in {}", folder.display());
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The check of each seed, and of mutations that are the same in every run.
fn slice(target: &str, check: fn(&[u8])) {
    let mut random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let seeds = seeds(target);
    let mutations = figure(20_000, 200);
    for seed in &seeds {
        check(seed);
        for _ in 0..mutations {
            let mut bytes = seed.clone();
            for _ in 0..=random.next_u32() % 4 {
                mutate(&mut bytes, &seeds, &mut random);
            }
            check(&bytes);
        }
    }
    let mutated = seeds.len() as u64 * mutations;
    let result = format_args!("{mutated} mutations");
    count(&format!("{target}, mutated"), result);
}

/// What makes JSON something else at a stroke.
const WORDS: [&str; 14] = [
    "null",
    "-1",
    "18446744073709551616",
    "1e999",
    "\"\"",
    "[]",
    "{}",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "arn:",
    "global",
    "*",
    "\n",
];

fn mutate(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut TestRng) {
    let mut below = |most: usize| random.next_u32() as usize % most.max(1);
    let at = below(bytes.len() + 1);
    let until = (at + below(40)).min(bytes.len());
    match below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << below(8),
        1 if at < bytes.len() => bytes[at] = below(256) as u8,
        2 => drop(bytes.drain(at..until)),
        3 => bytes.truncate(at),
        4 => {
            let word = WORDS[below(WORDS.len())].as_bytes();
            bytes.splice(at..until, word.iter().copied());
        }
        5 => {
            let piece = bytes[at..until].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => {
            let other = &seeds[below(seeds.len())];
            let from = below(other.len());
            let piece = &other[from..(from + below(200)).min(other.len())];
            bytes.splice(at..until, piece.iter().copied());
        }
    }
}

#[test]
fn entries() {
    slice("entry", checks::entry);
}

#[test]
fn catalogs() {
    checks::catalog(include_bytes!("../../catalog-data/catalog.json"));
    slice("catalog", checks::catalog);
}

#[test]
fn recordings() {
    slice("recording", checks::recording);
}

#[test]
fn overlays() {
    slice("overlay", checks::overlay);
}
