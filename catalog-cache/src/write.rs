//! A write: the tiers from the lowest up, under the lock of the key.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::invalidation::{Id, Watch};
use crate::tier::FencingToken;
use crate::tier_slot::{Call, Put};
use crate::{Cache, Entry, Envelope, Key, Pattern, Ttl};

/// The options of an entry that is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryOptions {
    pub(crate) ttl: Option<Ttl>,
    pub(crate) source: Arc<str>,
    pub(crate) or_busy: bool,
}

impl EntryOptions {
    /// The origin of the value, as the caller names it, such as `api`; the cache's own [`Settings::ttl`](crate::Settings::ttl).
    #[must_use]
    pub fn source(source: impl Into<Arc<str>>) -> Self {
        Self {
            source: source.into(),
            ..Self::default()
        }
    }

    /// These lifetimes instead of the cache's.
    #[must_use]
    pub fn ttl(mut self, ttl: Ttl) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Makes [`Cache::get_or_load`] return an error ([`LoadError::is_busy`](crate::LoadError::is_busy))
    /// after [`Settings::lease_wait`](crate::Settings::lease_wait), instead of waiting for the end of another process's lease.
    #[must_use]
    pub fn or_busy(mut self) -> Self {
        self.or_busy = true;
        self
    }
}

/// The outcome of a write. That no tier stored the value is no error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WriteOutcome {
    /// The names of the tiers that stored the value, in order.
    pub tiers: Vec<&'static str>,
    /// The file that holds it, in the first tier that has files.
    pub path: Option<PathBuf>,
    /// The bytes written, as stored, over all tiers that are not local.
    pub bytes: u64,
}

/// The state of a key before its value is fetched by hand; see [`Cache::load_token`].
#[derive(Debug)]
pub struct LoadToken {
    pub(crate) watch: Watch,
    /// By tier.
    pub(crate) fences: Vec<(usize, FencingToken)>,
}

impl Cache {
    /// Stores a value in every tier, in place of an older one.
    pub fn put(&self, key: &Key, value: impl Into<Bytes>, options: &EntryOptions) -> WriteOutcome {
        let id = (self.namespace, key.clone());
        let _lock = self.inner.locks.lock(&id);
        let entry = self.entry(key, value.into(), options);
        self.write(&id, &entry, &[], &mut Call::write(), 0)
    }

    /// [`Cache::put`] for async callers.
    pub async fn put_async(
        &self,
        key: &Key,
        value: impl Into<Bytes>,
        options: &EntryOptions,
    ) -> WriteOutcome {
        let (key, value, options) = (key.clone(), value.into(), options.clone());
        self.run_blocking(move |cache| cache.put(&key, value, &options))
            .await
    }

    /// Stores a value as one line of JSON. A value that cannot be written as JSON is not stored.
    pub fn put_json<T: Serialize + ?Sized>(
        &self,
        key: &Key,
        value: &T,
        options: &EntryOptions,
    ) -> WriteOutcome {
        match serde_json::to_vec(value) {
            Ok(json) => self.put(key, json, options),
            Err(error) => {
                tracing::warn!(%key, %error, "a value cannot be written as JSON and is not cached");
                WriteOutcome::default()
            }
        }
    }

    /// The state of a key, to be taken before its value is fetched by hand and given to
    /// [`Cache::put_if_current`].
    #[must_use]
    pub fn load_token(&self, key: &Key) -> LoadToken {
        LoadToken {
            watch: self.inner.log.watch((self.namespace, key.clone())),
            fences: Vec::new(),
        }
    }

    /// Stores a value, unless its key was written or invalidated since the token was taken: `None`.
    pub fn put_if_current(
        &self,
        token: &LoadToken,
        value: impl Into<Bytes>,
        options: &EntryOptions,
    ) -> Option<WriteOutcome> {
        let (namespace, key) = token.watch.id();
        let of = self.in_namespace(*namespace);
        of.store(
            token,
            &of.entry(key, value.into(), options),
            &mut Call::write(),
        )
    }

    /// [`Cache::put_if_current`] for async callers.
    pub async fn put_if_current_async(
        &self,
        token: LoadToken,
        value: impl Into<Bytes>,
        options: &EntryOptions,
    ) -> Option<WriteOutcome> {
        let (value, options) = (value.into(), options.clone());
        self.run_blocking(move |cache| cache.put_if_current(&token, value, &options))
            .await
    }

    /// Writes an entry if its token is current.
    pub(crate) fn store(
        &self,
        token: &LoadToken,
        entry: &Entry,
        call: &mut Call,
    ) -> Option<WriteOutcome> {
        let id = token.watch.id();
        let _lock = self.inner.locks.lock(id);
        if !token.watch.is_current() {
            self.inner.counts.superseded.one();
            tracing::debug!(key = %id.1, "a loaded value is not stored: its key changed meanwhile");
            return None;
        }
        Some(self.write(id, entry, &token.fences, call, 1))
    }

    /// Writes the tiers, the lowest first: where another process wrote an entry later there, or removed the
    /// key, the tiers above follow. Only under the lock of the key. `own` of the key's watches are the
    /// writer's.
    fn write(
        &self,
        id: &Id,
        entry: &Entry,
        fences: &[(usize, FencingToken)],
        call: &mut Call,
        own: usize,
    ) -> WriteOutcome {
        let mut outcome = WriteOutcome::default();
        let mut newer: Option<Entry> = None;
        for slot in self.inner.slots.iter().rev() {
            let fence = fences.iter().find(|(tier, _)| *tier == slot.index);
            let fence = fence.map(|(_, token)| *token);
            match slot.put(newer.as_ref().unwrap_or(entry), fence, call) {
                Put::Stored { path, bytes } if newer.is_none() => {
                    outcome.tiers.push(slot.name());
                    outcome.path = path.or(outcome.path);
                    outcome.bytes += if slot.is_local { 0 } else { bytes };
                }
                Put::Stored { .. } | Put::Failed => {}
                Put::Superseded(other) => newer = Some(other),
                Put::Removed => {
                    let above = self.inner.slots.iter().take(slot.index);
                    for slot in above {
                        slot.remove(&id.0, &Pattern::exact(&id.1), call);
                    }
                    break;
                }
            }
        }
        // At the end: a watch that began during the write may have seen the entry before it.
        self.inner.log.wrote(id, entry.envelope().written_at, own);
        outcome.tiers.reverse();
        outcome
    }

    pub(crate) fn entry(&self, key: &Key, value: Bytes, options: &EntryOptions) -> Entry {
        let now = self.inner.clock.now();
        let envelope = Envelope {
            key: key.clone(),
            namespace: self.namespace,
            written_at: self.inner.stamps.written_at(now),
            ttl: options.ttl.unwrap_or_else(|| self.settings().ttl),
            source: Arc::clone(&options.source),
            package_version: Arc::clone(&self.inner.package_version),
        };
        Entry::new(envelope, value)
    }
}
