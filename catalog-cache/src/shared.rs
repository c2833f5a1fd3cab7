//! A cache that the whole process shares.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::Cache;

/// A place for one cache, made by the first caller and shared with all later ones.
///
/// ```
/// use bedrock_catalog_cache::{Cache, ConfigError, MemoryLimits, SharedCache};
///
/// static CACHE: SharedCache = SharedCache::new();
///
/// fn cache() -> Result<&'static Cache, ConfigError> {
///     CACHE.get_or_try_init(|| Cache::builder().memory(MemoryLimits::default()).build())
/// }
/// assert!(std::ptr::eq(cache()?, cache()?));
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Debug)]
pub struct SharedCache {
    cache: OnceLock<Cache>,
    /// Held while the cache is being made.
    making: Mutex<()>,
}

impl SharedCache {
    /// A place without a cache.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cache: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    /// The cache, made now if there is none. Of threads that race, one makes it. After a failure the next
    /// caller tries again. `make` must not use this place itself.
    ///
    /// # Errors
    /// The error of `make`.
    pub fn get_or_try_init<E>(&self, make: impl FnOnce() -> Result<Cache, E>) -> Result<&Cache, E> {
        if let Some(cache) = self.cache.get() {
            return Ok(cache);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        match self.cache.get() {
            Some(cache) => Ok(cache),
            None => make().map(|cache| self.cache.get_or_init(|| cache)),
        }
    }

    /// The cache, if there is one.
    #[must_use]
    pub fn get(&self) -> Option<&Cache> {
        self.cache.get()
    }
}

impl Default for SharedCache {
    fn default() -> Self {
        Self::new()
    }
}
