//! A catalog that is built before a fork and loaded after it, in a program of its own with one thread.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bedrock_catalog_tests::fake_bedrock::{FakeBedrock, Fault, Rule};

use crate::stage::*;

#[test]
fn a_catalog_built_before_a_fork_is_loaded_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let slow = Rule::new(Fault::Latency(Duration::from_millis(100)));
    let fake = FakeBedrock::start(stage().rule(slow)).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_fork-then-load"))
        .arg(fake.url())
        .arg(folder.path())
        .arg("8")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // A lock held across the fork would hang.
    let begun = Instant::now();
    while program.try_wait().unwrap().is_none() {
        if begun.elapsed() > Duration::from_secs(60) {
            program.kill().unwrap();
            panic!("a process hangs after the fork");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = program.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let times = |line: &str| said.lines().filter(|said| *said == line).count();
    if cfg!(target_os = "linux") {
        assert!(
            said.starts_with("threads 1\n"),
            "build starts no thread: {said}"
        );
    }
    assert_eq!(times("worker api false"), 1, "{said}");
    assert_eq!(times("worker cache false"), 7, "{said}");
    assert_eq!(times("parent cache false"), 1, "{said}");
    assert_eq!(fake.stage().requests(), 4);
}
