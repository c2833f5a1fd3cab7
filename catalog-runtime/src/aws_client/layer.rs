//! The layer between the SDK and its HTTP client: reads are answered from the cache or asked once for all
//! who ask, writes drop what they change, everything else passes. This file may not know any operation.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::{
    RuntimeComponents, RuntimeComponentsBuilder,
};
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::client::{Plan, Shared};
use super::identity::{Scope, Signed, credentials};
use super::mark::{Marked, Unanswered};
use super::parameters::{Parameters, feed, hex};
use super::reply::{self, Looked};
use super::rules::{ALL, Kind};
use super::writes::Pending;
use crate::cache::{Cache, Freshness, Horizons, Key, Terms};

/// Any call may be the one that is answered; the inner client makes the connectors, as ever.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) inner: SharedHttpClient,
    pub(super) shared: Arc<Shared>,
}

impl HttpClient for Layer {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(Arc::new(Wire {
            inner: self.inner.http_connector(settings, components),
            shared: Arc::clone(&self.shared),
            components: components.clone(),
        })))
    }

    fn validate_base_client_config(
        &self,
        components: &RuntimeComponentsBuilder,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_base_client_config(components, config)
    }

    fn validate_final_config(
        &self,
        components: &RuntimeComponents,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        self.inner.validate_final_config(components, config)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.inner.connector_metadata()
    }
}

/// The SDK makes one for each attempt, and each call keeps what is in it.
#[derive(Debug)]
struct Connector(Arc<Wire>);

#[derive(Debug)]
struct Wire {
    inner: SharedHttpConnector,
    shared: Arc<Shared>,
    components: RuntimeComponents,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(Marked(plan)) = request.extension().cloned() else {
            return self.0.inner.call(request);
        };
        let is_read = match &plan.kind {
            Kind::Other => {
                return self.0.inner.call(request);
            }
            Kind::Read { .. }
                if request.extension::<Unanswered>().is_some() || plan.fresh_for.is_zero() =>
            {
                self.0.shared.counts.passed.one();
                return self.0.inner.call(request);
            }
            Kind::Read { .. } => true,
            Kind::Write => false,
        };
        let wire = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            if is_read {
                wire.read(plan, request).await
            } else {
                wire.write(plan, request).await
            }
        })
    }
}

/// The number of entries a write dropped: an extension of its response, for interceptors.
///
/// ```
/// use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
/// use bedrock_catalog::aws_client::Dropped;
///
/// fn dropped(response: &HttpResponse) -> u64 {
///     response.extension::<Dropped>().map_or(0, |dropped| dropped.0)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped(pub u64);

impl Wire {
    async fn read(
        &self,
        plan: Arc<Plan>,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let Some((cache, key)) = self.place(&plan, &request).await else {
            self.shared.counts.passed.one();
            return self.inner.call(request).await;
        };
        // Kept no longer than fresh: an answer that may be out of date is no answer, and who may not read
        // any more is not to be served what he once could.
        let terms = Terms::source("api")
            .holding(Horizons {
                fresh_for: plan.fresh_for,
                keep_for: plan.fresh_for,
            })
            .giving_up_when_busy();
        let (mut request, mut asked) = (Some(request), None);
        let answer = cache
            .get_or_compute_async(&key, &terms, || self.ask(&mut request, &mut asked))
            .await;
        if let Some(asked) = asked {
            return asked;
        }
        if let Ok(Freshness::Fresh(hit)) = answer
            && let Some(response) = reply::read(&hit.data, hit.age())
        {
            self.shared.counts.answered.one();
            tracing::debug!(%key, age_seconds = hit.age().as_secs(), "an AWS read was answered from the cache");
            return Ok(response);
        }
        // Another's question failed a moment ago, or another process is asking, or what is stored cannot
        // be read: the answer and the error are for each caller to get.
        let watched = cache.watch(&key);
        if let Ok(written) = self.ask(&mut request, &mut asked).await {
            let put = move |cache: &Cache| cache.put_unless_overtaken(&watched, written, &terms);
            cache.off_thread(put).await;
        }
        asked.unwrap_or_else(|| {
            Err(ConnectorError::other(
                "the request was sent already".into(),
                None,
            ))
        })
    }

    /// Asks the service. The answer, whatever it is, is left in `asked`; it is written down if it is one to
    /// keep.
    async fn ask(
        &self,
        request: &mut Option<HttpRequest>,
        asked: &mut Option<Result<HttpResponse, ConnectorError>>,
    ) -> Result<Bytes, NotKept> {
        let Some(request) = request.take() else {
            return Err(NotKept("the request was sent already"));
        };
        self.shared.counts.asked.one();
        let response = match self.inner.call(request).await {
            Ok(response) => response,
            Err(error) => {
                self.shared.counts.not_kept.one();
                *asked = Some(Err(error));
                return Err(NotKept("the request failed"));
            }
        };
        let (response, kept) = match reply::look(
            response,
            self.shared.largest_body,
            self.components.sleep_impl(),
        )
        .await
        {
            Looked::Whole {
                response,
                written,
                body,
            } => {
                let body = written.get(body..).unwrap_or_default();
                let rules = &self.shared.rules;
                let kept = if rules.is_unsettled(body) {
                    Err(NotKept("it says that something is on its way"))
                } else if rules.is_secret(body) {
                    Err(NotKept("it holds a secret"))
                } else {
                    Ok(written)
                };
                (response, kept)
            }
            Looked::NotKept(response, why) => (response, Err(NotKept(why))),
        };
        if let Err(NotKept(why)) = &kept {
            self.shared.counts.not_kept.one();
            tracing::debug!(
                status = response.status().as_u16(),
                why,
                "an AWS answer is not kept"
            );
        }
        *asked = Some(Ok(response));
        kept
    }

    async fn write(
        &self,
        plan: Arc<Plan>,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let shared = Arc::clone(&self.shared);
        shared.counts.writes.one();
        let scope = self.scope(&request).await;
        // Whose data it changes is not known without an account: anybody's, then.
        let namespaces =
            scope.map_or_else(|| shared.namespaces(), |(scope, _)| vec![scope.namespace]);
        let parameters = Parameters::of(&request);
        let patterns = shared
            .rules
            .patterns(&plan.service, &plan.operation, &parameters);
        drop(parameters);
        let pending = Pending::begin(Arc::clone(&shared), plan, namespaces, patterns).await;
        let mut result = self.inner.call(request).await;
        let status = result.as_ref().map(HttpResponse::status);
        // A timeout that the service reports (408) is in doubt like any other.
        let refused = status
            .as_ref()
            .is_ok_and(|status| status.is_client_error() && status.as_u16() != 408);
        let dropped = if refused {
            pending.refused()
        } else {
            if !status.is_ok_and(|status| status.is_success()) {
                shared.counts.in_doubt.one();
            }
            pending.done().await
        };
        if let Ok(response) = &mut result {
            response.add_extension(Dropped(dropped));
        }
        result
    }

    /// Where the answer to a read is kept; `None` where it is not to be.
    async fn place(&self, plan: &Plan, request: &HttpRequest) -> Option<(Cache, Key)> {
        let (scope, region) = self.scope(request).await?;
        let parameters = Parameters::of(request);
        let Kind::Read { unless } = &plan.kind else {
            return None;
        };
        if parameters.is_stream() || unless.iter().any(|name| parameters.is_true(name)) {
            return None;
        }
        let mut hash = Sha256::new();
        feed(&mut hash, b"aws-client 1");
        feed(&mut hash, &scope.identity);
        feed(&mut hash, region.as_bytes());
        parameters.digest(&mut hash);
        let tags = parameters.tags(&plan.operation, self.shared.rules.scopes(&plan.service));
        let mut tags = tags.iter().map(String::as_str);
        let key = Key::new(&plan.service, &plan.operation, tags.next().unwrap_or(ALL));
        let key = tags.fold(key, |key, tag| key.sub(tag));
        let key = key.sub(&hex(hash.finalize().iter().take(16)));
        if self.shared.doubtful.covers(scope.namespace, &key) {
            return None;
        }
        self.shared.serves(scope.namespace);
        Some((self.shared.cache.in_namespace(scope.namespace), key))
    }

    /// Who asks, and the region that is asked.
    async fn scope(&self, request: &HttpRequest) -> Option<(Scope, String)> {
        let signed = Signed::of(request)?;
        let region = signed.region.to_owned();
        let credentials = credentials(signed.access_key(), &self.components).await?;
        let scope = self.shared.scope(credentials, &region);
        if scope.is_none() {
            self.shared.warn_of_nobody();
        }
        Some((scope?, region))
    }
}

/// Why an answer is not kept.
#[derive(Debug)]
struct NotKept(&'static str);

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
