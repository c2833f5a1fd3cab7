//! `cargo +nightly fuzz run entry fuzz/corpus/entry fuzz/seeds/entry`
#![no_main]
#![allow(dead_code)]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::entry(bytes));
