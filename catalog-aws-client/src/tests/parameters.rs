//! One question, one digest; two questions, two.

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::parameters::Parameters;
use super::super::tags::tags_of;

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

fn digest(request: &HttpRequest) -> Vec<u8> {
    let (parameters, mut text) = (Parameters::of(request), Vec::new());
    parameters.write_head(&mut text);
    parameters.write_body(&mut text);
    text
}

fn json_body(body: impl Into<Vec<u8>>) -> Vec<u8> {
    digest(&request(
        "POST",
        "https://x.example/",
        "application/x-amz-json-1.1",
        body,
    ))
}

fn form_body(body: &str) -> Vec<u8> {
    digest(&request(
        "POST",
        "https://x.example/",
        "application/x-www-form-urlencoded",
        body,
    ))
}

fn get(uri: &str) -> Vec<u8> {
    digest(&request("GET", uri, "", ""))
}

/// Any JSON, of few words, so that two are alike often enough.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just(""),
        Just("a"),
        Just("b"),
        Just("a.b"),
        Just("[0]"),
        Just("~0"),
        Just("{}"),
        Just("é\"")
    ];
    let word = word.prop_map(String::from);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(word.clone(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// The same JSON, written with its members turned round, and with spaces.
fn turned(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!(" {} : {} ", json!(name), turned(value)))
                .rev()
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(turned).collect();
            format!("[ {} ]", items.join(" , "))
        }
        leaf => leaf.to_string(),
    }
}

/// An object written closely, and sometimes with a sign too many.
fn written_closely() -> impl Strategy<Value = String> {
    let members = [
        r#""a":"b""#,
        r#""é":"","c":"{}""#,
        r#""0":0,"d":170"#,
        r#""n":null,"t":true"#,
        r#""e":-1.50"#,
        r#""f":"\"""#,
        r#""g":{"h":[]}"#,
        r#""a.b":"~""#,
    ];
    let members = prop::sample::subsequence(members.to_vec(), 0..=members.len());
    let end = prop::sample::select(&["", "", "", ",", r#","z":"#, r#","z":07"#][..]);
    let sign = prop::sample::select(&["", "\"", ":", ",", "\\", " ", "\n", "0", "x", "}"][..]);
    let all = (members, end, sign, any::<prop::sample::Index>());
    all.prop_map(|(members, end, sign, at)| {
        let mut text = format!("{{{}{end}}}", members.join(","));
        text.insert_str(text.floor_char_boundary(at.index(text.len())), sign);
        text
    })
}

proptest! {
    #[test]
    fn the_order_of_members_does_not_matter(value in any_json()) {
        prop_assert_eq!(json_body(value.to_string()), json_body(turned(&value)));
    }

    /// What is written closely is read another way.
    #[test]
    fn a_space_before_it_changes_nothing(text in written_closely()) {
        let (plain, spaced) = (json_body(text.clone()), json_body(format!(" {text}")));
        let are_whole = plain.ends_with(format!("o{text}").as_bytes())
            && spaced.ends_with(format!("o {text}").as_bytes());
        prop_assert!(plain == spaced || are_whole, "{text}");
    }

    #[test]
    fn different_json_never_collides(one in any_json(), other in any_json()) {
        // As they are written: 0.0 is not -0.0.
        let (one, other) = (one.to_string(), other.to_string());
        let same = one == other;
        prop_assert_eq!(json_body(one) == json_body(other), same);
    }

    #[test]
    fn the_order_of_a_query_and_a_form_does_not_matter(
        pairs in prop::collection::btree_map("[a-c]{1,2}", "[a-c%20]{0,2}", 0..6),
    ) {
        let text = |pairs: &mut dyn Iterator<Item = (&String, &String)>| {
            pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        let (one, other) = (text(&mut pairs.iter()), text(&mut pairs.iter().rev()));
        prop_assert_eq!(get(&format!("https://x.example/p?{one}")), get(&format!("https://x.example/p?{other}")));
        prop_assert_eq!(form_body(&one), form_body(&other));
    }

    #[test]
    fn different_queries_never_collide(
        one in prop::collection::vec(("[ab]{1,2}", "[ab]{0,2}"), 0..4),
        other in prop::collection::vec(("[ab]{1,2}", "[ab]{0,2}"), 0..4),
    ) {
        let text = |pairs: &[(String, String)]| {
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        // By name; of one name, the order may mean something.
        let sorted = |pairs: &[(String, String)]| {
            let mut pairs = pairs.to_vec();
            pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
            pairs
        };
        let same = sorted(&one) == sorted(&other);
        let uri = |pairs: &[(String, String)]| format!("https://x.example/?{}", text(pairs));
        prop_assert_eq!(get(&uri(&one)) == get(&uri(&other)), same);
        if !one.is_empty() && !other.is_empty() {
            prop_assert_eq!(form_body(&text(&one)) == form_body(&text(&other)), same);
        }
    }

    #[test]
    fn no_body_breaks_it(body in prop::collection::vec(any::<u8>(), 0..64)) {
        for kind in ["application/json", "application/x-www-form-urlencoded", "application/cbor"] {
            let asked = request("POST", "https://x.example/%zz?%%=&&=", kind, body.clone());
            let parameters = Parameters::of(&asked);
            parameters.write_body(&mut Vec::new());
            parameters.tags("GetThing", &[]);
        }
    }
}

#[test]
fn what_json_leaves_open_is_taken_as_it_is() {
    let all = [
        r#"{"a":1,"a":2}"#,
        r#"{"a":2,"a":1}"#,
        r#"{"a":2}"#,
        r#"{"a":1}"#,
        "{",
        "",
    ];
    for (n, one) in all.iter().enumerate() {
        for other in &all[n + 1..] {
            assert_ne!(json_body(*one), json_body(*other), "{one} and {other}");
        }
    }
    // To read these as numbers would make them one.
    assert_ne!(
        json_body("[18446744073709551617]"),
        json_body("[18446744073709551618]")
    );
    // Too deep to take apart, and still told apart.
    let deep = |leaf: &str| format!("{}{leaf}{}", "[".repeat(500), "]".repeat(500));
    assert_ne!(json_body(deep("1")), json_body(deep("2")));
    assert_eq!(json_body(deep("1")), json_body(deep("1")));
}

#[test]
fn only_what_is_asked_counts() {
    let asked = || request("POST", "https://x.example/p", "application/json", "{}");
    let with = |name: &'static str, value: &'static str| {
        let mut request = asked();
        request.headers_mut().insert(name, value);
        digest(&request)
    };
    for passing in [
        "authorization",
        "x-amz-date",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "user-agent",
        "x-amz-user-agent",
        "x-amz-security-token",
        "x-amzn-trace-id",
    ] {
        assert_eq!(digest(&asked()), with(passing, "anything"), "{passing}");
    }
    assert_ne!(digest(&asked()), with("x-amz-target", "Service.Operation"));
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
        assert_ne!(digest(&asked()), digest(&other), "{other:?}");
    }
}

#[test]
fn a_request_names_things() {
    let scopes = ["StoreId".to_owned()];
    let named =
        |request: &HttpRequest, operation: &str| Parameters::of(request).tags(operation, &scopes);
    let tags = |values: &[&str]| {
        values
            .iter()
            .flat_map(|value| tags_of(value))
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
    let mut wanted = tags(&["u", "a", "b"]);
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted, "no scope, no page, no number");

    let arn = "arn:aws:sso:::permissionSet/s/ps-1";
    assert_eq!(tags(&[arn]), tags(&["s", "ps-1"]));
    let body = json!({ "StoreId": "arn:aws:sso:::instance/s", "SetArn": arn }).to_string();
    assert_eq!(
        named(&json(&body), "DescribeThing"),
        tags(&["ps-1"]),
        "what is its scope's is not its own"
    );

    let get = |path: &str| request("GET", &format!("https://x.example{path}"), "", "");
    let rest = [
        ("/guardrails", "ListGuardrails", tags(&[])),
        ("/guardrails/abc", "GetGuardrail", tags(&["abc"])),
        (
            "/guardrails/guardrail",
            "GetGuardrail",
            tags(&["guardrail"]),
        ),
        (
            "/guardrails/arn%3Aaws%3Abedrock%3Aus-east-1%3A111111111111%3Aguardrail%2Fabc",
            "GetGuardrail",
            tags(&["abc"]),
        ),
        (
            "/logging/modelinvocations",
            "GetModelInvocationLoggingConfiguration",
            tags(&[]),
        ),
        (
            "/2015-03-31/functions/f/policy?Qualifier=q",
            "GetPolicy",
            tags(&["functions", "f", "q"]),
        ),
        (
            "/v2/email/identities/a%40b",
            "GetEmailIdentity",
            tags(&["a@b"]),
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
    assert_eq!(named(&form, "GetRole"), tags(&["my role"]));
    assert_eq!(
        Parameters::of(&form).named("RoleName").next().as_deref(),
        Some("my role")
    );
}
