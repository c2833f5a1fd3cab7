//! Whole-system tests of the Bedrock catalog, and the stage they run on.
//!
//! - [`fake_bedrock`] speaks Bedrock's control plane to the real SDK, over HTTP or in memory, and
//!   misbehaves by script.
//! - [`fake_aws`] keeps users, groups, permission sets and Bedrock's resources for the real SDK.
//! - [`synthetic`] makes small recordings in code; [`recordings`] finds the real ones, where they are.

pub mod fake_aws;
pub mod fake_bedrock;
mod loopback;
pub mod recordings;
pub mod synthetic;

pub use bedrock_catalog_test_support::{count, leave_out, skip};

/// The README's examples, as they stand.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
