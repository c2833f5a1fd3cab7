//! Blocking work for async callers, on threads of its own.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

/// Storage that hangs keeps its threads; beyond this number, work waits.
const MAX_THREADS: usize = 256;

static POOL: Mutex<Pool> = Mutex::new(Pool {
    jobs: VecDeque::new(),
    threads: 0,
});

struct Pool {
    jobs: VecDeque<Box<dyn FnOnce() + Send>>,
    threads: usize,
}

/// Starts blocking work on another thread and returns its result. The work goes on when the future is
/// dropped; a panic of the work is one of the future.
///
/// Threads end when there is no work, so a thread often starts for one call: some 20 µs, where storage takes
/// milliseconds. The crate `blocking` keeps its threads, for seven dependencies more.
///
/// ```
/// let sum = bedrock_catalog_cache::spawn_blocking(|| 1 + 1);
/// assert_eq!(futures_lite::future::block_on(sum), 2);
/// ```
pub fn spawn_blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> impl Future<Output = R> + Send + 'static {
    let (sender, receiver) = async_channel::bounded(1);
    let job = move || {
        // The caller may be gone.
        let _ = sender.try_send(catch_unwind(AssertUnwindSafe(work)));
    };
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    pool.jobs.push_back(Box::new(job));
    let is_full = pool.threads >= MAX_THREADS;
    pool.threads += usize::from(!is_full);
    drop(pool);
    if !is_full {
        let thread = std::thread::Builder::new().name("cache-blocking".into());
        if thread.spawn(run).is_err() {
            // The system has no thread left, so the work runs on this one.
            run();
        }
    }
    async move {
        match receiver.recv().await {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => resume_unwind(Box::new("blocking work ended without a result")),
        }
    }
}

/// Works until there is nothing to do.
fn run() {
    loop {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = pool.jobs.pop_front() else {
            pool.threads -= 1;
            return;
        };
        drop(pool);
        job();
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, zip};

    use super::*;

    #[test]
    fn more_work_than_threads_is_all_done() {
        let all: Vec<_> = (0..2 * MAX_THREADS)
            .map(|n| spawn_blocking(move || n))
            .collect();
        for (n, work) in all.into_iter().enumerate() {
            assert_eq!(block_on(work), n);
        }
    }

    #[test]
    fn work_starts_at_once_and_goes_on_when_its_future_is_dropped() {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(spawn_blocking(move || sender.send(7)));
        assert_eq!(receiver.recv(), Ok(7));
    }

    #[test]
    fn a_panic_is_the_callers_and_hurts_no_other_work() {
        let panics = spawn_blocking(|| panic!("on purpose"));
        let caught = catch_unwind(AssertUnwindSafe(|| block_on(panics)));
        assert!(caught.is_err());
        let pair = zip(spawn_blocking(|| 1), spawn_blocking(|| 2));
        assert_eq!(block_on(pair), (1, 2));
    }
}
