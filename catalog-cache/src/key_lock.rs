//! Locks by key: all tiers are written while the lock of the key is held.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::invalidation::Id;
use crate::sync::{Mutex, MutexGuard, lock, try_lock};

/// Keys share stripes; a power of two.
const STRIPES: usize = 64;

#[derive(Debug)]
pub(crate) struct KeyLocks {
    hasher: RandomState,
    stripes: Vec<Mutex<()>>,
}

impl KeyLocks {
    pub(crate) fn new() -> Self {
        Self {
            hasher: RandomState::default(),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
        }
    }

    /// Waits for the lock of this key.
    pub(crate) fn lock(&self, id: &Id) -> Option<MutexGuard<'_, ()>> {
        self.stripe(id).map(lock)
    }

    /// Takes the lock of this key if it is free.
    pub(crate) fn try_lock(&self, id: &Id) -> Option<MutexGuard<'_, ()>> {
        self.stripe(id).and_then(try_lock)
    }

    /// Waits for every write that is under way. Later ones see what the caller recorded before.
    pub(crate) fn barrier(&self) {
        for stripe in &self.stripes {
            drop(lock(stripe));
        }
    }

    fn stripe(&self, id: &Id) -> Option<&Mutex<()>> {
        let hash = self.hasher.hash_one(id);
        self.stripes
            .get(usize::try_from(hash % STRIPES as u64).unwrap_or(0))
    }
}
