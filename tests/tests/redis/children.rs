//! Tests in processes of their own: this same program, run again with one test and a job.

use std::process::{Child, Command, Stdio};

const JOB: &str = "REDIS_TEST_JOB";

/// The job of this process; none where it is the one that tests were asked of.
pub(crate) fn job() -> Option<String> {
    std::env::var(JOB).ok()
}

/// Starts a process for this test, `module::name`, with a job.
pub(crate) fn start(test: &str, job: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(JOB, job)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// All that it said, once it has ended well.
pub(crate) fn all_said(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    said
}

/// What it said after `NAME=`, once it has ended well.
pub(crate) fn said(child: Child, name: &str) -> String {
    let said = all_said(child);
    let line = said
        .lines()
        .find_map(|line| line.split_once(&format!("{name}=")));
    let (_, value) = line.unwrap_or_else(|| panic!("no {name}: {said}"));
    value.trim().to_owned()
}
