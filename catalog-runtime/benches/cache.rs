//! What the cache costs, beside what it is built on: `cargo bench -p bedrock-catalog --bench cache`.
//!
//! Goals, as ratios of one run: `memory_hit` at most 1.5 × `bare_moka`; `invalidate_prefix` below
//! 10 ms; `hot_key` with 8 threads no worse than bare moka's own with the same threads, within 1.5 ×.
#![allow(missing_docs, clippy::indexing_slicing, clippy::expect_used)]

use std::sync::Arc;

use bedrock_catalog::cache::{Cache, Key, MemoryLimits, Namespace, Pattern, Terms};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const ENTRIES: usize = 10_000;

fn keys() -> Vec<Key> {
    (0..ENTRIES)
        .map(|n| {
            Key::new(
                "models",
                if n % 2 == 0 { "list" } else { "get" },
                &format!("anthropic.claude-{n}-v1:0"),
            )
        })
        .collect()
}

fn cache() -> (Cache, Vec<Key>) {
    let limits = MemoryLimits {
        entries: 2 * ENTRIES as u64,
        ..MemoryLimits::default()
    };
    let cache = Cache::builder()
        .namespace(Namespace::of(["bench"]))
        .memory(limits)
        .build()
        .expect("the settings are good");
    let keys = keys();
    for key in &keys {
        cache.put(key, vec![b'x'; 200], &Terms::source("bench"));
    }
    (cache, keys)
}

/// moka as one would use it by hand: the same keys, shared bytes, a time to live.
fn moka() -> (moka::sync::Cache<String, Arc<[u8]>>, Vec<String>) {
    let cache = moka::sync::Cache::builder()
        .max_capacity(2 * ENTRIES as u64)
        .eviction_policy(moka::policy::EvictionPolicy::lru())
        .time_to_live(std::time::Duration::from_secs(24 * 3600))
        .build();
    let keys: Vec<String> = keys()
        .iter()
        .map(|key| format!("{}{key}", Namespace::of(["bench"])))
        .collect();
    for key in &keys {
        cache.insert(key.clone(), Arc::from(vec![b'x'; 200]));
    }
    (cache, keys)
}

#[divan::bench(sample_count = 200, sample_size = 2000)]
fn bare_moka_hit(bencher: Bencher<'_, '_>) {
    let (cache, keys) = moka();
    let mut n = 0;
    bencher.bench_local(|| {
        n = (n + 1) % keys.len();
        black_box(cache.get(&keys[n]))
    });
}

#[divan::bench(sample_count = 200, sample_size = 2000)]
fn memory_hit(bencher: Bencher<'_, '_>) {
    let (cache, keys) = cache();
    let mut n = 0;
    bencher.bench_local(|| {
        n = (n + 1) % keys.len();
        black_box(cache.get(&keys[n]))
    });
}

#[divan::bench(sample_count = 200, sample_size = 2000)]
fn clock(bencher: Bencher<'_, '_>) {
    use bedrock_catalog::cache::{Clock, SystemClock};
    bencher.bench_local(|| black_box(SystemClock.moment()));
}

#[divan::bench(sample_count = 200, sample_size = 2000)]
fn memory_miss(bencher: Bencher<'_, '_>) {
    let (cache, _) = cache();
    let key = Key::new("not", "there", "at all");
    bencher.bench_local(|| black_box(cache.get(&key)));
}

#[divan::bench(threads = [1, 2, 8], sample_count = 200, sample_size = 2000)]
fn bare_moka_hot_key(bencher: Bencher<'_, '_>) {
    let (cache, keys) = moka();
    bencher.bench(|| black_box(cache.get(&keys[0])));
}

#[divan::bench(threads = [1, 2, 8], sample_count = 200, sample_size = 2000)]
fn hot_key(bencher: Bencher<'_, '_>) {
    let (cache, keys) = cache();
    bencher.bench(|| black_box(cache.get(&keys[0])));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn invalidate_prefix(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| cache().0)
        .bench_local_values(|cache| {
            assert_eq!(cache.invalidate(&Pattern::under(["models", "list"])), 5_000)
        });
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn invalidate_glob(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| cache().0)
        .bench_local_values(|cache| {
            assert_eq!(cache.invalidate(&Pattern::glob("*:list:*-v1*")), 5_000)
        });
}

/// A prefix that few of the entries have: what looking through them costs.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn invalidate_few(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| cache().0)
        .bench_local_values(|cache| {
            assert_eq!(
                cache.invalidate(&Pattern::glob("models:list:*-99?-v1%3A0")),
                5
            );
            cache
        });
}

/// What removing one by one costs by hand.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn bare_moka_remove_half(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(moka)
        .bench_local_values(|(cache, keys)| {
            for key in keys.iter().step_by(2) {
                cache.invalidate(key);
            }
            cache
        });
}
