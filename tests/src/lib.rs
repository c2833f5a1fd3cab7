//! Whole-system tests of the Bedrock catalog, and the stage they run on.
//!
//! - [`fake_bedrock`] speaks Bedrock's control plane to the real SDK, over HTTP or in memory, and
//!   misbehaves by script.
//! - [`fake_aws`] keeps users, groups, permission sets and Bedrock's resources for the real SDK.
//! - [`redis_server`] starts real Redis servers.
//! - [`synthetic`] makes small recordings in code; [`recordings`] finds the real ones, where they are.

pub mod fake_aws;
pub mod fake_bedrock;
mod loopback;
pub mod recordings;
pub mod redis_server;
pub mod synthetic;

/// Says, past the test harness's capture, that a test was skipped and why.
pub fn skip(name: &str, why: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {why}");
}

/// The README's examples, as they stand.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
