//! The other processes that share the cache: who of all asks AWS, and what the others are served meanwhile. It
//! may not know how AWS is asked.

use std::time::{SystemTime, UNIX_EPOCH};

use bedrock_catalog_data::Timestamp;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::asking::InVain;
use super::reasons::Reasons;
use super::{
    Answered, Cache, Cached, CatalogError, CatalogErrorKind, Duration, Inner, Key, Snapshot, Tried,
    catalog_key, note, taken,
};
use crate::cache::{Hit, Others};
use bedrock_catalog_recording::catalog_to_json;

/// How long a tier that is waited for is asked for its lease at most, until what the others got is looked for.
const LONGEST_WAIT: Duration = Duration::from_millis(400);
/// So often in a row the cache may be too late to say whether another process asks.
pub(super) const LATE: u32 = 5;

/// That AWS was asked, no region answered, and none denied who asked: kept for a moment, so that of many
/// processes that ask at once not each has to find out.
#[derive(Serialize, Deserialize)]
pub(super) struct Refused {
    pub(super) asked_at: Timestamp,
    pub(super) why: String,
}

impl Refused {
    pub(super) fn key() -> Key {
        Key::new("catalog", "refused", "all")
    }
}

/// The cache did not answer in time.
struct Late;

/// What came of asking with others.
pub(super) enum WithOthers {
    /// One asked, here or elsewhere.
    Asked(Box<Snapshot>),
    /// Another process is asking just now.
    AreAsking,
    /// What another one cached is too old here, or cannot be used.
    HaveNothing,
    /// The cache did not answer in time whether another process asks.
    AreLate,
}

impl Inner {
    /// Of all who miss the catalog, here and in other processes, one asks. Where nobody says in time
    /// whether another one does, only who `is_patient` does not.
    pub(super) async fn ask_with_others(
        &self,
        cache: &Cache,
        until: Instant,
        is_patient: bool,
        answered: &Answered,
    ) -> Result<WithOthers, CatalogError> {
        let compute = || async {
            let watched = self.begun(cache, &Reasons::key()).await;
            match self.asked(cache, until, answered).await {
                Ok(asked) => {
                    if let Some(newer) = self.newer(cache, &asked.snapshot).await {
                        return Ok(Bytes::from(catalog_to_json(&newer)));
                    }
                    self.keep_beside(cache, &asked.fetched, &asked.reasons, watched)
                        .await;
                    Ok(Bytes::from(catalog_to_json(&asked.snapshot.base)))
                }
                Err(InVain { error, .. }) => {
                    let told = error.to_string();
                    note(answered, Err(error));
                    Err(told)
                }
            }
        };
        let mut terms = self.terms().giving_up_when_busy();
        if is_patient {
            terms = terms.giving_up_when_late();
        }
        let computed = cache
            .get_or_compute_async(&catalog_key(), &terms, compute)
            .await;
        // Asked here: used whether or not it could be written, and its error is the error.
        if let Some(asked) = taken(answered) {
            return asked.map(|asked| WithOthers::Asked(Box::new(asked)));
        }
        match computed {
            Ok(answer) => {
                let is_stale = !answer.is_fresh();
                let look = |cache: &Cache| Cached::of(answer, cache);
                let cached = self.look(cache, look).await;
                let usable = cached.and_then(|cached| self.usable(&cached, &mut Tried::default()));
                Ok(match usable {
                    // Served meanwhile; what may not be served is nothing to go on with.
                    Some(_) if is_stale => WithOthers::AreAsking,
                    Some(fresh) if self.is_fresh(&fresh) => WithOthers::Asked(Box::new(fresh)),
                    _ => WithOthers::HaveNothing,
                })
            }
            Err(error) if error.is_late() => Ok(WithOthers::AreLate),
            // Waited for, but not until the lease runs out: who holds it may have been killed.
            Err(error) if error.is_busy() => Ok(WithOthers::HaveNothing),
            Err(error) => Err(CatalogError::new(
                CatalogErrorKind::Unavailable,
                error.to_string(),
            )),
        }
    }

    /// Asks whatever is cached, one process of a machine at a time, unless another one asked after
    /// this moment.
    pub(super) async fn ask_after(
        &self,
        cache: &Cache,
        since: SystemTime,
        [half, until]: [Instant; 2],
        answered: &Answered,
    ) -> Result<Snapshot, CatalogError> {
        let key = catalog_key();
        let (mut leases, mut wait, mut late) = (Err(Others::MayWork), cache.settings().patience, 0);
        // Held until the answer is cached. Who waited for others for half of the time asks beside them, as
        // who is answered by nobody. A crowd that waits looks less and less often, not to hold up who asks.
        loop {
            if leases.is_err() {
                leases = cache.try_lease(&key, wait).await;
            }
            let is_held = leases.is_ok();
            let found = self.asked_by_others(cache, since, is_held).await;
            if let Ok(Some(asked)) = found {
                if let Ok(leases) = leases {
                    leases.give_back().await;
                }
                return asked;
            }
            let is_late = found.is_err() || matches!(leases, Err(Others::MayWork));
            late = if is_late { late + 1 } else { 0 };
            let is_over = late == LATE || Instant::now() >= half;
            if is_over || (is_held && !is_late) {
                break;
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        let asked = self.ask_alone(cache, until, answered).await;
        if let Ok(leases) = leases {
            leases.give_back().await;
        }
        asked
    }

    /// What another process was told, if it asked after this moment; or why it was refused, where that is
    /// asked for too. An error where the cache did not answer in time.
    async fn asked_by_others(
        &self,
        cache: &Cache,
        since: SystemTime,
        or_refused: bool,
    ) -> Result<Option<Result<Snapshot, CatalogError>>, Late> {
        let written_since = move |hit: &Hit| hit.written_at() >= since;
        // Observations are of whole seconds: one of the same second may be from before.
        let seconds = since
            .duration_since(UNIX_EPOCH)
            .map_or(0, |at| at.as_secs());
        let asked_since = |at: Timestamp| u64::try_from(at.unix()).is_ok_and(|at| at > seconds);
        let look = move |cache: &Cache| {
            let (shared, in_time) = cache.get_shared_in_time(&catalog_key());
            let since = shared.hit().is_some_and(written_since);
            (since.then(|| Cached::of(shared, cache)), in_time)
        };
        // Where it hangs, it is not waited for again.
        let Some((shared, in_time)) = self.look(cache, look).await else {
            return Ok(None);
        };
        let found = shared.and_then(|shared| self.usable(&shared, &mut Tried::default()));
        let will_do =
            |found: &Snapshot| asked_since(found.base.observed_at()) && self.is_enough(found);
        if let Some(snapshot) = found.filter(will_do) {
            return Ok(Some(Ok(snapshot)));
        }
        if !in_time {
            return Err(Late);
        }
        if !or_refused {
            return Ok(None);
        }
        let look = |cache: &Cache| cache.get_shared_in_time(&Refused::key());
        let Some((refused, in_time)) = self.look(cache, look).await else {
            return Ok(None);
        };
        let refused = refused.into_hit();
        let refused = refused.and_then(|hit| serde_json::from_slice::<Refused>(&hit.data).ok());
        // Of the future nothing is believed: it would be so for ever.
        let counts =
            |refused: &Refused| refused.asked_at <= self.now() && asked_since(refused.asked_at);
        match refused.filter(counts) {
            Some(Refused { why, .. }) => {
                let message = format!("another process asked just now: {why}");
                Ok(Some(Err(CatalogError::new(
                    CatalogErrorKind::Unavailable,
                    message,
                ))))
            }
            None if in_time => Ok(None),
            None => Err(Late),
        }
    }
}
