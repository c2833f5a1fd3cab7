//! The user that the manual tells operators to make: it may do all the tier does, and nothing else.

use std::sync::Arc;

use bedrock_catalog::cache::testing::conformance;
use bedrock_catalog::cache::{ManualClock, Tier, TierErrorKind};

use crate::stage::*;

const MANUAL: &str = include_str!("../../../docs/operators.md");

#[test]
fn the_user_of_the_manual_is_enough_and_no_more() {
    let Some(server) = server() else { return };
    let line = MANUAL.lines().find(|line| line.starts_with("ACL SETUSER "));
    let line = line.unwrap().replace("PASSWORD", "open-sesame");
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(server.tell(&words), redis::Value::Okay);
    let url = format!("redis://catalog:open-sesame@127.0.0.1:{}", server.port());
    let clock = ManualClock::new();
    let of_the_manual = || tier_under("bedrock-catalog", &url, &clock);
    conformance::check(&clock, &|| {
        server.tell(&["FLUSHALL"]);
        Arc::new(of_the_manual())
    });
    // Nothing it did was refused, and quietly left out.
    let refused = server.tell(&["ACL", "LOG"]);
    assert_eq!(refused, redis::Value::Array(vec![]));
    assert!(of_the_manual().health().ok);

    let elsewhere = tier_under("other", &url, &clock);
    let error = elsewhere.get(&ns(), &key(1)).unwrap_err();
    assert_eq!(error.kind(), TierErrorKind::Refused, "{error}");
    assert!(error.to_string().contains("ACL"), "{error}");
    assert_ne!(server.tell(&["ACL", "LOG"]), redis::Value::Array(vec![]));
}
