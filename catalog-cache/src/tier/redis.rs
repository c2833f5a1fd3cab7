//! The tier in Redis or Valkey: what a fleet shares. This file says what each operation asks of the
//! server; how the server is reached is `redis/link`, and in what order processes write is
//! `redis/scripts`.
//!
//! An entry is one string, written as on disk, with a checksum, and it is checked as on disk: who may
//! write to the server can still make up entries, so it is to be guarded like a folder. Redis 6.2 or
//! later, or Valkey, alone or as a Cluster.
//!
//! Besides `SCAN`, `PUBLISH`, `SUBSCRIBE`, `PING`, `INFO` and, in a Cluster, `CLUSTER SLOTS` and `DBSIZE`,
//! everything is a script: a user of its own needs `EVAL`, `EVALSHA` and what the scripts call, on the keys and the
//! channel of the prefix.
//!
//! A caller is held by one operation no longer than [`RedisOptions::timeout`], connecting included; up to
//! twice as long where its own process gets no processor.
//! Scans ask for page after page, each an operation of its own; they look through all keys of the
//! database, so a server with millions of others should give the cache a database of its own. Removing by
//! a pattern is one scan, and ends after [`SWEEP`] in any case.

mod fault;
mod frame;
mod lease;
mod link;
mod listen;
mod names;
mod options;
mod scan;
mod scripts;
mod store;
mod worker;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::{FromRedisValue, Value};

use super::{
    Begun, Change, Found, Health, LeaseOutcome, Listed, Listener, Receipt, Size, Tier, TierError,
    TierErrorKind, one_by_one,
};
use crate::{Clock, Codec, Entry, Key, Namespace, Pattern, Standing, SystemClock};
use fault::Fault;
use listen::Ear;
use names::Names;
use scan::{Limit, Seen};
use scripts::{Call, Scripts};
use worker::Worker;

pub use options::RedisOptions;

/// How long a key's counter outlives its last use: longer than any computation, of which the longest
/// lease is an hour.
const FENCE_FOR: Duration = Duration::from_secs(2 * 3600);
/// How long removing by a pattern may take in all. What is left then is not believed by any process that
/// hears of it, until its cleanup has removed it; nor, for [`CLOCK_SKEW`](crate::CLOCK_SKEW), is
/// what others write in its place.
pub const SWEEP: Duration = Duration::from_secs(2);
/// How long any other look through all keys may take.
const LOOK: Duration = Duration::from_secs(10);

/// The tier in Redis. Construction asks nothing and starts nothing; the first operation starts one
/// thread, which ends with the tier.
///
/// ```no_run
/// use bedrock_catalog_cache::tier::redis::{RedisOptions, RedisTier};
/// use bedrock_catalog_cache::{Cache, Codec, MemoryLimits, Tier};
/// use std::sync::Arc;
///
/// let options = RedisOptions::from_url("redis://localhost")?.prefix("my-app")?;
/// let redis = Arc::new(RedisTier::new(options, Codec::new("0.1.0")));
/// let cache = Cache::builder().memory(MemoryLimits::default()).tier(redis as Arc<dyn Tier>).build()?;
/// # Ok::<(), bedrock_catalog_cache::ConfigError>(())
/// ```
pub struct RedisTier {
    names: Names,
    codec: Codec,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
}

/// What leases keep alive too.
struct Shared {
    scripts: Scripts,
    worker: Worker,
}

impl RedisTier {
    /// The largest entry that is stored or loaded where the caller does not say, in bytes; what a
    /// [`Codec`] for this tier is best given.
    pub const DEFAULT_MAX_LEN: usize = 8 << 20;

    /// The tier of this server or Cluster. The codec bounds what is stored and loaded.
    #[must_use]
    pub fn new(options: RedisOptions, codec: Codec) -> Self {
        let names = Names::new(&options.prefix, &codec);
        let ear = Ear::new(names.channel());
        let worker = Worker::new(options, codec.max_len(), ear);
        let scripts = Scripts::new();
        Self {
            names,
            codec,
            clock: Arc::new(SystemClock),
            shared: Arc::new(Shared { scripts, worker }),
        }
    }

    /// The clock; the system's if not said.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn worker(&self) -> &Worker {
        &self.shared.worker
    }

    /// What to tell other processes.
    fn message(&self, namespace: &Namespace, pattern: &Pattern, change: Change) -> String {
        self.worker().ear().message(namespace, pattern, change)
    }

    /// Removes, and tells nobody.
    fn removing(&self, namespace: &Namespace, key: &Key) -> Call {
        Call::new(&self.shared.scripts.remove)
            .key(self.names.entry(namespace, key))
            .key(self.names.fence(namespace, key))
            .arg(FENCE_FOR.as_millis().to_string())
    }

    /// Makes these calls at once, so many at a time as one operation; their answers in order.
    fn call_all(&self, calls: Vec<Call>) -> Vec<Result<Value, Fault>> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter().peekable();
        while calls.peek().is_some() {
            let batch: Vec<Call> = calls.by_ref().take(scan::BATCH).collect();
            let count = batch.len();
            let all = self.worker().ask(move |connection| async move {
                let asking = batch.into_iter().map(|call| call.on(connection.clone()));
                Ok(scan::all_of(asking).await)
            });
            match all {
                Ok(all) => answers.extend(all),
                // The others would take as long.
                Err(fault) => {
                    let left = count + calls.len();
                    answers.extend(std::iter::repeat_n(Err(fault), left));
                    break;
                }
            }
        }
        answers
    }

    fn tell(&self, message: String) -> Result<(), Fault> {
        let channel = self.worker().ear().channel().to_owned();
        self.worker().ask(move |mut connection| async move {
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(channel).arg(message);
            let told: Result<Value, _> = publish.query_async(&mut connection).await;
            Ok(told.map(drop)?)
        })
    }

    /// Removes what matches of each of these in one scan, also what is being computed of it; how many of
    /// each. Others are told once, when it is done: told before, they would bring back from here what is
    /// not removed yet.
    fn sweep(&self, what: &[(Namespace, Pattern)]) -> Result<Vec<u64>, TierError> {
        let mut removed = vec![0; what.len()];
        let limit = Limit::new(&self.clock, SWEEP);
        let mut of = what.iter().map(|(of, _)| of);
        let one = of.next().filter(|one| of.all(|of| of == *one));
        let names = one.map_or_else(|| self.names.all(), |of| self.names.all_of(of));
        let mut seen = std::collections::HashSet::new();
        let done = scan::pages(self.worker(), &names, &limit, |page| {
            let new = page.iter().filter_map(|name| {
                let name = self.names.parse(name)?;
                let is_its =
                    |(of, pattern): &(_, Pattern)| *of == name.0 && pattern.matches(&name.1);
                let whose = what.iter().position(is_its)?;
                let call = self.removing(&name.0, &name.1);
                seen.insert(name).then_some((whose, call))
            });
            let mut new = new.peekable();
            while new.peek().is_some() {
                limit.check()?;
                let (whose, calls): (Vec<usize>, _) = new.by_ref().take(scan::BATCH).unzip();
                for (whose, answer) in whose.into_iter().zip(self.call_all(calls)) {
                    let count = number(answer)?;
                    if let Some(all) = removed.get_mut(whose) {
                        *all += count;
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        });
        let change = match &done {
            Ok(()) => Change::Removed,
            Err(error) if error.kind() == TierErrorKind::TooLarge => Change::PartlyRemoved,
            // Nor could others be told.
            Err(_) => return done.map(|()| removed),
        };
        // Who misses it does not listen, and asks below when it does again: a failure is none.
        let _ = one_by_one(what, |of, pattern| {
            Ok(self.tell(self.message(of, pattern, change))?)
        });
        done.map(|()| removed)
    }

    /// Shows each entry with its first bytes, page by page.
    fn look_through(
        &self,
        names: &str,
        mut visit: impl FnMut(Vec<Seen>) -> Result<ControlFlow<()>, TierError>,
    ) -> Result<(), TierError> {
        let mut known = std::collections::HashSet::new();
        let limit = Limit::new(&self.clock, LOOK);
        scan::pages(self.worker(), names, &limit, |page| {
            let new = page.into_iter();
            let new: Vec<Vec<u8>> = new.filter(|name| known.insert(name.clone())).collect();
            for batch in new.chunks(scan::BATCH) {
                let batch = batch.to_vec();
                let look = move |connection| scan::look(connection, batch);
                if visit(self.worker().ask(look)?)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

impl Tier for RedisTier {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError> {
        let call = self.getting(namespace, key);
        let answer = self.worker().ask(move |connection| call.on(connection));
        self.got(namespace, key, answer)
    }

    fn put(&self, entry: &Entry) -> Result<Receipt, TierError> {
        self.store(entry, None)
    }

    fn put_begun(&self, entry: &Entry, begun: &Begun) -> Result<Receipt, TierError> {
        self.store(entry, Some(begun))
    }

    fn begin(&self, namespace: &Namespace, key: &Key) -> Result<Option<u64>, TierError> {
        let call = Call::new(&self.shared.scripts.draw)
            .key(self.names.fence(namespace, key))
            .arg(FENCE_FOR.as_millis().to_string());
        let answer = self.worker().ask(move |connection| call.on(connection));
        token(answer?).map(Some)
    }

    fn on_change(&self, listener: Listener) {
        self.worker().ear().set(listener);
    }

    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError> {
        let pattern = Pattern::exact(key);
        let call = self
            .removing(namespace, key)
            .arg(self.worker().ear().channel().to_owned())
            .arg(self.message(namespace, &pattern, Change::Removed));
        let answer = self.worker().ask(move |connection| call.on(connection));
        Ok(number(answer)? > 0)
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        self.look_through(&self.names.entries_of(namespace), |page| {
            for seen in page {
                // What is not ours to read is left out.
                let Ok(envelope) = self.codec.peek(&seen.head) else {
                    continue;
                };
                let is_there = self.names.parse(&seen.name)
                    == Some((envelope.namespace, envelope.key.clone()));
                if !is_there || !envelope.key.starts_with(prefix) {
                    continue;
                }
                let listed = Listed {
                    envelope: Arc::new(envelope),
                    bytes: seen.bytes,
                    path: None,
                    accesses: None,
                    last_access: None,
                };
                if visit(listed).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        let mut removed = 0;
        self.look_through(&self.names.entries(), |page| {
            let is_useless = |seen: &Seen| match self.codec.peek(&seen.head) {
                Ok(envelope) => envelope.standing(now) == Standing::Expired,
                // Another version's is left to it.
                Err(error) => error.kind() == TierErrorKind::Corrupt,
            };
            let useless = page.into_iter().filter(is_useless).map(|seen| {
                // Only what was looked at: it may have been replaced since.
                Call::new(&self.shared.scripts.remove_same)
                    .key(seen.name)
                    .arg(seen.head)
            });
            for answer in self.call_all(useless.collect()) {
                removed += number(answer)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(removed)
    }

    fn size(&self) -> Result<Size, TierError> {
        let mut size = Size::default();
        self.look_through(&self.names.entries(), |page| {
            size.entries += page.len() as u64;
            size.bytes += page.iter().map(|seen| seen.bytes).sum::<u64>();
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(size)
    }

    fn health(&self) -> Health {
        let places = self.worker().options().places();
        let told = self.worker().ask(scan::introduce);
        match told {
            Ok(told) => Health {
                ok: told.takes_writes,
                message: format!("{told} at {places}"),
            },
            Err(fault) => Health {
                ok: false,
                message: format!("{} at {places}", TierError::from(fault)),
            },
        }
    }

    fn get_many(
        &self,
        namespace: &Namespace,
        keys: &[Key],
    ) -> Vec<Result<Option<Found>, TierError>> {
        let calls = keys
            .iter()
            .map(|key| self.getting(namespace, key))
            .collect();
        let answers = keys.iter().zip(self.call_all(calls));
        answers
            .map(|(key, answer)| self.got(namespace, key, answer))
            .collect()
    }

    fn put_many(&self, entries: &[Entry]) -> Vec<Result<Receipt, TierError>> {
        let encoded: Vec<_> = entries
            .iter()
            .map(|entry| self.codec.encode(entry))
            .collect();
        let calls = entries.iter().zip(&encoded).filter_map(|(entry, encoded)| {
            let bytes = encoded.as_ref().ok()?.bytes.clone();
            Some(self.putting(entry, bytes, None, true))
        });
        let mut answers = self.call_all(calls.collect()).into_iter();
        let done = |(entry, encoded): (&Entry, Result<crate::Encoded, TierError>)| {
            let encoded = encoded?;
            let receipt = Receipt {
                bytes: encoded.bytes.len() as u64,
                saved: encoded.saved,
                ..Receipt::default()
            };
            let answer = answers.next().unwrap_or_else(|| Err(Fault::timeout()));
            match self.put_is_done(entry, receipt, answer)? {
                Some(receipt) => Ok(receipt),
                None => self.store(entry, None),
            }
        };
        entries.iter().zip(encoded).map(done).collect()
    }

    fn remove_matching(&self, namespace: &Namespace, pattern: &Pattern) -> Result<u64, TierError> {
        let removed = self.sweep(&[(*namespace, pattern.clone())])?;
        Ok(removed.iter().sum())
    }

    fn invalidate_many(
        &self,
        what: &[(Namespace, Pattern)],
        is_brief: bool,
    ) -> Vec<Result<Option<u64>, TierError>> {
        let is_one = |(_, pattern): &(_, Pattern)| pattern.as_exact().is_some();
        if is_brief || what.iter().any(is_one) {
            return one_by_one(what, |of, pattern| match pattern.as_exact() {
                None if is_brief => {
                    self.tell(self.message(of, pattern, Change::PartlyRemoved))?;
                    Ok(None)
                }
                _ => self.invalidate(of, pattern).map(Some),
            });
        }
        match self.sweep(what) {
            Ok(removed) => removed.into_iter().map(|of_it| Ok(Some(of_it))).collect(),
            Err(error) => vec![Err(error)],
        }
    }

    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        wait: Duration,
        lease: Duration,
    ) -> Result<LeaseOutcome, TierError> {
        self.lease(namespace, key, wait, lease)
    }
}

impl fmt::Debug for RedisTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisTier")
            .field("options", self.worker().options())
            .finish_non_exhaustive()
    }
}

fn number(answer: Result<Value, Fault>) -> Result<u64, TierError> {
    let number = u64::from_redis_value(answer?);
    number.map_err(|_| Fault::protocol("another kind of value").into())
}

fn token(answer: Value) -> Result<u64, TierError> {
    number(Ok(answer))
}
