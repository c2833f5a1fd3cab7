//! A tier in memory that counts its calls and fails when told to. It stores encoded bytes, as a real
//! lower tier does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use bedrock_catalog_cache::tier::{
    Changed, Found, Health, Held, Lease, LeaseOutcome, Listed, Listener, News, Receipt, Size, Tier,
    TierError, TierErrorKind, one_by_one,
};
use bedrock_catalog_cache::{Codec, Entry, Key, Namespace, Pattern, Standing};

/// What a tier is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `get`
    Get,
    /// `put`
    Put,
    /// `remove`
    Remove,
    /// `invalidate_many` that is brief, which removes nothing here.
    Disown,
    /// `scan`
    Scan,
    /// `cleanup`
    Cleanup,
    /// `try_lease`
    Lease,
    /// Giving a lease back.
    Release,
}

/// The keys that are leased, shared by the tiers of several "processes".
type Leases = Arc<Mutex<BTreeSet<(Namespace, Key)>>>;
type Hook = Arc<dyn Fn(Op) + Send + Sync>;
type Plan = Box<dyn FnMut(Op) -> Option<TierErrorKind> + Send>;

/// The faulty tier. Clones are the same tier, so a test keeps one and hands over the other.
#[derive(Clone)]
pub struct FaultyTier(Arc<Inner>);

struct Inner {
    name: &'static str,
    codec: Codec,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<(Namespace, Key), Vec<u8>>,
    calls: HashMap<Op, u64>,
    plan: Option<Plan>,
    before: Option<Hook>,
    after: Option<Hook>,
    leases: Option<Leases>,
    instead_of: Option<PathBuf>,
    listeners: Vec<Listener>,
}

impl FaultyTier {
    /// An empty tier that works.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self(Arc::new(Inner {
            name,
            codec: Codec::new(env!("CARGO_PKG_VERSION")),
            state: Mutex::default(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every call asks this whether, and how, to fail.
    pub fn plan(&self, plan: impl FnMut(Op) -> Option<TierErrorKind> + Send + 'static) {
        self.state().plan = Some(Box::new(plan));
    }

    /// From now on every call fails.
    pub fn fail(&self, kind: TierErrorKind) {
        self.plan(move |_| Some(kind));
    }

    /// From now on no call fails.
    pub fn heal(&self) {
        self.state().plan = None;
    }

    /// Runs before each call, without any lock held: to interleave with what the call is part of.
    pub fn before(&self, hook: impl Fn(Op) + Send + Sync + 'static) {
        self.state().before = Some(Arc::new(hook));
    }

    /// Runs after each call has got its answer and before it returns it.
    pub fn after(&self, hook: impl Fn(Op) + Send + Sync + 'static) {
        self.state().after = Some(Arc::new(hook));
    }

    /// Forgets the hooks.
    pub fn unhook(&self) {
        let mut state = self.state();
        (state.before, state.after) = (None, None);
    }

    /// From now on the tier has leases, shared with the tiers given the same set: "processes".
    pub fn share_leases(&self, leases: &Arc<Mutex<BTreeSet<(Namespace, Key)>>>) {
        self.state().leases = Some(Arc::clone(leases));
    }

    /// From now on writes say that they are a fallback, after this path failed.
    pub fn fall_back_from(&self, path: impl Into<PathBuf>) {
        self.state().instead_of = Some(path.into());
    }

    /// Tells the caches over this tier that another process did this.
    pub fn tell(&self, changed: &Changed) {
        let listeners = self.state().listeners.clone();
        for listener in listeners {
            listener(News::Changed(changed.clone()));
        }
    }

    /// How often this was called, failed calls included.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.state().calls.get(&op).copied().unwrap_or(0)
    }

    /// Whether the tier holds the key, without calling it.
    #[must_use]
    pub fn holds(&self, namespace: &Namespace, key: &Key) -> bool {
        self.state()
            .entries
            .contains_key(&(*namespace, key.clone()))
    }

    /// The path the tier says an entry has.
    #[must_use]
    pub fn path_of(&self, key: &Key) -> PathBuf {
        Path::new("/faulty").join(self.0.name).join(key.as_str())
    }

    fn call<R>(
        &self,
        op: Op,
        key: Option<&Key>,
        work: impl FnOnce(&mut State) -> Result<R, TierError>,
    ) -> Result<R, TierError> {
        let (before, after) = {
            let mut state = self.state();
            *state.calls.entry(op).or_default() += 1;
            (state.before.clone(), state.after.clone())
        };
        if let Some(before) = before {
            before(op);
        }
        let result = {
            let mut state = self.state();
            match state.plan.as_mut().and_then(|plan| plan(op)) {
                Some(kind) => {
                    let path =
                        key.map_or_else(|| PathBuf::from("/faulty"), |key| self.path_of(key));
                    Err(TierError::new(kind, "told to fail").at(path))
                }
                None => work(&mut state),
            }
        };
        if let Some(after) = after {
            after(op);
        }
        result
    }
}

impl fmt::Debug for FaultyTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyTier").field(&self.0.name).finish()
    }
}

impl From<FaultyTier> for Arc<dyn Tier> {
    fn from(tier: FaultyTier) -> Self {
        Arc::new(tier)
    }
}

impl Tier for FaultyTier {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn get(&self, namespace: &Namespace, key: &Key) -> Result<Option<Found>, TierError> {
        self.call(Op::Get, Some(key), |state| {
            let Some(bytes) = state.entries.get(&(*namespace, key.clone())) else {
                return Ok(None);
            };
            let entry = self
                .0
                .codec
                .decode(Bytes::copy_from_slice(bytes), namespace, key)?;
            Ok(Some(Found::new(entry, Some(self.path_of(key).into()))))
        })
    }

    fn put(&self, entry: &Entry) -> Result<Receipt, TierError> {
        let envelope = entry.envelope();
        self.call(Op::Put, Some(&envelope.key), |state| {
            let encoded = self.0.codec.encode(entry)?;
            let bytes = encoded.bytes.len() as u64;
            state
                .entries
                .insert((envelope.namespace, envelope.key.clone()), encoded.bytes);
            let failed = state.instead_of.clone().map(|path| {
                TierError::new(TierErrorKind::Unavailable, "told to fall back").at(path)
            });
            Ok(Receipt {
                path: Some(self.path_of(&envelope.key)),
                bytes,
                saved: encoded.saved,
                failed: failed.into_iter().collect(),
                superseded_by: None,
                removed_since: false,
            })
        })
    }

    fn on_change(&self, listener: Listener) {
        self.state().listeners.push(listener);
    }

    fn remove(&self, namespace: &Namespace, key: &Key) -> Result<bool, TierError> {
        self.call(Op::Remove, Some(key), |state| {
            Ok(state.entries.remove(&(*namespace, key.clone())).is_some())
        })
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        visit: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let all = self.call(Op::Scan, None, |state| Ok(state.entries.clone()))?;
        for ((ns, key), bytes) in all {
            if ns != *namespace || !key.starts_with(prefix) {
                continue;
            }
            let Ok(envelope) = self.0.codec.peek(&bytes) else {
                continue;
            };
            let listed = Listed {
                envelope: Arc::new(envelope),
                bytes: bytes.len() as u64,
                path: Some(self.path_of(&key)),
                accesses: None,
                last_access: None,
            };
            if visit(listed).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        self.call(Op::Cleanup, None, |state| {
            let before = state.entries.len();
            state.entries.retain(|_, bytes| {
                self.0
                    .codec
                    .peek(bytes)
                    .is_ok_and(|envelope| envelope.standing(now) != Standing::Expired)
            });
            Ok((before - state.entries.len()) as u64)
        })
    }

    fn invalidate_many(
        &self,
        what: &[(Namespace, Pattern)],
        is_brief: bool,
    ) -> Vec<Result<Option<u64>, TierError>> {
        let is_one = |(_, pattern): &(_, Pattern)| pattern.as_exact().is_some();
        if is_brief || what.len() < 2 || what.iter().any(is_one) {
            return one_by_one(what, |of, pattern| match is_brief {
                true => self.call(Op::Disown, None, |_| Ok(None)),
                false => self.invalidate(of, pattern).map(Some),
            });
        }
        // As a tier that has one pass for all.
        let removed = self.call(Op::Scan, None, |state| {
            let remove = |(of, pattern): &(Namespace, Pattern)| {
                let before = state.entries.len();
                let stays = |key: &(Namespace, Key)| key.0 != *of || !pattern.matches(&key.1);
                state.entries.retain(|key, _| stays(key));
                Ok(Some((before - state.entries.len()) as u64))
            };
            Ok(what.iter().map(remove).collect())
        });
        removed.unwrap_or_else(|error| vec![Err(error)])
    }

    fn size(&self) -> Result<Size, TierError> {
        let state = self.state();
        let bytes = state.entries.values().map(|bytes| bytes.len() as u64).sum();
        Ok(Size {
            entries: state.entries.len() as u64,
            bytes,
        })
    }

    fn health(&self) -> Health {
        let ok = self.state().plan.is_none();
        Health {
            ok,
            message: "a tier for tests".into(),
        }
    }

    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        _: Duration,
        _: Duration,
    ) -> Result<LeaseOutcome, TierError> {
        let name = (*namespace, key.clone());
        self.call(Op::Lease, Some(key), |state| {
            let Some(leases) = state.leases.clone() else {
                return Ok(LeaseOutcome::Unsupported);
            };
            if !leases.lock().unwrap().insert(name.clone()) {
                return Ok(LeaseOutcome::Busy);
            }
            Ok(LeaseOutcome::Held(Lease::new(
                Leased {
                    tier: self.clone(),
                    name: name.clone(),
                    leases,
                },
                Some(1),
            )))
        })
    }
}

struct Leased {
    tier: FaultyTier,
    name: (Namespace, Key),
    leases: Leases,
}

impl Held for Leased {
    fn give_back(self: Box<Self>) -> Result<(), TierError> {
        self.tier.call(Op::Release, Some(&self.name.1), |_| {
            self.leases.lock().unwrap().remove(&self.name);
            Ok(())
        })
    }
}
