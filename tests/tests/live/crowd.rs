//! Many callers and many processes at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use bedrock_catalog::LiveCatalog;
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Memory, Operation, Rule};
use bedrock_catalog_tests::{count, skip};

use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_first_loads_fetch_once() {
    let wire = Memory::new(stage().latency(Duration::from_millis(20)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    let all: Vec<_> = (0..10_000)
        .map(|_| {
            let live = live.clone();
            tokio::spawn(async move { live.load().await.unwrap() })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap().source().as_str(), "api");
    }
    for region in REGIONS {
        for operation in [Operation::Models, Operation::Profiles] {
            assert_eq!(
                wire.stage().requests_of(region, operation),
                1,
                "{region} {operation:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_cancelled_leaders_leave_no_caller_stuck() {
    let wire = Memory::new(stage().latency(Duration::from_secs(1)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    for _ in 0..1000 {
        let patience = Duration::from_millis(10);
        assert!(tokio::time::timeout(patience, live.load()).await.is_err());
    }
    settle().await;
    assert_eq!(wire.stage().open(), 0, "a cancelled load leaves no request");
    // The first half of a crowd is cancelled, each while it leads.
    let crowd: Vec<_> = (0..100)
        .map(|nth| {
            let live = live.clone();
            let patience = Duration::from_millis(if nth < 50 { 100 * nth } else { 25_000 });
            tokio::spawn(async move { tokio::time::timeout(patience, live.load()).await })
        })
        .collect();
    let mut served = 0;
    for one in crowd {
        served += usize::from(
            one.await
                .unwrap()
                .is_ok_and(|loaded| loaded.unwrap().source().as_str() == "api"),
        );
    }
    assert_eq!(served, 50);
    assert_eq!(live.load().await.unwrap().source().as_str(), "api");
}

/// A refresh shares a fetch that starts after its call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_refreshes_fetch_a_few_times() {
    let wire = Memory::new(stage().latency(Duration::from_millis(200)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    let all: Vec<_> = (0..10_000)
        .map(|_| {
            let live = live.clone();
            tokio::spawn(async move { live.refresh().await.unwrap() })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap().source().as_str(), "api");
    }
    // One fetch, and one for the calls during it; a slow machine may need more.
    assert!(
        wire.stage().requests() <= 4 * 10,
        "{}",
        wire.stage().requests()
    );
    let requests = wire.stage().requests();
    live.refresh().await.unwrap();
    assert_eq!(
        wire.stage().requests(),
        requests + 4,
        "an earlier fetch is not shared"
    );
}

#[tokio::test(start_paused = true)]
async fn cancelled_refreshes_leave_no_caller_stuck() {
    let wire = Memory::new(stage().latency(Duration::from_secs(1)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    for _ in 0..100 {
        let patience = Duration::from_millis(10);
        let refreshed = tokio::time::timeout(patience, live.refresh());
        assert!(refreshed.await.is_err());
    }
    assert_eq!(live.refresh().await.unwrap().source().as_str(), "api");
    settle().await;
    assert_eq!(wire.stage().open(), 0);
}

const JOB: &str = "LIVE_TEST_JOB";

/// The work of one process; nothing when it runs as a test.
#[tokio::test]
async fn child() {
    let Ok(job) = std::env::var(JOB) else {
        return;
    };
    let [verb, url, folder] = job.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{job}");
    };
    let live = LiveCatalog::builder()
        .sdk_config(&bedrock_catalog_tests::fake_bedrock::sdk_config())
        .endpoint_url(url)
        .regions(REGIONS)
        .cache_dirs([folder])
        .build()
        .unwrap();
    // The log of all threads of the process.
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    // All processes start at once.
    println!("ready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let called = std::time::SystemTime::now();
    let done = match verb {
        "load" => live.load().await,
        _ => live.refresh().await,
    };
    let source = match done {
        Ok(snapshot) => {
            let after = snapshot.observed_at() >= timestamp(called);
            assert!(
                verb == "load" || after,
                "{} {called:?}",
                snapshot.observed_at()
            );
            snapshot.source().to_string()
        }
        Err(error) => format!("error {error}"),
    };
    for line in lines.all() {
        println!("{source} logged {line}");
    }
    println!("source={source}");
}

/// Runs this many processes at once: how often each source served, and the logs.
fn processes(
    many: usize,
    verb: &str,
    url: &str,
    folder: &std::path::Path,
) -> (BTreeMap<String, usize>, BTreeSet<String>) {
    let job = format!("{verb} {url} {}", folder.display());
    let mut children: Vec<_> = (0..many)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["crowd::child", "--exact", "--nocapture"])
                .env(JOB, &job)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut outputs: Vec<_> = children
        .iter_mut()
        .map(|child| BufReader::new(child.stdout.take().unwrap()))
        .collect();
    for output in &mut outputs {
        let mut line = String::new();
        while !line.contains("ready") {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "a process ended");
        }
    }
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let texts = outputs.into_iter().map(|mut output| {
        let mut text = String::new();
        output.read_to_string(&mut text).unwrap();
        text
    });
    let texts: Vec<_> = texts.collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
    }
    results(texts)
}

/// A refresh writes three entries, each with a sync of its file and its folder.
#[cfg(target_os = "linux")]
#[test]
fn a_refresh_syncs_eight_times_at_most() {
    let name = "a_refresh_syncs_eight_times_at_most";
    let strace = Command::new("strace").arg("-V").output();
    if !strace.is_ok_and(|output| output.status.success()) {
        return skip(name, "there is no strace");
    }
    let (folder, log) = (
        tempfile::tempdir().unwrap(),
        tempfile::NamedTempFile::new().unwrap(),
    );
    let fake = FakeBedrock::start(stage()).unwrap();
    let cache = folder.path().join("cache");
    let syncs = |verb: &str| {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "trace=fsync,fdatasync,syncfs,sync", "-o"]);
        strace.arg(log.path()).arg(std::env::current_exe().unwrap());
        strace.args(["crowd::child", "--exact", "--nocapture"]);
        strace.env(JOB, format!("{verb} {} {}", fake.url(), cache.display()));
        let mut child = strace
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && text.contains("source=api"),
            "{text}"
        );
        std::fs::read_to_string(log.path()).unwrap().lines().count()
    };
    let (first, second) = (syncs("load"), syncs("refresh"));
    count(
        "fsyncs of a first load and a refresh",
        format_args!("{first}, {second}"),
    );
    assert!(
        (1..=12).contains(&first),
        "{first}: folders are created, too"
    );
    assert!((1..=8).contains(&second), "{second}");
    assert_eq!(
        files(&cache)
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .count(),
        3
    );
}

fn results(texts: Vec<String>) -> (BTreeMap<String, usize>, BTreeSet<String>) {
    let (mut sources, mut logs) = (BTreeMap::new(), BTreeSet::new());
    for text in texts {
        let (log, end): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.contains(" logged "));
        logs.extend(log.into_iter().map(str::to_owned));
        let source = end.iter().find_map(|line| line.split_once("source="));
        let (_, source) = source.unwrap_or_else(|| panic!("{text}"));
        *sources.entry(source.to_owned()).or_default() += 1;
    }
    (sources, logs)
}

#[test]
fn sixty_four_processes_on_one_folder_fetch_once() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let (sources, logs) = processes(64, "load", &fake.url(), folder.path());
    assert_eq!(sources.get("api"), Some(&1), "{sources:?} {logs:#?}");
    assert_eq!(sources.get("cache"), Some(&63), "{sources:?} {logs:#?}");
    assert_eq!(fake.stage().requests(), 4);
}

/// Of many processes that refresh at once a few fetch; the others use a fetch that started after their call.
#[test]
fn refreshes_of_many_processes_are_no_storm() {
    let many = if long_lane() { 64 } else { 24 };
    let folder = tempfile::tempdir().unwrap();
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let (sources, logs) = processes(many, "refresh", &fake.url(), folder.path());
    let (api, cache) = (sources.get("api"), sources.get("cache"));
    let (api, cache) = (api.copied().unwrap_or(0), cache.copied().unwrap_or(0));
    assert_eq!(api + cache, many, "{sources:?} {logs:#?}");
    let result = format_args!("{many} processes, {api} fetched, {cache} used their catalogs");
    count("files, refreshed by a crowd", result);
    assert!((1..=12).contains(&api), "{sources:?}");
    assert_eq!(fake.stage().requests(), 4 * api);
}

/// A failure is shared, too.
#[test]
fn failed_refreshes_of_many_processes_are_no_storm() {
    let folder = tempfile::tempdir().unwrap();
    let failing = Rule::new(Fault::html());
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow).rule(failing)).unwrap();
    let (sources, _) = processes(24, "refresh", &fake.url(), folder.path());
    let result = format_args!("24 processes, {} requests", fake.stage().requests());
    count("files, refreshed by a crowd in vain", result);
    for (source, times) in &sources {
        assert!(source.contains("no region answered"), "{source}: {times}");
    }
    assert!(
        fake.stage().requests() <= 4 * 8,
        "{}",
        fake.stage().requests()
    );
}
