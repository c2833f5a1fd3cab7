//! The contents of a cache and the health of its tiers.

use std::cmp::Reverse;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::tier_slot::{Call, TierSlot};
use crate::{BreakerState, Cache, Key, TierStatus};

/// The health of one tier.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TierHealth {
    /// The tier's name.
    pub name: &'static str,
    /// What the tier reports.
    pub status: TierStatus,
    /// The message of its last failure; it may work again.
    pub failure: Option<String>,
    /// The state of its breaker.
    pub breaker: BreakerState,
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recent {
    /// The key.
    pub key: Key,
    /// The first tier that holds it.
    pub tier: &'static str,
    /// The time of the write.
    pub written_at: SystemTime,
    /// The time of the last read, where the tier knows.
    pub last_access: Option<SystemTime>,
    /// The number of reads, where the tier counts.
    pub accesses: Option<u64>,
    /// Its size there, in bytes.
    pub bytes: u64,
    /// The file that holds it there, where the tier has files.
    pub path: Option<PathBuf>,
}

impl Cache {
    /// The health of each tier, in order. Asks the tiers, whatever their breakers say.
    #[must_use]
    pub fn health(&self) -> Vec<TierHealth> {
        let health = |slot: &TierSlot| TierHealth {
            name: slot.name(),
            status: slot.tier.status(),
            failure: slot.failure(),
            breaker: slot.breaker.state(),
        };
        self.inner.slots.iter().map(health).collect()
    }

    /// The `count` entries of this namespace that were read or written last, the latest first.
    ///
    /// The memory tier counts reads. Files do not, so after a restart an entry counts as last read when it
    /// was written.
    #[must_use]
    pub fn recent(&self, count: usize) -> Vec<Recent> {
        let slots = self.inner.slots.iter();
        let mut all: Vec<Recent> = slots.flat_map(|slot| self.list(slot)).collect();
        // The sort is stable: of one key the first tier stays.
        all.sort_by(|a, b| a.key.cmp(&b.key));
        all.dedup_by(|later, first| later.key == first.key);
        all.sort_by_key(|recent| Reverse(recent.last_access.max(Some(recent.written_at))));
        all.truncate(count);
        all
    }

    /// The time of the oldest write among the entries of this namespace in a tier.
    #[must_use]
    pub fn oldest_in(&self, tier: &str) -> Option<SystemTime> {
        let slot = self.inner.slots.iter().find(|slot| slot.name() == tier)?;
        let entries = self.list(slot);
        entries.iter().map(|entry| entry.written_at).min()
    }

    fn list(&self, slot: &TierSlot) -> Vec<Recent> {
        let mut all = Vec::new();
        slot.call_all_keys("scan", &mut Call::remove(), |tier, deadline| {
            tier.scan(&self.namespace, "", deadline, &mut |info| {
                all.push(Recent {
                    key: info.envelope.key.clone(),
                    tier: slot.name(),
                    written_at: info.envelope.written_at,
                    last_access: info.last_access,
                    accesses: info.accesses,
                    bytes: info.bytes,
                    path: info.path,
                });
                ControlFlow::Continue(())
            })
        });
        all
    }
}
