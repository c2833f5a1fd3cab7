//! The SDK configuration of the process's surroundings, made so that nothing waits for a metadata
//! service that is not there. The only file of this room that reads the environment.

use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};

/// The SDK's own default configuration (environment, profile files, roles), with one difference: the
/// region comes from the environment or the profile, else it is `us-east-1`, and the metadata service
/// is never asked for it. Credentials are not resolved here; a fetch does that within five seconds.
///
/// Profiles of IAM Identity Center (SSO) and of a `credential_process` need the features `sso` and
/// `credentials-process` of `aws-config`; the feature `cli` has them.
///
/// Reads the environment and the AWS profile files. Cannot fail: what is missing shows when it is used.
pub async fn sdk_config_from_env() -> SdkConfig {
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new())
        .or_else("us-east-1");
    aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .load()
        .await
}
