//! The Lambda function's handler, with a clock that is moved. The function itself, in a process and a
//! sandbox of its own, is in `sandbox`.

use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog::cache::ManualClock;
use serde_json::json;

use super::{FakeBedrock, ONE_ASKING, SONNET, bedrock, live, stage};

#[path = "../../examples/lambda.rs"]
#[allow(dead_code)]
pub(super) mod example;

/// 2026-09-01: after the bundle was recorded.
const SEPTEMBER: Duration = Duration::from_secs(1_788_220_800);

#[tokio::test]
async fn a_freeze_of_two_days_is_survived_and_made_up_for_in_the_background() {
    let clock = ManualClock::at(std::time::UNIX_EPOCH + SEPTEMBER);
    let fake = bedrock();
    let live = live(&fake).clock(clock.clone()).build().unwrap();
    let changes = live.subscribe();
    let event = json!({ "model": SONNET });
    let invoke = || example::answer(&live, "eu-central-1", &event);

    let cold = invoke().await.unwrap();
    assert_eq!(cold["source"], json!("api"));
    assert_eq!(cold["inference_id"], json!(format!("eu.{SONNET}")));
    assert_eq!(invoke().await.unwrap(), cold);
    assert_eq!(fake.stage().requests(), ONE_ASKING);
    assert!(changes.next().await.is_some());

    // In the freeze time passes and every connection breaks.
    let port = fake.url().rsplit_once(':').unwrap().1.parse().unwrap();
    drop(fake);
    clock.advance(Duration::from_secs(2 * 86_400));
    let fake = FakeBedrock::start_on(stage(), port).unwrap();

    assert_eq!(invoke().await.unwrap(), cold, "served at once");
    // Nothing but the time of the observation changes, of which no notice is sent.
    let before = live.snapshot().observed_at();
    let renewed = async {
        loop {
            let snapshot = live.snapshot();
            if snapshot.observed_at() > before {
                break snapshot;
            }
            tokio::task::yield_now().await;
        }
    };
    let renewed = tokio::time::timeout(Duration::from_secs(30), renewed);
    let renewed = renewed.await.expect("renewed in the background");
    assert_eq!(fake.stage().requests(), ONE_ASKING);
    let warm = invoke().await.unwrap();
    assert_eq!(
        warm["observed_at"],
        json!(renewed.observed_at().to_string())
    );
    assert_ne!(warm["observed_at"], cold["observed_at"]);
    assert_eq!(warm["inference_id"], cold["inference_id"]);
}

#[tokio::test]
async fn a_wrong_question_gets_the_catalog_s_answer() {
    let fake = bedrock();
    let live = Arc::new(live(&fake).build().unwrap());
    for (event, says) in [
        (json!({ "model": "anthropic.claude-sonet-4-6" }), SONNET),
        (json!({}), "unknown model"),
        (json!("what"), "unknown model"),
    ] {
        let error = example::answer(&live, "eu-central-1", &event)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}
