//! What the router logs. A program of its own: who logs first, on whatever thread, decides what
//! `tracing` listens to.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::{Builder, Region};
use aws_sdk_bedrockruntime::error::DisplayErrorContext;
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{Catalog, Overlay, Policy, RouterInterceptor};
use bedrock_catalog_tests::fake_bedrock::{Memory, Stage};

const SONNET: &str = "anthropic.claude-sonnet-4-6";

/// Keeps what is logged on this thread by the router.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(tracing::Level, String)>>>);

struct Text<'a>(&'a mut String);

impl tracing::field::Visit for Text<'_> {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

impl tracing::Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("bedrock_catalog")
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut Text(&mut line));
        let level = *event.metadata().level();
        self.0.lock().unwrap().push((level, line));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn without_a_route_aws_answers_and_one_warning_says_what_would_allow_it() {
    // From here only a global profile serves it.
    let memory = Memory::new(Stage::new(Recording::of_catalog(Catalog::bundled())));
    let router = RouterInterceptor::new(Catalog::bundled(), Policy::Geography);
    let config = Builder::from(&memory.sdk_config())
        .region(Region::new("sa-east-1"))
        .interceptor(router)
        .build();
    let client = Client::from_conf(config);
    let lines = Lines::default();
    let logging = tracing::subscriber::set_default(lines.clone());
    let error = client.converse().model_id(SONNET).send().await.unwrap_err();
    drop(logging);

    let error = DisplayErrorContext(&error).to_string();
    assert!(
        error.contains("on-demand throughput isn\u{2019}t supported"),
        "{error}"
    );
    assert_eq!(memory.stage().requests(), 1);
    let lines = lines.0.lock().unwrap();
    let [(level, line)] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(*level, tracing::Level::WARN);
    for says in [SONNET, "sa-east-1", "only a global profile", "policy any"] {
        assert!(line.contains(says), "{says}: {line}");
    }
}

/// Ids of the caller's own overlay name its account; the log does not.
#[tokio::test]
async fn account_ids_are_not_logged() {
    const PROFILE: &str =
        "arn:aws:bedrock:sa-east-1:999988887777:application-inference-profile/abc";
    const PRIVATE: &str = "private-of-999988887777";
    let json = format!(
        r#"{{"models": [{{"id": "{PRIVATE}",
            "access": [{{"inference_types": ["PROVISIONED"], "regions": ["sa-east-1"]}}]}}],
        "profiles": [{{"id": "{PROFILE}", "routes": [{{"model": "{SONNET}",
            "sources": ["sa-east-1"], "destinations": ["sa-east-1"]}}]}}]}}"#
    );
    let overlay = Overlay::from_json(json.as_bytes()).unwrap();
    let catalog = Arc::new(overlay.lay_over(Catalog::bundled()).unwrap());
    let router = RouterInterceptor::new(catalog, Policy::Geography);
    assert_eq!(
        router.route(SONNET, "sa-east-1").unwrap().as_deref(),
        Some(PROFILE)
    );
    let memory = Memory::new(Stage::new(Recording::of_catalog(Catalog::bundled())));
    let config = Builder::from(&memory.sdk_config())
        .region(Region::new("sa-east-1"))
        .interceptor(router)
        .build();
    let client = Client::from_conf(config);
    let lines = Lines::default();
    let logging = tracing::subscriber::set_default(lines.clone());
    for id in [SONNET, PRIVATE] {
        // Whatever the stage, which knows neither, answers.
        let _ = client.converse().model_id(id).send().await;
    }
    drop(logging);
    let lines = lines.0.lock().unwrap();
    let [(routed, profile), (warned, private)] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (*routed, *warned),
        (tracing::Level::DEBUG, tracing::Level::WARN)
    );
    let scrubbed = |text: &str| text.replace("999988887777", "000000000000");
    assert!(profile.contains(&scrubbed(PROFILE)), "{profile}");
    assert!(private.contains(&scrubbed(PRIVATE)), "{private}");
    for line in [profile, private] {
        assert!(!line.contains("999988887777"), "{line}");
    }
}
