//! What a tier may still hold although it was replaced or invalidated, because the tier failed or was
//! not asked when it was to be told. Such entries are not served: nothing invalidated comes back, and
//! nothing newer is replaced by older, while the process lives.
//!
//! A missed removal is made up for later. A missed write is not: what the tier holds may be the last
//! good copy, or another process's newer one, so it is left there, and believed if it is newer.

use std::collections::HashSet;
use std::time::SystemTime;

use super::sync::{AtomicBool, Mutex, Ordering, lock};
use super::{Key, Namespace, Pattern};

/// So many doubts are told apart; beyond, each is widened to all of its namespace.
const MAX_DOUBTS: usize = 256;
/// So many keys are trusted again under one doubt; beyond, they are doubted anew.
const MAX_TRUSTED: usize = 4096;

/// The doubts about one tier.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    any: AtomicBool,
    list: Mutex<Vec<Doubt>>,
}

/// What the tier was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// To remove what matches.
    Removal,
    /// To store something written then; where several were missed, the last of them.
    Write(SystemTime),
    /// Another process was to remove what matches of what was written until then, and did not get to the end.
    Others(SystemTime),
}

#[derive(Debug, Clone)]
pub(super) struct Doubt {
    namespace: Namespace,
    pattern: Pattern,
    missed: Missed,
    /// Written or removed since.
    trusted: HashSet<Key>,
}

impl Doubt {
    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(super) fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    pub(super) fn missed(&self) -> Missed {
        self.missed
    }

    /// Whether it is about this key, trusted or not.
    pub(super) fn covers(&self, namespace: &Namespace, key: &Key) -> bool {
        self.namespace == *namespace && self.pattern.matches(key)
    }

    /// Whether an entry of this key is not to be believed.
    pub(super) fn doubts(&self, namespace: &Namespace, key: &Key) -> bool {
        self.covers(namespace, key) && !self.trusted.contains(key)
    }

    /// Whether some are trusted again.
    pub(super) fn has_exceptions(&self) -> bool {
        !self.trusted.is_empty()
    }

    fn is_like(&self, other: &Self) -> bool {
        let kind = std::mem::discriminant::<Missed>;
        let same_kind = kind(&self.missed) == kind(&other.missed);
        same_kind && self.namespace == other.namespace && self.pattern == other.pattern
    }

    /// Takes over what is `newer`, of the same kind and within what this one is about.
    fn absorb(&mut self, newer: &Self) {
        self.trusted.retain(|key| !newer.pattern.matches(key));
        if let (Missed::Write(at), Missed::Write(then))
        | (Missed::Others(at), Missed::Others(then)) = (&mut self.missed, newer.missed)
        {
            *at = then.max(*at);
        }
    }
}

/// What of a tier is believed for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// All.
    Full,
    /// What was written after this.
    After(SystemTime),
    /// Nothing.
    None,
}

impl Trust {
    /// Whether an entry written then is believed.
    #[inline]
    pub(super) fn in_what_was_written(self, at: SystemTime) -> bool {
        match self {
            Self::Full => true,
            Self::After(missed) => at > missed,
            Self::None => false,
        }
    }
}

impl Doubts {
    /// From now on, what the tier holds under the pattern is not believed, or only what is newer than
    /// the write it missed. Only within a turn.
    pub(super) fn add(&self, namespace: Namespace, pattern: Pattern, missed: Missed) {
        let new = Doubt {
            namespace,
            pattern,
            missed,
            trusted: HashSet::new(),
        };
        let mut list = lock(&self.list);
        insert(&mut list, new);
        if list.len() > MAX_DOUBTS {
            for mut doubt in std::mem::take(&mut *list) {
                doubt.pattern = Pattern::all();
                insert(&mut list, doubt);
            }
        }
        self.any.store(true, Ordering::Release);
    }

    /// What is believed for this key. To be asked before the tier is: what it answers may be from
    /// before a doubt was over.
    #[inline]
    pub(super) fn trust(&self, namespace: &Namespace, key: &Key) -> Trust {
        if !self.any.load(Ordering::Acquire) {
            return Trust::Full;
        }
        let mut trust = Trust::Full;
        for doubt in lock(&self.list).iter() {
            if doubt.doubts(namespace, key) {
                trust = match (trust, doubt.missed) {
                    (Trust::None, _) | (_, Missed::Removal) => Trust::None,
                    (Trust::After(one), Missed::Write(at) | Missed::Others(at)) => {
                        Trust::After(one.max(at))
                    }
                    (Trust::Full, Missed::Write(at) | Missed::Others(at)) => Trust::After(at),
                };
            }
        }
        trust
    }

    /// The key was written to, or removed from, the tier: what it holds is to be believed again. Only
    /// within a turn.
    pub(super) fn settle(&self, namespace: &Namespace, key: &Key) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut list = lock(&self.list);
        list.retain(|doubt| {
            !(doubt.namespace == *namespace && doubt.pattern.as_exact() == Some(key))
        });
        for doubt in list.iter_mut().filter(|doubt| doubt.covers(namespace, key)) {
            if doubt.trusted.len() >= MAX_TRUSTED {
                doubt.trusted.clear();
            }
            doubt.trusted.insert(key.clone());
        }
        self.any.store(!list.is_empty(), Ordering::Release);
    }

    /// All that matches was removed from the tier: what was missed of the same pattern, or of any by
    /// removing everything, is made up for. Only within a turn.
    pub(super) fn removed(&self, namespace: &Namespace, pattern: &Pattern) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let is_within = |narrow: &Pattern| *pattern == *narrow || *pattern == Pattern::all();
        let mut list = lock(&self.list);
        list.retain(|doubt| {
            let is_removal = !matches!(doubt.missed, Missed::Write(_));
            !(is_removal && doubt.namespace == *namespace && is_within(&doubt.pattern))
        });
        self.any.store(!list.is_empty(), Ordering::Release);
    }

    /// The doubts there are. Each is to be taken up with [`Doubts::heal`], in a turn of its own.
    pub(super) fn all(&self) -> Vec<Doubt> {
        if self.any.load(Ordering::Acquire) {
            lock(&self.list).clone()
        } else {
            Vec::new()
        }
    }

    /// Takes up one doubt, as it stands now, with `heal`, which says whether there is no reason for it
    /// any more; then it is over. Only within a turn of all the doubt covers, so that the doubt does
    /// not change meanwhile; no lock is held while `heal` asks the tier.
    pub(super) fn heal(&self, doubt: &Doubt, heal: impl FnOnce(&Doubt) -> bool) {
        let now = lock(&self.list).iter().find(|d| d.is_like(doubt)).cloned();
        if now.is_some_and(|now| heal(&now)) {
            let mut list = lock(&self.list);
            list.retain(|other| !other.is_like(doubt));
            self.any.store(!list.is_empty(), Ordering::Release);
        }
    }
}

/// Adds a doubt to the list, or to one there that is as wide.
fn insert(list: &mut Vec<Doubt>, new: Doubt) {
    let wide = Doubt {
        pattern: Pattern::all(),
        ..new.clone()
    };
    match list
        .iter_mut()
        .find(|doubt| doubt.is_like(&new) || doubt.is_like(&wide))
    {
        Some(there) => there.absorb(&new),
        None => list.push(new),
    }
}
