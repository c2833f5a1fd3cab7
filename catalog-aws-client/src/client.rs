//! The client as a whole: its settings, the two things it puts on a service's configuration, and what they
//! share. This file may not know how a request is answered.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use foldhash::quality::RandomState;

use super::digest::Heads;
use super::identity::{Names, Scope, Signed, account_namespace};
use super::layer::Layer;
use super::mark::Mark;
use super::rules::{Kind, Rules, service_word};
use super::statistics::{ClientStatistics, Counts};
use super::writes::{Doubtful, Drops};
use crate::error::ClientError;
use bedrock_catalog_cache::{Cache, Horizons, Namespace, Pattern, Terms};

/// How long an SDK read is fresh, where nothing is said.
const FRESH_FOR: Duration = Duration::from_secs(15 * 60);
/// The largest body that is kept, where nothing is said.
const LARGEST_BODY: usize = 1 << 20;
/// So many operations, and so many namespaces, are remembered.
const REMEMBERED: usize = 4096;

/// A cache in front of AWS SDK clients: see the [module](super).
///
/// Clones are the same client. One serves any number of services, regions and credentials; give all
/// services that change each other's data the same one.
#[derive(Debug, Clone)]
pub struct CachedClient {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) cache: Cache,
    /// For reads of what is in doubt.
    pub(super) apart: Cache,
    pub(super) names: Names,
    pub(super) rules: Rules,
    pub(super) largest_body: usize,
    pub(super) counts: Counts,
    pub(super) doubtful: Doubtful,
    fresh_for: Duration,
    fresh_for_operation: HashMap<(String, String), Duration>,
    /// By service and operation, as the SDK has them.
    plans: RwLock<Plans>,
    /// Those that reads were kept in.
    namespaces: Mutex<Vec<Namespace>>,
    warned: AtomicBool,
    /// Who asked last, and what followed from it: it is mostly the same.
    last: Mutex<Option<(Credentials, String, Scope)>>,
}

/// By hand: callers print what holds a client, and who asked is not theirs to read there.
impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("cache", &self.cache)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

type Plans = HashMap<String, HashMap<String, Arc<Plan>, RandomState>, RandomState>;

/// How the requests of an operation are treated.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) service: String,
    pub(super) operation: String,
    /// Both, as keys have them.
    pub(super) leading: String,
    pub(super) kind: Kind,
    /// Reads of it go past the cache.
    pub(super) is_off: bool,
    pub(super) terms: Terms,
    pub(super) heads: Heads,
}

impl CachedClient {
    /// Makes a caching client.
    pub fn builder() -> CachedClientBuilder {
        CachedClientBuilder {
            cache: None,
            names: Names::default(),
            rules: Rules::shipped(),
            fresh_for: FRESH_FOR,
            fresh_for_operation: HashMap::new(),
            largest_body: LARGEST_BODY,
        }
    }

    /// The interceptor to put on a service's configuration, beside the HTTP client.
    #[must_use]
    pub fn interceptor(&self) -> impl Intercept + use<> {
        Mark(Arc::clone(&self.shared))
    }

    /// The HTTP client to put on a service's configuration: this cache in front of a HTTPS client like
    /// the SDK's own.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        let rustls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);
        let builder = aws_smithy_http_client::Builder::new();
        self.http_client_over(builder.tls_provider(rustls).build_https())
    }

    /// The same in front of the HTTP client given, such as `sdk_config.http_client()`.
    #[must_use]
    pub fn http_client_over(&self, inner: impl HttpClient + 'static) -> SharedHttpClient {
        SharedHttpClient::new(Layer {
            inner: SharedHttpClient::new(inner),
            shared: Arc::clone(&self.shared),
        })
    }

    /// What it has done so far.
    #[must_use]
    pub fn statistics(&self) -> ClientStatistics {
        self.shared.counts.snapshot()
    }

    /// The cache behind it, for its own statistics, listings and cleanup. Entries are in namespaces of
    /// their own, one for each account.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.shared.cache
    }

    /// Drops what the rules say this write would drop, for a change that was made another way. The answer
    /// is how many entries, of every account this client has served.
    ///
    /// ```
    /// # use bedrock_catalog_aws_client::CachedClient;
    /// # use bedrock_catalog_cache::{Cache, MemoryLimits};
    /// # async fn example(cached: CachedClient) {
    /// let dropped = cached.forget("identitystore", "DeleteUser", [("UserId", "u-1")]).await;
    /// # }
    /// ```
    pub async fn forget<'a>(
        &self,
        service: &str,
        operation: &str,
        parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> u64 {
        let drops = Drops {
            namespaces: self.shared.namespaces(),
            pattern: self.shared.rules.drops(service, operation, parameters),
        };
        self.shared.drop_entries(&Arc::new(drops), false).await
    }
}

impl Shared {
    /// How requests of this operation are treated.
    pub(super) fn plan(&self, service: &str, operation: &str) -> Arc<Plan> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(plan) = plans.get(service).and_then(|plans| plans.get(operation)) {
            return Arc::clone(plan);
        }
        drop(plans);
        let word = service_word(service);
        let key = (word, operation.to_owned());
        let configured = self.fresh_for_operation.get(&key);
        let fresh_for = *configured.unwrap_or(&self.fresh_for);
        // Kept no longer than fresh: an answer that may be out of date is no answer, and who may not read
        // any more is not to be served what he once could.
        let horizons = Horizons {
            fresh_for,
            keep_for: fresh_for,
        };
        let plan = Arc::new(Plan {
            leading: Pattern::under([&*key.0, operation]).prefix().to_owned(),
            kind: self.rules.kind(&key.0, operation),
            is_off: fresh_for.is_zero(),
            terms: Terms::source("api").holding(horizons).giving_up_when_busy(),
            service: key.0,
            operation: key.1,
            heads: Heads::default(),
        });
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        let of_service = plans.entry(service.to_owned()).or_default();
        if of_service.len() < REMEMBERED {
            of_service.insert(operation.to_owned(), Arc::clone(&plan));
        }
        plan
    }

    /// Remembers that reads are kept in this namespace.
    pub(super) fn serves(&self, namespace: Namespace) {
        let mut known = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&namespace) && known.len() < REMEMBERED {
            known.push(namespace);
        }
    }

    /// The namespaces that reads were kept in.
    pub(super) fn namespaces(&self) -> Vec<Namespace> {
        self.namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whose entries a request may see that was signed with these credentials. Where that cannot be
    /// said, the first time a warning does.
    pub(super) fn scope(
        &self,
        credentials: Option<&Credentials>,
        signed: &Signed<'_>,
    ) -> Option<Scope> {
        let credentials = credentials.filter(|is| is.access_key_id() == signed.access_key);
        let Some(credentials) = credentials else {
            self.warn("the SDK does not say whose credentials a request is signed with");
            return None;
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((who, of, scope)) = last.as_ref()
            && who == credentials
            && of == signed.region
        {
            return Some(*scope);
        }
        let Some(scope) = self.names.scope(credentials, signed.region) else {
            self.warn("the credentials name no account, and no namespace was given in its place");
            return None;
        };
        *last = Some((credentials.clone(), signed.region.to_owned(), scope));
        Some(scope)
    }

    /// Says once why nothing can be cached.
    fn warn(&self, why: &str) {
        if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!("AWS reads are not cached: {why}");
        }
    }
}

/// Makes a [`CachedClient`].
#[derive(Debug)]
#[must_use]
pub struct CachedClientBuilder {
    cache: Option<Cache>,
    names: Names,
    rules: Rules,
    fresh_for: Duration,
    fresh_for_operation: HashMap<(String, String), Duration>,
    largest_body: usize,
}

impl CachedClientBuilder {
    /// The cache, with whatever tiers it has. Required.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// A name to keep entries under where the credentials name no account. Where they do, the account
    /// counts. Without either, nothing is cached, and one warning says so.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.names.namespace = Some(name.into());
        self
    }

    /// A name for who asks, in place of the access key. By default each access key has entries of its
    /// own, and so has each session of a role; with a name, sessions and processes share them. Give
    /// different names to what may see different things: the name is believed.
    pub fn identity(mut self, name: impl Into<String>) -> Self {
        self.names.identity = Some(name.into());
        self
    }

    /// The rules. Default: [`Rules::shipped`].
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// How long a read is served without asking again. Default 15 min. Zero: nothing is cached but what
    /// [`fresh_for_operation`](Self::fresh_for_operation) says.
    pub fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.fresh_for = fresh_for;
        self
    }

    /// The same for one operation, such as `("identitystore", "ListUsers")`; zero never caches it. The
    /// service is the SDK's name for it, in lower case.
    pub fn fresh_for_operation(
        mut self,
        service: &str,
        operation: &str,
        fresh_for: Duration,
    ) -> Self {
        let key = (service_word(service), operation.to_owned());
        self.fresh_for_operation.insert(key, fresh_for);
        self
    }

    /// The largest body that is kept, in bytes. Default 1 MiB; larger ones pass.
    pub fn largest_body(mut self, bytes: usize) -> Self {
        self.largest_body = bytes;
        self
    }

    /// The client. Touches neither network nor storage.
    ///
    /// # Errors
    /// There is no cache, or an empty name.
    pub fn build(self) -> Result<CachedClient, ClientError> {
        let wrong = |message| ClientError::new(message);
        let cache = self
            .cache
            .ok_or_else(|| wrong("a cached client needs a cache"))?;
        let names = [&self.names.namespace, &self.names.identity];
        if names.into_iter().flatten().any(String::is_empty) {
            return Err(wrong("the name of a namespace or an identity is empty"));
        }
        // Without tiers it remembers nothing: those who ask at once ask once, and that is all.
        let apart = Cache::builder().name("aws-client-in-doubt");
        let apart = apart.settings(cache.settings());
        let apart = apart.clock(Arc::clone(cache.clock())).build();
        let apart = apart.map_err(|_| wrong("a cache without tiers cannot be made"))?;
        let shared = Shared {
            cache,
            apart,
            names: self.names,
            rules: self.rules,
            largest_body: self.largest_body,
            counts: Counts::new(),
            doubtful: Doubtful::default(),
            fresh_for: self.fresh_for,
            fresh_for_operation: self.fresh_for_operation,
            plans: RwLock::default(),
            namespaces: Mutex::default(),
            warned: AtomicBool::new(false),
            last: Mutex::default(),
        };
        // A name of the caller's is known from the start, so that a change can be told at once.
        if let Some(name) = &shared.names.namespace {
            shared.serves(account_namespace("aws", name));
        }
        Ok(CachedClient {
            shared: Arc::new(shared),
        })
    }
}
