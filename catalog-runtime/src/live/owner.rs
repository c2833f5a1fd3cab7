//! Whose entries of a cache that others share: those of the account that asks. Where nobody may be asked
//! for the account, those of the one account that cached here. This file may not know what is cached.

use super::handle::Inner;
use super::strategy::catalog_key;
use crate::cache::{Cache, Key, Namespace};
use crate::error::{CatalogError, CatalogErrorKind};

/// Beside what accounts cache, in the namespace of those who name none: the namespace of each.
const RESOURCE: &str = "account";

/// The account of the credentials, as far as it is known.
#[cfg(feature = "aws")]
#[derive(Default)]
pub(super) struct Account {
    named: std::sync::OnceLock<String>,
    /// What came of asking the last time, if it is not to be asked again yet.
    asked: async_lock::Mutex<Option<NotNamed>>,
}

/// What the credentials said that named no account.
#[cfg(feature = "aws")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NotNamed {
    /// There are credentials, and their entries are those of nobody.
    NamesNone,
    /// There are none, or they took too long.
    NoCredentials,
}

/// Whose entries are meant where no account is known.
enum Meant {
    Of(Namespace),
    /// Nobody cached anything.
    Nobodys,
    /// Several accounts did.
    Several,
}

impl Inner {
    pub(super) fn namespaced(&self, account: Option<&str>) -> Cache {
        self.cache.in_namespace(self.config.namespace_for(account))
    }

    /// The account, where it was asked for before.
    pub(super) fn known_account(&self) -> Option<&str> {
        #[cfg(feature = "aws")]
        {
            self.account.named.get().map(String::as_str)
        }
        #[cfg(not(feature = "aws"))]
        {
            None
        }
    }

    /// Credentials that named no account may name one by now: they are asked once more. For who renews
    /// the catalog, not for each question.
    #[cfg(feature = "aws")]
    pub(super) async fn ask_for_account_anew(&self) {
        *self.account.asked.lock().await = None;
    }

    #[cfg(not(feature = "aws"))]
    pub(super) async fn ask_for_account_anew(&self) {}

    /// The cache in the namespace of who asks.
    pub(super) async fn identified(&self) -> Cache {
        #[cfg(feature = "aws")]
        if self.config.can_ask() {
            self.ask_for_account().await;
            return self.namespaced(self.known_account());
        }
        self.recalled().await
    }

    /// Why no account is known, after the credentials were asked for it, once; `None` where it is.
    #[cfg(feature = "aws")]
    async fn ask_for_account(&self) -> Option<NotNamed> {
        if self.account.named.get().is_some() {
            return None;
        }
        let mut asked = self.account.asked.lock().await;
        if asked.is_none() && self.account.named.get().is_none() {
            // Where nothing can be asked, it stays open for a later load.
            if !self.config.aws.is_made() && tokio::runtime::Handle::try_current().is_err() {
                return Some(NotNamed::NoCredentials);
            }
            match self.config.aws.account(self.config.naming()).await {
                Some(Some(account)) => {
                    self.account.named.get_or_init(|| account);
                }
                Some(None) => *asked = Some(NotNamed::NamesNone),
                None => *asked = Some(NotNamed::NoCredentials),
            }
        }
        *asked
    }

    /// Whether the credentials had not said whose entries are meant when this cache was asked for, whatever
    /// they said since: those of nobody would be anybody's whose credentials are as slow.
    #[cfg(feature = "aws")]
    pub(super) async fn is_open(&self, cache: &Cache) -> bool {
        match self.known_account() {
            Some(account) => cache.namespace() != self.namespaced(Some(account)).namespace(),
            None => {
                let asked = *self.account.asked.lock().await;
                self.config.can_ask() && asked != Some(NotNamed::NamesNone)
            }
        }
    }

    #[cfg(not(feature = "aws"))]
    #[allow(clippy::unused_async)]
    pub(super) async fn is_open(&self, _: &Cache) -> bool {
        false
    }

    /// The cache of the account whose credentials were used; this one, where they name none.
    #[cfg(feature = "aws")]
    pub(super) async fn used_by(&self, cache: &Cache, account: Option<&str>) -> Cache {
        let Some(account) = account else {
            *self.account.asked.lock().await = Some(NotNamed::NamesNone);
            return cache.clone();
        };
        self.account.named.get_or_init(|| account.to_owned());
        self.namespaced(Some(account))
    }

    /// The cache of who asks, or else of the one who can be meant: for who shows or removes what is
    /// there, and must not take another's for its own.
    pub(super) async fn meant(&self) -> Result<Cache, CatalogError> {
        #[cfg(feature = "aws")]
        let names_none = match self.config.can_ask() {
            true => match self.ask_for_account().await {
                None => return Ok(self.namespaced(self.known_account())),
                Some(why) => why == NotNamed::NamesNone,
            },
            false => false,
        };
        #[cfg(not(feature = "aws"))]
        let names_none = false;
        // However long it takes: it is what was asked for.
        let meant = match self.recalling(names_none) {
            Some(recall) => self.namespaced(None).off_thread(recall).await,
            None => Meant::Nobodys,
        };
        match meant {
            Meant::Of(owner) => Ok(self.cache.in_namespace(owner)),
            Meant::Nobodys => Ok(self.namespaced(None)),
            Meant::Several => {
                let why =
                    "several accounts have entries in this cache, and nothing says whose are meant";
                let advice = "give the credentials of the account (AWS_PROFILE, or AWS_ACCOUNT_ID beside \
                    the keys) and not --offline; or, for all of them, remove the folder";
                Err(CatalogError::new(CatalogErrorKind::NoCredentials, why).advising(advice))
            }
        }
    }

    /// The cache of the one who can be meant, where there are no credentials. Who knew its account before
    /// they were gone is not given another's.
    pub(super) async fn only_owner(&self) -> Option<Cache> {
        if self.known_account().is_some() {
            return None;
        }
        match self.recall().await? {
            Meant::Of(owner) => Some(self.cache.in_namespace(owner)),
            Meant::Nobodys | Meant::Several => None,
        }
    }

    /// The cache as those left it who could ask. Of several accounts none is picked: it might be
    /// another's.
    async fn recalled(&self) -> Cache {
        if let Some(owner) = self.owner.get() {
            return self.cache.in_namespace(*owner);
        }
        match self.recall().await {
            Some(Meant::Of(owner)) => self.cache.in_namespace(*self.owner.get_or_init(|| owner)),
            _ => self.namespaced(None),
        }
    }

    /// Whose entries there are, where the cache answers in time.
    async fn recall(&self) -> Option<Meant> {
        let recall = self.recalling(false)?;
        self.look(&self.namespaced(None), recall).await
    }

    /// Finds whose entries there are: those of nobody in particular, or of the only account, whichever
    /// have the newer catalog. `None` where nobody else could have left any.
    fn recalling(
        &self,
        anonymous_first: bool,
    ) -> Option<impl FnOnce(&Cache) -> Meant + Send + use<>> {
        if !self.config.shares_cache() {
            return None;
        }
        let (now, keep_for) = (self.config.clock.now(), self.config.horizons.keep_for);
        Some(move |cache: &Cache| {
            // Listed, not read: what is read comes from memory the next time, and says so.
            let listed = cache.recent(usize::MAX);
            let catalog_of = |listed: &[crate::cache::Recent]| {
                let written = listed.iter().find(|entry| entry.key == catalog_key())?;
                let age = now.duration_since(written.written_at).unwrap_or_default();
                (age <= keep_for).then_some(written.written_at)
            };
            let own = catalog_of(&listed);
            if own.is_some() && anonymous_first {
                return Meant::Of(cache.namespace());
            }
            let notes = listed.iter().filter_map(|entry| {
                let owner = owner_in(&entry.key)?;
                (!cache.get(&entry.key).is_missing()).then_some(owner)
            });
            let notes: Vec<Namespace> = notes.collect();
            if let (None, [only]) = (own, notes.as_slice()) {
                return Meant::Of(*only);
            }
            // Of an account whose entries were removed, the note stays.
            let mut accounts = notes.iter().filter_map(|owner| {
                let listed = cache.in_namespace(*owner).recent(usize::MAX);
                Some((catalog_of(&listed)?, *owner))
            });
            match (own, accounts.next(), accounts.next()) {
                (Some(own), Some((theirs, only)), None) if theirs > own => Meant::Of(only),
                (Some(_), ..) => Meant::Of(cache.namespace()),
                (None, None, _) => Meant::Nobodys,
                (None, Some((_, only)), None) => Meant::Of(only),
                (None, Some(_), Some(_)) => Meant::Several,
            }
        })
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
        let write = move |cache: &Cache| drop(cache.put(&key, "true", &terms));
        self.calls.call(&anonymous, write).await;
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
