//! Many at once: callers, those who give up, processes.

use std::process::{Command, Stdio};
use std::time::Duration;

use bedrock_catalog::LiveCatalog;
use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Memory, Operation, Rule};

use crate::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_first_loads_ask_once() {
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
async fn a_thousand_leaders_give_up_and_nobody_is_stuck() {
    let wire = Memory::new(stage().latency(Duration::from_secs(1)));
    let live = in_memory(&wire, &clock()).build().unwrap();
    for _ in 0..1000 {
        let patience = Duration::from_millis(10);
        assert!(tokio::time::timeout(patience, live.load()).await.is_err());
    }
    settle().await;
    assert_eq!(wire.stage().open(), 0, "who gives up leaves nothing behind");
    // A crowd of which the first half gives up, each in its turn to lead.
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

const JOB: &str = "LIVE_TEST_JOB";

/// What each of the processes does; nothing where it is run as a test.
#[tokio::test]
async fn child() {
    let Ok(job) = std::env::var(JOB) else {
        return;
    };
    let (url, folder) = job.split_once(' ').unwrap();
    let live = LiveCatalog::builder()
        .sdk_config(&bedrock_catalog_tests::fake_bedrock::sdk_config())
        .endpoint_url(url)
        .regions(REGIONS)
        .cache_dirs([folder])
        .build()
        .unwrap();
    // Alone in its process, so that the threads that block are heard too.
    let lines = Lines::default();
    tracing::subscriber::set_global_default(lines.clone()).unwrap();
    let source = live.load().await.unwrap().source().as_str();
    for line in lines.all() {
        println!("{source} said {line}");
    }
    println!("source={source}");
}

#[test]
fn sixty_four_processes_on_one_folder_ask_once() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Rule::new(Fault::Latency(Duration::from_millis(300)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let job = format!("{} {}", fake.url(), folder.path().display());
    let children: Vec<_> = (0..64)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["crowd::child", "--exact", "--nocapture"])
                .env(JOB, &job)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut said = std::collections::BTreeSet::<String>::new();
    let mut sources = std::collections::BTreeMap::<String, usize>::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (log, end): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| line.contains(" said "));
        said.extend(log.into_iter().map(str::to_owned));
        let source = end.iter().find_map(|line| line.split_once("source="));
        let (_, source) =
            source.unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)));
        let source = source.to_owned();
        *sources.entry(source).or_default() += 1;
    }
    assert_eq!(sources.get("api"), Some(&1), "{sources:?} {said:#?}");
    assert_eq!(sources.get("cache"), Some(&63), "{sources:?} {said:#?}");
    assert_eq!(fake.stage().requests(), 4);
}
