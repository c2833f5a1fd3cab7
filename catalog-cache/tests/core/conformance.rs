//! The tiers that are kept on a machine, against the suite of all tiers.

use std::cell::Cell;
use std::sync::Arc;

use bedrock_catalog_cache::{Codec, ManualClock};
use bedrock_catalog_test_support::conformance;

#[cfg(feature = "files")]
#[test]
fn the_file_tier_keeps_every_promise_of_a_tier() {
    use bedrock_catalog_cache::tier::disk::{DiskTier, Locations};
    let root = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let made = Cell::new(0);
    conformance::check(&clock, &|| {
        made.set(made.get() + 1);
        let folder = root.path().join(made.get().to_string());
        let tier = DiskTier::new(Locations::given([folder]), Codec::new("0.1.0"));
        Arc::new(tier.with_clock(Arc::new(clock.clone())))
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn the_sqlite_tier_keeps_every_promise_of_a_tier() {
    use bedrock_catalog_cache::tier::sqlite::SqliteTier;
    let clock = ManualClock::new();
    let folder = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    conformance::check(&clock, &|| {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("{}.sqlite", number.get()));
        let codec = Codec::new(env!("CARGO_PKG_VERSION"));
        Arc::new(SqliteTier::new(path, codec).with_clock(Arc::new(clock.clone())))
    });
}
