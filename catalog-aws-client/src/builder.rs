//! The settings of a caching client.

use std::collections::HashMap;
use std::time::Duration;

use bedrock_catalog_cache::{Cache, SingleFlight};

use crate::client::{CachedClient, Shared};
use crate::error::{ClientError, ClientErrorKind};
use crate::identity::{Callers, Names, account_namespace};
use crate::rules::{Rules, service_word};
use crate::statistics::Counts;

/// A builder of [`CachedClient`]s.
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

impl Default for CachedClientBuilder {
    fn default() -> Self {
        Self {
            cache: None,
            names: Names::default(),
            rules: Rules::shipped(),
            fresh_for: Duration::from_secs(15 * 60),
            fresh_for_operation: HashMap::new(),
            largest_body: 1 << 20,
        }
    }
}

impl CachedClientBuilder {
    /// The cache, with its tiers. Required.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// The name of the namespace of callers whose credentials have no account. Without an account and a
    /// name nothing is cached, with one warning.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.names.namespace = Some(name.into());
        self
    }

    /// A name for the identity of all callers. By default each set of credentials has entries of its own,
    /// and so has each session of a role. With a name, sessions and processes share them. Callers with
    /// different permissions need different names: the name is trusted.
    pub fn identity(mut self, name: impl Into<String>) -> Self {
        self.names.identity = Some(name.into());
        self
    }

    /// The rules. Default: [`Rules::shipped`].
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The time for which an answer is served. Default 15 min. With zero nothing is cached but the
    /// operations of [`fresh_for_operation`](Self::fresh_for_operation).
    pub fn fresh_for(mut self, fresh_for: Duration) -> Self {
        self.fresh_for = fresh_for;
        self
    }

    /// The same for one operation, such as `("identitystore", "ListUsers")`; with zero it is not cached.
    /// The service has the SDK's name, in lower case.
    pub fn fresh_for_operation(
        mut self,
        service: &str,
        operation: &str,
        fresh_for: Duration,
    ) -> Self {
        let names = (service_word(service), operation.to_owned());
        self.fresh_for_operation.insert(names, fresh_for);
        self
    }

    /// The largest body that is stored, in bytes. Default 1 MiB.
    pub fn largest_body(mut self, bytes: usize) -> Self {
        self.largest_body = bytes;
        self
    }

    /// The client. Uses neither network nor storage.
    ///
    /// # Errors
    /// [`ClientErrorKind::InvalidConfiguration`]: there is no cache, or a name is empty.
    pub fn build(self) -> Result<CachedClient, ClientError> {
        let invalid = |message| ClientError::new(ClientErrorKind::InvalidConfiguration, message);
        let cache = self
            .cache
            .ok_or_else(|| invalid("a caching client needs a cache"))?;
        let Names {
            namespace,
            identity,
        } = &self.names;
        if [namespace, identity]
            .into_iter()
            .flatten()
            .any(String::is_empty)
        {
            return Err(invalid(
                "the name of a namespace or of an identity is empty",
            ));
        }
        let shared = Shared {
            cache,
            callers: Callers::new(self.names),
            rules: self.rules,
            largest_body: self.largest_body,
            fresh_for: self.fresh_for,
            fresh_for_operation: self.fresh_for_operation,
            counts: Counts::new(),
            uncertain: Default::default(),
            plans: Default::default(),
            flights: SingleFlight::new(),
            namespaces: Default::default(),
            is_warned: Default::default(),
        };
        // Known before the first read, so that `invalidate` reaches what other processes have stored.
        if let Some(name) = &shared.callers.names.namespace {
            shared.add_namespace(account_namespace(name));
        }
        Ok(CachedClient::new(shared))
    }
}
