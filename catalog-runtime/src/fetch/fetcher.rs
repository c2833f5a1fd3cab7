//! A fetch of many regions at once: bounded, shared, and with every region's fate its own.
//! It knows clients and outcomes; what the rows mean is the transform's business.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_bedrock::config::{
    Builder as ConfigBuilder, ProvideCredentials, Region, SharedCredentialsProvider,
    SharedHttpClient,
};
use aws_smithy_runtime_api::shared::IntoShared;
use bedrock_catalog_data::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::builder::FetcherBuilder;
use super::error::Error;
use super::fault::{Cause, Fault};
use super::outcome::{Account, Fetched, Outcome, Progress, RegionExpectation, RegionReport};
use super::partition::is_opt_in;
use super::region::{self, Shared};
use bedrock_catalog_recording::{Recording, RegionAnswers};

/// The most requests in flight, and connections open, at any moment: two for each of 31 regions.
pub(super) const CONNECTIONS: usize = 62;
/// Retries one fetch may spend for each region, over all its operations and pages.
const RETRIES_PER_REGION: usize = 4;
/// Credentials that take longer are none: a metadata service that does not answer is not waited for.
/// Short enough that with the second that a live catalog waits for their account five are not passed.
const CREDENTIALS_WITHIN: Duration = Duration::from_millis(3_500);

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
/// Told of every region that ends.
pub(super) type OnProgress = dyn Fn(Progress<'_>) + Send + Sync;

#[derive(Clone)]
pub(super) enum Clients {
    Config {
        config: Box<SdkConfig>,
        endpoint: Option<String>,
    },
    Factory(Arc<ClientFactory>),
}

/// Asks Bedrock's control plane what every region has. Cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), bedrock_catalog::fetch::Error> {
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

    /// The partition that is asked.
    pub fn partition(&self) -> &str {
        &self.partition
    }

    /// The regions that are asked, sorted.
    pub fn regions(&self) -> &[String] {
        &self.regions
    }

    /// The same fetcher, measuring answers against these: see [`FetcherBuilder::expectations`].
    #[must_use]
    pub fn with_expectations(mut self, regions: BTreeMap<String, RegionExpectation>) -> Self {
        self.expectations = regions;
        self
    }

    /// Asks all regions, and comes back when each has ended or the overall deadline has passed.
    ///
    /// It costs two requests a region and one more for every further page of profiles. Dropping the
    /// future ends the work: no task is left behind. It has to run on a Tokio runtime with time and
    /// I/O enabled.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoCredentials`](super::ErrorKind::NoCredentials) within five seconds where there
    /// are none. A region that fails is no error, even if all do: see [`Fetched::reports`].
    pub async fn fetch(&self) -> Result<Fetched, Error> {
        let deadline = Instant::now() + self.limits.overall;
        let observed_at = self.observed_at();
        let (make_client, account) = self.client_maker().await?;

        let shared = Arc::new(Shared {
            limits: self.limits.clone(),
            requests: Semaphore::new(CONNECTIONS),
            retries: retry_budget(self.regions.len()),
        });
        let mut waiting = self.regions.iter();
        let mut running = JoinSet::new();
        let mut ended = BTreeMap::new();
        let mut start_next = |running: &mut JoinSet<Ended>| {
            if let Some(id) = waiting.next() {
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
        // Past the deadline, or where a region's task died, the regions that are missing are judged below.
        while let Ok(Some(joined)) = timeout_at(deadline, running.join_next()).await {
            start_next(&mut running);
            let Ok((id, elapsed, result)) = joined else {
                continue;
            };
            let result = result.and_then(|answers| self.believe(&id, answers));
            self.tell(&id, &report(elapsed, &result), ended.len() + 1);
            ended.insert(id, (elapsed, result));
        }
        let late = Instant::now() >= deadline;
        drop(running);
        for id in &self.regions {
            if !ended.contains_key(id) {
                let fault = self.missing(late);
                let result = (self.limits.overall, Err(fault));
                self.tell(id, &report(result.0, &result.1), ended.len() + 1);
                ended.insert(id.clone(), result);
            }
        }
        self.conclude(observed_at, account, ended)
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

    /// Resolves the credentials, once for all regions, and hands back what makes a region's client, and
    /// whose they are.
    async fn client_maker(&self) -> Result<(Arc<ClientFactory>, Account), Error> {
        let (config, endpoint) = match &self.clients {
            Clients::Factory(factory) => return Ok((Arc::clone(factory), Account::default())),
            Clients::Config { config, endpoint } => (config.clone(), endpoint.clone()),
        };
        let Some(provider) = config.credentials_provider() else {
            return Err(Error::no_credentials(
                "the SDK configuration has no provider",
                false,
                None,
            ));
        };
        let within = CREDENTIALS_WITHIN.min(self.limits.overall);
        let credentials = match timeout(within, provider.provide_credentials()).await {
            Ok(Ok(credentials)) => credentials,
            Ok(Err(error)) => {
                return Err(Error::no_credentials(
                    "no source has any",
                    false,
                    Some(error.into()),
                ));
            }
            Err(_) => {
                let why = format!("no source answered within {within:?}");
                return Err(Error::no_credentials(&why, true, None));
            }
        };
        let account = credentials.account_id().map(|id| id.as_str().to_owned());
        let credentials = SharedCredentialsProvider::new(credentials);
        let http = match config.http_client() {
            Some(client) => client,
            None => shared_pool()?,
        };
        let make_client: Arc<ClientFactory> = Arc::new(move |region| {
            let mut builder = ConfigBuilder::from(config.as_ref())
                .region(Region::new(region.to_owned()))
                .credentials_provider(credentials.clone())
                .http_client(http.clone());
            if endpoint.is_some() {
                builder.set_endpoint_url(endpoint.clone());
            }
            Client::from_conf(builder.build())
        });
        Ok((make_client, Account(account)))
    }

    fn believe(&self, id: &str, answers: RegionAnswers) -> Result<RegionAnswers, Fault> {
        match self
            .expectations
            .get(id)
            .and_then(|before| before.doubt(&answers))
        {
            Some(doubt) => Err(Fault::new(Outcome::Suspicious, doubt)),
            None => Ok(answers),
        }
    }

    fn tell(&self, region: &str, report: &RegionReport, done: usize) {
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

    /// Judges what takes all regions to judge, and writes the recording.
    fn conclude(
        &self,
        observed_at: Timestamp,
        account: Account,
        mut ended: BTreeMap<String, (Duration, Result<RegionAnswers, Fault>)>,
    ) -> Result<Fetched, Error> {
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
            return Err(Error::no_credentials("the clients have none", false, None));
        }

        let mut fetched = Fetched {
            recording: Recording::new(self.partition.clone(), observed_at),
            reports: BTreeMap::new(),
            account,
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

/// A fresh budget for every fetch, shared by all its regions. Success gives nothing back, so it is a
/// hard bound: with the first attempts of 31 regions' two lists, 186 requests at the most where every
/// list has one page.
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

/// One pool for all regions of one fetch. It is bound to the runtime it is first used on, so it does
/// not outlive the fetch: the next one is hours away, and perhaps on another runtime.
fn shared_pool() -> Result<SharedHttpClient, Error> {
    use aws_smithy_http_client::{pool, tls};

    let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
    let builder = pool::ConnectionPool::builder().max_connections_per_host(CONNECTIONS);
    let pool = builder.tls_provider(rustls).build_https();
    let pool = pool.map_err(|error| Error::invalid(format!("no connection pool: {error}")))?;
    let client = pool::Client::new(&pool);
    let client = client.map_err(|error| Error::invalid(format!("no connection pool: {error}")))?;
    Ok(client.into_shared())
}
