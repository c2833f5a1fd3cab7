//! Log lines: one warning per fault, with the path; a line per entry is DEBUG.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber, span};

use bedrock_catalog_cache::{Freshness, TierErrorKind};
use bedrock_catalog_test_support::Op;

use crate::stage::{HOUR, SECOND, Stage, key, ns, options, ttl};

/// The lines of this thread.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("bedrock_catalog_cache")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut Text(&mut line));
        self.0
            .lock()
            .unwrap()
            .push((*event.metadata().level(), line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The result, and the lines logged meanwhile.
fn lines<R>(run: impl FnOnce() -> R) -> (R, Vec<(Level, String)>) {
    let lines = Lines::default();
    let result = tracing::subscriber::with_default(lines.clone(), run);
    let lines = std::mem::take(&mut *lines.0.lock().unwrap());
    (result, lines)
}

fn at(lines: &[(Level, String)], level: Level) -> Vec<&str> {
    lines
        .iter()
        .filter(|(at, _)| *at == level)
        .map(|(_, line)| line.as_str())
        .collect()
}

fn kind() -> impl Strategy<Value = TierErrorKind> {
    prop::sample::select(vec![
        TierErrorKind::Unavailable,
        TierErrorKind::Full,
        TierErrorKind::Timeout,
        TierErrorKind::Unsafe,
        TierErrorKind::Corrupt,
        TierErrorKind::TooLarge,
        TierErrorKind::Other,
    ])
}

proptest! {
    #[test]
    fn property_000_10_log_messages_include_paths(n in any::<u32>(), kind in kind(), fail_put in any::<bool>()) {
        let stage = Stage::new();
        let key = key(n);
        let path = stage.lower[0].path_of(&key).display().to_string();
        // A write, and a read from below.
        let (_, written) = lines(|| stage.cache.put(&key, "{}", &options()));
        prop_assert!(at(&written, Level::DEBUG).iter().any(|line| line.contains(&path)), "{written:?}");
        stage.forget();
        let (_, read) = lines(|| stage.cache.get(&key));
        prop_assert!(at(&read, Level::DEBUG).iter().any(|line| line.contains(&path)), "{read:?}");
        // A failure: WARN with the path and the cause.
        stage.forget();
        stage.lower[0].fail(kind);
        let (_, failed) = lines(|| if fail_put { drop(stage.cache.put(&key, "{}", &options())) } else { drop(stage.cache.get(&key)) });
        let is_told = |line: &&str| line.contains(&path) && line.contains("the test's fault");
        prop_assert_eq!(at(&failed, Level::WARN).iter().filter(|line| is_told(line)).count(), 1, "{:?}", failed);
        // A fallback within a tier: WARN with the path tried, the path used and the cause.
        stage.lower[1].fall_back_from("/first/choice");
        let (_, fallback) = lines(|| stage.cache.put(&key, "{}", &options()));
        let used = stage.lower[1].path_of(&key).display().to_string();
        prop_assert!(at(&fallback, Level::WARN).iter().any(|line| {
            line.contains("/first/choice") && line.contains(&used) && line.contains("the test's fallback")
        }), "{fallback:?}");
    }

    #[test]
    fn property_000_11_a_write_is_never_an_error(kinds in proptest::collection::vec(proptest::option::of(kind()), 1..30)) {
        let stage = Stage::new();
        for (index, lower) in stage.lower.iter().enumerate() {
            let mut kinds = kinds.clone().into_iter().skip(index).cycle();
            lower.plan(move |_| kinds.next().flatten());
        }
        for n in 0..kinds.len() {
            let outcome = stage.cache.put(&key(n), n.to_string(), &options());
            prop_assert!(outcome.tiers.contains(&"memory"));
            prop_assert_eq!(stage.data(&key(n)), Some(n.to_string().into_bytes()));
        }
    }

    #[test]
    fn property_000_12_failures_are_caught_and_logged(kind in kind(), n in any::<u32>()) {
        let stage = Stage::new();
        stage.lower[0].fail(kind);
        let (outcome, logged) = lines(|| stage.cache.put(&key(n), "{}", &options()));
        prop_assert_eq!(outcome.tiers, vec!["memory", "bottom"]);
        let warnings = at(&logged, Level::WARN);
        prop_assert!(warnings.len() == 1 && warnings[0].contains("middle"), "{logged:?}");
        prop_assert_eq!(stage.cache.statistics().tier("middle").unwrap().errors, 1);
        let failure = stage.cache.health()[1].failure.clone();
        prop_assert!(failure.is_some_and(|why| why.contains("the test's fault")));
    }

    #[test]
    fn property_000_13_the_chain_continues_after_failures(kind in kind(), n in any::<u32>(), which in 0_usize..2) {
        let stage = Stage::new();
        stage.cache.put(&key(n), "{}", &options());
        stage.forget();
        stage.lower[which].fail(kind);
        let (before, hit) = (stage.lower[1].calls(Op::Get), stage.cache.get(&key(n)).into_hit().unwrap());
        prop_assert_eq!(hit.tier(), Some(["bottom", "middle"][which]));
        // The first fresh entry settles it: no tier below is asked.
        prop_assert_eq!(stage.lower[1].calls(Op::Get) - before, u64::from(which == 0));
    }
}

#[test]
fn a_fault_is_one_warning_until_the_tier_works_again() {
    let stage = Stage::new();
    let work = || {
        for n in 0..30 {
            stage.cache.put(&key(n), "{}", &options());
            stage.clock.advance(SECOND * 60);
        }
    };
    for _ in 0..2 {
        stage.lower[0].fail(TierErrorKind::Full);
        let ((), logged) = lines(work);
        assert_eq!(at(&logged, Level::WARN).len(), 1, "{logged:?}");
        stage.lower[0].heal();
        let ((), logged) = lines(work);
        assert_eq!(at(&logged, Level::WARN).len(), 0, "{logged:?}");
        assert_eq!(at(&logged, Level::INFO).len(), 1, "{logged:?}");
    }
    // A fallback, too.
    stage.lower[1].fall_back_from("/first/choice");
    let ((), logged) = lines(work);
    assert_eq!(at(&logged, Level::WARN).len(), 1, "{logged:?}");
}

#[test]
fn a_miss_is_debug_and_serving_stale_is_a_warning() {
    let stage = Stage::new();
    let (answer, missed) = lines(|| stage.cache.get(&key(1)));
    assert!(answer.is_missing() && !missed.is_empty());
    assert_eq!(missed.len(), at(&missed, Level::DEBUG).len(), "{missed:?}");
    stage.cache.put(&key(1), "old", &ttl(SECOND, HOUR));
    stage.clock.advance(SECOND);
    let load = || Err::<_, &str>("the network is down");
    let (answer, stale) = lines(|| stage.cache.get_or_load(&key(1), &options(), load));
    assert!(matches!(answer, Ok(Freshness::Stale(_))));
    let warnings = at(&stale, Level::WARN);
    assert!(
        warnings.len() == 1 && warnings[0].contains("the network is down"),
        "{stale:?}"
    );
}

#[test]
fn no_line_shows_a_namespaces_parts() {
    let stage = Stage::new();
    let account = "123456789012";
    let cache = stage
        .cache
        .in_namespace(bedrock_catalog_cache::Namespace::of([account]));
    stage.lower[0].fail(TierErrorKind::Full);
    let (_, logged) = lines(|| {
        cache.put(&key(1), "x", &options());
        let _ = cache.get(&key(1));
        cache.clear();
    });
    assert!(logged.iter().all(|(_, line)| !line.contains(account)));
    assert!(!format!("{:?} {:?}", ns(), cache).contains(account));
}
