//! The Amazon Bedrock model catalog, baked into the binary.
#![no_std]

extern crate alloc;

mod time;

pub use time::{Date, ParseTimeError, Timestamp};
