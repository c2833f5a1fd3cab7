//! The requests of one region: the models in one answer, and the pages of inference profiles.

use std::collections::HashSet;
use std::sync::Arc;

use aws_sdk_bedrock::Client;
use aws_sdk_bedrock::config::Builder as ConfigBuilder;
use aws_sdk_bedrock::config::retry::{RetryConfig, RetryPartition};
use aws_sdk_bedrock::config::timeout::TimeoutConfig;
use aws_sdk_bedrock::types::InferenceProfileType;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::body_limit::Meter;
use super::fault::Fault;
use super::fetcher::Limits;
use super::outcome::Outcome;
use super::rows;
use bedrock_catalog_recording::{ModelSummary, ProfileSummary, RegionAnswers};

/// The most rows one page may have; fewer requests are kinder than smaller pages.
const PAGE_ROWS: i32 = 1000;

const MODELS: &str = "ListFoundationModels";
const PROFILES: &str = "ListInferenceProfiles";

/// What all regions of one fetch share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) limits: Limits,
    /// One permit per request in flight.
    pub(super) requests: Semaphore,
    /// One retry budget.
    pub(super) retries: RetryPartition,
}

/// Fetches both lists of one region at once; the first fault ends both.
pub(super) async fn fetch(client: Client, shared: Arc<Shared>) -> Result<RegionAnswers, Fault> {
    let chain = Chain {
        client,
        meter: Meter::new(shared.limits.region_bytes),
        shared,
    };
    let (models, profiles) = tokio::try_join!(chain.models(), chain.profiles())?;
    Ok(RegionAnswers::new(models, profiles))
}

struct Chain {
    client: Client,
    meter: Meter,
    shared: Arc<Shared>,
}

impl Chain {
    async fn models(&self) -> Result<Vec<ModelSummary>, Fault> {
        let _permit = self.permit().await?;
        let call = self.client.list_foundation_models().customize();
        let answer = call.config_override(self.overrides()).send().await;
        let rows = answer
            .map_err(|error| Fault::of(MODELS, &error))?
            .model_summaries;
        let rows = rows.unwrap_or_default().into_iter();
        let rows: Option<Vec<_>> = rows.map(rows::model).collect();
        rows.ok_or_else(|| failed(MODELS, "a row without an id"))
    }

    async fn profiles(&self) -> Result<Vec<ProfileSummary>, Fault> {
        let mut profiles = Vec::new();
        let mut seen = HashSet::new();
        let mut token = None;
        for _ in 0..self.shared.limits.pages {
            let (page, next) = self.profile_page(token).await?;
            profiles.extend(page);
            match next {
                None => return Ok(profiles),
                Some(next) if !seen.insert(next.clone()) => {
                    return Err(failed(PROFILES, "a page token came twice"));
                }
                next => token = next,
            }
        }
        Err(failed(
            PROFILES,
            &format!("no end after {} pages", self.shared.limits.pages),
        ))
    }

    async fn profile_page(
        &self,
        token: Option<String>,
    ) -> Result<(Vec<ProfileSummary>, Option<String>), Fault> {
        let _permit = self.permit().await?;
        let call = self
            .client
            .list_inference_profiles()
            .type_equals(InferenceProfileType::SystemDefined)
            .max_results(PAGE_ROWS)
            .set_next_token(token)
            .customize();
        let answer = call.config_override(self.overrides()).send().await;
        let answer = answer.map_err(|error| Fault::of(PROFILES, &error))?;
        let rows = answer
            .inference_profile_summaries
            .unwrap_or_default()
            .into_iter();
        // A service that does not know the filter answers with the account's own profiles too.
        let rows = rows.filter(|row| row.r#type != InferenceProfileType::Application);
        let rows: Option<Vec<_>> = rows.map(rows::profile).collect();
        let rows = rows.ok_or_else(|| failed(PROFILES, "a row without an id"))?;
        // An empty token is no token, as in every AWS SDK.
        Ok((rows, answer.next_token.filter(|token| !token.is_empty())))
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, Fault> {
        let permit = self.shared.requests.acquire().await;
        permit.map_err(|_| Fault::new(Outcome::Failed, "the fetch has ended"))
    }

    /// The same bounds for every call, whatever the client's own configuration.
    fn overrides(&self) -> ConfigBuilder {
        let limits = &self.shared.limits;
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(limits.attempt)
            .operation_timeout(limits.operation)
            .build();
        let retries = RetryConfig::standard().with_max_attempts(limits.attempts);
        ConfigBuilder::new()
            .timeout_config(timeouts)
            .retry_config(retries)
            .retry_partition(self.shared.retries.clone())
            .retry_classifier(self.meter.clone())
            .interceptor(self.meter.clone())
    }
}

fn failed(operation: &str, why: &str) -> Fault {
    Fault::new(Outcome::Failed, format!("{operation}: {why}"))
}
