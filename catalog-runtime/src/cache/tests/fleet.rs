//! What the cache makes of a tier that processes share: leases of several tiers, numbers, what a tier
//! keeps instead of ours, and what it tells of other processes.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::cache::testing::Op;
use crate::cache::tier::{Found, Health, Listed, Listener, Receipt, Size};
use crate::cache::{Begun, Change, Changed, Clock, Entry, Pattern, Tier, TierError};

/// A tier that is told what to answer, over one that works.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    next: u64,
    begun: Vec<Begun>,
    instead: Option<fn(&Entry) -> Receipt>,
    listener: Option<Listener>,
    holds: Option<Key>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Tier for Shared {
    fn name(&self) -> &'static str {
        "shared"
    }
    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError> {
        let holds = self.0.lock().unwrap().holds.as_ref() == Some(key);
        let entry = || {
            let at = SystemTime::UNIX_EPOCH;
            crate::cache::testing::conformance::entry(*namespace, key, "theirs", at, 100_000 * DAY)
        };
        Ok(holds.then(|| Found::new(entry(), None)))
    }
    fn put(&self, _: &Entry) -> Result<Receipt, TierError> {
        Ok(Receipt::default())
    }
    fn put_begun(&self, entry: &Entry, begun: &Begun) -> Result<Receipt, TierError> {
        let mut told = self.0.lock().unwrap();
        told.begun.push(*begun);
        Ok(match told.instead {
            Some(instead) => instead(entry),
            None => Receipt::default(),
        })
    }
    fn begin(&self, _: &Namespace, _: &Key) -> Result<Option<u64>, TierError> {
        let mut told = self.0.lock().unwrap();
        told.next += 1;
        Ok(Some(told.next))
    }
    fn on_change(&self, listener: Listener) {
        self.0.lock().unwrap().listener = Some(listener);
    }
    fn remove(&self, _: &Namespace, _: &Key) -> Result<bool, TierError> {
        Ok(false)
    }
    fn scan(
        &self,
        _: &Namespace,
        _: &str,
        _: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        Ok(())
    }
    fn clear(&self, _: &Namespace) -> Result<u64, TierError> {
        Ok(0)
    }
    fn cleanup(&self, _: SystemTime) -> Result<u64, TierError> {
        Ok(0)
    }
    fn size(&self) -> Result<Size, TierError> {
        Ok(Size::default())
    }
    fn health(&self) -> Health {
        Health {
            ok: true,
            message: String::new(),
        }
    }
}

/// Memory, files that work, and a tier that processes share.
fn over(shared: &Shared) -> (Cache, ManualClock, FaultyTier) {
    let (clock, files) = (ManualClock::new(), FaultyTier::new("files"));
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(files.clone())
        .tier(Arc::new(shared.clone()) as Arc<dyn Tier>)
        .clock(clock.clone())
        .build()
        .unwrap();
    (cache, clock, files)
}

fn data(cache: &Cache) -> Option<Vec<u8>> {
    cache.get(&key(1)).into_hit().map(|hit| hit.data.to_vec())
}

#[test]
fn the_leases_of_all_tiers_are_held_together() {
    let stage = Stage::new();
    let leases = [0, 1].map(|_| Arc::new(Mutex::new(BTreeSet::new())));
    for (tier, leases) in stage.lower.iter().zip(&leases) {
        tier.share_leases(leases);
    }
    let held = || {
        leases
            .iter()
            .map(|leases| leases.lock().unwrap().len())
            .sum::<usize>()
    };
    let computed = stage.cache.get_or_compute(&key(1), &terms(), || {
        assert_eq!(held(), 2);
        Ok::<_, String>("v".into())
    });
    assert!(computed.unwrap().is_fresh());
    assert_eq!(held(), 0, "a lease is not given back");
    // Busy in the lower one: what is stale is served, and the upper one's is given back.
    stage.clock.advance(2 * DAY);
    leases[1].lock().unwrap().insert((ns(), key(1)));
    let computed = stage
        .cache
        .get_or_compute(&key(1), &terms(), || Ok::<_, String>("w".into()));
    assert_eq!(computed.unwrap().into_hit().unwrap().data.as_ref(), b"v");
    assert_eq!(leases[0].lock().unwrap().len(), 0);
    // A tier that fails gives none, and the other still does.
    stage.lower[0].plan(|op| (op == Op::Lease).then_some(crate::cache::TierErrorKind::Timeout));
    leases[1].lock().unwrap().clear();
    let computed = stage.cache.get_or_compute(&key(1), &terms(), || {
        assert_eq!(held(), 1);
        Ok::<_, String>("w".into())
    });
    assert_eq!(computed.unwrap().into_hit().unwrap().data.as_ref(), b"w");
}

/// Who has a lease.
type Leased = Arc<Mutex<BTreeSet<(Namespace, Key)>>>;

/// A tier whose leases are seen, and the set of them.
fn leasing(stage: &Stage) -> (FaultyTier, Leased) {
    let leases = Arc::default();
    stage.lower[1].share_leases(&leases);
    (stage.lower[1].clone(), leases)
}

#[test]
fn leases_are_given_back_by_a_panic_and_by_a_dropped_future() {
    let stage = Stage::new();
    let (tier, leases) = leasing(&stage);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        stage
            .cache
            .get_or_compute(&key(1), &terms(), || -> Result<bytes::Bytes, String> {
                assert_eq!(leases.lock().unwrap().len(), 1);
                panic!("in compute")
            })
    }));
    assert!(panicked.is_err());
    assert_eq!(leases.lock().unwrap().len(), 0, "given back in place");
    let (key, terms, computing) = (key(2), terms(), std::cell::Cell::new(false));
    let mut dropped = Box::pin(stage.cache.get_or_compute_async(&key, &terms, || async {
        computing.set(true);
        std::future::pending::<Result<bytes::Bytes, String>>().await
    }));
    futures_lite::future::block_on(futures_lite::future::poll_fn(|cx| {
        let polled = dropped.as_mut().poll(cx);
        assert!(polled.is_pending());
        if computing.get() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    }));
    assert_eq!(leases.lock().unwrap().len(), 1);
    // On another thread: a future is dropped where nothing may block.
    let dropping = std::thread::current().id();
    tier.before(move |op| {
        assert!(op != Op::Release || std::thread::current().id() != dropping);
    });
    drop(dropped);
    let start = Instant::now();
    while !leases.lock().unwrap().is_empty() {
        assert!(start.elapsed() < 60 * SECOND, "never given back");
        std::thread::yield_now();
    }
}

#[test]
fn a_lease_is_left_to_itself_where_its_tier_is_not_asked() {
    let stage = Stage::new();
    let (tier, leases) = leasing(&stage);
    let fails = tier.clone();
    let computed = stage.cache.get_or_compute(&key(1), &terms(), || {
        fails.fail(crate::cache::TierErrorKind::Unavailable);
        // The breaker opens.
        (0..5).for_each(|n| drop(stage.cache.get(&key(format!("missing{n}")))));
        Ok::<_, String>("v".into())
    });
    assert!(computed.unwrap().is_fresh());
    assert_eq!(tier.calls(Op::Release), 0);
    assert_eq!(leases.lock().unwrap().len(), 1, "it runs out by itself");
    // Where giving it back fails, that counts like any other failure.
    let stage = Stage::new();
    let (tier, _leases) = leasing(&stage);
    tier.plan(|op| (op == Op::Release).then_some(crate::cache::TierErrorKind::Unavailable));
    let computed = stage
        .cache
        .get_or_compute(&key(1), &terms(), || Ok::<_, String>("v".into()));
    assert!(computed.unwrap().is_fresh());
    let errors = |tier: &crate::cache::TierStatistics| (tier.name, tier.errors);
    let errors: Vec<_> = stage.cache.statistics().tiers.iter().map(errors).collect();
    assert_eq!(errors, [("memory", 0), ("middle", 0), ("bottom", 1)]);
}

/// What each of the lower tiers was asked, in all.
fn asked(stage: &Stage) -> [u64; 2] {
    let ops = [Op::Get, Op::Put, Op::Lease, Op::Release];
    let sum = |tier: &FaultyTier| ops.iter().map(|op| tier.calls(*op)).sum();
    [sum(&stage.lower[0]), sum(&stage.lower[1])]
}

#[test]
fn a_tier_that_does_not_answer_in_time_is_asked_once_in_a_call() {
    use crate::cache::TierErrorKind::Timeout;
    let compute = |stage: &Stage, n: u32, is_async: bool, fails: bool| {
        let made = || match fails {
            true => Err("down".to_owned()),
            false => Ok(bytes::Bytes::from("v")),
        };
        let (key, terms) = (key(n), terms());
        let answer = match is_async {
            true => futures_lite::future::block_on(stage.cache.get_or_compute_async(
                &key,
                &terms,
                || async { made() },
            )),
            false => stage.cache.get_or_compute(&key, &terms, made),
        };
        assert_eq!(answer.is_err(), fails);
    };
    for is_async in [false, true] {
        for fails in [false, true] {
            let stage = Stage::new();
            stage.lower[1].fail(Timeout);
            compute(&stage, 1, is_async, fails);
            assert_eq!(asked(&stage)[1], 1);
            // The next call asks again.
            compute(&stage, 2, is_async, fails);
            assert_eq!(asked(&stage)[1], 2);
            // And what was not stored there is not believed to be there.
            stage.lower[1].heal();
            assert!(!stage.lower[1].holds(&ns(), &key(1)));
        }
    }
    // From whatever operation on it hangs; other failures cost no time.
    for (op, most) in [(Op::Lease, 3), (Op::Put, 5), (Op::Release, 6)] {
        let stage = Stage::new();
        let (tier, _leases) = leasing(&stage);
        let before = tier.clone();
        let hangs = Arc::new(std::sync::atomic::AtomicBool::new(false));
        tier.plan(move |now| {
            let hang = hangs.fetch_or(now == op, std::sync::atomic::Ordering::SeqCst);
            (hang || now == op).then_some(Timeout)
        });
        compute(&stage, 1, false, false);
        let errors = stage.cache.statistics().tiers[2].errors;
        assert_eq!((asked(&stage)[1], errors), (most, 1), "{op:?}");
        assert_eq!(before.calls(op), 1);
    }
}

#[test]
fn a_lookup_does_not_copy_to_a_tier_that_did_not_answer_in_time() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "v", &terms());
    stage
        .cache
        .invalidate_in("memory", &crate::cache::Pattern::all());
    let before = asked(&stage)[0];
    stage.lower[0].fail(crate::cache::TierErrorKind::Timeout);
    assert_eq!(data(&stage.cache).as_deref(), Some(b"v".as_slice()));
    assert_eq!(asked(&stage)[0] - before, 1);
}

#[test]
fn a_computation_is_stored_with_its_number_or_its_time() {
    let shared = Shared::default();
    let (cache, clock, _) = over(&shared);
    let began = clock.now();
    let (plain, numbered) = (cache.watch(&key(1)), cache.watch_shared(&key(2)));
    clock.advance(HOUR);
    assert!(cache.put_unless_overtaken(&plain, "v", &terms()).is_some());
    assert!(
        cache
            .put_unless_overtaken(&numbered, "v", &terms())
            .is_some()
    );
    let (at, begun) = (began, shared.0.lock().unwrap().begun.clone());
    let token = Some(1);
    assert_eq!(begun, [Begun { token: None, at }, Begun { token, at }]);
    // What is simply put has no beginning.
    cache.put(&key(1), "v", &terms());
    assert_eq!(shared.0.lock().unwrap().begun.len(), 2);
}

#[test]
fn the_tiers_above_follow_what_a_shared_tier_keeps() {
    let shared = Shared::default();
    let (cache, ..) = over(&shared);
    // Computed later, by a process whose clock is behind.
    shared.0.lock().unwrap().instead = Some(|entry| {
        let mut envelope = entry.envelope().clone();
        envelope.written_at -= Duration::from_secs(60);
        Receipt {
            superseded_by: Some(Entry::new(envelope, "theirs".into())),
            ..Receipt::default()
        }
    });
    let stored = cache.put_unless_overtaken(&cache.watch(&key(1)), "ours", &terms());
    assert_eq!(stored.unwrap().tiers, ["memory", "files"]);
    assert_eq!(data(&cache).as_deref(), Some(b"theirs".as_slice()));
    // Removed by another process meanwhile.
    shared.0.lock().unwrap().instead = Some(|_| Receipt {
        removed_since: true,
        ..Receipt::default()
    });
    let stored = cache.put_unless_overtaken(&cache.watch(&key(1)), "ours", &terms());
    assert!(stored.unwrap().tiers.is_empty());
    assert_eq!(data(&cache), None);
}

#[test]
fn what_another_process_changed_is_not_believed_above() {
    let shared = Shared::default();
    let (cache, clock, files) = over(&shared);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    cache.on_change(move |_, changed| hear.lock().unwrap().push(changed.clone()));
    let listener = shared.0.lock().unwrap().listener.clone().unwrap();
    let tell = |pattern: Pattern, change| {
        let before = heard.lock().unwrap().len();
        listener(Changed {
            namespace: ns(),
            pattern,
            change,
        });
        let start = Instant::now();
        while heard.lock().unwrap().len() == before {
            assert!(start.elapsed() < 60 * SECOND, "nobody was told");
            std::thread::yield_now();
        }
    };
    let written = |key: Key, at| tell(Pattern::exact(&key), Change::Written(at));
    let removed = |pattern: Pattern| tell(pattern, Change::Removed);
    cache.put(&key(1), "v", &terms());
    // As old as what is here, or older: nothing to doubt.
    written(key(1), clock.now());
    written(key(1), clock.now() - SECOND);
    assert_eq!(data(&cache).as_deref(), Some(b"v".as_slice()));
    // Newer: what is here is not the answer any more, in no tier above.
    written(key(1), clock.now() + SECOND);
    assert_eq!(data(&cache), None);
    // Other keys are.
    removed(Pattern::exact(&key(2)));
    clock.advance(2 * SECOND);
    cache.put(&key(1), "w", &terms());
    assert_eq!(data(&cache).as_deref(), Some(b"w".as_slice()));
    removed(Pattern::exact(&key(1)));
    assert_eq!(data(&cache), None);
    // A message from the far future counts for no more than a clock that is a little ahead.
    cache.put(&key(1), "x", &terms());
    written(key(1), clock.now() + 1000 * DAY);
    assert_eq!(data(&cache), None);
    clock.advance(HOUR);
    cache.put(&key(1), "y", &terms());
    assert_eq!(data(&cache).as_deref(), Some(b"y".as_slice()));
    // Many at once: they are removed above, and others are not.
    removed(Pattern::under(["others"]));
    assert_eq!(data(&cache).as_deref(), Some(b"y".as_slice()));
    removed(Pattern::under(["things"]));
    assert_eq!(data(&cache), None);
    assert!(!files.holds(&ns(), &key(1)));
}

#[test]
fn what_another_process_could_not_remove_is_not_believed_here_either() {
    let shared = Shared::default();
    let (cache, ..) = over(&shared);
    shared.0.lock().unwrap().holds = Some(key(1));
    assert_eq!(data(&cache).as_deref(), Some(b"theirs".as_slice()));
    let (told, hear) = std::sync::mpsc::channel();
    cache.on_change(move |_, _| told.send(()).unwrap_or(()));
    let listener = shared.0.lock().unwrap().listener.clone().unwrap();
    listener(Changed {
        namespace: ns(),
        pattern: Pattern::under(["things"]),
        change: Change::PartlyRemoved,
    });
    hear.recv_timeout(60 * SECOND).unwrap();
    assert_eq!(data(&cache), None);
}

#[test]
fn many_messages_at_once_are_one_after_another_and_none_is_missed() {
    let shared = Shared::default();
    let (cache, _, files) = over(&shared);
    let listener = shared.0.lock().unwrap().listener.clone().unwrap();
    let (told, hear) = std::sync::mpsc::channel();
    cache.on_change(move |_, changed| drop(told.send(changed.clone())));
    cache.put(&key(999), "v", &terms());
    // The first waits in the tier until all are there.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    files.before(move |op| {
        if op == Op::Scan {
            let _ = wait.lock().unwrap().recv();
        }
    });
    for n in 0..1000 {
        listener(Changed {
            namespace: ns(),
            pattern: Pattern::under(["things", "get", &n.to_string()]),
            change: Change::Removed,
        });
    }
    drop(go);
    let mut told = 0;
    while data(&cache).is_some() || cache.get(&key(999)).hit().is_some() {
        hear.recv_timeout(60 * SECOND).unwrap();
        told += 1;
    }
    assert!(told <= 520, "{told} sweeps for what is one");
}
