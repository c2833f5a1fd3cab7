//! Get or compute, once for all who ask: single flight within the process, and between processes where
//! a tier has leases. This file may not know what is computed.

use std::fmt::{self, Display};
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::core::Name;
use super::flight::{Failure, Lead};
use super::order::Watch;
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

/// What a leader does next.
enum Next {
    /// The value is there by now, or a stale one has to do.
    Serve(Freshness),
    /// Compute, holding the lease if there is one.
    Compute(Freshness, Option<Lease>),
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
        let ticket = self
            .inner
            .flights
            .join(&self.name_of(key), self.inner.clock.steady());
        let mut lead = ticket.lead_blocking();
        let watch = self.inner.order.watch(&self.name_of(key));
        if let Some(answer) = self.check_failures(&mut lead, &first)? {
            return Ok(answer);
        }
        let (stale, lease) = match self.next(key, terms) {
            Next::Serve(answer) => return Ok(answer),
            Next::Busy => return Err(ComputeError(Reason::Busy)),
            Next::Compute(stale, lease) => (stale, lease),
        };
        let computed = compute().map(|data| self.store(key, data, terms, &watch));
        let answer = self.conclude(key, computed, stale, &mut lead);
        drop(lease);
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
        let ticket = self
            .inner
            .flights
            .join(&self.name_of(key), self.inner.clock.steady());
        let mut lead = ticket.lead().await;
        let watch = self.inner.order.watch(&self.name_of(key));
        if let Some(answer) = self.check_failures(&mut lead, &first)? {
            return Ok(answer);
        }
        let (owned, asked) = (key.clone(), terms.clone());
        let (stale, lease) = match self
            .off_thread(move |cache| cache.next(&owned, &asked))
            .await
        {
            Next::Serve(answer) => return Ok(answer),
            Next::Busy => return Err(ComputeError(Reason::Busy)),
            Next::Compute(stale, lease) => (stale, lease),
        };
        let computed = match compute().await {
            Ok(data) => {
                let (key, terms) = (key.clone(), terms.clone());
                Ok(self
                    .off_thread(move |cache| cache.store(&key, data, &terms, &watch))
                    .await)
            }
            Err(cause) => Err(cause),
        };
        let answer = self.conclude(key, computed, stale, &mut lead);
        drop(lease);
        answer
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

    /// Looks again, now that this caller leads, and takes the lease.
    fn next(&self, key: &Key, terms: &Terms) -> Next {
        let again = self.look_again(key);
        if again.is_fresh() {
            self.inner.counts.joined.one();
            return Next::Serve(again);
        }
        let settings = self.settings();
        let step = settings.patience.max(MIN_STEP);
        let mut waited = Duration::ZERO;
        for level in &self.inner.levels {
            loop {
                let asked = level.call("lease", key, |tier| {
                    tier.try_lease(&self.namespace, key, step, settings.lease)
                });
                match asked {
                    None | Some(LeaseOutcome::Unsupported) => break,
                    Some(LeaseOutcome::Overrun) => return Next::Compute(again, None),
                    Some(LeaseOutcome::Held(lease)) => {
                        let latest = self.look_again(key);
                        if latest.is_fresh() {
                            self.inner.counts.joined.one();
                            return Next::Serve(latest);
                        }
                        return Next::Compute(latest, Some(lease));
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
                            return Next::Compute(latest, None);
                        }
                    }
                }
            }
        }
        Next::Compute(again, None)
    }

    /// `None`: go on and compute.
    fn check_failures<E>(
        &self,
        lead: &mut Lead<'_>,
        stale: &Freshness,
    ) -> Result<Option<Freshness>, ComputeError<E>> {
        let now = self.inner.clock.steady();
        match lead.recent_failure(now) {
            None => Ok(None),
            Some(_) if !stale.is_missing() => Ok(Some(stale.clone())),
            Some(Failure { message, until }) => Err(ComputeError(Reason::Recent {
                message,
                retry_in: until.saturating_sub(now),
            })),
        }
    }

    fn conclude<E: Display>(
        &self,
        key: &Key,
        computed: Result<Freshness, E>,
        stale: Freshness,
        lead: &mut Lead<'_>,
    ) -> Result<Freshness, ComputeError<E>> {
        match computed {
            Ok(answer) => {
                lead.succeeded();
                Ok(answer)
            }
            Err(cause) => {
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
                match &stale {
                    Freshness::Missing => return Err(ComputeError(Reason::Failed(cause))),
                    Freshness::Fresh(hit) | Freshness::Stale(hit) => {
                        let path = hit.path().map(|path| path.display().to_string());
                        tracing::warn!(%key, tier = hit.tier(), path, age_seconds = hit.age().as_secs(), error = %cause, "serving a stale cache entry");
                    }
                }
                Ok(stale)
            }
        }
    }

    fn store(&self, key: &Key, data: Bytes, terms: &Terms, watch: &Watch<Name>) -> Freshness {
        self.inner.counts.computed.one();
        let entry = self.entry(key, data, terms);
        let (envelope, data) = entry.clone().into_parts();
        let _ = self.put_watched(watch, entry);
        Freshness::Fresh(Hit {
            data,
            envelope,
            age: Duration::ZERO,
            tier: None,
            path: None,
        })
    }
}
