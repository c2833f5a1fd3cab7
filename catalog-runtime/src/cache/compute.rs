//! Get or compute, once for all who ask: single flight within the process, and between processes where
//! a tier has leases. This file may not know what is computed.

use std::fmt::{self, Display};
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::core::Name;
use super::flight::{Failure, Lead};
use super::order::Watch;
use super::others::Begins;
use super::tier::{Lease, LeaseOutcome};
use super::{Cache, Freshness, Hit, Key, Terms};

/// The shortest wait for another process between two looks.
const MIN_STEP: Duration = Duration::from_millis(10);

/// Why there is no value. Never because the cache failed.
#[derive(Debug)]
pub struct ComputeError<E>(Reason<E>);

#[derive(Debug)]
enum Reason<E> {
    Failed(E),
    Recent { message: String, retry_in: Duration },
    Busy,
}

impl<E> ComputeError<E> {
    /// The computation of this very call failed; its error is [`ComputeError::into_cause`].
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.0, Reason::Failed(_))
    }

    /// Another caller's computation failed a moment ago, and it was not tried again.
    #[must_use]
    pub fn is_recent(&self) -> bool {
        matches!(self.0, Reason::Recent { .. })
    }

    /// Another process is computing, and the caller did not want to wait.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.0, Reason::Busy)
    }

    /// The error of the computation, where this very call made it.
    #[must_use]
    pub fn into_cause(self) -> Option<E> {
        match self.0 {
            Reason::Failed(cause) => Some(cause),
            _ => None,
        }
    }
}

impl<E: Display> Display for ComputeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Failed(cause) => cause.fmt(f),
            Reason::Recent { message, retry_in } => {
                write!(
                    f,
                    "failed a moment ago, to be tried again in {} ms: {message}",
                    retry_in.as_millis()
                )
            }
            Reason::Busy => f.write_str("another process is computing the value"),
        }
    }
}

impl<E: fmt::Debug + Display> std::error::Error for ComputeError<E> {}

/// Leases held across an `await`. Giving them back may block, so a future that is dropped leaves that to
/// another thread.
struct Leased(Vec<Lease>);

impl Leased {
    /// Gives them back here.
    fn give_back(mut self) {
        self.0.clear();
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        let leases = std::mem::take(&mut self.0);
        if !leases.is_empty() {
            blocking::unblock(move || drop(leases)).detach();
        }
    }
}

/// The right to compute: one lease of each tier that has them, of the machine's and of the fleet's.
struct Claim {
    leases: Vec<Lease>,
    begins: Begins,
}

/// What a leader made: the answer, and whether it is also that of the others who wait.
struct Computed {
    answer: Freshness,
    is_shared: bool,
}

/// What a leader leaves to those who wait for it.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Answer(Freshness),
    /// Another process is computing, and there is nothing to serve.
    Busy,
}

/// What a leader does next.
enum Next {
    /// The value is there by now, or a stale one has to do.
    Serve(Freshness),
    /// Compute, holding the leases if there are any.
    Compute(Claim),
    /// Another process does, and there is nothing to serve.
    Busy,
}

impl Cache {
    /// The fresh value of the key, or what `compute` makes of it: of all callers who miss a key, one
    /// computes and the others are served its result. When computing fails, a stale value is the
    /// answer; the answer is never [`Freshness::Missing`].
    ///
    /// A failure is remembered for [`Settings::negative_for`](super::Settings::negative_for). A
    /// value that was overtaken, because the key was written or invalidated meanwhile, is returned
    /// but not stored. `compute` must not ask for the same key: it would wait for itself.
    ///
    /// # Errors
    /// There is no value and computing failed, failed a moment ago, or is left to another process.
    ///
    /// ```
    /// # use bedrock_catalog::cache::{Cache, Key, MemoryLimits, Terms};
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// let key = Key::new("answer", "of", "everything");
    /// let answer = cache.get_or_compute(&key, &Terms::source("sum"), || Ok::<_, String>("42".into()))?;
    /// assert_eq!(answer.into_hit().unwrap().data.as_ref(), b"42");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_or_compute<E: Display>(
        &self,
        key: &Key,
        terms: &Terms,
        compute: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Freshness, ComputeError<E>> {
        let first = self.get(key);
        if first.is_fresh() {
            return Ok(first);
        }
        let name = self.name_of(key);
        let ticket = self.inner.flights.join(&name, self.inner.clock.steady());
        let mut lead = ticket.lead_blocking();
        if let Some(landed) = self.landed(&lead, terms) {
            return landed;
        }
        let watch = self.inner.order.watch(&name);
        if let Some(failure) = lead.recent_failure(self.inner.clock.steady()) {
            return self.after_failure(failure, self.look_again(key));
        }
        let Claim { leases, begins } = match self.next(key, terms) {
            Next::Serve(answer) => {
                lead.succeeded((!watch.is_overtaken()).then(|| Outcome::Answer(answer.clone())));
                return Ok(answer);
            }
            Next::Busy => {
                lead.succeeded(Some(Outcome::Busy));
                return Err(ComputeError(Reason::Busy));
            }
            Next::Compute(claim) => claim,
        };
        let computed = compute().map(|data| self.store(key, data, terms, &watch, &begins));
        let stale = computed.is_err().then(|| self.look_again(key));
        let answer = self.conclude(key, computed, stale, &mut lead);
        drop(leases);
        answer
    }

    /// The same for async callers. Tiers that block are asked on another thread; `compute` runs
    /// within this future. Dropping the future hands over to the next caller who waits.
    ///
    /// # Errors
    /// As [`Cache::get_or_compute`].
    pub async fn get_or_compute_async<E: Display, F: Future<Output = Result<Bytes, E>>>(
        &self,
        key: &Key,
        terms: &Terms,
        compute: impl FnOnce() -> F,
    ) -> Result<Freshness, ComputeError<E>> {
        let first = self.get_async(key).await;
        if first.is_fresh() {
            return Ok(first);
        }
        let name = self.name_of(key);
        let ticket = self.inner.flights.join(&name, self.inner.clock.steady());
        let mut lead = ticket.lead().await;
        if let Some(landed) = self.landed(&lead, terms) {
            return landed;
        }
        let watch = self.inner.order.watch(&name);
        let (owned, asked) = (key.clone(), terms.clone());
        if let Some(failure) = lead.recent_failure(self.inner.clock.steady()) {
            let stale = self.off_thread(move |cache| cache.look_again(&owned)).await;
            return self.after_failure(failure, stale);
        }
        let (leased, begins) = match self
            .off_thread(move |cache| cache.next(&owned, &asked))
            .await
        {
            Next::Serve(answer) => {
                lead.succeeded((!watch.is_overtaken()).then(|| Outcome::Answer(answer.clone())));
                return Ok(answer);
            }
            Next::Busy => {
                lead.succeeded(Some(Outcome::Busy));
                return Err(ComputeError(Reason::Busy));
            }
            Next::Compute(claim) => (Leased(claim.leases), claim.begins),
        };
        let (owned, asked) = (key.clone(), terms.clone());
        let (computed, stale) = match compute().await {
            Ok(data) => {
                let store = move |cache: &Self| {
                    let computed = cache.store(&owned, data, &asked, &watch, &begins);
                    leased.give_back();
                    computed
                };
                (Ok(self.off_thread(store).await), None)
            }
            Err(cause) => {
                let look = move |cache: &Self| {
                    let stale = cache.look_again(&owned);
                    leased.give_back();
                    stale
                };
                (Err(cause), Some(self.off_thread(look).await))
            }
        };
        self.conclude(key, computed, stale, &mut lead)
    }

    fn name_of(&self, key: &Key) -> Name {
        (self.namespace, key.clone())
    }

    /// Runs in place where no tier blocks, else on a thread for blocking work.
    pub(crate) async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> R {
        if self.inner.instant == self.inner.levels.len() {
            return work(self);
        }
        let cache = self.clone();
        blocking::unblock(move || work(&cache)).await
    }

    /// Looks again, now that this caller leads, and takes the leases, the nearest tier's first: of the
    /// processes of a machine one stands for all in the queue of the fleet.
    fn next(&self, key: &Key, terms: &Terms) -> Next {
        let again = self.look_again(key);
        if again.is_fresh() {
            self.inner.counts.joined.one();
            return Next::Serve(again);
        }
        let settings = self.settings();
        let step = settings.patience.max(MIN_STEP);
        let mut waited = Duration::ZERO;
        let mut claim = Claim {
            leases: Vec::new(),
            begins: self.begins(),
        };
        for (index, level) in self.inner.levels.iter().enumerate() {
            // Without the lease, the number alone: what is stored in the end is still in order.
            let only_begin = |claim: &mut Claim| {
                let token = self.begin_in(index, key);
                claim
                    .begins
                    .tokens
                    .extend(token.map(|token| (index, token)));
            };
            loop {
                let asked = level.call("lease", key, |tier| {
                    tier.try_lease(&self.namespace, key, step, settings.lease)
                });
                match asked {
                    None | Some(LeaseOutcome::Unsupported) => break,
                    Some(LeaseOutcome::Overrun) => {
                        only_begin(&mut claim);
                        break;
                    }
                    Some(LeaseOutcome::Held(lease)) => {
                        let token = lease.token().map(|token| (index, token));
                        claim.begins.tokens.extend(token);
                        claim.leases.push(lease);
                        let latest = self.look_again(key);
                        if latest.is_fresh() {
                            self.inner.counts.joined.one();
                            return Next::Serve(latest);
                        }
                        break;
                    }
                    Some(LeaseOutcome::Busy) => {
                        waited += step;
                        let latest = self.look_again(key);
                        if !latest.is_missing() {
                            self.inner.counts.joined.one();
                            return Next::Serve(latest);
                        }
                        if terms.give_up_when_busy {
                            return Next::Busy;
                        }
                        if waited >= settings.lease {
                            only_begin(&mut claim);
                            break;
                        }
                    }
                }
            }
        }
        // From here on others may store what is newer than what is computed now.
        claim.begins.at = self.inner.clock.now();
        Next::Compute(claim)
    }

    /// What a leader left who was at work when this caller came.
    fn landed<E>(
        &self,
        lead: &Lead<'_, Name, Outcome>,
        terms: &Terms,
    ) -> Option<Result<Freshness, ComputeError<E>>> {
        match lead.answer()? {
            Outcome::Answer(answer) => {
                self.inner.counts.joined.one();
                Some(Ok(answer))
            }
            // It has waited for all of them.
            Outcome::Busy if terms.give_up_when_busy => Some(Err(ComputeError(Reason::Busy))),
            Outcome::Busy => None,
        }
    }

    /// Computing failed a moment ago: what there is has to do.
    fn after_failure<E>(
        &self,
        failure: Failure,
        stale: Freshness,
    ) -> Result<Freshness, ComputeError<E>> {
        if !stale.is_missing() {
            return Ok(stale);
        }
        let Failure { message, until } = failure;
        Err(ComputeError(Reason::Recent {
            message,
            retry_in: until.saturating_sub(self.inner.clock.steady()),
        }))
    }

    /// `stale` is what there is after computing failed: it may have been invalidated meanwhile.
    fn conclude<E: Display>(
        &self,
        key: &Key,
        computed: Result<Computed, E>,
        stale: Option<Freshness>,
        lead: &mut Lead<'_, Name, Outcome>,
    ) -> Result<Freshness, ComputeError<E>> {
        let cause = match computed {
            Ok(Computed { answer, is_shared }) => {
                lead.succeeded(is_shared.then(|| Outcome::Answer(answer.clone())));
                return Ok(answer);
            }
            Err(cause) => cause,
        };
        self.inner.counts.failed.one();
        let until = self
            .inner
            .clock
            .steady()
            .saturating_add(self.settings().negative_for);
        lead.failed(Failure {
            message: cause.to_string(),
            until,
        });
        let Some(Freshness::Fresh(hit) | Freshness::Stale(hit)) = &stale else {
            return Err(ComputeError(Reason::Failed(cause)));
        };
        let path = hit.path().map(|path| path.display().to_string());
        tracing::warn!(%key, tier = hit.tier(), path, age_seconds = hit.age().as_secs(), error = %cause, "serving a stale cache entry");
        stale.ok_or(ComputeError(Reason::Failed(cause)))
    }

    fn store(
        &self,
        key: &Key,
        data: Bytes,
        terms: &Terms,
        watch: &Watch<Name>,
        begins: &Begins,
    ) -> Computed {
        self.inner.counts.computed.one();
        let entry = self.entry(key, data, terms);
        let (envelope, data) = entry.clone().into_parts();
        // What was invalidated meanwhile is no answer to those who came after that.
        let is_shared = self.put_watched(watch, entry, begins).is_some();
        let answer = Freshness::Fresh(Hit {
            data,
            envelope,
            age: Duration::ZERO,
            tier: None,
            path: None,
        });
        Computed { answer, is_shared }
    }
}
