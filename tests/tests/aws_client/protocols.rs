//! The protocols, and the secrets in each.

use bedrock_catalog_aws_client::{CachedClient, Rules};
use bedrock_catalog_tests::fake_aws::FakeAws;

use crate::stage::{ACCOUNT, cached, config, credentials};

fn sts(aws: &FakeAws, cached: &CachedClient) -> aws_sdk_sts::Client {
    let config = config(&aws.url(), credentials("AKIDONE", Some(ACCOUNT)));
    let config = aws_sdk_sts::config::Builder::from(&config)
        .http_client(cached.http_client())
        .interceptor(cached.interceptor())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

#[tokio::test]
async fn the_query_protocol() {
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let client = sts(&aws, &cached);
    for _ in 0..3 {
        let who = client.get_caller_identity().send().await.unwrap();
        assert_eq!(who.arn.as_deref(), Some("arn:aws:iam:::user/AKIDONE"));
    }
    assert_eq!(aws.requests("GetCallerIdentity"), 1);
    // Other parameters, another answer.
    for key in ["one", "two"] {
        client
            .get_access_key_info()
            .access_key_id(key)
            .send()
            .await
            .unwrap();
    }
    assert_eq!(aws.requests("GetAccessKeyInfo"), 2);
}

#[tokio::test]
async fn secrets_are_never_stored() {
    let (aws, cached) = (FakeAws::start().unwrap(), cached(|builder| builder));
    let client = sts(&aws, &cached);
    for asked in 1..3 {
        let session = client.get_session_token().send().await.unwrap();
        assert_eq!(session.credentials.unwrap().secret_access_key, "S");
        assert_eq!(aws.requests("GetSessionToken"), asked);
        client
            .get_federation_token()
            .name("n")
            .send()
            .await
            .unwrap();
        assert_eq!(aws.requests("GetFederationToken"), asked);
        client
            .assume_role()
            .role_arn("arn:aws:iam:::role/r")
            .role_session_name("s")
            .send()
            .await
            .unwrap();
        assert_eq!(aws.requests("AssumeRole"), asked);
    }
    assert_eq!(
        cached.cache().statistics().tier("memory").unwrap().writes,
        0
    );
}

#[tokio::test]
async fn own_rules_keep_more_out_of_the_cache() {
    let own = Rules::from_json(
        r#"{ "format": 1, "uncached": [{ "why": "test", "operations": ["sts:GetCallerIdentity"] }] }"#,
    );
    let rules = Rules::shipped().and(own.unwrap());
    let (aws, cached) = (
        FakeAws::start().unwrap(),
        cached(|builder| builder.rules(rules)),
    );
    let client = sts(&aws, &cached);
    for _ in 0..2 {
        client.get_caller_identity().send().await.unwrap();
    }
    assert_eq!(aws.requests("GetCallerIdentity"), 2);
}
