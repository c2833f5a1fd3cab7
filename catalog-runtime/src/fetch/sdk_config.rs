//! The SDK configuration of the process's environment, and the account that it names.

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_types::os_shim_internal::{Env, Fs};

/// The SDK's default configuration (environment, profile files, roles), except that the region does not
/// come from the metadata service, but from the environment or the profile, else it is
/// `us-east-1`. Credentials are not resolved here.
///
/// Profiles of IAM Identity Center (SSO) and of a `credential_process` need the features `sso` and
/// `credentials-process` of `aws-config`.
pub async fn sdk_config_from_env() -> SdkConfig {
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else("us-east-1");
    aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .load()
        .await
}

/// The account that the environment or the AWS profile names, without the network: `AWS_ACCOUNT_ID`,
/// else `aws_account_id`, `sso_account_id` or the account of `role_arn` of the profile in use, else the
/// account of `AWS_ROLE_ARN`.
///
/// [`LiveCatalogBuilder::account`](crate::LiveCatalogBuilder::account) takes it, so that an offline
/// process reads the entries that the credentials of the same profile wrote.
pub async fn account_from_env() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(account) = variable("AWS_ACCOUNT_ID") {
        return Some(account);
    }
    // Keys in the environment go before the profile, and name no account.
    if variable("AWS_ACCESS_KEY_ID").is_some() {
        return None;
    }
    let (fs, env) = (Fs::real(), Env::real());
    let profiles = aws_config::profile::load(&fs, &env, &Default::default(), None).await;
    let named = profiles.ok().and_then(|profiles| {
        let value = |key| profiles.get(key).map(ToOwned::to_owned);
        let account = value("aws_account_id").or_else(|| value("sso_account_id"));
        account.or_else(|| account_of(profiles.get("role_arn")?))
    });
    named.or_else(|| account_of(&variable("AWS_ROLE_ARN")?))
}

fn account_of(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    (!account.is_empty()).then(|| account.to_owned())
}
