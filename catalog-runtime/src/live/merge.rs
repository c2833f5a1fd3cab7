//! Step 4: merge the answers of AWS onto the last good catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use bedrock_catalog_cache::Cache;
use bedrock_catalog_data::{Catalog, Timestamp};
use bedrock_catalog_recording::{Recording, transform};

use super::builder::PartialPolicy;
use super::cached::{Failure, READ_LIMIT, Status, catalog_key};
use super::deadline::Deadline;
use super::discovery::Lists;
use super::fetch::Answers;
use super::handle::Inner;
use super::load::Purpose;
use super::session::Session;
use super::snapshot::{Held, Retry, Snapshot, Source};
use crate::error::CatalogError;
use crate::fetch::{Fetched, Outcome, RegionReport};

/// A catalog to publish and to write.
pub(super) struct Merged {
    pub(super) snapshot: Snapshot,
    pub(super) status: Status,
    pub(super) lists: Lists,
}

impl Status {
    /// The status after a fetch. Regions that were denied are not retried.
    pub(super) fn of_fetch(
        observed_at: Timestamp,
        fetched_at: Timestamp,
        reports: &BTreeMap<String, RegionReport>,
    ) -> Self {
        let mut status = Self {
            observed_at: Some(observed_at),
            fetched_at: Some(fetched_at),
            ..Self::default()
        };
        for (region, report) in reports {
            match report.outcome {
                Outcome::Ok => continue,
                Outcome::NotEnabled => _ = status.not_enabled.insert(region.clone()),
                Outcome::Denied => {}
                _ => _ = status.retryable.insert(region.clone()),
            }
            let reason = format!("{}: {}", report.outcome, report.reason);
            tracing::debug!(region, reason, "a region was not renewed");
            status.failed.insert(region.clone(), reason);
        }
        status
    }

    /// Each reason once, with its regions.
    fn reasons(&self) -> String {
        let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (region, reason) in &self.failed {
            by_reason.entry(reason).or_default().push(region);
        }
        let reasons = by_reason
            .into_iter()
            .map(|(reason, regions)| format!("{} ({reason})", regions.join(", ")));
        reasons.collect::<Vec<_>>().join("; ")
    }

    /// Whether a region failed that should have answered.
    fn is_incomplete(&self) -> bool {
        self.failed.len() > self.not_enabled.len()
    }
}

impl Inner {
    /// Step 4. `None`: the retried regions failed again.
    pub(super) async fn merge(
        &self,
        session: &Session,
        answers: Answers,
        purpose: &Purpose,
        deadline: Deadline,
    ) -> Result<Option<Merged>, CatalogError> {
        if let Purpose::Retry(retry) = purpose {
            return self.merge_retried(session, answers, retry, deadline).await;
        }
        let Answers {
            fetched,
            last,
            fetched_at,
        } = answers;
        let status = Status::of_fetch(fetched_at, fetched_at, fetched.reports());
        let reasons = status.reasons();
        if fetched.answered() == 0 {
            let reason = format!("no region answered: {reasons}");
            return Err(self
                .fail(session, &fetched, fetched_at, reason, deadline)
                .await);
        }
        if self.config.partial == PartialPolicy::RequireAllRegions && status.is_incomplete() {
            let message = format!("all regions are required, and these failed: {reasons}");
            return Err(CatalogError::unavailable(message));
        }
        // New regions have nothing to be measured against.
        let mut lists = fetched.recording().regions.values();
        if lists.all(|lists| lists.models.is_empty()) {
            let reason =
                format!("AWS answered without a single model, which is suspicious; {reasons}");
            return Err(self
                .fail(session, &fetched, fetched_at, reason, deadline)
                .await);
        }
        if status.is_incomplete() {
            let failed = reasons;
            tracing::warn!(
                failed,
                "some regions could not be renewed; their last rows are kept"
            );
        }
        let mut snapshot = snapshot_of(fetched.recording(), last.as_deref(), &status)?;
        snapshot.renew_at = self.renewal_in(self.config.ttl.fresh_for);
        self.schedule_retry(&mut snapshot, &status);
        let lists = self.lists_of(&fetched);
        Ok(Some(Merged {
            snapshot,
            status,
            lists,
        }))
    }

    /// The error of a fetch that gave no catalog, which is stored for other processes.
    async fn fail(
        &self,
        session: &Session,
        fetched: &Fetched,
        at: Timestamp,
        reason: String,
        deadline: Deadline,
    ) -> CatalogError {
        let mut reports = fetched.reports().values();
        let failure = Failure {
            at,
            reason: reason.clone(),
            denied: reports.any(|report| report.outcome == Outcome::Denied),
        };
        let change = |status: &mut Status| status.failure = Some(failure);
        self.change_status(session, deadline, change).await;
        CatalogError::unavailable(reason)
    }

    /// Merges retried regions into the catalog in service, whose observation stays: its other rows
    /// are no newer. `None`: all failed again.
    async fn merge_retried(
        &self,
        session: &Session,
        answers: Answers,
        retry: &Retry,
        deadline: Deadline,
    ) -> Result<Option<Merged>, CatalogError> {
        let current = self.current.load_full();
        let (fetched, observed_at) = (answers.fetched, current.base.observed_at());
        let mut status = Status::of_fetch(observed_at, answers.fetched_at, fetched.reports());
        status.tries = retry.tries.saturating_add(1);
        let others = current.failed.iter();
        let others = others.filter(|(region, _)| !retry.regions.contains(*region));
        status
            .failed
            .extend(others.map(|(id, reason)| (id.clone(), reason.clone())));
        status
            .not_enabled
            .extend(current.not_enabled.iter().cloned());
        if fetched.answered() == 0 {
            self.amend(|same| {
                status.describe(same);
                same.renew_at = Some(retry.all_at);
                self.schedule_retry(same, &status);
            });
            self.change_status(session, deadline, |stored| *stored = status)
                .await;
            return Ok(None);
        }
        let mut recording = Recording::of_catalog(&current.base);
        for (region, reason) in &status.failed {
            recording.regions.remove(region);
            recording.failures.insert(region.clone(), reason.clone());
        }
        let lists = self.lists_of(&fetched);
        for (region, answers) in fetched.into_recording().regions {
            recording.failures.remove(&region);
            recording.regions.insert(region, answers);
        }
        let mut snapshot = snapshot_of(&recording, Some(&current.base), &status)?;
        snapshot.renew_at = Some(retry.all_at);
        self.schedule_retry(&mut snapshot, &status);
        Ok(Some(Merged {
            snapshot,
            status,
            lists,
        }))
    }

    /// The newer of the catalogs in service and in the cache, of the regions to fetch.
    pub(super) async fn last_good(
        &self,
        cache: Option<&Cache>,
        deadline: Deadline,
    ) -> Option<Held> {
        let cached = match cache {
            Some(cache) => {
                let read = self.blocking.run(cache, |cache| cache.get(&catalog_key()));
                deadline
                    .limit(READ_LIMIT, read)
                    .await
                    .and_then(|entry| entry.into_hit())
            }
            None => None,
        };
        let cached = cached.and_then(|hit| self.parse_catalog(&hit).ok());
        let cached = cached.map(|catalog| Held::Built(Arc::new(catalog)));
        let current = self.current.load_full();
        let served = (current.source != Source::Nothing).then(|| current.base.clone());
        // A region that is not fetched is no failure: a catalog of other regions does not fit.
        let regions = &self.config.regions;
        let is_fetched = |id: &str| regions.is_empty() || regions.iter().any(|region| region == id);
        let fits = |held: &Held| {
            held.partition() == self.config.partition_id()
                && held.regions().all(|region| is_fetched(region.id()))
        };
        let all = [served, cached].into_iter().flatten();
        all.filter(fits).max_by_key(|held| held.observed_at())
    }
}

/// The catalog of a recording, merged onto the last one.
fn snapshot_of(
    recording: &Recording,
    last: Option<&Catalog>,
    status: &Status,
) -> Result<Snapshot, CatalogError> {
    let (document, problems) = transform(recording, last);
    for problem in &problems {
        tracing::debug!(%problem, "a row is left out");
    }
    if let Some(problem) = problems.first() {
        tracing::warn!(rows = problems.len(), first = %problem, "rows of AWS's answer are left out");
    }
    let catalog = Catalog::from_document(&document).map_err(|error| {
        CatalogError::unavailable("AWS's answer is no valid catalog").with_source(error)
    })?;
    let mut snapshot = Snapshot::of(Held::Built(Arc::new(catalog)), Source::Api);
    status.describe(&mut snapshot);
    Ok(snapshot)
}
