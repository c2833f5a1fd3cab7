//! The conformance suite over the tiers that every build has.

use std::sync::Arc;

use bedrock_catalog_cache::{ManualClock, MemoryLimits, MemoryTier};
use bedrock_catalog_test_support::{FaultyTier, conformance};

#[test]
fn the_memory_tier_conforms() {
    let clock = ManualClock::new();
    conformance::check(&clock, &|| {
        let clock = Arc::new(clock.clone());
        Arc::new(MemoryTier::new(MemoryLimits::default(), clock))
    });
}

/// The tier of the other tests is a custom tier with leases and fencing tokens.
#[test]
fn a_custom_tier_conforms() {
    let clock = ManualClock::new();
    conformance::check(&clock, &|| {
        Arc::new(FaultyTier::on_clock("faulty", clock.clone()).with_leases())
    });
}
