//! The settings of a fetch, their defaults and bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrock::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bedrock_catalog_data::{Timestamp, partition_of};

use super::fetcher::{ClientFactory, Clients, Fetcher, Limits, OnProgress};
use super::guard::RegionExpectation;
use super::outcome::Progress;
use super::partition::{is_region_name, partition_regions};
use crate::error::CatalogError;

/// Builds a [`Fetcher`]. It needs one of [`sdk_config`](Self::sdk_config) and
/// [`client_factory`](Self::client_factory); everything else has a default.
#[must_use]
pub struct FetcherBuilder {
    config: Option<Box<SdkConfig>>,
    factory: Option<Arc<ClientFactory>>,
    partition: Option<String>,
    regions: Vec<String>,
    endpoint: Option<String>,
    limits: Limits,
    observed_at: Option<Timestamp>,
    expectations: BTreeMap<String, RegionExpectation>,
    on_progress: Option<Arc<OnProgress>>,
}

impl Default for FetcherBuilder {
    fn default() -> Self {
        Self {
            config: None,
            factory: None,
            partition: None,
            regions: Vec::new(),
            endpoint: None,
            limits: Limits {
                attempt: Duration::from_secs(8),
                operation: Duration::from_secs(20),
                overall: Duration::from_secs(30),
                attempts: 3,
                concurrency: 32,
                pages: 100,
                region_bytes: 8 << 20,
            },
            observed_at: None,
            expectations: BTreeMap::new(),
            on_progress: None,
        }
    }
}

impl fmt::Debug for FetcherBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetcherBuilder")
            .field("partition", &self.partition)
            .field("regions", &self.regions)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl FetcherBuilder {
    /// Credentials, and the region that decides the partition. Every fetch resolves the credentials once.
    /// Without an HTTP client in the configuration, the regions of a fetch share one pool of at most 62
    /// connections to a host.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.config = Some(Box::new(config.clone()));
        self
    }

    /// A function that makes the client of a region, called once a region at every fetch, in place of
    /// [`sdk_config`](Self::sdk_config). Deadlines, retries and size bounds stay those of this builder.
    pub fn client_factory(
        mut self,
        factory: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Self {
        self.factory = Some(Arc::new(factory));
        self
    }

    /// The regions to fetch. Default, also for an empty list: [`partition_regions`] of the partition.
    pub fn regions<I>(mut self, regions: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.regions = regions.into_iter().map(Into::into).collect();
        self
    }

    /// The partition. Default: that of the first region named, else of the SDK configuration's
    /// region, else `aws`.
    pub fn partition(mut self, partition: impl Into<String>) -> Self {
        self.partition = Some(partition.into());
        self
    }

    /// One address for all regions, in place of AWS's own. For [`sdk_config`](Self::sdk_config) only.
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Regions in flight at once. Default: 32.
    pub fn concurrency(mut self, regions: usize) -> Self {
        self.limits.concurrency = regions;
        self
    }

    /// How long one attempt at one request may take. Default: 8 s.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.limits.attempt = limit;
        self
    }

    /// How long one request may take with all its attempts. Default: 20 s.
    pub fn operation_timeout(mut self, limit: Duration) -> Self {
        self.limits.operation = limit;
        self
    }

    /// How long the fetch may take. Regions that have not ended by then time out. Default: 30 s.
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.limits.overall = limit;
        self
    }

    /// Attempts at one request, 1 to 3. Default: 3, with full jitter between them, for throttling and
    /// transient errors only, out of one budget for all regions (four retries for each).
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.limits.attempts = attempts;
        self
    }

    /// The most bytes a region may answer with, over all pages and attempts. Default: 8 MiB.
    pub fn max_region_bytes(mut self, bytes: u64) -> Self {
        self.limits.region_bytes = bytes;
        self
    }

    /// The most pages of profiles a region may answer with, 1 to 100. Default: 100.
    pub fn max_pages(mut self, pages: usize) -> Self {
        self.limits.pages = pages;
        self
    }

    /// The time the recording bears. Default: the SDK configuration's clock, else the system's, when
    /// the fetch begins.
    pub fn observed_at(mut self, time: Timestamp) -> Self {
        self.observed_at = Some(time);
        self
    }

    /// What the regions answered before: a list that is empty or more than a fifth shorter is then
    /// [`Outcome::Suspicious`](super::Outcome::Suspicious). Default: nothing.
    pub fn expectations(mut self, regions: BTreeMap<String, RegionExpectation>) -> Self {
        self.expectations = regions;
        self
    }

    /// Called for every region that ends, in the task that fetches. It must not block.
    pub fn on_progress(mut self, callback: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// The fetcher. No request yet.
    ///
    /// # Errors
    ///
    /// [`InvalidConfiguration`](crate::CatalogErrorKind::InvalidConfiguration) without configuration and
    /// factory, for a text that is no region, for regions of two partitions, for a partition without
    /// known regions when none is named, for an endpoint that is no address, and for bounds out of their
    /// range: the setting, its value, and what is allowed.
    pub fn build(self) -> Result<Fetcher, CatalogError> {
        self.check_limits()?;
        if let Some(url) = &self.endpoint {
            check_endpoint("endpoint_url", url)?;
        }
        let home = self.config.as_ref().and_then(|config| config.region());
        let home = home.map(|region| region.as_ref());
        let first = self.regions.first().map(String::as_str).or(home);
        let partition = match (&self.partition, first) {
            (Some(partition), _) => partition.clone(),
            (None, Some(region)) => partition_of(region).unwrap_or("aws").to_owned(),
            (None, None) => "aws".to_owned(),
        };
        let mut regions = self.regions;
        if regions.is_empty() {
            let known = partition_regions(&partition).into_iter();
            regions = known.map(Into::into).collect();
        }
        if regions.is_empty() {
            let allowed = "one whose regions are known (aws, aws-us-gov), or name its regions";
            return Err(CatalogError::setting("partition", &partition, allowed));
        }
        for region in &regions {
            check_region("regions", region, &partition)?;
        }
        regions.sort_unstable();
        regions.dedup();
        let clients = match (self.factory, self.config, self.endpoint) {
            (Some(_), _, Some(url)) => {
                let allowed = "none with client_factory, whose clients have their own";
                return Err(CatalogError::setting("endpoint_url", shown(&url), allowed));
            }
            (Some(factory), _, None) => Clients::Factory(factory),
            (None, Some(config), endpoint) => Clients::Config { config, endpoint },
            (None, None, _) => {
                let allowed = "one, or a client_factory";
                return Err(CatalogError::setting("sdk_config", "none", allowed));
            }
        };
        Ok(Fetcher {
            clients,
            partition,
            regions,
            limits: self.limits,
            observed_at: self.observed_at,
            expectations: self.expectations,
            on_progress: self.on_progress,
        })
    }

    fn check_limits(&self) -> Result<(), CatalogError> {
        let limits = &self.limits;
        for (name, is, most) in [
            ("concurrency", limits.concurrency, usize::MAX),
            ("max_attempts", limits.attempts as usize, 3),
            ("max_pages", limits.pages, 100),
        ] {
            if !(1..=most).contains(&is) {
                let allowed = match most {
                    usize::MAX => "at least 1".to_owned(),
                    most => format!("1 to {most}"),
                };
                return Err(CatalogError::setting(name, &is.to_string(), &allowed));
            }
        }
        for (name, is) in [
            ("attempt_timeout", limits.attempt),
            ("operation_timeout", limits.operation),
            ("deadline", limits.overall),
        ] {
            if is.is_zero() {
                return Err(CatalogError::setting(name, "0s", "more than 0s"));
            }
        }
        Ok(())
    }
}

/// Whether this can be a region of a partition.
pub(crate) fn check_region(name: &str, region: &str, partition: &str) -> Result<(), CatalogError> {
    if !is_region_name(region) {
        let allowed = "ids of regions, like eu-west-1";
        return Err(CatalogError::setting(name, region, allowed));
    }
    if partition_of(region).unwrap_or("aws") != partition {
        let allowed = format!("regions of the partition {partition}");
        return Err(CatalogError::setting(name, region, &allowed));
    }
    Ok(())
}

/// Whether a client can use this address. The SDK would find out with each request.
pub(crate) fn check_endpoint(name: &str, url: &str) -> Result<(), CatalogError> {
    let scheme = ["https://", "http://"];
    let rest = scheme.iter().find_map(|scheme| url.strip_prefix(scheme));
    let authority = rest.and_then(|rest| rest.split('/').next());
    let reachable = authority.is_some_and(|authority| {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        !host.is_empty() && port.is_none_or(|port| port.parse().is_ok_and(|port: u16| port > 0))
    });
    match reachable && HttpRequest::empty().set_uri(url).is_ok() {
        true => Ok(()),
        false => {
            let allowed = "an address like https://bedrock.example:8443";
            Err(CatalogError::setting(name, shown(url), allowed))
        }
    }
}

/// Without a password, should there be one.
fn shown(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}
