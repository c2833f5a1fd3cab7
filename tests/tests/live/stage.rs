//! Shared by these tests: a small recording behind the SDK, a manual clock, folders, the log.

use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bedrock_catalog::cache::{EntryOptions, Key, ManualClock, Ttl};
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{
    CacheMode, Catalog, LiveCatalog, LiveCatalogBuilder, Timestamp, catalog_to_json,
};
use bedrock_catalog_recording::transform;
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule, Stage};
use bedrock_catalog_tests::synthetic;
use proptest::prelude::ProptestConfig;
use tokio::sync::Semaphore;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber, span};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

pub fn long_lane() -> bool {
    std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|set| set == "1")
}

/// This many cases, each of which loads a catalog; in the long lane `PROPTEST_CASES`.
pub fn cases(short: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = if long_lane() { default.cases } else { short };
    ProptestConfig { cases, ..default }
}

/// The key of the catalog.
pub fn catalog_key() -> Key {
    Key::new("catalog", "get", "all")
}

/// The key of the status beside it.
pub fn status_key() -> Key {
    Key::new("catalog", "status", "all")
}

/// Fresh for a day, kept for thirty.
pub fn options() -> EntryOptions {
    EntryOptions::source("api").ttl(Ttl {
        fresh_for: DAY,
        keep_for: 30 * DAY,
    })
}

/// Puts a catalog of this observation into the cache, as a fresh entry.
pub async fn plant(live: &LiveCatalog, observed_at: Timestamp) {
    let mut recording = small();
    recording.observed_at = observed_at;
    let (document, _) = transform(&recording, None);
    let catalog = Catalog::from_document(&document).unwrap();
    let cache = live.cache().await;
    let stored = cache.put(&catalog_key(), catalog_to_json(&catalog), &options());
    assert!(!stored.tiers.is_empty());
}

/// Three months after the bundle.
pub fn later() -> SystemTime {
    let observed = Catalog::bundled().observed_at().unix();
    UNIX_EPOCH + Duration::from_secs(u64::try_from(observed).unwrap()) + 90 * DAY
}

pub fn clock() -> ManualClock {
    ManualClock::at(later())
}

pub fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_unix(i64::try_from(seconds).unwrap()).unwrap()
}

pub fn small() -> Recording {
    synthetic::recording(&REGIONS, 4, 3)
}

pub fn stage() -> Stage {
    Stage::new(small())
}

/// A stage with these regions.
pub fn stage_of(regions: &[&str]) -> Stage {
    Stage::new(synthetic::recording(regions, 4, 3))
}

pub fn wire() -> Memory {
    Memory::new(stage())
}

/// Answers this many requests of each list, and denies the later ones.
pub fn answers_then_fails(times: u64) -> Memory {
    Memory::new(stage().rule(Rule::new(Fault::access_denied()).requests(times + 1..=u64::MAX)))
}

/// Two regions, in memory only.
pub fn in_memory(wire: &Memory, clock: &ManualClock) -> LiveCatalogBuilder {
    LiveCatalog::builder()
        .sdk_config(&wire.sdk_config())
        .regions(REGIONS)
        .cache_mode(CacheMode::Memory)
        .clock(clock.clone())
}

/// Two regions, in memory and in files of this folder.
pub fn in_files(wire: &Memory, clock: &ManualClock, folder: &Path) -> LiveCatalogBuilder {
    in_memory(wire, clock)
        .cache_mode(CacheMode::File)
        .cache_dirs([folder])
}

/// The gate of a tier: calls of one kind hang while it is closed.
#[derive(Clone)]
pub struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    /// A tier and its gate, which is open.
    pub fn of(op: Op) -> (FaultyTier, Self) {
        Self::after(0, op)
    }

    /// The same, which lets the first calls pass even when it is closed.
    pub fn after(first: u64, op: Op) -> (FaultyTier, Self) {
        let gate = Self(Arc::new((Mutex::new((true, 0)), Condvar::new())));
        let (tier, passed) = (FaultyTier::new("slow"), gate.clone());
        let calls = tier.clone();
        tier.before(move |called| {
            if called == op && calls.calls(op) > first {
                let (state, opens) = &*passed.0;
                let mut state = state.lock().unwrap();
                state.1 += 1;
                let mut state = opens.wait_while(state, |(open, _)| !*open).unwrap();
                state.1 -= 1;
            }
        });
        (tier, gate)
    }

    pub fn open(&self, open: bool) {
        self.0.0.lock().unwrap().0 = open;
        self.0.1.notify_all();
    }

    /// The number of calls that hang.
    pub fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().1
    }
}

/// Calls pass while it is open; the others wait for a permit.
#[derive(Debug)]
pub struct Turnstile {
    open: AtomicBool,
    /// One permit for each call that waits.
    pub waiting: Semaphore,
    /// One permit lets one call pass.
    pub pass: Semaphore,
}

impl Turnstile {
    pub fn new(open: bool) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicBool::new(open),
            waiting: Semaphore::new(0),
            pass: Semaphore::new(0),
        })
    }

    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    pub async fn enter(&self) {
        if !self.open.load(Ordering::SeqCst) {
            self.waiting.add_permits(1);
            self.pass.acquire().await.unwrap().forget();
        }
    }
}

/// An HTTP client whose requests pass a turnstile.
#[derive(Debug, Clone)]
struct HeldRequests(Memory, Arc<Turnstile>);

impl HttpClient for HeldRequests {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.http_connector(settings, components);
        SharedHttpConnector::new(HeldConnector(inner, Arc::clone(&self.1)))
    }
}

#[derive(Debug)]
struct HeldConnector(SharedHttpConnector, Arc<Turnstile>);

impl HttpConnector for HeldConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, turnstile) = (self.0.clone(), Arc::clone(&self.1));
        HttpConnectorFuture::new(async move {
            turnstile.enter().await;
            inner.call(request).await
        })
    }
}

/// An SDK configuration whose requests pass this turnstile.
pub fn held_requests(wire: &Memory, config: &SdkConfig, turnstile: &Arc<Turnstile>) -> SdkConfig {
    let client = HeldRequests(wire.clone(), Arc::clone(turnstile));
    config.clone().into_builder().http_client(client).build()
}

/// Lets tasks run until they are idle.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Waits for other threads.
pub async fn until(done: impl Fn() -> bool) {
    let look = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(30), look);
    looked.await.expect("within half a minute");
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                true => open.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    found
}

/// Collects the log of this thread.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Lines {
    /// Collects until the guard is dropped.
    pub fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        // With a single dispatcher, a call site that another thread reaches first is disabled for all.
        static SECOND: OnceLock<tracing::Dispatch> = OnceLock::new();
        SECOND.get_or_init(|| tracing::Dispatch::new(Self::default()));
        let lines = Self::default();
        let guard = tracing::subscriber::set_default(lines.clone());
        (lines, guard)
    }

    pub fn at(&self, level: Level) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let at = lines.iter().filter(|(at, _)| *at == level);
        at.map(|(_, line)| line.clone()).collect()
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub fn all(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        lines.iter().map(|(_, line)| line.clone()).collect()
    }
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("bedrock_catalog")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = String::new();
        event.record(&mut Text(&mut line));
        let mut lines = self.0.lock().unwrap();
        lines.push((*event.metadata().level(), line));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
