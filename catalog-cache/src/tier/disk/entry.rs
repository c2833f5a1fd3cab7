//! One entry: read from one location, written to one, and removed where it would shadow the newer.
//!
//! Which location comes first is the tier's to know.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::files::{Absent, Lasting};
use super::layout::Place;
use super::reason::Reason;
use super::shelf::{Shelf, Site};
use super::{DiskTier, Entry, Key, Namespace, TierError};

impl DiskTier {
    /// Reads the entry at one place, whole and of this key, or says why not.
    pub(super) fn read(
        &self,
        shelf: &Shelf,
        place: &Place,
        namespace: &Namespace,
        key: &Key,
    ) -> Result<Option<Entry>, TierError> {
        match shelf.read(place, self.cap()) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => self
                .codec
                .decode(Bytes::from(bytes), namespace, key)
                .map(Some),
            Err(reason) => Err(reason.about_entry()),
        }
    }

    /// What lies there now, if it was written later than `entry`.
    pub(super) fn superseding(&self, shelf: &Shelf, place: &Place, entry: &Entry) -> Option<Entry> {
        let envelope = entry.envelope();
        self.read(shelf, place, &envelope.namespace, &envelope.key)
            .ok()
            .flatten()
            .filter(|there| there.envelope().supersedes(envelope, self.clock.now()))
    }

    /// Writes to one location, or answers what was written later and stays.
    pub(super) fn write_to(
        &self,
        site: &Site,
        place: &Place,
        entry: &Entry,
        bytes: &[u8],
    ) -> Result<Option<Entry>, Reason> {
        let namespace = entry.envelope().namespace.to_string();
        let shelf = site
            .shelf(&namespace, Absent::Make)?
            .ok_or(Reason::Missing)?;
        let (folder, lock) = shelf.lock(place, self.lock_wait)?;
        let superseding = self.superseding(&shelf, place, entry);
        if superseding.is_some() {
            return Ok(superseding);
        }
        folder.write(&place.entry(), bytes, Lasting::Durable)?;
        drop(lock);
        if site.add_bytes(bytes.len() as u64) > self.max_bytes {
            self.evict(site, Some((&namespace, place)));
        }
        Ok(None)
    }

    /// Removes what `entry` replaces from the locations before the one that took it.
    pub(super) fn unshadow(&self, sites: &[Site], place: &Place, entry: &Entry) {
        let namespace = entry.envelope().namespace.to_string();
        for site in sites {
            let path = site.path(&namespace, place);
            let removed = site
                .shelf(&namespace, Absent::Leave)
                .and_then(|shelf| match shelf {
                    Some(shelf) => shelf.remove_if(place, self.lock_wait, || {
                        self.superseding(&shelf, place, entry).is_none()
                    }),
                    None => Ok(false),
                });
            match removed {
                Ok(false) => {}
                Ok(true) => {
                    tracing::debug!(path = %path.display(), "older cache entry removed");
                }
                Err(reason) => tracing::debug!(
                    path = %path.display(), %reason, "an older cache entry may shadow the newer"
                ),
            }
        }
    }

    /// A WARN line the first time a location fails, DEBUG until it works again.
    pub(super) fn complain(site: &Site, error: &TierError) {
        let path = site.location.path.display();
        if site.warned.swap(true, Ordering::Relaxed) {
            tracing::debug!(%path, %error, "cache location left out");
        } else {
            tracing::warn!(%path, %error, "cache location left out");
        }
    }
}
