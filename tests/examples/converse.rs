//! A Bedrock client that calls a model which only inference profiles serve: with the bare id (AWS
//! refuses), with the id resolved by the catalog, and with a router that resolves every request.
//!
//! Run it as `docs/examples.md` says: `cargo run … --example converse -- [MODEL]`

use aws_config::SdkConfig;
use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::Builder;
use aws_sdk_bedrockruntime::types::{ContentBlock, ConversationRole, Message};
use bedrock_catalog::fetch::sdk_config_from_env;
use bedrock_catalog::{LiveCatalog, Policy, RouterInterceptor};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let model = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "anthropic.claude-sonnet-4-6".to_owned());
    let config = sdk_config_from_env().await;
    let live = LiveCatalog::builder()
        .sdk_config(&config)
        .from_env()?
        .build()?;
    live.load().await?;

    let client = Client::new(&config);
    match say(&client, &model).await {
        Ok(text) => println!("bare id:  {text}"),
        // The SDK's error says "service error"; its source says which.
        Err(error) => println!("bare id:  {}", error.source().unwrap_or(&*error)),
    }
    println!("resolved: {}", resolved(&config, &live, &model).await?);
    println!("routed:   {}", say(&routed(&config, live), &model).await?);
    Ok(())
}

/// Asks the catalog what to send, and sends that.
pub(crate) async fn resolved(
    config: &SdkConfig,
    live: &LiveCatalog,
    model: &str,
) -> Result<String, Error> {
    let region = config.region().ok_or("no region")?;
    let catalog = live.snapshot();
    let route = catalog.route(model, region.as_ref(), Policy::Geography)?;
    say(&Client::new(config), route.inference_id()).await
}

/// A client that does this by itself, for every request.
pub(crate) fn routed(config: &SdkConfig, live: LiveCatalog) -> Client {
    let router = RouterInterceptor::new(live, Policy::Geography);
    Client::from_conf(Builder::from(config).interceptor(router).build())
}

/// Says hello to a model, and hands back what it says.
pub(crate) async fn say(client: &Client, id: &str) -> Result<String, Error> {
    let hello = Message::builder()
        .role(ConversationRole::User)
        .content(ContentBlock::Text("Hello.".to_owned()))
        .build()?;
    let answer = client
        .converse()
        .model_id(id)
        .messages(hello)
        .send()
        .await?;
    let output = answer
        .output()
        .ok_or("no output")?
        .as_message()
        .map_err(|_| "no message")?;
    let text = output
        .content()
        .iter()
        .find_map(|block| block.as_text().ok());
    Ok(text.cloned().unwrap_or_default())
}
