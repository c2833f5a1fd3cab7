//! Tests in processes of their own: this same program, run again with one test and a job.

use std::io::{PipeReader, PipeWriter, Read};
use std::process::{Child, Command, Stdio};

const JOB: &str = "REDIS_TEST_JOB";

/// The job of this process; none where it is the one that tests were asked of.
pub fn job() -> Option<String> {
    std::env::var(JOB).ok()
}

/// Starts a process for this test, `module::name`, with a job.
pub fn start(test: &str, job: &str) -> Child {
    start_behind(test, job, Stdio::inherit())
}

fn start_behind(test: &str, job: &str, input: impl Into<Stdio>) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(JOB, job)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What processes wait behind until all of them are ready, so that they begin at once.
#[derive(Debug)]
pub struct Gate {
    closed: PipeReader,
    open: PipeWriter,
}

impl Gate {
    /// A closed one.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let (closed, open) = std::io::pipe().unwrap();
        Self { closed, open }
    }

    /// Starts a process that waits here once it is ready.
    pub fn start(&self, test: &str, job: &str) -> Child {
        start_behind(test, job, self.closed.try_clone().unwrap())
    }

    /// Lets them go once all are ready.
    pub fn open<'a>(self, waiting: impl IntoIterator<Item = &'a mut Child>) {
        for child in waiting {
            let (said, mut all) = (child.stdout.as_mut().unwrap(), Vec::new());
            while !all.ends_with(READY.as_bytes()) {
                let mut byte = [0];
                said.read_exact(&mut byte)
                    .expect("it ended before it was ready");
                all.extend(byte);
            }
        }
        drop(self.open);
    }
}

const READY: &str = "is ready\n";

/// Says that this process is ready, and waits until the others are.
pub fn wait_at_the_gate() {
    print!("{READY}");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

/// All that it said, once it has ended well.
pub fn all_said(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    );
    assert!(output.status.success(), "{said}\n{errors}");
    said
}

/// What it said after `NAME=`, once it has ended well.
pub fn said(child: Child, name: &str) -> String {
    let said = all_said(child);
    let line = said
        .lines()
        .find_map(|line| line.split_once(&format!("{name}=")));
    let (_, value) = line.unwrap_or_else(|| panic!("no {name}: {said}"));
    value.trim().to_owned()
}
