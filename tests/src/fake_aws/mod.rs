//! A small AWS that keeps state: Identity Store and SSO Admin (AWS JSON), Bedrock's own resources
//! (REST-JSON), roles of IAM and the caller's identity (Query), over loopback HTTP to the real SDK. It fails on demand.
//! It checks no signature.
//!
//! ```
//! use bedrock_catalog_tests::fake_aws::FakeAws;
//!
//! let aws = FakeAws::start()?;
//! println!("{}", aws.url());
//! assert_eq!(aws.requests("ListUsers"), 0);
//! # Ok::<(), std::io::Error>(())
//! ```

mod bedrock;
mod iam;
mod identity_store;
mod server;
mod sso_admin;
mod state;

pub use server::{FakeAws, Seen};
pub use state::{Fault, IDENTITY_STORE, INSTANCE};
