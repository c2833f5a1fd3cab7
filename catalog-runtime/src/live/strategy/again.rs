//! Asking the regions again that failed, without those that answered. It may not know who asks for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bedrock_catalog_data::Timestamp;

use super::super::handle::Inner;
use super::super::snapshot::{Retry, Snapshot};
use super::reasons::Reasons;
use super::{Cached, RETRY, Tried, catalog_key};
use crate::cache::{Cache, Moment};
use crate::error::Error;
use crate::fetch::{Fetched, Outcome};
use crate::recording::Recording;

/// How long regions that fail time and again are left alone at most.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// The regions that may answer when asked again with nothing changed. Who was denied may not.
fn to_ask_again(fetched: &Fetched) -> BTreeSet<String> {
    let failed = fetched.reports().iter().filter(|(_, report)| {
        let settled = [Outcome::Ok, Outcome::Denied, Outcome::NotEnabled];
        !settled.contains(&report.outcome)
    });
    failed.map(|(region, _)| region.clone()).collect()
}

impl Inner {
    /// Asks the regions again that failed, and lays what they answer into the catalog in hand, whose
    /// observation it stays: of no region it is newer than that of the others.
    /// `None` where they are to be asked later: nothing has changed.
    pub(super) async fn ask_again(&self, retry: &Retry) -> Result<Option<Snapshot>, Error> {
        let current = self.current.load_full();
        let cache = self.identified().await;
        let observed_at = current.base.observed_at();
        if let Some(newer) = self.newer_than(observed_at, &cache).await {
            return Ok(Some(newer));
        }
        let Some(leases) = cache.try_lease(&catalog_key()).await else {
            // Another process asks, for all regions.
            self.put_off(retry, BTreeMap::new());
            return Ok(None);
        };
        // Another one may have asked while this one waited.
        let asked = match self.newer_than(observed_at, &cache).await {
            Some(newer) => Ok(Some(newer)),
            None => self.ask_failed(&cache, &current, retry).await,
        };
        leases.give_back().await;
        asked
    }

    /// A catalog of a later observation that another process cached.
    async fn newer_than(&self, observed_at: Timestamp, cache: &Cache) -> Option<Snapshot> {
        let shared = cache.get_shared(&catalog_key()).await;
        let shared = cache.off_thread(|cache| Cached::of(shared, cache)).await;
        let shared = self.usable(shared, &mut Tried::default())?;
        (shared.base.observed_at() > observed_at).then_some(shared)
    }

    /// Has the regions that failed asked again later, with the reasons of now.
    fn put_off(&self, retry: &Retry, failed: BTreeMap<String, String>) {
        let retry = Retry {
            tries: retry.tries + 1,
            ..retry.clone()
        };
        let _serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut same = (*self.current.load_full()).clone();
        same.asked_at = self.last_asked();
        same.renew_at = self.retry_at(&retry);
        same.retry = Some(retry);
        same.failed.extend(failed);
        self.current.store(Arc::new(same));
    }

    async fn ask_failed(
        &self,
        cache: &Cache,
        current: &Snapshot,
        retry: &Retry,
    ) -> Result<Option<Snapshot>, Error> {
        let observed_at = current.base.observed_at();
        let watched = self.watched(cache).await;
        let regions: Vec<String> = retry.regions.iter().cloned().collect();
        let config = &self.config;
        let fetched = config.aws.fetch(
            config,
            &regions,
            Some(&current.base),
            self.asks_now(),
            config.asking(),
        );
        let fetched = fetched.await?;
        if fetched.answered() == 0 {
            self.put_off(retry, Reasons::of(observed_at, fetched.reports()).failed);
            return Ok(None);
        }
        tracing::info!(
            answered = fetched.answered(),
            of = regions.len(),
            "regions that had failed were asked again"
        );
        self.keep_raw(cache, &fetched).await;
        let mut recording = Recording::of_catalog(&current.base);
        let mut reasons = Reasons::of(observed_at, fetched.reports());
        for (region, why) in &current.failed {
            recording.regions.remove(region);
            recording.failures.remove(region);
            if !retry.regions.contains(region) {
                recording.failures.insert(region.clone(), why.clone());
                reasons.failed.insert(region.clone(), why.clone());
            }
        }
        let not_enabled = current.not_enabled.iter().cloned();
        reasons.not_enabled.extend(not_enabled);
        recording
            .regions
            .extend(fetched.recording().regions.clone());
        recording
            .failures
            .extend(fetched.recording().failures.clone());
        let mut snapshot = self
            .made_of(cache, &recording, Some(&current.base), reasons)
            .await?;
        snapshot.renew_at = Some(retry.all_at);
        self.retry_of(&mut snapshot, &fetched, retry.tries + 1);
        self.keep(cache, &snapshot, watched).await;
        Ok(Some(snapshot))
    }

    /// Has the regions asked again that did not answer, before the rest is due.
    pub(super) fn retry_of(&self, snapshot: &mut Snapshot, fetched: &Fetched, tries: u32) {
        let regions = to_ask_again(fetched);
        if let Some(all_at) = snapshot.renew_at.filter(|_| !regions.is_empty()) {
            let retry = Retry {
                regions,
                tries,
                all_at,
            };
            snapshot.renew_at = self.retry_at(&retry);
            snapshot.retry = Some(retry);
        }
    }

    /// When to ask the failed regions again: after a minute, then two, up to an hour; and with the rest
    /// where that comes sooner.
    fn retry_at(&self, retry: &Retry) -> Option<Moment> {
        let wait = RETRY.saturating_mul(1 << retry.tries.min(6));
        let at = self.renewal(wait.min(LONGEST_RETRY))?;
        Some(match at.wall < retry.all_at.wall {
            true => at,
            false => retry.all_at,
        })
    }
}
