//! The layer between the SDK and its HTTP client: reads are answered from the cache or asked once for all
//! who ask, writes drop what they change, everything else passes. This file may not know any operation.

use std::sync::Arc;

use aws_credential_types::Credentials;
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
use bytes::Bytes;

use super::client::{Plan, Shared};
use super::digest::feed;
use super::identity::Signed;
use super::mark::{Marked, Unanswered};
use super::parameters::Parameters;
use super::reply::{self, NotKept};
use super::rules::{ALL, Kind};
use super::writes::{Drops, Pending};
use bedrock_catalog_cache::{Cache, Freshness, Key, hex};

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
        SharedHttpConnector::new(Connector(Wire {
            inner: self.inner.http_connector(settings, components),
            shared: Arc::clone(&self.shared),
            sleep: components.sleep_impl(),
        }))
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
struct Connector(Wire);

#[derive(Debug, Clone)]
struct Wire {
    inner: SharedHttpConnector,
    shared: Arc<Shared>,
    sleep: Option<SharedAsyncSleep>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self(wire) = self;
        let Some(marked) = request.extension::<Marked>() else {
            return wire.inner.call(request);
        };
        if marked.plan.kind == Kind::Write {
            let (wire, marked) = (wire.clone(), marked.clone());
            return HttpConnectorFuture::new(wire.write(marked, request));
        }
        let Some(place) = wire.place(marked, &request) else {
            wire.shared.counts.passed.one();
            return wire.inner.call(request);
        };
        let asking = Asking {
            wire: wire.clone(),
            request: Some(request),
            answer: None,
        };
        HttpConnectorFuture::new(Box::new(Read { place, asking }).answer())
    }
}

/// The number of entries a write dropped: an extension of its response, for interceptors.
///
/// ```
/// use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
/// use bedrock_catalog_aws_client::Dropped;
///
/// fn dropped(response: &HttpResponse) -> u64 {
///     response.extension::<Dropped>().map_or(0, |dropped| dropped.0)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped(pub u64);

/// A read. In a box, as futures hold what they are given twice, and small ones are cheaper to come by.
struct Read {
    place: Place,
    asking: Asking,
}

impl Read {
    async fn answer(mut self: Box<Self>) -> Result<HttpResponse, ConnectorError> {
        let Self { place, asking } = &mut *self;
        let Place { cache, key, plan } = place;
        let answer = cache
            .get_or_compute_async(key, &plan.terms, || asking.ask())
            .await;
        if let Some(asked) = self.asking.answer {
            return asked;
        }
        let shared = &self.asking.wire.shared;
        if let Ok(Freshness::Fresh(hit)) = answer
            && let Some(response) = reply::read(&hit.data, hit.age())
        {
            shared.counts.answered.one();
            tracing::debug!(key = %self.place.key, age_seconds = hit.age().as_secs(), "an AWS read was answered from the cache");
            return Ok(response);
        }
        Box::pin(self.ask_beside_others()).await
    }

    /// Another's question failed a moment ago, or another process is asking, or what is stored cannot be
    /// read: the answer and the error are for each caller to get.
    async fn ask_beside_others(self: Box<Self>) -> Result<HttpResponse, ConnectorError> {
        let Self { place, mut asking } = *self;
        let Place { cache, key, plan } = place;
        let watched = cache
            .off_thread(move |cache| cache.watch_shared(&key))
            .await;
        if let Ok(written) = asking.ask().await {
            let put =
                move |cache: &Cache| cache.put_unless_overtaken(&watched, written, &plan.terms);
            cache.off_thread(put).await;
        }
        asking.answer.unwrap_or_else(|| {
            Err(ConnectorError::other(
                "the request was sent already".into(),
                None,
            ))
        })
    }
}

/// A question to the service, to be asked once.
struct Asking {
    wire: Wire,
    request: Option<HttpRequest>,
    /// The service's own, once it is asked.
    answer: Option<Result<HttpResponse, ConnectorError>>,
}

impl Asking {
    /// Asks the service, and keeps its answer, whatever it is; written down if it is one to store.
    async fn ask(&mut self) -> Result<Bytes, NotKept> {
        let Some(request) = self.request.take() else {
            return Err(NotKept("the request was sent already"));
        };
        let Wire {
            inner,
            shared,
            sleep,
        } = &self.wire;
        shared.counts.asked.one();
        let response = match self.answer.insert(inner.call(request).await) {
            Ok(response) => response,
            Err(_) => {
                shared.counts.not_kept.one();
                return Err(NotKept("the request failed"));
            }
        };
        let looked = reply::look(response, shared.largest_body, sleep.as_ref()).await;
        let kept = looked.and_then(|(written, body)| {
            let body = written.get(body..).unwrap_or_default();
            let why = shared.rules.why_not_kept(body);
            why.map_or(Ok(written), |why| Err(NotKept(why)))
        });
        if let Err(NotKept(why)) = &kept {
            shared.counts.not_kept.one();
            tracing::debug!(
                status = response.status().as_u16(),
                why,
                "an AWS answer is not kept"
            );
        }
        kept
    }
}

impl Wire {
    async fn write(
        self,
        Marked { plan, credentials }: Marked,
        request: HttpRequest,
    ) -> Result<HttpResponse, ConnectorError> {
        let shared = Arc::clone(&self.shared);
        shared.counts.writes.one();
        let signed = Signed::of(&request);
        let scope = signed.and_then(|signed| shared.scope(credentials.as_ref(), &signed));
        // Whose data it changes is not known without an account: anybody's, then. A name given in its
        // place may stand for an account that others' credentials say.
        let account = credentials.as_ref().and_then(Credentials::account_id);
        let mut namespaces = match (&scope, account) {
            (Some(_), Some(_)) => Vec::new(),
            _ => shared.namespaces(),
        };
        let own = scope.map(|scope| scope.namespace);
        namespaces.extend(own.filter(|own| !namespaces.contains(own)));
        let parameters = Parameters::of(&request);
        let pattern = shared
            .rules
            .pattern(&plan.service, &plan.operation, &parameters);
        drop(parameters);
        let drops = Drops {
            namespaces,
            pattern,
        };
        let pending = Pending::begin(Arc::clone(&shared), plan, drops).await;
        let mut result = self.inner.call(request).await;
        let succeeded = matches!(&result, Ok(response) if response.status().is_success());
        // A timeout that the service reports is in doubt like any other. What it did not take because it is
        // asked too much is not: the reads would all go to it, just then.
        let refused = match &mut result {
            Ok(response) if !succeeded => reply::is_refusal(response, self.sleep.as_ref()).await,
            _ => false,
        };
        let dropped = if refused {
            pending.refused()
        } else {
            pending.done(succeeded).await
        };
        if let Ok(response) = &mut result {
            response.add_extension(Dropped(dropped));
        }
        result
    }

    /// Where the answer to a read is kept; `None` where it is not to be.
    fn place(&self, marked: &Marked, request: &HttpRequest) -> Option<Place> {
        let Marked { plan, credentials } = marked;
        if request.extension::<Unanswered>().is_some() || plan.is_off {
            return None;
        }
        let signed = Signed::of(request)?;
        let scope = self.shared.scope(credentials.as_ref(), &signed)?;
        let parameters = Parameters::of(request);
        let Kind::Read { unless } = &plan.kind else {
            return None;
        };
        if parameters.is_stream() || unless.iter().any(|name| parameters.is_true(name)) {
            return None;
        }
        let mut text = Vec::with_capacity(512);
        text.extend_from_slice(b"aws-client 3");
        text.extend_from_slice(&scope.identity);
        feed(&mut text, signed.region.as_bytes());
        parameters.write_head(&mut text);
        let head = text.len();
        parameters.write_body(&mut text);
        let (head, body) = text.split_at(head);
        let digest = plan.heads.digest(head, body);
        let digest = hex::pairs(digest.first_chunk::<16>()?);
        let digest = std::str::from_utf8(digest.as_flattened()).ok()?;
        let tags = parameters.tags(&plan.operation, self.shared.rules.scopes(&plan.service));
        let nothing = tags.is_empty().then_some(ALL);
        let tags = tags.iter().map(String::as_str).chain(nothing);
        let leading = std::iter::once(plan.leading.as_str());
        let key = Key::of_escaped(leading.chain(tags).chain([digest]));
        self.shared.serves(scope.namespace);
        let (cache, key) = match self.shared.in_doubt(scope.namespace, &key) {
            // Nothing is kept there, and who asks after another write does not meet who asked before it.
            Some(drops) => (&self.shared.apart, key.sub(&drops.to_string())),
            None => (&self.shared.cache, key),
        };
        Some(Place {
            cache: cache.in_namespace(scope.namespace),
            key,
            plan: Arc::clone(plan),
        })
    }
}

/// Where an answer is kept, and how.
struct Place {
    cache: Cache,
    key: Key,
    plan: Arc<Plan>,
}
