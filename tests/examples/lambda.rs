//! A Lambda function that answers which id to send for a model from the region it runs in.
//!
//! Needs no configuration: HOME is read-only there, so the cache settles in `/tmp`, and the next
//! environment on the same machine starts from it. Run it as `docs/examples.md` says.

use std::time::Duration;

use bedrock_catalog::fetch::sdk_config_from_env;
use bedrock_catalog::{LiveCatalog, Policy};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let config = sdk_config_from_env().await;
    let region = config
        .region()
        .map_or("us-east-1", |region| region.as_ref());
    let live = LiveCatalog::builder()
        .sdk_config(&config)
        // Shorter than the function's own timeout: then the bundle answers.
        .deadline(Duration::from_secs(2))
        .from_env()?
        .build()?;
    let live = &live;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        answer(live, region, &event.payload).await
    }))
    .await
}

/// The answer to `{"model": ID}`.
pub(crate) async fn answer(
    live: &LiveCatalog,
    region: &str,
    event: &Value,
) -> Result<Value, Error> {
    // A cold start waits here, up to the deadline. A warm one does not: what has become old, in a freeze
    // for example, is served and renewed in the background.
    let catalog = live.load().await?;
    let model = event["model"].as_str().unwrap_or_default();
    let route = catalog.route(model, region, Policy::Geography)?;
    Ok(json!({
        "inference_id": route.inference_id(),
        "destinations": route.destinations().to_string(),
        "source": catalog.source().as_str(),
        "observed_at": catalog.observed_at().to_string(),
        "degraded": catalog.is_degraded(),
    }))
}
