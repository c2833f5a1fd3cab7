//! The client: refused with the bare id, answered with what the catalog says.

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::error::DisplayErrorContext;

use super::{SONNET, aws, bedrock, live};

#[path = "../../examples/converse.rs"]
#[allow(dead_code)]
mod example;

#[tokio::test]
async fn the_bare_id_is_refused_and_the_catalog_s_is_answered() {
    let fake = bedrock();
    let (config, live) = (aws(&fake), live(&fake).build().unwrap());
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");

    let bare = example::say(&Client::new(&config), SONNET).await;
    let error = DisplayErrorContext(&*bare.unwrap_err()).to_string();
    assert!(
        error.contains("ValidationException")
            && error.contains("on-demand throughput isn\u{2019}t supported"),
        "{error}"
    );

    let greeting = format!("Hello from eu.{SONNET}.");
    let resolved = example::resolved(&config, &live, SONNET).await;
    assert_eq!(resolved.unwrap(), greeting);

    let client = example::routed(&config, live);
    assert_eq!(example::say(&client, SONNET).await.unwrap(), greeting);
    // What works as it is goes out as it is.
    let profile = format!("global.{SONNET}");
    let greeting = format!("Hello from {profile}.");
    assert_eq!(example::say(&client, &profile).await.unwrap(), greeting);
}
