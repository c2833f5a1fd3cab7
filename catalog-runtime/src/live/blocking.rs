//! A bound on blocking calls: storage that hangs costs a few threads, not one more with every call.

use std::sync::Arc;

use async_lock::Semaphore;
use bedrock_catalog_cache::Cache;

/// How many calls of one catalog may block at a time.
const MOST: usize = 4;

/// Blocking calls of the cache, off the async threads.
#[derive(Debug)]
pub(super) struct BlockingCalls(Arc<Semaphore>);

impl Default for BlockingCalls {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl BlockingCalls {
    /// The output of `work`. A call that is dropped before it started does not start; one that started
    /// goes on, and counts until it ends.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        cache: &Cache,
        work: impl FnOnce(&Cache) -> R + Send + 'static,
    ) -> R {
        let permit = self.0.acquire_arc().await;
        let work = move |cache: &Cache| {
            let _permit = permit;
            work(cache)
        };
        cache.run_blocking(work).await
    }
}
