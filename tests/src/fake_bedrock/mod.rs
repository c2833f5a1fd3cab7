//! A fake Bedrock control plane: it replays a recording to the real SDK, and misbehaves by script.
//!
//! It follows the published API model: `GET /foundation-models` with its filters,
//! `GET /inference-profiles?maxResults=&nextToken=&type=`, REST-JSON errors with `x-amzn-errortype`,
//! the region taken from the signature's credential scope. It knows nothing of the catalog or the
//! fetcher; it is no model of AWS's signature checks: every signature is accepted.
//!
//! A [`Stage`] decides what to answer. [`FakeBedrock`] puts one on a loopback address; [`Memory`] puts
//! one behind the SDK's HTTP interface without a socket, for tests on a paused clock.
//!
//! ```
//! use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Operation, Rule, Stage};
//! use bedrock_catalog_tests::synthetic;
//!
//! let recording = synthetic::recording(&["us-east-1", "eu-west-1"], 8, 30);
//! let denied = Rule::new(Fault::access_denied()).region("eu-west-1").operation(Operation::Models);
//! let fake = FakeBedrock::start(Stage::new(recording).profile_page_size(20).rule(denied))?;
//! println!("{}", fake.url());
//! assert_eq!(fake.stage().requests(), 0);
//! # Ok::<(), std::io::Error>(())
//! ```

mod body;
mod converse;
mod memory;
mod protocol;
mod script;
mod server;
mod stage;

pub use body::{Delivery, ReplyBody};
pub use memory::{Memory, sdk_config};
pub(crate) use protocol::decode;
pub use protocol::{Ask, Operation, Reply};
pub use script::{Fault, Rule, Tokens};
pub use server::FakeBedrock;
pub use stage::{Seen, Stage};
