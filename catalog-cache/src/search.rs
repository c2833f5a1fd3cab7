//! One question to the tiers: whom to ask, which find is best, what is promoted and counted.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use super::core::Name;
use super::level::{Level, Mark};
use super::order::Watch;
use super::tier::Found;
use super::{Cache, Freshness, Hit, Key, Standing};

/// A question under way: the best answer so far.
#[derive(Debug, Default)]
pub(super) struct Search {
    best: Option<Candidate>,
    /// Taken before a tier was asked that is not the first.
    watch: Option<Watch<Name>>,
    /// When the call began that asks, where it asks more than once. Who did not answer in time since
    /// then is not asked again.
    since: Option<Mark>,
    /// No other tier need be asked.
    pub(super) settled: bool,
}

#[derive(Debug)]
struct Candidate {
    level: usize,
    found: Found,
    fresh: bool,
    age: Duration,
}

impl Cache {
    /// Asks the tiers that do not block. A fresh find in the first of them is the answer, counted:
    /// the hot path. All else is kept for [`Cache::ask_below`].
    #[inline]
    pub(super) fn ask_instant(&self, key: &Key, search: &mut Search) -> Option<Freshness> {
        let first = self
            .inner
            .levels
            .first()
            .filter(|_| self.inner.instant > 0)?;
        let now = self.inner.clock.moment();
        if let Some(found) = first.get(&self.namespace, key, now.steady) {
            let envelope = found.entry.envelope();
            let (standing, age) = envelope.standing_and_age(now.wall);
            if standing == Standing::Fresh
                && found.held < envelope.horizons.fresh_for
                && !found.ask_below
            {
                first.counts.hits.one();
                let (envelope, data) = found.entry.into_parts();
                return Some(Freshness::Fresh(Hit {
                    data,
                    envelope,
                    age,
                    tier: Some(first.name()),
                    path: None,
                }));
            }
            search.settled = self.consider(search, 0, found, now.wall);
        }
        if self.inner.instant > 1 && !search.settled {
            search.watch = Some(self.watch_name(key));
            self.ask(key, search, 1..self.inner.instant);
        }
        None
    }

    /// Asks the tiers that may block, unless it is settled, and answers.
    pub(super) fn ask_below(&self, key: &Key, mut search: Search, counted: bool) -> Freshness {
        if !search.settled && self.inner.instant < self.inner.levels.len() {
            if search.watch.is_none() {
                search.watch = Some(self.watch_name(key));
            }
            self.ask(
                key,
                &mut search,
                self.inner.instant..self.inner.levels.len(),
            );
        }
        let watch = search.watch.take();
        self.answer(key, search, watch.as_ref(), counted)
    }

    /// Asks every tier again without counting it as a question.
    pub(super) fn look_again(&self, key: &Key, since: Mark) -> Freshness {
        let mut search = Search {
            since: Some(since),
            ..Search::default()
        };
        // What the first tier has is promoted nowhere.
        if self.inner.levels.len() > 1 {
            search.watch = Some(self.watch_name(key));
        }
        self.ask(key, &mut search, 0..self.inner.instant);
        self.ask_below(key, search, false)
    }

    fn watch_name(&self, key: &Key) -> Watch<Name> {
        self.inner.order.watch(&(self.namespace, key.clone()))
    }

    fn ask(&self, key: &Key, search: &mut Search, range: Range<usize>) {
        if search.settled || range.is_empty() {
            return;
        }
        let now = self.inner.clock.moment();
        let since = *search.since.get_or_insert_with(|| self.inner.lates.mark());
        let levels = self.inner.levels.iter().enumerate();
        for (index, level) in levels.take(range.end).skip(range.start) {
            if level.was_late_since(since) {
                continue;
            }
            if let Some(found) = level.get(&self.namespace, key, now.steady)
                && self.consider(search, index, found, now.wall)
            {
                search.settled = true;
                return;
            }
        }
    }

    /// Takes the find if it is better than what there is; whether no other is needed.
    pub(super) fn consider(
        &self,
        search: &mut Search,
        level: usize,
        found: Found,
        now: SystemTime,
    ) -> bool {
        let envelope = found.entry.envelope();
        let (standing, age) = envelope.standing_and_age(now);
        let fresh = match standing {
            // However the wall clock stands, no copy lives longer in this process than it may.
            _ if found.held >= envelope.horizons.keep_for => None,
            Standing::Expired => None,
            Standing::Fresh => Some(found.held < envelope.horizons.fresh_for),
            Standing::Stale => Some(false),
        };
        let Some(fresh) = fresh else {
            self.inner
                .levels
                .get(level)
                .inspect(|level| level.counts.expirations.one());
            return false;
        };
        let settles = fresh && !found.ask_below;
        let better = search.best.as_ref().is_none_or(|best| {
            (fresh, envelope.written_at) > (best.fresh, best.found.entry.envelope().written_at)
        });
        if better {
            search.best = Some(Candidate {
                level,
                found,
                fresh,
                age,
            });
        }
        settles
    }

    pub(super) fn answer(
        &self,
        key: &Key,
        search: Search,
        watch: Option<&Watch<Name>>,
        counted: bool,
    ) -> Freshness {
        let Some(Candidate {
            level,
            found,
            fresh,
            age,
        }) = search.best
        else {
            if counted {
                self.inner.counts.misses.one();
            }
            tracing::debug!(%key, "cache miss");
            return Freshness::Missing;
        };
        let Some(from) = self.inner.levels.get(level) else {
            return Freshness::Missing;
        };
        if let Some(watch) = watch.filter(|_| level > 0) {
            let is_late = |level: &Level| search.since.is_some_and(|at| level.was_late_since(at));
            let above = self.inner.levels.iter().take(level);
            let above = above.filter(|level| !is_late(level));
            watch.repeat_unless_overtaken(|| {
                above.for_each(|level| {
                    level.promote(&found.entry);
                })
            });
        }
        let Found { entry, path, .. } = found;
        let (envelope, data) = entry.into_parts();
        if counted {
            from.counts.hits.one();
            if level >= self.inner.instant {
                from.counts.bytes_read.add(data.len() as u64);
            }
            if !fresh {
                self.inner.counts.stale.one();
            }
        }
        if let Some(path) = &path {
            tracing::info!(tier = from.name(), %key, path = %path.display(), age_seconds = age.as_secs(), fresh, "cache entry read");
        }
        let hit = Hit {
            data,
            envelope,
            age,
            tier: Some(from.name()),
            path,
        };
        if fresh {
            Freshness::Fresh(hit)
        } else {
            Freshness::Stale(hit)
        }
    }
}
