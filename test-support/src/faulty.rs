//! A tier that counts its calls and fails on demand. It stores encoded bytes, as a real lower tier does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bedrock_catalog_cache::{
    Acquired, ChangeEvent, Clock, Codec, Coordinator, Deadline, Entry, EntryInfo, FencingToken,
    Found, Key, LeaseGuard, Listener, Namespace, Pattern, SystemClock, Tier, TierError,
    TierErrorKind, TierStatus, Written,
};
use bytes::Bytes;

/// A method of the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// [`Tier::get`]
    Get,
    /// [`Tier::put`] and [`Coordinator::put_if_current`]
    Put,
    /// [`Tier::remove`]
    Remove,
    /// [`Tier::scan`]
    Scan,
    /// [`Tier::cleanup`]
    Cleanup,
    /// [`Coordinator::try_lease`]
    Lease,
    /// The release of a lease. It cannot fail.
    Release,
}

type Id = (Namespace, Key);
type Hook = Arc<dyn Fn(Op) + Send + Sync>;
type Plan = Box<dyn FnMut(Op) -> Option<TierErrorKind> + Send>;

/// The faulty tier. Clones share everything: a test keeps one and gives the others to caches.
#[derive(Clone)]
pub struct FaultyTier(Arc<Inner>);

struct Inner {
    name: &'static str,
    clock: Arc<dyn Clock>,
    codec: Codec,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Id, Vec<u8>>,
    calls: HashMap<Op, u64>,
    plan: Option<Plan>,
    before: Option<Hook>,
    after: Option<Hook>,
    has_leases: bool,
    leases: BTreeSet<Id>,
    /// The last token issued.
    token: u64,
    fences: BTreeMap<Id, Fence>,
    fallback_from: Option<PathBuf>,
    listeners: Vec<Listener>,
}

#[derive(Default)]
struct Fence {
    stored: u64,
    removed: u64,
}

impl FaultyTier {
    /// An empty tier that works, on the system's clock.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self::on_clock(name, SystemClock)
    }

    /// An empty tier that works.
    #[must_use]
    pub fn on_clock(name: &'static str, clock: impl Clock) -> Self {
        Self(Arc::new(Inner {
            name,
            clock: Arc::new(clock),
            codec: Codec::new(env!("CARGO_PKG_VERSION")),
            state: Mutex::default(),
        }))
    }

    /// The same with leases and fencing tokens.
    #[must_use]
    pub fn with_leases(self) -> Self {
        self.state().has_leases = true;
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `plan` decide for each call whether and how it fails.
    pub fn plan(&self, plan: impl FnMut(Op) -> Option<TierErrorKind> + Send + 'static) {
        self.state().plan = Some(Box::new(plan));
    }

    /// Fails every call.
    pub fn fail(&self, kind: TierErrorKind) {
        self.plan(move |_| Some(kind));
    }

    /// Fails no call.
    pub fn heal(&self) {
        self.state().plan = None;
    }

    /// Runs before each call, without a lock, to interleave with it.
    pub fn before(&self, hook: impl Fn(Op) + Send + Sync + 'static) {
        self.state().before = Some(Arc::new(hook));
    }

    /// Runs when a call has its result and before it returns.
    pub fn after(&self, hook: impl Fn(Op) + Send + Sync + 'static) {
        self.state().after = Some(Arc::new(hook));
    }

    /// Removes both hooks.
    pub fn unhook(&self) {
        let mut state = self.state();
        (state.before, state.after) = (None, None);
    }

    /// Reports writes as a fallback from this path.
    pub fn fall_back_from(&self, path: impl Into<PathBuf>) {
        self.state().fallback_from = Some(path.into());
    }

    /// Notifies the caches over this tier of another process's change.
    pub fn notify(&self, event: &ChangeEvent) {
        let listeners = self.state().listeners.clone();
        for listener in listeners {
            listener(event.clone());
        }
    }

    /// The number of calls, failed ones included.
    #[must_use]
    pub fn calls(&self, op: Op) -> u64 {
        self.state().calls.get(&op).copied().unwrap_or(0)
    }

    /// Whether the tier holds the key. Not a call.
    #[must_use]
    pub fn holds(&self, namespace: &Namespace, key: &Key) -> bool {
        let id = (*namespace, key.clone());
        self.state().entries.contains_key(&id)
    }

    /// Stores an entry as another process would. Not a call.
    pub fn insert(&self, entry: &Entry) {
        let envelope = entry.envelope();
        let id = (envelope.namespace, envelope.key.clone());
        let bytes = self.0.codec.encode(entry).expect("encode").bytes;
        self.state().entries.insert(id, bytes);
    }

    /// Holds the lease of a key as another process would, until [`FaultyTier::release`]. Not a call.
    pub fn occupy(&self, namespace: &Namespace, key: &Key) {
        self.state().leases.insert((*namespace, key.clone()));
    }

    /// Removes an entry as a disk that loses it would. Not a call.
    pub fn forget(&self, namespace: &Namespace, key: &Key) {
        self.state().entries.remove(&(*namespace, key.clone()));
    }

    /// Whether the lease of a key is held.
    #[must_use]
    pub fn is_leased(&self, namespace: &Namespace, key: &Key) -> bool {
        self.state().leases.contains(&(*namespace, key.clone()))
    }

    /// Ends a lease, whoever holds it. Not a call.
    pub fn release(&self, namespace: &Namespace, key: &Key) {
        self.state().leases.remove(&(*namespace, key.clone()));
    }

    /// The path that the tier reports for a key.
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
                    let path = key.map_or_else(|| "/faulty".into(), |key| self.path_of(key));
                    Err(TierError::new(kind, "the test's fault").at(path))
                }
                None => work(&mut state),
            }
        };
        if let Some(after) = after {
            after(op);
        }
        result
    }

    fn read(&self, state: &State, id: &Id) -> Result<Option<Entry>, TierError> {
        let Some(bytes) = state.entries.get(id) else {
            return Ok(None);
        };
        let bytes = Bytes::copy_from_slice(bytes);
        self.0.codec.decode(bytes, &id.0, &id.1).map(Some)
    }

    fn write(&self, state: &mut State, entry: &Entry, fenced: bool) -> Result<Written, TierError> {
        let envelope = entry.envelope();
        let id = (envelope.namespace, envelope.key.clone());
        if !fenced
            && let Ok(Some(newer)) = self.read(state, &id)
            && newer.envelope().supersedes(envelope, self.0.clock.now())
        {
            return Ok(Written::Superseded(newer));
        }
        let encoded = self.0.codec.encode(entry)?;
        let bytes = encoded.bytes.len() as u64;
        state.entries.insert(id, encoded.bytes);
        let fallback_from = state
            .fallback_from
            .iter()
            .map(|path| TierError::new(TierErrorKind::Unavailable, "the test's fallback").at(path));
        Ok(Written::Stored {
            path: Some(self.path_of(&envelope.key)),
            bytes,
            saved: encoded.saved,
            fallback_from: fallback_from.collect(),
        })
    }
}

impl fmt::Debug for FaultyTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FaultyTier").field(&self.0.name).finish()
    }
}

impl Tier for FaultyTier {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn get(
        &self,
        namespace: &Namespace,
        key: &Key,
        _deadline: Deadline,
    ) -> Result<Option<Found>, TierError> {
        self.call(Op::Get, Some(key), |state| {
            let entry = self.read(state, &(*namespace, key.clone()))?;
            Ok(entry.map(|entry| Found::new(entry, Some(self.path_of(key).into()))))
        })
    }

    fn put(&self, entry: &Entry, _deadline: Deadline) -> Result<Written, TierError> {
        let key = &entry.envelope().key;
        self.call(Op::Put, Some(key), |state| self.write(state, entry, false))
    }

    fn remove(
        &self,
        namespace: &Namespace,
        pattern: &Pattern,
        _deadline: Deadline,
    ) -> Result<u64, TierError> {
        self.call(Op::Remove, pattern.as_exact(), |state| {
            let before = state.entries.len();
            let matches = |id: &Id| id.0 == *namespace && pattern.matches(&id.1);
            state.entries.retain(|id, _| !matches(id));
            state.token += 1;
            for (id, fence) in &mut state.fences {
                if matches(id) {
                    fence.removed = state.token;
                }
            }
            Ok((before - state.entries.len()) as u64)
        })
    }

    fn scan(
        &self,
        namespace: &Namespace,
        prefix: &str,
        _deadline: Deadline,
        visit: &mut dyn FnMut(EntryInfo) -> ControlFlow<()>,
    ) -> Result<(), TierError> {
        let all = self.call(Op::Scan, None, |state| Ok(state.entries.clone()))?;
        for ((of, key), bytes) in all {
            if of != *namespace || !key.starts_with(prefix) {
                continue;
            }
            let Ok(envelope) = self.0.codec.peek(&bytes) else {
                continue;
            };
            let path = Some(self.path_of(&key));
            let info = EntryInfo::new(Arc::new(envelope), bytes.len() as u64, path);
            if visit(info).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn cleanup(&self, now: SystemTime) -> Result<u64, TierError> {
        self.call(Op::Cleanup, None, |state| {
            let before = state.entries.len();
            let is_kept = |bytes: &[u8]| {
                let envelope = self.0.codec.peek(bytes);
                envelope.is_ok_and(|envelope| !envelope.is_expired(now))
            };
            state.entries.retain(|_, bytes| is_kept(bytes));
            Ok((before - state.entries.len()) as u64)
        })
    }

    fn status(&self) -> TierStatus {
        let state = self.state();
        let mut status = TierStatus::default();
        status.ok = state.plan.is_none();
        status.message = "a tier for tests".into();
        status.entries = Some(state.entries.len() as u64);
        status.bytes = Some(state.entries.values().map(|bytes| bytes.len() as u64).sum());
        status
    }

    fn coordinator(&self) -> Option<&dyn Coordinator> {
        Some(self)
    }
}

impl Coordinator for FaultyTier {
    fn try_lease(
        &self,
        namespace: &Namespace,
        key: &Key,
        _ttl: Duration,
        _deadline: Deadline,
    ) -> Result<Acquired, TierError> {
        let id = (*namespace, key.clone());
        self.call(Op::Lease, Some(key), |state| {
            if state.has_leases && !state.leases.insert(id.clone()) {
                return Ok(Acquired::Busy);
            }
            if !state.has_leases {
                return Ok(Acquired::Held(LeaseGuard::new(None, || ())));
            }
            state.token += 1;
            state.fences.entry(id.clone()).or_default();
            let (tier, token) = (self.clone(), FencingToken(state.token));
            Ok(Acquired::Held(LeaseGuard::new(Some(token), move || {
                let key = id.1.clone();
                let _ = tier.call(Op::Release, Some(&key), |_| Ok(()));
                tier.state().leases.remove(&id);
            })))
        })
    }

    fn put_if_current(
        &self,
        entry: &Entry,
        FencingToken(token): FencingToken,
        _deadline: Deadline,
    ) -> Result<Written, TierError> {
        let envelope = entry.envelope();
        let id = (envelope.namespace, envelope.key.clone());
        self.call(Op::Put, Some(&envelope.key), |state| {
            let fence = state.fences.entry(id.clone()).or_default();
            if fence.removed > token {
                return Ok(Written::Removed);
            }
            if fence.stored > token {
                let newer = self.read(state, &id)?;
                return Ok(newer.map_or(Written::Removed, Written::Superseded));
            }
            fence.stored = token;
            self.write(state, entry, true)
        })
    }

    fn subscribe(&self, listener: Listener) {
        self.state().listeners.push(listener);
    }
}
