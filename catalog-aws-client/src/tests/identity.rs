//! Callers: identities that never share entries, and names that let them share.

use aws_credential_types::{Credentials, Token};
use aws_smithy_runtime_api::client::identity::Identity;

use crate::identity::{Caller, Callers, Names};

fn caller(callers: &Callers, credentials: Credentials) -> Caller {
    in_region(callers, credentials, "eu-west-1")
}

fn in_region(callers: &Callers, credentials: Credentials, region: &str) -> Caller {
    let identity = Identity::new(credentials, None);
    callers.with(&identity, region).unwrap()
}

fn of(key: &str, secret: &str, token: Option<&str>, account: &str) -> Credentials {
    let credentials = Credentials::builder()
        .access_key_id(key)
        .secret_access_key(secret)
        .account_id(account)
        .provider_name("tests");
    match token {
        Some(token) => credentials.session_token(token).build(),
        None => credentials.build(),
    }
}

#[test]
fn key_secret_session_token_and_region_are_the_identity() {
    let callers = Callers::default();
    let one = caller(&callers, of("A", "s", None, "111111111111"));
    assert_eq!(one, caller(&callers, of("A", "s", None, "111111111111")));
    for other in [
        of("B", "s", None, "111111111111"),
        of("A", "t", None, "111111111111"),
        of("A", "s", Some("u"), "111111111111"),
        of("A", "", Some("s"), "111111111111"),
    ] {
        let other = caller(&callers, other);
        assert_eq!(
            one.namespace, other.namespace,
            "a write reaches its entries"
        );
        assert_ne!(one.digest, other.digest, "a read does not");
    }
    let other = caller(&callers, of("A", "s", None, "222222222222"));
    assert_ne!(one.namespace, other.namespace);
    let other = in_region(&callers, of("A", "s", None, "111111111111"), "eu-west-2");
    assert_eq!(one.namespace, other.namespace);
    assert_ne!(one.digest, other.digest);
}

#[test]
fn names_stand_in_for_the_account_and_the_identity() {
    let credentials = Credentials::new("A", "s", None, None, "tests");
    let identity = Identity::new(credentials.clone(), None);
    let unnamed = Callers::default().with(&identity, "eu-west-1");
    assert!(unnamed.unwrap_err().contains("no account"));
    let named = Callers::new(Names {
        namespace: Some("mine".into()),
        identity: Some("me".into()),
    });
    let one = caller(&named, credentials);
    let session = Credentials::new("B", "t", Some("u".into()), None, "tests");
    assert_eq!(one, caller(&named, session));
    assert!(!one.has_account);
}

#[test]
fn a_bearer_token_is_an_identity_of_its_own() {
    let callers = Callers::default();
    let with = |token: &str| {
        let identity = Identity::new(Token::new(token, None), None);
        callers.with(&identity, "eu-west-1").unwrap()
    };
    assert_eq!(with("one"), with("one"));
    assert_ne!(with("one").namespace, with("two").namespace);
    assert_ne!(with("one").digest, with("two").digest);
    let anonymous = Identity::new((), None);
    assert!(callers.with(&anonymous, "eu-west-1").is_err());
}
