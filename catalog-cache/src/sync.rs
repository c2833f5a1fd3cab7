//! The locks of the cache's shared state. Built with `--cfg shuttle` they are those of a model checker,
//! which runs `tests/cache_model.rs` under many schedules.

#[cfg(not(shuttle))]
mod imp {
    /// A lock that async and blocking callers wait for alike.
    pub(crate) use async_lock::{Mutex as SharedMutex, MutexGuard as SharedMutexGuard};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use std::sync::{Mutex, MutexGuard, TryLockError};
}

#[cfg(shuttle)]
mod imp {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::TryLockError;

    #[derive(Debug, Default)]
    pub(crate) struct SharedMutex<T>(Mutex<T>);

    pub(crate) type SharedMutexGuard<'a, T> = MutexGuard<'a, T>;

    impl<T> SharedMutex<T> {
        pub(crate) fn lock_blocking(&self) -> SharedMutexGuard<'_, T> {
            super::lock(&self.0)
        }

        #[allow(clippy::unused_async)]
        pub(crate) async fn lock(&self) -> SharedMutexGuard<'_, T> {
            super::lock(&self.0)
        }
    }
}

pub(crate) use imp::*;

/// Locks. A panic of another thread leaves nothing half done behind these locks, so poison is ignored.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Locks unless another thread holds the lock.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
