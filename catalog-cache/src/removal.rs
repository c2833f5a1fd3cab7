//! Removing: one key, or all that match, from every tier. This file may not know how a tier finds them.

use std::slice;
use std::sync::atomic::Ordering;

use super::core::{Inner, Name};
use super::joint::Joint;
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
        let asked = (vec![self.namespace], pattern.clone());
        let removed = self.inner.remove(&[asked], false, |name| name == tier);
        self.removed(pattern, removed.first().copied())
    }

    /// Removes everything of this namespace from every tier.
    pub fn clear(&self) -> u64 {
        self.invalidate(&Pattern::all())
    }

    /// The same as [`Cache::invalidate`] of several namespaces. `again`: it was tried a moment ago, and a
    /// tier that could not do it then is not waited for in full.
    #[doc(hidden)]
    pub fn invalidate_of(&self, namespaces: &[Namespace], pattern: &Pattern, again: bool) -> u64 {
        let asked = (namespaces.to_vec(), pattern.clone());
        let remove = |all: &[Asked]| self.inner.remove(all, again, |_| true);
        let removed = match pattern.as_exact() {
            Some(_) => remove(slice::from_ref(&asked)).first().copied(),
            None => self.inner.joined.of(again).ask(asked, remove),
        };
        self.removed(pattern, removed)
    }

    /// How often something was to be removed so far, in any namespace, here or by others who tell: it has
    /// grown before a removal returns.
    #[doc(hidden)]
    pub fn removals(&self) -> u64 {
        self.inner.removals.load(Ordering::Acquire)
    }

    fn removed(&self, pattern: &Pattern, removed: Option<u64>) -> u64 {
        let removed = removed.unwrap_or(0);
        self.inner.counts.invalidated.add(removed);
        tracing::debug!(%pattern, removed, "cache entries invalidated");
        removed
    }
}

/// What one caller wants to be removed.
type Asked = (Vec<Namespace>, Pattern);

/// Removals that look through all entries: those that wait for one under way are one when their turn
/// comes. What is tried for the first time, and what is tried again.
#[derive(Debug, Default)]
pub(super) struct Joined([Joint<Asked, u64>; 2]);

impl Joined {
    fn of(&self, again: bool) -> &Joint<Asked, u64> {
        let Self([first, second]) = self;
        if again { second } else { first }
    }

    /// How many wait for one that is under way.
    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn waiting(&self) -> usize {
        self.0.iter().map(Joint::waiting).sum()
    }
}

impl Inner {
    /// Removes all of this from these tiers, in a turn; how many of each, counted in the tier that held
    /// most.
    fn remove(&self, all: &[Asked], again: bool, tier: impl Fn(&str) -> bool) -> Vec<u64> {
        self.removals.fetch_add(1, Ordering::AcqRel);
        let mut what = Vec::new();
        for (namespaces, pattern) in all {
            what.extend(namespaces.iter().map(|of| (*of, pattern.clone())));
        }
        let remove = || {
            let mut most = vec![0; all.len()];
            for level in self.levels.iter().filter(|level| tier(level.name())) {
                let mut removed = level.remove(&what, again).into_iter();
                for (most, (namespaces, _)) in most.iter_mut().zip(all) {
                    *most = removed
                        .by_ref()
                        .take(namespaces.len())
                        .sum::<u64>()
                        .max(*most);
                }
            }
            most
        };
        let exact = |(of, pattern): &(Namespace, Pattern)| Some((*of, pattern.as_exact()?.clone()));
        match what.iter().map(exact).collect::<Option<Vec<Name>>>() {
            Some(names) => self.order.write(&names, remove),
            None => self.sweep(&what, remove),
        }
    }

    /// Writes every entry that matches one of these, in a turn; other entries go on.
    pub(super) fn sweep<R>(&self, what: &[(Namespace, Pattern)], write: impl FnOnce() -> R) -> R {
        let what = what.to_vec();
        let is_written = move |(of, key): &Name| {
            let mut all = what.iter();
            all.any(|(swept, pattern)| swept == of && pattern.matches(key))
        };
        self.order.write_matching(is_written, write)
    }
}
