//! The caching client: the HTTP client and the interceptor for a service's configuration, and what they
//! share.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Builder, ConnectorBuilder, tls};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_types::config_bag::ConfigBag;
use bedrock_catalog_cache::{Cache, EntryOptions, Namespace, SingleFlight, Ttl};
use bytes::Bytes;

use crate::builder::CachedClientBuilder;
use crate::connector::{CachingHttpClient, FlightKey};
use crate::identity::{Caller, Callers};
use crate::interceptor::Interceptor;
use crate::invalidation::{Invalidation, UncertainWrites};
use crate::rules::{Kind, Rules, service_word};
use crate::statistics::{ClientStatistics, Counts};

/// The most namespaces, and the most operations of a service, that are remembered.
const MOST_REMEMBERED: usize = 4096;

/// A cache in front of AWS SDK clients: see the [crate].
///
/// Clones share one cache and one state. One client serves any number of services, regions and
/// credentials. Services that change each other's data must share one.
#[derive(Debug, Clone)]
pub struct CachedClient {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) cache: Cache,
    pub(crate) callers: Callers,
    pub(crate) rules: Rules,
    pub(crate) largest_body: usize,
    pub(crate) fresh_for: Duration,
    pub(crate) fresh_for_operation: HashMap<(String, String), Duration>,
    pub(crate) counts: Counts,
    pub(crate) uncertain: UncertainWrites,
    /// By service and operation, as the SDK names them.
    pub(crate) plans: RwLock<HashMap<String, HashMap<String, Arc<Plan>>>>,
    pub(crate) flights: SingleFlight<FlightKey, Option<Bytes>>,
    /// Those that reads are stored in.
    pub(crate) namespaces: Mutex<Vec<Namespace>>,
    pub(crate) is_warned: AtomicBool,
}

/// Identities are not printed.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("cache", &self.cache)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

/// How the requests of an operation are treated.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) service: String,
    pub(crate) operation: String,
    pub(crate) kind: Kind,
    pub(crate) is_cached: bool,
    pub(crate) options: EntryOptions,
}

impl CachedClient {
    /// A builder of caching clients.
    pub fn builder() -> CachedClientBuilder {
        CachedClientBuilder::default()
    }

    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The interceptor for the configuration of a service. It belongs with the HTTP client.
    #[must_use]
    pub fn interceptor(&self) -> impl Intercept + use<> {
        Interceptor(Arc::clone(&self.shared))
    }

    /// The HTTP client for the configuration of a service: this cache in front of an HTTPS client like the
    /// SDK's own, with the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let inner = Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = ConnectorBuilder::default().tls_provider(rustls.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector.set_proxy_config(Some(ProxyConfig::from_env()));
            connector.build()
        });
        self.http_client_over(inner)
    }

    /// The same in front of another HTTP client, such as `sdk_config.http_client()`.
    #[must_use]
    pub fn http_client_over(&self, inner: impl HttpClient + 'static) -> SharedHttpClient {
        SharedHttpClient::new(CachingHttpClient {
            inner: SharedHttpClient::new(inner),
            shared: Arc::clone(&self.shared),
        })
    }

    /// The counts so far.
    #[must_use]
    pub fn statistics(&self) -> ClientStatistics {
        self.shared.counts.snapshot()
    }

    /// The cache of this client, for its statistics, listings and cleanup. Each account has a namespace.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.shared.cache
    }

    /// Invalidates as this write would, after a change that was made another way. Returns the number of
    /// entries, over all accounts that this client has served.
    ///
    /// ```
    /// # use bedrock_catalog_aws_client::CachedClient;
    /// # async fn example(cached: CachedClient) {
    /// let removed = cached.invalidate("identitystore", "DeleteUser", [("UserId", "u-1")]).await;
    /// # }
    /// ```
    pub async fn invalidate<'a>(
        &self,
        service: &str,
        operation: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> u64 {
        let invalidation = Invalidation {
            namespaces: self.shared.namespaces(),
            pattern: self
                .shared
                .rules
                .invalidated_by(service, operation, parameters),
        };
        self.shared.invalidate(&invalidation).await
    }
}

impl Shared {
    /// How the requests of an operation are treated.
    pub(crate) fn plan(&self, service: &str, operation: &str) -> Arc<Plan> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(service).and_then(|plans| plans.get(operation)) {
            return Arc::clone(plan);
        }
        drop(plans);
        let plan = Arc::new(self.new_plan(service, operation));
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        let plans = plans.entry(service.to_owned()).or_default();
        if plans.len() < MOST_REMEMBERED {
            plans.insert(operation.to_owned(), Arc::clone(&plan));
        }
        plan
    }

    fn new_plan(&self, service: &str, operation: &str) -> Plan {
        let names = (service_word(service), operation.to_owned());
        let fresh_for = self.fresh_for_operation.get(&names);
        let fresh_for = *fresh_for.unwrap_or(&self.fresh_for);
        // An answer is not served stale: the caller may have lost the permission to read it.
        let ttl = Ttl {
            fresh_for,
            keep_for: fresh_for,
        };
        Plan {
            kind: self.rules.kind(&names.0, operation),
            is_cached: !fresh_for.is_zero(),
            options: EntryOptions::source("api").ttl(ttl),
            service: names.0,
            operation: names.1,
        }
    }

    /// The caller of a request; without one it goes past the cache.
    pub(crate) fn caller(&self, config: &ConfigBag) -> Option<Caller> {
        let caller = self.callers.of(config);
        caller.map_err(|reason| self.warn(reason)).ok()
    }

    /// Remembers that reads are stored in this namespace.
    pub(crate) fn add_namespace(&self, namespace: Namespace) {
        let mut known = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&namespace) && known.len() < MOST_REMEMBERED {
            known.push(namespace);
        }
    }

    /// The namespaces that reads are stored in.
    pub(crate) fn namespaces(&self) -> Vec<Namespace> {
        let known = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// Warns once that reads are not cached.
    pub(crate) fn warn(&self, reason: &str) {
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("AWS reads are not cached: {reason}");
        }
    }
}
