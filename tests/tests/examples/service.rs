//! The web service, over HTTP.

use bedrock_catalog::LiveCatalog;
use bedrock_catalog_tests::fake_bedrock::{Fault, Rule};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{FakeBedrock, SONNET, bedrock, live, stage};

#[path = "../../examples/service.rs"]
#[allow(dead_code)]
mod example;

/// The service on a loopback address, until the test ends.
async fn serve(live: LiveCatalog) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, example::app(live)).await });
    address
}

/// The status and the JSON document at a path.
async fn get(address: &str, path: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn it_tells_routes_and_how_it_stands() {
    let fake = bedrock();
    let live = live(&fake).build().unwrap();
    live.load().await.unwrap();
    let service = serve(live).await;

    let (status, health) = get(&service, "/health").await;
    assert_eq!((status, &health["source"]), (200, &json!("api")));
    assert_eq!(health["degraded"], json!(false), "{health}");

    let (status, route) = get(&service, &format!("/route/eu-central-1/{SONNET}")).await;
    assert_eq!(status, 200, "{route}");
    assert_eq!(route["inference_id"], json!(format!("eu.{SONNET}")));

    let (status, refused) = get(&service, &format!("/route/sa-east-1/{SONNET}")).await;
    assert_eq!(status, 404, "{refused}");
    assert_eq!(refused["error"]["kind"], json!("policy_forbids"));
    let (status, unknown) = get(&service, "/route/eu-central-1/anthropic.claude-sonet-4-6").await;
    assert_eq!(status, 404, "{unknown}");
    let near = unknown["error"]["suggestions"].as_array().unwrap();
    assert!(near.contains(&json!(SONNET)), "{unknown}");
}

#[tokio::test]
async fn degraded_is_visible_and_the_service_answers_all_the_same() {
    // One region refuses: its rows are not renewed.
    let refusing = Rule::new(Fault::access_denied()).region("sa-east-1");
    let fake = FakeBedrock::start(stage().rule(refusing)).unwrap();
    let partial = live(&fake).build().unwrap();
    partial.load().await.unwrap();
    let service = serve(partial).await;
    let (status, health) = get(&service, "/health").await;
    assert_eq!(
        (status, &health["degraded"]),
        (200, &json!(true)),
        "{health}"
    );
    let reason = health["regions"]["failed"]["sa-east-1"].as_str().unwrap();
    assert!(reason.contains("not authorized"), "{reason}");
    assert_eq!(health["regions"]["answered"], json!(["eu-central-1"]));

    // All do: the bundle answers.
    let fake = FakeBedrock::start(stage().rule(Rule::new(Fault::access_denied()))).unwrap();
    let bundled = live(&fake).build().unwrap();
    bundled.load().await.unwrap();
    let service = serve(bundled).await;
    let (status, health) = get(&service, "/health").await;
    assert_eq!(
        (status, &health["degraded"]),
        (200, &json!(true)),
        "{health}"
    );
    assert_eq!(health["source"], json!("bundle"));
    let (status, _) = get(&service, &format!("/route/eu-central-1/{SONNET}")).await;
    assert_eq!(status, 200);
}
