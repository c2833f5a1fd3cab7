//! Every fallback is counted, and every load is one line.

use bedrock_catalog::{CacheMode, LiveCatalog};
use bedrock_catalog_test_support::Counters;
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule};
use tracing::Level;

use crate::stage::*;

fn broken() -> Fault {
    Fault::Raw(400, "text/plain".into(), b"no".to_vec())
}

#[tokio::test]
async fn what_is_served_and_what_failed_is_counted() {
    let counters = Counters::default();
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let build = |wire: &Memory| {
        let builder = in_files(wire, &clock, folder.path());
        metrics::with_local_recorder(&counters, || builder.build().unwrap())
    };
    // As many of each: served from the API, the cache, the bundle; degraded; regions; asked in vain.
    let counted = || {
        [
            "catalog_served_total api",
            "catalog_served_total cache",
            "catalog_served_total bundle",
            "catalog_degraded_total",
            "catalog_regions_failed_total",
            "catalog_asking_failures_total",
        ]
        .map(|name| counters.read(name))
    };
    let silent = Memory::new(stage().rule(Rule::new(broken())));
    build(&silent).load().await.unwrap();
    assert_eq!(counted(), [0, 0, 1, 1, 0, 1]);

    let (lines, _listening) = Lines::listen();
    let one_fails = stage().rule(Rule::new(broken()).region("us-east-1"));
    let live = build(&Memory::new(one_fails));
    live.load().await.unwrap();
    assert_eq!(counted(), [1, 0, 0, 1, 1, 0]);
    let mut told = lines.at(Level::INFO);
    told.retain(|line| line.contains("catalog loaded"));
    assert_eq!(told.len(), 1, "{told:?}");
    for word in ["source=api", "regions=1", "failed=1", "age_seconds=0"] {
        assert!(told[0].contains(word), "{told:?}");
    }

    let live = build(&wire());
    live.load().await.unwrap();
    assert_eq!(counted(), [0, 1, 0, 1, 1, 0]);
    live.refresh().await.unwrap();
    assert_eq!(counted(), [1, 1, 0, 1, 1, 0]);
    let failing = build(&silent);
    failing.load().await.unwrap();
    failing.refresh().await.unwrap_err();
    assert_eq!(counted()[5], 1);

    // Nobody was to be asked: nothing failed.
    let offline = LiveCatalog::builder().offline(true);
    let offline = offline.cache_mode(CacheMode::None);
    let offline = metrics::with_local_recorder(&counters, || offline.build().unwrap());
    offline.load().await.unwrap();
    assert_eq!(counted(), [0, 0, 1, 0, 0, 0]);
}
