//! Asking the regions again that failed, without those that answered. It may not know who asks for all.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::handle::Inner;
use super::super::snapshot::{Retry, Snapshot};
use super::asking::{Asked, made_of};
use super::reasons::Reasons;
use super::{Answered, Cached, RETRY, Tried, catalog_key, note};
use crate::cache::{Cache, Moment, Others};
use crate::error::CatalogError;
use bedrock_catalog_recording::Recording;

/// How long regions that fail time and again are left alone at most.
const LONGEST_RETRY: Duration = Duration::from_secs(3600);

/// What came of asking the failed regions again.
enum Again {
    /// By this process or another one.
    Snapshot(Box<Snapshot>),
    InVain(Reasons),
}

impl Inner {
    /// Asks the regions again that failed, and lays what they answer into the catalog in hand, whose
    /// observation it stays: of no region it is newer than that of the others.
    /// `None` where they are to be asked later: nothing has changed.
    pub(super) async fn ask_again(&self, retry: &Retry) -> Result<Option<Snapshot>, CatalogError> {
        let cache = self.identified().await;
        let answered = Answered::default();
        let asking = self.ask_again_with(&cache, retry, &answered);
        self.asked_in_time(&answered, asking).await
    }

    async fn ask_again_with(
        &self,
        cache: &Cache,
        retry: &Retry,
        answered: &Answered,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let current = self.current.load_full();
        let observed_at = current.base.observed_at();
        let newer = |found: &Snapshot, _: u32| found.base.observed_at() > observed_at;
        if let Some(newer) = self.shared(cache, newer).await {
            return Ok(Some(newer));
        }
        let (hangs, patience) = (self.calls.hangs(), cache.settings().patience);
        let leases = match hangs {
            true => Err(Others::MayWork),
            false => cache.try_lease(&catalog_key(), patience).await,
        };
        if leases.as_ref().is_err_and(|&others| others == Others::Work) {
            // Another process asks. What it was told is looked for in a while.
            let at = self.sooner(RETRY, retry.all_at);
            self.amend(|same| same.renew_at = at);
            return Ok(None);
        }
        // Another one may have asked while this one waited; all of them, or those that failed.
        let asked_again = |found: &Snapshot, tries: u32| {
            newer(found, tries) || (found.base.observed_at() == observed_at && tries > retry.tries)
        };
        let asked = match self.shared(cache, asked_again).await {
            Some(shared) => Ok(Again::Snapshot(Box::new(shared))),
            None => self.ask_failed(cache, &current, retry, answered).await,
        };
        if let Ok(leases) = leases {
            leases.give_back().await;
        }
        match asked? {
            Again::Snapshot(snapshot) => Ok(Some(*snapshot)),
            Again::InVain(reasons) => {
                self.amend(|same| {
                    reasons.tell(same);
                    self.retry_of(same, &reasons, retry.all_at);
                });
                Ok(None)
            }
        }
    }

    /// What others stored, where it is newer than what is served, or has regions that failed here.
    pub(super) async fn stored_by_others(&self) -> Option<Snapshot> {
        let cache = self.identified().await;
        let current = self.current.load_full();
        let observed_at = current.base.observed_at();
        let known = current.retry.as_ref().map(|retry| retry.tries);
        let newer = |found: &Snapshot, tries: u32| {
            let is_same = found.base.observed_at() == observed_at;
            let is_later = found.base.observed_at() > observed_at;
            self.is_enough(found)
                && (is_later || (is_same && known.is_some_and(|known| tries > known)))
        };
        self.shared(&cache, newer).await
    }

    /// What another process cached, where that is what is looked for: by it, and by how often its failed
    /// regions were asked again.
    async fn shared(
        &self,
        cache: &Cache,
        wanted: impl Fn(&Snapshot, u32) -> bool,
    ) -> Option<Snapshot> {
        // Those of nobody in particular may be of any account.
        if self.is_open(cache).await {
            return None;
        }
        let look = |cache: &Cache| Cached::of(cache.get_shared(&catalog_key()), cache);
        let shared = self.look(cache, look).await?;
        let snapshot = self.usable(&shared, &mut Tried::default())?;
        wanted(&snapshot, shared.tries(&snapshot)).then_some(snapshot)
    }

    async fn ask_failed(
        &self,
        cache: &Cache,
        current: &Snapshot,
        retry: &Retry,
        answered: &Answered,
    ) -> Result<Again, CatalogError> {
        let observed_at = current.base.observed_at();
        let watched = self.watched(cache).await;
        let regions: Vec<String> = retry.regions.iter().cloned().collect();
        let config = &self.config;
        let asked_at = self.asks_now();
        let fetched = config.aws.fetch(
            config,
            &regions,
            Some(&current.base),
            asked_at,
            config.asking(),
        );
        let fetched = fetched.await?;
        let mut reasons = Reasons::of(
            observed_at,
            asked_at,
            retry.tries.saturating_add(1),
            fetched.reports(),
        );
        let others = current.failed.iter();
        let others = others.filter(|(region, _)| !retry.regions.contains(*region));
        let others: Vec<_> = others.map(|(id, why)| (id.clone(), why.clone())).collect();
        reasons.failed.extend(others.iter().cloned());
        let not_enabled = current.not_enabled.iter().cloned();
        reasons.not_enabled.extend(not_enabled);
        if fetched.answered() == 0 {
            // Other processes need not find out too.
            self.keep_reasons(cache, &reasons, watched.reasons).await;
            return Ok(Again::InVain(reasons));
        }
        tracing::info!(
            answered = fetched.answered(),
            of = regions.len(),
            "regions that had failed were asked again"
        );
        let mut recording = Recording::of_catalog(&current.base);
        for region in current.failed.keys() {
            recording.regions.remove(region);
            recording.failures.remove(region);
        }
        recording.failures.extend(others);
        let anew = fetched.recording();
        recording.regions.extend(anew.regions.clone());
        recording.failures.extend(anew.failures.clone());
        let mut snapshot = made_of(&recording, Some(&current.base), &reasons)?;
        self.retry_of(&mut snapshot, &reasons, retry.all_at);
        note(answered, Ok(snapshot.clone()));
        let asked = Asked {
            snapshot,
            fetched,
            reasons,
        };
        self.keep(cache, &asked, watched).await;
        Ok(Again::Snapshot(Box::new(asked.snapshot)))
    }

    /// Has all regions asked at this moment, and before that those that may answer when asked again:
    /// after a minute, then two, up to an hour.
    pub(super) fn retry_of(&self, snapshot: &mut Snapshot, reasons: &Reasons, all_at: Moment) {
        let regions = reasons.again.iter();
        let regions = regions.filter(|region| reasons.are_of(snapshot, region));
        let regions: BTreeSet<String> = regions.cloned().collect();
        let tries = reasons.tries;
        snapshot.renew_at = Some(all_at);
        snapshot.retry = None;
        if regions.is_empty() {
            return;
        }
        let wait = RETRY.saturating_mul(1 << tries.min(6)).min(LONGEST_RETRY);
        let asked_at = reasons.asked_at.unwrap_or(reasons.observed_at).unix();
        let since = u64::try_from(self.now().unix() - asked_at).unwrap_or_default();
        let left = wait.saturating_sub(Duration::from_secs(since));
        snapshot.renew_at = self.sooner(left, all_at);
        snapshot.retry = Some(Retry {
            regions,
            tries,
            all_at,
        });
    }

    /// After `left`, at the latest then.
    fn sooner(&self, left: Duration, latest: Moment) -> Option<Moment> {
        let at = self.renewal(left)?;
        Some(match at.wall < latest.wall {
            true => at,
            false => latest,
        })
    }
}
