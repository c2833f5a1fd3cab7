//! Asking AWS, for a live catalog. The only file of this room that knows the SDK's types.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_bedrock::Client;
use aws_types::service_config::ServiceConfigKey;
use bedrock_catalog_data::{Catalog, Timestamp};

use super::builder::LiveCatalogBuilder;
use crate::error::{CatalogError, CatalogErrorKind};
use crate::fetch::{
    Fetched, Fetcher, FetcherBuilder, RegionExpectation, check_endpoint, check_region,
};
use bedrock_catalog_recording::Recording;

type Factory = dyn Fn(&str) -> Client + Send + Sync;

/// How to reach AWS; not at all, if nothing was given.
#[derive(Clone, Default)]
pub(super) struct Aws {
    sdk_config: Option<SdkConfig>,
    /// The endpoint that the configuration names instead of AWS.
    endpoint: Option<String>,
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
        self.endpoint.as_deref().filter(|_| !self.is_made())
    }

    /// Whether the clients are the caller's: neither account nor endpoint can be read from those.
    pub(super) fn is_made(&self) -> bool {
        self.factory.is_some()
    }

    /// The account of the credentials, if they name one; `None` where there are none within this time.
    pub(super) async fn account(&self, within: Duration) -> Option<Option<String>> {
        if self.is_made() {
            return Some(None);
        }
        let provider = self.sdk_config.as_ref()?.credentials_provider()?;
        let resolved = tokio::time::timeout(within, provider.provide_credentials()).await;
        let credentials = resolved.ok()?.ok()?;
        let account = credentials.account_id();
        Some(account.map(|account| account.as_str().to_owned()))
    }

    /// Whether it could ask with this configuration. Asks nobody.
    pub(super) fn check(&self, config: &LiveCatalogBuilder) -> Result<(), CatalogError> {
        for region in &config.regions {
            let name = config.regions_from.as_deref().unwrap_or("regions");
            check_region(name, region, &config.partition).map_err(unavailable)?;
        }
        let fetcher = self.fetcher(config, &config.regions);
        let fetcher = fetcher.deadline(config.asking()).build();
        fetcher.map_err(unavailable)?;
        // The configuration's own comes from the environment, as often as not.
        let checked = self.endpoint().map_or(Ok(()), |url| {
            check_endpoint("the endpoint_url of sdk_config", url)
        });
        checked.map_err(unavailable)
    }

    fn fetcher(&self, config: &LiveCatalogBuilder, regions: &[String]) -> FetcherBuilder {
        let mut builder = Fetcher::builder()
            .partition(&config.partition)
            .concurrency(config.concurrency);
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
        builder
    }

    /// Asks these regions, or all, for so long.
    pub(super) async fn fetch(
        &self,
        config: &LiveCatalogBuilder,
        regions: &[String],
        last: Option<&Catalog>,
        observed_at: Timestamp,
        within: Duration,
    ) -> Result<Fetched, CatalogError> {
        if tokio::runtime::Handle::try_current().is_err() {
            let message = "AWS can only be asked on a Tokio runtime";
            return Err(CatalogError::new(CatalogErrorKind::Unavailable, message));
        }
        let builder = self
            .fetcher(config, regions)
            .deadline(within)
            .observed_at(observed_at)
            .expectations(last.map(expectations).unwrap_or_default());
        let fetcher = builder.build().map_err(unavailable)?;
        // Large, and held by every future that asks.
        Box::pin(fetcher.fetch()).await.map_err(unavailable)
    }
}

/// What the last catalog had, so that a region that answers with much less is not believed.
fn expectations(last: &Catalog) -> BTreeMap<String, RegionExpectation> {
    RegionExpectation::of(&Recording::of_catalog(last))
}

/// Where a client of Bedrock made of this configuration asks: found as the SDK finds it, which has its
/// own words for one service (`AWS_ENDPOINT_URL_BEDROCK`, the `services` of a profile) and tells them only
/// to the client.
fn endpoint_of(sdk_config: &SdkConfig) -> Option<String> {
    let of_all = sdk_config.endpoint_url().map(ToOwned::to_owned);
    if sdk_config.get_origin("endpoint_url").is_client_config() {
        return of_all;
    }
    let key = ServiceConfigKey::builder()
        .service_id("Bedrock")
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build();
    let of_the_service = sdk_config.service_config().zip(key.ok());
    let of_the_service = of_the_service.and_then(|(config, key)| config.load_config(key));
    of_the_service.or(of_all)
}

/// Whether an address given in place of AWS is one.
pub(super) fn check_endpoint_url(url: &str) -> Result<(), CatalogError> {
    check_endpoint("endpoint_url", url).map_err(unavailable)
}

fn unavailable(error: crate::fetch::Error) -> CatalogError {
    let kind = match error.kind() {
        crate::fetch::ErrorKind::InvalidRequest => CatalogErrorKind::InvalidConfiguration,
        crate::fetch::ErrorKind::NoCredentials => CatalogErrorKind::NoCredentials,
    };
    let (message, advice) = error.parts();
    let told = CatalogError::new(kind, message);
    match advice {
        Some(advice) => told.advising(advice),
        None => told,
    }
}

impl LiveCatalogBuilder {
    /// Asks AWS with this configuration.
    #[must_use]
    pub fn sdk_config(mut self, sdk_config: &SdkConfig) -> Self {
        self.aws.endpoint = endpoint_of(sdk_config);
        self.aws.sdk_config = Some(sdk_config.clone());
        self
    }

    /// Asks AWS with the clients this makes, one per region, in place of a configuration.
    ///
    /// Such clients do not tell whose account they ask, nor where. So what others may see needs a
    /// [`namespace`](Self::namespace), one for each account and endpoint: without it only memory caches, and
    /// with folders or other tiers [`build`](Self::build) fails.
    #[must_use]
    pub fn client_factory(
        mut self,
        factory: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Self {
        self.aws.factory = Some(Arc::new(factory));
        self
    }
}
