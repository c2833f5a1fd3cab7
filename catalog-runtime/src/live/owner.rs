//! Whose entries of a cache that others share: those of the account that asks. Where nobody may be asked
//! for the account, those of the one account that cached here. This file may not know what is cached.

use super::handle::Inner;
use super::strategy::catalog_key;
use crate::cache::{Cache, Key, Namespace};

/// Beside what accounts cache, in the namespace of those who name none: the namespace of each.
const RESOURCE: &str = "account";

impl Inner {
    pub(super) fn namespaced(&self, account: Option<&str>) -> Cache {
        self.cache.in_namespace(self.config.namespace_for(account))
    }

    /// The account, where it was asked for before.
    pub(super) fn known_account(&self) -> Option<&str> {
        #[cfg(feature = "aws")]
        {
            self.account.get()?.as_deref()
        }
        #[cfg(not(feature = "aws"))]
        {
            None
        }
    }

    /// The cache in the namespace of who asks.
    pub(super) async fn identified(&self) -> Cache {
        #[cfg(feature = "aws")]
        if self.config.can_ask() {
            if tokio::runtime::Handle::try_current().is_err() {
                // Nothing can be asked here; it stays open for a later load.
                return self.namespaced(self.known_account());
            }
            let ask = || self.config.aws.account(self.config.naming());
            let account = self.account.get_or_init(ask).await;
            return self.namespaced(account.as_deref());
        }
        self.recalled().await
    }

    /// The cache as those left it who could ask. What is there without an account comes first; else that
    /// of the only account. Of several none is picked: it might be another's.
    async fn recalled(&self) -> Cache {
        if let Some(owner) = self.owner.get() {
            return self.cache.in_namespace(*owner);
        }
        let anonymous = self.namespaced(None);
        if !self.config.shares_cache() {
            return anonymous;
        }
        let owner = anonymous.off_thread(|cache| {
            // Listed, not read: what is read comes from memory the next time, and says so.
            let listed = cache.recent(usize::MAX);
            if listed.iter().any(|entry| entry.key == catalog_key()) {
                return Some(cache.namespace());
            }
            let owners = listed.iter().filter_map(|entry| {
                let owner = owner_in(&entry.key)?;
                (!cache.get(&entry.key).is_missing()).then_some(owner)
            });
            let owners: Vec<Namespace> = owners.take(2).collect();
            match owners.as_slice() {
                [only] => Some(*only),
                _ => None,
            }
        });
        match owner.await {
            Some(owner) => self.cache.in_namespace(*self.owner.get_or_init(|| owner)),
            None => anonymous,
        }
    }

    /// Leaves word, for those who cannot ask, that the account of this cache cached something.
    #[cfg(feature = "aws")]
    pub(super) async fn remember_owner(&self, cache: &Cache) {
        let anonymous = self.namespaced(None);
        if cache.namespace() == anonymous.namespace() || !self.config.shares_cache() {
            return;
        }
        let key = owner_key(cache.namespace());
        let terms = crate::cache::Terms::source("api").holding(self.config.horizons);
        anonymous.put_async(&key, "true", &terms).await;
    }
}

#[cfg(feature = "aws")]
fn owner_key(owner: Namespace) -> Key {
    Key::new(RESOURCE, "namespace", &owner.to_string())
}

fn owner_in(key: &Key) -> Option<Namespace> {
    let rest = key.as_str().strip_prefix(RESOURCE)?;
    rest.strip_prefix(":namespace:")?.parse().ok()
}
