use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber, span};

use super::{Stage, holding, key, terms};
use bedrock_catalog_cache::{Freshness, TierErrorKind};
use bedrock_catalog_test_support::Op;

/// Keeps what is logged on this thread.
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

/// What is logged while this runs.
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
    fn seed_000_property_10_log_messages_include_paths(n in any::<u32>(), kind in kind(), fail_put in any::<bool>()) {
        let stage = Stage::new();
        let key = key(n);
        let path = stage.lower[0].path_of(&key).display().to_string();
        // A write, and a read from below: INFO with the path.
        let (_, written) = lines(|| stage.cache.put(&key, "{}", &terms()));
        prop_assert!(at(&written, Level::INFO).iter().any(|line| line.contains(&path)), "{written:?}");
        stage.cache.invalidate_in("memory", &bedrock_catalog_cache::Pattern::all());
        let (_, read) = lines(|| stage.cache.get(&key));
        prop_assert!(at(&read, Level::INFO).iter().any(|line| line.contains(&path)), "{read:?}");
        // A failure: WARN with the path and the cause.
        stage.cache.invalidate_in("memory", &bedrock_catalog_cache::Pattern::all());
        stage.lower[0].fail(kind);
        let (_, failed) = lines(|| if fail_put { drop(stage.cache.put(&key, "{}", &terms())) } else { drop(stage.cache.get(&key)) });
        prop_assert!(at(&failed, Level::WARN).iter().any(|line| line.contains(&path) && line.contains("told to fail")), "{failed:?}");
        // A fallback within a tier: WARN with the path tried, the path used and the cause.
        stage.lower[1].fall_back_from("/first/choice");
        let (_, fallback) = lines(|| stage.cache.put(&key, "{}", &terms()));
        let used = stage.lower[1].path_of(&key).display().to_string();
        prop_assert!(at(&fallback, Level::WARN).iter().any(|line| {
            line.contains("/first/choice") && line.contains(&used) && line.contains("told to fall back")
        }), "{fallback:?}");
    }

    #[test]
    fn seed_000_property_11_a_write_is_never_an_error(kinds in proptest::collection::vec(proptest::option::of(kind()), 1..30)) {
        let stage = Stage::new();
        for (index, lower) in stage.lower.iter().enumerate() {
            let mut kinds = kinds.clone().into_iter().skip(index).cycle();
            lower.plan(move |_| kinds.next().flatten());
        }
        for n in 0..kinds.len() {
            let stored = stage.cache.put(&key(n), n.to_string(), &terms());
            // Whatever fails below, the value is used.
            prop_assert!(stored.tiers.contains(&"memory"));
            prop_assert_eq!(stage.data(&key(n)), Some(n.to_string().into_bytes()));
        }
    }

    #[test]
    fn seed_000_property_12_failures_are_caught_and_logged(kind in kind(), n in any::<u32>()) {
        let stage = Stage::new();
        stage.lower[0].fail(kind);
        let (stored, logged) = lines(|| stage.cache.put(&key(n), "{}", &terms()));
        prop_assert_eq!(stored.tiers, vec!["memory", "bottom"]);
        prop_assert!(at(&logged, Level::WARN).iter().any(|line| line.contains("middle")), "{logged:?}");
        prop_assert_eq!(stage.cache.statistics().tier("middle").unwrap().errors, 1, "the put, and nothing is removed for it");
    }

    #[test]
    fn seed_000_property_13_the_chain_goes_on_after_failures(kind in kind(), n in any::<u32>(), which in 0_usize..2) {
        let stage = Stage::new();
        stage.cache.put(&key(n), "{}", &terms());
        stage.cache.invalidate_in("memory", &bedrock_catalog_cache::Pattern::all());
        stage.lower[which].fail(kind);
        let hit = stage.cache.get(&key(n)).into_hit().unwrap();
        prop_assert_eq!(hit.tier(), Some(["bottom", "middle"][which]));
        // The first that works settles it: nothing below is asked.
        prop_assert_eq!(stage.lower[1].calls(Op::Get), u64::from(which == 0));
    }
}

#[test]
fn an_expected_miss_is_debug_and_serving_stale_is_a_warning() {
    let stage = Stage::new();
    let (answer, missed) = lines(|| stage.cache.get(&key(1)));
    assert!(answer.is_missing());
    assert!(
        !missed.is_empty() && missed.iter().all(|(level, _)| *level == Level::DEBUG),
        "{missed:?}"
    );
    stage
        .cache
        .put(&key(1), "old", &holding(super::SECOND, super::HOUR));
    stage.clock.advance(super::SECOND);
    let compute = || {
        stage
            .cache
            .get_or_compute(&key(1), &terms(), || Err::<_, &str>("the network is down"))
    };
    let (answer, stale) = lines(compute);
    assert!(matches!(answer, Ok(Freshness::Stale(_))));
    assert!(
        at(&stale, Level::WARN)
            .iter()
            .any(|line| line.contains("the network is down")),
        "{stale:?}"
    );
}
