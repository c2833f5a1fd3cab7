//! What a caller may say about a fetch, and the defaults of what is left unsaid.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_bedrock::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use bedrock_catalog_data::Timestamp;

use super::error::Error;
use super::fetcher::{ClientFactory, Clients, Fetcher, Limits, OnProgress};
use super::outcome::{Progress, RegionExpectation};
use super::partition::{is_region_name, partition_of, partition_regions};

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
    /// Credentials, and the region that tells the partition. The credentials are resolved once, up
    /// front, at every fetch. Without an HTTP client in it, all regions of a fetch share one pool of at
    /// most 62 connections to a host, which ends with the fetch.
    pub fn sdk_config(mut self, config: &SdkConfig) -> Self {
        self.config = Some(Box::new(config.clone()));
        self
    }

    /// A ready client for each region, called once a region at every fetch; it takes the place of
    /// [`sdk_config`](Self::sdk_config). Credentials, connections and endpoint are the factory's
    /// business; deadlines, retries and size bounds stay those of this builder.
    pub fn client_factory(
        mut self,
        factory: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Self {
        self.factory = Some(Arc::new(factory));
        self
    }

    /// The regions to ask. Default, also for an empty list: [`partition_regions`] of the partition.
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

    /// How long the fetch may take. Regions that have ended by then keep their outcome, the others
    /// are timed out. Default: 30 s.
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

    /// What the regions answered before, so that a list that is suddenly empty, or a fifth shorter,
    /// is not believed. Default: nothing is known, everything is believed.
    pub fn expectations(mut self, regions: BTreeMap<String, RegionExpectation>) -> Self {
        self.expectations = regions;
        self
    }

    /// Called for every region that ends, in the task that fetches: it should be quick.
    pub fn on_progress(mut self, callback: impl Fn(Progress<'_>) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(callback));
        self
    }

    /// The fetcher. Asks nobody yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](super::ErrorKind::InvalidRequest) without configuration and
    /// factory, for a text that is no region, for regions of two partitions, for a partition without
    /// known regions when none is named, for an endpoint that is no address, and for bounds out of their
    /// range: the setting, its value, and what is allowed.
    pub fn build(self) -> Result<Fetcher, Error> {
        let limits = &self.limits;
        let counts = [
            ("concurrency", limits.concurrency, 1, usize::MAX),
            ("max_attempts", limits.attempts as usize, 1, 3),
            ("max_pages", limits.pages, 1, 100),
        ];
        for (name, is, least, most) in counts {
            if !(least..=most).contains(&is) {
                let allowed = match most {
                    usize::MAX => format!("at least {least}"),
                    most => format!("{least} to {most}"),
                };
                return Err(Error::refused(name, &is.to_string(), &allowed));
            }
        }
        let times = [
            ("attempt_timeout", limits.attempt),
            ("operation_timeout", limits.operation),
            ("deadline", limits.overall),
        ];
        for (name, is) in times {
            if is.is_zero() {
                return Err(Error::refused(name, "0s", "time to ask in"));
            }
        }
        if let Some(url) = &self.endpoint {
            check_endpoint("endpoint_url", url)?;
        }
        let home = self
            .config
            .as_ref()
            .and_then(|config| config.region().cloned());
        let named = self.regions.first().map(String::as_str);
        let partition = match (self.partition, named.or(home.as_ref().map(AsRef::as_ref))) {
            (Some(partition), _) => partition,
            (None, Some(region)) => partition_of(region).to_owned(),
            (None, None) => "aws".to_owned(),
        };
        let mut regions = self.regions;
        if regions.is_empty() {
            regions = partition_regions(&partition)
                .into_iter()
                .map(Into::into)
                .collect();
        }
        if regions.is_empty() {
            let allowed = "one whose regions are known (aws, aws-us-gov), or name its regions";
            return Err(Error::refused("partition", &partition, allowed));
        }
        for region in &regions {
            check_region("regions", region, &partition)?;
        }
        regions.sort_unstable();
        regions.dedup();

        let clients = match (self.factory, self.config, self.endpoint) {
            (Some(_), _, Some(url)) => {
                let allowed = "none with client_factory, whose clients have their own";
                return Err(Error::refused("endpoint_url", shown(&url), allowed));
            }
            (Some(factory), _, None) => Clients::Factory(factory),
            (None, Some(config), endpoint) => Clients::Config { config, endpoint },
            (None, None, _) => {
                let allowed = "one, or a client_factory";
                return Err(Error::refused("sdk_config", "none", allowed));
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
}

/// Whether this can be a region of a partition.
pub(crate) fn check_region(name: &str, region: &str, partition: &str) -> Result<(), Error> {
    if !is_region_name(region) {
        let allowed = "ids of regions, like eu-west-1";
        return Err(Error::refused(name, region, allowed));
    }
    if partition_of(region) != partition {
        let allowed = format!("regions of the partition {partition}");
        return Err(Error::refused(name, region, &allowed));
    }
    Ok(())
}

/// Whether a client can ask there at all: the SDK finds that out with each request.
pub(crate) fn check_endpoint(name: &str, url: &str) -> Result<(), Error> {
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
        false => Err(Error::refused(
            name,
            shown(url),
            "an address like https://bedrock.example:8443",
        )),
    }
}

/// Without a password, should there be one.
fn shown(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, rest)| rest)
}
