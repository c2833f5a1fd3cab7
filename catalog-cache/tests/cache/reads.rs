//! Reads that race with writes and invalidations, promotion, and order within the process.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use bedrock_catalog_cache::{Cache, MemoryLimits, MemoryTier, Pattern, Tier, TierErrorKind};
use bedrock_catalog_test_support::Op;

use crate::stage::{DAY, HOUR, SECOND, Stage, entry, key, memory_only, ns, options, rounds, ttl};

/// Runs `race` once, in the next read of the middle tier, when it has its result.
fn during_the_next_read(stage: &Stage, race: impl Fn(&Cache) + Send + Sync + 'static) {
    let (cache, once) = (stage.cache.clone(), AtomicBool::new(true));
    stage.lower[0].after(move |op| {
        if op == Op::Get && once.swap(false, Ordering::SeqCst) {
            race(&cache);
        }
    });
}

fn only_below(stage: &Stage) {
    stage.cache.put(&key(1), "old", &options());
    stage.forget();
}

#[test]
fn a_slow_read_does_not_restore_an_invalidated_entry() {
    let patterns = [
        Pattern::exact(&key(1)),
        Pattern::under(["things"]),
        Pattern::glob("*:get:?"),
        Pattern::all(),
    ];
    for pattern in patterns {
        let stage = Stage::new();
        only_below(&stage);
        during_the_next_read(&stage, move |cache| {
            cache.invalidate(&pattern);
        });
        let _ = stage.cache.get(&key(1));
        stage.lower[0].unhook();
        assert!(stage.cache.get(&key(1)).is_missing());
    }
}

#[test]
fn a_slow_read_does_not_replace_a_newer_entry() {
    let stage = Stage::new();
    only_below(&stage);
    during_the_next_read(&stage, |cache| {
        cache.put(&key(1), "new", &options());
    });
    let _ = stage.cache.get(&key(1));
    assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
}

/// The read begins while the write is under way, and ends after it. The clock stands still, so the entries'
/// times do not tell which is newer.
#[test]
fn a_read_during_a_write_does_not_restore_the_older_entry() {
    let stage = Stage::new();
    only_below(&stage);
    let (read, has_read) = channel();
    let (written, is_written) = channel::<()>();
    let (reader, joined) = (
        Mutex::new(Some(stage.cache.clone())),
        Arc::new(Mutex::new(None)),
    );
    let (join, has_read) = (Arc::clone(&joined), Mutex::new(has_read));
    stage.lower[0].before(move |op| {
        if op == Op::Put
            && let Some(cache) = reader.lock().unwrap().take()
        {
            let thread = std::thread::spawn(move || drop(cache.get(&key(1))));
            *join.lock().unwrap() = Some(thread);
            has_read.lock().unwrap().recv().unwrap();
        }
    });
    let is_written = Mutex::new(is_written);
    stage.lower[0].after(move |op| {
        if op == Op::Get {
            let _ = read.send(());
            let _ = is_written.lock().unwrap().recv();
        }
    });
    stage.cache.put(&key(1), "new", &options());
    drop(written);
    joined.lock().unwrap().take().unwrap().join().unwrap();
    stage.lower[0].unhook();
    assert_eq!(stage.data(&key(1)), Some(b"new".to_vec()));
}

#[test]
fn a_slower_promotion_does_not_replace_another_processs_entry() {
    let stage = Stage::new();
    stage.lower[0].insert(&entry(&stage, 1, "first", SECOND));
    let (cache, once) = (stage.cache.clone(), AtomicBool::new(true));
    let (tier, second) = (
        stage.lower[0].clone(),
        entry(&stage, 1, "second", SECOND / 2),
    );
    stage.lower[0].after(move |op| {
        if op == Op::Get && once.swap(false, Ordering::SeqCst) {
            // Another process writes; another thread of this one reads it.
            tier.insert(&second);
            assert_eq!(cache.get(&key(1)).into_hit().unwrap().data, "second");
        }
    });
    let _ = stage.cache.get(&key(1));
    stage.lower[0].unhook();
    assert_eq!(stage.data(&key(1)), Some(b"second".to_vec()));
}

#[test]
fn nothing_is_promoted_while_it_is_invalidated() {
    let stage = Stage::new();
    only_below(&stage);
    // The last tier removes last. Until then it still answers.
    stage.lower[0]
        .remove(
            &ns(),
            &Pattern::all(),
            bedrock_catalog_cache::Deadline::NONE,
        )
        .unwrap();
    let cache = stage.cache.clone();
    stage.lower[1].before(move |op| {
        if op == Op::Remove {
            assert!(cache.get(&key(1)).is_missing(), "invalidated already");
        }
    });
    stage.cache.invalidate(&Pattern::under(["things"]));
    stage.lower[1].unhook();
    assert!(stage.cache.get(&key(1)).is_missing());
}

/// A range invalidation in a slow tier does not hold up other keys.
#[test]
fn other_keys_are_written_and_promoted_during_a_range_invalidation() {
    let stage = Stage::new();
    let other = |n: usize| bedrock_catalog_cache::Key::new("others", "get", &n.to_string());
    stage.cache.put(&key(1), "v", &options());
    stage.cache.put(&other(0), "v", &options());
    stage.forget();
    let (cache, is_done) = (stage.cache.clone(), Arc::new(AtomicBool::new(false)));
    let done = Arc::clone(&is_done);
    stage.lower[1].before(move |op| {
        if op != Op::Remove {
            return;
        }
        let (cache, done) = (cache.clone(), Arc::clone(&done));
        let work = move || {
            let _ = cache.get(&other(0));
            let again = cache.get(&other(0)).into_hit().unwrap();
            assert_eq!(again.tier(), Some("memory"));
            (1..200).for_each(|n| drop(cache.put(&other(n), "v", &options())));
            done.store(true, Ordering::SeqCst);
        };
        std::thread::spawn(work).join().unwrap();
    });
    stage.cache.invalidate(&Pattern::under(["things"]));
    assert!(is_done.load(Ordering::SeqCst));
    assert!(stage.cache.get(&key(1)).is_missing());
}

/// One writer counts up; readers, evictions and faults race it.
#[test]
fn generations_never_go_back() {
    let stage = Stage::new();
    let written = AtomicU64::new(0);
    stage.cache.put(&key(1), "0", &options());
    let rounds = rounds(300) as u64;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for generation in 1..=rounds {
                stage.cache.put(&key(1), generation.to_string(), &options());
                written.store(generation, Ordering::SeqCst);
                if generation % 50 == 0 {
                    stage.forget();
                }
            }
            written.store(u64::MAX, Ordering::SeqCst);
        });
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                loop {
                    let at_least = written.load(Ordering::SeqCst);
                    if at_least == u64::MAX {
                        return;
                    }
                    let read = String::from_utf8(stage.data(&key(1)).unwrap()).unwrap();
                    let read: u64 = read.parse().unwrap();
                    assert!(read >= at_least, "read {read} after {at_least} was written");
                    assert!(read >= last, "read {read} after {last}");
                    last = read;
                }
            });
        }
    });
}

#[test]
fn a_tier_that_timed_out_is_not_called_again_in_the_same_read() {
    let stage = Stage::new();
    only_below(&stage);
    stage.lower[0].fail(TierErrorKind::Timeout);
    let calls = || stage.lower[0].calls(Op::Get) + stage.lower[0].calls(Op::Put);
    let before = calls();
    assert_eq!(stage.data(&key(1)), Some(b"old".to_vec()));
    assert_eq!(calls() - before, 1, "no copy to it either");
}

#[test]
fn an_entry_that_reads_as_another_key_is_refused() {
    /// Returns the same entry for every key.
    #[derive(Debug)]
    struct Confused(bedrock_catalog_cache::Entry, MemoryTier);
    impl Tier for Confused {
        fn name(&self) -> &'static str {
            "confused"
        }
        fn get(
            &self,
            _: &bedrock_catalog_cache::Namespace,
            _: &bedrock_catalog_cache::Key,
            _: bedrock_catalog_cache::Deadline,
        ) -> Result<Option<bedrock_catalog_cache::Found>, bedrock_catalog_cache::TierError>
        {
            Ok(Some(bedrock_catalog_cache::Found::new(
                self.0.clone(),
                None,
            )))
        }
        fn put(
            &self,
            entry: &bedrock_catalog_cache::Entry,
            deadline: bedrock_catalog_cache::Deadline,
        ) -> Result<bedrock_catalog_cache::Written, bedrock_catalog_cache::TierError> {
            self.1.put(entry, deadline)
        }
        fn remove(
            &self,
            _: &bedrock_catalog_cache::Namespace,
            _: &Pattern,
            _: bedrock_catalog_cache::Deadline,
        ) -> Result<u64, bedrock_catalog_cache::TierError> {
            Ok(0)
        }
        fn scan(
            &self,
            _: &bedrock_catalog_cache::Namespace,
            _: &str,
            _: bedrock_catalog_cache::Deadline,
            _: &mut dyn FnMut(bedrock_catalog_cache::EntryInfo) -> std::ops::ControlFlow<()>,
        ) -> Result<(), bedrock_catalog_cache::TierError> {
            Ok(())
        }
        fn cleanup(
            &self,
            _: std::time::SystemTime,
        ) -> Result<u64, bedrock_catalog_cache::TierError> {
            Ok(0)
        }
        fn status(&self) -> bedrock_catalog_cache::TierStatus {
            self.1.status()
        }
    }
    let stage = Stage::new();
    let clock = Arc::new(stage.clock.clone());
    let tier = Confused(
        entry(&stage, 1, "x", SECOND),
        MemoryTier::new(MemoryLimits::default(), clock),
    );
    let cache = Cache::builder()
        .namespace(ns())
        .clock(stage.clock.clone())
        .tier(tier)
        .build()
        .unwrap();
    assert!(cache.get(&key(1)).is_fresh());
    assert!(cache.get(&key(2)).is_missing());
    let other = cache.in_namespace(bedrock_catalog_cache::Namespace::of(["other"]));
    assert!(other.get(&key(1)).is_missing());
    assert_eq!(cache.statistics().tiers[0].errors, 2);
}

/// A shared tier, and an `Arc` of a tier: entries of memory below memory are promoted, too.
#[test]
fn a_custom_tier_may_be_local() {
    #[derive(Debug)]
    struct Second(MemoryTier);
    macro_rules! forward {
        ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
            impl Tier for Second {
                fn name(&self) -> &'static str { "second" }
                $(fn $name(&self $(, $arg: $type)*) -> $out { self.0.$name($($arg),*) })*
            }
        };
    }
    use bedrock_catalog_cache::{
        Deadline, Entry, EntryInfo, Found, Key, Namespace, TierError, TierStatus, Written,
    };
    forward! {
        is_local() -> bool;
        get(namespace: &Namespace, key: &Key, deadline: Deadline) -> Result<Option<Found>, TierError>;
        put(entry: &Entry, deadline: Deadline) -> Result<Written, TierError>;
        remove(namespace: &Namespace, pattern: &Pattern, deadline: Deadline) -> Result<u64, TierError>;
        scan(namespace: &Namespace, prefix: &str, deadline: Deadline, visit: &mut dyn FnMut(EntryInfo) -> std::ops::ControlFlow<()>) -> Result<(), TierError>;
        cleanup(now: std::time::SystemTime) -> Result<u64, TierError>;
        status() -> TierStatus;
    }
    let stage = Stage::new();
    let second = Second(MemoryTier::new(
        MemoryLimits::default(),
        Arc::new(stage.clock.clone()),
    ));
    let second: Arc<dyn Tier> = Arc::new(second);
    let cache = Cache::builder()
        .namespace(ns())
        .memory(MemoryLimits::default())
        .tier(Arc::clone(&second))
        .clock(stage.clock.clone())
        .build()
        .unwrap();
    second
        .put(&entry(&stage, 1, "x", SECOND), Deadline::NONE)
        .unwrap();
    for tier in ["second", "memory"] {
        assert_eq!(cache.get(&key(1)).into_hit().unwrap().tier(), Some(tier));
    }
}

#[test]
fn memory_revalidates_after_an_hour_and_serves_on_where_no_tier_answers() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "mine", &options());
    stage.clock.advance(SECOND);
    stage.lower[0].insert(&entry(&stage, 1, "theirs", SECOND / 2));
    assert_eq!(stage.data(&key(1)), Some(b"mine".to_vec()));
    stage.clock.advance(HOUR);
    assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
    for tier in &stage.lower {
        tier.fail(TierErrorKind::Timeout);
    }
    stage.clock.advance(HOUR);
    let calls = stage.lower[0].calls(Op::Get);
    for _ in 0..10 {
        assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()));
    }
    assert_eq!(stage.lower[0].calls(Op::Get), calls + 1, "one reader asks");
}

#[test]
fn a_shared_read_skips_memory_and_is_not_counted() {
    let stage = Stage::new();
    stage.cache.put(&key(1), "mine", &options());
    stage.clock.advance(SECOND);
    stage.lower[0].insert(&entry(&stage, 1, "theirs", SECOND / 2));
    let hit = stage.cache.get_shared(&key(1)).into_hit().unwrap();
    assert_eq!(
        (hit.data.as_ref(), hit.tier()),
        (&b"theirs"[..], Some("middle"))
    );
    assert_eq!(stage.data(&key(1)), Some(b"theirs".to_vec()), "promoted");
    assert_eq!(stage.cache.statistics().requests(), 1);
    let cache = memory_only(&stage.clock);
    cache.put(&key(1), "x", &options());
    assert!(cache.get_shared(&key(1)).is_missing());
}

#[test]
fn json_that_cannot_be_read_is_missing() {
    let stage = Stage::new();
    stage.cache.put_json(&key(1), &["a", "b"], &options());
    let list = stage
        .cache
        .get_json::<Vec<String>>(&key(1))
        .into_hit()
        .unwrap();
    assert_eq!(list.data, ["a", "b"]);
    assert!(stage.cache.get_json::<u8>(&key(1)).is_missing());
    let unwritable = std::collections::HashMap::from([(vec![1], 1)]);
    let outcome = stage.cache.put_json(&key(2), &unwritable, &options());
    assert!(outcome.tiers.is_empty() && stage.cache.get(&key(2)).is_missing());
}

#[test]
fn a_write_reports_where_it_went() {
    let stage = Stage::new();
    let outcome = stage.cache.put(&key(1), "x", &ttl(HOUR, DAY));
    assert_eq!(outcome.tiers, ["memory", "middle", "bottom"]);
    assert_eq!(outcome.path, Some(stage.lower[0].path_of(&key(1))));
    assert!(outcome.bytes > 200, "two encoded entries");
    stage.lower[0].fail(TierErrorKind::Full);
    let outcome = stage.cache.put(&key(1), "x", &options());
    assert_eq!(outcome.tiers, ["memory", "bottom"]);
    assert_eq!(outcome.path, Some(stage.lower[1].path_of(&key(1))));
}
