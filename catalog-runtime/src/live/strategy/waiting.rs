//! How long anything is waited for, and what serves of what is not done by then. It may not know what is
//! done.

use std::sync::Mutex;

use super::{
    Arc, Cache, CatalogError, CatalogErrorKind, Duration, Inner, Ordering, PoisonError, Snapshot,
};

/// How long the cache is waited for at most; then it has nothing.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// What AWS answered here, from the moment it did: it is served whatever becomes of the writes, also where
/// they are not done in time.
pub(in crate::live) type Answered<T = Snapshot> = Mutex<Option<Result<T, CatalogError>>>;

#[cfg(feature = "aws")]
pub(in crate::live) fn note<T>(answered: &Answered<T>, answer: Result<T, CatalogError>) {
    *answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
}

pub(in crate::live) fn taken<T>(answered: &Answered<T>) -> Option<Result<T, CatalogError>> {
    let mut answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
    answered.take()
}

impl Inner {
    /// What the cache says, if it answers in time, and does not hang already: who looks goes on without it.
    pub(in crate::live) async fn look<R: Send + 'static>(
        &self,
        cache: &Cache,
        look: impl FnOnce(&Cache) -> R + Send + 'static,
    ) -> Option<R> {
        bounded(LOOK, self.calls.call(cache, look)).await?
    }

    /// What comes of asking; where that is not done in time, what AWS answered all the same. The fetch
    /// ends by itself in time; another process that asks, or a tier, need not.
    #[cfg(feature = "aws")]
    pub(super) async fn asked_in_time(
        &self,
        answered: &Answered,
        asking: impl Future<Output = Result<Option<Snapshot>, CatalogError>>,
    ) -> Result<Option<Snapshot>, CatalogError> {
        let within = self.config.asking().mul_f64(1.05);
        // On the heap: the futures of those who ask are one within the other.
        let asked = bounded(within, Box::pin(asking)).await;
        let asked = asked.or_else(|| taken(answered).map(|answer| answer.map(Some)));
        asked.unwrap_or_else(|| Err(self.no_answer()))
    }

    /// What comes of it before the deadline, and the tenth that it takes to notice, is over.
    pub(in crate::live) async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.config.can_ask() {
            true => bounded(self.config.deadline.mul_f64(1.08), work).await,
            // Nobody is waited for.
            false => Some(work.await),
        }
    }

    /// Serves what AWS answered to a caller whose time is up before it is cached.
    pub(super) fn answered_in_time(self: &Arc<Self>, answered: &Answered) -> Option<Arc<Snapshot>> {
        let snapshot = taken(answered)?.ok()?;
        self.forced.store(false, Ordering::Release);
        self.clean_up_from_now_on();
        Some(self.adopt(snapshot))
    }

    /// Why there is none, once the time for it is over.
    pub(in crate::live) fn no_answer(&self) -> CatalogError {
        let deadline = self.config.deadline;
        let message = format!("no answer within the deadline of {deadline:?}");
        CatalogError::new(CatalogErrorKind::Unavailable, message)
    }
}

#[cfg(feature = "aws")]
async fn bounded<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => tokio::time::timeout(limit, work).await.ok(),
        Err(_) => Some(work.await),
    }
}

/// Without a runtime there is no timer.
#[cfg(not(feature = "aws"))]
async fn bounded<T>(_: Duration, work: impl Future<Output = T>) -> Option<T> {
    Some(work.await)
}
