//! `cargo +nightly fuzz run overlay fuzz/corpus/overlay fuzz/seeds/overlay`
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bedrock_catalog_fuzz_checks::overlay(bytes));
