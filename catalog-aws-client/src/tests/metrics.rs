//! The metrics are the statistics.

use bedrock_catalog_test_support::Counters;

use crate::statistics::Counts;

#[test]
fn each_count_is_a_counter() {
    let counters = Counters::default();
    let counts = metrics::with_local_recorder(&counters, Counts::new);
    counts.invalidated.add(7);
    counts.hits.one();
    let read = |name: &str| counters.read(name);
    let statistics = counts.snapshot();
    assert_eq!(
        (read("aws_client_invalidated_total"), statistics.invalidated),
        (7, 7)
    );
    assert_eq!((read("aws_client_hits_total"), statistics.hits), (1, 1));
    assert_eq!(read("aws_client_writes_total"), 0);
}
