//! Removing: one key, or all that match, from every tier. This file may not know how a tier finds them.

use std::slice;

use super::core::{Inner, Name};
use super::{Cache, Key, Namespace, Pattern};

impl Cache {
    /// Removes one key from every tier; whether any had it.
    pub fn remove(&self, key: &Key) -> bool {
        self.invalidate(&Pattern::exact(key)) > 0
    }

    /// Removes what matches from every tier; how many entries, counted in the tier that held most.
    pub fn invalidate(&self, pattern: &Pattern) -> u64 {
        self.invalidate_of(slice::from_ref(&self.namespace), pattern, false)
    }

    /// The same as [`Cache::invalidate`] for async callers.
    pub async fn invalidate_async(&self, pattern: &Pattern) -> u64 {
        let pattern = pattern.clone();
        self.off_thread(move |cache| cache.invalidate(&pattern))
            .await
    }

    /// Removes what matches from one tier; a tier below may bring it back.
    pub fn invalidate_in(&self, tier: &str, pattern: &Pattern) -> u64 {
        let of = slice::from_ref(&self.namespace);
        self.invalidate_where(of, pattern, false, |name| name == tier)
    }

    /// Removes everything of this namespace from every tier.
    pub fn clear(&self) -> u64 {
        self.invalidate(&Pattern::all())
    }

    /// The same as [`Cache::invalidate`] of several namespaces. `again`: it was tried a moment ago, and a
    /// tier that could not do it then is not waited for in full.
    pub(crate) fn invalidate_of(
        &self,
        namespaces: &[Namespace],
        pattern: &Pattern,
        again: bool,
    ) -> u64 {
        self.invalidate_where(namespaces, pattern, again, |_| true)
    }

    fn invalidate_where(
        &self,
        namespaces: &[Namespace],
        pattern: &Pattern,
        again: bool,
        tier: impl Fn(&str) -> bool,
    ) -> u64 {
        let remove = || {
            let levels = self.inner.levels.iter().filter(|level| tier(level.name()));
            let removed = levels.map(|level| level.remove(namespaces, pattern, again));
            removed.max().unwrap_or(0)
        };
        let removed = match pattern.as_exact() {
            Some(key) => {
                let names = namespaces.iter().map(|of| (*of, key.clone()));
                self.inner.order.write(&names.collect::<Vec<_>>(), remove)
            }
            None => self.inner.sweep(namespaces, pattern, remove),
        };
        self.inner.counts.invalidated.add(removed);
        tracing::debug!(%pattern, removed, "cache entries invalidated");
        removed
    }
}

impl Inner {
    /// Writes every entry of these namespaces that matches, in a turn; other entries go on.
    pub(super) fn sweep<R>(
        &self,
        namespaces: &[Namespace],
        pattern: &Pattern,
        write: impl FnOnce() -> R,
    ) -> R {
        let (namespaces, pattern) = (namespaces.to_vec(), pattern.clone());
        let is_written = move |(of, key): &Name| namespaces.contains(of) && pattern.matches(key);
        self.order.write_matching(is_written, write)
    }
}
