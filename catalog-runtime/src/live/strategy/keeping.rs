//! Caching what AWS answered, for whose account it is and in the order of asking. It may not know how it
//! was asked.

use bedrock_catalog_data::Catalog;

use super::super::discovery::json;
use super::asking::Asked;
use super::reasons::Reasons;
use super::{Cache, Inner, Key, Snapshot, catalog_key};
use crate::cache::{Horizons, Terms, Watched};
use crate::fetch::Fetched;
use bedrock_catalog_recording::catalog_to_json;

/// The beginning of asking, for each entry that comes of it and is ordered by it.
pub(super) struct Begun {
    catalog: Watched,
    pub(super) reasons: Watched,
}

impl Inner {
    /// Begins to ask. Other processes may be asking too: who began last has the last word, here and in
    /// the fleet.
    pub(super) async fn watched(&self, cache: &Cache) -> Begun {
        Begun {
            reasons: self.begun(cache, &Reasons::key()).await,
            catalog: self.begun(cache, &catalog_key()).await,
        }
    }

    pub(super) async fn begun(&self, cache: &Cache, key: &Key) -> Watched {
        let shared = key.clone();
        let watch = move |cache: &Cache| cache.watch_shared(&shared);
        let watched = self.look(cache, watch).await;
        watched.unwrap_or_else(|| cache.watch(key))
    }

    /// Caches a catalog and what belongs to it, for whose account it is: that may be known only now.
    /// Not what was overtaken.
    pub(super) async fn keep(&self, cache: &Cache, asked: &Asked, begun: Begun) {
        let owner = self.used_by(cache, asked.fetched.account()).await;
        let begun = match owner.namespace() == cache.namespace() {
            true => begun,
            false => self.watched(&owner).await,
        };
        if self.newer(&owner, &asked.snapshot).await.is_some() {
            return;
        }
        self.keep_beside(&owner, &asked.fetched, &asked.reasons, begun.reasons)
            .await;
        // Where parts of it are older, the whole is no younger for having been written now.
        let age = asked.snapshot.age(self.now());
        let horizons = Horizons {
            fresh_for: self.config.horizons.fresh_for.saturating_sub(age),
            keep_for: self.config.horizons.keep_for.saturating_sub(age),
        };
        let json = catalog_to_json(&asked.snapshot.base);
        let terms = Terms::source("api").holding(horizons);
        let write = move |cache: &Cache| cache.put_unless_overtaken(&begun.catalog, json, &terms);
        self.calls.call(&owner, write).await;
    }

    /// What is shared by now, where that was asked for later: files have no order of their own.
    pub(super) async fn newer(&self, cache: &Cache, than: &Snapshot) -> Option<Catalog> {
        let look = |cache: &Cache| cache.get_shared(&catalog_key());
        let shared = self.look(cache, look).await?.into_hit()?;
        let shared = self.read(&shared).ok()?;
        (shared.observed_at() > than.base.observed_at()).then_some(shared)
    }

    /// Caches what belongs to a catalog, before it: who reads that finds these.
    pub(super) async fn keep_beside(
        &self,
        cache: &Cache,
        fetched: &Fetched,
        reasons: &Reasons,
        begun: Watched,
    ) {
        self.keep_raw(cache, fetched, None).await;
        self.keep_reasons(cache, reasons, begun).await;
        self.remember_owner(cache).await;
    }

    /// Under the order of the catalogs: those of one that is refused do not replace those beside another.
    pub(super) async fn keep_reasons(&self, cache: &Cache, reasons: &Reasons, begun: Watched) {
        let (json, terms) = (json(reasons), self.terms());
        let write = move |cache: &Cache| cache.put_unless_overtaken(&begun, json, &terms);
        self.calls.call(cache, write).await;
    }
}
