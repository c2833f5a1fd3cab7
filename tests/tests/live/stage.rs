//! What these tests share: a small recording behind the SDK, a clock that is moved, a folder, a log.

use std::fmt::{Debug, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bedrock_catalog::cache::ManualClock;
use bedrock_catalog::recording::Recording;
use bedrock_catalog::{CacheMode, Catalog, LiveCatalog, LiveCatalogBuilder, Timestamp};
use bedrock_catalog_test_support::{FaultyTier, Op};
use bedrock_catalog_tests::fake_bedrock::{Fault, Memory, Rule, Stage};
use bedrock_catalog_tests::synthetic;
use proptest::prelude::ProptestConfig;
use tracing::field::{Field, Visit};
use tracing::{Level, Metadata, Subscriber, span};

pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

pub fn long_lane() -> bool {
    std::env::var_os("BEDROCK_CATALOG_LONG").is_some_and(|set| set == "1")
}

/// So many cases, each of which loads a catalog; in the long lane as many as `PROPTEST_CASES` says.
pub fn cases(short: u32) -> ProptestConfig {
    let said = ProptestConfig::default();
    let cases = if long_lane() { said.cases } else { short };
    ProptestConfig { cases, ..said }
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

/// Of these regions.
pub fn stage_of(regions: &[&str]) -> Stage {
    Stage::new(synthetic::recording(regions, 4, 3))
}

pub fn wire() -> Memory {
    Memory::new(stage())
}

/// Answers the first so many requests of each list, and fails afterwards.
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

/// A tier of which calls of one kind hang while its gate is closed.
#[derive(Clone)]
pub struct Gate(Arc<(Mutex<(bool, usize)>, Condvar)>);

impl Gate {
    /// An open one.
    pub fn of(op: Op) -> (FaultyTier, Self) {
        Self::after(0, op)
    }

    /// The same, which lets the first calls through.
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

    /// How many hang.
    pub fn waiting(&self) -> usize {
        self.0.0.lock().unwrap().1
    }
}

/// Lets tasks run until they have nothing to do at this moment.
pub async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// Waits for what other threads do: a matter of milliseconds.
pub async fn until(done: impl Fn() -> bool) {
    let look = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(30), look);
    looked.await.expect("it comes to be");
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

/// Keeps what is logged on this thread.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

impl Lines {
    /// From now on until the guard is dropped.
    pub fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        // Beside a second one: with a single listener, a line that another thread comes upon first counts
        // as one that nobody wants, on this thread too.
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
