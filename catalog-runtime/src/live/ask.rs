//! Asking AWS, for a live catalog. The only file of this room that knows the SDK's types.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_bedrock::Client;
use bedrock_catalog_data::{Catalog, Timestamp};

use super::builder::LiveCatalogBuilder;
use crate::error::{Error, ErrorKind};
use crate::fetch::{Fetched, Fetcher, RegionExpectation};
use crate::recording::Recording;

/// How long the credentials may take to name their account; who takes longer has none here.
const ACCOUNT_WAIT: Duration = Duration::from_secs(1);

type Factory = dyn Fn(&str) -> Client + Send + Sync;

/// How to reach AWS; not at all, if nothing was given.
#[derive(Clone, Default)]
pub(super) struct Aws {
    sdk_config: Option<SdkConfig>,
    factory: Option<Arc<Factory>>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("given", &self.is_given())
            .finish()
    }
}

impl Aws {
    pub(super) fn is_given(&self) -> bool {
        self.sdk_config.is_some() || self.factory.is_some()
    }

    /// The endpoint that the configuration names instead of AWS.
    pub(super) fn endpoint(&self) -> Option<&str> {
        self.sdk_config.as_ref()?.endpoint_url()
    }

    /// The account of the credentials, where they name one.
    pub(super) async fn account(&self) -> Option<String> {
        let provider = self.sdk_config.as_ref()?.credentials_provider()?;
        let resolved = tokio::time::timeout(ACCOUNT_WAIT, provider.provide_credentials()).await;
        let credentials = resolved.ok()?.ok()?;
        credentials
            .account_id()
            .map(|account| account.as_str().to_owned())
    }

    /// Asks these regions, or all.
    pub(super) async fn fetch(
        &self,
        config: &LiveCatalogBuilder,
        regions: &[String],
        last: Option<&Catalog>,
        observed_at: Timestamp,
    ) -> Result<Fetched, Error> {
        let mut builder = Fetcher::builder()
            .partition(&config.partition)
            .concurrency(config.concurrency)
            .deadline(config.deadline)
            .observed_at(observed_at);
        if let Some(factory) = self.factory.clone() {
            builder = builder.client_factory(move |region: &str| factory(region));
        } else if let Some(sdk_config) = &self.sdk_config {
            builder = builder.sdk_config(sdk_config);
        }
        if !regions.is_empty() {
            builder = builder.regions(regions);
        }
        if let Some(url) = &config.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let expectations = last.map(expectations).unwrap_or_default();
        let fetcher = builder.build().map_err(unavailable)?;
        let fetched = fetcher.with_expectations(expectations).fetch().await;
        fetched.map_err(unavailable)
    }
}

/// What the last catalog had, so that a region that answers with much less is not believed.
fn expectations(last: &Catalog) -> BTreeMap<String, RegionExpectation> {
    RegionExpectation::of(&Recording::of_catalog(last))
}

fn unavailable(error: crate::fetch::Error) -> Error {
    let kind = match error.kind() {
        crate::fetch::ErrorKind::InvalidRequest => ErrorKind::InvalidConfiguration,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, error.to_string())
}

impl LiveCatalogBuilder {
    /// Asks AWS with this configuration.
    #[must_use]
    pub fn sdk_config(mut self, sdk_config: &SdkConfig) -> Self {
        self.aws.sdk_config = Some(sdk_config.clone());
        self
    }

    /// Asks AWS with the clients this makes, one per region.
    #[must_use]
    pub fn client_factory(
        mut self,
        factory: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Self {
        self.aws.factory = Some(Arc::new(factory));
        self
    }
}
