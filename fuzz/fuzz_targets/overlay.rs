//! `cargo +nightly fuzz run overlay fuzz/corpus/overlay fuzz/seeds/overlay`
#![no_main]
#![allow(dead_code)]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::overlay(bytes));
