//! What is served from now on: the overlay on it, those who listen told, nothing older in place of newer.
//! It may not know where it comes from.

use bedrock_catalog_data::Timestamp;

use super::super::handle::Change;
use super::super::laid_over::OverlaySource;
use super::super::overlay::Overlay;
use super::{Arc, CatalogError, Held, Inner, PoisonError, RETRY, Snapshot, Source};
use bedrock_catalog_recording::CatalogDiff;
use bedrock_catalog_recording::redact;

impl Inner {
    /// Serves a snapshot from now on, with the overlay, unless what is served is newer. What AWS
    /// answers was asked after what is served was there: it is newer, whatever the clock says.
    pub(super) fn adopt(self: &Arc<Self>, snapshot: Snapshot) -> Arc<Snapshot> {
        let _serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        self.adopt_now(snapshot)
    }

    /// The same for who holds `serving`.
    fn adopt_now(self: &Arc<Self>, snapshot: Snapshot) -> Arc<Snapshot> {
        let before = self.current.load_full();
        let is_older = before.base.observed_at() > snapshot.base.observed_at();
        if before.settled && is_older && snapshot.source != Source::Api {
            let mut kept = (*before).clone();
            kept.asked_at = self.last_asked();
            kept.renew_at = snapshot.renew_at;
            let kept = Arc::new(kept);
            self.current.store(Arc::clone(&kept));
            self.renew_when_due();
            return kept;
        }
        let (overlay, unusable) = self.overlay.take();
        let mut snapshot = match overlay {
            Some(overlay) => snapshot.with_overlay(&overlay),
            None => snapshot,
        };
        snapshot.overlay_error = unusable.or(snapshot.overlay_error);
        snapshot.asked_at = self.last_asked();
        tracing::info!(
            source = %snapshot.source,
            models = snapshot.models().count(),
            regions = snapshot.regions().count(),
            failed = snapshot.failed.len(),
            age_seconds = snapshot.age(self.now()).as_secs(),
            "catalog loaded"
        );
        self.counts.serves(&snapshot);
        let after = Arc::new(snapshot);
        self.current.store(Arc::clone(&after));
        self.tell(before, &after);
        self.renew_when_due();
        after
    }

    fn tell(&self, before: Arc<Snapshot>, after: &Arc<Snapshot>) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| !listener.is_closed());
        if listeners.is_empty() || CatalogDiff::between(&before, after).is_empty() {
            return;
        }
        for listener in listeners.iter() {
            let change = Change {
                before: Arc::clone(&before),
                after: Arc::clone(after),
            };
            // Closed between the look and the send: nobody to tell.
            let _ = listener.force_send(change);
        }
    }

    /// Keeps what is served, with the reason why it could not be renewed.
    pub(super) fn note_failure(&self, error: &CatalogError) {
        self.counts.asked_in_vain();
        let at = self.renewal(RETRY);
        self.amend(|same| {
            same.error = Some((error.kind(), error.to_string()));
            same.renew_at = at;
        });
    }

    /// Serves the same catalog, of which something else is told from now on.
    pub(super) fn amend(&self, amend: impl FnOnce(&mut Snapshot)) {
        let _serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = (*self.current.load_full()).clone();
        same.asked_at = self.last_asked();
        amend(&mut same);
        self.current.store(Arc::new(same));
    }

    fn last_asked(&self) -> Option<Timestamp> {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the overlay's file, if it has one.
    pub(super) async fn look_at_overlay(&self) {
        if let OverlaySource::File(path) = &self.config.overlay {
            self.overlay.look(path).await;
        }
    }

    /// What is served with a changed overlay on it; `None` where nothing changed.
    pub(super) fn overlay_renewed(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        if !self.overlay.is_changed() {
            return None;
        }
        let _serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        let same_base = (*self.current.load_full()).clone();
        Some(self.adopt_now(same_base))
    }
}

impl Snapshot {
    /// The same base under an overlay; without it, and saying so, where it does not fit.
    pub(in crate::live) fn with_overlay(mut self, overlay: &Overlay) -> Self {
        match overlay.lay_over(&self.base) {
            Ok(catalog) => {
                self.served = Held::Built(Arc::new(catalog));
                self.overlay = overlay.len();
                self.overlay_error = None;
            }
            Err(error) => {
                // It may quote ARNs, and those name an account.
                let error = redact(&error.to_string()).into_owned();
                tracing::warn!(%error, "the overlay is not used");
                self.served = self.base.clone();
                self.overlay = 0;
                self.overlay_error = Some(error);
            }
        }
        self
    }
}
