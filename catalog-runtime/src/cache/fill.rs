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
    /// use bedrock_catalog::cache::{Cache, Key, MemoryLimits, Terms};
    ///
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// cache.put(&Key::new("a", "b", "c"), "d", &Terms::source("example"));
    /// assert_eq!(cache.fill(), 0); // the only tier has it
    /// # Ok::<(), bedrock_catalog::cache::ConfigError>(())
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::testing::conformance::entry;
    use super::super::testing::{FaultyTier, Op};
    use super::super::{Clock, Key, ManualClock, Namespace, Tier, TierErrorKind};
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn every_tier_gets_the_newest_that_any_has_as_it_is() {
        let clock = ManualClock::new();
        let tiers = ["first", "second", "third"].map(FaultyTier::new);
        let namespace = Namespace::of(["fill"]);
        let mut builder = Cache::builder().namespace(namespace).clock(clock.clone());
        for tier in &tiers {
            builder = builder.tier(Arc::new(tier.clone()) as Arc<dyn Tier>);
        }
        let cache = builder.build().unwrap();
        let key = |n: u8| Key::new("fill", "key", &n.to_string());
        let made =
            |n, text: &'static str, age| entry(namespace, &key(n), text, clock.now() - age, HOUR);
        tiers[0].put(&made(1, "older", HOUR / 2)).unwrap();
        tiers[1].put(&made(1, "newer", HOUR / 4)).unwrap();
        tiers[0].put(&made(2, "only here", HOUR / 3)).unwrap();
        tiers[2].put(&made(3, "expired", HOUR * 2)).unwrap();
        assert_eq!(cache.fill(), 4);
        for tier in &tiers {
            let held = |n| {
                tier.get(&namespace, &key(n))
                    .unwrap()
                    .map(|found| found.entry)
            };
            assert_eq!(held(1), Some(made(1, "newer", HOUR / 4)));
            assert_eq!(held(2), Some(made(2, "only here", HOUR / 3)));
        }
        assert!(tiers[0].get(&namespace, &key(3)).unwrap().is_none());
        assert_eq!(cache.fill(), 0);
        let undone = || {
            cache
                .statistics()
                .tiers
                .iter()
                .map(|t| t.undone)
                .sum::<u64>()
        };
        assert_eq!(undone(), 0);
        // A tier that lacks it and does not take it, or does not say what it has.
        tiers[1].put(&made(4, "only here", HOUR / 3)).unwrap();
        for (op, missed) in [(Op::Put, 1), (Op::Scan, 2)] {
            tiers[2].plan(move |is| (is == op).then_some(TierErrorKind::Unavailable));
            cache.fill();
            assert_eq!(
                (cache.statistics().tiers[2].undone, undone()),
                (missed, missed)
            );
        }
        // What is damaged and made good again is done.
        tiers[2].plan(|op| (op == Op::Get).then_some(TierErrorKind::Corrupt));
        tiers[2].remove(&namespace, &key(4)).unwrap();
        assert!(cache.fill() > 0);
        assert!(tiers[2].holds(&namespace, &key(4)));
        assert_eq!(undone(), 2);
    }
}
