//! The tier in Redis or Valkey, which a fleet shares.
//!
//! An entry is one string, in the format of a file, with a checksum that is verified on each read. The
//! checksum finds accidents. A program that may write to the server can forge entries, so the server needs
//! the same protection as a folder.
//!
//! | module | content |
//! |---|---|
//! | [`options`] | the URL, TLS, limits |
//! | [`keys`] | the names of Redis keys |
//! | [`scripts`] | the atomic operations, and the order of writes by several processes |
//! | [`connection`], [`runtime`] | one shared connection on one thread |
//! | [`scan`] | operations on many entries |
//! | [`subscriber`] | notifications |
//! | [`error`] | causes and remedies |

mod connection;
mod error;
mod keys;
mod options;
mod runtime;
mod scan;
mod scripts;
mod subscriber;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use redis::{InfoDict, cmd};

use crate::entry::{duration_millis, to_millis};
use crate::{
    Acquired, CLOCK_SKEW, Clock, Codec, Coordinator, Deadline, Entry, EntryInfo, FencingToken,
    Found, Key, LeaseGuard, Listener, Namespace, Pattern, Tier, TierError, TierErrorKind,
    TierStatus, Written,
};
use connection::Connection;
use keys::Keys;
use runtime::Runtime;
use scan::Head;
use subscriber::Subscriber;

pub use options::RedisOptions;

/// The life of a key's fencing tokens after the last lease. A lease lasts an hour at most.
const FENCE_TTL: Duration = Duration::from_secs(2 * 3600);

/// The tier in Redis 6.2 or later, or Valkey: one server or a Cluster.
///
/// The constructor connects to nothing. The first operation starts one thread, which ends with the tier.
/// An operation takes [`RedisOptions::timeout`] at most, connecting included. A scan (`remove` by a
/// pattern, `scan`, `cleanup`, `status`) consists of many operations and looks at all keys of the
/// database, for 2 s at most: next to millions of other keys, the cache needs a database of its own.
///
/// ```no_run
/// use bedrock_catalog_cache::{Codec, RedisOptions, RedisTier, SystemClock};
/// use std::sync::Arc;
///
/// let options = RedisOptions::from_url("redis://localhost")?.prefix("my-app")?;
/// let tier = RedisTier::new(options, Codec::new("0.1.0"), Arc::new(SystemClock));
/// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
/// ```
pub struct RedisTier {
    keys: Keys,
    codec: Codec,
    clock: Arc<dyn Clock>,
    runtime: Arc<Runtime>,
    leases: AtomicU64,
}

impl RedisTier {
    /// The limit of an entry that suits a Redis, in bytes, for [`Codec::with_max_len`].
    pub const DEFAULT_MAX_LEN: usize = 8 << 20;

    /// The tier of this server or Cluster. The codec bounds the size of entries.
    #[must_use]
    pub fn new(options: RedisOptions, codec: Codec, clock: Arc<dyn Clock>) -> Self {
        let keys = Keys::new(&options.prefix, &codec);
        let subscriber = Subscriber::new(keys.channel());
        Self {
            keys,
            codec,
            clock,
            runtime: Arc::new(Runtime::new(options, subscriber)),
            leases: AtomicU64::new(0),
        }
    }

    fn put_with(
        &self,
        entry: &Entry,
        token: Option<FencingToken>,
        deadline: Deadline,
    ) -> Result<Written, TierError> {
        let envelope = entry.envelope();
        let (namespace, key) = (&envelope.namespace, &envelope.key);
        let encoded = self.codec.encode(entry)?;
        let now = self.clock.now();
        let subscriber = self.runtime.subscriber();
        let message =
            subscriber.message(namespace, &Pattern::exact(key), Some(envelope.written_at));
        let mut put = scripts::call(scripts::PUT, self.entry_and_fence(namespace, key));
        put.arg(&encoded.bytes)
            .arg(duration_millis(envelope.ttl.keep_for).max(1))
            .arg(to_millis(envelope.written_at))
            .arg(to_millis(now.checked_add(CLOCK_SKEW).unwrap_or(now)))
            .arg(to_millis(now))
            .arg(self.codec.max_len())
            .arg(token.map_or(String::new(), |FencingToken(token)| token.to_string()))
            .arg(duration_millis(FENCE_TTL))
            .arg(subscriber.channel())
            .arg(message);
        match self.runtime.call::<(u8, Bytes)>(put, deadline)? {
            (0, _) => Ok(Written::Stored {
                path: None,
                bytes: encoded.bytes.len() as u64,
                saved: encoded.saved,
                fallback_from: Vec::new(),
            }),
            (1, newer) => {
                let newer = self.codec.decode(newer, namespace, key)?;
                Ok(Written::Superseded(newer))
            }
            _ => Ok(Written::Removed),
        }
    }

    fn entry_and_fence(&self, namespace: &Namespace, key: &Key) -> [String; 2] {
        [
            self.keys.entry(namespace, key),
            self.keys.fence(namespace, key),
        ]
    }
}

impl Tier for RedisTier {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        deadline: Deadline,
    ) -> Result<Option<Found>, TierError> {
        let mut get = scripts::call(scripts::GET, [self.keys.entry(namespace, key)]);
        get.arg(self.codec.max_len());
        let Some(bytes) = self.runtime.call::<Option<Bytes>>(get, deadline)? else {
            return Ok(None);
        };
        let entry = self.codec.decode(bytes, namespace, key)?;
        Ok(Some(Found::new(entry, None)))
    }

    fn put(&self, entry: &Entry, deadline: Deadline) -> Result<Written, TierError> {
        self.put_with(entry, None, deadline)
    }

    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        deadline: Deadline,
    ) -> Result<u64, TierError> {
        let subscriber = self.runtime.subscriber();
        let message = subscriber.message(namespace, pattern, None);
        if let Some(key) = pattern.as_exact() {
            let mut remove = scripts::call(scripts::REMOVE, self.entry_and_fence(namespace, key));
            remove.arg(subscriber.channel()).arg(message);
            return self.runtime.call(remove, deadline);
        }
        let removed = self.remove_matching(namespace, pattern, deadline);
        // After an unfinished scan too: other processes then ignore the rest.
        if !removed.as_ref().is_err_and(TierError::is_tier_failure) {
            let mut publish = cmd("PUBLISH");
            publish.arg(subscriber.channel()).arg(message);
            // A lost message is no error: the others notice the change late.
            let _ = self.runtime.call::<u64>(publish, deadline);
        }
        removed
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        self.heads(&self.keys.entries(Some(namespace)), deadline, |heads| {
            for head in heads {
                let Ok(envelope) = self.codec.peek(&head.bytes) else {
                    continue;
                };
                let name = self.keys.entry(&envelope.namespace, &envelope.key);
                let is_own = name.as_bytes() == head.name && envelope.namespace == *namespace;
                if is_own
                    && envelope.key.starts_with(prefix)
                    && visit(EntryInfo::new(Arc::new(envelope), head.len, None)).is_break()
                {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let mut removed = 0;
        self.heads(&self.keys.entries(None), Deadline::NONE, |heads| {
            let is_useless = |head: &Head| match self.codec.peek(&head.bytes) {
                Ok(envelope) => envelope.is_expired(now),
                // A foreign one belongs to another version.
                Err(error) => error.kind() == TierErrorKind::Corrupt,
            };
            let useless = heads.into_iter().filter(is_useless);
            let cmds = useless.map(|head| {
                let mut remove = scripts::call(scripts::REMOVE_SAME, [head.name]);
                remove.arg(&head.bytes[..]);
                remove
            });
            let counts: Vec<u64> = self.runtime.call_all(cmds.collect(), Deadline::NONE)?;
            removed += counts.iter().sum::<u64>();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(removed)
    }

    fn status(&self) -> TierStatus {
        let address = self.runtime.options().address();
        let get_info = |mut connection: Connection| async move {
            connection.send_to_any::<InfoDict>(cmd("INFO")).await
        };
        let info = match self.runtime.run(Deadline::NONE, get_info) {
            Ok(info) => info,
            Err(error) => {
                return TierStatus {
                    message: error.to_string(),
                    ..TierStatus::default()
                };
            }
        };
        // Only the characters of a version or a role: a server may send anything.
        let word = |name: &str| {
            let word = info.get::<String>(name)?;
            let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            Some(word.chars().filter(is_plain).take(32).collect::<String>())
        };
        let role = word("role").unwrap_or_default();
        let version = word("valkey_version").or_else(|| word("redis_version"));
        let (mut entries, mut bytes) = (0, 0);
        let counted = self.heads(&self.keys.entries(None), Deadline::NONE, |heads| {
            entries += heads.len() as u64;
            bytes += heads.iter().map(|head| head.len).sum::<u64>();
            Ok(ControlFlow::Continue(()))
        });
        TierStatus {
            ok: role == "master",
            message: format!("{role} {} at {address}", version.unwrap_or_default()),
            entries: counted.is_ok().then_some(entries),
            bytes: counted.is_ok().then_some(bytes),
        }
    }

    fn coordinator(&self) -> Option<&dyn Coordinator> {
        Some(self)
    }
}

impl Coordinator for RedisTier {
    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        ttl: Duration,
        deadline: Deadline,
    ) -> Result<Acquired, TierError> {
        let name = self.keys.lease(namespace, key);
        let count = self.leases.fetch_add(1, Ordering::Relaxed);
        let owner = format!("{:x}-{count}", self.runtime.subscriber().sender());
        let keys = [name.clone(), self.keys.fence(namespace, key)];
        let mut lease = scripts::call(scripts::LEASE, keys);
        lease
            .arg(&owner)
            .arg(duration_millis(ttl.min(FENCE_TTL)).max(1))
            .arg(duration_millis(FENCE_TTL));
        let mut release = scripts::call(scripts::RELEASE, [name]);
        release.arg(&owner);
        match self.runtime.call::<Option<u64>>(lease, deadline) {
            Ok(Some(token)) => {
                let runtime = Arc::clone(&self.runtime);
                let release = move || {
                    // After an error the lease expires.
                    if let Err(error) = runtime.call::<u64>(release, Deadline::NONE) {
                        tracing::debug!(%error, "cannot release a lease in Redis");
                    }
                };
                let guard = LeaseGuard::new(Some(FencingToken(token)), release);
                Ok(Acquired::Held(guard))
            }
            Ok(None) => Ok(Acquired::Busy),
            Err(error) => {
                // The server may still grant it, without a holder.
                if error.kind() == TierErrorKind::Timeout {
                    self.runtime.post(release);
                }
                Err(error)
            }
        }
    }

    fn put_if_current(
        &self,
        entry: &Entry,
        token: FencingToken,
        deadline: Deadline,
    ) -> Result<Written, TierError> {
        self.put_with(entry, Some(token), deadline)
    }

    fn subscribe(&self, listener: Listener) {
        self.runtime.subscribe(listener);
    }
}

impl fmt::Debug for RedisTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTier")
            .field("options", self.runtime.options())
            .finish_non_exhaustive()
    }
}
