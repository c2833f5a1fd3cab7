//! The connector between the SDK and its HTTP client. It answers reads from the cache, sends concurrent
//! equal reads once, and invalidates for writes.

use std::sync::Arc;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
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
use bedrock_catalog_cache::{Cache, Freshness, Join, Key, Namespace, Pattern};
use bytes::Bytes;

use crate::client::{Plan, Shared};
use crate::interceptor::{Bypass, Call, Handled};
use crate::invalidation::{Invalidation, PendingWrite};
use crate::parameters::{Parameters, digest};
use crate::response::{self, Failure};
use crate::rules::{ALL, Kind};

/// The HTTP client of a [`CachedClient`](crate::CachedClient), in front of another one.
#[derive(Debug)]
pub(crate) struct CachingHttpClient {
    pub(crate) inner: SharedHttpClient,
    pub(crate) shared: Arc<Shared>,
}

impl HttpClient for CachingHttpClient {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(settings, components),
            shared: Arc::clone(&self.shared),
            sleep: components.sleep_impl(),
        })
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

/// The SDK makes one for each attempt.
#[derive(Debug, Clone)]
struct Connector {
    inner: SharedHttpConnector,
    shared: Arc<Shared>,
    sleep: Option<SharedAsyncSleep>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(call) = request.extension::<Call>().cloned() else {
            self.shared
                .warn("the client has the HTTP client, but not the interceptor");
            return self.inner.call(request);
        };
        let connector = self.clone();
        match call.plan.kind {
            Kind::Neutral => self.inner.call(request),
            Kind::Read => HttpConnectorFuture::new(connector.read(call, request)),
            Kind::Write => HttpConnectorFuture::new(connector.write(call, request)),
        }
    }
}

/// The number of entries that a write invalidated: an extension of its response, for interceptors.
///
/// ```
/// use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
/// use bedrock_catalog_aws_client::Invalidated;
///
/// fn invalidated(response: &HttpResponse) -> u64 {
///     response.extension::<Invalidated>().map_or(0, |invalidated| invalidated.0)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalidated(pub u64);

/// The key of a single flight. The generation changes with each invalidation: a read after a write does not
/// share the response to an earlier read.
pub(crate) type FlightKey = (Namespace, Key, u64);

/// A read that the cache may answer: its entry.
struct CachedRead {
    namespace: Namespace,
    cache: Cache,
    key: Key,
    plan: Arc<Plan>,
    is_later_page: bool,
}

impl Connector {
    async fn read(self, call: Call, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let shared = &self.shared;
        let Some(read) = self.cached_read(&call, &request) else {
            shared.counts.bypassed.one();
            let mut response = self.inner.call(request).await?;
            response.add_extension(Handled(None));
            return Ok(response);
        };
        shared.finish_uncertain_writes().await;
        let is_uncertain = shared.uncertain.cover(read.namespace, &read.key);
        if !is_uncertain
            && let Freshness::Fresh(hit) = read.cache.get_async(&read.key).await
            && let Some(response) = read.response(&hit.data, hit.age())
        {
            shared.counts.hits.one();
            let age_seconds = hit.age().as_secs();
            tracing::debug!(key = %read.key, age_seconds, "an AWS read is answered from the cache");
            return Ok(response);
        }
        // The response of the caller that leads is its own; the others get a copy, if it may be shared.
        let mut request = Some(request);
        let mut own = None;
        let generation = shared
            .cache
            .generation()
            .wrapping_add(shared.uncertain.added());
        let flight = (read.namespace, read.key.clone(), generation);
        let lead = async {
            let fetched = self.fetch(&read, request.take()?, is_uncertain).await;
            let (response, stored) = match fetched {
                Ok((response, stored)) => (Ok(response), stored),
                Err(error) => (Err(error), None),
            };
            own = Some(response);
            stored
        };
        let copy = shared.flights.run(flight, Join::Running, lead).await;
        if let Some(response) = own {
            return response;
        }
        if let Some(response) = copy.and_then(|stored| read.response(&stored, Default::default())) {
            shared.counts.hits.one();
            return Ok(response);
        }
        match request {
            Some(request) => {
                let (response, _) = self.fetch(&read, request, is_uncertain).await?;
                Ok(response)
            }
            None => Err(ConnectorError::other(
                "the request was sent already".into(),
                None,
            )),
        }
    }

    /// Sends a read, and stores the response. The answer is the response, and its stored form if others
    /// may have it too.
    async fn fetch(
        &self,
        read: &CachedRead,
        request: HttpRequest,
        is_uncertain: bool,
    ) -> Result<(HttpResponse, Option<Bytes>), ConnectorError> {
        let shared = &self.shared;
        shared.counts.misses.one();
        let token = read.cache.load_token(&read.key);
        let mut response = self.inner.call(request).await?;
        let (rules, bound, sleep) = (&shared.rules, shared.largest_body, self.sleep.as_ref());
        let stored = response::storable(&mut response, rules, bound, sleep).await?;
        response.add_extension(Handled(None));
        if let Err(reason) = stored {
            shared.counts.not_stored.one();
            let status = response.status().as_u16();
            tracing::debug!(key = %read.key, status, reason, "an AWS response is not stored");
            if read.is_later_page && (400..500).contains(&status) {
                self.drop_list(read, &mut response).await;
            }
        }
        let stored = stored.ok();
        if let Some(stored) = &stored
            && !is_uncertain
            && !shared.uncertain.cover(read.namespace, &read.key)
        {
            let (stored, options) = (stored.clone(), &read.plan.options);
            read.cache
                .put_if_current_async(token, stored, options)
                .await;
            response.add_extension(read.handled());
        }
        Ok((response, stored))
    }

    /// A page whose token has expired fails until the list is read anew: the pages before it are removed.
    async fn drop_list(&self, read: &CachedRead, response: &mut HttpResponse) {
        let failure = response::failure(response, self.sleep.as_ref()).await;
        if matches!(failure, Ok(Failure::Refused)) {
            let Plan {
                service, operation, ..
            } = &*read.plan;
            let invalidation = Invalidation {
                namespaces: vec![read.namespace],
                pattern: Pattern::under([service.as_str(), operation.as_str()]),
            };
            self.shared.invalidate(&invalidation).await;
        }
    }

    async fn write(self, call: Call, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let Call { plan, caller } = call;
        // Without an account, the write may change the data of any.
        let mut namespaces = match &caller {
            Some(caller) if caller.has_account => Vec::new(),
            _ => self.shared.namespaces(),
        };
        let own = caller.map(|caller| caller.namespace);
        namespaces.extend(own.filter(|own| !namespaces.contains(own)));
        let parameters = Parameters::of(&request);
        let pattern = self
            .shared
            .rules
            .pattern(&plan.service, &plan.operation, &parameters);
        drop(parameters);
        self.shared.finish_uncertain_writes().await;
        let invalidation = Invalidation {
            namespaces,
            pattern,
        };
        let pending = PendingWrite::begin(Arc::clone(&self.shared), invalidation).await;
        let outcome = async {
            let mut response = self.inner.call(request).await?;
            let failure = match response.status().is_success() {
                true => None,
                false => Some(response::failure(&mut response, self.sleep.as_ref()).await?),
            };
            Ok((response, failure))
        };
        let outcome = outcome.await;
        let removed = match &outcome {
            Ok((_, None)) => pending.done(false).await,
            Ok((_, Some(Failure::Uncertain))) | Err(_) => pending.done(true).await,
            Ok((_, Some(Failure::Refused | Failure::Throttled))) => pending.refused(),
        };
        let Plan {
            service, operation, ..
        } = &*plan;
        tracing::debug!(
            service,
            operation,
            removed,
            "an AWS write invalidated entries"
        );
        let (mut response, _) = outcome?;
        response.add_extension(Handled(None));
        response.add_extension(Invalidated(removed));
        Ok(response)
    }

    /// The entry of a read; `None` if it goes past the cache.
    fn cached_read(&self, call: &Call, request: &HttpRequest) -> Option<CachedRead> {
        let Call { plan, caller } = call;
        let caller = (*caller)?;
        if !plan.is_cached || request.extension::<Bypass>().is_some() {
            return None;
        }
        let digest = digest(&caller.digest, request)?;
        let parameters = Parameters::of(request);
        let mut ids =
            parameters.resource_ids(&plan.operation, self.shared.rules.scopes(&plan.service));
        if ids.is_empty() {
            ids.push(ALL.to_owned());
        }
        let names = [plan.service.as_str(), plan.operation.as_str()].into_iter();
        let names = names
            .chain(ids.iter().map(String::as_str))
            .chain([digest.as_str()]);
        self.shared.add_namespace(caller.namespace);
        Some(CachedRead {
            namespace: caller.namespace,
            cache: self.shared.cache.in_namespace(caller.namespace),
            key: Key::from_parts(names),
            plan: Arc::clone(plan),
            is_later_page: parameters.is_later_page(),
        })
    }
}

impl CachedRead {
    /// The response that is stored here.
    fn response(&self, stored: &Bytes, age: std::time::Duration) -> Option<HttpResponse> {
        let mut response = response::decode(stored, age)?;
        response.add_extension(self.handled());
        Some(response)
    }

    fn handled(&self) -> Handled {
        Handled(Some((self.namespace, self.key.clone())))
    }
}
