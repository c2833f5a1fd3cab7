//! Uncertain writes, by themselves.

use std::sync::Arc;
use std::time::Duration;

use bedrock_catalog_cache::{Key, Namespace, Pattern};

use crate::invalidation::{Invalidation, MOST_UNCERTAIN, UncertainWrites};

#[test]
fn an_uncertain_write_is_over_after_its_time_and_the_oldest_beyond_the_bound_before_it() {
    let writes = UncertainWrites::default();
    let (namespace, key) = (Namespace::of(["x"]), Key::new("a", "b", "c"));
    let second = Duration::from_secs(1);
    let all: Vec<_> = (0..MOST_UNCERTAIN + 2)
        .map(|_| {
            Arc::new(Invalidation {
                namespaces: vec![namespace],
                pattern: Pattern::exact(&key),
            })
        })
        .collect();
    assert!(!writes.cover(namespace, &key));
    all.iter().for_each(|write| writes.add(write, second));
    let early = writes.over(Duration::ZERO);
    assert_eq!(early.len(), 2);
    assert!(
        early
            .iter()
            .zip(&all)
            .all(|(one, other)| Arc::ptr_eq(one, other))
    );
    assert_eq!(writes.over(second).len(), MOST_UNCERTAIN + 2);
    assert!(writes.cover(namespace, &key), "until they are removed");
    assert!(!writes.cover(Namespace::of(["y"]), &key));
    all.iter().for_each(|write| writes.remove(write));
    assert!(writes.over(second).is_empty() && !writes.cover(namespace, &key));
    assert_eq!(writes.added(), all.len() as u64);
}
