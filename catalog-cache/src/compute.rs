//! Get or compute, once for all who ask: single flight within the process, and between processes where
//! a tier has leases. This file may not know what is computed.

use std::fmt::{self, Display};
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use super::core::Name;
use super::flight::{Failure, Lead};
use super::lease::{Asked, Claim, Then};
use super::level::Mark;
use super::order::Watch;
use super::others::Begins;
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
    Late,
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

    /// A tier did not answer in time whether another process is computing, and the caller did not want to
    /// compute beside it.
    #[doc(hidden)]
    pub fn is_late(&self) -> bool {
        matches!(self.0, Reason::Late)
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
            Reason::Late => f.write_str("another process may be computing the value"),
        }
    }
}

impl<E: fmt::Debug + Display> std::error::Error for ComputeError<E> {}

/// What there is after computing.
enum Left {
    /// What was computed, and below which number it is also the answer of the others who wait.
    Computed(Freshness, Option<u64>),
    /// Computing failed: what else there is.
    Looked(Freshness),
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
    /// Another process may: a tier was late.
    Late,
}

fn split<E>(computed: Result<Bytes, E>) -> (Option<Bytes>, Option<E>) {
    match computed {
        Ok(data) => (Some(data), None),
        Err(cause) => (None, Some(cause)),
    }
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
    /// # use bedrock_catalog_cache::{Cache, Key, MemoryLimits, Terms};
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
        let since = self.inner.lates.mark();
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
            return self.after_failure(failure, self.look_again(key, since));
        }
        let claim = match self.claimed(&name, self.next(key, terms, since), &watch, &mut lead) {
            Ok(claim) => claim,
            Err(answer) => return answer,
        };
        let (data, cause) = split(compute());
        let left = self.finish(key, data, terms, &watch, claim, since);
        self.conclude(key, left, cause, &mut lead)
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
        let since = self.inner.lates.mark();
        if let fresh @ Freshness::Fresh(_) = self.get_async(key).await {
            return Ok(fresh);
        }
        let name = &self.name_of(key);
        let ticket = self.inner.flights.join(name, self.inner.clock.steady());
        let mut lead = ticket.lead().await;
        if let Some(landed) = self.landed(&lead, terms) {
            return landed;
        }
        let watch = self.inner.order.watch(name);
        let (owned, asked) = (key.clone(), terms.clone());
        if let Some(failure) = lead.recent_failure(self.inner.clock.steady()) {
            let stale = self
                .off_thread(move |cache| cache.look_again(&owned, since))
                .await;
            return self.after_failure(failure, stale);
        }
        let next = self.off_thread(move |cache| match cache.next(&owned, &asked, since) {
            Next::Compute(claim) => Next::Compute(claim.in_a_future()),
            other => other,
        });
        let claim = match self.claimed(name, next.await, &watch, &mut lead) {
            Ok(claim) => claim,
            Err(answer) => return answer,
        };
        let (data, cause) = split(compute().await);
        let (owned, asked) = (key.clone(), terms.clone());
        let finish = move |cache: &Self| cache.finish(&owned, data, &asked, &watch, claim, since);
        let left = self.off_thread(finish).await;
        self.conclude(key, left, cause, &mut lead)
    }

    fn name_of(&self, key: &Key) -> Name {
        (self.namespace, key.clone())
    }

    /// Runs in place where no tier blocks, else on a thread for blocking work.
    #[doc(hidden)]
    pub async fn off_thread<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> R + Send + 'static,
    ) -> R {
        if self.inner.instant == self.inner.levels.len() {
            return work(self);
        }
        let cache = self.clone();
        blocking::unblock(move || work(&cache)).await
    }

    /// Looks again, now that this caller leads, and takes the leases.
    fn next(&self, key: &Key, terms: &Terms, since: Mark) -> Next {
        let serve = |answer| {
            self.inner.counts.joined.one();
            Next::Serve(answer)
        };
        let again = self.look_again(key, since);
        if again.is_fresh() {
            return serve(again);
        }
        let settings = self.settings();
        let step = settings.patience.max(MIN_STEP);
        let mut waited = Duration::ZERO;
        let claimed = self.claim(key, step, since, |asked| {
            let latest = self.look_again(key, since);
            let is_busy = asked == Asked::Busy;
            if latest.is_fresh() || (is_busy && !latest.is_missing()) {
                return Then::Stop(serve(latest));
            }
            if !is_busy {
                return Then::GoOn;
            }
            waited += step;
            if terms.give_up_when_busy {
                Then::Stop(Next::Busy)
            } else if waited >= settings.lease {
                Then::GoOn
            } else {
                Then::Again
            }
        });
        match claimed {
            Ok(claim) if terms.give_up_when_late && !claim.begins.late.is_empty() => Next::Late,
            Ok(claim) => Next::Compute(claim),
            Err(end) => end,
        }
    }

    /// The claim, or the answer where none is needed, which is also left to those who wait.
    fn claimed<E>(
        &self,
        name: &Name,
        next: Next,
        watch: &Watch<Name>,
        lead: &mut Lead<'_, Name, Outcome>,
    ) -> Result<Claim, Result<Freshness, ComputeError<E>>> {
        let below = || self.inner.flights.joined_by_now(name);
        match next {
            Next::Compute(claim) => Ok(claim),
            Next::Serve(answer) => {
                // Before the watch is asked: who joins after another write is not served what was read
                // before.
                let below = below();
                let below = below.filter(|_| !watch.is_overtaken());
                lead.succeeded(below.map(|below| (below, Outcome::Answer(answer.clone()))));
                Err(Ok(answer))
            }
            Next::Busy => {
                lead.succeeded(below().map(|below| (below, Outcome::Busy)));
                Err(Err(ComputeError(Reason::Busy)))
            }
            // Those who wait find out for themselves.
            Next::Late => Err(Err(ComputeError(Reason::Late))),
        }
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

    /// Stores what was computed, or looks what there is where computing failed: it may have been
    /// invalidated meanwhile. Then the leases are given back. A level that was late before, or is now, is
    /// not waited for again.
    fn finish(
        &self,
        key: &Key,
        data: Option<Bytes>,
        terms: &Terms,
        watch: &Watch<Name>,
        claim: Claim,
        since: Mark,
    ) -> Left {
        let now = self.inner.lates.mark();
        let Claim { mut leases, begins } = claim;
        let left = match data {
            Some(data) => self.store(key, data, terms, watch, &begins),
            None => Left::Looked(self.look_again(key, since)),
        };
        // On this thread, also where they belong to a future.
        leases.give_back_here(|index| {
            let level = self.inner.levels.get(index);
            begins.late.contains(&index) || level.is_some_and(|level| level.was_late_since(now))
        });
        left
    }

    fn conclude<E: Display>(
        &self,
        key: &Key,
        left: Left,
        cause: Option<E>,
        lead: &mut Lead<'_, Name, Outcome>,
    ) -> Result<Freshness, ComputeError<E>> {
        let (answer, cause) = match (left, cause) {
            (Left::Computed(answer, below), _) => {
                lead.succeeded(below.map(|below| (below, Outcome::Answer(answer.clone()))));
                return Ok(answer);
            }
            (Left::Looked(answer), None) => return Ok(answer),
            (Left::Looked(answer), Some(cause)) => (answer, cause),
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
        let Some(hit) = answer.hit() else {
            return Err(ComputeError(Reason::Failed(cause)));
        };
        let path = hit.path().map(|path| path.display().to_string());
        tracing::warn!(%key, tier = hit.tier(), path, age_seconds = hit.age().as_secs(), error = %cause, "serving a stale cache entry");
        Ok(answer)
    }

    fn store(
        &self,
        key: &Key,
        data: Bytes,
        terms: &Terms,
        watch: &Watch<Name>,
        begins: &Begins,
    ) -> Left {
        self.inner.counts.computed.one();
        let entry = self.entry(key, data, terms);
        let (envelope, data) = entry.clone().into_parts();
        let name = self.name_of(key);
        // What was invalidated meanwhile is no answer to those who came after that; nor is this to who
        // comes after another write, so they are counted while no other can be.
        let below = self.put_watched(watch, entry, begins, &mut [], || {
            self.inner.flights.joined_by_now(&name)
        });
        let answer = Freshness::Fresh(Hit {
            data,
            envelope,
            age: Duration::ZERO,
            tier: None,
            path: None,
        });
        Left::Computed(answer, below.flatten())
    }
}
