//! Invoking a model is neither a read nor a write.

use std::collections::HashMap;

use aws_sdk_bedrockruntime::primitives::Blob;
use aws_sdk_bedrockruntime::types::{
    AsyncInvokeOutputDataConfig, AsyncInvokeS3OutputDataConfig, ContentBlock, ConversationRole,
    CountTokensInput, InvokeModelTokensRequest, Message,
};
use aws_smithy_types::Document;

use crate::stage::{ACCOUNT, World, config, credentials};

fn runtime(w: &World) -> aws_sdk_bedrockruntime::Client {
    let config = config(&w.aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let config = aws_sdk_bedrockruntime::config::Builder::from(&config)
        .http_client(w.cached.http_client())
        .interceptor(w.cached.interceptor())
        .build();
    aws_sdk_bedrockruntime::Client::from_conf(config)
}

#[tokio::test]
async fn async_invocations_invalidate_their_list() {
    let w = World::new();
    let client = runtime(&w);
    let start = async || {
        let output = AsyncInvokeS3OutputDataConfig::builder().s3_uri("s3://bucket/output");
        let output = AsyncInvokeOutputDataConfig::S3OutputDataConfig(output.build().unwrap());
        let write = client.start_async_invoke().model_id("m");
        let write = write.model_input(Document::Object(HashMap::new()));
        write.output_data_config(output).send().await.unwrap();
    };
    let started = async || {
        let read = client.list_async_invokes().send().await.unwrap();
        read.async_invoke_summaries.unwrap_or_default().len()
    };
    w.is_invalidated_by("ListAsyncInvokes", true, started, start())
        .await;
    w.is_invalidated_by("ListAsyncInvokes", true, started, start())
        .await;
}

#[tokio::test]
async fn invoking_a_model_is_neutral() {
    let w = World::new();
    let list = || w.bedrock.list_guardrails().send();
    list().await.unwrap();
    let client = runtime(&w);
    let message = || {
        let message = Message::builder().role(ConversationRole::User);
        let message = message.content(ContentBlock::Text("hello".into()));
        message.build().unwrap()
    };
    let tokens = || {
        let body = InvokeModelTokensRequest::builder().body(Blob::new("{}"));
        CountTokensInput::InvokeModel(body.build().unwrap())
    };
    // The server has none of these operations; the request is enough.
    let before = w.aws.seen().len();
    for _ in 0..2 {
        let converse = client.converse().model_id("m").messages(message());
        assert!(converse.send().await.is_err());
        let stream = client.converse_stream().model_id("m").messages(message());
        assert!(stream.send().await.is_err());
        let invoke = client.invoke_model().model_id("m").body(Blob::new("{}"));
        assert!(invoke.send().await.is_err());
        let count = client.count_tokens().model_id("m").input(tokens());
        assert!(count.send().await.is_err());
    }
    assert_eq!(w.aws.seen().len(), before + 8, "each is a request");
    let statistics = w.cached.statistics();
    assert_eq!((statistics.writes, statistics.invalidated), (0, 0));
    assert_eq!((statistics.misses, statistics.hits), (1, 0));
    list().await.unwrap();
    assert_eq!(w.aws.requests("ListGuardrails"), 1);
}
