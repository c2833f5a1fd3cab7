//! One cache for the whole process, for those who want one.

use std::sync::{Mutex, OnceLock, PoisonError};

use super::Cache;

/// A place for one cache, made by whoever asks first and shared by all who ask later.
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
    /// A place with no cache yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cache: OnceLock::new(),
            making: Mutex::new(()),
        }
    }

    /// The cache, made now if there is none. However many threads race, one makes it. A failure is
    /// the caller's, and the next caller tries again. `make` must not ask this place itself.
    ///
    /// # Errors
    /// What `make` says.
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
