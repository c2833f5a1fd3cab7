//! A fetch of many regions at once, within shared bounds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_bedrock::config::{
    Builder as ConfigBuilder, ProvideCredentials, Region, SharedCredentialsProvider,
    SharedHttpClient,
};
use aws_smithy_runtime_api::shared::IntoShared;
use bedrock_catalog_data::Timestamp;
use bedrock_catalog_recording::{Recording, RegionAnswers};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::builder::FetcherBuilder;
use super::fault::{Cause, Fault};
use super::guard::RegionExpectation;
use super::outcome::{Fetched, Outcome, Progress, RegionReport};
use super::partition::is_opt_in;
use super::region::{self, Shared};
use crate::error::{CatalogError, CatalogErrorKind};

/// The most requests in flight, and connections open, at any moment: two for each of 31 regions.
pub(super) const CONNECTIONS: usize = 62;
/// Retries one fetch may spend for each region, over all its operations and pages.
const RETRIES_PER_REGION: usize = 4;
/// The time limit for credentials, which covers a metadata service that does not answer.
pub(crate) const CREDENTIALS_LIMIT: Duration = Duration::from_millis(4_500);

const WHAT_TO_SET: &str = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
    or run where a role gives credentials";

pub(crate) fn no_credentials(why: &str) -> CatalogError {
    let message = format!("no AWS credentials: {why}");
    CatalogError::new(CatalogErrorKind::NoCredentials, message).with_advice(WHAT_TO_SET)
}

/// Resolves the credentials of a configuration within a time limit.
pub(crate) async fn resolve(
    config: &SdkConfig,
    limit: Duration,
) -> Result<Credentials, CatalogError> {
    let Some(provider) = config.credentials_provider() else {
        return Err(no_credentials("the SDK configuration has no provider"));
    };
    match timeout(limit, provider.provide_credentials()).await {
        Ok(Ok(credentials)) => Ok(credentials),
        Ok(Err(error)) => Err(no_credentials("no source has any").with_source(error)),
        Err(_) => {
            let why = format!("no source answered within {limit:?}");
            Err(no_credentials(&why).transient())
        }
    }
}

/// The bounds of a fetch.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) attempt: Duration,
    pub(super) operation: Duration,
    pub(super) overall: Duration,
    pub(super) attempts: u32,
    pub(super) concurrency: usize,
    pub(super) pages: usize,
    pub(super) region_bytes: u64,
}

/// Makes the client of a region.
pub(super) type ClientFactory = dyn Fn(&str) -> Client + Send + Sync;
/// Called for every region that ends.
pub(super) type OnProgress = dyn Fn(Progress<'_>) + Send + Sync;

#[derive(Clone)]
pub(super) enum Clients {
    Config {
        config: Box<SdkConfig>,
        endpoint: Option<String>,
    },
    Factory(Arc<ClientFactory>),
}

/// Fetches the lists of every region from Bedrock's control plane. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), bedrock_catalog::CatalogError> {
/// use bedrock_catalog::fetch::{Fetcher, sdk_config_from_env};
///
/// let fetcher = Fetcher::builder().sdk_config(&sdk_config_from_env().await).build()?;
/// let fetched = fetcher.fetch().await?;
/// for (region, report) in fetched.reports() {
///     println!("{region}: {} {}", report.outcome, report.reason);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fetcher {
    pub(super) clients: Clients,
    pub(super) partition: String,
    pub(super) regions: Vec<String>,
    pub(super) limits: Limits,
    pub(super) observed_at: Option<Timestamp>,
    pub(super) expectations: BTreeMap<String, RegionExpectation>,
    pub(super) on_progress: Option<Arc<OnProgress>>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("partition", &self.partition)
            .field("regions", &self.regions)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

type Ended = (String, Duration, Result<RegionAnswers, Fault>);

impl Fetcher {
    /// A builder with the defaults that its methods name.
    pub fn builder() -> FetcherBuilder {
        FetcherBuilder::default()
    }

    /// The partition.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The regions, sorted.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The same fetcher, measuring answers against these: see [`FetcherBuilder::expectations`].
    #[must_use]
    pub fn with_expectations(mut self, regions: BTreeMap<String, RegionExpectation>) -> Self {
        self.expectations = regions;
        self
    }

    /// Fetches all regions, and returns when each has ended or the deadline has passed.
    ///
    /// It costs two requests a region and one more for every further page of profiles. Dropping the
    /// future ends the work. It has to run on a Tokio runtime with time and I/O enabled.
    ///
    /// # Errors
    ///
    /// [`CatalogErrorKind::NoCredentials`] within five seconds where there are none. A region that fails
    /// is no error, even if all do: see [`Fetched::reports`].
    pub async fn fetch(&self) -> Result<Fetched, CatalogError> {
        let deadline = Instant::now() + self.limits.overall;
        let observed_at = self.observed_at();
        let make_client = self.client_maker(deadline).await?;

        let shared = Arc::new(Shared {
            limits: self.limits.clone(),
            requests: Semaphore::new(CONNECTIONS),
            retries: retry_budget(self.regions.len()),
        });
        let mut pending = self.regions.iter();
        let mut running = JoinSet::new();
        let mut ended = BTreeMap::new();
        let mut start_next = |running: &mut JoinSet<Ended>| {
            if let Some(id) = pending.next() {
                let (id, shared) = (id.clone(), Arc::clone(&shared));
                let make_client = Arc::clone(&make_client);
                running.spawn(async move {
                    let started = Instant::now();
                    let result = region::fetch(make_client(&id), shared).await;
                    (id, started.elapsed(), result)
                });
            }
        };
        for _ in 0..self.limits.concurrency.min(self.regions.len()) {
            start_next(&mut running);
        }
        // Regions that are missing, past the deadline or because their task died, are added below.
        while let Ok(Some(joined)) = timeout_at(deadline, running.join_next()).await {
            start_next(&mut running);
            let Ok((id, elapsed, result)) = joined else {
                continue;
            };
            let result = result.and_then(|answers| self.check(&id, answers));
            self.progress(&id, &report(elapsed, &result), ended.len() + 1);
            ended.insert(id, (elapsed, result));
        }
        let late = Instant::now() >= deadline;
        drop(running);
        for id in &self.regions {
            if !ended.contains_key(id) {
                let fault = self.missing(late);
                let result = (self.limits.overall, Err(fault));
                self.progress(id, &report(result.0, &result.1), ended.len() + 1);
                ended.insert(id.clone(), result);
            }
        }
        self.conclude(observed_at, ended)
    }

    fn observed_at(&self) -> Timestamp {
        self.observed_at.unwrap_or_else(|| {
            let source = match &self.clients {
                Clients::Config { config, .. } => config.time_source(),
                Clients::Factory(_) => None,
            };
            let now = source.map_or_else(SystemTime::now, |source| source.now());
            let seconds = now
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs();
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            Timestamp::from_unix(seconds).unwrap_or(Timestamp::baked(0))
        })
    }

    /// Resolves the credentials once for all regions, and returns what makes a region's client.
    async fn client_maker(&self, deadline: Instant) -> Result<Arc<ClientFactory>, CatalogError> {
        let (config, endpoint) = match &self.clients {
            Clients::Factory(factory) => return Ok(Arc::clone(factory)),
            Clients::Config { config, endpoint } => (config.clone(), endpoint.clone()),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let credentials = resolve(&config, CREDENTIALS_LIMIT.min(left)).await?;
        let credentials = SharedCredentialsProvider::new(credentials);
        let http = match config.http_client() {
            Some(client) => client,
            None => shared_pool()?,
        };
        Ok(Arc::new(move |region| {
            let mut builder = ConfigBuilder::from(config.as_ref())
                .region(Region::new(region.to_owned()))
                .credentials_provider(credentials.clone())
                .http_client(http.clone());
            if endpoint.is_some() {
                builder.set_endpoint_url(endpoint.clone());
            }
            Client::from_conf(builder.build())
        }))
    }

    /// Applies the guard.
    fn check(&self, id: &str, answers: RegionAnswers) -> Result<RegionAnswers, Fault> {
        let expected = self.expectations.get(id);
        match expected.and_then(|expected| expected.suspicion(&answers)) {
            Some(suspicion) => Err(Fault::new(Outcome::Suspicious, suspicion)),
            None => Ok(answers),
        }
    }

    fn progress(&self, region: &str, report: &RegionReport, done: usize) {
        tracing::debug!(
            region,
            outcome = report.outcome.as_str(),
            reason = report.reason,
            "region ended"
        );
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress {
                region,
                report,
                done,
                total: self.regions.len(),
            });
        }
    }

    fn missing(&self, late: bool) -> Fault {
        if late {
            let reason = format!("no answer within the deadline of {:?}", self.limits.overall);
            Fault::new(Outcome::TimedOut, reason)
        } else {
            Fault::new(Outcome::Failed, "its task ended without an answer")
        }
    }

    /// Judges what depends on all regions, and makes the recording.
    fn conclude(
        &self,
        observed_at: Timestamp,
        mut ended: BTreeMap<String, (Duration, Result<RegionAnswers, Fault>)>,
    ) -> Result<Fetched, CatalogError> {
        let accepted = ended.values().any(|(_, result)| match result {
            Ok(_) => true,
            Err(fault) => matches!(fault.cause, Cause::CredentialsAccepted),
        });
        let mut faults = ended
            .iter_mut()
            .filter_map(|(id, (_, result))| Some((id, result.as_mut().err()?)));
        let mut without_credentials = 0;
        for (id, fault) in &mut faults {
            let not_enabled = match fault.cause {
                Cause::OptInRequired => true,
                Cause::CredentialsUnknown => accepted && is_opt_in(id),
                _ => false,
            };
            if not_enabled {
                fault.outcome = Outcome::NotEnabled;
            }
            without_credentials += usize::from(fault.cause == Cause::NoCredentials);
        }
        if without_credentials == ended.len() {
            return Err(no_credentials("the clients have none"));
        }

        let mut fetched = Fetched {
            recording: Recording::new(self.partition.clone(), observed_at),
            reports: BTreeMap::new(),
        };
        for (id, (elapsed, result)) in ended {
            let report = report(elapsed, &result);
            match result {
                Ok(answers) => {
                    fetched.recording.regions.insert(id.clone(), answers);
                }
                Err(fault) => {
                    let reason = format!("{}: {}", fault.outcome, fault.reason);
                    fetched.recording.failures.insert(id.clone(), reason);
                }
            }
            fetched.reports.insert(id, report);
        }
        tracing::debug!(
            partition = self.partition,
            answered = fetched.recording.regions.len(),
            failed = fetched.recording.failures.len(),
            "fetched"
        );
        Ok(fetched)
    }
}

fn report(elapsed: Duration, result: &Result<RegionAnswers, Fault>) -> RegionReport {
    let (outcome, reason, models, profiles) = match result {
        Ok(answers) => (
            Outcome::Ok,
            String::new(),
            answers.models.len(),
            answers.profiles.len(),
        ),
        Err(fault) => (fault.outcome, fault.reason.clone(), 0, 0),
    };
    RegionReport {
        outcome,
        reason,
        models,
        profiles,
        elapsed,
    }
}

/// A fresh retry budget for every fetch, shared by all its regions. Success gives nothing back, so it is
/// a hard bound: 186 requests for 31 regions whose lists have one page.
fn retry_budget(regions: usize) -> RetryPartition {
    let bucket = TokenBucket::builder()
        .capacity(regions.saturating_mul(RETRIES_PER_REGION))
        .retry_cost(1)
        .throttling_retry_cost(1)
        .timeout_retry_cost(1)
        // More than nothing, or the SDK gives a permit back for every success.
        .success_reward(f32::MIN_POSITIVE)
        .build();
    RetryPartition::custom("bedrock-catalog-fetch")
        .token_bucket(bucket)
        .build()
}

/// One connection pool for all regions of one fetch. It is bound to the runtime of its first use, so it
/// does not outlive the fetch: the next one may run on another runtime.
fn shared_pool() -> Result<SharedHttpClient, CatalogError> {
    use aws_smithy_http_client::{pool, tls};

    let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let builder = pool::ConnectionPool::builder().max_connections_per_host(CONNECTIONS);
    let pool = builder.tls_provider(rustls).build_https();
    let failed = |error: &dyn fmt::Display| {
        let message = format!("no connection pool: {error}");
        CatalogError::new(CatalogErrorKind::InvalidConfiguration, message)
    };
    let pool = pool.map_err(|error| failed(&error))?;
    let client = pool::Client::new(&pool).map_err(|error| failed(&error))?;
    Ok(client.into_shared())
}
