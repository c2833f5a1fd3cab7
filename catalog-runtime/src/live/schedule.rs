//! When to fetch again. Regions that failed are fetched without the others: after one minute, two, four,
//! up to an hour.

use std::collections::BTreeSet;
use std::time::Duration;

use bedrock_catalog_cache::Moment;
use bedrock_catalog_data::Timestamp;

use super::cached::{Failure, Status, is_renewed};
use super::handle::Inner;
use super::snapshot::{Retry, Snapshot};

/// How long nothing is fetched after a failure.
pub(super) const RETRY: Duration = Duration::from_secs(60);
/// The longest pause between two retries.
const LONGEST: Duration = Duration::from_secs(3600);

/// Whether a time has come, by either clock: the steady one stands still while a machine sleeps.
pub(super) fn is_due(at: Moment, now: Moment) -> bool {
    now.steady >= at.steady || now.wall >= at.wall
}

impl Inner {
    /// The time of a renewal, if anything can be fetched: after `left`, and up to a tenth more. Never at
    /// once: an entry written a moment ago may count as fresh for a moment longer.
    pub(super) fn renewal_in(&self, left: Duration) -> Option<Moment> {
        self.moment_in(left.max(RETRY.min(self.config.ttl.fresh_for)))
    }

    /// After `left`, and up to a tenth more, so that a fleet does not fetch in step.
    pub(super) fn moment_in(&self, left: Duration) -> Option<Moment> {
        let random = std::hash::RandomState::new();
        let noise = std::hash::BuildHasher::hash_one(&random, left);
        let jitter = left.mul_f64((noise % 1024) as f64 / 10_240.0);
        let clock = &self.config.clock;
        self.config.can_fetch().then(|| Moment {
            wall: clock.now() + left + jitter,
            steady: clock.steady() + left + jitter,
        })
    }

    /// Schedules the retry of the regions of this status, before the next renewal of all.
    pub(super) fn schedule_retry(&self, snapshot: &mut Snapshot, status: &Status) {
        let Some(all_at) = snapshot.renew_at else {
            return;
        };
        snapshot.retry = None;
        let is_of = status.observed_at == Some(snapshot.base.observed_at());
        let regions = status
            .retryable
            .iter()
            .filter(|id| is_of && !is_renewed(snapshot, id));
        let regions: BTreeSet<String> = regions.cloned().collect();
        let Some(fetched_at) = status.fetched_at.filter(|_| !regions.is_empty()) else {
            return;
        };
        let tries = status.tries;
        let pause = RETRY.saturating_mul(1 << tries.min(6)).min(LONGEST);
        snapshot.renew_at = self.sooner(pause.saturating_sub(self.since(fetched_at)), all_at);
        snapshot.retry = Some(Retry {
            regions,
            tries,
            all_at,
        });
    }

    /// After this time, and not later than `latest`.
    pub(super) fn sooner(&self, left: Duration, latest: Moment) -> Option<Moment> {
        let at = self.renewal_in(left)?;
        Some(match at.wall < latest.wall {
            true => at,
            false => latest,
        })
    }

    fn since(&self, time: Timestamp) -> Duration {
        let seconds = self.now().unix().saturating_sub(time.unix());
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    }

    /// Whether a failure is too recent to fetch again.
    pub(super) fn is_recent(&self, failure: &Failure) -> bool {
        failure.at <= self.now() && self.since(failure.at) < RETRY
    }
}
