//! Responses that are read, judged, stored and read again.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures_lite::future::block_on;
use http_body::{Body, Frame};
use proptest::prelude::*;

use crate::document::Format;
use crate::response::{self, Failure, decode, storable, unfit};
use crate::rules::Rules;

/// A body in pieces, of a length that is not announced; it may break off.
struct Pieces(VecDeque<Bytes>, bool);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let next = self.0.pop_front().map(|piece| Ok(Frame::data(piece)));
        let broken = next.is_none() && std::mem::take(&mut self.1);
        Poll::Ready(next.or_else(|| broken.then(|| Err(std::io::Error::other("broken off")))))
    }
}

fn response(status: u16, kind: &str, body: SdkBody) -> HttpResponse {
    let mut response = HttpResponse::new(status.try_into().unwrap(), body);
    let headers = response.headers_mut();
    headers.insert("content-type", kind.to_owned());
    headers.insert("x-amzn-requestid", "r-1");
    headers.insert("date", "Sat, 21 Nov 2026 09:00:00 GMT");
    response
}

/// The body as a caller reads it.
fn received(mut response: HttpResponse) -> Vec<u8> {
    block_on(async {
        let mut bytes = Vec::new();
        while let Some(frame) =
            poll_fn(|context| Pin::new(&mut *response.body_mut()).poll_frame(context)).await
        {
            bytes.extend_from_slice(frame.unwrap().data_ref().unwrap());
        }
        bytes
    })
}

/// The stored form.
fn store(response: &mut HttpResponse, bound: usize) -> Result<Bytes, &'static str> {
    let rules = Rules::none();
    let stored = storable(response, &rules, bound, None);
    block_on(stored).unwrap_or(Err("the connection failed"))
}

proptest! {
    #[test]
    fn a_caller_receives_the_whole_body_stored_or_not(
        pieces in prop::collection::vec("[a-z]{0,20}", 0..6),
        bound in 0..80_usize,
        breaks in any::<bool>(),
    ) {
        let pieces: Vec<_> = pieces.into_iter().map(Bytes::from).collect();
        let quotes = [Bytes::from_static(b"\""), Bytes::from_static(b"\"")];
        let [open, close] = quotes;
        let pieces: VecDeque<_> = [open].into_iter().chain(pieces).chain([close]).collect();
        let whole: Vec<u8> = pieces.iter().flatten().copied().collect();
        let body = Pieces(pieces, breaks);
        let mut came = response(200, "application/json", SdkBody::from_body_1_x(body));
        match store(&mut came, bound) {
            Ok(stored) => {
                prop_assert!(!breaks && whole.len() <= bound);
                prop_assert_eq!(received(came), whole.clone());
                let again = decode(&stored, Duration::from_secs(7)).unwrap();
                prop_assert_eq!(again.headers().get("age"), Some("7"));
                prop_assert_eq!(again.headers().get("x-amzn-requestid"), Some("r-1"));
                prop_assert_eq!(again.headers().get("date"), None);
                prop_assert_eq!(received(again), whole);
            }
            Err("the connection failed") => prop_assert!(breaks),
            Err(_) => {
                prop_assert!(whole.len() > bound);
                if !breaks {
                    prop_assert_eq!(received(came), whole);
                }
            }
        }
    }

    #[test]
    fn foreign_bytes_are_no_response(
        mut bytes in prop::collection::vec(any::<u8>(), 0..64),
        ours in any::<bool>(),
    ) {
        if ours {
            bytes.splice(0..0, *b"aws-response/1\n");
        }
        if let Some(response) = decode(&Bytes::from(bytes), Duration::ZERO) {
            prop_assert!(ours && response.status().as_u16() == 200);
        }
    }
}

/// Sends one piece and stalls.
struct Stalls(Option<Bytes>);

impl Body for Stalls {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match self.0.take() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Pending,
        }
    }
}

#[test]
fn a_body_that_stalls_is_passed_on_as_it_arrives() {
    #[derive(Debug)]
    struct Soon;
    impl AsyncSleep for Soon {
        fn sleep(&self, _: Duration) -> Sleep {
            Sleep::new(async {})
        }
    }
    let body = SdkBody::from_body_1_x(Stalls(Some(Bytes::from_static(b"{"))));
    let mut came = response(200, "application/json", body);
    let soon = SharedAsyncSleep::new(Soon);
    let stored = block_on(storable(&mut came, &Rules::none(), 10, Some(&soon)));
    assert!(stored.unwrap().is_err());
    let mut body = Pin::new(came.body_mut());
    let first = block_on(poll_fn(|context| body.as_mut().poll_frame(context)));
    assert_eq!(first.unwrap().unwrap().into_data().unwrap(), "{");
    let next = poll_fn(|context| Poll::Ready(body.as_mut().poll_frame(context).is_pending()));
    assert!(block_on(next));
}

#[test]
fn a_cut_head_is_no_response() {
    let mut came = response(200, "application/json", SdkBody::from("{}"));
    let stored = store(&mut came, 10).unwrap();
    for cut in 0..stored.len() - 2 {
        assert!(
            decode(&stored.slice(..cut), Duration::ZERO).is_none(),
            "{cut}"
        );
    }
    assert!(decode(&stored, Duration::ZERO).is_some());
}

#[test]
fn a_header_that_is_not_text_is_left_out() {
    let mut parts = http::Response::builder()
        .header("content-type", "application/json")
        .header("x-after", "there");
    let value = http::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    parts.headers_mut().unwrap().insert("x-note", value);
    let mut came = HttpResponse::try_from(parts.body(SdkBody::from("{}")).unwrap()).unwrap();
    let again = decode(&store(&mut came, 10).unwrap(), Duration::ZERO).unwrap();
    assert!(!again.headers().contains_key("x-note"));
    assert_eq!(again.headers().get("x-after"), Some("there"));
    assert_eq!(received(again), b"{}");
}

#[test]
fn only_a_whole_200_in_a_known_format_may_be_stored() {
    let (json, body) = ("application/json", || SdkBody::from("{}"));
    let with = |name: &'static str, value: &'static str| {
        let mut response = response(200, json, body());
        response.headers_mut().insert(name, value);
        response
    };
    let refused = [
        (response(400, json, body()), "its status is not 200"),
        (response(302, json, body()), "its status is not 200"),
        (response(202, json, body()), "its status is not 200"),
        (
            response(204, json, SdkBody::empty()),
            "its status is not 200",
        ),
        (response(206, json, body()), "its status is not 200"),
        (
            with("content-encoding", "gzip"),
            "it has a content encoding",
        ),
        (
            with("cache-control", "private, No-Store"),
            "it says no-store",
        ),
        (
            response(200, "text/html", SdkBody::from("<html/>")),
            "it is not JSON, XML or CBOR",
        ),
        (
            response(200, "application/xhtml+xml", SdkBody::from("<html/>")),
            "it is not JSON, XML or CBOR",
        ),
        (
            response(200, "application/vnd.amazon.eventstream", body()),
            "it is not JSON, XML or CBOR",
        ),
        (
            response(200, "image/png", SdkBody::from("png")),
            "it is not JSON, XML or CBOR",
        ),
        (
            response(200, json, SdkBody::from("12345678901")),
            "its body is too large or too slow",
        ),
    ];
    for (mut came, reason) in refused {
        assert_eq!(store(&mut came, 10), Err(reason));
    }
    for (kind, body) in [
        ("application/x-amz-json-1.1", "{}"),
        ("text/xml;charset=UTF-8", "<a/>"),
        ("application/cbor", "\u{1}"),
    ] {
        let mut came = response(200, kind, SdkBody::from(body));
        assert!(store(&mut came, 10).is_ok(), "{kind}");
    }
}

/// By the first byte, as a service would send it.
fn reason(rules: &Rules, body: &[u8]) -> Option<&'static str> {
    let format = match body.trim_ascii_start().first() {
        Some(b'<') => Format::Xml,
        Some(0xa0..=0xbf) => Format::Cbor,
        _ => Format::Json,
    };
    unfit(rules, format, body)
}

#[test]
fn a_body_that_is_not_whole_is_not_stored() {
    let rules = Rules::none();
    for body in [
        "",
        "{",
        "{\"a\":1",
        "{}{}",
        "<html>",
        "not json",
        "<html><br></html>",
        "<a/><b/>",
        "<a>",
    ] {
        assert_eq!(
            reason(&rules, body.as_bytes()),
            Some("its body is not whole"),
            "{body}"
        );
    }
    let deep = [b"[".repeat(500), b"]".repeat(500)].concat();
    assert_eq!(reason(&rules, &deep), Some("its body is not whole"));
    let deep = ["<a>".repeat(500), "</a>".repeat(500)].concat();
    assert_eq!(
        reason(&rules, deep.as_bytes()),
        Some("its body is not whole")
    );
    for cut in 0..7 {
        assert_eq!(
            unfit(&rules, Format::Cbor, &b"\xbf\x61a\x81\xc1\x01\xff"[..cut]),
            Some("its body is not whole")
        );
    }
    for whole in [
        b"{}".as_slice(),
        b" [1, null, \"a\"] ",
        b"<?xml version=\"1.0\"?><!DOCTYPE a><a b='c'><d/>e<![CDATA[f]]><!-- g --></a>",
        b"\xbf\x61a\x81\xc1\x01\xff",
        b"\xa1\x61a\xfb\x3f\xf0\0\0\0\0\0\0",
    ] {
        assert_eq!(reason(&rules, whole), None, "{}", whole.escape_ascii());
    }
}

#[test]
fn an_answer_with_a_secret_is_known_by_its_members() {
    let rules = Rules::shipped();
    let is_secret = |body: &[u8]| reason(&rules, body) == Some("it has a secret");
    for secret in [
        // STS, IAM, Cognito, EC2 VPN.
        r#"{"Credentials":{"SecretAccessKey":"s"}}"#,
        "<Credentials><SessionToken>s</SessionToken></Credentials>",
        "<SecretAccessKey>s</SecretAccessKey>",
        r#"{"UserPoolClient":{"ClientSecret":"s"}}"#,
        r#"{"provider":{"client_secret":"s"}}"#,
        "<tunnelOption><preSharedKey>s</preSharedKey></tunnelOption>",
        r#"{"password":"s"}"#,
        // Glue, Amplify, Direct Connect.
        r#"{"ConnectionProperties":{"USERNAME":"u","PASSWORD":"s"}}"#,
        r#"{"ConnectionProperties":{"ENCRYPTED_PASSWORD":"s"}}"#,
        r#"{"ConnectionProperties":{"JDBC_CONNECTION_URL":"jdbc:redshift://h/d?user=u&password=s"}}"#,
        r#"{"apps":[{"name":"n","basicAuthCredentials":"dTpw"}]}"#,
        r#"{"bgpPeers":[{"asn":1,"authKey":"s"}]}"#,
        // RDS, Redshift, DMS, MQ, DocumentDB, ElastiCache.
        "<PendingModifiedValues><MasterUserPassword>s</MasterUserPassword></PendingModifiedValues>",
        r#"{"Endpoint":{"MongoDbSettings":{"Password":"s"}}}"#,
        r#"{"Endpoint":{"KafkaSettings":{"SaslPassword":"s","SslClientKeyPassword":"s"}}}"#,
        r#"{"ldapServerMetadata":{"serviceAccountPassword":"s"}}"#,
        "<ReplicationGroup><AuthToken>s</AuthToken></ReplicationGroup>",
        // AppFlow, EventBridge, API Gateway, AppSync, App Runner, CodeBuild, Pinpoint, Lightsail.
        r#"{"oAuthCredentials":{"accessToken":"s","refreshToken":"s"}}"#,
        r#"{"customConnector":{"apiKey":{"apiKey":"s","apiSecretKey":"s"}}}"#,
        r#"{"GCMChannelRequest":{"ApiKey":"s"}}"#,
        r#"{"webhook":{"url":"u","secret":"s"}}"#,
        r#"{"webhooks":[{"authenticationConfiguration":{"SecretToken":"s"}}]}"#,
        r#"{"privateKeyBase64":"s"}"#,
        // IoT, Chime, IVS, Athena, Elemental, SES, Directory Service.
        r#"{"keyPair":{"PublicKey":"p","PrivateKey":"s"}}"#,
        r#"{"AppSKey":"s","NwkSKey":"s"}"#,
        r#"{"OtaaV1_1":{"AppKey":"s","NwkKey":"s"}}"#,
        r#"{"Attendee":{"AttendeeId":"a","JoinToken":"s"}}"#,
        r#"{"Bot":{"SecurityToken":"s"}}"#,
        r#"{"streamKeys":[{"arn":"a"}],"streamKey":{"value":"s"}}"#,
        r#"{"EndpointUrl":"u","AuthToken":"s"}"#,
        r#"{"RadiusSettings":{"SharedSecret":"s"}}"#,
        r#"{"TrustPassword":"s"}"#,
        r#"{"DomainJoinInfo":{"AccountPassword":"s"}}"#,
        // What a write must name, and is good once.
        r#"{"Summary":{"Name":"n","LockToken":"t"}}"#,
        r#"{"UpdateToken":"t","Firewall":{}}"#,
        // A link that lets anybody in, whatever the member is called.
        r#"{"url":"https://b.s3.amazonaws.com/k?X-Amz-Expires=9&X-Amz-Signature=0f"}"#,
        "<Url>https://d.cloudfront.net/k?Expires=9&amp;Signature=s&amp;Key-Pair-Id=K</Url>",
        // Other ways to write it.
        "{ \"Password\" : \"s\" }",
        r#"{"document":"{\"password\":\"s\"}"}"#,
        r#"{"a":"{\"b\":\"{\\\"password\\\":\\\"s\\\"}\"}"}"#,
        "<Configuration>{&quot;ApiKey&quot; : &quot;s&quot;}</Configuration>",
        r#"{"document":"{\u0022password\u0022:\u0022s\u0022}"}"#,
        // Secrets Manager, KMS, ACM, and members with other spellings.
        r#"{"Name":"n","SecretString":"s"}"#,
        r#"{"SecretBinary":"s"}"#,
        r#"{"KeyMaterial":"s"}"#,
        r#"{"Plaintext":"s"}"#,
        r#"{"private_key":"s"}"#,
        r#"{"api_key":"s"}"#,
        r#"{"api-key":"s"}"#,
        r#"{"x":{"session_token":"s"}}"#,
        r#"{"streamKey":{"list":[{"value":"s"}]}}"#,
        // PEM blocks, whatever the member is called.
        r#"{"Certificate":"-----BEGIN CERTIFICATE-----\nMII"}"#,
        "<Body>-----BEGIN RSA PRIVATE KEY-----</Body>",
        // Links with a token or a signature.
        r#"{"Location":"https://b.s3.amazonaws.com/k?X-Amz-Security-Token=t"}"#,
        r#"{"LogUrl":"https://c.example/logs?sig=s&sv=1"}"#,
        r#"{"Login":"https://signin.example/federation?Action=login&SigninToken=t"}"#,
    ] {
        assert!(is_secret(secret.as_bytes()), "{secret}");
    }
    for open in [
        r#"{"PasswordPolicy":{"MinimumLength":8}}"#,
        r#"{"AuthType":"PASSWORD","Kind":"password"}"#,
        "<Type>password</Type>",
        r#"{"passwordLastUsed":"2026-01-01T00:00:00Z"}"#,
        r#"{"NextToken":"t","nextToken":"t","ContinuationToken":"t","PaginationToken":"t"}"#,
        "<R><NextToken>t</NextToken><Marker>m</Marker></R>",
        r#"{"MasterUserSecret":{"SecretArn":"a","KmsKeyId":"k"},"secretArn":"a"}"#,
        r#"{"Tags":[{"Key":"k","Value":"v"}],"KeyId":"k","PublicKey":"p","KmsKey":"h"}"#,
        r#"{"url":"https://sqs.us-east-1.amazonaws.com/1/q?a=b"}"#,
        r#"{"arn":"arn:aws:secretsmanager:us-east-1:123456789012:secret:password-a"}"#,
        r#"{"url":"https://docs.example/page?id=7"}"#,
        "{}",
    ] {
        assert_eq!(reason(&rules, open.as_bytes()), None, "{open}");
    }
    assert!(is_secret(b"\xbf\x6cuserPassword\x61s\xff"), "CBOR");
    assert!(is_secret(b"\xbf\x69Plaintext\x41s\xff"), "bytes in CBOR");
    assert_eq!(reason(&rules, b"\xbf\x69NextToken\x61t\xff"), None, "CBOR");
    let own = Rules::from_json(r#"{"format":1,"secrets":{"members":["*passphrase"]}}"#).unwrap();
    assert!(reason(&own, br#"{"ssh_Passphrase":"s"}"#).is_some());
    assert!(reason(&own, br#"{"Password":"s"}"#).is_none());
    assert!(reason(&Rules::none(), br#"{"Password":"s"}"#).is_none());
}

#[test]
fn an_answer_with_a_changing_resource_is_known_by_its_states() {
    let rules = Rules::shipped();
    let is_changing =
        |body: &[u8]| reason(&rules, body) == Some("it has a resource that is changing");
    for changing in [
        r#"{"status":"CREATING"}"#,
        r#"{"modelStatus":"Creating"}"#,
        "<I><State>pending</State></I>",
        r#"{"States":["a","In_Progress"]}"#,
        r#"{"jobStatus":"in progress"}"#,
        r#"{"jobStatus":"InProgress"}"#,
        "<S><StackStatus>CREATE_IN_PROGRESS</StackStatus></S>",
        r#"{"Status":"PENDING_VALIDATION"}"#,
        r#"{"State":{"Name":"shutting-down"}}"#,
        "<S><Status>Terminating</Status></S>",
        r#"{"tasks":[{"lastStatus":"DEACTIVATING"}]}"#,
        r#"{"State":"DEPLOYING"}"#,
        "<attachment><status>attaching</status></attachment>",
        r#"{"status":"RESTORING"}"#,
        r#"{"Clusters":[{"ClusterStatus":"resizing"}]}"#,
        // In any inflection, also of words that no list has.
        r#"{"status":"RETICULATING"}"#,
        r#"{"status":"Queued"}"#,
        r#"{"status":"SUBMITTED"}"#,
        r#"{"ImportStatus":"SCHEDULED"}"#,
        r#"{"state":"requested"}"#,
        r#"{"state":"INPROGRESS"}"#,
        r#"{"status":{"code":"started"}}"#,
    ] {
        assert!(is_changing(changing.as_bytes()), "{changing}");
    }
    let long = b"\xa1\x66status\x78\x1aCREATE_CLEANUP_IN_PROGRESS";
    assert!(is_changing(b"\xa1\x66status\x68CREATING"), "CBOR");
    assert!(is_changing(long), "CBOR");
    assert_eq!(
        reason(&rules, b"\xa2\x66status\x66ACTIVE\x64name\x6acreating a"),
        None
    );
    for settled in [
        r#"{"status":"READY"}"#,
        r#"{"status":"ENABLED","state":"Stopped"}"#,
        r#"{"status":"UPDATE_COMPLETE","other":"UPDATE_ROLLBACK_FAILED"}"#,
        r#"{"status":"NOT_PREPARED"}"#,
        r#"{"statusReason":"the model is creating a thing"}"#,
        "<S><Status>READY</Status></S>",
        r#"{"status":"READY","title":"creating"}"#,
        r#"{"title":"creating"}"#,
        r#"{"Statement":[{"Action":"s3:PutBucketLogging","Sid":"Logging"}]}"#,
        r#"{"stateMachineArn":"arn:aws:states:us-east-1:123456789012:stateMachine:billing"}"#,
    ] {
        assert_eq!(reason(&rules, settled.as_bytes()), None, "{settled}");
    }
}

/// In whatever protocol, and not if the code is only a word in a message.
#[test]
fn a_throttled_write_changed_nothing_and_a_failed_one_may_have() {
    let failure = |status, header: Option<&'static str>, body: &[u8]| {
        let mut response = response(status, "", SdkBody::from(body));
        if let Some(header) = header {
            response.headers_mut().insert("x-amzn-errortype", header);
        }
        let failure = block_on(response::failure(&mut response, None)).unwrap();
        assert_eq!(received(response), body, "the caller receives the body");
        failure
    };
    for body in [
        br#"{"__type":"ThrottlingException","message":"m"}"#.as_slice(),
        br#"{"__type":"com.amazon.coral#ThrottlingException"}"#,
        br#"{"code":"SlowDown:http://internal.amazon.com/"}"#,
        b"<Error><Code>SlowDown</Code><Message>m</Message></Error>",
        b"<Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors>",
    ] {
        assert_eq!(
            failure(503, None, body),
            Failure::Throttled,
            "{}",
            body.escape_ascii()
        );
    }
    let mut cbor = response(
        503,
        "application/cbor",
        SdkBody::from(b"\xbf\x66__type\x78\x19x.y.z#ThrottlingException\xff".as_slice()),
    );
    assert_eq!(
        block_on(response::failure(&mut cbor, None)).unwrap(),
        Failure::Throttled
    );
    for body in [
        b"".as_slice(),
        br#"{"__type":"InternalServerException","message":"no ThrottlingException"}"#,
        b"<Error><Code>InternalError</Code><Message>Not Throttling</Message></Error>",
        b"<Error><Code>SlowDownloadFailed</Code></Error>",
    ] {
        assert_eq!(
            failure(503, None, body),
            Failure::Uncertain,
            "{}",
            body.escape_ascii()
        );
    }
    let url = Some("ThrottlingException:http://x/");
    assert_eq!(failure(500, url, b""), Failure::Throttled);
    assert_eq!(
        failure(500, Some("InternalServerException"), b""),
        Failure::Uncertain
    );
    assert_eq!(failure(429, Some("Anything"), b""), Failure::Throttled);
    assert_eq!(failure(400, None, b"{}"), Failure::Refused);
    assert_eq!(failure(408, None, b"{}"), Failure::Uncertain);
    assert_eq!(
        failure(400, Some("OperationTimeoutException"), b"{}"),
        Failure::Uncertain
    );
    assert_eq!(failure(302, None, b"{}"), Failure::Uncertain);
}
