//! Not part of the build: these tests look inside the cache, which an integration test cannot.

// From order.rs.
/// Each looks through all there is: those that wait for one are one.
#[test]
fn removals_that_wait_for_another_are_done_in_one_turn() {
    let stage = Stage::new();
    for n in 0..10 {
        stage.cache.put(&key(n), "v", &terms());
        stage.cache.put(&key(n + 100), "v", &terms());
    }
    // The first waits in the last tier for all the others, which come while it has its turn.
    let (turns, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (cache, seen, waited) = (stage.cache.clone(), turns.clone(), most.clone());
    let once = AtomicBool::new(true);
    stage.lower[1].before(move |op| {
        if op == Op::Scan {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        if op == Op::Scan && once.swap(false, Ordering::SeqCst) {
            let start = std::time::Instant::now();
            while cache.inner.joined.waiting() < 9 && start.elapsed() < 20 * SECOND {
                std::thread::yield_now();
            }
            waited.store(cache.inner.joined.waiting() as u64, Ordering::SeqCst);
        }
    });
    std::thread::scope(|scope| {
        for n in 0..10 {
            let cache = &stage.cache;
            let one = |n: u32| Pattern::exact(&key(n));
            let pattern = Pattern::any([one(n), one(n + 100)]);
            scope.spawn(move || assert_eq!(cache.invalidate(&pattern), 2));
        }
    });
    assert_eq!(
        (most.load(Ordering::SeqCst), turns.load(Ordering::SeqCst)),
        (9, 2)
    );
    stage.lower[1].unhook();
    assert!((0..200).all(|n| stage.cache.get(&key(n)).is_missing()));
}

// From order.rs.
#[test]
fn a_missed_invalidation_is_made_up_for_by_the_next_that_is_as_wide() {
    let things = Pattern::under(["things"]);
    for (again, is_over) in [
        (things.clone(), true),
        (Pattern::all(), true),
        (Pattern::exact(&key(2)), false),
        (Pattern::under(["things", "get"]), false),
    ] {
        let stage = Stage::new();
        stage.cache.inner.levels[2].owed.never();
        stage.lower[1].fail(TierErrorKind::Unavailable);
        stage.cache.invalidate(&things);
        stage.lower[1].heal();
        stage.cache.invalidate(&again);
        // Another process's.
        let theirs = entry(ns(), &key(1), "theirs", stage.clock.now(), HOUR);
        stage.lower[1].put(&theirs).unwrap();
        assert_eq!(stage.data(&key(1)).is_some(), is_over, "{again}");
    }
}

// From fleet.rs.
/// As a gap does, here and now.
fn miss_some(cache: &Cache) {
    let memory = cache.inner.memory.as_ref().unwrap();
    bedrock_catalog_cache::others::ask_below_for_all(&cache.inner.order, memory);
}

// From fleet.rs.
#[test]
fn after_a_gap_memory_is_believed_only_where_a_tier_below_says_the_same() {
    let shared = Shared::default();
    let (cache, clock, files) = over(&shared);
    let tier = |cache: &Cache, n| cache.get(&key(n)).hit().and_then(|hit| hit.tier());
    for n in [1, 2] {
        cache.put(&key(n), "v", &terms());
    }
    files.remove(&ns(), &key(2)).unwrap();
    clock.advance(SECOND);
    miss_some(&cache);
    assert!(!cache.get(&key(2)).is_fresh(), "nobody below has it");
    assert!(!cache.get(&key(2)).is_missing(), "the last good one");
    assert_eq!(tier(&cache, 1), Some("files"));
    assert_eq!(tier(&cache, 1), Some("memory"), "from then on");
    // What is written after it is as good as ever.
    cache.put(&key(2), "w", &terms());
    assert_eq!(tier(&cache, 2), Some("memory"));
}

// From fleet.rs.
#[test]
fn what_was_read_before_a_gap_does_not_come_to_memory_after_it() {
    let shared = Shared::default();
    let (cache, _, files) = over(&shared);
    cache.put(&key(1), "v", &terms());
    cache.invalidate_in("memory", &Pattern::all());
    let other = cache.clone();
    files.after(move |op| {
        if op == Op::Get {
            miss_some(&other);
        }
    });
    assert!(cache.get(&key(1)).is_fresh());
    files.unhook();
    let again = cache.get(&key(1)).into_hit().unwrap();
    assert_eq!(again.tier(), Some("files"));
}

// From flight.rs.
#[test]
fn remembered_failures_are_bounded() {
    let cache = memory_only(&ManualClock::new());
    for n in 0..5000 {
        let _ = cache.get_or_compute(&key(n), &terms(), || Err("down".to_owned()));
    }
    assert!(
        cache.inner.flights.len() <= 1025,
        "{}",
        cache.inner.flights.len()
    );
}

// From flight.rs.
/// Giving the leases back takes its time, and who comes meanwhile may come after another write.
#[test]
fn an_answer_is_not_left_to_those_who_came_after_the_next_write() {
    let stage = Stage::new();
    stage.lower[1].share_leases(&Arc::default());
    let (after, came) = std::sync::mpsc::channel();
    let (cache, once) = (stage.cache.clone(), AtomicBool::new(true));
    stage.lower[1].before(move |op| {
        if op != Op::Release || !once.swap(false, Ordering::SeqCst) {
            return;
        }
        cache.put(&key(1), "new", &terms());
        cache.remove(&key(1));
        let (asks, after) = (cache.clone(), after.clone());
        std::thread::spawn(move || {
            let answer = asks.get_or_compute(&key(1), &terms(), || ok("newest"));
            let _ = after.send(data(answer));
        });
        while cache.inner.flights.joined() < 2 {
            std::thread::yield_now();
        }
    });
    let first = stage.cache.get_or_compute(&key(1), &terms(), || ok("old"));
    assert_eq!(data(first), "old");
    assert_eq!(came.recv_timeout(5 * SECOND).unwrap(), "newest");
}

// From leases.rs.
/// All of them behind another process's lease: they wait for it together, not one after another.
#[test]
fn who_is_told_that_another_process_computes_tells_all_who_wait() {
    let (one, _, tier) = processes(&Settings::default());
    let leased = Arc::new(Mutex::new(BTreeSet::from([(ns(), key(1))])));
    tier.share_leases(&leased);
    let (callers, cache, first) = (8, one.clone(), AtomicUsize::new(0));
    tier.before(move |op| {
        if op == Op::Lease && first.fetch_add(1, Ordering::SeqCst) == 0 {
            while cache.inner.flights.joined() < callers {
                std::thread::yield_now();
            }
        }
    });
    let asked = || tier.calls(Op::Lease);
    std::thread::scope(|scope| {
        for _ in 0..callers {
            scope.spawn(|| {
                let terms = terms().giving_up_when_busy();
                let answer = one.get_or_compute(&key(1), &terms, || ok("never"));
                assert!(answer.unwrap_err().is_busy());
            });
        }
    });
    assert_eq!(asked(), 1);
    // Who comes later asks anew, and so does who would rather wait.
    let answer = one.get_or_compute(&key(1), &terms().giving_up_when_busy(), || ok("never"));
    assert!(answer.unwrap_err().is_busy());
    assert_eq!(asked(), 2);
    leased.lock().unwrap().clear();
    assert_eq!(data(one.get_or_compute(&key(1), &terms(), || ok("v"))), "v");
}

// From healing.rs.
#[test]
fn what_is_missed_while_others_are_made_up_for_does_not_wait() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "old", &terms());
    stage.cache.put(&key(2), "old", &terms());
    stage.lower[1].fail(TierErrorKind::Unavailable);
    stage.cache.remove(&key(1));
    stage.lower[1].heal();
    let (told, removed) = channel();
    let (inner, once) = (Arc::downgrade(&stage.cache.inner), AtomicBool::new(true));
    stage.lower[1].after(move |op| {
        if op == Op::Remove {
            if let Some(inner) = inner.upgrade()
                && once.swap(false, Ordering::SeqCst)
            {
                let level = &inner.levels[2];
                let second = Pattern::exact(&key(2));
                level.doubts.add(ns(), second, Missed::Removal);
                level.owed.missed();
            }
            let _ = told.send(());
        }
    });
    assert!(stage.cache.get(&key(3)).is_missing(), "the tier answers");
    for _ in 0..2 {
        removed.recv_timeout(5 * SECOND).unwrap();
    }
    assert!(!stage.lower[1].holds(&ns(), &key(2)));
}

// From healing.rs.
#[test]
fn a_tier_that_could_not_remove_is_not_waited_for_in_full_again() {
    for (kind, first, second) in [
        // It answers: the others are told at least.
        (TierErrorKind::TooLarge, (1, 0), (1, 2)),
        // It hangs: it is waited for once in each call.
        (TierErrorKind::Timeout, (1, 0), (1, 1)),
    ] {
        let stage = Stage::new();
        stage.cache.inner.levels[2].owed.never();
        let of = [ns(), Namespace::of(["another"])];
        let caches = of.map(|namespace| stage.cache.in_namespace(namespace));
        for cache in &caches {
            cache.put(&key(1), "old", &terms());
        }
        stage.lower[1].plan(move |op| match (op, kind) {
            (Op::Scan, _) | (Op::Disown, TierErrorKind::Timeout) => Some(kind),
            _ => None,
        });
        let things = Pattern::under(["things"]);
        assert_eq!(stage.cache.invalidate_of(&of, &things, false), 2);
        assert_eq!(asked(&stage), first, "{kind:?}");
        // Read before the write was done, and believed: until the write is done.
        for cache in &caches {
            assert!(cache.get(&key(1)).is_missing(), "{kind:?}");
            cache.put(&key(1), "still old", &terms());
        }
        stage.cache.invalidate_of(&of, &things, true);
        assert_eq!(asked(&stage), second, "{kind:?}");
        for cache in &caches {
            assert!(cache.get(&key(1)).is_missing(), "{kind:?}");
        }
        stage.lower[1].heal();
        stage.cache.cleanup();
        assert!(of.iter().all(|of| !stage.lower[1].holds(of, &key(1))));
    }
    // A tier that owes nothing is asked in full.
    let stage = Stage::new();
    stage
        .cache
        .invalidate_of(&[ns()], &Pattern::under(["things"]), true);
    assert_eq!(asked(&stage), (1, 0));
}

// From flight.rs.
/// Joining a flight does not look through all the others: what is looked at in all grows as the names do.
#[test]
fn very_many_flights_at_once_do_not_slow_each_other() {
    let flights = bedrock_catalog_cache::flight::Flights::<u32, ()>::new();
    let names = 50_000;
    let tickets: Vec<_> = (0..names)
        .map(|n| flights.join(&n, Duration::ZERO))
        .collect();
    assert_eq!(flights.len(), tickets.len());
    assert!(flights.seen() <= 2 * tickets.len(), "{}", flights.seen());
    drop(tickets);
    assert_eq!(flights.len(), 0);
}

// From healing.rs.
/// How often the last tier was asked to remove by a pattern, and how often only to disown.
fn asked(stage: &Stage) -> (u64, u64) {
    let tier = &stage.lower[1];
    (tier.calls(Op::Scan), tier.calls(Op::Disown))
}
