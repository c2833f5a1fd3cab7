//! For tiers that number computations: who lost its lease, or was slow, overwrites nothing that a later
//! computation stored, whatever the clocks say, and brings back nothing that was removed.

use std::time::Duration;

use super::{HOUR, entry, get, key, ns};
use bedrock_catalog_cache::tier::{Begun, LeaseOutcome, Receipt, Tier, TierError};
use bedrock_catalog_cache::{Clock, Entry, Pattern};

pub(super) fn is_refused(clock: &dyn Clock, tier: &dyn Tier) {
    let name = tier.name();
    let begin = |n| {
        let token = tier.begin(&ns(), &key(n)).expect("begin");
        token.map(|token| Begun {
            token: Some(token),
            at: clock.now(),
        })
    };
    let Some(early) = begin(1) else { return };
    let made = |n: usize, text: &'static str, ahead: u64| {
        let at = clock.now() + Duration::from_secs(ahead);
        entry(ns(), &key(n), text, at, HOUR)
    };
    let put = |entry: &Entry, begun: &Begun| tier.put_begun(entry, begun).expect("put");
    let is_stored = |receipt: Receipt| receipt.superseded_by.is_none() && !receipt.removed_since;

    let lease = tier
        .try_lease(&ns(), &key(1), Duration::ZERO, HOUR)
        .expect("lease");
    let leased = match &lease {
        LeaseOutcome::Held(lease) => lease.token(),
        _ => None,
    };
    let late = begin(1).expect("it numbers");
    assert!(late.token > early.token, "{name}: numbers do not grow");
    let between = leased.is_none() || (leased > early.token && leased < late.token);
    assert!(between, "{name}: leases are numbered apart");
    drop(lease);

    let newer = made(1, "newer", 0);
    assert!(is_stored(put(&newer, &late)));
    // By the times in them it would be the other way round.
    let older = made(1, "older", 60);
    let receipt = put(&older, &early);
    assert_eq!(receipt.superseded_by.as_ref(), Some(&newer), "{name}");
    assert_eq!(get(tier, &key(1)), Some(newer), "{name}: overtaken");
    // The same computation may store again, and so may one of its time by the number, not the clock.
    let again = made(1, "again", 0);
    assert!(is_stored(put(&again, &late)), "{name}: stored once only");

    // What is simply written is as new as a computation that begins then.
    let early = begin(2).expect("it numbers");
    let written = made(2, "written", 0);
    tier.put(&written).expect("put");
    let receipt = put(&made(2, "computed", 60), &early);
    assert_eq!(receipt.superseded_by, Some(written), "{name}");

    // Whatever removes, and whether anything was there or not.
    type Remove<'a> = &'a dyn Fn() -> Result<u64, TierError>;
    let removals: [Remove<'_>; 3] = [
        &|| tier.remove(&ns(), &key(3)).map(u64::from),
        &|| tier.invalidate(&ns(), &Pattern::under(["suite"])),
        &|| tier.clear(&ns()),
    ];
    for remove in removals {
        for is_there in [false, true] {
            if is_there {
                tier.put(&made(3, "there", 0)).expect("put");
            }
            let early = begin(3).expect("it numbers");
            remove().expect("remove");
            assert!(
                put(&made(3, "old", 60), &early).removed_since,
                "{name}: what was removed comes back, {is_there}"
            );
            assert_eq!(get(tier, &key(3)), None, "{name}");
            let later = begin(3).expect("it numbers");
            assert!(is_stored(put(&made(3, "new", 0), &later)), "{name}");
            assert!(tier.remove(&ns(), &key(3)).expect("remove"));
        }
    }
}
