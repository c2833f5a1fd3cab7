//! Step 5: the catalog in service is replaced in one step, under the overlay, and never by an older one.

use std::sync::{Arc, MutexGuard, PoisonError};

use bedrock_catalog_data::Timestamp;
use bedrock_catalog_recording::CatalogDiff;

use super::builder::PartialPolicy;
use super::handle::{Change, Inner};
use super::overlay_file::OverlaySource;
use super::schedule::RETRY;
use super::snapshot::{Snapshot, Source};
use crate::error::CatalogError;

/// What a fetch wrote, for the log.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) entries: usize,
    pub(super) bytes: u64,
    pub(super) folder: Option<std::path::PathBuf>,
}

impl Inner {
    /// Publishes a snapshot under the overlay, unless the one in service is newer. A fetched one is
    /// always newer, whatever the clocks say.
    pub(super) fn publish(self: &Arc<Self>, snapshot: Snapshot) -> Arc<Snapshot> {
        let guard = self.publishing();
        self.publish_locked(snapshot, &guard)
    }

    fn publish_locked(
        self: &Arc<Self>,
        mut snapshot: Snapshot,
        _: &MutexGuard<'_, ()>,
    ) -> Arc<Snapshot> {
        let before = self.current.load_full();
        let is_older = before.base.observed_at() > snapshot.base.observed_at();
        if before.settled && is_older && snapshot.source != Source::Api {
            let mut kept = (*before).clone();
            kept.asked_at = self.last_fetch();
            kept.renew_at = snapshot.renew_at;
            return self.store(kept);
        }
        let (overlay, unusable) = self.overlay.take();
        if let Some(overlay) = overlay {
            snapshot = snapshot.with_overlay(&overlay);
        }
        snapshot.overlay_error = unusable.or(snapshot.overlay_error);
        snapshot.asked_at = self.last_fetch();
        self.metrics.published(&snapshot);
        let after = self.store(snapshot);
        self.notify(before, &after);
        after
    }

    fn store(self: &Arc<Self>, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        self.current.store(Arc::clone(&snapshot));
        self.schedule();
        snapshot
    }

    fn publishing(&self) -> MutexGuard<'_, ()> {
        self.publishing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn notify(&self, before: Arc<Snapshot>, after: &Arc<Snapshot>) {
        let mut subscribers = self.subscribers();
        subscribers.retain(|subscriber| !subscriber.is_closed());
        if subscribers.is_empty() || CatalogDiff::between(&before, after).is_empty() {
            return;
        }
        for subscriber in subscribers.iter() {
            let change = Change {
                before: Arc::clone(&before),
                after: Arc::clone(after),
            };
            // A full queue loses its oldest change; a closed one has no reader.
            let _ = subscriber.force_send(change);
        }
    }

    /// Publishes a catalog that was read from the cache.
    pub(super) fn publish_loaded(self: &Arc<Self>, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = self.publish(snapshot);
        self.log_loaded(&snapshot, &Written::default());
        snapshot
    }

    /// Publishes the cached catalog or the bundle, because no fetch succeeded.
    pub(super) fn publish_fallback(
        self: &Arc<Self>,
        mut snapshot: Snapshot,
        error: &CatalogError,
    ) -> Arc<Snapshot> {
        let age_seconds = snapshot.age(self.now()).as_secs();
        let (source, observed_at) = (snapshot.source.clone(), snapshot.observed_at());
        let message = match source {
            Source::Bundle => "serving the bundled catalog",
            _ => "serving a stale catalog",
        };
        // Without a way to AWS, the fallback is what was requested.
        let can_fetch = self.config.can_fetch();
        match can_fetch || (source == Source::Bundle && !self.config.offline) {
            true => tracing::warn!(age_seconds, %source, %observed_at, %error, "{message}"),
            false => tracing::debug!(age_seconds, %source, %observed_at, %error, "{message}"),
        }
        if can_fetch {
            self.metrics.fetch_failed();
            snapshot = snapshot.with_error(error);
        }
        snapshot.renew_all_at(self.renewal_in(RETRY));
        self.publish_loaded(snapshot)
    }

    /// The one line of a load or a refresh.
    pub(super) fn log_loaded(&self, snapshot: &Snapshot, written: &Written) {
        let read = match &snapshot.source {
            Source::Cache { path, .. } => path.as_deref().and_then(|path| path.parent()),
            _ => None,
        };
        let folder = written.folder.as_deref().or(read);
        tracing::info!(
            source = %snapshot.source,
            models = snapshot.models().count(),
            regions = snapshot.regions().count(),
            failed = snapshot.failed.len(),
            age_seconds = snapshot.age(self.now()).as_secs(),
            entries = written.entries,
            bytes = written.bytes,
            folder = folder.map(|folder| tracing::field::display(folder.display())),
            "catalog loaded"
        );
    }

    /// Keeps the catalog in service, with the reason why a fetch failed, and has the task fetch again.
    pub(super) fn note_failure(self: &Arc<Self>, error: &CatalogError) {
        self.metrics.fetch_failed();
        let at = self.renewal_in(RETRY);
        self.amend(|same| {
            same.error = Some((error.kind(), error.to_string()));
            same.renew_at = at;
        });
        // Before the first load has ended, the task does not run.
        if self.current.load().settled {
            self.schedule();
        }
    }

    /// Changes what is known beside the catalog in service.
    pub(super) fn amend(&self, amend: impl FnOnce(&mut Snapshot)) {
        let _guard = self.publishing();
        let mut same = (*self.current.load_full()).clone();
        same.asked_at = self.last_fetch();
        amend(&mut same);
        self.current.store(Arc::new(same));
    }

    /// Publishes the catalog in service again where the overlay changed.
    pub(super) fn republish_with_overlay(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        if !self.overlay.is_changed() {
            return None;
        }
        let guard = self.publishing();
        let same = (*self.current.load_full()).clone();
        Some(self.publish_locked(same, &guard))
    }

    pub(super) async fn look_at_overlay(&self) {
        if let OverlaySource::File(path) = &self.config.overlay {
            self.overlay.look(path).await;
        }
    }

    fn last_fetch(&self) -> Option<Timestamp> {
        *self
            .fetched_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a snapshot has all regions that are required.
    pub(super) fn has_required_regions(&self, snapshot: &Snapshot) -> bool {
        self.config.partial == PartialPolicy::Merge || snapshot.missing().next().is_none()
    }
}
