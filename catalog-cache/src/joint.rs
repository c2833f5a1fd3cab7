//! Work that callers do together: who comes while it is being done waits, and the next time it is done
//! for all who wait. This file may not know what is done.

use std::sync::Arc;

use super::sync::{Mutex, lock};

/// What is asked for, `Q`, and what each is answered, `A`.
#[derive(Debug)]
pub(super) struct Joint<Q, A> {
    /// Those who can still be joined.
    next: Mutex<Arc<Batch<Q, A>>>,
    /// Held by who does the work.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct Batch<Q, A> {
    asked: Mutex<Vec<Q>>,
    /// As many as were asked for, once it is done. Held by who waits for the turn for all of them.
    answers: Mutex<Option<Vec<A>>>,
}

impl<Q, A> Default for Batch<Q, A> {
    fn default() -> Self {
        Self {
            asked: Mutex::new(Vec::new()),
            answers: Mutex::new(None),
        }
    }
}

impl<Q, A> Default for Joint<Q, A> {
    fn default() -> Self {
        Self {
            next: Mutex::new(Arc::default()),
            turn: Mutex::new(()),
        }
    }
}

impl<Q, A: Clone> Joint<Q, A> {
    /// The answer to this, by work that begins from now on: this caller's, or that of another who waits too.
    /// `work` answers each in order; what it leaves out has no answer.
    pub(super) fn ask(&self, asked: Q, work: impl FnOnce(&[Q]) -> Vec<A>) -> Option<A> {
        let (batch, place) = {
            let next = lock(&self.next);
            let mut all = lock(&next.asked);
            all.push(asked);
            (Arc::clone(&next), all.len() - 1)
        };
        // First, so that who comes later and works next keeps nobody waiting whose answer is there.
        let mut answers = lock(&batch.answers);
        if answers.is_none() {
            let _turn = lock(&self.turn);
            {
                let mut next = lock(&self.next);
                // It is another already where the work panicked: then each does it anew.
                if Arc::ptr_eq(&next, &batch) {
                    *next = Arc::default();
                }
            }
            *answers = Some(work(&lock(&batch.asked)));
        }
        answers.as_ref()?.get(place).cloned()
    }

    /// How many wait to be joined.
    #[cfg(test)]
    #[allow(dead_code)] // Only the model has a use for it.
    pub(super) fn waiting(&self) -> usize {
        lock(&lock(&self.next).asked).len()
    }
}
