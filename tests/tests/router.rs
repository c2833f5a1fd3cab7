//! The router, through the real SDK: what goes over the wire is what the catalog says, and nothing
//! else is touched.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_bedrockruntime::Client;
use aws_sdk_bedrockruntime::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_bedrockruntime::config::retry::RetryConfig;
use aws_sdk_bedrockruntime::config::{Builder, ConfigBag, Intercept, Region, RuntimeComponents};
use aws_sdk_bedrockruntime::error::{BoxError, DisplayErrorContext};
use aws_sdk_bedrockruntime::primitives::Blob;
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{Catalog, HasCatalog, LiveCatalog, Overlay, Policy, RouterInterceptor};
use bedrock_catalog_tests::fake_bedrock::{Ask, Fault, Memory, Operation, Rule, Stage};
use proptest::prelude::*;

const SONNET: &str = "anthropic.claude-sonnet-4-6";

/// The model ids that went over the wire, attempt by attempt.
#[derive(Debug, Clone, Default)]
struct Wire(Arc<Mutex<Vec<String>>>);

impl Wire {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Intercept for Wire {
    fn name(&self) -> &'static str {
        "Wire"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let uri = context.request().uri();
        let from = uri.find("/model/").unwrap() + "/model/".len();
        let (id, _) = uri[from..].rsplit_once('/').unwrap();
        self.0.lock().unwrap().push(Ask::new("POST", id, None).path);
        Ok(())
    }
}

/// The bundle's own recording, without a socket.
fn bedrock() -> Stage {
    Stage::new(Recording::of_catalog(Catalog::bundled()))
}

/// A client with a router, on this stage, and what it sends.
fn client<C: HasCatalog>(
    memory: &Memory,
    router: RouterInterceptor<C>,
    region: &str,
) -> (Client, Wire) {
    let wire = Wire::default();
    let config = Builder::from(&memory.sdk_config())
        .region(Region::new(region.to_owned()))
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .interceptor(router)
        .interceptor(wire.clone())
        .build();
    (Client::from_conf(config), wire)
}

/// What should be sent, told without the router.
fn expected(catalog: &Catalog, id: &str, region: &str, policy: Policy<'_>) -> String {
    let on_demand = catalog.access(id, region).ok().and_then(|a| a.on_demand());
    let route = catalog
        .route(id, region, policy)
        .ok()
        .filter(|_| on_demand != Some(true));
    route.map_or(id, |route| route.inference_id()).to_owned()
}

fn policies() -> [Policy<'static>; 6] {
    [
        Policy::InRegion,
        Policy::Geography,
        Policy::Any,
        Policy::Global,
        Policy::Within(&["eu-*"]),
        Policy::Within(&["us-east-1", "us-east-2", "us-west-2"]),
    ]
}

#[test]
fn every_model_from_every_region_is_routed_as_the_catalog_says() {
    let catalog = Catalog::bundled();
    let mut rewritten = 0;
    for policy in policies() {
        let router = RouterInterceptor::new(catalog, policy);
        for (model, region) in pairs(catalog) {
            let routed = router.route(model, region);
            let sent = routed.clone().ok().flatten();
            let should = expected(catalog, model, region, policy);
            assert_eq!(sent.as_deref().unwrap_or(model), should, "{model} {region}");
            // Either the id works as it is, or it is replaced, or the error says why not.
            let works = catalog
                .access(model, region)
                .is_ok_and(|access| access.on_demand() == Some(true));
            assert_eq!(
                works,
                matches!(routed, Ok(None)),
                "{model} {region} {policy}"
            );
            rewritten += usize::from(sent.is_some());
        }
    }
    assert!(rewritten > 1000, "{rewritten}");
}

fn pairs(catalog: &Catalog) -> impl Iterator<Item = (&str, &str)> {
    catalog.models().flat_map(|model| {
        catalog
            .regions()
            .map(move |region| (model.id(), region.id()))
    })
}

#[tokio::test]
async fn what_is_routed_is_what_goes_over_the_wire() {
    let catalog = Catalog::bundled();
    let memory = Memory::new(bedrock());
    for region in catalog.regions() {
        let router = RouterInterceptor::new(catalog, Policy::Any);
        let (client, wire) = client(&memory, router, region.id());
        for model in catalog.models() {
            let answer = client.converse().model_id(model.id()).send().await;
            let should = expected(catalog, model.id(), region.id(), Policy::Any);
            assert_eq!(wire.take(), [should.as_str()], "{model:?} {region:?}");
            let callable = catalog.route(model.id(), region.id(), Policy::Any).is_ok();
            assert_eq!(answer.is_ok(), callable, "{model:?} {region:?}");
        }
    }
}

#[tokio::test]
async fn four_operations_are_routed_and_no_other() {
    let memory = Memory::new(bedrock());
    let router = RouterInterceptor::new(Catalog::bundled(), Policy::Geography);
    let (client, wire) = client(&memory, router, "eu-central-1");
    let body = Blob::new("{}");
    let eu = format!("eu.{SONNET}");

    client.converse().model_id(SONNET).send().await.unwrap();
    assert_eq!(wire.take(), [&*eu]);
    // The fake knows Converse only: what it answers to the others does not matter.
    let _ = client.converse_stream().model_id(SONNET).send().await;
    assert_eq!(wire.take(), [&*eu]);
    let call = client.invoke_model().model_id(SONNET).body(body.clone());
    let _ = call.send().await;
    assert_eq!(wire.take(), [&*eu]);
    let call = client
        .invoke_model_with_response_stream()
        .model_id(SONNET)
        .body(body);
    let _ = call.send().await;
    assert_eq!(wire.take(), [&*eu]);

    let _ = client.count_tokens().model_id(SONNET).send().await;
    assert_eq!(wire.take(), [SONNET]);
}

#[tokio::test(start_paused = true)]
async fn a_retry_repeats_what_was_chosen() {
    let throttled = Rule::new(Fault::throttling())
        .operation(Operation::Converse)
        .requests(1..=2);
    let memory = Memory::new(bedrock().rule(throttled));
    let router = RouterInterceptor::new(Catalog::bundled(), Policy::Geography);
    let (client, wire) = client(&memory, router, "eu-central-1");
    client.converse().model_id(SONNET).send().await.unwrap();
    assert_eq!(wire.take(), [format!("eu.{SONNET}").as_str(); 3]);
}

#[tokio::test]
async fn an_operation_s_own_region_counts() {
    let memory = Memory::new(bedrock());
    let router = RouterInterceptor::new(Catalog::bundled(), Policy::Geography);
    let (client, wire) = client(&memory, router, "eu-central-1");
    let elsewhere = Builder::default().region(Region::new("us-west-2"));
    let call = client.converse().model_id(SONNET).customize();
    call.config_override(elsewhere).send().await.unwrap();
    client.converse().model_id(SONNET).send().await.unwrap();
    assert_eq!(
        wire.take(),
        [format!("us.{SONNET}"), format!("eu.{SONNET}")]
    );
}

#[tokio::test]
async fn every_kind_of_catalog_routes() {
    let memory = Memory::new(bedrock());
    let document = Catalog::bundled().to_document();
    let shared = Arc::new(Catalog::from_document(&document).unwrap());
    let live = LiveCatalog::builder().offline(true).build().unwrap();
    let us = format!("us.{SONNET}");

    let (baked, wire) = client(
        &memory,
        RouterInterceptor::within(Catalog::bundled(), ["us-*"]),
        "us-east-1",
    );
    baked.converse().model_id(SONNET).send().await.unwrap();
    assert_eq!(wire.take(), [&*us]);
    let (shared, wire) = client(
        &memory,
        RouterInterceptor::new(shared, Policy::Geography),
        "us-east-1",
    );
    shared.converse().model_id(SONNET).send().await.unwrap();
    assert_eq!(wire.take(), [&*us]);
    let (live, wire) = client(
        &memory,
        RouterInterceptor::new(live, Policy::Geography),
        "us-east-1",
    );
    live.converse().model_id(SONNET).send().await.unwrap();
    assert_eq!(wire.take(), [&*us]);
}

#[tokio::test]
async fn without_a_route_nothing_is_sent_where_that_is_wanted() {
    let memory = Memory::new(bedrock());
    let router = RouterInterceptor::new(Catalog::bundled(), Policy::Geography).fail_without_route();
    let (client, wire) = client(&memory, router, "sa-east-1");
    let error = client.converse().model_id(SONNET).send().await.unwrap_err();
    assert_eq!(wire.take(), [""; 0]);
    let error = DisplayErrorContext(&error).to_string();
    assert!(error.contains("only a global profile"), "{error}");
    // Ids that are not the catalog's business still go out.
    let unknown = client.converse().model_id("my-own-model").send().await;
    assert!(unknown.is_err());
    assert_eq!(wire.take(), ["my-own-model"]);
}

/// Ids that are no exact model id: profile ids, ARNs, near misses, anything.
fn other_ids() -> impl Strategy<Value = String> {
    let catalog = Catalog::bundled();
    let models: Vec<&str> = catalog.models().map(|model| model.id()).collect();
    let profiles: Vec<&str> = catalog.profiles().map(|profile| profile.id()).collect();
    let model = prop::sample::select(models);
    let profile = prop::sample::select(profiles);
    let kinds = prop::sample::select(vec![
        "foundation-model",
        "inference-profile",
        "application-inference-profile",
        "provisioned-model",
        "prompt-router",
    ]);
    let near = (model.clone(), "[ -~]{1,3}", any::<bool>());
    let arn = (kinds, prop_oneof![model.clone(), profile.clone()]);
    prop_oneof![
        profile.prop_map(str::to_owned),
        near.prop_map(|(id, more, before)| match before {
            true => format!("{more}{id}"),
            false => format!("{id}{more}"),
        }),
        model.prop_map(str::to_uppercase),
        arn.prop_map(|(kind, id)| format!("arn:aws:bedrock:us-east-1:000000000000:{kind}/{id}")),
        "\\PC{1,40}",
        "[a-z0-9.:-]{1,40}",
    ]
    .prop_filter("a model id", |id| {
        Catalog::bundled().model(id.as_str()).is_none()
    })
}

/// The two ARNs of a caller's own, as docs/live.md has them in an overlay.
#[tokio::test]
async fn arns_of_an_overlay_are_routes_and_go_out_as_they_are() {
    const PROFILE: &str =
        "arn:aws:bedrock:eu-west-1:000000000000:application-inference-profile/abc";
    const THROUGHPUT: &str = "arn:aws:bedrock:eu-west-1:000000000000:provisioned-model/abc";
    const HONEST: &str = "arn:aws:bedrock:eu-west-1:000000000000:provisioned-model/def";
    let docs = include_str!("../../docs/live.md");
    let (_, json) = docs.split_once("```json").unwrap();
    let (json, _) = json.split_once("```").unwrap();
    assert!(
        json.contains(PROFILE) && json.contains(THROUGHPUT),
        "{json}"
    );
    let overlay = Overlay::from_json(json.as_bytes()).unwrap();
    let catalog = overlay.lay_over(Catalog::bundled()).unwrap();
    // Called by its own word, it has no route: no policy has provisioned throughput.
    let honest = format!(
        r#"{{"models": [{{"id": "{HONEST}",
            "access": [{{"inference_types": ["PROVISIONED"], "regions": ["eu-west-1"]}}]}}]}}"#
    );
    let honest = Overlay::from_json(honest.as_bytes()).unwrap();
    let catalog = Arc::new(honest.lay_over(&catalog).unwrap());

    let route = catalog
        .route(THROUGHPUT, "eu-west-1", Policy::InRegion)
        .unwrap();
    assert_eq!(route.inference_id(), THROUGHPUT);
    assert!(catalog.route(THROUGHPUT, "eu-west-2", Policy::Any).is_err());
    assert!(catalog.route(HONEST, "eu-west-1", Policy::Any).is_err());
    let route = catalog
        .route(SONNET, "eu-west-1", Policy::Geography)
        .unwrap();
    assert_eq!(route.inference_id(), PROFILE);
    let elsewhere = catalog
        .route(SONNET, "eu-west-3", Policy::Geography)
        .unwrap();
    assert!(elsewhere.inference_id().starts_with("eu."));

    for region in ["eu-west-1", "eu-west-2", "us-east-1"] {
        for policy in policies() {
            let router = RouterInterceptor::new(Arc::clone(&catalog), policy).fail_without_route();
            let (client, wire) = client(&Memory::new(bedrock()), router, region);
            for arn in [PROFILE, THROUGHPUT, HONEST] {
                // Whatever is answered to it.
                let _ = client.converse().model_id(arn).send().await;
                assert_eq!(wire.take(), [arn], "{region} {policy}");
            }
        }
    }
    let router = RouterInterceptor::new(catalog, Policy::Geography);
    assert_eq!(
        router.route(SONNET, "eu-west-1").unwrap().as_deref(),
        Some(PROFILE)
    );
}

proptest! {
    #[test]
    fn every_other_id_is_untouched(id in other_ids(), region in 0..64usize) {
        let catalog = Catalog::bundled();
        let region = catalog.regions().cycle().nth(region).unwrap();
        for policy in policies() {
            let router = RouterInterceptor::new(catalog, policy).fail_without_route();
            prop_assert_eq!(router.route(&id, region.id()).unwrap(), None);
        }
        let router = RouterInterceptor::new(catalog, Policy::Any).fail_without_route();
        let (client, wire) = client(&Memory::new(bedrock()), router, region.id());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // Whatever is answered to it.
        let _ = runtime.block_on(client.converse().model_id(&id).send());
        prop_assert_eq!(wire.take(), [id]);
    }
}
