//! The metrics are the statistics.

use super::super::statistics::Counts;
use bedrock_catalog_test_support::Counters;

#[test]
fn each_count_is_a_counter() {
    let counters = Counters::default();
    let counts = metrics::with_local_recorder(&counters, Counts::new);
    counts.dropped.add(7);
    counts.answered.one();
    let read = |name: &str| counters.read(name);
    assert_eq!(
        (read("aws_client_dropped_total"), counts.snapshot().dropped),
        (7, 7)
    );
    assert_eq!(
        (
            read("aws_client_answered_total"),
            counts.snapshot().answered
        ),
        (1, 1)
    );
    assert_eq!(read("aws_client_writes_total"), 0);
}
