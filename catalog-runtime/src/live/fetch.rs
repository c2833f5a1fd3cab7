//! Step 3: the way to AWS, and a fetch.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_bedrock::Client;
use aws_types::service_config::ServiceConfigKey;
use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_recording::Recording;

use super::account::Identity;
use super::builder::LiveCatalogBuilder;
use super::deadline::Deadline;
use super::handle::Inner;
use super::load::Purpose;
use super::session::Session;
use super::snapshot::Held;
use crate::error::CatalogError;
use crate::fetch::{
    CREDENTIALS_LIMIT, Fetched, Fetcher, FetcherBuilder, RegionExpectation, check_endpoint,
    check_region, resolve,
};

type Factory = dyn Fn(&str) -> Client + Send + Sync;

/// How to reach AWS, as configured.
#[derive(Clone, Default)]
pub(super) struct Aws {
    sdk_config: Option<SdkConfig>,
    /// The endpoint that the configuration names.
    endpoint: Option<String>,
    factory: Option<Arc<Factory>>,
}

/// How to reach AWS, with resolved credentials.
pub(super) enum Clients {
    Config(Box<SdkConfig>),
    Factory(Arc<Factory>),
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
        self.endpoint.as_deref().filter(|_| !self.is_factory())
    }

    /// Whether the caller makes the clients, which name neither account nor endpoint.
    pub(super) fn is_factory(&self) -> bool {
        self.factory.is_some()
    }

    /// Checks the settings of a fetch, without a request.
    pub(super) fn check(&self, config: &LiveCatalogBuilder) -> Result<(), CatalogError> {
        for region in &config.regions {
            let name = config.regions_from.as_deref().unwrap_or("regions");
            check_region(name, region, config.partition_id())?;
        }
        let clients = match (&self.factory, &self.sdk_config) {
            (Some(factory), _) => Clients::Factory(Arc::clone(factory)),
            (None, Some(sdk_config)) => Clients::Config(Box::new(sdk_config.clone())),
            (None, None) => return Ok(()),
        };
        clients.fetcher(config, &config.regions).build()?;
        match self.endpoint() {
            Some(url) => check_endpoint("the endpoint_url of sdk_config", url),
            None => Ok(()),
        }
    }
}

impl Clients {
    fn fetcher(&self, config: &LiveCatalogBuilder, regions: &[String]) -> FetcherBuilder {
        let mut builder = Fetcher::builder()
            .partition(config.partition_id())
            .regions(regions)
            .concurrency(config.concurrency);
        builder = match self {
            Self::Config(sdk_config) => builder.sdk_config(sdk_config),
            Self::Factory(factory) => {
                let factory = Arc::clone(factory);
                builder.client_factory(move |region: &str| factory(region))
            }
        };
        match &config.endpoint_url {
            Some(url) => builder.endpoint_url(url),
            None => builder,
        }
    }

    /// Fetches these regions, or all. Answers are measured against `last`.
    pub(super) async fn fetch(
        &self,
        config: &LiveCatalogBuilder,
        regions: &[String],
        last: Option<&Catalog>,
        observed_at: Timestamp,
        limit: Duration,
    ) -> Result<Fetched, CatalogError> {
        let expectations = |last| RegionExpectation::of(&Recording::of_catalog(last));
        let fetcher = self
            .fetcher(config, regions)
            .deadline(limit.max(Duration::from_millis(1)))
            .observed_at(observed_at)
            .expectations(last.map_or_else(BTreeMap::new, expectations))
            .build()?;
        // On the heap: the future is large, and every caller's future would hold it.
        Box::pin(fetcher.fetch()).await
    }
}

/// Refuses to fetch where Tokio does not run: its timers and tasks would panic.
pub(super) fn require_tokio() -> Result<(), CatalogError> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => {
            let message = "fetching from AWS needs a Tokio runtime";
            Err(CatalogError::unavailable(message).transient())
        }
    }
}

/// The answers of AWS, and the catalog that they are merged onto.
pub(super) struct Answers {
    pub(super) fetched: Fetched,
    pub(super) last: Option<Held>,
    pub(super) fetched_at: Timestamp,
}

/// The endpoint of a Bedrock client with this configuration. The SDK resolves the variables and
/// profile entries of one service (`AWS_ENDPOINT_URL_BEDROCK`, `services`) only inside the client.
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

impl LiveCatalogBuilder {
    /// Fetches from AWS with this configuration.
    pub fn sdk_config(mut self, sdk_config: &SdkConfig) -> Self {
        self.aws.endpoint = endpoint_of(sdk_config);
        self.aws.sdk_config = Some(sdk_config.clone());
        self
    }

    /// Fetches from AWS with the clients that this function makes, one per region, in place of a
    /// configuration.
    ///
    /// Such clients name neither account nor endpoint. A shared cache needs a
    /// [`namespace`](Self::namespace) for each account and endpoint: without one only memory caches, and
    /// [`build`](Self::build) refuses folders and other tiers.
    pub fn client_factory(
        mut self,
        factory: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Self {
        self.aws.factory = Some(Arc::new(factory));
        self
    }

    /// The way to AWS and the identity of its credentials.
    pub(super) async fn clients(
        &self,
        deadline: Deadline,
    ) -> Result<(Identity, Clients), CatalogError> {
        if self.offline {
            let advice =
                "leave out --offline, BEDROCK_CATALOG_OFFLINE or offline(true) to fetch from AWS";
            return Err(CatalogError::unavailable("nothing is fetched offline").with_advice(advice));
        }
        if let Some(factory) = &self.aws.factory {
            return Ok((Identity::Unnamed, Clients::Factory(Arc::clone(factory))));
        }
        let Some(sdk_config) = &self.aws.sdk_config else {
            let advice = "give one with sdk_config(), or a client_factory()";
            let error = CatalogError::unavailable("no SDK configuration was given");
            return Err(error.with_advice(advice));
        };
        require_tokio()?;
        // Half of the time stays for the fetch.
        let credentials = resolve(sdk_config, CREDENTIALS_LIMIT.min(deadline.left() / 2)).await?;
        let account = credentials.account_id().map(|id| id.as_str().to_owned());
        let provider = SharedCredentialsProvider::new(credentials);
        let resolved = sdk_config.clone().into_builder();
        let resolved = resolved.credentials_provider(provider).build();
        let identity = account.map_or(Identity::Unnamed, Identity::Account);
        Ok((identity, Clients::Config(Box::new(resolved))))
    }
}

impl Inner {
    /// Step 3: the regions of this purpose.
    pub(super) async fn fetch(
        &self,
        session: &Session,
        purpose: &Purpose,
        deadline: Deadline,
    ) -> Result<Answers, CatalogError> {
        let regions = match purpose {
            Purpose::Load | Purpose::Refresh(_) => self.config.regions.clone(),
            Purpose::Retry(retry) => retry.regions.iter().cloned().collect(),
        };
        self.fetch_regions(session, &regions, deadline).await
    }

    /// Fetches these regions, or all. Their answers are measured against the last good catalog.
    pub(super) async fn fetch_regions(
        &self,
        session: &Session,
        regions: &[String],
        deadline: Deadline,
    ) -> Result<Answers, CatalogError> {
        let clients = session.clients.as_ref().map_err(Clone::clone)?;
        require_tokio()?;
        let last = self.last_good(session.readable(), deadline).await;
        let fetched_at = self.now();
        *self
            .fetched_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(fetched_at);
        let limit = deadline.left().min(self.config.deadline);
        let fetch = clients.fetch(&self.config, regions, last.as_deref(), fetched_at, limit);
        Ok(Answers {
            fetched: fetch.await?,
            last,
            fetched_at,
        })
    }
}
