//! Work that many ask for at once, done for all who asked before it began. This file may not know what
//! is done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// One at a time does the work. Who asked before it began is served its outcome; who asked later waits
/// for the next time, which again serves all who wait by then. So a crowd costs two rounds, and nobody
/// is told what was found out before the question.
pub(super) struct Rounds<T> {
    turn: async_lock::Mutex<()>,
    begun: AtomicU64,
    last: Mutex<Option<(u64, T)>>,
}

impl<T> Default for Rounds<T> {
    fn default() -> Self {
        Self {
            turn: async_lock::Mutex::new(()),
            begun: AtomicU64::new(0),
            last: Mutex::new(None),
        }
    }
}

impl<T: Clone> Rounds<T> {
    /// The outcome of a round that began after this call: another's, else of this work. Who gives up in
    /// the middle of the work leaves it to the next.
    pub(super) async fn join(&self, work: impl Future<Output = T>) -> T {
        let seen = self.begun.load(Ordering::SeqCst);
        let _turn = self.turn().await;
        if let Some((round, outcome)) = &*self.last()
            && *round > seen
        {
            return outcome.clone();
        }
        let round = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = work.await;
        *self.last() = Some((round, outcome.clone()));
        outcome
    }

    /// Keeps rounds from beginning, for other work that excludes them.
    pub(super) async fn turn(&self) -> async_lock::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<(u64, T)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Poll, Waker};

    use futures_lite::future::{block_on, yield_now};

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn who_came_before_it_began_is_served_and_who_came_later_is_not() {
        let (rounds, done) = (Rounds::default(), AtomicUsize::new(0));
        let work = || async {
            let nth = done.fetch_add(1, Ordering::SeqCst) + 1;
            yield_now().await;
            nth
        };
        let mut first = pin!(rounds.join(work()));
        assert!(poll(first.as_mut()).is_pending(), "it works");
        // These came while the first was at work: what it found may be from before.
        let mut crowd: Vec<_> = (0..1000).map(|_| Box::pin(rounds.join(work()))).collect();
        for one in &mut crowd {
            assert!(poll(one.as_mut()).is_pending());
        }
        assert_eq!(block_on(first), 1);
        for one in crowd {
            assert_eq!(block_on(one), 2, "one of them works for all");
        }
        assert_eq!(block_on(rounds.join(work())), 3);
    }

    #[test]
    fn who_gives_up_leaves_the_work_to_the_next() {
        let rounds = Rounds::default();
        for _ in 0..1000 {
            let mut leader = Box::pin(rounds.join(std::future::pending::<u8>()));
            assert!(poll(leader.as_mut()).is_pending());
            let mut waits = Box::pin(rounds.join(async { 7 }));
            assert!(poll(waits.as_mut()).is_pending());
            drop(leader);
            assert_eq!(block_on(waits), 7);
        }
    }
}
