//! What the cache makes of a tier that processes share: numbers, what a tier
//! keeps instead of ours, and what it tells of other processes.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::*;
use bedrock_catalog_cache::tier::{Found, Health, Listed, Listener, News, Receipt, Size};
use bedrock_catalog_cache::{
    Begun, CLOCK_SKEW, Change, Changed, Clock, Entry, Pattern, Tier, TierError,
};
use bedrock_catalog_test_support::Op;

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
    /// When that was written.
    since: Option<SystemTime>,
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
        let told = self.0.lock().unwrap();
        let holds = told.holds.as_ref() == Some(key);
        let at = told.since.unwrap_or(SystemTime::UNIX_EPOCH);
        let entry = || {
            bedrock_catalog_test_support::conformance::entry(
                *namespace,
                key,
                "theirs",
                at,
                100_000 * DAY,
            )
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
        listener(News::Changed(Changed {
            namespace: ns(),
            pattern,
            change,
        }));
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
    let (cache, clock, _) = over(&shared);
    shared.0.lock().unwrap().holds = Some(key(1));
    assert_eq!(data(&cache).as_deref(), Some(b"theirs".as_slice()));
    let (told, hear) = std::sync::mpsc::channel();
    cache.on_change(move |_, _| told.send(()).unwrap_or(()));
    let listener = shared.0.lock().unwrap().listener.clone().unwrap();
    listener(News::Changed(Changed {
        namespace: ns(),
        pattern: Pattern::under(["things"]),
        change: Change::PartlyRemoved,
    }));
    hear.recv_timeout(60 * SECOND).unwrap();
    assert_eq!(data(&cache), None);
    // By a clock that is ahead it may have been written before the removal. A while later it was not.
    shared.0.lock().unwrap().since = Some(clock.now() + CLOCK_SKEW);
    assert_eq!(data(&cache), None);
    clock.advance(CLOCK_SKEW + SECOND);
    shared.0.lock().unwrap().since = Some(clock.now());
    assert_eq!(data(&cache).as_deref(), Some(b"theirs".as_slice()));
}

#[test]
fn removals_are_counted_whoever_makes_them() {
    let shared = Shared::default();
    let (cache, clock, _) = over(&shared);
    cache.remove(&key(1));
    assert_eq!(cache.removals(), 1);
    cache.in_namespace(ns()).invalidate(&Pattern::all());
    assert_eq!(cache.removals(), 2);
    let (told, hear) = std::sync::mpsc::channel();
    cache.on_change(move |_, _| told.send(()).unwrap_or(()));
    let listener = shared.0.lock().unwrap().listener.clone().unwrap();
    for (change, count) in [
        (Change::Removed, 3),
        (Change::PartlyRemoved, 4),
        (Change::Written(clock.now()), 4),
    ] {
        listener(News::Changed(Changed {
            namespace: ns(),
            pattern: Pattern::under(["things"]),
            change,
        }));
        hear.recv_timeout(60 * SECOND).unwrap();
        assert_eq!(cache.removals(), count, "{change:?}");
    }
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
        listener(News::Changed(Changed {
            namespace: ns(),
            pattern: Pattern::under(["things", "get", &n.to_string()]),
            change: Change::Removed,
        }));
    }
    drop(go);
    let mut told = 0;
    while data(&cache).is_some() || cache.get(&key(999)).hit().is_some() {
        hear.recv_timeout(60 * SECOND).unwrap();
        told += 1;
    }
    assert!(told <= 520, "{told} sweeps for what is one");
}

/// Of so many namespaces that not all removals can be told apart.
#[test]
fn messages_that_find_no_room_are_a_gap() {
    let shared = Shared::default();
    let (cache, clock, files) = over(&shared);
    let tell = shared.0.lock().unwrap().listener.clone().unwrap();
    let (told, hear) = std::sync::mpsc::channel();
    cache.on_change(move |_, _| told.send(()).unwrap_or(()));
    let namespaces: Vec<_> = (0..600).map(|n| Namespace::of([&n.to_string()])).collect();
    let of: Vec<_> = namespaces.iter().map(|n| cache.in_namespace(*n)).collect();
    for cache in &of {
        cache.put(&key(1), "v", &terms());
        files.remove(&cache.namespace(), &key(1)).unwrap();
    }
    clock.advance(SECOND);
    // The first waits in the tier until all are there.
    let (begun, begins) = std::sync::mpsc::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    files.before(move |op| {
        if op == Op::Scan {
            let _ = begun.send(());
            let _ = wait.lock().unwrap().recv();
        }
    });
    for (n, namespace) in namespaces.iter().enumerate() {
        tell(News::Changed(Changed {
            namespace: *namespace,
            pattern: Pattern::under(["things"]),
            change: Change::Removed,
        }));
        if n == 0 {
            begins.recv_timeout(60 * SECOND).unwrap();
        }
    }
    drop(go);
    for _ in 0..1 + 512 {
        hear.recv_timeout(60 * SECOND).unwrap();
    }
    let believed = of.iter().filter(|cache| cache.get(&key(1)).is_fresh());
    assert_eq!(believed.count(), 0, "still believed");
    of[599].put(&key(1), "w", &terms());
    assert!(of[599].get(&key(1)).is_fresh(), "from then on");
}

/// Each would be a thread that waits for a turn.
#[test]
fn messages_about_one_key_are_one_after_another_too() {
    let shared = Shared::default();
    let (cache, ..) = over(&shared);
    let tell = shared.0.lock().unwrap().listener.clone().unwrap();
    let (inside, most, heard) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
    let counts = Arc::new((inside, most, heard));
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (seen, wait) = (Arc::clone(&counts), Mutex::new(wait));
    cache.on_change(move |_, _| {
        let (inside, most, heard) = &*seen;
        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        if heard.load(Ordering::SeqCst) == 0 {
            // The first waits until all are there.
            let _ = wait.lock().unwrap().recv();
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        heard.fetch_add(1, Ordering::SeqCst);
        assert!(heard.load(Ordering::SeqCst) != 2, "a listener that panics");
    });
    let keys: Vec<Key> = (0..10_000).map(key).collect();
    keys.iter()
        .for_each(|key| drop(cache.put(key, "v", &terms())));
    for key in &keys {
        tell(News::Changed(Changed {
            namespace: ns(),
            pattern: Pattern::exact(key),
            change: Change::Removed,
        }));
    }
    drop(go);
    let start = Instant::now();
    while keys.iter().any(|key| cache.get(key).hit().is_some()) {
        assert!(start.elapsed() < 60 * SECOND, "some are still believed");
        std::thread::yield_now();
    }
    let (_, most, heard) = &*counts;
    assert_eq!(most.load(Ordering::SeqCst), 1, "at once");
    // Those at work, those that wait, and all the others as one.
    assert!(heard.load(Ordering::SeqCst) <= 2 * 4096 + 2);
}
