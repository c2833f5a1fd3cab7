//! The locks and atomics of the cache's own shared state, in one place: the model checks compile
//! the files that use them a second time, over another module of this name.

/// A lock that async and blocking callers take alike.
pub(super) use async_lock::{Mutex as LeadMutex, MutexGuard as LeadGuard};
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(super) use std::sync::{Mutex, MutexGuard, TryLockError};

/// Locks. A panic of another thread leaves nothing half done behind these locks, so what it left is used.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Locks if nobody else has.
pub(super) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
