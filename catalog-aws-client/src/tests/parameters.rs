//! The digest of a request, and the resources that it names.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use proptest::prelude::*;
use serde_json::json;

use crate::parameters::{self, Parameters};
use crate::resource_ids::{hashed_id, ids};

fn request(method: &str, uri: &str, kind: &str, body: impl Into<Vec<u8>>) -> HttpRequest {
    let mut request = HttpRequest::new(SdkBody::from(body.into()));
    request.set_method(method).unwrap();
    request.set_uri(uri.to_owned()).unwrap();
    if !kind.is_empty() {
        request
            .headers_mut()
            .insert("content-type", kind.to_owned());
    }
    request
}

fn digest(request: &HttpRequest) -> String {
    parameters::digest(&[7; 32], request).unwrap()
}

proptest! {
    #[test]
    fn different_queries_and_forms_have_different_digests(
        one in prop::collection::vec(("[ab]{1,2}", "[ab]{0,2}"), 0..4),
        other in prop::collection::vec(("[ab]{1,2}", "[ab]{0,2}"), 0..4),
    ) {
        let text = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        let get = |pairs: &[(String, String)]| digest(&request("GET", &format!("https://x.example/?{}", text(pairs)), "", ""));
        let post = |pairs: &[(String, String)]| {
            digest(&request("POST", "https://x.example/", "application/x-www-form-urlencoded", text(pairs)))
        };
        prop_assert_eq!(get(&one) == get(&other), one == other);
        prop_assert_eq!(post(&one) == post(&other), one == other);
    }

    #[test]
    fn any_body_is_taken(body in prop::collection::vec(any::<u8>(), 0..64)) {
        for kind in ["application/json", "application/x-www-form-urlencoded", "application/cbor", "text/xml"] {
            let request = request("POST", "https://x.example/%zz?%%=&&=", kind, body.clone());
            digest(&request);
            Parameters::of(&request).resource_ids("GetThing", &[]);
        }
    }
}

#[test]
fn the_digest_is_over_all_that_is_requested() {
    let plain = || request("POST", "https://x.example/p", "application/json", "{}");
    let with = |name: &'static str, value: &'static str| {
        let mut request = plain();
        request.headers_mut().insert(name, value);
        digest(&request)
    };
    for header in [
        "authorization",
        "x-amz-date",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "user-agent",
        "x-amz-user-agent",
        "x-amz-security-token",
        "x-amzn-trace-id",
    ] {
        assert_eq!(digest(&plain()), with(header, "anything"), "{header}");
    }
    assert_ne!(digest(&plain()), with("x-amz-target", "Service.Operation"));
    assert_ne!(
        with("x-amz-expected-bucket-owner", "one"),
        with("x-amz-expected-bucket-owner", "other")
    );
    let others = [
        request("POST", "https://y.example/p", "application/json", "{}"),
        request("POST", "http://x.example/p", "application/json", "{}"),
        request("POST", "https://x.example:8/p", "application/json", "{}"),
        request("GET", "https://x.example/p", "application/json", "{}"),
        request("POST", "https://x.example/q", "application/json", "{}"),
        request("POST", "https://x.example/p?a", "application/json", "{}"),
        request("POST", "https://x.example/p", "application/json", ""),
        request("POST", "https://x.example/p", "application/cbor", "{}"),
    ];
    for other in others {
        assert_ne!(digest(&plain()), digest(&other), "{other:?}");
    }
    assert_ne!(
        parameters::digest(&[1; 32], &plain()),
        parameters::digest(&[2; 32], &plain())
    );
    // Keys are shared by processes, so the digest stays.
    assert_eq!(digest(&plain()), "a673e8638cc1b1ff16c803c684b854d6");
}

#[test]
fn a_later_page_has_a_token() {
    let is_later = |uri: &str, body: &str| {
        Parameters::of(&request("POST", uri, "application/json", body)).is_later_page()
    };
    assert!(is_later("https://x.example/things?nextToken=t", ""));
    assert!(is_later("https://x.example/", r#"{"NextToken":"t"}"#));
    assert!(is_later("https://x.example/?Marker=m", ""));
    assert!(!is_later("https://x.example/things?maxResults=5", "{}"));
    assert!(!is_later(
        "https://x.example/",
        r#"{"NextToken":null,"MaxResults":5}"#
    ));
}

#[test]
fn the_resources_of_a_request_are_hashed_ids() {
    let scopes = ["StoreId".to_owned()];
    let named = |request: &HttpRequest, operation: &str| {
        Parameters::of(request).resource_ids(operation, &scopes)
    };
    let hashed = |values: &[&str]| {
        values
            .iter()
            .flat_map(|value| ids(value).map(hashed_id))
            .collect::<Vec<_>>()
    };
    let json = |body: &str| {
        request(
            "POST",
            "https://x.example/",
            "application/x-amz-json-1.1",
            body,
        )
    };

    let body = r#"{"StoreId":"s","UserId":"u","Limit":"7","NextToken":"t","MaxResults":5,"Deep":{"Ids":["a","b"]}}"#;
    let mut found = named(&json(body), "ListThings");
    let mut wanted = hashed(&["u", "a", "b"]);
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "neither scope, page nor number");

    let arn = "arn:aws:sso:::permissionSet/s/ps-1";
    assert_eq!(hashed(&[arn]), hashed(&["s", "ps-1"]));
    let body = json!({ "StoreId": "arn:aws:sso:::instance/s", "SetArn": arn }).to_string();
    assert_eq!(
        named(&json(&body), "DescribeThing"),
        hashed(&["ps-1"]),
        "an id of the scope is no id of the resource"
    );

    let get = |path: &str| request("GET", &format!("https://x.example{path}"), "", "");
    let rest = [
        ("/guardrails", "ListGuardrails", hashed(&[])),
        ("/guardrails/abc", "GetGuardrail", hashed(&["abc"])),
        (
            "/guardrails/guardrail",
            "GetGuardrail",
            hashed(&["guardrail"]),
        ),
        (
            "/guardrails/arn%3Aaws%3Abedrock%3Aus-east-1%3A111111111111%3Aguardrail%2Fabc",
            "GetGuardrail",
            hashed(&["abc"]),
        ),
        (
            "/logging/modelinvocations",
            "GetModelInvocationLoggingConfiguration",
            hashed(&[]),
        ),
        (
            "/2015-03-31/functions/f/policy?Qualifier=q",
            "GetPolicy",
            hashed(&["functions", "f", "q"]),
        ),
        (
            "/v2/email/identities/a%40b",
            "GetEmailIdentity",
            hashed(&["a@b"]),
        ),
    ];
    for (path, operation, wanted) in rest {
        assert_eq!(named(&get(path), operation), wanted, "{path}");
    }
    let form = "Action=GetRole&Version=2010-05-08&RoleName=my+role";
    let form = request(
        "POST",
        "https://x.example/",
        "application/x-www-form-urlencoded",
        form,
    );
    assert_eq!(named(&form, "GetRole"), hashed(&["my role"]));
    assert_eq!(
        Parameters::of(&form).named("RoleName").next().as_deref(),
        Some("my role")
    );
}
