//! Get or load: single flight within the process, a lease between processes.
//!
//! A load goes: read → lead → lease → read again → load → store → release. The read after the lease finds
//! what another caller or process has stored meanwhile.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::time::Duration;

use bytes::Bytes;
use foldhash::quality::RandomState;

use crate::invalidation::Id;
use crate::lease::{HeldLease, Pauses};
use crate::single_flight::{Join, SingleFlight};
use crate::sync::{Mutex, lock};
use crate::tier_slot::Call;
use crate::{Cache, EntryOptions, Freshness, Hit, Key};

/// The key of a flight. Callers that accept [`LoadError::is_busy`] do not share with those that do not.
pub(crate) type Flights = SingleFlight<(Id, bool), Outcome>;

/// The number of remembered failures.
const MAX_FAILURES: usize = 1024;

/// The reason why there is no value. A failure of the cache is never one.
#[derive(Debug)]
pub struct LoadError<E>(Reason<E>);

#[derive(Debug)]
enum Reason<E> {
    Failed(E),
    Recent { message: String, retry_in: Duration },
    Busy,
}

impl<E> LoadError<E> {
    /// The load of this very call failed; [`LoadError::into_cause`] is its error.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        matches!(self.0, Reason::Failed(_))
    }

    /// Another caller's load failed less than [`Settings::negative_for`](crate::Settings) ago.
    #[must_use]
    pub fn is_recent(&self) -> bool {
        matches!(self.0, Reason::Recent { .. })
    }

    /// Another process loads the value, and the caller does not wait ([`EntryOptions::or_busy`]).
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.0, Reason::Busy)
    }

    /// The error of the load, where this very call made it.
    #[must_use]
    pub fn into_cause(self) -> Option<E> {
        match self.0 {
            Reason::Failed(cause) => Some(cause),
            _ => None,
        }
    }
}

impl<E: Display> Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Failed(cause) => cause.fmt(f),
            Reason::Recent { message, retry_in } => {
                let millis = retry_in.as_millis();
                write!(
                    f,
                    "a load failed, the next may start in {millis} ms: {message}"
                )
            }
            Reason::Busy => f.write_str("another process loads the value"),
        }
    }
}

impl<E: fmt::Debug + Display> std::error::Error for LoadError<E> {}

/// A result that callers share.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Answer(Freshness),
    Failed(Failure),
    Busy,
}

/// A failed load, while it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    message: String,
    /// Steady time.
    until: Duration,
}

/// The remembered failures.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<Id, Failure, RandomState>>);

impl Failures {
    fn get(&self, id: &Id, now: Duration) -> Option<Failure> {
        let failure = lock(&self.0).get(id).cloned();
        failure.filter(|failure| now < failure.until)
    }

    fn remember(&self, id: &Id, failure: Failure, now: Duration) {
        let mut failures = lock(&self.0);
        if failures.len() >= MAX_FAILURES {
            failures.retain(|_, failure| now < failure.until);
        }
        if failures.len() < MAX_FAILURES {
            failures.insert(id.clone(), failure);
        }
    }

    fn forget(&self, id: &Id) {
        lock(&self.0).remove(id);
    }
}

/// What a leader does.
enum Plan {
    Serve(Outcome),
    Load(HeldLease, Call),
}

impl Cache {
    /// The fresh value of the key, or the value that `load` returns. Concurrent callers of one key share
    /// one load, and so do the processes that share a tier with leases.
    ///
    /// Where the load fails, a stale value is the answer, and the failure is remembered for
    /// [`Settings::negative_for`](crate::Settings). The answer is never [`Freshness::Missing`]. A value whose
    /// key was written or invalidated during the load is returned but not stored. `load` must not load
    /// the same key: it would wait for itself.
    ///
    /// # Errors
    /// There is no value, and the load failed, failed a moment ago, or is another process's.
    ///
    /// ```
    /// # use bedrock_catalog_cache::{Cache, EntryOptions, Key, MemoryLimits};
    /// let cache = Cache::builder().memory(MemoryLimits::default()).build()?;
    /// let key = Key::new("answer", "of", "everything");
    /// let answer = cache.get_or_load(&key, &EntryOptions::source("sum"), || Ok::<_, String>("42".into()))?;
    /// assert_eq!(answer.into_hit().unwrap().data.as_ref(), b"42");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get_or_load<E: Display>(
        &self,
        key: &Key,
        options: &EntryOptions,
        load: impl FnOnce() -> Result<Bytes, E>,
    ) -> Result<Freshness, LoadError<E>> {
        let answer = self.get(key);
        if answer.is_fresh() {
            return Ok(answer);
        }
        let mut cause = None;
        let mut is_leader = false;
        let lead = || {
            is_leader = true;
            match self.plan(key, options) {
                Plan::Serve(outcome) => outcome,
                Plan::Load(lease, call) => {
                    let loaded = load().map_err(|error| error_of(error, &mut cause));
                    self.finish(key, loaded, options, lease, &call)
                }
            }
        };
        let flight = self.flight(key, options);
        let outcome = self.inner.flights.run_blocking(flight, Join::Running, lead);
        self.conclude(outcome, cause, is_leader)
    }

    /// [`Cache::get_or_load`] for async callers. Tiers that are not local are called on another thread;
    /// `load` runs within this future. When the future is dropped, another caller that waits loads.
    ///
    /// # Errors
    /// As [`Cache::get_or_load`].
    pub async fn get_or_load_async<E: Display, F: Future<Output = Result<Bytes, E>>>(
        &self,
        key: &Key,
        options: &EntryOptions,
        load: impl FnOnce() -> F,
    ) -> Result<Freshness, LoadError<E>> {
        let answer = self.get_async(key).await;
        if answer.is_fresh() {
            return Ok(answer);
        }
        let mut cause = None;
        let mut is_leader = false;
        let lead = async {
            is_leader = true;
            let plan = {
                let (key, options) = (key.clone(), options.clone());
                move |cache: &Self| match cache.plan(&key, &options) {
                    Plan::Load(lease, call) => Plan::Load(lease.in_future(), call),
                    serve => serve,
                }
            };
            match self.run_blocking(plan).await {
                Plan::Serve(outcome) => outcome,
                Plan::Load(lease, call) => {
                    let loaded = load().await.map_err(|error| error_of(error, &mut cause));
                    let (key, options) = (key.clone(), options.clone());
                    self.run_blocking(move |cache| {
                        cache.finish(&key, loaded, &options, lease, &call)
                    })
                    .await
                }
            }
        };
        let flight = self.flight(key, options);
        let outcome = self.inner.flights.run(flight, Join::Running, lead).await;
        self.conclude(outcome, cause, is_leader)
    }

    fn flight(&self, key: &Key, options: &EntryOptions) -> (Id, bool) {
        ((self.namespace, key.clone()), options.or_busy)
    }

    /// Acquires the leases and reads again.
    fn plan(&self, key: &Key, options: &EntryOptions) -> Plan {
        let settings = self.settings();
        let (mut held, mut pauses, mut call) = (self.unheld(key), Pauses::new(), Call::read());
        let now = self.inner.clock.steady();
        let failure = self.inner.failures.get(held.token().watch.id(), now);
        let serve = |answer| Plan::Serve(Outcome::Answer(answer));
        if let Some(failure) = failure {
            let answer = self.peek(key, false, &mut call);
            return match answer.is_missing() {
                true => Plan::Serve(Outcome::Failed(failure)),
                false => serve(answer),
            };
        }
        loop {
            let is_held = self
                .inner
                .try_leases(&mut held, settings.lease_ttl, &mut call);
            let answer = self.peek(key, false, &mut call);
            if answer.is_fresh() {
                return serve(answer);
            }
            if is_held {
                return Plan::Load(held, call);
            }
            let has_waited = pauses.waited >= settings.lease_wait;
            if has_waited && !answer.is_missing() {
                return serve(answer);
            }
            if has_waited && options.or_busy {
                return Plan::Serve(Outcome::Busy);
            }
            let limit = match answer.is_missing() && !options.or_busy {
                // The lease of a killed holder, and then that of its successor.
                true => settings.lease_ttl.saturating_mul(2),
                false => settings.lease_wait,
            };
            if !pauses.sleep(limit) {
                // The holder had two lease times. Load beside it.
                return Plan::Load(held, call);
            }
            call = call.then(Call::read());
        }
    }

    /// Stores the value, or falls back to a stale one, and releases the leases.
    fn finish(
        &self,
        key: &Key,
        loaded: Result<Bytes, String>,
        options: &EntryOptions,
        lease: HeldLease,
        call: &Call,
    ) -> Outcome {
        let id = lease.token().watch.id();
        let outcome = match loaded {
            Ok(data) => {
                self.inner.counts.loads.one();
                self.inner.failures.forget(id);
                let entry = self.entry(key, data, options);
                self.store(lease.token(), &entry, &mut call.retry_all(Call::write()));
                let (envelope, data) = entry.into_parts();
                Outcome::Answer(Freshness::Fresh(Hit {
                    data,
                    envelope,
                    age: Duration::ZERO,
                    tier: None,
                    path: None,
                }))
            }
            Err(message) => {
                self.inner.counts.load_failures.one();
                let now = self.inner.clock.steady();
                let until = now.saturating_add(self.settings().negative_for);
                let failure = Failure { message, until };
                self.inner.failures.remember(id, failure.clone(), now);
                self.fall_back(key, failure, &mut call.retry_all(Call::read()))
            }
        };
        lease.release();
        outcome
    }

    fn fall_back(&self, key: &Key, failure: Failure, call: &mut Call) -> Outcome {
        let answer = self.peek(key, false, call);
        let Some(hit) = answer.hit() else {
            return Outcome::Failed(failure);
        };
        if !answer.is_fresh() {
            let path = hit.path().map(|path| path.display().to_string());
            let age_seconds = hit.age().as_secs();
            tracing::warn!(%key, tier = hit.tier(), path, age_seconds, error = failure.message, "a load failed; the cache serves a stale entry");
        }
        Outcome::Answer(answer)
    }

    fn conclude<E>(
        &self,
        outcome: Outcome,
        cause: Option<E>,
        is_leader: bool,
    ) -> Result<Freshness, LoadError<E>> {
        if !is_leader && matches!(outcome, Outcome::Answer(_)) {
            self.inner.counts.shared.one();
        }
        match outcome {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::Busy => Err(LoadError(Reason::Busy)),
            Outcome::Failed(Failure { message, until }) => Err(LoadError(match cause {
                Some(cause) => Reason::Failed(cause),
                None => Reason::Recent {
                    message,
                    retry_in: until.saturating_sub(self.inner.clock.steady()),
                },
            })),
        }
    }
}

/// Keeps the error for the caller and returns its message for the others.
fn error_of<E: Display>(error: E, cause: &mut Option<E>) -> String {
    let message = error.to_string();
    *cause = Some(error);
    message
}
