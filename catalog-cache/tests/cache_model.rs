//! The cache under concurrent calls: invalidations, loads and reads of one key.
//!
//! `cargo test` runs each scenario on threads. `scripts/models` builds with `--cfg shuttle` and runs each
//! under thousands of schedules of a model checker, which prints a failing one for replay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{
    BreakerLimits, Cache, Clock, Deadline, Entry, EntryInfo, EntryOptions, Envelope, Found, Join,
    Key, ManualClock, MemoryLimits, Namespace, Pattern, Settings, SingleFlight, Tier, TierError,
    TierErrorKind, TierStatus, Ttl, Written,
};

#[cfg(not(shuttle))]
mod run {
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub(crate) use std::thread;

    pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
        let is_long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some();
        for _ in 0..if is_long { 20_000 } else { 300 } {
            model();
        }
    }
}

#[cfg(shuttle)]
mod run {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use shuttle::thread;

    pub(crate) fn check(model: impl Fn() + Send + Sync + Clone + 'static) {
        let is_long = std::env::var_os("BEDROCK_CATALOG_LONG").is_some();
        let schedules = if is_long { 20_000 } else { 1_000 };
        shuttle::check_random(model.clone(), schedules);
        shuttle::check_pct(model, schedules, 3);
    }
}

use run::{Mutex, MutexGuard, check, thread};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

fn spawn_all(all: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = all.into_iter().map(thread::spawn).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A lower tier that other threads may interrupt in each call, and whose calls may fail.
#[derive(Clone, Default)]
struct Below(Arc<Inner>);

#[derive(Default)]
struct Inner {
    entries: Mutex<BTreeMap<Key, Entry>>,
    is_failing: Mutex<bool>,
    calls: AtomicU64,
}

impl std::fmt::Debug for Below {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Below")
    }
}

impl Below {
    fn entries(&self) -> Result<MutexGuard<'_, BTreeMap<Key, Entry>>, TierError> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        thread::yield_now();
        if *lock(&self.0.is_failing) {
            return Err(TierError::new(TierErrorKind::Unavailable, "down"));
        }
        Ok(lock(&self.0.entries))
    }

    fn fail(&self, is_failing: bool) {
        *lock(&self.0.is_failing) = is_failing;
    }
}

impl Tier for Below {
    fn name(&self) -> &'static str {
        "below"
    }

    fn get(&self, _: &Namespace, key: &Key, _: Deadline) -> Result<Option<Found>, TierError> {
        let entry = self.entries()?.get(key).cloned();
        thread::yield_now();
        Ok(entry.map(|entry| Found::new(entry, None)))
    }

    fn put(&self, entry: &Entry, _: Deadline) -> Result<Written, TierError> {
        let key = entry.envelope().key.clone();
        self.entries()?.insert(key, entry.clone());
        Ok(Written::Stored {
            path: None,
            bytes: 0,
            saved: 0,
            fallback_from: Vec::new(),
        })
    }

    fn remove(&self, _: &Namespace, pattern: &Pattern, _: Deadline) -> Result<u64, TierError> {
        let mut entries = self.entries()?;
        let before = entries.len();
        entries.retain(|key, _| !pattern.matches(key));
        Ok((before - entries.len()) as u64)
    }

    fn scan(
        &self,
        _: &Namespace,
        _: &str,
        _: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let entries = self.entries()?.clone();
        for entry in entries.into_values() {
            let (envelope, _) = entry.into_parts();
            let _ = visit(EntryInfo::new(envelope, 0, None));
        }
        Ok(())
    }

    fn cleanup(&self, _: SystemTime) -> Result<u64, TierError> {
        Ok(0)
    }

    fn status(&self) -> TierStatus {
        TierStatus::default()
    }
}

const OLD: &str = "old";

#[derive(Clone)]
struct Stage {
    cache: Cache,
    below: Below,
    clock: ManualClock,
}

fn key() -> Key {
    Key::new("the", "one", "key")
}

fn options() -> EntryOptions {
    EntryOptions::source("model")
}

impl Stage {
    /// A cache of memory over a tier that holds an old entry.
    fn new() -> Self {
        let mut settings = Settings::default();
        settings.breaker = BreakerLimits {
            failures: 3,
            pause: Duration::from_secs(60),
        };
        let (below, clock) = (Below::default(), ManualClock::new());
        let cache = Cache::builder()
            .memory(MemoryLimits::default())
            .tier(below.clone())
            .clock(clock.clone())
            .settings(settings)
            .build()
            .unwrap();
        let day = Duration::from_secs(86_400);
        let envelope = Envelope {
            key: key(),
            namespace: cache.namespace(),
            written_at: clock.now() - Duration::from_secs(1),
            ttl: Ttl {
                fresh_for: day,
                keep_for: day,
            },
            source: "model".into(),
            package_version: "0.1.0".into(),
        };
        let entry = Entry::new(envelope, OLD.into());
        lock(&below.0.entries).insert(key(), entry);
        Self {
            cache,
            below,
            clock,
        }
    }

    fn read(&self) -> Option<String> {
        let hit = self.cache.get(&key()).into_hit()?;
        Some(String::from_utf8(hit.data.to_vec()).unwrap())
    }

    fn below(&self) -> Option<String> {
        let entries = lock(&self.below.0.entries);
        let entry = entries.get(&key())?;
        Some(String::from_utf8(entry.payload().to_vec()).unwrap())
    }

    fn reads(&self) -> Box<dyn FnOnce() + Send> {
        let stage = self.clone();
        Box::new(move || drop(stage.read()))
    }

    fn runs(&self, work: impl FnOnce(&Self) + Send + 'static) -> Box<dyn FnOnce() + Send> {
        let stage = self.clone();
        Box::new(move || work(&stage))
    }
}

#[test]
fn nothing_invalidated_comes_back_through_a_promotion() {
    for pattern in [Pattern::exact(&key()), Pattern::all()] {
        check(move || {
            let (stage, pattern) = (Stage::new(), pattern.clone());
            spawn_all(vec![
                stage.reads(),
                stage.reads(),
                stage.runs(move |stage| {
                    stage.cache.invalidate(&pattern);
                    assert_eq!(stage.read(), None);
                }),
            ]);
            assert_eq!((stage.read(), stage.below()), (None, None));
        });
    }
}

#[test]
fn nothing_newer_is_replaced_by_a_promotion() {
    check(|| {
        let stage = Stage::new();
        spawn_all(vec![
            stage.reads(),
            stage.reads(),
            stage.runs(|stage| {
                stage.cache.put(&key(), "new", &options());
                assert_eq!(stage.read().as_deref(), Some("new"));
            }),
        ]);
        assert_eq!(stage.read().as_deref(), Some("new"));
    });
}

#[test]
fn nothing_newer_is_replaced_by_a_slower_fetch() {
    check(|| {
        let stage = Stage::new();
        let token = stage.cache.load_token(&key());
        spawn_all(vec![
            stage.runs(|stage| drop(stage.cache.put(&key(), "new", &options()))),
            stage.runs(move |stage| {
                drop(stage.cache.put_if_current(&token, "slow", &options()));
            }),
        ]);
        // The fetch began before: it is never the last.
        assert_eq!(stage.read().as_deref(), Some("new"));
        assert_eq!(stage.below().as_deref(), Some("new"));
    });
}

#[test]
fn concurrent_writes_leave_the_tiers_equal() {
    check(|| {
        let stage = Stage::new();
        let writes = |data: &'static str| {
            stage.runs(move |stage| drop(stage.cache.put(&key(), data, &options())))
        };
        spawn_all(vec![writes("one"), writes("two"), stage.reads()]);
        assert_eq!(stage.read(), stage.below());
    });
}

/// The source changes, then the key is removed. A load that read the source before, and reads of both
/// tiers, are under way. No read after the removal returns the old value.
fn invalidate_against_load_against_read(load: fn(&Stage, &dyn Fn() -> &'static str)) {
    check(move || {
        let stage = Stage::new();
        let source = Arc::new(Mutex::new(OLD));
        let (asked, changed) = (Arc::clone(&source), source);
        let is_removed = Arc::new(Mutex::new(false));
        let removed = Arc::clone(&is_removed);
        spawn_all(vec![
            stage.runs(move |stage| load(stage, &|| *lock(&asked))),
            stage.runs(move |stage| {
                *lock(&changed) = "new";
                stage.cache.remove(&key());
                *lock(&removed) = true;
                assert_ne!(
                    stage.read().as_deref(),
                    Some(OLD),
                    "came back to the remover"
                );
            }),
            stage.runs(move |stage| {
                for _ in 0..2 {
                    let is_after = *lock(&is_removed);
                    let read = stage.read();
                    assert!(
                        !is_after || read.as_deref() != Some(OLD),
                        "came back to a reader"
                    );
                }
            }),
        ]);
        assert_ne!(stage.read().as_deref(), Some(OLD), "came back");
        assert_ne!(stage.below().as_deref(), Some(OLD), "came back below");
    });
}

#[test]
fn nothing_invalidated_comes_back_through_a_load() {
    invalidate_against_load_against_read(|stage, source| {
        lock(&stage.below.0.entries).clear();
        let load = || Ok::<_, String>(source().into());
        assert!(stage.cache.get_or_load(&key(), &options(), load).is_ok());
    });
}

#[test]
fn nothing_invalidated_comes_back_through_a_fetch_by_hand() {
    invalidate_against_load_against_read(|stage, source| {
        let token = stage.cache.load_token(&key());
        let value = source();
        thread::yield_now();
        stage.cache.put_if_current(&token, value, &options());
    });
}

/// Stored without a token the old value comes back: the model notices.
#[cfg(shuttle)]
#[test]
#[should_panic(expected = "came back")]
fn the_model_notices_a_fetch_without_a_token() {
    invalidate_against_load_against_read(|stage, source| {
        let value = source();
        thread::yield_now();
        stage.cache.put(&key(), value, &options());
    });
}

/// The tier missed a removal. While cleanup repeats it, the key is read and written: the old value does
/// not come back, and the new one stays.
#[test]
fn nothing_invalidated_comes_back_through_a_repeated_removal() {
    check(|| {
        let stage = Stage::new();
        stage.below.fail(true);
        stage.cache.remove(&key());
        stage.below.fail(false);
        assert_eq!(stage.below().as_deref(), Some(OLD));
        spawn_all(vec![
            stage.runs(|stage| assert_ne!(stage.read().as_deref(), Some(OLD))),
            stage.runs(|stage| {
                let _ = stage.cache.cleanup();
            }),
            stage.runs(|stage| drop(stage.cache.put(&key(), "new", &options()))),
        ]);
        assert_eq!(stage.read().as_deref(), Some("new"));
        assert_eq!(stage.below().as_deref(), Some("new"));
    });
}

#[test]
fn concurrent_loads_of_one_key_load_once() {
    check(|| {
        let stage = Stage::new();
        lock(&stage.below.0.entries).clear();
        let loads = Arc::new(AtomicU64::new(0));
        let caller = || {
            let loads = Arc::clone(&loads);
            stage.runs(move |stage| {
                let load = || {
                    loads.fetch_add(1, Ordering::SeqCst);
                    thread::yield_now();
                    Ok::<_, String>("new".into())
                };
                let answer = stage.cache.get_or_load(&key(), &options(), load).unwrap();
                assert_eq!(answer.into_hit().unwrap().data, "new");
            })
        };
        spawn_all((0..3).map(|_| caller()).collect());
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_failure_is_shared_by_the_callers_that_wait() {
    check(|| {
        let stage = Stage::new();
        lock(&stage.below.0.entries).clear();
        let loads = Arc::new(AtomicU64::new(0));
        let caller = || {
            let loads = Arc::clone(&loads);
            stage.runs(move |stage| {
                let load = || {
                    loads.fetch_add(1, Ordering::SeqCst);
                    Err("down")
                };
                assert!(stage.cache.get_or_load(&key(), &options(), load).is_err());
            })
        };
        spawn_all((0..3).map(|_| caller()).collect());
        assert_eq!(loads.load(Ordering::SeqCst), 1);
    });
}

/// Each caller's value comes from work that began after its call, and no two run at once.
#[test]
fn work_that_is_joined_next_begins_after_the_call() {
    check(|| {
        let flight = Arc::new(SingleFlight::<u8, u64>::new());
        let time = Arc::new(AtomicU64::new(1));
        let is_running = Arc::new(Mutex::new(false));
        let caller = || -> Box<dyn FnOnce() + Send> {
            let (flight, time) = (Arc::clone(&flight), Arc::clone(&time));
            let is_running = Arc::clone(&is_running);
            Box::new(move || {
                let called = time.fetch_add(1, Ordering::SeqCst);
                let began = flight.run_blocking(1, Join::Next, || {
                    assert!(!std::mem::replace(&mut *lock(&is_running), true));
                    let began = time.fetch_add(1, Ordering::SeqCst);
                    thread::yield_now();
                    *lock(&is_running) = false;
                    began
                });
                assert!(began > called, "began at {began}, called at {called}");
            })
        };
        spawn_all((0..4).map(|_| caller()).collect());
        assert_eq!(flight.callers(), 0);
    });
}

#[test]
fn one_probe_at_a_time_calls_a_failing_tier() {
    check(|| {
        let stage = Stage::new();
        stage.below.fail(true);
        for n in 0..3 {
            let _ = stage.cache.get(&Key::new("no", "such", &n.to_string()));
        }
        stage.clock.advance(Duration::from_secs(60));
        let before = stage.below.0.calls.load(Ordering::SeqCst);
        spawn_all((0..3).map(|_| stage.reads()).collect());
        assert_eq!(stage.below.0.calls.load(Ordering::SeqCst) - before, 1);
    });
}
