//! `cargo +nightly fuzz run catalog fuzz/corpus/catalog fuzz/seeds/catalog`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bedrock_catalog_fuzz_checks::catalog(bytes));
