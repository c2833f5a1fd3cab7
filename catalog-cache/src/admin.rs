//! Looking after a cache: statistics, health, cleanup, listings, and values as JSON.

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::core::Inner;
use super::level::Level;
use super::tier::{Health, Size};
use super::{BreakerState, Cache, Freshness, Key, Statistics, Stored, Terms};

/// No interval makes the background cleanup a busy loop.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// How one tier is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierHealth {
    /// The tier.
    pub name: &'static str,
    /// What it says of itself.
    pub health: Health,
    /// Why an operation of it failed, the last time one did; it may be well again.
    pub failure: Option<String>,
    /// What its breaker does.
    pub breaker: BreakerState,
    /// How much it holds, where it could be asked.
    pub size: Option<Size>,
}

/// One entry as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recent {
    /// The key.
    pub key: Key,
    /// The first tier that has it.
    pub tier: &'static str,
    /// When it was written.
    pub written_at: SystemTime,
    /// When it was last read, where a tier knows.
    pub last_access: Option<SystemTime>,
    /// How often it was read, where a tier counts.
    pub accesses: Option<u64>,
    /// What it takes there, in bytes.
    pub bytes: u64,
    /// Where it lies there, where the tier has paths.
    pub path: Option<PathBuf>,
}

impl Cache {
    /// What the cache has done since it was made, in all namespaces.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let tiers = self.inner.levels.iter();
        self.inner.counts.snapshot(
            tiers
                .map(|level| level.counts.snapshot(level.tier.evictions(), level.name()))
                .collect(),
        )
    }

    /// How each tier is, in order. Asks the tiers, breaker or not.
    #[must_use]
    pub fn health(&self) -> Vec<TierHealth> {
        let health = |level: &Level| TierHealth {
            name: level.name(),
            health: level.tier.health(),
            failure: level.failure(),
            breaker: level.breaker.state(),
            size: level.tier.size().ok(),
        };
        self.inner.levels.iter().map(health).collect()
    }

    /// Removes expired and useless entries from every tier, in all namespaces; how many. Also makes
    /// up for removals that a tier missed while it failed.
    pub fn cleanup(&self) -> u64 {
        self.inner.cleanup()
    }

    /// The same as [`Cache::cleanup`] for async callers.
    pub async fn cleanup_async(&self) -> u64 {
        self.off_thread(Self::cleanup).await
    }

    /// Cleans up now and then on a thread of its own, until the answer is dropped or the last clone
    /// of the cache is. At least 100 ms pass between two. The first comes after the first interval.
    ///
    /// # Errors
    /// The thread could not be started.
    pub fn cleanup_every(&self, interval: Duration) -> std::io::Result<Cleaner> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let interval = interval.max(SHORTEST_INTERVAL);
        let (cache, seen) = (Arc::downgrade(&self.inner), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("cache-cleanup".into())
            .spawn(move || run(&cache, &seen, interval))?;
        Ok(Cleaner {
            stop,
            thread: Some(thread),
        })
    }

    /// The `count` entries of this namespace that were read or written last, latest first.
    ///
    /// The memory tier counts reads; files do not: a read that had to write would be slower, and fail
    /// where the folder is read-only. So after a restart an entry counts as last used when it was written.
    #[must_use]
    pub fn recent(&self, count: usize) -> Vec<Recent> {
        let mut all: Vec<Recent> = self
            .inner
            .levels
            .iter()
            .flat_map(|l| self.listed(l))
            .collect();
        // Stable: of one key the first tier stays.
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all.dedup_by(|later, first| later.key == first.key);
        all.sort_by_key(|recent| {
            std::cmp::Reverse(recent.last_access.max(Some(recent.written_at)))
        });
        all.truncate(count);
        all
    }

    /// When the oldest entry of this namespace in a tier was written.
    #[must_use]
    pub fn oldest_in(&self, tier: &str) -> Option<SystemTime> {
        let mut levels = self.inner.levels.iter();
        let level = levels.find(|level| level.name() == tier)?;
        self.listed(level)
            .iter()
            .map(|entry| entry.written_at)
            .min()
    }

    fn listed(&self, level: &Level) -> Vec<Recent> {
        let mut all = Vec::new();
        level.call("scan", &"*", |tier| {
            tier.scan(&self.namespace, "", &mut |listed| {
                let envelope = &listed.envelope;
                all.push(Recent {
                    key: envelope.key.clone(),
                    tier: level.name(),
                    written_at: envelope.written_at,
                    last_access: listed.last_access,
                    accesses: listed.accesses,
                    bytes: listed.bytes,
                    path: listed.path,
                });
                ControlFlow::Continue(())
            })
        });
        all
    }

    /// What the cache has for the key, read as JSON. What cannot be read so counts as missing.
    #[must_use]
    pub fn get_json<T: DeserializeOwned>(&self, key: &Key) -> Freshness<T> {
        let answer = self.get(key);
        let path = answer
            .hit()
            .and_then(|hit| hit.path())
            .map(|path| path.display().to_string());
        answer
            .try_map(|data| serde_json::from_slice(&data))
            .unwrap_or_else(|error| {
                tracing::warn!(%key, path, %error, "the cache entry is not what was expected");
                Freshness::Missing
            })
    }

    /// Stores a value as one line of JSON. A value that cannot be written so is stored nowhere.
    pub fn put_json<T: Serialize + ?Sized>(&self, key: &Key, value: &T, terms: &Terms) -> Stored {
        match serde_json::to_vec(value) {
            Ok(json) => self.put(key, json, terms),
            Err(error) => {
                tracing::warn!(%key, %error, "the value cannot be written as JSON and is not cached");
                Stored::default()
            }
        }
    }
}

impl Inner {
    fn cleanup(&self) -> u64 {
        let now = self.clock.now();
        let mut all = 0;
        for level in &self.levels {
            for doubt in level.doubts.all() {
                self.heal(level, &doubt);
            }
            let removed = level.call("cleanup", &"*", |tier| tier.cleanup(now));
            if removed.is_none() {
                level.counts.undone.one();
            }
            let removed = removed.unwrap_or(0);
            level.counts.expirations.add(removed);
            all += removed;
        }
        tracing::debug!(removed = all, "cache cleaned up");
        all
    }
}

/// A cleanup thread; it ends when this is dropped.
pub struct Cleaner {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

fn run(cache: &Weak<Inner>, stop: &(Mutex<bool>, Condvar), interval: Duration) {
    let (stopped, wake) = stop;
    loop {
        let guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = wake.wait_timeout_while(guard, interval, |stopped| !*stopped);
        let (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let Some(cache) = cache.upgrade().filter(|_| !*guard) else {
            return;
        };
        drop(guard);
        cache.cleanup();
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cleaner")
    }
}
