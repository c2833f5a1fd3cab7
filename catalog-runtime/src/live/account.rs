//! The cache namespace of a catalog: entries of different accounts never meet.
//!
//! A namespace is the partition, the endpoint, the set of regions, and an identity: the account that
//! the credentials name; without credentials, the configured `account()`; else the caller's
//! `namespace()`; else nothing.

use std::sync::PoisonError;
use std::time::Duration;

use bedrock_catalog_cache::{Cache, Namespace};

use super::builder::LiveCatalogBuilder;
use super::deadline::Deadline;
use super::handle::Inner;

/// The identity that the credentials gave last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// They name this account.
    Account(String),
    /// They name no account, or there are none.
    Unnamed,
    /// They were not resolved in time. Cached entries may be another account's.
    Unknown,
}

impl LiveCatalogBuilder {
    fn namespace_for(&self, identity: &Identity) -> Namespace {
        let account = match identity {
            Identity::Account(account) => Some(account),
            Identity::Unnamed | Identity::Unknown => self.namespace.as_ref(),
        };
        let mut regions = self.regions.clone();
        regions.sort_unstable();
        Namespace::of([
            "catalog",
            self.partition_id(),
            account.map_or("", String::as_str),
            self.endpoint().unwrap_or_default(),
            &regions.join(","),
        ])
    }

    /// The identity without credentials: the configured account, else none.
    pub(super) fn configured(&self) -> Identity {
        let account = self.account.clone();
        account.map_or(Identity::Unnamed, Identity::Account)
    }
}

impl Inner {
    /// The identity that the credentials gave last.
    pub(super) fn identity(&self) -> Option<Identity> {
        let identity = self.identity.lock();
        identity.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn remember(&self, identity: Identity) {
        let mut known = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(identity);
    }

    pub(super) fn in_namespace_of(&self, identity: &Identity) -> Cache {
        self.cache.in_namespace(self.config.namespace_for(identity))
    }

    /// The namespace, as far as it is known without the credentials.
    pub(super) fn known_namespace(&self) -> Namespace {
        let identity = self.identity().unwrap_or(self.config.configured());
        self.config.namespace_for(&identity)
    }

    /// The cache in the catalog's namespace; `None` where the identity is unknown. Resolves the
    /// credentials unless a load, a refresh or an earlier call has.
    pub(super) async fn account_cache(&self, deadline: Deadline) -> Option<Cache> {
        match self.identity() {
            Some(Identity::Unknown) => None,
            Some(identity) => Some(self.in_namespace_of(&identity)),
            None => self.session(deadline).await.cache,
        }
    }

    /// The same for the caller's own use.
    pub(super) async fn caller_cache(&self) -> Cache {
        let limit = Duration::from_secs(5).min(self.config.deadline);
        let cache = self.account_cache(Deadline::after(limit)).await;
        cache.unwrap_or_else(|| self.in_namespace_of(&self.config.configured()))
    }
}
