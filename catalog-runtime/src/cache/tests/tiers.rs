use std::sync::Arc;

use super::super::testing::{FaultyTier, conformance};
use super::super::{ManualClock, MemoryLimits};
use super::memory_tier;

#[test]
fn the_memory_tier_keeps_every_promise() {
    let clock = ManualClock::new();
    conformance::check(&clock, &|| {
        Arc::new(memory_tier(&clock, MemoryLimits::default()))
    });
}

#[test]
fn the_faulty_tier_keeps_every_promise_while_it_works() {
    conformance::check(&ManualClock::new(), &|| FaultyTier::new("faulty").into());
    let leases = Arc::default();
    conformance::check(&ManualClock::new(), &|| {
        let tier = FaultyTier::new("faulty");
        tier.share_leases(&leases);
        tier.into()
    });
}
