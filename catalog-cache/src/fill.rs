//! Filling every tier with what any of them has, for a cache that is warmed by hand. A question copies
//! upwards only; a tier that was added below, or was away, has nothing until something is written.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::level::Level;
use super::{Cache, Entry, Key, Standing};

impl Cache {
    /// Copies each entry of this namespace, as it is, to the tiers that lack it or have an older one;
    /// how many copies. Expired entries stay where they are. Costs a scan of every tier and a read of
    /// every entry in each.
    ///
    /// ```
    /// use bedrock_catalog_cache::{Cache, Key, MemoryLimits, Terms};
    ///
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// cache.put(&Key::new("a", "b", "c"), "d", &Terms::source("example"));
    /// assert_eq!(cache.fill(), 0); // the only tier has it
    /// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
    /// ```
    pub fn fill(&self) -> u64 {
        let mut keys: BTreeSet<Key> = BTreeSet::new();
        for level in &self.inner.levels {
            let scanned = level.call("scan", &"*", |tier| {
                tier.scan(&self.namespace, "", &mut |listed| {
                    keys.insert(listed.envelope.key.clone());
                    ControlFlow::Continue(())
                })
            });
            if scanned.is_none() {
                level.counts.undone.one();
            }
        }
        keys.iter().map(|key| self.fill_one(key)).sum()
    }

    /// The same as [`Cache::fill`] for async callers.
    pub async fn fill_async(&self) -> u64 {
        self.off_thread(Self::fill).await
    }

    fn fill_one(&self, key: &Key) -> u64 {
        let watch = self.inner.order.watch(&(self.namespace, key.clone()));
        let now = self.inner.clock.moment();
        let held: Vec<Option<Entry>> = self
            .inner
            .levels
            .iter()
            .map(|level| Some(level.get(&self.namespace, key, now.steady)?.entry))
            .collect();
        let kept = held
            .iter()
            .flatten()
            .filter(|entry| entry.envelope().standing(now.wall) != Standing::Expired);
        let newest = kept.fold(None, |best: Option<&Entry>, entry| match best {
            Some(best) if !entry.envelope().supersedes(best.envelope(), now.wall) => Some(best),
            _ => Some(entry),
        });
        let Some(newest) = newest else {
            return 0;
        };
        let lacking = self.inner.levels.iter().zip(&held).filter(|(_, held)| {
            held.as_ref()
                .is_none_or(|held| newest.envelope().supersedes(held.envelope(), now.wall))
        });
        let copy_to = |level: &Level| {
            let copied = level.promote(newest);
            if copied.is_none() {
                level.counts.undone.one();
            }
            u64::from(copied == Some(true))
        };
        let copy = || lacking.map(|(level, _)| copy_to(level)).sum();
        watch.repeat_unless_overtaken(copy).unwrap_or(0)
    }
}
