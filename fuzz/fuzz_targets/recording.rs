//! `cargo +nightly fuzz run recording fuzz/corpus/recording fuzz/seeds/recording`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bedrock_catalog_fuzz_checks::recording(bytes));
