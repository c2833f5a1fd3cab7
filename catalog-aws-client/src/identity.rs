//! Who asks: the credentials a request was signed with, and whose entries it may therefore see. This file
//! may not know what is asked, and keeps no secret.

use std::fmt;

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::endpoint::EndpointResolverParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::config_bag::ConfigBag;

use super::digest::feed;
use bedrock_catalog_cache::Namespace;

/// What the signature says in plain words: the access key, and the region it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    pub(super) access_key: &'a str,
    pub(super) region: &'a str,
}

impl<'a> Signed<'a> {
    /// `None` where the request has no AWS signature of the two kinds that are known: no credentials, a
    /// bearer token.
    pub(super) fn of(request: &'a HttpRequest) -> Option<Self> {
        let authorization = request.headers().get_bytes("authorization")?;
        // AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …; with an asymmetric
        // signature there is no region, and the regions are in a header of their own.
        let (credential, _) = authorization.split_at(memchr::memchr(b',', authorization)?);
        let credential = std::str::from_utf8(credential).ok()?;
        let symmetric = credential.strip_prefix("AWS4-HMAC-SHA256 Credential=");
        let credential = match symmetric {
            Some(credential) => credential,
            None => credential.strip_prefix("AWS4-ECDSA-P256-SHA256 Credential=")?,
        };
        let (credential, _service) = cut(credential.strip_suffix("/aws4_request")?)?;
        let (rest, last) = cut(credential)?;
        if symmetric.is_none() {
            return Some(Self {
                access_key: rest,
                region: request.headers().get("x-amz-region-set")?,
            });
        }
        let (access_key, _date) = cut(rest)?;
        Some(Self {
            access_key,
            region: last,
        })
    }
}

/// Before and after the last slash, at a third of what `rsplit_once` takes.
fn cut(text: &str) -> Option<(&str, &str)> {
    let at = memchr::memrchr(b'/', text.as_bytes())?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Whose entries a request may see.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// All that is shared by those who can change each other's answers.
    pub(super) namespace: Namespace,
    /// Who asks; part of every key.
    pub(super) identity: [u8; 32],
}

/// The names a caller gives, in place of what the credentials do not say.
#[derive(Clone, Default)]
pub(super) struct Names {
    /// Instead of an account.
    pub(super) namespace: Option<String>,
    /// Instead of the access key.
    pub(super) identity: Option<String>,
}

/// By hand: a name may well be an account id.
impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").finish_non_exhaustive()
    }
}

impl Names {
    /// Whose entries these credentials may see; `None` where neither they nor the caller say whose they
    /// are.
    pub(super) fn scope(&self, credentials: &Credentials, region: &str) -> Option<Scope> {
        let namespace = match credentials.account_id() {
            Some(account) => account_namespace(partition(region), account.as_str()),
            None => account_namespace(partition(region), self.namespace.as_deref()?),
        };
        // Keys are told apart by their secrets too: who has the one without the other sees nothing.
        // The digest goes into that of a whole request, and nowhere else.
        let mut who = Vec::new();
        match &self.identity {
            Some(name) => feed(&mut who, name.as_bytes()),
            None => {
                feed(&mut who, credentials.access_key_id().as_bytes());
                feed(&mut who, credentials.secret_access_key().as_bytes());
            }
        }
        Some(Scope {
            namespace,
            identity: blake3::hash(&who).into(),
        })
    }
}

/// The namespace of an account, or of the name a caller gives instead.
pub(super) fn account_namespace(partition: &str, account: &str) -> Namespace {
    Namespace::of(["aws-client", partition, account])
}

/// The credentials the request is signed with. The SDK leaves them beside the parameters of the endpoint,
/// which may depend on who asks.
pub(super) fn credentials(config: &ConfigBag) -> Option<Credentials> {
    let parameters = config.load::<EndpointResolverParams>()?;
    let identity = parameters.get_property::<Identity>()?;
    identity.data::<Credentials>().cloned()
}

/// The partition a region is in.
fn partition(region: &str) -> &'static str {
    let prefixes = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    let found = prefixes
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(authorization: &str) -> HttpRequest {
        let mut request = HttpRequest::empty();
        request
            .headers_mut()
            .insert("authorization", authorization.to_owned());
        request
    }

    #[test]
    fn the_signature_names_the_key_and_the_region() {
        let request = signed(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-west-1/sso/aws4_request, SignedHeaders=host, Signature=00",
        );
        let is = Signed {
            access_key: "AKIDEXAMPLE",
            region: "eu-west-1",
        };
        assert_eq!(Signed::of(&request), Some(is));
        let mut request = signed(
            "AWS4-ECDSA-P256-SHA256 Credential=AKIDEXAMPLE/20261121/sso/aws4_request, SignedHeaders=host, Signature=00",
        );
        request.headers_mut().insert("x-amz-region-set", "us-*");
        let is = Signed {
            access_key: "AKIDEXAMPLE",
            region: "us-*",
        };
        assert_eq!(Signed::of(&request), Some(is));
        for other in [
            "Bearer abc",
            "AWS4-HMAC-SHA256 Credential=a/b/c",
            "AWS4-",
            "",
        ] {
            assert_eq!(Signed::of(&signed(other)), None, "{other}");
        }
        assert_eq!(Signed::of(&HttpRequest::empty()), None);
    }

    #[test]
    fn credentials_are_told_apart_by_account_key_and_secret() {
        let names = Names::default();
        let of = |key: &str, secret: &str, account: &str| {
            let credentials = Credentials::builder();
            let credentials = credentials.access_key_id(key).secret_access_key(secret);
            credentials
                .account_id(account)
                .provider_name("tests")
                .build()
        };
        let scope = |credentials: Credentials| {
            let scope = names.scope(&credentials, "eu-west-1").unwrap();
            (scope.namespace, scope.identity)
        };
        let one = scope(of("A", "s", "111111111111"));
        assert_eq!(one, scope(of("A", "s", "111111111111")));
        let key = scope(of("B", "s", "111111111111"));
        assert!(
            one.0 == key.0 && one.1 != key.1,
            "writes reach it, answers do not"
        );
        assert_ne!(one.1, scope(of("A", "t", "111111111111")).1);
        assert_ne!(one.0, scope(of("A", "s", "222222222222")).0);
    }

    #[test]
    fn what_names_nobody_is_nobodys() {
        let credentials = Credentials::new("A", "s", None, None, "tests");
        assert!(Names::default().scope(&credentials, "eu-west-1").is_none());
        let named = Names {
            namespace: Some("mine".into()),
            identity: Some("me".into()),
        };
        let one = named.scope(&credentials, "eu-west-1").unwrap();
        let session = Credentials::new("B", "t", Some("u".into()), None, "tests");
        let other = named.scope(&session, "eu-west-1").unwrap();
        assert_eq!(
            (one.namespace, one.identity),
            (other.namespace, other.identity)
        );
        let china = named.scope(&credentials, "cn-north-1").unwrap();
        assert_ne!(one.namespace, china.namespace);
    }
}
