//! Removing: one key, or all that match, from every tier. This file may not know how a tier finds them.

use super::core::{Inner, Name};
use super::{Cache, Key, Namespace, Pattern};

impl Cache {
    /// Removes one key from every tier; whether any had it.
    pub fn remove(&self, key: &Key) -> bool {
        self.invalidate(&Pattern::exact(key)) > 0
    }

    /// Removes what matches from every tier; how many entries, counted in the tier that held most.
    pub fn invalidate(&self, pattern: &Pattern) -> u64 {
        self.invalidate_where(pattern, |_| true)
    }

    /// The same as [`Cache::invalidate`] for async callers.
    pub async fn invalidate_async(&self, pattern: &Pattern) -> u64 {
        let pattern = pattern.clone();
        self.off_thread(move |cache| cache.invalidate(&pattern))
            .await
    }

    /// Removes what matches from one tier; a tier below may bring it back.
    pub fn invalidate_in(&self, tier: &str, pattern: &Pattern) -> u64 {
        self.invalidate_where(pattern, |name| name == tier)
    }

    /// Removes everything of this namespace from every tier.
    pub fn clear(&self) -> u64 {
        self.invalidate(&Pattern::all())
    }

    fn invalidate_where(&self, pattern: &Pattern, tier: impl Fn(&str) -> bool) -> u64 {
        let remove = || {
            let levels = self.inner.levels.iter().filter(|level| tier(level.name()));
            levels
                .filter_map(|level| level.remove(&self.namespace, pattern))
                .max()
                .unwrap_or(0)
        };
        let removed = match pattern.as_exact() {
            Some(key) => self
                .inner
                .order
                .write(&[(self.namespace, key.clone())], remove),
            None => self.inner.sweep(self.namespace, pattern, remove),
        };
        self.inner.counts.invalidated.add(removed);
        tracing::debug!(%pattern, removed, "cache entries invalidated");
        removed
    }
}

impl Inner {
    /// Writes every entry of this namespace that matches, in a turn; other entries go on.
    pub(super) fn sweep<R>(
        &self,
        namespace: Namespace,
        pattern: &Pattern,
        write: impl FnOnce() -> R,
    ) -> R {
        let pattern = pattern.clone();
        let is_written = move |(ns, key): &Name| *ns == namespace && pattern.matches(key);
        self.order.write_matching(is_written, write)
    }
}
