//! What a tier may still hold although it was replaced or invalidated, because the tier failed or was
//! not asked when it was to be told. Such entries are not served: nothing invalidated comes back, and
//! nothing newer is replaced by older, while the process lives.

use std::collections::HashSet;

use super::sync::{AtomicBool, Mutex, Ordering, lock};
use super::{Key, Namespace, Pattern};

/// So many doubts are told apart; beyond, all that the tier holds is doubted.
const MAX_DOUBTS: usize = 256;
/// So many keys are trusted again under one doubt; beyond, they are doubted anew.
const MAX_TRUSTED: usize = 4096;

/// The doubts about one tier.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    any: AtomicBool,
    list: Mutex<Vec<Doubt>>,
}

#[derive(Debug)]
struct Doubt {
    /// `None`: all namespaces.
    namespace: Option<Namespace>,
    pattern: Pattern,
    /// Written or removed since.
    trusted: HashSet<(Namespace, Key)>,
}

impl Doubt {
    fn covers(&self, namespace: &Namespace, key: &Key) -> bool {
        self.namespace.is_none_or(|doubted| doubted == *namespace) && self.pattern.matches(key)
    }
}

impl Doubts {
    /// From now on, what the tier holds under the pattern is not believed.
    pub(super) fn add(&self, namespace: Namespace, pattern: Pattern) {
        let mut list = lock(&self.list);
        list.retain(|doubt| !(doubt.namespace == Some(namespace) && doubt.pattern == pattern));
        let (namespace, pattern) = if list.len() < MAX_DOUBTS {
            (Some(namespace), pattern)
        } else {
            list.clear();
            (None, Pattern::all())
        };
        list.push(Doubt {
            namespace,
            pattern,
            trusted: HashSet::new(),
        });
        self.any.store(true, Ordering::Release);
    }

    /// Whether an entry of this key is not to be believed.
    pub(super) fn cover(&self, namespace: &Namespace, key: &Key) -> bool {
        self.any.load(Ordering::Acquire)
            && lock(&self.list).iter().any(|doubt| {
                doubt.covers(namespace, key) && !doubt.trusted.contains(&(*namespace, key.clone()))
            })
    }

    /// The key was written to, or removed from, the tier: what it holds is to be believed again.
    pub(super) fn settle(&self, namespace: &Namespace, key: &Key) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut list = lock(&self.list);
        list.retain(|doubt| {
            !(doubt.namespace == Some(*namespace) && doubt.pattern.as_exact() == Some(key))
        });
        for doubt in list.iter_mut().filter(|doubt| doubt.covers(namespace, key)) {
            if doubt.trusted.len() >= MAX_TRUSTED {
                doubt.trusted.clear();
            }
            doubt.trusted.insert((*namespace, key.clone()));
        }
        self.any.store(!list.is_empty(), Ordering::Release);
    }

    /// Takes up the doubts with `heal`, which removes from the tier what is doubted and says whether
    /// that worked; those that did are over. Only while nothing is written.
    pub(super) fn heal(&self, heal: impl Fn(&Namespace, &Pattern) -> bool) {
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut list = lock(&self.list);
        list.retain(|doubt| {
            !doubt
                .namespace
                .is_some_and(|namespace| heal(&namespace, &doubt.pattern))
        });
        self.any.store(!list.is_empty(), Ordering::Release);
    }
}
