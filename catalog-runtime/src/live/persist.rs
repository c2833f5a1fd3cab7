//! Writing a fetched catalog: after it is published, on a task of its own, while the lease is held.

use std::sync::Arc;

use bedrock_catalog_cache::{Cache, EntryOptions, HeldLease, LoadToken, Ttl, WriteOutcome};
use bedrock_catalog_recording::catalog_to_json;

use super::cached::{READ_LIMIT, Status, Stored, catalog_key, status_key};
use super::deadline::Deadline;
use super::handle::Inner;
use super::load::WriteHandle;
use super::merge::Merged;
use super::publish::Written;
use super::session::Session;
use super::snapshot::Snapshot;

impl Written {
    fn add(&mut self, outcome: WriteOutcome) {
        if outcome.tiers.is_empty() {
            return;
        }
        self.entries += 1;
        self.bytes += outcome.bytes;
        let folder = outcome.path.as_deref().and_then(|path| path.parent());
        self.folder = folder.map(ToOwned::to_owned).or(self.folder.take());
    }
}

impl Inner {
    /// Writes on a task, and logs the load. A write that has begun goes on after its time limit.
    pub(super) fn persist(
        self: &Arc<Self>,
        session: &Session,
        token: Option<LoadToken>,
        lease: Option<HeldLease>,
        merged: Merged,
        snapshot: &Arc<Snapshot>,
    ) -> WriteHandle {
        let (done, handle) = async_channel::bounded(1);
        let (inner, snapshot) = (Arc::clone(self), Arc::clone(snapshot));
        let target = session.cache.clone().zip(token);
        tokio::spawn(async move {
            let written = match target {
                Some((cache, token)) => inner.write(&cache, token, lease, merged).await,
                None => Written::default(),
            };
            inner.log_loaded(&snapshot, &written);
            drop(done);
        });
        handle
    }

    async fn write(
        self: &Arc<Self>,
        cache: &Cache,
        token: LoadToken,
        lease: Option<HeldLease>,
        merged: Merged,
    ) -> Written {
        let (inner, limit) = (Arc::clone(self), self.config.deadline);
        let write = move |cache: &Cache| {
            // The lease's own token also refuses to replace what a later holder stored.
            let token = lease.as_ref().map_or(&token, HeldLease::token);
            (inner.write_entries(cache, token, merged), lease)
        };
        let write = async {
            let (written, lease) = self.blocking.run(cache, write).await;
            if let Some(lease) = lease {
                lease.release_async().await;
            }
            written
        };
        let written = Deadline::after(limit).limit(limit, write).await;
        if written.is_none() {
            tracing::warn!(?limit, "the catalog is served, but not written in time");
        }
        written.unwrap_or_default()
    }

    /// Writes the catalog last: other processes are notified of it, and then read the status once.
    ///
    /// Nothing is written of a catalog that is no longer in service, or that was observed before the
    /// stored one. Only the catalog is fenced: between that check and the writes, the status may replace
    /// a later holder's. Such a status names another observation, and is ignored.
    fn write_entries(&self, cache: &Cache, token: &LoadToken, merged: Merged) -> Written {
        let mut written = Written::default();
        let catalog = &merged.snapshot.base;
        let shared = cache.get_shared(&catalog_key()).into_hit();
        let shared = shared.and_then(|hit| self.parse_catalog(&hit).ok());
        if self.current.load().base.observed_at() != catalog.observed_at()
            || shared.is_some_and(|shared| shared.observed_at() > catalog.observed_at())
        {
            return written;
        }
        // Where rows are older, the catalog is no younger for being written now.
        let (ttl, age) = (self.config.ttl, merged.snapshot.age(self.now()));
        let options = EntryOptions::source("api").ttl(Ttl {
            fresh_for: ttl.fresh_for.saturating_sub(age),
            keep_for: ttl.keep_for.saturating_sub(age),
        });
        written.add(cache.put_json(&status_key(), &merged.status, &options));
        written.add(self.change_lists(cache, |lists| lists.extend(merged.lists)));
        let catalog = cache.put_if_current(token, catalog_to_json(catalog), &options);
        written.add(catalog.unwrap_or_default());
        written
    }

    /// Changes the stored status, for other processes.
    pub(super) async fn change_status(
        &self,
        session: &Session,
        deadline: Deadline,
        change: impl FnOnce(&mut Status) + Send + 'static,
    ) {
        let Some(cache) = session.readable() else {
            return;
        };
        let options = EntryOptions::source("api").ttl(self.config.ttl);
        let write = move |cache: &Cache| {
            let mut status = Stored::read_shared(cache).status.unwrap_or_default();
            change(&mut status);
            cache.put_json(&status_key(), &status, &options);
        };
        deadline
            .limit(READ_LIMIT, self.blocking.run(cache, write))
            .await;
    }
}
