//! Where the catalog comes from: a fresh cache, else AWS, else a stale cache, else the bundle.

#[cfg(feature = "aws")]
mod again;
#[cfg(feature = "aws")]
mod asking;
#[cfg(feature = "aws")]
mod background;
mod cached;
#[cfg(feature = "aws")]
mod keeping;
#[cfg(feature = "aws")]
mod others;
mod reasons;
mod serving;
mod waiting;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::builder::PartialPolicy;
use super::handle::Inner;
use super::laid_over::OverlaySource;
use super::snapshot::{Held, Snapshot, Source};
use crate::cache::{Cache, Key, Moment};
use crate::error::{CatalogError, CatalogErrorKind};
use cached::Cached;
#[cfg(feature = "aws")]
pub(super) use waiting::note;
pub(super) use waiting::{Answered, taken};

/// How long after a failure nobody asks again, and what is added at random so that a fleet does not
/// ask in step.
const RETRY: Duration = Duration::from_secs(60);
/// Until what another process is asking for is looked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The key of the one catalog of a namespace.
pub(super) fn catalog_key() -> Key {
    Key::new("catalog", "get", "all")
}

/// Whether a moment has come, by either clock: the steady one stands still while a machine sleeps.
fn is_due(at: Moment, now: Moment) -> bool {
    now.steady >= at.steady || now.wall >= at.wall
}

/// What was tried, and why it did not serve.
#[derive(Default)]
pub(super) struct Tried(Vec<String>);

impl Tried {
    pub(super) fn note(&mut self, what: &str, why: impl std::fmt::Display) {
        self.0.push(format!("{what}: {why}"));
    }

    fn told(&self) -> String {
        self.0.join("; ")
    }
}

impl Inner {
    pub(super) async fn load(self: &Arc<Self>) -> Result<Arc<Snapshot>, CatalogError> {
        // A file is looked at first.
        let has_file = matches!(self.config.overlay, OverlaySource::File(_));
        if !has_file && let Some(settled) = self.settled() {
            return Ok(settled);
        }
        let answered = Answered::default();
        let turn = async {
            self.look_at_overlay().await;
            if let Some(settled) = self.settled() {
                return Ok(settled);
            }
            let _turn = self.turn.turn().await;
            if let Some(settled) = self.settled() {
                return Ok(settled);
            }
            let loaded = self.obtain(&answered).await;
            self.clean_up_from_now_on();
            loaded
        };
        match self.in_time(turn).await {
            Some(loaded) => loaded,
            None => match self.answered_in_time(&answered) {
                Some(snapshot) => Ok(snapshot),
                None => self.late(),
            },
        }
    }

    /// What there is for a caller whose time is up while others, or a disk that hangs, are not done.
    /// Where something can serve, loading has come to its end thereby: nobody waits for so long again,
    /// and what is served is renewed like any that is less than what was asked for.
    fn late(self: &Arc<Self>) -> Result<Arc<Snapshot>, CatalogError> {
        let message = format!(
            "no catalog within the deadline of {:?}",
            self.config.deadline
        );
        let error = CatalogError::new(CatalogErrorKind::Unavailable, message);
        let (renew_at, mut first) = (self.renewal(RETRY), false);
        self.amend(|current| {
            if !current.settled {
                current.error = Some((error.kind(), error.to_string()));
                current.settled = current.source != Source::Nothing;
                current.renew_at = renew_at;
                first = current.settled;
            }
        });
        let current = self.current.load_full();
        if first {
            let (source, age_seconds) = (&current.source, current.age(self.now()).as_secs());
            tracing::warn!(%source, age_seconds, %error, "loading takes too long; serving what there is");
            self.clean_up_from_now_on();
            self.renew_when_due();
        }
        match current.settled {
            true => Ok(current),
            false => Err(error),
        }
    }

    pub(super) async fn refresh(self: &Arc<Self>) -> Result<Arc<Snapshot>, CatalogError> {
        let answered = Answered::default();
        let refreshed = self.turn.join(async {
            let _ = self.in_time(self.look_at_overlay()).await;
            self.ask_for_account_anew().await;
            let asked = self.ask(true, None, &answered).await.and_then(|asked| {
                let why = "another process is asking just now";
                asked.ok_or_else(|| CatalogError::new(CatalogErrorKind::Unavailable, why))
            });
            self.clean_up_from_now_on();
            match asked {
                Ok(snapshot) => {
                    self.adopt(snapshot);
                    Ok(())
                }
                Err(error) => {
                    self.note_failure(&error);
                    Err(error)
                }
            }
        });
        // The deadline is that of who asks: waiting for the round of another counts.
        match self.in_time(refreshed).await {
            Some(Ok(())) => Ok(self.current.load_full()),
            Some(Err(error)) => Err(error),
            None => self.answered_in_time(&answered).ok_or_else(|| {
                let error = self.no_answer();
                self.note_failure(&error);
                error
            }),
        }
    }

    /// What there is, if loading has come to an end before. Where it has become old, it is renewed in
    /// the background, and served meanwhile.
    fn settled(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let current = self.current.load_full();
        if !current.settled {
            return None;
        }
        let current = self.overlay_renewed().unwrap_or(current);
        let now = self.config.clock.moment();
        if current.renew_at.is_some_and(|at| is_due(at, now)) {
            self.renew_in_background();
        }
        Some(current)
    }

    /// Obtains a catalog, whatever it takes. Only in a turn.
    async fn obtain(self: &Arc<Self>, answered: &Answered) -> Result<Arc<Snapshot>, CatalogError> {
        let (mut tried, forced) = (Tried::default(), self.forced.load(Ordering::Acquire));
        self.ask_for_account_anew().await;
        let cache = self.identified().await;
        let look = |cache: &Cache| Cached::of(cache.get(&catalog_key()), cache);
        let cached = self.look(&cache, look).await;
        let answers = cached.is_some();
        if !answers {
            tried.note("cache", "no answer");
        }
        // Those of nobody in particular may be of any account.
        let cached = match self.is_open(&cache).await {
            true => {
                tried.note("cache", "whose entries are meant is not known");
                None
            }
            false => cached,
        };
        let fresh = cached.as_ref().is_some_and(Cached::is_fresh) && !forced;
        let stale = match cached.and_then(|cached| self.usable(&cached, &mut tried)) {
            Some(snapshot) if fresh && self.is_fresh(&snapshot) => {
                return Ok(self.adopt(snapshot));
            }
            stale => stale,
        };
        if let Some(part) = stale.as_ref().filter(|stale| !self.is_enough(stale)) {
            let missing: Vec<&str> = part.missing().map(String::as_str).collect();
            tried.note(
                "cache",
                format_args!("not renewed in {}", missing.join(", ")),
            );
        }
        let asked = self.ask(forced, Some(answers), answered).await;
        let stale = match (stale, &asked) {
            (None, Err(error)) if error.kind() == CatalogErrorKind::NoCredentials => {
                self.left_by_the_only_account().await
            }
            (stale, _) => stale,
        };
        let kind = match (asked, &stale) {
            (Ok(Some(snapshot)), _) => return Ok(self.adopt(snapshot)),
            // Nothing is wrong: what there is serves until the other one is done.
            (Ok(None), Some(stale)) => {
                let mut snapshot = stale.clone();
                snapshot.renew_all_at(self.moment_in(LOOK_AGAIN));
                return Ok(self.adopt(snapshot));
            }
            (Ok(None), None) => {
                tried.note("AWS", "another process is asking just now");
                CatalogErrorKind::Unavailable
            }
            (Err(error), _) => {
                tried.note("AWS", &error);
                if self.config.can_ask() {
                    self.counts.asked_in_vain();
                }
                error.kind()
            }
        };
        let mut snapshot = match (stale, self.config.bundle()) {
            (Some(stale), _) => {
                let age_seconds = stale.age(self.now()).as_secs();
                let (tried, source) = (tried.told(), &stale.source);
                match self.config.can_ask() {
                    true => tracing::warn!(age_seconds, %source, tried, "serving a stale catalog"),
                    false => {
                        tracing::debug!(age_seconds, %source, tried, "serving a stale catalog")
                    }
                }
                stale
            }
            (None, Ok(bundle)) => {
                let snapshot = Snapshot::of(bundle, Source::Bundle);
                let age_seconds = snapshot.age(self.now()).as_secs();
                let (tried, observed_at) = (tried.told(), snapshot.observed_at());
                match self.config.offline {
                    // What was asked for.
                    true => {
                        tracing::debug!(age_seconds, %observed_at, tried, "serving the bundled catalog")
                    }
                    false => {
                        tracing::warn!(age_seconds, %observed_at, tried, "serving the bundled catalog")
                    }
                }
                snapshot
            }
            (None, Err(why)) => {
                tried.note("bundle", why);
                let error = CatalogError::new(kind, format!("no catalog: {}", tried.told()));
                let advice = "give AWS credentials, a cache that can be read, or allow the bundle";
                return Err(error.advising(advice));
            }
        };
        // Where nobody is to be asked, this is what was asked for; else it is less.
        snapshot.error = self.config.can_ask().then(|| (kind, tried.told()));
        snapshot.renew_all_at(self.renewal(RETRY));
        Ok(self.adopt(snapshot))
    }

    /// For who has no credentials that would say whose entries are meant: what offline would serve.
    async fn left_by_the_only_account(&self) -> Option<Snapshot> {
        let cache = self.only_owner().await?;
        let look = |cache: &Cache| Cached::of(cache.get(&catalog_key()), cache);
        let cached = self.look(&cache, look).await?;
        self.usable(&cached, &mut Tried::default())
    }

    /// When to ask again, if there is anyone to ask: after `left`, and up to a tenth more. Not at
    /// once: what was written a moment ago may count as fresh for a moment longer.
    pub(super) fn renewal(&self, left: Duration) -> Option<Moment> {
        self.moment_in(left.max(RETRY.min(self.config.horizons.fresh_for)))
    }

    /// Whether it is young enough here, whatever who cached it thinks, and has what is required.
    pub(super) fn is_fresh(&self, snapshot: &Snapshot) -> bool {
        self.is_enough(snapshot) && snapshot.age(self.now()) <= self.config.horizons.fresh_for
    }

    /// Whether it has all regions, for who requires them.
    pub(super) fn is_enough(&self, snapshot: &Snapshot) -> bool {
        self.config.partial == PartialPolicy::Merge || snapshot.missing().next().is_none()
    }

    /// After `left`, and up to a tenth more.
    pub(super) fn moment_in(&self, left: Duration) -> Option<Moment> {
        // The addresses of a process and its clock differ enough to spread a fleet.
        let noise = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), left);
        let jitter = left.mul_f64((noise % 1024) as f64 / 10_240.0);
        let clock = &self.config.clock;
        self.config.can_ask().then(|| Moment {
            wall: clock.now() + left + jitter,
            steady: clock.steady() + left + jitter,
        })
    }
}

#[cfg(not(feature = "aws"))]
impl Inner {
    pub(super) async fn ask(
        self: &Arc<Self>,
        _forced: bool,
        _answers: Option<bool>,
        _answered: &Answered,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let message = match self.config.offline {
            true => "nobody is asked offline",
            false => "this build has no feature `aws`",
        };
        Err(CatalogError::new(CatalogErrorKind::Unavailable, message))
    }

    fn renew_in_background(self: &Arc<Self>) {}

    fn renew_when_due(self: &Arc<Self>) {}
}
