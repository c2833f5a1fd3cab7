//! `cargo +nightly fuzz run entry fuzz/corpus/entry fuzz/seeds/entry`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bedrock_catalog_fuzz_checks::entry(bytes));
